/* Frames as a viewer gets them, for the tests of sinks. */
#ifndef GTMUX_TESTS_SINK_FIXTURE_H
#define GTMUX_TESTS_SINK_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>

#include "display/format.h"
#include "display/viewer.h"
#include "vgpu/base/bits.h"

static inline struct viewer_frame make_frame(uint32_t id, uint32_t width, uint32_t height, enum vgpu_format format,
                                             enum vgpu_tiling tiling)
{
    uint32_t w, h, cpp = vgpu_format_cpp(format);

    vgpu_tile_shape(tiling, cpp, &w, &h);
    struct viewer_frame f = {.id = id,
                             .fd = memfd_create("frame", MFD_CLOEXEC),
                             .shared = true,
                             .format = format,
                             .tiling = tiling,
                             .fourcc = display_fourcc(format),
                             .modifier = display_modifier(tiling),
                             .width = width,
                             .height = height,
                             .stride = (uint32_t)gt_align_up((uint64_t)width * cpp, w)};

    f.bytes = gt_align_up((uint64_t)f.stride * gt_align_up(height, h), 4096);
    assert_int_equal(ftruncate(f.fd, (off_t)f.bytes), 0);
    return f;
}

static inline uint32_t pattern(uint32_t x, uint32_t y, uint32_t seed)
{
    return (x * 2654435761u ^ y * 40503u << 4 ^ seed * 97003u) & 0xffffff;
}

static inline void put(const struct viewer_frame *f, uint32_t x, uint32_t y, uint32_t v)
{
    uint32_t cpp = vgpu_format_cpp(f->format);

    assert_int_equal(pwrite(f->fd, &v, cpp, (off_t)vgpu_tiled_offset(f->tiling, f->stride, cpp, x * cpp, y)), cpp);
}

static inline void paint(const struct viewer_frame *f, uint32_t seed)
{
    for (uint32_t y = 0; y < f->height; y++)
        for (uint32_t x = 0; x < f->width; x++)
            put(f, x, y, pattern(x, y, seed));
}

#endif
