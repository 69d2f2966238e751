/* Coverage: integer edge functions at the samples of 8 x 8 blocks. */
#include "mediator/soft/raster.h"

/* 8 rows of 8 values that start at e and step by dx, dy: bit set where the value is >= 0. */
static inline __attribute__((always_inline)) uint64_t inside_body(int32_t e, int32_t dx, int32_t dy)
{
    uint64_t mask = 0;

    for (unsigned row = 0; row < RASTER_BLOCK; row++) {
        uint32_t bits = 0;

        for (unsigned i = 0; i < RASTER_BLOCK; i++)
            bits |= (uint32_t) ~(e + (int32_t)i * dx) >> 31 << i;
        mask |= (uint64_t)bits << (8 * row);
        e += dy;
    }
    return mask;
}

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx2"))) static uint64_t inside_avx2(int32_t e, int32_t dx, int32_t dy)
{
    const __m256i step = _mm256_mullo_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(dx));
    uint64_t outside = 0;

    for (unsigned row = 0; row < RASTER_BLOCK; row++) {
        __m256i v = _mm256_add_epi32(_mm256_set1_epi32(e), step);

        outside |= (uint64_t)(uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(v)) << (8 * row);
        e += dy;
    }
    return ~outside;
}

static bool have_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}
#else
static uint64_t inside_avx2(int32_t e, int32_t dx, int32_t dy)
{
    return inside_body(e, dx, dy);
}

static bool have_avx2(void)
{
    return false;
}
#endif

static uint64_t inside_block(bool avx2, int32_t e, int32_t dx, int32_t dy)
{
    return avx2 ? inside_avx2(e, dx, dy) : inside_body(e, dx, dy);
}

static int64_t edge_at(const struct raster_edge *e, int64_t x, int64_t y)
{
    return e->a * x + e->b * y + e->c;
}

enum raster_area raster_cover_area(const struct raster_prim *p, int32_t x, int32_t y, int32_t size)
{
    int64_t sx = (int64_t)x * RASTER_SUB, sy = (int64_t)y * RASTER_SUB, span = (int64_t)size * RASTER_SUB;
    enum raster_area area = AREA_IN;

    for (unsigned i = 0; i < p->edges; i++) {
        const struct raster_edge *e = &p->edge[i];
        int64_t at = edge_at(e, sx, sy), dx = e->a * span, dy = e->b * span;

        if (at + (dx > 0 ? dx : 0) + (dy > 0 ? dy : 0) < 0)
            return AREA_OUT;
        if (at + (dx < 0 ? dx : 0) + (dy < 0 ? dy : 0) < 0)
            area = AREA_PART;
    }
    return area;
}

/* Bits of a block's pixels that are in the box. */
static uint64_t box_mask(const struct raster_box *b, int32_t x, int32_t y)
{
    int32_t x0 = b->x0 > x ? b->x0 - x : 0, x1 = b->x1 < x + RASTER_BLOCK ? b->x1 - x : RASTER_BLOCK;
    int32_t y0 = b->y0 > y ? b->y0 - y : 0, y1 = b->y1 < y + RASTER_BLOCK ? b->y1 - y : RASTER_BLOCK;
    uint64_t row, mask = 0;

    if (x0 >= x1 || y0 >= y1)
        return 0;
    row = (0xffu >> (8 - (x1 - x0))) << x0;
    for (int32_t i = y0; i < y1; i++)
        mask |= row << (8 * i);
    return mask;
}

/*
 * Steps of a pixel are multiples of 256, so e / 256, rounded down, has the sign of e at every pixel and fits into 32
 * bits for an edge that crosses the block; for one that does not, clamping keeps the sign (8 * (|a| + |b|) < 2^30).
 */
static uint64_t sample_mask(const struct raster_prim *p, int64_t sx, int64_t sy, uint64_t mask, bool avx2)
{
    for (unsigned i = 0; i < p->edges && mask; i++) {
        const struct raster_edge *e = &p->edge[i];
        int64_t at = edge_at(e, sx, sy) >> 8;

        if (at > INT32_MAX / 2)
            continue;
        if (at < INT32_MIN / 2)
            return 0;
        mask &= inside_block(avx2, (int32_t)at, e->a, e->b);
    }
    return mask;
}

bool raster_cover_block(const struct raster_state *st, const struct raster_prim *p, int32_t x, int32_t y,
                        uint64_t out[RASTER_SAMPLES])
{
    uint64_t box = box_mask(&p->box, x, y), any = 0;
    enum raster_area area = box ? raster_cover_area(p, x, y, RASTER_BLOCK) : AREA_OUT;
    bool avx2 = have_avx2();

    for (unsigned s = 0; s < st->samples; s++) {
        int64_t sx = (int64_t)x * RASTER_SUB + st->sample_x[s] * (RASTER_SUB / 16);
        int64_t sy = (int64_t)y * RASTER_SUB + st->sample_y[s] * (RASTER_SUB / 16);

        out[s] = area == AREA_OUT ? 0 : area == AREA_IN ? box : sample_mask(p, sx, sy, box, avx2);
        any |= out[s];
    }
    return any != 0;
}
