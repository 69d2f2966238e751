/*
 * ASTC, the LDR profile of 2D blocks (Khronos Data Format specification, chapter 23). A block is settings, then colour
 * endpoints from its lower end on and weights from its upper end, both integers in a mixed base. What the specification
 * calls an error decodes as magenta.
 */
#include <string.h>

#include "mediator/soft/compress.h"

#define WEIGHTS_MAX 64u
#define COLOURS_MAX 18u

/* ---- bits */

struct bits {
    uint64_t low, high;
};

static unsigned get(const struct bits *b, unsigned at, unsigned n)
{
    uint64_t v = at < 64 ? b->low >> at : at < 128 ? b->high >> (at - 64) : 0;

    if (at < 64 && at + n > 64)
        v |= b->high << (64 - at);
    return (unsigned)v & ((1u << n) - 1);
}

static uint64_t reverse64(uint64_t v)
{
    uint64_t out = 0;

    for (unsigned i = 0; i < 64; i++)
        out |= (v >> i & 1) << (63 - i);
    return out;
}

/* ---- integer sequences: values of `bits` bits, with a trit or a quint on top of them */

struct range {
    uint8_t trits, quints, bits;
};

/* In the order of size: 2, 3, 4, 5, 6, 8, 10 .. 256 values. */
static const struct range ranges[21] = {
    {0, 0, 1}, {1, 0, 0}, {0, 0, 2}, {0, 1, 0}, {1, 0, 1}, {0, 0, 3}, {0, 1, 1},
    {1, 0, 2}, {0, 0, 4}, {0, 1, 2}, {1, 0, 3}, {0, 0, 5}, {0, 1, 3}, {1, 0, 4},
    {0, 0, 6}, {0, 1, 4}, {1, 0, 5}, {0, 0, 7}, {0, 1, 5}, {1, 0, 6}, {0, 0, 8},
};

static unsigned sequence_bits(const struct range *r, unsigned n)
{
    return n * r->bits + (r->trits ? (8 * n + 4) / 5 : 0) + (r->quints ? (7 * n + 2) / 3 : 0);
}

static void split_trits(unsigned t, uint8_t out[5])
{
    unsigned c = t & 0x1f;

    if ((t >> 2 & 7) == 7) {
        c = (t >> 5 & 7) << 2 | (t & 3);
        out[4] = out[3] = 2;
    } else if ((t >> 5 & 3) == 3) {
        out[4] = 2;
        out[3] = t >> 7 & 1;
    } else {
        out[4] = t >> 7 & 1;
        out[3] = t >> 5 & 3;
    }
    if ((c & 3) == 3) {
        out[2] = 2;
        out[1] = c >> 4 & 1;
        out[0] = (uint8_t)((c >> 3 & 1) << 1 | (c >> 2 & ~(c >> 3) & 1));
    } else if ((c >> 2 & 3) == 3) {
        out[2] = out[1] = 2;
        out[0] = c & 3;
    } else {
        out[2] = c >> 4 & 1;
        out[1] = c >> 2 & 3;
        out[0] = (uint8_t)((c >> 1 & 1) << 1 | (c & ~(c >> 1) & 1));
    }
}

static void split_quints(unsigned q, uint8_t out[3])
{
    unsigned c = q & 0x1f;

    if ((q >> 1 & 3) == 3 && (q >> 5 & 3) == 0) {
        unsigned off = ~q & 1;
        out[2] = (uint8_t)((q & 1) << 2 | (q >> 4 & off) << 1 | (q >> 3 & off));
        out[1] = out[0] = 4;
        return;
    }
    if ((q >> 1 & 3) == 3) {
        out[2] = 4;
        c = (q >> 3 & 3) << 3 | (~(q >> 5) & 3) << 1 | (q & 1);
    } else {
        out[2] = q >> 5 & 3;
    }
    if ((c & 7) == 5) {
        out[1] = 4;
        out[0] = c >> 3 & 3;
    } else {
        out[1] = c >> 3 & 3;
        out[0] = c & 7;
    }
}

