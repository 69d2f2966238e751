/*
 * The blitter's pixels against copies made by the CPU: XY_SRC_COPY_BLT between linear and X-tiled surfaces, with
 * sub-rectangles, and in chains as IGT's gem_blt makes them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gt.h"

#define WIDTH  256u
#define HEIGHT 128u
#define PITCH  (WIDTH * 4)

struct rect {
    uint32_t sx, sy, dx, dy, w, h;
};

/* Byte offset of pixel (x, y): X tiles are 512 bytes by 8 rows (PRM SKL Vol 5, Memory Views). */
static uint32_t pixel(bool tiled, uint32_t x, uint32_t y)
{
    uint32_t xb = x * 4;

    if (!tiled)
        return y * PITCH + xb;
    return (y / 8) * PITCH * 8 + (xb / 512) * 4096 + (y % 8) * 512 + xb % 512;
}

static uint32_t *emit_copy(uint32_t *p, const struct gt_bo *dst, bool dst_tiled, const struct gt_bo *src,
                           bool src_tiled, const struct rect *r)
{
    *p++ = XY_SRC_COPY_BLT_32 | (dst_tiled ? BLT_DST_TILED : 0) | (src_tiled ? BLT_SRC_TILED : 0);
    /* The pitch of a tiled surface is in dwords. */
    *p++ = 3u << 24 | 0xccu << 16 | (dst_tiled ? PITCH / 4 : PITCH);
    *p++ = r->dy << 16 | r->dx;
    *p++ = (r->dy + r->h) << 16 | (r->dx + r->w);
    *p++ = (uint32_t)dst->addr;
    *p++ = (uint32_t)(dst->addr >> 32);
    *p++ = r->sy << 16 | r->sx;
    *p++ = src_tiled ? PITCH / 4 : PITCH;
    *p++ = (uint32_t)src->addr;
    *p++ = (uint32_t)(src->addr >> 32);
    return p;
}

static void cpu_copy(uint32_t *dst, bool dst_tiled, const uint32_t *src, bool src_tiled, const struct rect *r)
{
    for (uint32_t y = 0; y < r->h; y++) {
        for (uint32_t x = 0; x < r->w; x++)
            dst[pixel(dst_tiled, r->dx + x, r->dy + y) / 4] = src[pixel(src_tiled, r->sx + x, r->sy + y) / 4];
    }
}

static void copy_case(bool dst_tiled, bool src_tiled)
{
    struct gt_bo src = gt_bo_new(PITCH * HEIGHT), dst = gt_bo_new(PITCH * HEIGHT), batch = gt_bo_new(16384);
    const struct gt_bo *used[] = {&src, &dst};
    uint32_t *want = calloc(1, src.size);
    uint32_t *p = batch.cpu;
    unsigned bad = 0;
    char name[48];

    srandom(1);
    for (uint32_t i = 0; i < src.size / 4; i++)
        src.cpu[i] = (uint32_t)random();
    for (unsigned i = 0; i < 50; i++) {
        struct rect r = {.w = 1 + random() % (WIDTH / 2), .h = 1 + random() % (HEIGHT / 2)};
        r.sx = random() % (WIDTH - r.w);
        r.dx = random() % (WIDTH - r.w);
        r.sy = random() % (HEIGHT - r.h);
        r.dy = random() % (HEIGHT - r.h);
        p = emit_copy(p, &dst, dst_tiled, &src, src_tiled, &r);
        cpu_copy(want, dst_tiled, src.cpu, src_tiled, &r);
    }
    *p++ = MI_BATCH_BUFFER_END;
    int rc = gt_exec(GT_BCS, 0, &batch, 0, used, 2);
    int waited = gt_wait(&batch, 10);
    for (uint32_t i = 0; i < dst.size / 4; i++)
        bad += dst.cpu[i] != want[i];
    snprintf(name, sizeof(name), "copy-%s-to-%s", src_tiled ? "x" : "linear", dst_tiled ? "x" : "linear");
    gt_check(!rc && !waited && !bad, name, "exec %d wait %d, %u of %u pixels differ", rc, waited, bad,
             (unsigned)(dst.size / 4));
    free(want);
}

/* gem_blt's pattern: a whole object copied back and forth many times in one batch. */
static void chain(void)
{
    struct gt_bo a = gt_bo_new(PITCH * HEIGHT), b = gt_bo_new(PITCH * HEIGHT), batch = gt_bo_new(65536);
    const struct gt_bo *used[] = {&a, &b};
    const struct rect all = {.w = WIDTH, .h = HEIGHT};
    uint32_t *p = batch.cpu;
    unsigned bad = 0;

    for (uint32_t i = 0; i < a.size / 4; i++)
        a.cpu[i] = i * 2654435761u;
    for (unsigned i = 0; i < 101; i++)
        p = i % 2 ? emit_copy(p, &a, false, &b, false, &all) : emit_copy(p, &b, false, &a, false, &all);
    *p++ = MI_BATCH_BUFFER_END;
    double start = gt_now();
    int rc = gt_exec(GT_BCS, 0, &batch, 0, used, 2);
    int waited = gt_wait(&batch, 20);
    double seconds = gt_now() - start;
    for (uint32_t i = 0; i < b.size / 4; i++)
        bad += b.cpu[i] != i * 2654435761u;
    gt_check(!rc && !waited && !bad, "chain", "101 copies of %u KiB, %.0f MB/s, %u pixels differ",
             (unsigned)(b.size / 1024), 101.0 * (double)b.size / seconds / 1e6, bad);
}

int main(void)
{
    gt_open();
    for (unsigned i = 0; i < 4; i++)
        copy_case(i & 1, i & 2);
    chain();
    return gt_done();
}
