/*
 * Composition of a picture row from planes. Pixels pass through three small stages: fetch (tiling, rotation), convert
 * (format to ARGB8888) and blend (scaling, keys, alpha). A plain RGB row skips them.
 */
#include <string.h>

#include "vgpu/base/bits.h"
#include "vgpu/surface.h"

#define RGB_MASK 0x00ffffffu
#define OPAQUE   0xff000000u
#define PAIR     2u /* pixels that share the colour of a packed YUV group */

/* The scratch memory of one row: bytes as fetched, and pixels as ARGB8888. One packed YUV pair may stick out. */
struct scratch {
    uint8_t raw[(VGPU_WIDTH_MAX + PAIR) * 8u];
    uint32_t pixels[VGPU_WIDTH_MAX + PAIR];
};
_Static_assert(sizeof(struct scratch) <= VGPU_COMPOSE_SCRATCH, "scratch memory holds a row in all its forms");

struct fetch {
    const struct vgpu_surface *s;
    const uint32_t *palette;
    vgpu_reader rd;
    void *opaque;
    struct scratch *scratch;
    bool unmapped;
};

/* ---- convert */

static uint32_t clamp_byte(int v)
{
    return v < 0 ? 0 : v > 255 ? 255 : (uint32_t)v;
}

/* BT.601, limited range, 8 fractional bits. */
static uint32_t yuv_pixel(int y, int u, int v)
{
    int c = 298 * (y - 16) + 128, d = u - 128, e = v - 128;

    return OPAQUE | clamp_byte((c + 409 * e) >> 8) << 16 | clamp_byte((c - 100 * d - 208 * e) >> 8) << 8 |
           clamp_byte((c + 516 * d) >> 8);
}

/* Byte positions of Y0, Y1, U, V in a group of two pixels. */
static void convert_yuv(const uint8_t *raw, uint32_t n, const uint8_t at[4], uint32_t *out)
{
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *group = raw + i / PAIR * 4;

        out[i] = yuv_pixel(group[at[i % PAIR]], group[at[2]], group[at[3]]);
    }
}

/* IEEE half to 0..255, below 0 and NaN to 0. 1.0 is 0x3c00. */
static uint32_t half_byte(uint32_t h)
{
    uint32_t exponent = h >> 10 & 31, mantissa = (h & 1023) | 1024;

    if (h & 0x8000 || (exponent == 31 && (h & 1023)))
        return 0;
    if (exponent >= 15)
        return 255;
    if (exponent < 5)
        return 0;
    /* value = mantissa * 2^(exponent - 25) */
    unsigned shift = 25 - exponent;

    return (mantissa * 255 + (1u << (shift - 1))) >> shift;
}

static uint32_t swap_rb(uint32_t p)
{
    return (p & 0xff00ff00) | (p & 0xff) << 16 | (p >> 16 & 0xff);
}

static uint32_t rgb565(uint32_t p)
{
    uint32_t r = p >> 11 & 31, g = p >> 5 & 63, b = p & 31;

    return OPAQUE | (r << 3 | r >> 2) << 16 | (g << 2 | g >> 4) << 8 | (b << 3 | b >> 2);
}

static uint32_t rgb30(uint32_t p)
{
    return OPAQUE | gt_field(p, 29, 22) << 16 | gt_field(p, 19, 12) << 8 | gt_field(p, 9, 2);
}

/* XRGB16F has blue in the lowest word, as XRGB8888 has it in the lowest byte. */
static uint32_t rgb16f(const uint8_t *p)
{
    uint16_t c[4];

    memcpy(c, p, sizeof(c));
    return OPAQUE | half_byte(c[2]) << 16 | half_byte(c[1]) << 8 | half_byte(c[0]);
}

static uint32_t load32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static uint32_t convert_one(enum vgpu_format f, const uint8_t *p, const uint32_t *palette)
{
    switch (f) {
    case VGPU_FMT_C8:
        return OPAQUE | palette[*p];
    case VGPU_FMT_NV12: /* its luma; Skylake's planes cannot show more (i915 skl_plane_has_planar) */
        return yuv_pixel(*p, 128, 128);
    case VGPU_FMT_RGB565:
        return rgb565((uint32_t)p[0] | (uint32_t)p[1] << 8);
    case VGPU_FMT_XRGB8888:
        return OPAQUE | load32(p);
    case VGPU_FMT_XBGR8888:
        return OPAQUE | swap_rb(load32(p));
    case VGPU_FMT_ARGB8888:
        return load32(p);
    case VGPU_FMT_ABGR8888:
        return swap_rb(load32(p));
    case VGPU_FMT_XRGB2101010:
        return rgb30(load32(p));
    case VGPU_FMT_XBGR2101010:
        return swap_rb(rgb30(load32(p)));
    case VGPU_FMT_XRGB16F:
        return rgb16f(p);
    case VGPU_FMT_XBGR16F:
        return swap_rb(rgb16f(p));
    default:
        return 0;
    }
}

