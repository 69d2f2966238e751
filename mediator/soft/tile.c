#include "mediator/soft/mem.h"
#include "mediator/soft/surface.h"
#include "vgpu/base/bits.h"

#include <string.h>

/*
 * Yf and Ys (4 and 64 KiB): the byte offset in the tile interleaves bits of x (bytes) and y. The masks tell which
 * offset bits come from x; the low eight depend on the element's size (gmmlib, INTEL_TILE_YF/YS swizzles).
 */
static uint32_t std_tile_x_mask(const struct soft_surface *s)
{
    uint32_t low = s->element_bytes == 1 ? 0x0f : s->element_bytes <= 4 ? 0x8f : 0xcf;

    return low | (s->tiling == SOFT_TILE_YS ? 0xaa00 : 0x0a00);
}

static uint32_t deposit(uint64_t value, uint32_t mask)
{
    uint32_t out = 0;

    for (; mask; mask &= mask - 1, value >>= 1)
        if (value & 1)
            out |= mask & -mask;
    return out;
}

static uint64_t std_tile_offset(const struct soft_surface *s, uint64_t x, uint64_t y)
{
    unsigned size_log2 = s->tiling == SOFT_TILE_YS ? 16 : 12;
    uint32_t x_mask = std_tile_x_mask(s), y_mask = (GT_BIT(size_log2) - 1) & ~x_mask;
    unsigned w = (unsigned)__builtin_popcount(x_mask), h = size_log2 - w;

    return ((y >> h) * s->pitch_bytes << h) + (x >> w << size_log2) + deposit(x, x_mask) + deposit(y, y_mask);
}

/* W: stencil, 64 x 64 bytes; the tile's lines are half as many bytes as the pitch counts (PRM SKL vol 5, "W-Major
 * Tile Format"). */
static uint64_t w_tile_offset(const struct soft_surface *s, uint64_t x, uint64_t y)
{
    static const uint8_t spread[8] = {0x00, 0x01, 0x04, 0x05, 0x10, 0x11, 0x14, 0x15};

    return (y >> 6) * s->pitch_bytes * 32 + (x >> 6 << 12) + ((x >> 3 & 7) << 9) + ((y >> 3 & 7) << 6) + spread[x & 7] +
           (uint64_t)spread[y & 7] * 2;
}

uint64_t soft_tile_offset(const struct soft_surface *s, uint64_t x, uint64_t y)
{
    switch (s->tiling) {
    case SOFT_TILE_X: /* 512 bytes x 8 rows */
        return (y >> 3) * s->pitch_bytes * 8 + (x >> 9 << 12) + ((y & 7) << 9) + (x & 511);
    case SOFT_TILE_Y: /* 128 bytes x 32 rows, in columns of 16 bytes */
        return (y >> 5) * s->pitch_bytes * 32 + (x >> 7 << 12) + ((x >> 4 & 7) << 9) + ((y & 31) << 4) + (x & 15);
    case SOFT_TILE_W:
        return w_tile_offset(s, x, y);
    case SOFT_TILE_YF:
    case SOFT_TILE_YS:
        return std_tile_offset(s, x, y);
    default:
        return y * s->pitch_bytes + x;
    }
}

/* Bytes of a row that lie together in aligned units of this size. */
static uint32_t unit_bytes(const struct soft_surface *s)
{
    switch (s->tiling) {
    case SOFT_TILE_X:
        return 512;
    case SOFT_TILE_Y:
    case SOFT_TILE_YF:
    case SOFT_TILE_YS:
        return 16;
    case SOFT_TILE_W:
        return 2;
    default:
        return SOFT_PAGE;
    }
}

unsigned soft_surface_run(const struct soft_surface *s, uint32_t x, uint64_t address)
{
    uint32_t unit = unit_bytes(s), rest = SOFT_PAGE - (uint32_t)(address % SOFT_PAGE);

    (void)x;
    /* Tiles are aligned to pages wherever a driver put them; where a guest did not, a page ends the run. */
    if (s->tiling != SOFT_LINEAR)
        rest = GT_MIN(rest, unit - (uint32_t)((address - s->address) % unit));
    return GT_MAX(rest / s->element_bytes, 1u);
}

void soft_surface_read_row(struct soft_mem *m, const struct soft_surface *s, uint32_t x, uint32_t y, uint32_t z,
                           unsigned level, unsigned sample, unsigned n, void *out)
{
    uint8_t *to = out;

    for (unsigned run; n; n -= run, x += run, to += (size_t)run * s->element_bytes) {
        uint64_t a = soft_surface_address(s, x, y, z, level, sample);

        run = s->samples_interleaved ? 1 : GT_MIN(n, soft_surface_run(s, x, a));
        soft_mem_read(m, a, to, (size_t)run * s->element_bytes);
    }
}

void soft_surface_write_row(struct soft_mem *m, const struct soft_surface *s, uint32_t x, uint32_t y, uint32_t z,
                            unsigned level, unsigned sample, unsigned n, const void *in)
{
    const uint8_t *from = in;

    for (unsigned run; n; n -= run, x += run, from += (size_t)run * s->element_bytes) {
        uint64_t a = soft_surface_address(s, x, y, z, level, sample);

        run = s->samples_interleaved ? 1 : GT_MIN(n, soft_surface_run(s, x, a));
        soft_mem_write(m, a, from, (size_t)run * s->element_bytes);
    }
}
