/* A guest of a few pages for the tests of frames: a GGTT that is a table, memory that is an array, and "dma-bufs" that
 * are memfds. */
#ifndef GTMUX_TESTS_FRAME_FIXTURE_H
#define GTMUX_TESTS_FRAME_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "display/format.h"
#include "display/frame.h"
#include "vgpu/base/bits.h"

#define FF_PAGES 4096u /* of guest memory; GGTT page n is guest page ff.map[n] */
#define FF_GGTT  8192u

struct ff {
    struct frames fs;
    struct udmabuf u;
    struct display_host host;
    uint8_t *ram;
    uint32_t map[FF_GGTT]; /* UINT32_MAX: a hole */
    int create_error;      /* what the kernel says; 0: yes */
    unsigned inside, creates, gone;
    bool away; /* no entering */
    struct vgpu_scanout scanout[3];
    bool lit[3];
    uint64_t flip_wait[3]; /* what the display asked for last */
    uint32_t told[3];      /* the last flip that the guest was told of */
    unsigned tells[3];
};

static struct ff ff;

static inline bool ff_enter(void *ctx)
{
    struct ff *f = ctx;

    assert_int_equal(f->inside, 0);
    f->inside = !f->away;
    return f->inside;
}

static inline void ff_leave(void *ctx)
{
    struct ff *f = ctx;

    assert_int_equal(f->inside, 1);
    f->inside = 0;
}

static inline void ff_pages(void *ctx, uint64_t ggtt, size_t n, uint64_t *gpa)
{
    struct ff *f = ctx;

    assert_int_equal(f->inside, 1);
    for (size_t i = 0; i < n; i++) {
        uint64_t page = ggtt / DISPLAY_PAGE + i;

        gpa[i] = page < FF_GGTT && f->map[page] != UINT32_MAX ? (uint64_t)f->map[page] * DISPLAY_PAGE : FRAME_NO_PAGE;
    }
}

static inline int ff_runs(void *ctx, const uint64_t *gpa, size_t n, struct display_run *out, size_t max)
{
    struct ff *f = ctx;

    assert_int_equal(f->inside, 1);
    for (size_t i = 0; i < n; i++) {
        if (gpa[i] == FRAME_NO_PAGE)
            return -EFAULT;
        if (i == max)
            return -ENOSPC;
        out[i] = (struct display_run){.fd = 1000, .off = gpa[i], .len = DISPLAY_PAGE};
    }
    return (int)n;
}

static inline const uint8_t *ff_page(void *ctx, uint64_t gpa, uint8_t *room)
{
    struct ff *f = ctx;

    assert_int_equal(f->inside, 1);
    if (gpa / DISPLAY_PAGE >= FF_PAGES)
        return NULL;
    memcpy(room, f->ram + gpa, DISPLAY_PAGE);
    return room;
}

static inline int ff_read(void *ctx, uint64_t ggtt, void *dst, size_t n)
{
    struct ff *f = ctx;
    int ret = 0;

    assert_int_equal(f->inside, 1);
    for (size_t i = 0; i < n; i++) {
        uint64_t page = (ggtt + i) / DISPLAY_PAGE;
        bool there = page < FF_GGTT && f->map[page] != UINT32_MAX;

        ((uint8_t *)dst)[i] = there ? f->ram[(size_t)f->map[page] * DISPLAY_PAGE + (ggtt + i) % DISPLAY_PAGE] : 0;
        ret = there ? ret : -EFAULT;
    }
    return ret;
}

static inline bool ff_scanout(void *ctx, unsigned head, struct vgpu_scanout *out)
{
    struct ff *f = ctx;

    assert_true(head < 3);
    *out = f->scanout[head];
    return f->lit[head];
}

