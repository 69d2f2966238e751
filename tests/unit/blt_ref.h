/*
 * What a blit should do, pixel by pixel, written for clearness only: the oracle of the blitter's unit tests. It shares
 * no code with mediator/soft: tiles by division, raster operations bit by bit, source pixels from a copy of memory.
 */
#ifndef GTMUX_TESTS_BLT_REF_H
#define GTMUX_TESTS_BLT_REF_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifndef REF_SIZE
#define REF_SIZE (320u << 10) /* bytes of memory that the tests draw in */
#endif

enum ref_tiling { REF_LINEAR, REF_X, REF_Y, REF_YF, REF_YS };

struct ref_surface {
    int64_t base; /* offset in memory */
    int pitch;    /* bytes */
    enum ref_tiling tiling;
    int cpp;
};

struct ref_blit {
    struct ref_surface dst, src;
    int x1, y1, x2, y2, src_x, src_y;
    bool clipped;
    int cx1, cy1, cx2, cy2;
    uint8_t rop;
    int depth; /* 0: 8, 1: 565, 2: 1555, 3: 32 bits */
    uint32_t channels;
    bool has_src, has_mono, has_pat, pat_mono, pat_solid;
    const uint8_t *mono; /* bits, most significant first */
    uint64_t mono_first, mono_row;
    bool mono_transparent, pat_transparent;
    uint32_t mono_bg, mono_fg, pat_bg, pat_fg, solid;
    uint8_t pat_bits[8];
    uint8_t pat_pixels[256];
    int seed_x, seed_y;
    int chroma; /* the three bits of the command */
    uint32_t low, high;
};

/* Offset bits of Yf and Ys tiles, most significant first (gmmlib, INTEL_TILE_YF and YS). */
static const char *ref_swizzle(enum ref_tiling t, int cpp)
{
    const char *s = cpp == 1 ? "XYXYXYXYYYYYXXXX" : cpp <= 4 ? "XYXYXYXYXYYYXXXX" : "XYXYXYXYXXYYXXXX";

    return t == REF_YS ? s : s + 4;
}

static int64_t ref_std_tile(const struct ref_surface *s, int xb, int y)
{
    const char *swizzle = ref_swizzle(s->tiling, s->cpp);
    int len = (int)strlen(swizzle), w = 1, h = 1, xbit = 0, ybit = 0;
    int64_t off = 0;

    for (int i = 0; i < len; i++)
        *(swizzle[i] == 'X' ? &w : &h) *= 2;
    for (int i = len - 1; i >= 0; i--) {
        int bit = swizzle[i] == 'X' ? xb % w >> xbit++ & 1 : y % h >> ybit++ & 1;

        off += (int64_t)bit << (len - 1 - i);
    }
    return s->base + (int64_t)(y / h) * h * s->pitch + (int64_t)(xb / w) * w * h + off;
}

static inline int64_t ref_offset(const struct ref_surface *s, int xb, int y)
{
    switch (s->tiling) {
    case REF_X:
        return s->base + ((int64_t)(y / 8) * (s->pitch / 512) + xb / 512) * 4096 + y % 8 * 512 + xb % 512;
    case REF_Y:
        return s->base + ((int64_t)(y / 32) * (s->pitch / 128) + xb / 128) * 4096 + xb % 128 / 16 * 512 + y % 32 * 16 +
               xb % 16;
    case REF_YF:
    case REF_YS:
        return ref_std_tile(s, xb, y);
    default:
        return s->base + (int64_t)y * s->pitch + xb;
    }
}

static inline uint32_t ref_get(const uint8_t *mem, const struct ref_surface *s, int x, int y)
{
    uint32_t v = 0;

    for (int i = 0; i < s->cpp; i++)
        v |= (uint32_t)mem[ref_offset(s, x * s->cpp + i, y)] << 8 * i;
    return v;
}

static inline void ref_put(uint8_t *mem, const struct ref_surface *s, int x, int y, uint32_t v)
{
    for (int i = 0; i < s->cpp; i++)
        mem[ref_offset(s, x * s->cpp + i, y)] = (uint8_t)(v >> 8 * i);
}

static bool ref_bit(const uint8_t *bits, uint64_t n)
{
    return bits[n / 8] & (0x80 >> n % 8);
}