struct value {
    uint8_t digit, low; /* trit or quint; the bits below it */
};

/* Bits of a sequence: zero behind its end, whatever comes there. */
struct sequence {
    const struct bits *b;
    unsigned at, end;
};

static unsigned next_bits(struct sequence *s, unsigned n)
{
    unsigned left = s->end > s->at ? s->end - s->at : 0, v = get(s->b, s->at, n < left ? n : left);

    s->at += n;
    return v;
}

static void read_trits(struct sequence *s, unsigned bits, struct value out[5])
{
    static const uint8_t share[5] = {2, 2, 1, 2, 1};
    uint8_t digit[5];
    unsigned t = 0;

    for (unsigned i = 0, at = 0; i < 5; at += share[i++]) {
        out[i].low = (uint8_t)next_bits(s, bits);
        t |= next_bits(s, share[i]) << at;
    }
    split_trits(t, digit);
    for (unsigned i = 0; i < 5; i++)
        out[i].digit = digit[i];
}

static void read_quints(struct sequence *s, unsigned bits, struct value out[3])
{
    static const uint8_t share[3] = {3, 2, 2};
    uint8_t digit[3];
    unsigned q = 0;

    for (unsigned i = 0, at = 0; i < 3; at += share[i++]) {
        out[i].low = (uint8_t)next_bits(s, bits);
        q |= next_bits(s, share[i]) << at;
    }
    split_quints(q, digit);
    for (unsigned i = 0; i < 3; i++)
        out[i].digit = digit[i];
}

/* n values; out has room for four more. */
static void read_sequence(const struct bits *b, unsigned at, const struct range *r, unsigned n, struct value *out)
{
    struct sequence s = {.b = b, .at = at, .end = at + sequence_bits(r, n)};

    if (r->trits)
        for (unsigned i = 0; i < n; i += 5)
            read_trits(&s, r->bits, out + i);
    else if (r->quints)
        for (unsigned i = 0; i < n; i += 3)
            read_quints(&s, r->bits, out + i);
    else
        for (unsigned i = 0; i < n; i++)
            out[i] = (struct value){.low = (uint8_t)next_bits(&s, r->bits)};
}

/* ---- from values to 0..255 and 0..64 */

/* The pattern names for each bit of B the bit of the value (1: b ..) it comes from, the highest first. */
static unsigned spread(const char *pattern, unsigned low)
{
    unsigned out = 0;

    for (; *pattern; pattern++)
        out = out << 1 | (*pattern == '0' ? 0 : low >> (*pattern - 'a') & 1);
    return out;
}

struct unquantizer {
    const char *pattern;
    uint8_t factor;
};

static unsigned replicate(unsigned v, unsigned bits, unsigned to)
{
    unsigned out = 0, have = 0;

    for (; have < to; have += bits)
        out = out << bits | v;
    return out >> (have - to);
}

static unsigned colour_value(const struct range *r, struct value v)
{
    static const struct unquantizer trit[7] = {{"", 0},           {"", 204},         {"b000b0bb0", 93},
                                               {"cb000cbcb", 44}, {"dcb000dcb", 22}, {"edcb000ed", 11},
                                               {"fedcb000f", 5}};
    static const struct unquantizer quint[6] = {{"", 0},           {"", 113},         {"b0000bb00", 54},
                                                {"cb0000cbc", 26}, {"dcb0000dc", 13}, {"edcb0000e", 6}};

    if (!r->trits && !r->quints)
        return replicate(v.low, r->bits, 8);
    const struct unquantizer *u = r->trits ? &trit[r->bits] : &quint[r->bits];
    unsigned a = v.low & 1 ? 0x1ff : 0, t = v.digit * u->factor + spread(u->pattern, v.low);
    t ^= a;
    return (a & 0x80) | (t >> 2 & 0x7f);
}

