/* ETC1, ETC2 and EAC (OpenGL ES 3.0 specification, appendix C). Blocks are big-endian, pixels go down columns. */
#include "mediator/soft/compress.h"

#include <string.h>

struct etc_block {
    uint64_t bits;
    bool punch_through, opaque;
};

static uint64_t big_endian(const uint8_t *p)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return v;
}

static unsigned field(uint64_t bits, unsigned high, unsigned low)
{
    return (unsigned)(bits >> low) & ((1u << (high - low + 1)) - 1);
}

static uint8_t clamp(int v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static int extend(unsigned v, unsigned bits)
{
    return (int)(v << (8 - bits) | v >> (2 * bits - 8));
}

/* Two-bit index of the texel at x, y. */
static unsigned pixel_index(uint64_t bits, unsigned x, unsigned y)
{
    unsigned n = x * 4 + y;

    return (unsigned)(bits >> (16 + n) & 1) << 1 | (unsigned)(bits >> n & 1);
}

static void set(uint8_t *texel, const int colour[3], int change)
{
    for (unsigned c = 0; c < 3; c++)
        texel[c] = clamp(colour[c] + change);
    texel[3] = 255;
}

/* Index 2 of a block with punch-through that is not opaque has no colour. */
static bool is_hole(const struct etc_block *b, unsigned index)
{
    return b->punch_through && !b->opaque && index == 2;
}

/* Individual and differential mode: two halves with a base colour and a table of changes each. */
static void decode_halves(const struct etc_block *b, const int base[2][3], uint8_t texel[16][4])
{
    static const int16_t change[8][2] = {{2, 8}, {5, 17}, {9, 29}, {13, 42}, {18, 60}, {24, 80}, {33, 106}, {47, 183}};
    bool flipped = b->bits >> 32 & 1;
    const unsigned table[2] = {field(b->bits, 39, 37), field(b->bits, 36, 34)};

    for (unsigned i = 0; i < 16; i++) {
        unsigned x = i % 4, y = i / 4, half = (flipped ? y : x) >= 2, n = pixel_index(b->bits, x, y);
        int amount = change[table[half]][n & 1];

        if (b->punch_through && !b->opaque && !(n & 1))
            amount = 0;
        if (is_hole(b, n))
            memset(texel[i], 0, 4);
        else
            set(texel[i], base[half], n & 2 ? -amount : amount);
    }
}

static void decode_painted(const struct etc_block *b, const int paint[4][3], uint8_t texel[16][4])
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned n = pixel_index(b->bits, i % 4, i / 4);

        if (is_hole(b, n))
            memset(texel[i], 0, 4);
        else
            set(texel[i], paint[n], 0);
    }
}

static const uint8_t distance[8] = {3, 6, 11, 16, 23, 32, 41, 64};

static void offset_colour(int out[3], const int in[3], int by)
{
    for (unsigned c = 0; c < 3; c++)
        out[c] = clamp(in[c] + by);
}

static void decode_t(const struct etc_block *b, uint8_t texel[16][4])
{
    uint64_t v = b->bits;
    const int first[3] = {extend(field(v, 60, 59) << 2 | field(v, 57, 56), 4), extend(field(v, 55, 52), 4),
                          extend(field(v, 51, 48), 4)};
    const int second[3] = {extend(field(v, 47, 44), 4), extend(field(v, 43, 40), 4), extend(field(v, 39, 36), 4)};
    int d = distance[field(v, 35, 34) << 1 | field(v, 32, 32)], paint[4][3];

    offset_colour(paint[0], first, 0);
    offset_colour(paint[1], second, d);
    offset_colour(paint[2], second, 0);
    offset_colour(paint[3], second, -d);
    decode_painted(b, (const int(*)[3])paint, texel);
}

static void decode_h(const struct etc_block *b, uint8_t texel[16][4])
{
    uint64_t v = b->bits;
    unsigned r1 = field(v, 62, 59), g1 = field(v, 58, 56) << 1 | field(v, 52, 52);
    unsigned b1 = field(v, 51, 51) << 3 | field(v, 49, 47);
    unsigned r2 = field(v, 46, 43), g2 = field(v, 42, 39), b2 = field(v, 38, 35);
    bool ordered = (r1 << 8 | g1 << 4 | b1) >= (r2 << 8 | g2 << 4 | b2);
    const int first[3] = {extend(r1, 4), extend(g1, 4), extend(b1, 4)};
    const int second[3] = {extend(r2, 4), extend(g2, 4), extend(b2, 4)};
    int d = distance[field(v, 34, 34) << 2 | field(v, 32, 32) << 1 | ordered], paint[4][3];

    offset_colour(paint[0], first, d);
    offset_colour(paint[1], first, -d);
    offset_colour(paint[2], second, d);
    offset_colour(paint[3], second, -d);
    decode_painted(b, (const int(*)[3])paint, texel);
}

