#include "display/format.h"

#include <drm_fourcc.h>

#include "vgpu/base/bits.h"

static const uint32_t fourccs[] = {
    [VGPU_FMT_RGB565] = DRM_FORMAT_RGB565,           [VGPU_FMT_XRGB8888] = DRM_FORMAT_XRGB8888,
    [VGPU_FMT_XBGR8888] = DRM_FORMAT_XBGR8888,       [VGPU_FMT_ARGB8888] = DRM_FORMAT_ARGB8888,
    [VGPU_FMT_ABGR8888] = DRM_FORMAT_ABGR8888,       [VGPU_FMT_XRGB2101010] = DRM_FORMAT_XRGB2101010,
    [VGPU_FMT_XBGR2101010] = DRM_FORMAT_XBGR2101010, [VGPU_FMT_XRGB16F] = DRM_FORMAT_XRGB16161616F,
    [VGPU_FMT_XBGR16F] = DRM_FORMAT_XBGR16161616F,
};

static const uint64_t modifiers[] = {
    [VGPU_LINEAR] = DRM_FORMAT_MOD_LINEAR,
    [VGPU_TILE_X] = I915_FORMAT_MOD_X_TILED,
    [VGPU_TILE_Y] = I915_FORMAT_MOD_Y_TILED,
    [VGPU_TILE_YF] = I915_FORMAT_MOD_Yf_TILED,
};

uint32_t display_fourcc(enum vgpu_format f)
{
    return (unsigned)f < GT_ARRAY_SIZE(fourccs) ? fourccs[f] : 0;
}

uint64_t display_modifier(enum vgpu_tiling t)
{
    return (unsigned)t < GT_ARRAY_SIZE(modifiers) ? modifiers[t] : DRM_FORMAT_MOD_INVALID;
}

bool display_from_fourcc(uint32_t fourcc, enum vgpu_format *f)
{
    for (unsigned i = 0; fourcc && i < GT_ARRAY_SIZE(fourccs); i++)
        if (fourccs[i] == fourcc) {
            *f = (enum vgpu_format)i;
            return true;
        }
    return false;
}

bool display_from_modifier(uint64_t modifier, enum vgpu_tiling *t)
{
    for (unsigned i = 0; i < GT_ARRAY_SIZE(modifiers); i++)
        if (modifiers[i] == modifier) {
            *t = (enum vgpu_tiling)i;
            return true;
        }
    return false;
}