static unsigned weight_value(const struct range *r, struct value v)
{
    static const uint8_t trit0[3] = {0, 32, 63}, quint0[5] = {0, 16, 32, 47, 63};
    static const struct unquantizer trit[4] = {{"", 0}, {"", 50}, {"b000b0b", 23}, {"cb000cb", 11}};
    static const struct unquantizer quint[3] = {{"", 0}, {"", 28}, {"b0000b0", 13}};
    unsigned w;

    if (!r->trits && !r->quints) {
        w = replicate(v.low, r->bits, 6);
    } else if (r->bits == 0) {
        w = r->trits ? trit0[v.digit] : quint0[v.digit];
    } else {
        const struct unquantizer *u = r->trits ? &trit[r->bits] : &quint[r->bits];
        unsigned a = v.low & 1 ? 0x7f : 0, t = v.digit * u->factor + spread(u->pattern, v.low);
        t ^= a;
        w = (a & 0x20) | (t >> 2 & 0x1f);
    }
    return w > 32 ? w + 1 : w;
}

/* ---- settings */

struct astc {
    struct bits b, reversed;
    unsigned width, height;           /* of the block */
    unsigned grid_width, grid_height; /* of weights */
    const struct range *weight_range;
    bool dual;
    unsigned dual_channel, partitions, seed;
    unsigned endpoint_mode[4];
    int end[4][2][4]; /* partition, end, channel */
    uint8_t weight[2][WEIGHTS_MAX];
};

/* Eleven bits: size of the weight grid, range of weights, dual plane. */
static bool block_mode(struct astc *s)
{
    unsigned m = get(&s->b, 0, 11), a = m >> 5 & 3, b = m >> 7 & 3, r = m >> 4 & 1;
    bool high = m >> 9 & 1;

    s->dual = m >> 10 & 1;
    if (m & 3) {
        r |= (m & 3) << 1;
        switch (m >> 2 & 3) {
        case 0:
            s->grid_width = b + 4;
            s->grid_height = a + 2;
            break;
        case 1:
            s->grid_width = b + 8;
            s->grid_height = a + 2;
            break;
        case 2:
            s->grid_width = a + 2;
            s->grid_height = b + 8;
            break;
        default:
            s->grid_width = b & 2 ? (b & 1) + 2 : a + 2;
            s->grid_height = b & 2 ? a + 2 : (b & 1) + 6;
        }
    } else {
        r |= (m >> 2 & 3) << 1;
        if (b == 2) {
            s->grid_width = a + 6;
            s->grid_height = (m >> 9 & 3) + 6;
            s->dual = high = false;
        } else {
            s->grid_width = b == 0 ? 12 : b == 1 ? a + 2 : a == 0 ? 6 : 10;
            s->grid_height = b == 0 ? a + 2 : b == 1 ? 12 : a == 0 ? 10 : 6;
        }
        if (b == 3 && a > 1)
            return false;
    }
    if (r < 2)
        return false;
    s->weight_range = &ranges[r - 2 + (high ? 6 : 0)];
    return s->grid_width <= s->width && s->grid_height <= s->height;
}

static unsigned weight_count(const struct astc *s)
{
    return s->grid_width * s->grid_height * (s->dual ? 2 : 1);
}

static bool read_weights(struct astc *s, unsigned *bits)
{
    struct value v[WEIGHTS_MAX + 4];
    unsigned n = weight_count(s), planes = s->dual ? 2 : 1;

    if (n > WEIGHTS_MAX)
        return false;
    *bits = sequence_bits(s->weight_range, n);
    if (*bits < 24 || *bits > 96)
        return false;
    read_sequence(&s->reversed, 0, s->weight_range, n, v);
    for (unsigned i = 0; i < n; i++)
        s->weight[i % planes][i / planes] = (uint8_t)weight_value(s->weight_range, v[i]);
    return true;
}

