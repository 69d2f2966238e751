/*
 * Surfaces: formats, tilings and the arithmetic of pixel addresses. Nothing here reads memory.
 */
#include "vgpu/surface.h"

#include "vgpu/base/bits.h"

#define TILE_BYTES   4096u
#define GGTT_BYTES   (UINT64_C(1) << 32)
#define STRIDE_MAX   (256u << 10)
#define POSITION_MAX 0x7fff
#define LINEAR_UNIT  64u

static const struct {
    const char *name;
    uint8_t cpp;
} formats[] = {
    [VGPU_FMT_NONE] = {"none", 0},
    [VGPU_FMT_C8] = {"C8", 1},
    [VGPU_FMT_RGB565] = {"RGB565", 2},
    [VGPU_FMT_XRGB8888] = {"XRGB8888", 4},
    [VGPU_FMT_XBGR8888] = {"XBGR8888", 4},
    [VGPU_FMT_ARGB8888] = {"ARGB8888", 4},
    [VGPU_FMT_ABGR8888] = {"ABGR8888", 4},
    [VGPU_FMT_XRGB2101010] = {"XRGB2101010", 4},
    [VGPU_FMT_XBGR2101010] = {"XBGR2101010", 4},
    [VGPU_FMT_XRGB16F] = {"XRGB16161616F", 8},
    [VGPU_FMT_XBGR16F] = {"XBGR16161616F", 8},
    [VGPU_FMT_YUYV] = {"YUYV", 2},
    [VGPU_FMT_UYVY] = {"UYVY", 2},
    [VGPU_FMT_YVYU] = {"YVYU", 2},
    [VGPU_FMT_VYUY] = {"VYUY", 2},
    [VGPU_FMT_NV12] = {"NV12", 1},
};

unsigned vgpu_format_cpp(enum vgpu_format f)
{
    return (unsigned)f < GT_ARRAY_SIZE(formats) ? formats[f].cpp : 0;
}

const char *vgpu_format_name(enum vgpu_format f)
{
    return (unsigned)f < GT_ARRAY_SIZE(formats) ? formats[f].name : "?";
}

const char *vgpu_tiling_name(enum vgpu_tiling t)
{
    static const char *const names[] = {"linear", "X", "Y", "Yf"};

    return (unsigned)t < GT_ARRAY_SIZE(names) ? names[t] : "?";
}

/* i915 intel_fb.c intel_tile_width_bytes */
void vgpu_tile_shape(enum vgpu_tiling t, unsigned cpp, uint32_t *width_bytes, uint32_t *height)
{
    switch (t) {
    case VGPU_TILE_X:
        *width_bytes = 512;
        break;
    case VGPU_TILE_Y:
        *width_bytes = 128;
        break;
    case VGPU_TILE_YF:
        *width_bytes = cpp <= 1 ? 64 : cpp <= 4 ? 128 : 256;
        break;
    default:
        *width_bytes = LINEAR_UNIT;
        *height = 1;
        return;
    }
    *height = TILE_BYTES / *width_bytes;
}

static uint32_t bit_to(uint32_t v, unsigned from, unsigned to)
{
    return (v >> from & 1) << to;
}

/* Byte x, row y inside one Yf tile (drm_fourcc.h I915_FORMAT_MOD_Yf_TILED): 16 byte x 4 row blocks; four of them, a
 * square or 2:1 unit of pixels, make 256 bytes; above, two levels of 2x2, columns first. */
static uint32_t yf_offset(uint32_t width_bytes, uint32_t x, uint32_t y)
{
    uint32_t off = (x & 15) | (y & 3) << 4;
    unsigned xs = 4, ys = 2; /* next bits of x and y */

    if (width_bytes == 64) {
        off |= bit_to(y, ys, 6) | bit_to(y, ys + 1, 7);
        ys += 2;
    } else if (width_bytes == 128) {
        off |= bit_to(y, ys, 6) | bit_to(x, xs, 7);
        ys++;
        xs++;
    } else {
        off |= bit_to(x, xs, 6) | bit_to(x, xs + 1, 7);
        xs += 2;
    }
    return off | bit_to(y, ys, 8) | bit_to(x, xs, 9) | bit_to(y, ys + 1, 10) | bit_to(x, xs + 1, 11);
}

