/* Frames as PNG files: DIR/frame-000001.png, ... */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libdrm/drm_fourcc.h>

#include "display/png.h"
#include "mediator/shim/shim.h"
#include "vgpu/base/log.h"
#include "vgpu/surface.h"

static bool tiling_of(uint64_t modifier, enum vgpu_tiling *t)
{
    switch (modifier) {
    case DRM_FORMAT_MOD_LINEAR:
        *t = VGPU_LINEAR;
        return true;
    case I915_FORMAT_MOD_X_TILED:
        *t = VGPU_TILE_X;
        return true;
    case I915_FORMAT_MOD_Y_TILED:
    case I915_FORMAT_MOD_Y_TILED_CCS: /* memory is never compressed here */
        *t = VGPU_TILE_Y;
        return true;
    default:
        return false;
    }
}

static uint32_t xrgb(uint32_t format, uint32_t pixel)
{
    uint32_t r = pixel >> 11 & 31, g = pixel >> 5 & 63, b = pixel & 31;

    switch (format) {
    case DRM_FORMAT_XBGR8888:
    case DRM_FORMAT_ABGR8888:
        return (pixel & 0xff) << 16 | (pixel & 0xff00) | (pixel >> 16 & 0xff);
    case DRM_FORMAT_RGB565:
        return (r << 3 | r >> 2) << 16 | (g << 2 | g >> 4) << 8 | (b << 3 | b >> 2);
    default:
        return pixel & 0xffffff;
    }
}

static void read_pixels(const struct shim_fb *fb, enum vgpu_tiling t, uint32_t *out)
{
    const struct gpu_memory *m = &fb->bo->memory;
    unsigned cpp = fb->format == DRM_FORMAT_RGB565 ? 2 : 4;

    for (uint32_t y = 0; y < fb->height; y++) {
        for (uint32_t x = 0; x < fb->width; x++) {
            uint64_t at = fb->offset + vgpu_tiled_offset(t, fb->pitch, cpp, x * cpp, y);
            uint32_t pixel = 0;

            if (at + cpp <= m->size)
                memcpy(&pixel, m->host + at, cpp);
            *out++ = xrgb(fb->format, pixel);
        }
    }
}

void shim_frame_write(const struct shim_fb *fb)
{
    static unsigned number; /* under the lock */
    uint32_t *pixels = malloc((size_t)fb->width * fb->height * sizeof(*pixels));
    char path[PATH_MAX], err[200] = "out of memory";
    enum vgpu_tiling t;

    if (!tiling_of(fb->modifier, &t)) {
        gt_warn("a frame with modifier 0x%llx cannot be written", (unsigned long long)fb->modifier);
        free(pixels);
        return;
    }
    snprintf(path, sizeof(path), "%s/frame-%06u.png", shim.png_dir, ++number);
    if (pixels)
        read_pixels(fb, t, pixels);
    if (!pixels || png_write_file(path, pixels, fb->width, fb->height, err, sizeof(err)))
        gt_warn("%s: %s", path, err);
    free(pixels);
}