/* Modes of the endpoints of each partition. *below: first bit of the weights, moved down by what lies under them. */
static unsigned read_modes(struct astc *s, unsigned *below)
{
    unsigned selector, field, extra;

    if (s->partitions == 1) {
        s->endpoint_mode[0] = get(&s->b, 13, 4);
        return 17;
    }
    s->seed = get(&s->b, 13, 10);
    selector = get(&s->b, 23, 2);
    field = get(&s->b, 25, 4);
    for (unsigned i = 0; i < s->partitions && selector == 0; i++)
        s->endpoint_mode[i] = field;
    if (selector == 0)
        return 29;
    extra = 3 * s->partitions - 4;
    *below -= extra;
    field |= get(&s->b, *below, extra) << 4;
    for (unsigned i = 0; i < s->partitions; i++)
        s->endpoint_mode[i] = (selector - 1 + (field >> i & 1)) << 2 | (field >> (s->partitions + 2 * i) & 3);
    return 29;
}

/* ---- endpoints */

static int clamp255(int v)
{
    return v < 0 ? 0 : v > 255 ? 255 : v;
}

static void set_end(int out[4], int r, int g, int b, int a)
{
    out[0] = clamp255(r);
    out[1] = clamp255(g);
    out[2] = clamp255(b);
    out[3] = clamp255(a);
}

static void contract_blue(int out[4], int r, int g, int b, int a)
{
    set_end(out, (r + b) >> 1, (g + b) >> 1, b, a);
}

static void transfer_bit(int *a, int *b)
{
    *b = *b >> 1 | (*a & 0x80);
    *a = *a >> 1 & 0x3f;
    if (*a & 0x20)
        *a -= 0x40;
}

static void offset_ends(int v[8], bool alpha, int end[2][4])
{
    for (unsigned i = 0; i < (alpha ? 8u : 6u); i += 2)
        transfer_bit(&v[i + 1], &v[i]);
    int a0 = alpha ? v[6] : 255, a1 = alpha ? v[6] + v[7] : 255;
    if (v[1] + v[3] + v[5] >= 0) {
        set_end(end[0], v[0], v[2], v[4], a0);
        set_end(end[1], v[0] + v[1], v[2] + v[3], v[4] + v[5], a1);
    } else {
        contract_blue(end[0], v[0] + v[1], v[2] + v[3], v[4] + v[5], a1);
        contract_blue(end[1], v[0], v[2], v[4], a0);
    }
}

static void direct_ends(const int v[8], bool alpha, int end[2][4])
{
    int a0 = alpha ? v[6] : 255, a1 = alpha ? v[7] : 255;

    if (v[1] + v[3] + v[5] >= v[0] + v[2] + v[4]) {
        set_end(end[0], v[0], v[2], v[4], a0);
        set_end(end[1], v[1], v[3], v[5], a1);
    } else {
        contract_blue(end[0], v[1], v[3], v[5], a1);
        contract_blue(end[1], v[0], v[2], v[4], a0);
    }
}

static void grey_ends(int v[8], unsigned mode, int end[2][4])
{
    int first = v[0], second = v[1];

    if (mode == 1) {
        first = v[0] >> 2 | (v[1] & 0xc0);
        second = first + (v[1] & 0x3f);
    } else if (mode == 5) {
        transfer_bit(&v[1], &v[0]);
        transfer_bit(&v[3], &v[2]);
        first = v[0];
        second = v[0] + v[1];
        v[3] += v[2];
    }
    set_end(end[0], first, first, first, mode >= 4 ? v[2] : 255);
    set_end(end[1], second, second, second, mode >= 4 ? v[3] : 255);
}

static void scaled_ends(const int v[8], bool alpha, int end[2][4])
{
    set_end(end[0], v[0] * v[3] >> 8, v[1] * v[3] >> 8, v[2] * v[3] >> 8, alpha ? v[4] : 255);
    set_end(end[1], v[0], v[1], v[2], alpha ? v[5] : 255);
}

