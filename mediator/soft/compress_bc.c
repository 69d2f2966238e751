/* BC1 to BC5 (EXT_texture_compression_s3tc, ARB_texture_compression_rgtc). */
#include "mediator/soft/compress.h"

#include <string.h>

static uint32_t dword(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void expand_565(unsigned v, uint8_t out[4])
{
    unsigned r = v >> 11, g = v >> 5 & 63, b = v & 31;

    out[0] = (uint8_t)(r << 3 | r >> 2);
    out[1] = (uint8_t)(g << 2 | g >> 4);
    out[2] = (uint8_t)(b << 3 | b >> 2);
    out[3] = 255;
}

/* Two colours and two between them; or one between and black without alpha. */
static void palette_565(const uint8_t *block, bool four, bool transparent, uint8_t colour[4][4])
{
    unsigned first = block[0] | (unsigned)block[1] << 8, second = block[2] | (unsigned)block[3] << 8;

    expand_565(first, colour[0]);
    expand_565(second, colour[1]);
    four = four || first > second;
    for (unsigned c = 0; c < 4; c++) {
        unsigned a = colour[0][c], b = colour[1][c];

        colour[2][c] = (uint8_t)(four ? (2 * a + b) / 3 : (a + b) / 2);
        colour[3][c] = (uint8_t)(four ? (a + 2 * b) / 3 : 0);
    }
    colour[3][3] = !four && transparent ? 0 : 255;
}

static void colours(const uint8_t *block, bool four, bool transparent, uint8_t texel[16][4])
{
    uint32_t index = dword(block + 4);
    uint8_t palette[4][4];

    palette_565(block, four, transparent, palette);
    for (unsigned i = 0; i < 16; i++)
        memcpy(texel[i], palette[index >> (2 * i) & 3], 4);
}

void bc1_decode(const uint8_t *block, bool transparent, uint8_t texel[16][4])
{
    colours(block, false, transparent, texel);
}

void bc2_decode(const uint8_t *block, uint8_t texel[16][4])
{
    colours(block + 8, true, false, texel);
    for (unsigned i = 0; i < 16; i++)
        texel[i][3] = (uint8_t)((block[i / 2] >> (4 * (i & 1)) & 15) * 17);
}

/* Three-bit index of texel i. */
static unsigned index_3(const uint8_t *block, unsigned i)
{
    uint64_t bits = dword(block + 2) | (uint64_t)(block[6] | (unsigned)block[7] << 8) << 32;

    return (unsigned)(bits >> (3 * i)) & 7;
}

void bc3_decode(const uint8_t *block, uint8_t texel[16][4])
{
    unsigned a = block[0], b = block[1];

    colours(block + 8, true, false, texel);
    for (unsigned i = 0; i < 16; i++) {
        unsigned n = index_3(block, i);

        if (n < 2)
            texel[i][3] = (uint8_t)(n ? b : a);
        else if (a > b)
            texel[i][3] = (uint8_t)(((8 - n) * a + (n - 1) * b) / 7);
        else
            texel[i][3] = (uint8_t)(n < 6 ? ((6 - n) * a + (n - 1) * b) / 5 : n == 6 ? 0 : 255);
    }
}

static float end_value(uint8_t v, bool is_signed)
{
    if (!is_signed)
        return v / 255.0f;
    return (int8_t)v == -128 ? -1.0f : (float)(int8_t)v / 127.0f;
}

void bc4_decode(const uint8_t *block, bool is_signed, float texel[16])
{
    float a = end_value(block[0], is_signed), b = end_value(block[1], is_signed);
    bool eight = is_signed ? (int8_t)block[0] > (int8_t)block[1] : block[0] > block[1];

    for (unsigned i = 0; i < 16; i++) {
        unsigned n = index_3(block, i);

        if (n < 2)
            texel[i] = n ? b : a;
        else if (eight)
            texel[i] = ((float)(8 - n) * a + (float)(n - 1) * b) / 7;
        else if (n < 6)
            texel[i] = ((float)(6 - n) * a + (float)(n - 1) * b) / 5;
        else
            texel[i] = n == 7 ? 1.0f : is_signed ? -1.0f : 0.0f;
    }
}
