/*
 * 2D surfaces of plain formats that are linear, X or Y tiled, one layer or an array: addresses, texels and filter for
 * all channels in a few loops that compilers turn into vector code; bytes (RGBA8 and its kin) are filtered as integers.
 * The body is compiled twice; which copy runs is chosen by what the host has. Neither contracts to fused operations:
 * the results are the same.
 */
#include <string.h>

#include "mediator/soft/half.h"
#include "mediator/soft/sampler_axis.h"
#include "vgpu/base/bits.h"

#define CORNERS_2D  4u
#define ELEMENT_MAX 16u

static bool fits(const struct sampler_job *j)
{
    const struct soft_surface *s = j->s;
    bool tiling = s->tiling == SOFT_LINEAR || s->tiling == SOFT_TILE_X || s->tiling == SOFT_TILE_Y;
    bool power = (s->element_bytes & (s->element_bytes - 1)) == 0 && s->element_bytes <= ELEMENT_MAX;
    uint64_t rows = (uint64_t)(s->first_layer + s->layers) * s->qpitch_rows + s->level[0].y_el + 2 * s->height_px + 64;

    return s->type == SOFT_SURF_2D && tiling && power && !s->info->compression && s->samples == 1 && !j->compare &&
           j->p->reduction < 2 && rows * s->pitch_bytes < UINT32_MAX / 2 && s->address % s->element_bytes == 0 &&
           (s->tiling != SOFT_LINEAR || s->pitch_bytes % s->element_bytes == 0);
}

/* The part of an offset that a column has. */
SAMPLER_INLINE uint32_t x_offset(unsigned tiling, uint32_t xb)
{
    return tiling == SOFT_TILE_Y   ? (xb >> 7 << 12) + ((xb & 0x70) << 5) + (xb & 15)
           : tiling == SOFT_TILE_X ? (xb >> 9 << 12) + (xb & 511)
                                   : xb;
}

/* And a row. */
SAMPLER_INLINE uint32_t y_offset(unsigned tiling, uint32_t y, uint32_t pitch)
{
    return tiling == SOFT_TILE_Y   ? (y >> 5) * (pitch * 32) + ((y & 31) << 4)
           : tiling == SOFT_TILE_X ? (y >> 3) * (pitch * 8) + ((y & 7) << 9)
                                   : y * pitch;
}

struct fast_state {
    struct sampler_axis u, v;
    uint32_t column[2][LANES], row[2][LANES]; /* parts of offsets */
    uint32_t outside[CORNERS_2D];             /* a bit for each lane whose corner is border colour */
    _Alignas(32) uint8_t raw[CORNERS_2D * LANES * ELEMENT_MAX];
    _Alignas(32) uint32_t colour[4][CORNERS_2D * LANES];
};

/* Reads elements; neighbours mostly share the page. Lanes that are not wanted read as zero. */
SAMPLER_INLINE void load(struct sampler_job *j, const uint32_t *offset, uint32_t wanted, unsigned bytes, unsigned lanes,
                         uint8_t *raw)
{
    uint64_t page = UINT64_MAX;
    const uint8_t *p = NULL;

    for (unsigned i = 0; i < lanes; i++, raw += bytes) {
        uint64_t a = j->s->address + offset[i];

        if (!(wanted >> i & 1)) {
            memset(raw, 0, bytes);
            continue;
        }
        if (a / SOFT_PAGE != page) {
            page = a / SOFT_PAGE;
            p = soft_mem_ptr(j->e->mem, a & ~(uint64_t)(SOFT_PAGE - 1), false);
        }
        if (p)
            memcpy(raw, p + a % SOFT_PAGE, bytes);
        else
            soft_mem_read(j->e->mem, a, raw, bytes);
    }
}

SAMPLER_INLINE void load_corner(struct sampler_job *j, struct fast_state *f, unsigned k, unsigned lanes)
{
    uint32_t offset[LANES], wanted = j->mask & ~f->outside[k];
    unsigned bytes = j->s->element_bytes;
    uint8_t *raw = f->raw + (size_t)k * LANES * bytes;

    for (unsigned i = 0; i < lanes; i++)
        offset[i] = f->column[k & 1][i] + f->row[k >> 1][i];
    if (bytes == 4)
        load(j, offset, wanted, 4, lanes, raw);
    else if (bytes == 8)
        load(j, offset, wanted, 8, lanes, raw);
    else if (bytes == 16)
        load(j, offset, wanted, 16, lanes, raw);
    else if (bytes == 2)
        load(j, offset, wanted, 2, lanes, raw);
    else
        load(j, offset, wanted, 1, lanes, raw);
}

