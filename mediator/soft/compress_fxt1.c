/*
 * FXT1: blocks of 8 x 4 texels, whose left and right half have palettes of their own in three of the four modes
 * (3DFX_texture_compression_FXT1).
 */
#include "mediator/soft/compress.h"

#include <string.h>

/* n bits from bit `at` on, n up to 7. */
static unsigned bits(const uint8_t *block, unsigned at, unsigned n)
{
    unsigned low = block[at / 8], high = at / 8 < 15 ? block[at / 8 + 1] : 0;

    return (low | high << 8) >> (at % 8) & ((1u << n) - 1);
}

/* To 8 bits, rounded. */
static uint8_t expand5(unsigned v)
{
    return (uint8_t)((v * 255 + 15) / 31);
}

static uint8_t expand6(unsigned v)
{
    return (uint8_t)((v * 255 + 31) / 63);
}

/* Blue, green and red of 5 bits each. */
static void colour555(const uint8_t *block, unsigned at, uint8_t out[4])
{
    out[2] = expand5(bits(block, at, 5));
    out[1] = expand5(bits(block, at + 5, 5));
    out[0] = expand5(bits(block, at + 10, 5));
    out[3] = 255;
}

/* The sixth bit of green is somewhere else. */
static void colour565(const uint8_t *block, unsigned at, unsigned green_low, uint8_t out[4])
{
    colour555(block, at, out);
    out[1] = expand6(bits(block, at + 5, 5) << 1 | green_low);
}

static void between(const uint8_t a[4], const uint8_t b[4], unsigned t, unsigned n, uint8_t out[4])
{
    for (unsigned c = 0; c < 4; c++)
        out[c] = (uint8_t)(((n - t) * a[c] + t * b[c] + n / 2) / n);
}

/* One palette for the block: two colours, five between them, nothing. */
static void palette_high(const uint8_t *block, uint8_t p[8][4])
{
    colour555(block, 96, p[0]);
    colour555(block, 111, p[6]);
    for (unsigned i = 1; i < 6; i++)
        between(p[0], p[6], i, 6, p[i]);
    memset(p[7], 0, 4);
}

static void palette_chroma(const uint8_t *block, uint8_t p[4][4])
{
    for (unsigned i = 0; i < 4; i++)
        colour555(block, 64 + 15 * i, p[i]);
}

/* Three colours with alpha and nothing; or each half's colour, the one that they share, and two between. */
static void palette_alpha(const uint8_t *block, bool right, uint8_t p[4][4])
{
    bool lerp = bits(block, 124, 1);
    unsigned first = lerp && right ? 2 : 0, last = lerp ? 1 : 2;

    if (!lerp) {
        for (unsigned i = 0; i < 3; i++) {
            colour555(block, 64 + 15 * i, p[i]);
            p[i][3] = expand5(bits(block, 109 + 5 * i, 5));
        }
        memset(p[3], 0, 4);
        return;
    }
    colour555(block, 64 + 15 * first, p[0]);
    p[0][3] = expand5(bits(block, 109 + 5 * first, 5));
    colour555(block, 64 + 15 * last, p[3]);
    p[3][3] = expand5(bits(block, 109 + 5 * last, 5));
    between(p[0], p[3], 1, 3, p[1]);
    between(p[0], p[3], 2, 3, p[2]);
}

/* Two colours for each half. The low bit of the first one's green is said by an index that it leaves free. */
static void palette_mixed(const uint8_t *block, bool right, uint8_t p[4][4])
{
    unsigned at = right ? 94 : 64, low = bits(block, right ? 126 : 125, 1), select = bits(block, right ? 33 : 1, 1);

    if (bits(block, 124, 1)) { /* one between, and nothing */
        colour555(block, at, p[0]);
        colour565(block, at + 15, low, p[2]);
        for (unsigned c = 0; c < 4; c++)
            p[1][c] = (uint8_t)((p[0][c] + p[2][c]) / 2);
        memset(p[3], 0, 4);
        return;
    }
    colour565(block, at, low ^ select, p[0]);
    colour565(block, at + 15, low, p[3]);
    between(p[0], p[3], 1, 3, p[1]);
    between(p[0], p[3], 2, 3, p[2]);
}

static void palette_of(const uint8_t *block, bool right, uint8_t p[8][4])
{
    if (bits(block, 127, 1))
        palette_mixed(block, right, p);
    else if (!bits(block, 126, 1))
        palette_high(block, p);
    else if (bits(block, 125, 1))
        palette_alpha(block, right, p);
    else
        palette_chroma(block, p);
}

void fxt1_decode(const uint8_t *block, uint8_t texel[32][4])
{
    unsigned index_bits = bits(block, 126, 2) ? 2 : 3;
    uint8_t palette[2][8][4];

    palette_of(block, false, palette[0]);
    palette_of(block, true, palette[1]);
    for (unsigned i = 0; i < 32; i++) {
        unsigned x = i % 8, at = x / 4 * 16 + i / 8 * 4 + x % 4;

        memcpy(texel[i], palette[x / 4][bits(block, at * index_bits, index_bits)], 4);
    }
}