/* Colours at the origin, to the right and below; between them a plane. */
static void decode_planar(uint64_t v, uint8_t texel[16][4])
{
    const int o[3] = {extend(field(v, 62, 57), 6), extend(field(v, 56, 56) << 6 | field(v, 54, 49), 7),
                      extend(field(v, 48, 48) << 5 | field(v, 44, 43) << 3 | field(v, 41, 39), 6)};
    const int h[3] = {extend(field(v, 38, 34) << 1 | field(v, 32, 32), 6), extend(field(v, 31, 25), 7),
                      extend(field(v, 24, 19), 6)};
    const int d[3] = {extend(field(v, 18, 13), 6), extend(field(v, 12, 6), 7), extend(field(v, 5, 0), 6)};

    for (int i = 0; i < 16; i++) {
        int x = i % 4, y = i / 4;

        for (unsigned c = 0; c < 3; c++)
            texel[i][c] = clamp((x * (h[c] - o[c]) + y * (d[c] - o[c]) + 4 * o[c] + 2) >> 2);
        texel[i][3] = 255;
    }
}

void etc2_decode(const uint8_t *block, bool punch_through, uint8_t texel[16][4])
{
    struct etc_block b = {.bits = big_endian(block), .punch_through = punch_through};
    bool flag = b.bits >> 33 & 1;
    int base[2][3];

    b.opaque = flag;
    if (!flag && !punch_through) {
        for (unsigned c = 0; c < 3; c++)
            for (unsigned half = 0; half < 2; half++)
                base[half][c] = extend(field(b.bits, 63 - 8 * c - 4 * half, 60 - 8 * c - 4 * half), 4);
        decode_halves(&b, (const int(*)[3])base, texel);
        return;
    }
    /* Differential, unless a sum leaves 5 bits: which one, names the other modes. */
    for (unsigned c = 0; c < 3; c++) {
        int first = (int)field(b.bits, 63 - 8 * c, 59 - 8 * c), change = (int)field(b.bits, 58 - 8 * c, 56 - 8 * c);
        int second = first + (change < 4 ? change : change - 8);

        if (second < 0 || second > 31) {
            if (c == 0)
                decode_t(&b, texel);
            else if (c == 1)
                decode_h(&b, texel);
            else
                decode_planar(b.bits, texel);
            return;
        }
        base[0][c] = extend((unsigned)first, 5);
        base[1][c] = extend((unsigned)second, 5);
    }
    decode_halves(&b, (const int(*)[3])base, texel);
}

/* ---- EAC */

static const int8_t modifier[16][8] = {
    {-3, -6, -9, -15, 2, 5, 8, 14}, {-3, -7, -10, -13, 2, 6, 9, 12}, {-2, -5, -8, -13, 1, 4, 7, 12},
    {-2, -4, -6, -13, 1, 3, 5, 12}, {-3, -6, -8, -12, 2, 5, 7, 11},  {-3, -7, -9, -11, 2, 6, 8, 10},
    {-4, -7, -8, -11, 3, 6, 7, 10}, {-3, -5, -8, -11, 2, 4, 7, 10},  {-2, -6, -8, -10, 1, 5, 7, 9},
    {-2, -5, -8, -10, 1, 4, 7, 9},  {-2, -4, -8, -10, 1, 3, 7, 9},   {-2, -5, -7, -10, 1, 4, 6, 9},
    {-3, -4, -7, -10, 2, 3, 6, 9},  {-1, -2, -3, -10, 0, 1, 2, 9},   {-4, -6, -8, -9, 3, 5, 7, 8},
    {-3, -5, -7, -9, 2, 4, 6, 8},
};

static int eac_modifier(uint64_t bits, unsigned i)
{
    unsigned column_major = i % 4 * 4 + i / 4;

    return modifier[field(bits, 51, 48)][bits >> (45 - 3 * column_major) & 7];
}

void eac_decode_alpha(const uint8_t *block, uint8_t alpha[16])
{
    uint64_t bits = big_endian(block);

    for (unsigned i = 0; i < 16; i++)
        alpha[i] = clamp((int)field(bits, 63, 56) + eac_modifier(bits, i) * (int)field(bits, 55, 52));
}

void eac_decode_11(const uint8_t *block, bool is_signed, float texel[16])
{
    uint64_t bits = big_endian(block);
    int base = is_signed ? (int8_t)block[0] : block[0], scale = (int)field(bits, 55, 52);
    int low = is_signed ? -1023 : 0, high = is_signed ? 1023 : 2047;

    if (is_signed && base == -128)
        base = -127;
    for (unsigned i = 0; i < 16; i++) {
        int v = base * 8 + (is_signed ? 0 : 4) + eac_modifier(bits, i) * (scale ? scale * 8 : 1);

        texel[i] = (float)(v < low ? low : v > high ? high : v) / (float)high;
    }
}
