#include "display/detile.h"

#include <immintrin.h>
#include <string.h>

#include "vgpu/base/bits.h"

#define UNIT          16u /* bytes that lie together in every tiling */
#define UNITS_MAX     32u /* in a row of a tile */
#define TILE_ROWS_MAX 64u
#define STREAM_ALIGN  32u
#define STREAM_MIN    (256u << 10) /* bytes from which a copy goes past the cache */

/* One tiling's shape, and where in the tile a row and a unit of it start: offsets of x and y do not mix. */
struct shape {
    uint32_t width, rows;
    uint16_t at_unit[UNITS_MAX], at_row[TILE_ROWS_MAX];
    /* Copies a whole tile; next: the tile that will come after it. NULL: not for this copy. */
    void (*stream)(const struct shape *sh, uint8_t *dst, size_t stride, const uint8_t *tile, const uint8_t *next);
};

/* The part of a tile that is wanted. */
struct part {
    uint32_t x0, x1, y0, y1;
};

/*
 * Whole tiles, to aligned rows, go past the cache: a picture does not fit there, and storing around it saves reading
 * each line before it is overwritten. In Y and Yf tiles two rows of a unit lie together, so 32 bytes of two
 * neighbouring units make 32 bytes of each of two rows.
 */
__attribute__((target("avx2"))) static void stream_x_avx2(const struct shape *sh, uint8_t *dst, size_t stride,
                                                          const uint8_t *tile, const uint8_t *next)
{
    (void)next;
    for (unsigned y = 0; y < sh->rows; y++, dst += stride)
        for (unsigned i = 0; i < 512; i += 32, tile += 32)
            _mm256_stream_si256((__m256i *)(void *)(dst + i), _mm256_loadu_si256((const __m256i *)(const void *)tile));
}

/* The number of units is known to the compiler where this is inlined. */
__attribute__((target("avx2"), always_inline)) static inline void stream_pairs(const struct shape *sh, uint8_t *dst,
                                                                               size_t stride, const uint8_t *tile,
                                                                               const uint8_t *next, unsigned units)
{
    const uint8_t *from[UNITS_MAX];

    for (unsigned i = 0; i < units; i++)
        from[i] = tile + sh->at_unit[i];
    for (unsigned y = 0; y < sh->rows; y += 2, dst += 2 * stride) {
        for (unsigned i = 0; i < 2 * units * UNIT; i += 64)
            _mm_prefetch((const char *)next + y * units * UNIT + i, _MM_HINT_T0);
        for (unsigned i = 0; i < units; i += 2) {
            __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(from[i] + sh->at_row[y]));
            __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(from[i + 1] + sh->at_row[y]));
            uint8_t *to = dst + i * UNIT;

            _mm256_stream_si256((__m256i *)(void *)to, _mm256_permute2x128_si256(a, b, 0x20));
            _mm256_stream_si256((__m256i *)(void *)(to + stride), _mm256_permute2x128_si256(a, b, 0x31));
        }
    }
}

__attribute__((target("avx2"))) static void stream_y_avx2(const struct shape *sh, uint8_t *dst, size_t stride,
                                                          const uint8_t *tile, const uint8_t *next)
{
    switch (sh->width / UNIT) {
    case 4:
        stream_pairs(sh, dst, stride, tile, next, 4);
        break;
    case 8:
        stream_pairs(sh, dst, stride, tile, next, 8);
        break;
    default:
        stream_pairs(sh, dst, stride, tile, next, 16);
        break;
    }
}

static void stream_sse2(const struct shape *sh, uint8_t *dst, size_t stride, const uint8_t *tile, const uint8_t *next)
{
    (void)next;
    for (unsigned y = 0; y < sh->rows; y++)
        for (unsigned i = 0; i < sh->width / UNIT; i++) {
            const uint8_t *from = tile + sh->at_row[y] + sh->at_unit[i];

            _mm_stream_si128((__m128i *)(void *)(dst + y * stride + i * UNIT),
                             _mm_loadu_si128((const __m128i *)(const void *)from));
        }
}

static void make_shape(const struct detile_source *s, const struct detile_rect *r, struct shape *sh)
{
    vgpu_tile_shape(s->tiling, s->cpp, &sh->width, &sh->rows);
    for (uint32_t i = 0; i < sh->width / UNIT; i++)
        sh->at_unit[i] = (uint16_t)vgpu_tiled_offset(s->tiling, sh->width, s->cpp, i * UNIT, 0);
    for (uint32_t i = 0; i < sh->rows; i++)
        sh->at_row[i] = (uint16_t)vgpu_tiled_offset(s->tiling, sh->width, s->cpp, 0, i);
    if ((uint64_t)r->width * r->rows < STREAM_MIN)
        sh->stream = NULL;
    else if (!__builtin_cpu_supports("avx2"))
        sh->stream = stream_sse2;
    else
        sh->stream = s->tiling == VGPU_TILE_X ? stream_x_avx2 : stream_y_avx2;
}