/* Byte positions as in convert_yuv, or NULL when the format is not packed YUV. */
static const uint8_t *yuv_order(enum vgpu_format f)
{
    static const uint8_t orders[4][4] = {{0, 2, 1, 3}, {1, 3, 0, 2}, {0, 2, 3, 1}, {1, 3, 2, 0}};

    return f >= VGPU_FMT_YUYV && f <= VGPU_FMT_VYUY ? orders[f - VGPU_FMT_YUYV] : NULL;
}

static void convert(const struct fetch *f, const uint8_t *raw, uint32_t n, uint32_t *out)
{
    const uint8_t *order = yuv_order(f->s->format);
    unsigned cpp = vgpu_format_cpp(f->s->format);

    if (order) {
        convert_yuv(raw, n, order, out);
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        out[i] = convert_one(f->s->format, raw + i * cpp, f->palette);
}

/* ---- fetch */

static void read_bytes(struct fetch *f, uint64_t offset, void *dst, size_t n)
{
    if (f->rd(f->opaque, f->s->ggtt + offset, dst, n)) {
        f->unmapped = true;
        memset(dst, 0, n);
    }
}

/* Bytes that lie one after the other in memory, from byte column xb on. */
static uint32_t run_length(enum vgpu_tiling t, uint32_t xb, uint32_t left)
{
    static const uint32_t spans[] = {[VGPU_TILE_X] = 512, [VGPU_TILE_Y] = 16, [VGPU_TILE_YF] = 16};

    return t == VGPU_LINEAR ? left : GT_MIN(left, spans[t] - xb % spans[t]);
}

/* Bytes xb.. of surface row y. */
static void fetch_bytes(struct fetch *f, uint32_t xb, uint32_t y, uint8_t *dst, uint32_t n)
{
    const struct vgpu_surface *s = f->s;

    while (n) {
        uint32_t run = run_length(s->tiling, xb, n);

        read_bytes(f, vgpu_tiled_offset(s->tiling, s->stride_bytes, vgpu_format_cpp(s->format), xb, y), dst, run);
        xb += run;
        dst += run;
        n -= run;
    }
}

/* Pixels x.. of row y of the rotated view, each from its own place. Colour groups of packed YUV run down the view. */
static void fetch_rotated(struct fetch *f, uint32_t x, uint32_t y, uint32_t n, uint32_t *out)
{
    const struct vgpu_surface *s = f->s;
    unsigned cpp = vgpu_format_cpp(s->format);
    uint32_t group = yuv_order(s->format) ? PAIR : 1;

    for (uint32_t i = 0; i < n; i++) {
        uint8_t raw[8];
        uint32_t pixels[PAIR];

        read_bytes(f, vgpu_rotated_offset(s->tiling, s->stride_bytes, cpp, x + i, y - y % group), raw, cpp * group);
        convert(f, raw, group, pixels);
        out[i] = pixels[y % group];
    }
}

/* Pixels x.. (in surface coordinates) of surface row y as ARGB8888. Returns them: in scratch. */
static uint32_t *fetch_pixels(struct fetch *f, uint32_t x, uint32_t y, uint32_t n)
{
    unsigned cpp = vgpu_format_cpp(f->s->format);
    uint32_t lead = yuv_order(f->s->format) ? x % PAIR : 0;
    uint32_t fetched = yuv_order(f->s->format) ? (uint32_t)gt_align_up(lead + n, PAIR) : n;

    if (f->s->rotation & 1) {
        fetch_rotated(f, x, y, n, f->scratch->pixels);
        return f->scratch->pixels;
    }
    fetch_bytes(f, (x - lead) * cpp, y, f->scratch->raw, fetched * cpp);
    convert(f, f->scratch->raw, lead + n, f->scratch->pixels);
    return f->scratch->pixels + lead;
}

/* ---- blend */

static uint32_t div255(uint32_t v)
{
    return (v + 128 + ((v + 128) >> 8)) >> 8;
}

static uint32_t channel(uint32_t p, unsigned shift)
{
    return p >> shift & 0xff;
}

/* One colour channel of a pixel over the one below. */
static uint32_t blend_channel(uint32_t src, uint32_t dst, unsigned shift, uint32_t multiply, uint32_t alpha)
{
    uint32_t s = div255(channel(src, shift) * multiply);

    return GT_MIN(s + div255(channel(dst, shift) * (255 - alpha)), 255u) << shift;
}

static uint32_t blend(const struct vgpu_surface *s, uint32_t src, uint32_t dst)
{
    uint32_t fade = 255u - s->fade;
    uint32_t pixel_alpha = s->alpha ? src >> 24 : 255;
    uint32_t alpha = div255(pixel_alpha * fade);
    uint32_t multiply = s->alpha_straight ? alpha : fade;

    if (alpha == 255)
        return src & RGB_MASK;
    return blend_channel(src, dst, 16, multiply, alpha) | blend_channel(src, dst, 8, multiply, alpha) |
           blend_channel(src, dst, 0, multiply, alpha);
}

static bool in_key_range(const struct vgpu_surface *s, uint32_t p)
{
    for (unsigned shift = 0; shift < 24; shift += 8)
        if (channel(s->key_mask, shift) &&
            (channel(p, shift) < channel(s->key, shift) || channel(p, shift) > channel(s->key_max, shift)))
            return false;
    return true;
}

static bool key_hides(const struct vgpu_surface *s, uint32_t src, uint32_t dst)
{
    if (s->src_keyed && in_key_range(s, src))
        return true;
    return s->keyed && ((dst ^ s->key) & s->key_mask & RGB_MASK);
}

/* The part of a plane that a row of the picture shows. */
struct span {
    uint32_t x0, x1;        /* picture columns, x1 excluded */
    uint32_t width, height; /* of the plane on the picture */
    uint32_t y;             /* row in it, from the top */
};

static bool plane_span(const struct vgpu_surface *s, uint32_t picture_width, uint32_t y, struct span *sp)
{
    sp->width = s->dst_width ? s->dst_width : s->width;
    sp->height = s->dst_height ? s->dst_height : s->height;
    int64_t row = (int64_t)y - s->dst_y;
    int64_t end = GT_MIN((int64_t)s->dst_x + sp->width, (int64_t)picture_width);

    if (row < 0 || row >= sp->height || end <= 0 || s->dst_x >= end)
        return false;
    sp->y = (uint32_t)row;
    sp->x0 = (uint32_t)GT_MAX(s->dst_x, 0);
    sp->x1 = (uint32_t)end;
    return true;
}

/* Column and row of the surface's source rectangle that is shown at column x of the plane; 2 and 3 look at it from the
 * opposite corner (1 and 3 are already turned by the view). */
static uint32_t source_column(const struct vgpu_surface *s, const struct span *sp, uint32_t x)
{
    uint32_t column = sp->width == s->width ? x : x * s->width / sp->width; /* at most 8191 * 8192 */

    return s->rotation >= 2 ? s->width - 1 - column : column;
}

static uint32_t source_row(const struct vgpu_surface *s, const struct span *sp)
{
    uint32_t row = sp->y * s->height / sp->height;

    return s->rotation >= 2 ? s->height - 1 - row : row;
}

static bool is_plain(const struct vgpu_surface *s, const struct span *sp)
{
    return (s->format == VGPU_FMT_XRGB8888 || s->format == VGPU_FMT_ARGB8888) && !s->alpha && !s->fade && !s->keyed &&
           !s->src_keyed && !s->rotation && sp->width == s->width && sp->height == s->height;
}

static void plain_row(struct fetch *f, const struct span *sp, uint32_t *row)
{
    uint32_t column = (uint32_t)((int64_t)sp->x0 - f->s->dst_x);

    fetch_bytes(f, (f->s->src_x + column) * 4, f->s->src_y + sp->y, (uint8_t *)(row + sp->x0), (sp->x1 - sp->x0) * 4);
    for (uint32_t x = sp->x0; x < sp->x1; x++)
        row[x] &= RGB_MASK;
}

static void blended_row(struct fetch *f, const struct span *sp, uint32_t *row)
{
    const struct vgpu_surface *s = f->s;
    uint32_t first = source_column(s, sp, (uint32_t)((int64_t)sp->x0 - s->dst_x));
    uint32_t last = source_column(s, sp, (uint32_t)((int64_t)sp->x1 - 1 - s->dst_x));
    uint32_t low = GT_MIN(first, last), high = GT_MAX(first, last);
    const uint32_t *pixels = fetch_pixels(f, s->src_x + low, s->src_y + source_row(s, sp), high - low + 1);

    for (uint32_t x = sp->x0; x < sp->x1; x++) {
        uint32_t p = pixels[source_column(s, sp, (uint32_t)((int64_t)x - s->dst_x)) - low];

        if (!key_hides(s, p, row[x]))
            row[x] = blend(s, p, row[x]);
    }
}

unsigned vgpu_compose_row(const struct vgpu_scanout *s, uint32_t y, vgpu_reader rd, void *opaque, uint32_t *row,
                          void *scratch)
{
    uint32_t width = GT_MIN(s->width, VGPU_WIDTH_MAX);
    unsigned unmapped = 0;

    for (uint32_t x = 0; x < width; x++)
        row[x] = s->bottom_color & RGB_MASK;
    for (unsigned i = 0; i < s->nplanes && i < VGPU_SCANOUT_PLANES; i++) {
        struct fetch f = {.s = &s->plane[i], .palette = s->palette, .rd = rd, .opaque = opaque, .scratch = scratch};
        struct span sp;

        if (!vgpu_surface_valid(f.s) || !plane_span(f.s, width, y, &sp))
            continue;
        if (is_plain(f.s, &sp))
            plain_row(&f, &sp, row);
        else
            blended_row(&f, &sp, row);
        unmapped += f.unmapped;
    }
    return unmapped;
}