static inline int ff_create(const struct udmabuf *u, const struct display_run *runs, size_t n)
{
    uint64_t size = 0;

    (void)u;
    ff.creates++;
    if (ff.create_error)
        return -ff.create_error;
    for (size_t i = 0; i < n; i++)
        size += runs[i].len;
    int fd = memfd_create("dmabuf", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    return fd;
}

static inline void ff_gone(void *ctx, const struct frame *f)
{
    assert_int_equal(f->refs, 0);
    ((struct ff *)ctx)->gone++;
}

static inline void ff_flip_wait(void *ctx, unsigned head, uint64_t ns)
{
    ((struct ff *)ctx)->flip_wait[head] = ns;
}

static inline void ff_flip_shown(void *ctx, unsigned head, uint32_t flip)
{
    ((struct ff *)ctx)->told[head] = flip;
    ((struct ff *)ctx)->tells[head]++;
}

static inline void ff_prepare(void)
{
    ff = (struct ff){.u = {.fd = 1001, .list_limit = UDMABUF_RUNS_WANTED, .size_limit = 64u << 20}};
    ff.host = (struct display_host){.ctx = &ff,
                                    .scanout = ff_scanout,
                                    .enter = ff_enter,
                                    .leave = ff_leave,
                                    .pages = ff_pages,
                                    .runs = ff_runs,
                                    .page = ff_page,
                                    .read = ff_read,
                                    .flip_wait = ff_flip_wait,
                                    .flip_shown = ff_flip_shown};
    ff.ram = malloc((size_t)FF_PAGES * DISPLAY_PAGE);
    for (size_t i = 0; i < (size_t)FF_PAGES * DISPLAY_PAGE; i++)
        ff.ram[i] = (uint8_t)(i * 2654435761u >> 13);
    for (uint32_t i = 0; i < FF_GGTT; i++)
        ff.map[i] = i * 1021 % FF_PAGES; /* scattered; 1021 is prime to the number of pages */
}

static inline int ff_setup(void **state)
{
    (void)state;
    ff_prepare();
    int ret = frames_init(&ff.fs, &ff.host, &ff.u);

    ff.fs.create = ff_create;
    ff.fs.gone = ff_gone;
    ff.fs.gone_ctx = &ff;
    return ret;
}

static inline int ff_teardown(void **state)
{
    (void)state;
    frames_release(&ff.fs);
    free(ff.ram);
    return 0;
}

/* A primary plane that fills a picture of its size. */
static inline struct vgpu_surface ff_plane(uint64_t ggtt, uint32_t width, uint32_t height, enum vgpu_tiling t)
{
    uint32_t w, h;

    vgpu_tile_shape(t, 4, &w, &h);
    return (struct vgpu_surface){
        .format = VGPU_FMT_XRGB8888,
        .tiling = t,
        .ggtt = ggtt,
        .stride_bytes = (uint32_t)gt_align_up((uint64_t)width * 4, GT_MAX(w, 64u)),
        .width = width,
        .height = height,
    };
}

/* What the guest has at a pixel. */
static inline uint32_t ff_pixel(const struct vgpu_surface *s, uint32_t x, uint32_t y)
{
    uint64_t at = s->ggtt + vgpu_tiled_offset(s->tiling, s->stride_bytes, 4, (s->src_x + x) * 4, s->src_y + y);
    uint32_t page = ff.map[at / DISPLAY_PAGE], v = 0;

    if (page != UINT32_MAX)
        memcpy(&v, ff.ram + (size_t)page * DISPLAY_PAGE + at % DISPLAY_PAGE, sizeof(v));
    return v;
}

static inline void ff_set_pixel(const struct vgpu_surface *s, uint32_t x, uint32_t y, uint32_t v)
{
    uint64_t at = s->ggtt + vgpu_tiled_offset(s->tiling, s->stride_bytes, 4, (s->src_x + x) * 4, s->src_y + y);

    memcpy(ff.ram + (size_t)ff.map[at / DISPLAY_PAGE] * DISPLAY_PAGE + at % DISPLAY_PAGE, &v, sizeof(v));
}

#endif
