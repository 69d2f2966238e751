/* BC6H and BC7 (ARB_texture_compression_bptc). Tables: bptc.def. */
#include <string.h>

#include "mediator/soft/compress.h"
#include "mediator/soft/half.h"

static const uint16_t partition2[64] = {
#define BPTC_PARTITION2
#include "mediator/soft/bptc.def"
#undef BPTC_PARTITION2
};
static const uint32_t partition3[64] = {
#define BPTC_PARTITION3
#include "mediator/soft/bptc.def"
#undef BPTC_PARTITION3
};
static const uint8_t anchor2[64] = {
#define BPTC_ANCHOR2
#include "mediator/soft/bptc.def"
#undef BPTC_ANCHOR2
};
static const uint8_t anchor3[2][64] = {{
#define BPTC_ANCHOR3A
#include "mediator/soft/bptc.def"
#undef BPTC_ANCHOR3A
                                       },
                                       {
#define BPTC_ANCHOR3B
#include "mediator/soft/bptc.def"
#undef BPTC_ANCHOR3B
                                       }};

/* ---- bits, the lowest first */

struct reader {
    uint64_t low, high;
    unsigned at;
};

static struct reader reader(const uint8_t *block)
{
    struct reader r = {0};

    for (unsigned i = 0; i < 8; i++) {
        r.low |= (uint64_t)block[i] << (8 * i);
        r.high |= (uint64_t)block[i + 8] << (8 * i);
    }
    return r;
}

/* At most 16 bits; zeros behind the end. */
static unsigned take(struct reader *r, unsigned n)
{
    uint64_t v = 0;

    if (r->at < 64) {
        v = r->low >> r->at;
        if (r->at > 48)
            v |= r->high << 1 << (63 - r->at);
    } else if (r->at < 128) {
        v = r->high >> (r->at - 64);
    }
    r->at += n;
    return (unsigned)v & ((1u << n) - 1);
}

static int interpolate(int a, int b, unsigned index, unsigned bits)
{
    static const uint8_t weight[3][16] = {
        {0, 21, 43, 64}, {0, 9, 18, 27, 37, 46, 55, 64}, {0, 4, 9, 13, 17, 21, 26, 30, 34, 38, 43, 47, 51, 55, 60, 64}};
    int w = weight[bits - 2][index];

    return ((64 - w) * a + w * b + 32) >> 6;
}

static unsigned subset_of(unsigned subsets, unsigned partition, unsigned texel)
{
    return subsets == 1   ? 0
           : subsets == 2 ? partition2[partition] >> texel & 1
                          : partition3[partition] >> (2 * texel) & 3;
}

static bool is_anchor(unsigned subsets, unsigned partition, unsigned texel)
{
    return texel == 0 || (subsets == 2 && texel == anchor2[partition]) ||
           (subsets == 3 && (texel == anchor3[0][partition] || texel == anchor3[1][partition]));
}

static void take_indices(struct reader *r, unsigned subsets, unsigned partition, unsigned bits, uint8_t index[16])
{
    for (unsigned i = 0; i < 16; i++)
        index[i] = (uint8_t)take(r, bits - is_anchor(subsets, partition, i));
}

/* ---- BC7 */

struct bc7_mode {
    uint8_t subsets, partition_bits, rotation_bits, selection_bits, colour_bits, alpha_bits;
    uint8_t p_bits; /* 1: one for each endpoint, 2: one for both ends of a subset */
    uint8_t index_bits, second_bits;
};

static const struct bc7_mode bc7_modes[8] = {
    {3, 4, 0, 0, 4, 0, 1, 3, 0}, {2, 6, 0, 0, 6, 0, 2, 3, 0}, {3, 6, 0, 0, 5, 0, 0, 2, 0}, {2, 6, 0, 0, 7, 0, 1, 2, 0},
    {1, 0, 2, 1, 5, 6, 0, 2, 3}, {1, 0, 2, 0, 7, 8, 0, 2, 2}, {1, 0, 0, 0, 7, 7, 1, 4, 0}, {2, 6, 0, 0, 5, 5, 1, 2, 0},
};