/* Modes of the HDR profile make their partition magenta. */
static void make_ends(int v[8], unsigned mode, int end[2][4])
{
    switch (mode) {
    case 0:
    case 1:
    case 4:
    case 5:
        grey_ends(v, mode, end);
        break;
    case 6:
    case 10:
        scaled_ends(v, mode == 10, end);
        break;
    case 8:
    case 12:
        direct_ends(v, mode == 12, end);
        break;
    case 9:
    case 13:
        offset_ends(v, mode == 13, end);
        break;
    default:
        set_end(end[0], 255, 0, 255, 255);
        set_end(end[1], 255, 0, 255, 255);
    }
}

/* The widest range whose values fit into the bits that are left. */
static const struct range *colour_range(unsigned n, int bits)
{
    for (unsigned i = 20; i >= 4; i--)
        if ((int)sequence_bits(&ranges[i], n) <= bits)
            return &ranges[i];
    return NULL;
}

static bool read_endpoints(struct astc *s, unsigned first, unsigned below)
{
    struct value v[COLOURS_MAX + 4];
    unsigned n = 0, at = 0;

    for (unsigned i = 0; i < s->partitions; i++)
        n += (s->endpoint_mode[i] / 4 + 1) * 2;
    const struct range *r = n > COLOURS_MAX ? NULL : colour_range(n, (int)below - (int)first);
    if (!r)
        return false;
    read_sequence(&s->b, first, r, n, v);
    for (unsigned i = 0; i < s->partitions; i++) {
        unsigned count = (s->endpoint_mode[i] / 4 + 1) * 2;
        int c[8] = {0};

        for (unsigned k = 0; k < count; k++)
            c[k] = (int)colour_value(r, v[at++]);
        make_ends(c, s->endpoint_mode[i], s->end[i]);
    }
    return true;
}

/* ---- texels */

static uint32_t hash(uint32_t p)
{
    p ^= p >> 15;
    p -= p << 17;
    p += p << 7;
    p += p << 4;
    p ^= p >> 5;
    p += p << 16;
    p ^= p >> 7;
    p ^= p >> 3;
    p ^= p << 6;
    return p ^ p >> 17;
}

static unsigned partition_of(const struct astc *s, unsigned x, unsigned y)
{
    uint32_t seed = s->seed + (s->partitions - 1) * 1024, random = hash(seed);
    unsigned three = s->partitions == 3 ? 6 : 5, other = seed & 2 ? 4 : 5, factor[8], sum[4];

    if (s->partitions == 1)
        return 0;
    if (s->width * s->height < 31) {
        x <<= 1;
        y <<= 1;
    }
    for (unsigned i = 0; i < 8; i++) {
        unsigned nibble = random >> (4 * i) & 15;

        factor[i] = nibble * nibble >> ((i & 1) == (seed & 1) ? three : other);
    }
    for (unsigned i = 0; i < 4; i++)
        sum[i] = (factor[2 * i] * x + factor[2 * i + 1] * y + (random >> (14 - 4 * i))) & 63;
    if (s->partitions < 4)
        sum[3] = 0;
    if (s->partitions < 3)
        sum[2] = 0;
    if (sum[0] >= sum[1] && sum[0] >= sum[2] && sum[0] >= sum[3])
        return 0;
    if (sum[1] >= sum[2] && sum[1] >= sum[3])
        return 1;
    return sum[2] >= sum[3] ? 2 : 3;
}

