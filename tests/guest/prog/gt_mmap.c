/* A GTT mmap of a tiled object shows it linear: reads and writes through the aperture meet the right pixels. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gt.h"

#define STRIDE 1024u
#define HEIGHT 64u

/* PRM SKL Vol 5: X tiles 512 bytes by 8 rows; Y tiles 128 bytes by 32 rows in 16-byte columns. */
static uint32_t offset_of(uint32_t tiling, uint32_t xb, uint32_t y)
{
    switch (tiling) {
    case I915_TILING_X:
        return (y / 8) * STRIDE * 8 + (xb / 512) * 4096 + (y % 8) * 512 + xb % 512;
    case I915_TILING_Y:
        return (y / 32) * STRIDE * 32 + (xb / 128) * 4096 + (xb % 128) / 16 * 512 + (y % 32) * 16 + xb % 16;
    default:
        return y * STRIDE + xb;
    }
}

static void tiling_case(uint32_t tiling, const char *name)
{
    struct gt_bo bo = gt_bo_new(STRIDE * HEIGHT);
    struct drm_i915_gem_set_tiling set = {.handle = bo.handle, .tiling_mode = tiling, .stride = STRIDE};
    struct drm_i915_gem_set_domain domain = {
        .handle = bo.handle, .read_domains = I915_GEM_DOMAIN_GTT, .write_domain = I915_GEM_DOMAIN_GTT};
    unsigned bad_reads = 0, bad_writes = 0;

    int rc = tiling ? gt_ioctl(DRM_IOCTL_I915_GEM_SET_TILING, &set) : 0;
    volatile uint32_t *gtt = gt_bo_map(&bo, I915_MMAP_OFFSET_GTT);
    if (rc || !gtt) {
        gt_check(false, name, "set_tiling %d, GTT mmap %s", rc, gtt ? "ok" : "refused");
        return;
    }
    for (uint32_t i = 0; i < bo.size / 4; i++)
        bo.cpu[i] = 0xa0000000u + i;
    rc = gt_ioctl(DRM_IOCTL_I915_GEM_SET_DOMAIN, &domain);
    double start = gt_now();
    /* Every 7th pixel keeps a slow trapped aperture affordable and still meets every row and column of a tile. */
    for (uint32_t i = 0; i < bo.size / 4; i += 7) {
        uint32_t xb = i * 4 % STRIDE, y = i * 4 / STRIDE;
        bad_reads += gtt[i] != 0xa0000000u + offset_of(tiling, xb, y) / 4;
        gtt[i] = 0xb0000000u + i;
    }
    double each = (gt_now() - start) / (double)(bo.size / 4 / 7) / 2;
    gt_ioctl(DRM_IOCTL_I915_GEM_SET_DOMAIN, &domain);
    for (uint32_t i = 0; i < bo.size / 4; i += 7)
        bad_writes += bo.cpu[offset_of(tiling, i * 4 % STRIDE, i * 4 / STRIDE) / 4] != 0xb0000000u + i;
    gt_check(!rc && !bad_reads && !bad_writes, name, "%u bad reads, %u bad writes, %.1f us an access", bad_reads,
             bad_writes, each * 1e6);
    gt_bo_free(&bo);
}

int main(void)
{
    gt_open();
    tiling_case(I915_TILING_NONE, "gtt-linear");
    tiling_case(I915_TILING_X, "gtt-x");
    tiling_case(I915_TILING_Y, "gtt-y");
    return gt_done();
}
