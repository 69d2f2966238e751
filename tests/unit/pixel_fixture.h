/* Memory and surfaces for the tests of depth buffers and render targets. */
#ifndef GTMUX_TESTS_PIXEL_FIXTURE_H
#define GTMUX_TESTS_PIXEL_FIXTURE_H

#include <string.h>

#include "exec_double.h"
#include "mediator/soft/mem.h"
#include "mediator/soft/raster.h"
#include "mediator/soft/raster_state.h"
#include "vgpu/desc/fields.h"

#define FIXTURE_BASE UINT64_C(0x100000)
#ifndef FIXTURE_PAGES
#define FIXTURE_PAGES 64u
#endif
#define FIXTURE_SIZE (FIXTURE_PAGES * SOFT_PAGE)

static uint8_t fixture_ram[FIXTURE_SIZE];
static struct vgpu_exec fixture_exec;
static struct soft_space fixture_space;
static struct soft_mem fixture_mem;

static void fixture_start(void)
{
    memset(&fixture_exec, 0, sizeof(fixture_exec));
    memset(fixture_ram, 0, sizeof(fixture_ram));
    memset(&fixture_mem, 0, sizeof(fixture_mem));
    double_map(&fixture_exec, FIXTURE_BASE, fixture_ram, sizeof(fixture_ram), false);
    assert_int_equal(soft_space_init(&fixture_space), 0);
    soft_space_begin(&fixture_space, &fixture_exec);
    soft_mem_begin(&fixture_mem, &fixture_space);
}

static inline int fixture_stop(void **state)
{
    (void)state;
    soft_space_fini(&fixture_space);
    return 0;
}

static inline void fixture_put(uint32_t *dw, uint32_t f, uint64_t v)
{
    unsigned first = f >> 16, low = first % 32;

    dw[first / 32] |= (uint32_t)(v << low);
    if ((f & 0xffff) / 32 != first / 32)
        dw[first / 32 + 1] |= (uint32_t)(v >> (32 - low));
}

#define FIXTURE_PUT(dw, group, name, v) fixture_put(dw, F_##group##__##name, v)

struct fixture_surface {
    unsigned format, tile_mode, width, height, pitch, samples_log2, interleaved;
};

static inline struct soft_surface fixture_surface(struct fixture_surface f)
{
    struct soft_surface s;
    uint32_t dw[16] = {0};

    FIXTURE_PUT(dw, RENDER_SURFACE_STATE, SurfaceType, SOFT_SURF_2D);
    FIXTURE_PUT(dw, RENDER_SURFACE_STATE, SurfaceFormat, f.format);
    FIXTURE_PUT(dw, RENDER_SURFACE_STATE, TileMode, f.tile_mode);
    FIXTURE_PUT(dw, RENDER_SURFACE_STATE, SurfaceHorizontalAlignment, 1);
    FIXTURE_PUT(dw, RENDER_SURFACE_STATE, SurfaceVerticalAlignment, 1);
    FIXTURE_PUT(dw, RENDER_SURFACE_STATE, Width, f.width - 1);
    FIXTURE_PUT(dw, RENDER_SURFACE_STATE, Height, f.height - 1);
    FIXTURE_PUT(dw, RENDER_SURFACE_STATE, SurfacePitch, f.pitch - 1);
    FIXTURE_PUT(dw, RENDER_SURFACE_STATE, SurfaceQPitch, (f.height + 3) / 4);
    FIXTURE_PUT(dw, RENDER_SURFACE_STATE, NumberOfMultisamples, f.samples_log2);
    FIXTURE_PUT(dw, RENDER_SURFACE_STATE, MultisampledSurfaceStorageFormat, f.interleaved);
    FIXTURE_PUT(dw, RENDER_SURFACE_STATE, SurfaceBaseAddress, FIXTURE_BASE);
    soft_surface_decode(dw, &s);
    return s;
}

#endif
