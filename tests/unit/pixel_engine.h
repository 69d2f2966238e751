/* A render engine with its pixel half for tests: state commands are given field by field, heaps and surfaces lie in a
 * small memory. */
#ifndef GTMUX_TESTS_PIXEL_ENGINE_H
#define GTMUX_TESTS_PIXEL_ENGINE_H

#include <stdlib.h>

#include "eu_kernels.h"
#include "mediator/soft/draw.h"
#include "pixel_fixture.h"
#include "vgpu/desc/cmds.h"
#include "vgpu/desc/regs.h"

/* Where things are in the memory. The target is the fixture's surface at FIXTURE_BASE. */
#define ENGINE_TARGET  FIXTURE_BASE
#define ENGINE_HEAP    (FIXTURE_BASE + (FIXTURE_PAGES - 24) * SOFT_PAGE) /* base of all state; offsets: */
#define ENGINE_BLEND   0x000u
#define ENGINE_CC      0x100u
#define ENGINE_CCVIEW  0x200u
#define ENGINE_SFVIEW  0x400u
#define ENGINE_SCISSOR 0x800u
#define ENGINE_TABLE   0x900u
#define ENGINE_SURFACE 0xa00u
#define ENGINE_CONST   0xb00u
#define ENGINE_KERNEL  0x1000u
#define ENGINE_DEPTH   (FIXTURE_BASE + (FIXTURE_PAGES - 20) * SOFT_PAGE)
#define ENGINE_STENCIL (FIXTURE_BASE + (FIXTURE_PAGES - 10) * SOFT_PAGE)

struct pixel_engine {
    struct soft_engine e;
    struct soft_state state;
    struct soft_worker worker[SOFT_WORKERS_MAX];
    unsigned workers;
};

static uint8_t *engine_heap(uint32_t offset)
{
    return fixture_ram + (ENGINE_HEAP - FIXTURE_BASE) + offset;
}

/* Gives a command of n dwords whose fields are (F_ constant, value) pairs, up to a zero constant. */
static inline void engine_give(struct pixel_engine *p, int cmd_id, unsigned n, const uint64_t *fields)
{
    uint32_t dw[64] = {cmd_table[cmd_id].op | (n - 2)};

    for (; fields && fields[0]; fields += 2)
        fixture_put(dw, (uint32_t)fields[0], fields[1]);
    soft_state_set(&p->state, &p->e.stamps, cmd_id, dw, n);
}

#define F(group, name)       F_##group##__##name
#define GIVE(p, cmd, n, ...) engine_give(p, C_##cmd, n, (const uint64_t[]){__VA_ARGS__, 0})
#define FLOAT_BITS(f)                                                                                                  \
    (((union {                                                                                                         \
         float v;                                                                                                      \
         uint32_t u;                                                                                                   \
     }){.v = (f)})                                                                                                     \
         .u)

static inline void engine_kernel(const char *name)
{
    size_t n;
    char *code = eu_kernels_read(EU_KERNELS_TREE, name, ".bin", &n);

    assert_non_null(code);
    memcpy(engine_heap(ENGINE_KERNEL), code, n);
    free(code);
}

/* A colour target of RGBA8 in Y tiles; more with fixture_put into the heap. */
static inline void engine_target(struct fixture_surface f)
{
    uint32_t *dw = (uint32_t *)engine_heap(ENGINE_SURFACE);

    memset(dw, 0, 64);
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
    FIXTURE_PUT(dw, RENDER_SURFACE_STATE, SurfaceBaseAddress, ENGINE_TARGET);
    *(uint32_t *)engine_heap(ENGINE_TABLE) = ENGINE_SURFACE;
}

/* As a copy or clear of Mesa's blorp: positions are pixels, one attribute, no depth, one kernel of 16 channels. */
static inline void engine_plain_state(struct pixel_engine *p)
{
    GIVE(p, STATE_BASE_ADDRESS, 19, F(STATE_BASE_ADDRESS, SurfaceStateBaseAddress), ENGINE_HEAP >> 12,
         F(STATE_BASE_ADDRESS, SurfaceStateBaseAddressModifyEnable), 1, F(STATE_BASE_ADDRESS, DynamicStateBaseAddress),
         ENGINE_HEAP >> 12, F(STATE_BASE_ADDRESS, DynamicStateBaseAddressModifyEnable), 1,
         F(STATE_BASE_ADDRESS, InstructionBaseAddress), ENGINE_HEAP >> 12,
         F(STATE_BASE_ADDRESS, InstructionBaseAddressModifyEnable), 1);
    GIVE(p, 3DSTATE_CLIP, 4, F(3DSTATE_CLIP, PerspectiveDivideDisable), 1);
    GIVE(p, 3DSTATE_RASTER, 5, F(3DSTATE_RASTER, CullMode), 1);
    GIVE(p, 3DSTATE_SBE, 6, F(3DSTATE_SBE, NumberOfSFOutputAttributes), 1, F(3DSTATE_SBE, VertexURBEntryReadOffset), 1,
         F(3DSTATE_SBE, ForceVertexURBEntryReadOffset), 1);
    GIVE(p, 3DSTATE_SAMPLE_MASK, 2, F(3DSTATE_SAMPLE_MASK, SampleMask), 0xffff);
    GIVE(p, 3DSTATE_DRAWING_RECTANGLE, 4, F(3DSTATE_DRAWING_RECTANGLE, ClippedDrawingRectangleXMax), 16383,
         F(3DSTATE_DRAWING_RECTANGLE, ClippedDrawingRectangleYMax), 16383);
    GIVE(p, 3DSTATE_PS_EXTRA, 2, F(3DSTATE_PS_EXTRA, PixelShaderValid), 1, F(3DSTATE_PS_EXTRA, AttributeEnable), 1);
    GIVE(p, 3DSTATE_PS_BLEND, 2, F(3DSTATE_PS_BLEND, HasWriteableRT), 1);
    GIVE(p, 3DSTATE_BLEND_STATE_POINTERS, 2, F(3DSTATE_BLEND_STATE_POINTERS, BlendStatePointer), ENGINE_BLEND >> 6);
    GIVE(p, 3DSTATE_CC_STATE_POINTERS, 2, F(3DSTATE_CC_STATE_POINTERS, ColorCalcStatePointer), ENGINE_CC >> 6);
    GIVE(p, 3DSTATE_VIEWPORT_STATE_POINTERS_CC, 2, F(3DSTATE_VIEWPORT_STATE_POINTERS_CC, CCViewportPointer),
         ENGINE_CCVIEW >> 5);
    GIVE(p, 3DSTATE_VIEWPORT_STATE_POINTERS_SF_CLIP, 2,
         F(3DSTATE_VIEWPORT_STATE_POINTERS_SF_CLIP, SFClipViewportPointer), ENGINE_SFVIEW >> 6);
    GIVE(p, 3DSTATE_BINDING_TABLE_POINTERS_PS, 2, F(3DSTATE_BINDING_TABLE_POINTERS_PS, PointerToPSBindingTable),
         ENGINE_TABLE >> 5);
    *(float *)engine_heap(ENGINE_CCVIEW + 4) = 1;
}