static void part_of_tile(const struct shape *sh, const struct part *p, uint8_t *dst, size_t stride, const uint8_t *tile)
{
    for (uint32_t y = p->y0; y < p->y1; y++, dst += stride) {
        const uint8_t *row = tile + sh->at_row[y];

        for (uint32_t x = p->x0, n; x < p->x1; x += n) {
            n = GT_MIN(UNIT - x % UNIT, p->x1 - x);
            memcpy(dst + (x - p->x0), row + sh->at_unit[x / UNIT] + x % UNIT, n);
        }
    }
}

/* next: the tile after this one, or this one. */
static void copy_tile(const struct shape *sh, const struct part *p, uint8_t *dst, size_t stride, const uint8_t *tile,
                      const uint8_t *next)
{
    bool whole = !p->x0 && !p->y0 && p->x1 == sh->width && p->y1 == sh->rows;

    if (!tile)
        for (uint32_t y = p->y0; y < p->y1; y++)
            memset(dst + (y - p->y0) * stride, 0, p->x1 - p->x0);
    else if (whole && sh->stream && ((uintptr_t)dst | stride) % STREAM_ALIGN == 0)
        sh->stream(sh, dst, stride, tile, next ? next : tile);
    else
        part_of_tile(sh, p, dst, stride, tile);
}

/* The wanted part of one row of tiles. */
static void copy_tile_row(const struct detile_source *s, const struct shape *sh, const struct detile_rect *r,
                          uint32_t ty, uint8_t *dst, size_t stride)
{
    const uint32_t top = ty * sh->rows, first = ty * (s->stride_bytes / sh->width);
    const uint32_t x_end = r->x + r->width, tx_end = (x_end + sh->width - 1) / sh->width;
    const uint8_t *tile = s->page(s->ctx, first + r->x / sh->width), *next;
    struct part p = {.y0 = r->y > top ? r->y - top : 0, .y1 = GT_MIN(r->y + r->rows - top, sh->rows)};

    dst += (size_t)(top + p.y0 - r->y) * stride;
    for (uint32_t tx = r->x / sh->width; tx < tx_end; tx++, tile = next) {
        const uint32_t left = tx * sh->width;

        next = tx + 1 < tx_end ? s->page(s->ctx, first + tx + 1) : NULL;
        p.x0 = r->x > left ? r->x - left : 0;
        p.x1 = GT_MIN(x_end - left, sh->width);
        copy_tile(sh, &p, dst + (left + p.x0 - r->x), stride, tile, next);
    }
}

static void copy_tiled(const struct detile_source *s, const struct detile_rect *r, uint8_t *dst, size_t stride)
{
    struct shape sh;

    make_shape(s, r, &sh);
    for (uint32_t ty = r->y / sh.rows; r->width && ty * sh.rows < r->y + r->rows; ty++)
        copy_tile_row(s, &sh, r, ty, dst, stride);
    _mm_sfence();
}

static void copy_linear_row(const struct detile_source *s, uint64_t at, uint8_t *dst, size_t n)
{
    for (size_t done = 0, chunk; done < n; done += chunk) {
        size_t in_page = (at + done) % DISPLAY_PAGE;
        const uint8_t *page = s->page(s->ctx, (uint32_t)((at + done) / DISPLAY_PAGE));

        chunk = GT_MIN(n - done, DISPLAY_PAGE - in_page);
        if (page)
            memcpy(dst + done, page + in_page, chunk);
        else
            memset(dst + done, 0, chunk);
    }
}

void detile_copy(const struct detile_source *s, const struct detile_rect *r, uint8_t *dst, size_t dst_stride)
{
    if (s->tiling != VGPU_LINEAR) {
        copy_tiled(s, r, dst, dst_stride);
        return;
    }
    for (uint32_t y = 0; y < r->rows; y++)
        copy_linear_row(s, (uint64_t)(r->y + y) * s->stride_bytes + r->x, dst + y * dst_stride, r->width);
}

static const uint8_t *flat_page(void *ctx, uint32_t index)
{
    return (const uint8_t *)ctx + (size_t)index * DISPLAY_PAGE;
}

void detile_copy_flat(enum vgpu_tiling t, unsigned cpp, uint32_t stride_bytes, const uint8_t *src,
                      const struct detile_rect *r, uint8_t *dst, size_t dst_stride)
{
    const struct detile_source s = {
        .tiling = t, .cpp = cpp, .stride_bytes = stride_bytes, .page = flat_page, .ctx = (void *)(uintptr_t)src};

    if (t == VGPU_LINEAR && r->width == stride_bytes && dst_stride == stride_bytes && !r->x)
        memcpy(dst, src + (size_t)r->y * stride_bytes, (size_t)r->rows * stride_bytes);
    else if (t == VGPU_LINEAR)
        for (uint32_t y = 0; y < r->rows; y++)
            memcpy(dst + y * dst_stride, src + (size_t)(r->y + y) * stride_bytes + r->x, r->width);
    else
        detile_copy(&s, r, dst, dst_stride);
}
