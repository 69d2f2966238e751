/*
 * 2D surfaces of four bytes a texel (RGBA8 and BGRA8, with and without alpha) that are linear, X or Y tiled: addresses,
 * texels and filter for all channels in a few loops that compilers turn into vector code. The body is compiled twice;
 * which copy runs is chosen by what the host has. Neither contracts to fused operations: the results are the same.
 */
#include <string.h>

#include "mediator/soft/half.h"
#include "mediator/soft/sampler_axis.h"
#include "mediator/soft/srgb.h"
#include "vgpu/base/bits.h"

static bool fits(const struct sampler_job *j)
{
    const struct soft_surface *s = j->s;
    bool kind = s->info->fast >= SOFT_FAST_RGBA8 && s->info->fast <= SOFT_FAST_BGRX8;
    bool tiling = s->tiling == SOFT_LINEAR || s->tiling == SOFT_TILE_X || s->tiling == SOFT_TILE_Y;
    uint64_t rows = (uint64_t)(s->first_layer + s->layers) * s->qpitch_rows + s->level[0].y_el + 2 * s->height_px + 64;

    return kind && tiling && s->type == SOFT_SURF_2D && s->samples == 1 && !j->compare && j->p->reduction < 2 &&
           rows * s->pitch_bytes < UINT32_MAX / 2 && (s->address & 3) == 0;
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

/* Reads texels; neighbours mostly share the page. Borders (weight of a bit in `outside`) are left alone. */
static void load(struct sampler_job *j, const uint32_t *offset, uint32_t wanted, uint32_t *texel)
{
    uint64_t page = UINT64_MAX;
    const uint8_t *p = NULL;

    for (unsigned i = 0; i < j->lanes; i++) {
        uint64_t a = j->s->address + offset[i];

        texel[i] = 0;
        if (!(wanted >> i & 1))
            continue;
        if (a / SOFT_PAGE != page) {
            page = a / SOFT_PAGE;
            p = soft_mem_ptr(j->e->mem, a & ~(uint64_t)(SOFT_PAGE - 1), false);
        }
        if (p)
            memcpy(&texel[i], p + a % SOFT_PAGE, 4);
        else
            soft_mem_read(j->e->mem, a, &texel[i], 4);
    }
}

struct fast_state {
    struct sampler_axis u, v;
    uint32_t column[2][LANES], row[2][LANES]; /* parts of offsets */
    uint32_t texel[4][LANES];
    uint32_t outside[4]; /* a bit for each lane whose corner is border colour */
};

SAMPLER_INLINE void find_offsets(const struct sampler_job *j, const uint8_t *level, bool linear, struct fast_state *f,
                                 unsigned tiling, unsigned lanes)
{
    int32_t x0[LANES], y0[LANES];

    for (unsigned i = 0; i < lanes; i++) {
        const struct soft_level *l = &j->s->level[level[i]];
        int32_t slice = j->s->array ? sampler_layer(j->r[i], j->s->layers) : 0;

        x0[i] = (int32_t)l->x_el;
        y0[i] = (int32_t)(l->y_el + ((uint32_t)slice + j->s->first_layer) * j->s->qpitch_rows);
    }
    for (unsigned i = 0; i < lanes; i++) {
        f->column[0][i] = x_offset(tiling, (uint32_t)(x0[i] + f->u.first[i]) * 4);
        f->row[0][i] = y_offset(tiling, (uint32_t)(y0[i] + f->v.first[i]), j->s->pitch_bytes);
    }
    for (unsigned i = 0; i < lanes && linear; i++) {
        f->column[1][i] = x_offset(tiling, (uint32_t)(x0[i] + f->u.second[i]) * 4);
        f->row[1][i] = y_offset(tiling, (uint32_t)(y0[i] + f->v.second[i]), j->s->pitch_bytes);
    }
}

static void find_outside(const struct sampler_job *j, bool linear, struct fast_state *f)
{
    memset(f->outside, 0, sizeof(f->outside));
    for (unsigned i = 0; i < j->lanes; i++) {
        unsigned u0 = f->u.first[i] == TEXEL_BORDER, u1 = f->u.second[i] == TEXEL_BORDER;
        unsigned v0 = f->v.first[i] == TEXEL_BORDER, v1 = f->v.second[i] == TEXEL_BORDER;

        f->outside[0] |= (u0 | v0) << i;
        f->outside[1] |= (u1 | v0) << i;
        f->outside[2] |= (u0 | v1) << i;
        f->outside[3] |= (u1 | v1) << i;
    }
    if (!linear)
        f->outside[1] = f->outside[2] = f->outside[3] = 0;
}

/* Weights of 256ths and bytes: exact in a float's 24 bits until the division. */
SAMPLER_INLINE void blend_bytes(const struct fast_state *f, unsigned shift, unsigned lanes, uint32_t *out)
{
    for (unsigned i = 0; i < lanes; i++) {
        int32_t a = (int32_t)(f->texel[0][i] >> shift & 255), b = (int32_t)(f->texel[1][i] >> shift & 255);
        int32_t c = (int32_t)(f->texel[2][i] >> shift & 255), d = (int32_t)(f->texel[3][i] >> shift & 255);
        int32_t upper = a * 256 + (b - a) * f->u.weight[i], lower = c * 256 + (d - c) * f->u.weight[i];

        out[i] = soft_as_bits((float)(upper * 256 + (lower - upper) * f->v.weight[i]) / (255.0f * 65536));
    }
}

SAMPLER_INLINE void blend_floats(const struct fast_state *f, float (*corner)[LANES], unsigned lanes, uint32_t *out)
{
    for (unsigned i = 0; i < lanes; i++) {
        float wu = (float)f->u.weight[i] / 256, wv = (float)f->v.weight[i] / 256;
        float upper = corner[0][i] + (corner[1][i] - corner[0][i]) * wu;
        float lower = corner[2][i] + (corner[3][i] - corner[2][i]) * wu;

        out[i] = soft_as_bits(upper + (lower - upper) * wv);
    }
}

/* sRGB, and border colours, which need not be bytes. */
SAMPLER_INLINE void blend_channel(const struct sampler_job *j, const struct fast_state *f, unsigned c, unsigned shift,
                                  unsigned corners, unsigned lanes, uint32_t *out)
{
    float corner[4][LANES];
    bool srgb = j->s->info->srgb && c < 3, constant = !j->s->info->channel[c].bits;

    for (unsigned k = 0; k < corners; k++)
        for (unsigned i = 0; i < lanes; i++) {
            unsigned byte = f->texel[k][i] >> shift & 255;
            float v = constant ? 1 : srgb ? soft_srgb_to_linear[byte] : (float)byte / 255;

            corner[k][i] = f->outside[k] >> i & 1 ? soft_as_float(j->border[c]) : v;
        }
    if (corners == 1)
        memcpy(out, corner[0], sizeof(corner[0]));
    else
        blend_floats(f, corner, lanes, out);
}

SAMPLER_INLINE void blend(const struct sampler_job *j, const struct fast_state *f, bool linear, unsigned lanes,
                          uint32_t out[4][LANES])
{
    bool plain = !j->s->info->srgb && !(f->outside[0] | f->outside[1] | f->outside[2] | f->outside[3]);

    for (unsigned c = 0; c < 4; c++) {
        unsigned shift = j->s->info->channel[c].first;

        if (!plain || (!linear && c < 3 && j->s->info->srgb))
            blend_channel(j, f, c, shift, linear ? 4 : 1, lanes, out[c]);
        else if (!j->s->info->channel[c].bits)
            for (unsigned i = 0; i < lanes; i++)
                out[c][i] = soft_as_bits(1.0f);
        else if (linear)
            blend_bytes(f, shift, lanes, out[c]);
        else
            for (unsigned i = 0; i < lanes; i++)
                out[c][i] = soft_as_bits((float)(int32_t)(f->texel[0][i] >> shift & 255) / 255);
    }
}

SAMPLER_INLINE void body(struct sampler_job *j, const uint8_t *level, bool linear, unsigned lanes,
                         uint32_t out[4][LANES])
{
    struct fast_state f;
    uint32_t size[2][LANES];

    for (unsigned i = 0; i < lanes; i++) {
        size[0][i] = j->s->level[level[i]].width_px;
        size[1][i] = j->s->level[level[i]].height_px;
    }
    memset(f.texel, 0, sizeof(f.texel));
    axis_body(j->u, size[0], j->offsets ? j->offset[0] : NULL, lanes, j->p->address[0], linear, j->p->unnormalized,
              &f.u);
    axis_body(j->v, size[1], j->offsets ? j->offset[1] : NULL, lanes, j->p->address[1], linear, j->p->unnormalized,
              &f.v);
    find_outside(j, linear, &f);
    if (j->s->tiling == SOFT_TILE_Y)
        find_offsets(j, level, linear, &f, SOFT_TILE_Y, lanes);
    else if (j->s->tiling == SOFT_TILE_X)
        find_offsets(j, level, linear, &f, SOFT_TILE_X, lanes);
    else
        find_offsets(j, level, linear, &f, SOFT_LINEAR, lanes);
    for (unsigned k = 0; k < (linear ? 4u : 1u); k++) {
        uint32_t offset[LANES];

        for (unsigned i = 0; i < lanes; i++)
            offset[i] = f.column[k & 1][i] + f.row[k >> 1][i];
        load(j, offset, j->mask & ~f.outside[k], f.texel[k]);
    }
    blend(j, &f, linear, lanes, out);
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
    if (j->lanes == 8)
        body(j, level, linear, 8, out);
    else
        body(j, level, linear, 16, out);
}

bool sampler_fast(struct sampler_job *j, const uint8_t *level, bool linear, uint32_t out[4][LANES])
{
    if (!fits(j))
        return false;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        body_avx2(j, level, linear, out);
        return true;
    }
#endif
    body_portable(j, level, linear, out);
    return true;
}
