/* Frames as a viewer gets them, and what a sink tells of them, for the tests of sinks. */
#ifndef GTMUX_TESTS_SINK_FIXTURE_H
#define GTMUX_TESTS_SINK_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "display/format.h"
#include "display/sink.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

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

/* A sink at work, and what it has told. */
struct sink_test {
    struct sink *sink;
    uint64_t ahead; /* ns, how far the sink's clock is ahead */
    uint32_t shown, width, height;
    unsigned refreshes, nevents;
    struct input_event event[32]; /* the last ones: event n is at n % 32 */
};

static inline void sink_on_shown(void *ctx, uint32_t serial)
{
    ((struct sink_test *)ctx)->shown = serial;
}

static inline void sink_on_refresh(void *ctx)
{
    ((struct sink_test *)ctx)->refreshes++;
}

static inline bool sink_on_resize(void *ctx, uint32_t width, uint32_t height)
{
    struct sink_test *t = ctx;

    t->width = width;
    t->height = height;
    return true;
}

static inline void sink_on_input(void *ctx, const struct input_event *e)
{
    struct sink_test *t = ctx;

    t->event[t->nevents++ % GT_ARRAY_SIZE(t->event)] = *e;
}

/* Their ctx is a struct sink_test. */
static const struct sink_events sink_test_events = {sink_on_shown, sink_on_refresh, sink_on_resize, sink_on_input};

/* Serves the sink once, after at most so long. */
static inline void sink_serve(struct sink_test *t, unsigned ms)
{
    struct pollfd p = {.fd = t->sink->ops->fd(t->sink), .events = POLLIN};

    poll(&p, 1, (int)ms);
    assert_int_equal(t->sink->ops->dispatch(t->sink), 0);
    t->sink->ops->tick(t->sink, gt_clock_ns() + t->ahead);
}

/* All of a frame; NULL: darkness. */
static inline void sink_flip(struct sink_test *t, struct viewer_frame *f, uint32_t serial)
{
    const struct viewer_flip m = {
        .frame = f, .width = f ? f->width : 0, .height = f ? f->height : 0, .mhz = f ? 60000 : 0, .serial = serial};

    t->sink->ops->flip(t->sink, &m, gt_clock_ns() + t->ahead);
}

/* gtmux-dm takes a frame back. */
static inline void sink_gone(struct sink_test *t, struct viewer_frame *f)
{
    t->sink->ops->gone(t->sink, f);
    if (f->map)
        munmap((void *)(uintptr_t)f->map, f->bytes);
    close(f->fd);
}

static inline void sink_wait_shown(struct sink_test *t, uint32_t serial, uint64_t patience_ns)
{
    const uint64_t end = gt_clock_ns() + patience_ns;

    while (t->shown != serial) {
        sink_serve(t, 5);
        assert_true(gt_clock_ns() < end);
    }
}

static inline void sink_close(struct sink_test *t)
{
    t->sink->ops->close(t->sink);
    t->sink = NULL;
}

#endif