static uint8_t expand(unsigned v, unsigned bits)
{
    v <<= 8 - bits;
    return (uint8_t)(v | v >> bits);
}

static void take_endpoints(struct reader *r, const struct bc7_mode *m, uint8_t end[6][4])
{
    unsigned raw[6][4], n = m->subsets * 2u, colour = m->colour_bits, alpha = m->alpha_bits;

    for (unsigned c = 0; c < 3; c++)
        for (unsigned e = 0; e < n; e++)
            raw[e][c] = take(r, colour);
    for (unsigned e = 0; e < n; e++)
        raw[e][3] = alpha ? take(r, alpha) : 0;
    for (unsigned e = 0, p = 0; e < n && m->p_bits; e++) {
        if (m->p_bits == 1 || !(e & 1))
            p = take(r, 1);
        for (unsigned c = 0; c < 4; c++)
            raw[e][c] = raw[e][c] << 1 | p;
    }
    colour += m->p_bits != 0;
    alpha += m->p_bits != 0 && alpha;
    for (unsigned e = 0; e < n; e++) {
        for (unsigned c = 0; c < 3; c++)
            end[e][c] = expand(raw[e][c], colour);
        end[e][3] = m->alpha_bits ? expand(raw[e][3], alpha) : 255;
    }
}

static void bc7_texel(const struct bc7_mode *m, const uint8_t end[2][4], unsigned selection, unsigned first,
                      unsigned second, uint8_t texel[4])
{
    unsigned colour = first, colour_bits = m->index_bits, alpha = first, alpha_bits = m->index_bits;

    if (m->second_bits && selection) {
        colour = second;
        colour_bits = m->second_bits;
    } else if (m->second_bits) {
        alpha = second;
        alpha_bits = m->second_bits;
    }
    for (unsigned c = 0; c < 3; c++)
        texel[c] = (uint8_t)interpolate(end[0][c], end[1][c], colour, colour_bits);
    texel[3] = (uint8_t)interpolate(end[0][3], end[1][3], alpha, alpha_bits);
}

void bc7_decode(const uint8_t *block, uint8_t texel[16][4])
{
    struct reader r = reader(block);
    uint8_t end[6][4], first[16], second[16] = {0};

    if (!block[0]) {
        memset(texel, 0, 64);
        return;
    }
    unsigned number = (unsigned)__builtin_ctz(block[0]);
    const struct bc7_mode *m = &bc7_modes[number];
    r.at = number + 1;
    unsigned partition = take(&r, m->partition_bits), rotation = take(&r, m->rotation_bits);
    unsigned selection = take(&r, m->selection_bits);
    take_endpoints(&r, m, end);
    take_indices(&r, m->subsets, partition, m->index_bits, first);
    if (m->second_bits)
        take_indices(&r, m->subsets, partition, m->second_bits, second);
    for (unsigned i = 0; i < 16; i++) {
        unsigned subset = subset_of(m->subsets, partition, i);

        bc7_texel(m, (const uint8_t(*)[4])end + 2 * subset, selection, first[i], second[i], texel[i]);
        if (rotation) {
            uint8_t t = texel[i][rotation - 1];
            texel[i][rotation - 1] = texel[i][3];
            texel[i][3] = t;
        }
    }
}

/* ---- BC6H */

struct bc6h_mode {
    bool valid, transformed;
    uint8_t partition_bits, endpoint_bits, index_bits;
    uint8_t delta_bits[3];
    struct {
        uint8_t value;
        uint8_t first;
        int8_t bits;
    } field[24];
};