SAMPLER_INLINE void find_offsets(const struct sampler_job *j, const uint8_t *level, bool linear, struct fast_state *f,
                                 unsigned tiling, unsigned lanes)
{
    const struct soft_surface *s = j->s;
    int32_t x0[LANES], y0[LANES];
    bool layered = s->array && s->layers > 1;

    for (unsigned i = 0; i < lanes; i++) {
        const struct soft_level *l = &s->level[level[i]];
        uint32_t slice = (layered ? (uint32_t)axis_layer(j->r[i], s->layers) : 0) + s->first_layer;

        x0[i] = (int32_t)l->x_el;
        y0[i] = (int32_t)(l->y_el + slice * s->qpitch_rows);
    }
    for (unsigned i = 0; i < lanes; i++) {
        f->column[0][i] = x_offset(tiling, ((uint32_t)x0[i] + (uint32_t)f->u.first[i]) * s->element_bytes);
        f->row[0][i] = y_offset(tiling, (uint32_t)y0[i] + (uint32_t)f->v.first[i], s->pitch_bytes);
    }
    for (unsigned i = 0; i < lanes && linear; i++) {
        f->column[1][i] = x_offset(tiling, ((uint32_t)x0[i] + (uint32_t)f->u.second[i]) * s->element_bytes);
        f->row[1][i] = y_offset(tiling, (uint32_t)y0[i] + (uint32_t)f->v.second[i], s->pitch_bytes);
    }
}

static bool has_border(unsigned mode)
{
    return mode == ADDRESS_BORDER || mode == ADDRESS_HALF_BORDER;
}

static void find_outside(const struct sampler_job *j, bool linear, struct fast_state *f)
{
    memset(f->outside, 0, sizeof(f->outside));
    if (!has_border(j->p->address[0]) && !has_border(j->p->address[1]))
        return;
    for (unsigned i = 0; i < j->lanes; i++) {
        uint32_t u0 = f->u.first[i] == TEXEL_BORDER, u1 = f->u.second[i] == TEXEL_BORDER;
        uint32_t v0 = f->v.first[i] == TEXEL_BORDER, v1 = f->v.second[i] == TEXEL_BORDER;

        f->outside[0] |= (u0 | v0) << i;
        f->outside[1] |= (u1 | v0) << i;
        f->outside[2] |= (u0 | v1) << i;
        f->outside[3] |= (u1 | v1) << i;
    }
    if (!linear)
        f->outside[1] = f->outside[2] = f->outside[3] = 0;
}

/* ---- bytes: with weights of 256ths exact in 32 bits until the division */

SAMPLER_INLINE void blend_channel_bytes(const struct fast_state *f, unsigned shift, bool linear, unsigned lanes,
                                        uint32_t *out)
{
    const uint32_t *texel = (const uint32_t *)(const void *)f->raw;

    for (unsigned i = 0; i < lanes && !linear; i++)
        out[i] = soft_as_bits((float)(int32_t)(texel[i] >> shift & 255) / 255);
    for (unsigned i = 0; i < lanes && linear; i++) {
        int32_t a = (int32_t)(texel[i] >> shift & 255), b = (int32_t)(texel[LANES + i] >> shift & 255);
        int32_t c = (int32_t)(texel[2 * LANES + i] >> shift & 255), d = (int32_t)(texel[3 * LANES + i] >> shift & 255);
        int32_t upper = a * 256 + (b - a) * f->u.weight[i], lower = c * 256 + (d - c) * f->u.weight[i];

        out[i] = soft_as_bits((float)(upper * 256 + (lower - upper) * f->v.weight[i]) / (255.0f * 65536));
    }
}

SAMPLER_INLINE void blend_bytes(const struct sampler_job *j, const struct fast_state *f, bool linear, unsigned lanes,
                                uint32_t out[4][LANES])
{
    unsigned red = j->s->info->channel[0].first;

    blend_channel_bytes(f, red, linear, lanes, out[0]);
    blend_channel_bytes(f, 8, linear, lanes, out[1]);
    blend_channel_bytes(f, 16 - red, linear, lanes, out[2]);
    if (j->s->info->channel[3].bits)
        blend_channel_bytes(f, 24, linear, lanes, out[3]);
    else
        for (unsigned i = 0; i < lanes; i++)
            out[3][i] = soft_as_bits(1.0f);
}