/* The weight of a texel from the four of the grid around it. */
static unsigned weight_at(const struct astc *s, const uint8_t *w, unsigned x, unsigned y)
{
    unsigned ds = (1024 + s->width / 2) / (s->width - 1), dt = (1024 + s->height / 2) / (s->height - 1);
    unsigned gs = (ds * x * (s->grid_width - 1) + 32) >> 6, gt = (dt * y * (s->grid_height - 1) + 32) >> 6;
    unsigned fs = gs & 15, ft = gt & 15, both = (fs * ft + 8) >> 4, at = (gs >> 4) + (gt >> 4) * s->grid_width;
    unsigned right = fs ? at + 1 : at, down = ft ? s->grid_width : 0;

    return (w[at] * (16 - fs - ft + both) + w[right] * (fs - both) + w[at + down] * (ft - both) +
            w[right + down] * both + 8) >>
           4;
}

static void make_texels(const struct astc *s, bool srgb, uint16_t (*texel)[4])
{
    for (unsigned i = 0; i < s->width * s->height; i++) {
        unsigned x = i % s->width, y = i / s->width;
        const int(*end)[4] = s->end[partition_of(s, x, y)];
        unsigned weight[2];

        weight[0] = weight_at(s, s->weight[0], x, y);
        weight[1] = s->dual ? weight_at(s, s->weight[1], x, y) : weight[0];
        for (unsigned c = 0; c < 4; c++) {
            unsigned w = weight[s->dual && c == s->dual_channel];
            unsigned a = (unsigned)end[0][c], b = (unsigned)end[1][c];

            a = a << 8 | (srgb ? 0x80 : a);
            b = b << 8 | (srgb ? 0x80 : b);
            texel[i][c] = (uint16_t)((a * (64 - w) + b * w + 32) >> 6);
        }
    }
}

static void fill_texels(unsigned n, const uint16_t colour[4], uint16_t (*texel)[4])
{
    for (unsigned i = 0; i < n; i++)
        memcpy(texel[i], colour, 4 * sizeof(uint16_t));
}

/* One colour for the whole block: 16 bits a channel in the upper half. */
static bool void_extent(const struct astc *s, uint16_t (*texel)[4])
{
    uint16_t colour[4];
    unsigned s0 = get(&s->b, 12, 13), s1 = get(&s->b, 25, 13), t0 = get(&s->b, 38, 13), t1 = get(&s->b, 51, 13);
    bool everywhere = (s0 & s1 & t0 & t1) == 0x1fff;

    if (get(&s->b, 9, 1) || get(&s->b, 10, 2) != 3 || (!everywhere && (s0 >= s1 || t0 >= t1)))
        return false;
    for (unsigned c = 0; c < 4; c++)
        colour[c] = (uint16_t)get(&s->b, 64 + 16 * c, 16);
    fill_texels(s->width * s->height, colour, texel);
    return true;
}

static bool decode(struct astc *s, bool srgb, uint16_t (*texel)[4])
{
    unsigned weight_bits;

    if (get(&s->b, 0, 9) == 0x1fc)
        return void_extent(s, texel);
    s->partitions = get(&s->b, 11, 2) + 1;
    if (!block_mode(s) || (s->dual && s->partitions == 4) || !read_weights(s, &weight_bits))
        return false;
    unsigned below = 128 - weight_bits, first = read_modes(s, &below);
    if (s->dual) {
        below -= 2;
        s->dual_channel = get(&s->b, below, 2);
    }
    if (!read_endpoints(s, first, below))
        return false;
    make_texels(s, srgb, texel);
    return true;
}

void astc_decode(const uint8_t *block, unsigned width, unsigned height, bool srgb, uint16_t (*texel)[4])
{
    static const uint16_t magenta[4] = {0xffff, 0, 0xffff, 0xffff};
    struct astc s = {.width = width, .height = height};

    for (unsigned i = 0; i < 8; i++) {
        s.b.low |= (uint64_t)block[i] << (8 * i);
        s.b.high |= (uint64_t)block[i + 8] << (8 * i);
    }
    s.reversed.low = reverse64(s.b.high);
    s.reversed.high = reverse64(s.b.low);
    if (!decode(&s, srgb, texel))
        fill_texels(width * height, magenta, texel);
}