/* Byte x, row y inside one tile. */
static uint32_t in_tile(enum vgpu_tiling t, uint32_t width_bytes, uint32_t x, uint32_t y)
{
    switch (t) {
    case VGPU_TILE_X:
        return y * 512 + x;
    case VGPU_TILE_Y: /* columns of 16 bytes x 32 rows */
        return (x & ~15u) * 32 + y * 16 + (x & 15);
    default:
        return yf_offset(width_bytes, x, y);
    }
}

uint64_t vgpu_tiled_offset(enum vgpu_tiling t, uint32_t stride_bytes, unsigned cpp, uint32_t xb, uint32_t y)
{
    uint32_t w, h;

    if (t == VGPU_LINEAR)
        return (uint64_t)y * stride_bytes + xb;
    vgpu_tile_shape(t, cpp, &w, &h);
    /* Both are powers of two; this runs for every 16 bytes of a Y tiled row. */
    unsigned w_log2 = (unsigned)__builtin_ctz(w), h_log2 = (unsigned)__builtin_ctz(h);
    uint64_t tile = (uint64_t)(y >> h_log2) * (stride_bytes >> w_log2) + (xb >> w_log2);

    return tile * TILE_BYTES + in_tile(t, w, xb & (w - 1), y & (h - 1));
}

uint64_t vgpu_rotated_offset(enum vgpu_tiling t, uint32_t stride_bytes, unsigned cpp, uint32_t x, uint32_t y)
{
    uint32_t w, h;

    vgpu_tile_shape(t, cpp, &w, &h);
    uint32_t w_pixels = w / cpp;
    uint64_t tile = (uint64_t)(y / w_pixels) * (stride_bytes / w) + x / h;

    return tile * TILE_BYTES + in_tile(t, w, y % w_pixels * cpp, h - 1 - x % h);
}

/* Bytes from the first byte of the surface to the end of its last row of tiles (or of pixels). */
static uint64_t extent(const struct vgpu_surface *s, uint32_t tile_w, uint32_t tile_h, unsigned cpp)
{
    uint64_t rows = (uint64_t)s->src_y + s->height;
    uint32_t row_unit = (s->rotation & 1) ? tile_w / cpp : tile_h;

    if (s->tiling == VGPU_LINEAR)
        return rows * s->stride_bytes;
    return gt_align_up(rows, row_unit) / row_unit * (s->stride_bytes / tile_w) * TILE_BYTES;
}

bool vgpu_surface_valid(const struct vgpu_surface *s)
{
    unsigned cpp = vgpu_format_cpp(s->format);
    uint32_t tile_w, tile_h;

    if (!cpp || (unsigned)s->tiling > VGPU_TILE_YF || s->rotation > 3)
        return false;
    if (!s->width || !s->height || s->width > VGPU_WIDTH_MAX || s->height > VGPU_WIDTH_MAX ||
        s->src_x >= VGPU_WIDTH_MAX || s->src_y >= VGPU_WIDTH_MAX)
        return false;
    if (s->dst_x > POSITION_MAX || s->dst_x < -POSITION_MAX || s->dst_y > POSITION_MAX || s->dst_y < -POSITION_MAX ||
        s->dst_width > VGPU_WIDTH_MAX || s->dst_height > VGPU_WIDTH_MAX || !s->dst_width != !s->dst_height)
        return false;
    if ((s->rotation & 1) && s->tiling != VGPU_TILE_Y && s->tiling != VGPU_TILE_YF)
        return false;
    vgpu_tile_shape(s->tiling, cpp, &tile_w, &tile_h);
    if (!s->stride_bytes || s->stride_bytes > STRIDE_MAX || s->stride_bytes % tile_w)
        return false;
    uint64_t columns = (uint64_t)s->src_x + s->width;
    uint64_t fits = (s->rotation & 1) ? (uint64_t)(s->stride_bytes / tile_w) * tile_h : s->stride_bytes / cpp;

    return columns <= fits && s->ggtt < GGTT_BYTES && extent(s, tile_w, tile_h, cpp) <= GGTT_BYTES - s->ggtt;
}
