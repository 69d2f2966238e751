#include "display/pixels.h"

#include <string.h>

#include <drm_fourcc.h>

#include "display/detile.h"

uint32_t pixels_opaque(uint32_t fourcc)
{
    switch (fourcc) {
    case DRM_FORMAT_ARGB8888:
        return DRM_FORMAT_XRGB8888;
    case DRM_FORMAT_ABGR8888:
        return DRM_FORMAT_XBGR8888;
    default:
        return fourcc;
    }
}

static int flat_read(void *map, uint64_t at, void *dst, size_t n)
{
    memcpy(dst, (const uint8_t *)map + at, n);
    return 0;
}

/* As the display engine converts: one plane, composed row by row. */
static void convert(const struct viewer_frame *f, const struct damage_box *box, uint8_t *dst, size_t stride)
{
    static _Thread_local uint64_t scratch[VGPU_COMPOSE_SCRATCH / sizeof(uint64_t)];
    struct vgpu_scanout s = {.width = box->x_end - box->x, .height = box->y_end - box->y, .nplanes = 1};

    s.plane[0] = (struct vgpu_surface){
        .format = f->format,
        .tiling = f->tiling,
        .stride_bytes = f->stride,
        .width = s.width,
        .height = s.height,
        .src_x = box->x,
        .src_y = box->y,
    };
    for (uint32_t y = 0; y < s.height; y++)
        vgpu_compose_row(&s, y, flat_read, (void *)(uintptr_t)f->map, (uint32_t *)(void *)(dst + y * stride), scratch);
}

uint64_t pixels_copy(const struct viewer_frame *f, const struct damage_box *box, bool xrgb, uint8_t *dst, size_t stride)
{
    const unsigned cpp = vgpu_format_cpp(f->format);
    const uint32_t width = box->x_end - box->x, rows = box->y_end - box->y;
    const struct detile_rect r = {box->x * cpp, box->y, width * cpp, rows};

    if (xrgb && pixels_opaque(f->fourcc) != DRM_FORMAT_XRGB8888) {
        convert(f, box, dst, stride);
        return (uint64_t)width * rows * sizeof(uint32_t);
    }
    detile_copy_flat(f->tiling, cpp, f->stride, f->map, &r, dst, stride);
    return (uint64_t)r.width * rows;
}

struct damage_frame pixels_damage_frame(const struct viewer_frame *f)
{
    return (struct damage_frame){
        .map = f->map,
        .tiling = f->tiling,
        .cpp = vgpu_format_cpp(f->format),
        .stride = f->stride,
        .width = f->width,
        .height = f->height,
    };
}