static const struct bc6h_mode bc6h_modes[] = {
#define BC6H_RESERVED() {.valid = false},
#define BC6H_MODE(t, p, e, i, d, ...)                                                                                  \
    {.valid = true,                                                                                                    \
     .transformed = (t),                                                                                               \
     .partition_bits = (p),                                                                                            \
     .endpoint_bits = (e),                                                                                             \
     .index_bits = (i),                                                                                                \
     .delta_bits = d,                                                                                                  \
     .field = {__VA_ARGS__}},
#define DELTAS(r, g, b)                                                                                                \
    {                                                                                                                  \
        r, g, b                                                                                                        \
    }
#include "mediator/soft/bptc.def"
#undef DELTAS
#undef BC6H_MODE
#undef BC6H_RESERVED
};

static unsigned reversed(unsigned v, unsigned bits)
{
    unsigned out = 0;

    for (unsigned i = 0; i < bits; i++)
        out |= (v >> i & 1) << (bits - 1 - i);
    return out;
}

static int sign_extend(int v, unsigned bits)
{
    return (int)((unsigned)v << (32 - bits)) >> (32 - bits);
}

static int unquantize(int v, unsigned bits, bool is_signed)
{
    bool negative = v < 0;

    if (is_signed) {
        if (bits >= 16 || v == 0)
            return v;
        v = negative ? -v : v;
        v = v >= (1 << (bits - 1)) - 1 ? 0x7fff : ((v << 15) + 0x4000) >> (bits - 1);
        return negative ? -v : v;
    }
    if (bits >= 15 || v == 0)
        return v;
    return v == (1 << bits) - 1 ? 0xffff : ((v << 15) + 0x4000) >> (bits - 1);
}

static void take_float_endpoints(struct reader *r, const struct bc6h_mode *m, bool is_signed, int end[4][3])
{
    int *flat = end[0];

    memset(end, 0, 12 * sizeof(int));
    for (unsigned i = 0; i < 24 && m->field[i].bits; i++) {
        unsigned n = (unsigned)(m->field[i].bits < 0 ? -m->field[i].bits : m->field[i].bits), v = take(r, n);

        flat[m->field[i].value] |= (int)((m->field[i].bits < 0 ? reversed(v, n) : v) << m->field[i].first);
    }
    for (unsigned e = 0; e < (m->partition_bits ? 4u : 2u); e++)
        for (unsigned c = 0; c < 3; c++) {
            if (m->transformed && e)
                end[e][c] = (end[0][c] + sign_extend(end[e][c], m->delta_bits[c])) & ((1 << m->endpoint_bits) - 1);
        }
    for (unsigned e = 0; e < 4; e++)
        for (unsigned c = 0; c < 3; c++) {
            int v = is_signed ? sign_extend(end[e][c], m->endpoint_bits) : end[e][c];
            end[e][c] = unquantize(v, m->endpoint_bits, is_signed);
        }
}

/* The interpolated value scaled to the bits of a half. */
static float finish(int v, bool is_signed)
{
    if (!is_signed)
        return soft_half_to_float((uint16_t)(v * 31 / 64));
    return soft_half_to_float((uint16_t)(v < 0 ? (-v * 31 / 32) | 0x8000 : v * 31 / 32));
}

void bc6h_decode(const uint8_t *block, bool is_signed, float texel[16][3])
{
    struct reader r = reader(block);
    unsigned number = block[0] & 2 ? ((block[0] >> 1 & 0xe) | (block[0] & 1)) + 2u : block[0] & 3u;
    const struct bc6h_mode *m = &bc6h_modes[number];
    uint8_t index[16];
    int end[4][3];

    if (!m->valid) {
        memset(texel, 0, 48 * sizeof(float));
        return;
    }
    r.at = block[0] & 2 ? 5 : 2;
    take_float_endpoints(&r, m, is_signed, end);
    unsigned subsets = m->partition_bits ? 2 : 1, partition = take(&r, m->partition_bits);
    take_indices(&r, subsets, partition, m->index_bits, index);
    for (unsigned i = 0; i < 16; i++) {
        unsigned subset = subset_of(subsets, partition, i);

        for (unsigned c = 0; c < 3; c++)
            texel[i][c] =
                finish(interpolate(end[2 * subset][c], end[2 * subset + 1][c], index[i], m->index_bits), is_signed);
    }
}