/* ---- any format */

static void put_border(const struct sampler_job *j, struct fast_state *f, unsigned corners)
{
    for (unsigned k = 0; k < corners; k++)
        for (unsigned i = 0; i < j->lanes && f->outside[k]; i++)
            if (f->outside[k] >> i & 1)
                for (unsigned c = 0; c < 4; c++)
                    f->colour[c][k * LANES + i] = j->border[c];
}

SAMPLER_INLINE void blend_channel_floats(const struct fast_state *f, const uint32_t *colour, unsigned lanes,
                                         uint32_t *out)
{
    for (unsigned i = 0; i < lanes; i++) {
        float wu = (float)f->u.weight[i] / 256, wv = (float)f->v.weight[i] / 256;
        float a = soft_as_float(colour[i]), b = soft_as_float(colour[LANES + i]);
        float c = soft_as_float(colour[2 * LANES + i]), d = soft_as_float(colour[3 * LANES + i]);
        float upper = a + (b - a) * wu, lower = c + (d - c) * wu;

        out[i] = soft_as_bits(upper + (lower - upper) * wv);
    }
}

SAMPLER_INLINE void blend_floats(const struct sampler_job *j, struct fast_state *f, bool linear, unsigned lanes,
                                 uint32_t out[4][LANES])
{
    unsigned corners = linear ? CORNERS_2D : 1;

    soft_format_unpack_row(j->s->info, f->raw, (corners - 1) * LANES + lanes, f->colour[0], CORNERS_2D * LANES);
    put_border(j, f, corners);
    for (unsigned c = 0; c < 4; c++) {
        if (linear)
            blend_channel_floats(f, f->colour[c], lanes, out[c]);
        else
            memcpy(out[c], f->colour[c], lanes * sizeof(uint32_t));
    }
}

SAMPLER_INLINE void body(struct sampler_job *j, const uint8_t *level, bool linear, unsigned lanes,
                         uint32_t out[4][LANES])
{
    const struct soft_surface *s = j->s;
    struct fast_state f;
    uint32_t size[2][LANES];

    for (unsigned i = 0; i < lanes; i++) {
        size[0][i] = s->level[level[i]].width_px;
        size[1][i] = s->level[level[i]].height_px;
    }
    axis_body(j->u, size[0], j->offsets ? j->offset[0] : NULL, lanes, j->p->address[0], linear, j->p->unnormalized,
              &f.u);
    axis_body(j->v, size[1], j->offsets ? j->offset[1] : NULL, lanes, j->p->address[1], linear, j->p->unnormalized,
              &f.v);
    find_outside(j, linear, &f);
    if (s->tiling == SOFT_TILE_Y)
        find_offsets(j, level, linear, &f, SOFT_TILE_Y, lanes);
    else if (s->tiling == SOFT_TILE_X)
        find_offsets(j, level, linear, &f, SOFT_TILE_X, lanes);
    else
        find_offsets(j, level, linear, &f, SOFT_LINEAR, lanes);
    if (linear && lanes < LANES) /* the rows between are unpacked too */
        memset(f.raw, 0, (size_t)CORNERS_2D * LANES * s->element_bytes);
    for (unsigned k = 0; k < (linear ? CORNERS_2D : 1u); k++)
        load_corner(j, &f, k, lanes);
    if (s->info->fast >= SOFT_FAST_RGBA8 && s->info->fast <= SOFT_FAST_BGRX8 && !s->info->srgb &&
        !(f.outside[0] | f.outside[1] | f.outside[2] | f.outside[3]))
        blend_bytes(j, &f, linear, lanes, out);
    else
        blend_floats(j, &f, linear, lanes, out);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void body_avx2(struct sampler_job *j, const uint8_t *level, bool linear,
                                                      uint32_t out[4][LANES])
{
    if (j->lanes == 8)
        body(j, level, linear, 8, out);
    else
        body(j, level, linear, 16, out);
}
#endif

static void body_portable(struct sampler_job *j, const uint8_t *level, bool linear, uint32_t out[4][LANES])
{
    body(j, level, linear, j->lanes, out);
}

bool sampler_fast(struct sampler_job *j, const uint8_t *level, bool linear, uint32_t out[4][LANES])
{
    if (!fits(j))
        return false;
    linear = linear && !j->integer;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        body_avx2(j, level, linear, out);
        return true;
    }
#endif
    body_portable(j, level, linear, out);
    return true;
}
