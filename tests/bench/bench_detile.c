/*
 * Detiling a whole picture, next to memcpy of the same bytes in the same run. The runs of both take turns, and the best
 * of each counts: other work on the machine slows both alike.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "display/detile.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

#define CPP    4u
#define ROUNDS 40u
#define LIMIT  1.05

struct picture {
    uint32_t width, height, stride;
    size_t bytes; /* shown */
    uint8_t *src, *dst;
};

static double once(const struct picture *p, enum vgpu_tiling t)
{
    const struct detile_rect r = {0, 0, p->stride, p->height};
    uint64_t start = gt_clock_ns();

    if (t == VGPU_LINEAR)
        memcpy(p->dst, p->src, p->bytes);
    else
        detile_copy_flat(t, CPP, p->stride, p->src, &r, p->dst, p->stride);
    __asm__ volatile("" : : "r"(p->dst) : "memory");
    return (double)(gt_clock_ns() - start);
}

static void report(const struct picture *p)
{
    double best[4] = {1e18, 1e18, 1e18, 1e18};

    for (unsigned i = 0; i < ROUNDS; i++)
        for (unsigned t = VGPU_LINEAR; t <= VGPU_TILE_YF; t++) {
            double ns = once(p, (enum vgpu_tiling)t);

            best[t] = GT_MIN(best[t], ns);
        }
    printf("%ux%u memcpy %20.3f ms  %6.2f GB/s\n", p->width, p->height, best[0] / 1e6, (double)p->bytes / best[0]);
    for (unsigned t = VGPU_TILE_X; t <= VGPU_TILE_YF; t++)
        printf("%ux%u detile %-2s %17.3f ms  %6.2f GB/s  %5.2f of memcpy's time%s\n", p->width, p->height,
               vgpu_tiling_name((enum vgpu_tiling)t), best[t] / 1e6, (double)p->bytes / best[t], best[t] / best[0],
               best[t] / best[0] > LIMIT ? "  (goal: 1.05)" : "");
}

int main(void)
{
    static const uint32_t sizes[][2] = {{1920, 1080}, {3840, 2160}};

    for (unsigned i = 0; i < GT_ARRAY_SIZE(sizes); i++) {
        struct picture p = {.width = sizes[i][0], .height = sizes[i][1]};

        p.stride = (uint32_t)gt_align_up((uint64_t)p.width * CPP, 512);
        p.bytes = (size_t)p.stride * p.height;
        size_t room = (size_t)gt_align_up((uint64_t)p.stride * gt_align_up(p.height, 32), DISPLAY_PAGE);

        p.src = aligned_alloc(DISPLAY_PAGE, room);
        p.dst = aligned_alloc(DISPLAY_PAGE, room);
        if (!p.src || !p.dst)
            return 1;
        memset(p.src, 0x5a, room);
        memset(p.dst, 0, room);
        report(&p);
        free(p.src);
        free(p.dst);
    }
    return 0;
}