/* start: register of constants and attributes; barycentrics: 3DSTATE_WM's bits. */
static inline void engine_shader(struct pixel_engine *p, const char *kernel, unsigned start, unsigned barycentrics)
{
    engine_kernel(kernel);
    GIVE(p, 3DSTATE_PS, 12, F(3DSTATE_PS, KernelStartPointer0), ENGINE_KERNEL >> 6,
         F(3DSTATE_PS, 16PixelDispatchEnable), 1, F(3DSTATE_PS, DispatchGRFStartRegisterForConstantSetupData0), start,
         F(3DSTATE_PS, VectorMaskEnable), 1);
    GIVE(p, 3DSTATE_WM, 2, F(3DSTATE_WM, BarycentricInterpolationMode), barycentrics, F(3DSTATE_WM, StatisticsEnable),
         1);
}

static inline void engine_start(struct pixel_engine *p, unsigned workers)
{
    char err[128];

    assert_int_equal(cmd_init(err, sizeof(err)), 0);
    assert_int_equal(reg_init(err, sizeof(err)), 0);
    memset(p, 0, sizeof(*p));
    p->workers = workers;
    p->e.pool = soft_pool_create(workers);
    p->e.worker = p->worker;
    p->e.kernels = soft_kernels_create();
    p->e.state = &p->state;
    assert_int_equal(soft_space_init(&p->e.space), 0);
    soft_space_begin(&p->e.space, &fixture_exec);
    for (unsigned i = 0; i < workers; i++) {
        p->worker[i].thread = aligned_alloc(64, (sizeof(struct eu_thread) + 63) & ~(size_t)63);
        memset(p->worker[i].thread, 0, sizeof(struct eu_thread));
        p->worker[i].units = soft_units_create();
        soft_mem_begin(&p->worker[i].mem, &p->e.space);
        soft_units_begin(p->worker[i].units);
    }
    p->e.raster = soft_raster_create(&p->e);
    assert_non_null(p->e.raster);
}

/* A new command: state and memory may have changed. */
static inline void engine_next(struct pixel_engine *p)
{
    soft_space_begin(&p->e.space, &fixture_exec);
    soft_kernels_begin(p->e.kernels);
    for (unsigned i = 0; i < p->workers; i++) {
        soft_mem_begin(&p->worker[i].mem, &p->e.space);
        soft_units_begin(p->worker[i].units);
    }
}

static inline void engine_stop(struct pixel_engine *p)
{
    soft_raster_destroy(p->e.raster);
    for (unsigned i = 0; i < p->workers; i++) {
        soft_units_destroy(p->worker[i].units);
        free(p->worker[i].thread);
    }
    soft_kernels_destroy(p->e.kernels);
    soft_pool_destroy(p->e.pool);
    soft_space_fini(&p->e.space);
}

/* A vertex with one attribute. */
struct engine_vertex {
    uint32_t flags, layer, viewport;
    float width;
    float position[4];
    float attribute[4];
    float more[4];
};

static inline bool engine_draw(struct pixel_engine *p, enum soft_prim_kind kind, const struct engine_vertex *v)
{
    struct soft_prim prim = {.kind = kind, .edges = 7};

    for (unsigned i = 0; i < (kind == SOFT_RECT ? 3 : (unsigned)kind); i++)
        prim.v[i] = (const uint32_t *)&v[i];
    engine_next(p);
    if (!soft_raster_begin(p->e.raster, sizeof(*v) / 4))
        return false;
    soft_raster_add(p->e.raster, &prim);
    soft_raster_flush(p->e.raster);
    return true;
}

/* A rectangle x0, y0 to x1, y1 with an attribute that goes from 0 to 1 across (red) and down (green). */
static inline bool engine_rect(struct pixel_engine *p, float x0, float y0, float x1, float y1, float z)
{
    const struct engine_vertex v[3] = {
        {.position = {x1, y1, z, 1}, .attribute = {1, 1, 0, 1}},
        {.position = {x0, y1, z, 1}, .attribute = {0, 1, 0, 1}},
        {.position = {x0, y0, z, 1}, .attribute = {0, 0, 0, 1}},
    };

    return engine_draw(p, SOFT_RECT, v);
}

#endif