static uint32_t ref_rop(uint8_t rop, uint32_t p, uint32_t s, uint32_t d)
{
    uint32_t out = 0;

    for (int i = 0; i < 32; i++) {
        int row = (p >> i & 1) * 4 + (s >> i & 1) * 2 + (d >> i & 1);

        out |= (uint32_t)(rop >> row & 1) << i;
    }
    return out;
}

static bool ref_between(uint32_t v, uint32_t low, uint32_t high, int shift, int bits)
{
    uint32_t mask = (1u << bits) - 1;

    return (v >> shift & mask) >= (low >> shift & mask) && (v >> shift & mask) <= (high >> shift & mask);
}

static bool ref_in_key(const struct ref_blit *b, uint32_t v)
{
    bool alpha = b->chroma & 2;

    switch (b->depth) {
    case 0:
        return ref_between(v, b->low, b->high, 0, 8);
    case 1:
        return ref_between(v, b->low, b->high, 0, 5) && ref_between(v, b->low, b->high, 5, 6) &&
               ref_between(v, b->low, b->high, 11, 5);
    case 2:
        return ref_between(v, b->low, b->high, 0, 5) && ref_between(v, b->low, b->high, 5, 5) &&
               ref_between(v, b->low, b->high, 10, 5) && (!alpha || ref_between(v, b->low, b->high, 15, 1));
    default:
        return ref_between(v, b->low, b->high, 0, 8) && ref_between(v, b->low, b->high, 8, 8) &&
               ref_between(v, b->low, b->high, 16, 8) && (!alpha || ref_between(v, b->low, b->high, 24, 8));
    }
}

static bool ref_keyed_out(const struct ref_blit *b, uint32_t p, uint32_t s, uint32_t d)
{
    if (!(b->chroma & 1))
        return false;
    if (b->chroma & 4)
        return !ref_in_key(b, d);
    return ref_in_key(b, b->has_src || b->has_mono ? s : p);
}

static void ref_pixel(const struct ref_blit *b, uint8_t *mem, const uint8_t *before, int x, int y)
{
    int px = (x + b->seed_x) & 7, py = (y + b->seed_y) & 7;
    uint32_t p = b->has_pat ? b->solid : 0, s = 0, d = ref_get(before, &b->dst, x, y);

    if (b->has_mono) {
        bool one = ref_bit(b->mono, (uint64_t)(y - b->y1) * b->mono_row + b->mono_first + (uint64_t)(x - b->x1));

        if (!one && b->mono_transparent)
            return;
        s = one ? b->mono_fg : b->mono_bg;
    }
    if (b->has_src)
        s = ref_get(before, &b->src, b->src_x + x - b->x1, b->src_y + y - b->y1);
    if (b->has_pat && b->pat_mono && !b->pat_solid) {
        bool one = ref_bit(b->pat_bits, (uint64_t)(py * 8 + px));

        if (!one && b->pat_transparent)
            return;
        p = one ? b->pat_fg : b->pat_bg;
    } else if (b->has_pat && !b->pat_solid) {
        p = 0;
        memcpy(&p, b->pat_pixels + (py * 8 + px) * b->dst.cpp, (size_t)b->dst.cpp);
    }
    if (ref_keyed_out(b, p, s, d))
        return;
    ref_put(mem, &b->dst, x, y, (ref_rop(b->rop, p, s, d) & b->channels) | (d & ~b->channels));
}

/* Draws into mem, which must be equal to before. */
static inline void ref_draw(const struct ref_blit *b, uint8_t *mem, const uint8_t *before)
{
    for (int y = b->y1; y < b->y2; y++)
        for (int x = b->x1; x < b->x2; x++)
            if (!b->clipped || (x >= b->cx1 && x < b->cx2 && y >= b->cy1 && y < b->cy2))
                ref_pixel(b, mem, before, x, y);
}

/* xorshift64*: the same numbers in every run. */
static uint64_t ref_seed = 88172645463325252u;

static inline uint32_t ref_random(void)
{
    ref_seed ^= ref_seed >> 12;
    ref_seed ^= ref_seed << 25;
    ref_seed ^= ref_seed >> 27;
    return (uint32_t)(ref_seed * 2685821657736338717u >> 32);
}

static inline int ref_below(int n)
{
    return (int)(ref_random() % (uint32_t)n);
}

#endif
