#include <math.h>
#include <stddef.h>
#include <string.h>

#include "mediator/soft/half.h"
#include "mediator/soft/srgb.h"
#include "mediator/soft/surface.h"
#include "vgpu/base/bits.h"

#define R(t, n, f) .channel[0] = {SOFT_CH_##t, n, f}
#define G(t, n, f) .channel[1] = {SOFT_CH_##t, n, f}
#define B(t, n, f) .channel[2] = {SOFT_CH_##t, n, f}
#define A(t, n, f) .channel[3] = {SOFT_CH_##t, n, f}
static const struct soft_format formats[1024] = {
#define FORMAT(text, n, b, w, h, ...)                                                                                  \
    [n] = {.name = #text, .number = (n), .bits = (b), .block_width_px = (w), .block_height_px = (h), ##__VA_ARGS__},
#include "mediator/soft/formats.def"
#undef FORMAT
};
#undef R
#undef G
#undef B
#undef A

const struct soft_format *soft_format_find(unsigned number)
{
    return number < GT_ARRAY_SIZE(formats) && formats[number].name ? &formats[number] : NULL;
}

bool soft_format_is_integer(const struct soft_format *f)
{
    for (unsigned c = 0; c < 4; c++) {
        unsigned type = f->channel[c].type;

        if (type != SOFT_CH_NONE)
            return type == SOFT_CH_UINT || type == SOFT_CH_SINT || type == SOFT_CH_RAW;
    }
    return false;
}

/* At most 64 bits anywhere in an element. */
static uint64_t get_bits(const uint8_t *element, unsigned first, unsigned bits)
{
    uint64_t v = 0;
    unsigned byte = first / 8, shift = first % 8, n = (shift + bits + 7) / 8;

    if (n > 8) { /* only byte-aligned fields have 64 bits */
        n = 8;
    }
    memcpy(&v, element + byte, n);
    v >>= shift;
    return bits < 64 ? v & (GT_BIT64(bits) - 1) : v;
}

static int64_t sign_extend(uint64_t v, unsigned bits)
{
    return (int64_t)(v << (64 - bits)) >> (64 - bits);
}

static float snorm(int64_t v, unsigned bits)
{
    double f = (double)v / (double)((INT64_C(1) << (bits - 1)) - 1);

    return (float)GT_MAX(f, -1.0);
}

static float float_channel(uint64_t v, unsigned bits)
{
    double d;

    switch (bits) {
    case 10:
        return soft_ufloat_to_float((uint32_t)v, 5);
    case 11:
        return soft_ufloat_to_float((uint32_t)v, 6);
    case 16:
        return soft_half_to_float((uint16_t)v);
    case 64:
        memcpy(&d, &v, sizeof(d));
        return (float)d;
    default:
        return soft_as_float((uint32_t)v);
    }
}

static uint32_t unpack_channel(unsigned type, uint64_t v, unsigned bits, bool srgb)
{
    switch (type) {
    case SOFT_CH_UNORM: {
        double d = (double)v / (double)(GT_BIT64(bits) - 1);
        return soft_as_bits((float)(srgb ? soft_srgb_decode(d) : d));
    }
    case SOFT_CH_SNORM:
        return soft_as_bits(snorm(sign_extend(v, bits), bits));
    case SOFT_CH_SINT:
        return (uint32_t)sign_extend(v, bits);
    case SOFT_CH_FLOAT:
    case SOFT_CH_UFLOAT:
        return soft_as_bits(float_channel(v, bits));
    case SOFT_CH_USCALED:
        return soft_as_bits((float)v);
    case SOFT_CH_SSCALED:
        return soft_as_bits((float)sign_extend(v, bits));
    case SOFT_CH_FIXED:
        return soft_as_bits((float)((double)sign_extend(v, bits) / 65536.0));
    default: /* UINT; RAW has its low half here */
        return (uint32_t)v;
    }
}

/* R9G9B9E5: three mantissas without a leading one, biased by 15 (EXT_texture_shared_exponent). */
static void unpack_shared_exponent(const void *element, uint32_t out[4])
{
    uint32_t v;

    memcpy(&v, element, sizeof(v));
    for (unsigned c = 0; c < 3; c++)
        out[c] = soft_as_bits(ldexpf((float)(v >> (9 * c) & 0x1ff), (int)(v >> 27) - 15 - 9));
    out[3] = soft_as_bits(1.0f);
}

void soft_format_unpack(const struct soft_format *f, const void *element, uint32_t out[4])
{
    uint32_t one = soft_format_is_integer(f) ? 1 : soft_as_bits(1.0f);

    if (f->shared_exponent) {
        unpack_shared_exponent(element, out);
        return;
    }
    for (unsigned c = 0; c < 4; c++) {
        unsigned bits = f->channel[c].bits;

        out[c] = c == 3 ? one : 0;
        if (bits)
            out[c] = unpack_channel(f->channel[c].type, get_bits(element, f->channel[c].first, bits), bits,
                                    f->srgb && c < 3);
    }
    if (f->luminance || f->intensity)
        out[1] = out[2] = out[0];
    if (f->intensity)
        out[3] = out[0];
}

/* Rounds to nearest, ties to even, after clamping to lo..hi; NaN gives 0. */
static int64_t quantize(double v, double scale, double lo, double hi)
{
    if (!(v == v))
        return 0;
    return (int64_t)nearbyint(GT_MIN(GT_MAX(v, lo), hi) * scale);
}

static uint64_t pack_float(float v, unsigned bits)
{
    double d = (double)v;
    uint64_t raw;

    switch (bits) {
    case 10:
        return soft_float_to_ufloat(v, 5);
    case 11:
        return soft_float_to_ufloat(v, 6);
    case 16:
        return soft_float_to_half(v);
    case 64:
        memcpy(&raw, &d, sizeof(raw));
        return raw;
    default:
        return soft_as_bits(v);
    }
}

static uint64_t pack_channel(unsigned type, uint32_t in, unsigned bits, bool srgb)
{
    uint64_t top = bits < 64 ? GT_BIT64(bits) - 1 : UINT64_MAX, half = top >> 1;
    double v = (double)soft_as_float(in);

    switch (type) {
    case SOFT_CH_UNORM:
        if (srgb)
            v = soft_srgb_encode(v < 0 || !(v == v) ? 0 : GT_MIN(v, 1.0));
        return (uint64_t)quantize(v, (double)top, 0, 1);
    case SOFT_CH_SNORM:
        return (uint64_t)quantize(v, (double)half, -1, 1);
    case SOFT_CH_UINT:
        return GT_MIN(in, top);
    case SOFT_CH_SINT: {
        int64_t s = (int32_t)in, max = (int64_t)half;
        return (uint64_t)GT_MAX(GT_MIN(s, max), -max - 1);
    }
    case SOFT_CH_FLOAT:
    case SOFT_CH_UFLOAT:
        return pack_float(soft_as_float(in), bits);
    case SOFT_CH_USCALED:
        return (uint64_t)quantize(v, 1, 0, (double)top);
    case SOFT_CH_SSCALED:
        return (uint64_t)quantize(v, 1, -(double)half - 1, (double)half);
    case SOFT_CH_FIXED:
        return (uint64_t)quantize(v, 65536, -32768, 32767.99998);
    default:
        return in;
    }
}

/* EXT_texture_shared_exponent: the exponent of the largest, so that it rounds to a 9-bit mantissa. */
static void pack_shared_exponent(const uint32_t in[4], void *element)
{
    float v[3], largest = 0;
    int exponent;

    for (unsigned c = 0; c < 3; c++) {
        float f = soft_as_float(in[c]);
        v[c] = f > 0 ? GT_MIN(f, 65408.0f) : 0; /* 511/512 * 2^16 */
        largest = GT_MAX(largest, v[c]);
    }
    (void)frexpf(largest, &exponent);
    exponent = largest > 0 ? GT_MAX(exponent, -15) : -15;
    if (floorf(ldexpf(largest, 9 - exponent) + 0.5f) >= 512)
        exponent++;
    uint32_t word = (uint32_t)(exponent + 15) << 27;
    for (unsigned c = 0; c < 3; c++)
        word |= (uint32_t)floorf(ldexpf(v[c], 9 - exponent) + 0.5f) << (9 * c);
    memcpy(element, &word, sizeof(word));
}

/* The bytes of the element are zero where no channel has been yet. */
static void put_bits(uint8_t *element, unsigned first, unsigned bits, uint64_t v)
{
    uint64_t old = 0;
    unsigned n = GT_MIN((first % 8 + bits + 7) / 8, 8u);

    if (bits < 64)
        v &= GT_BIT64(bits) - 1;
    memcpy(&old, element + first / 8, n);
    old |= v << first % 8;
    memcpy(element + first / 8, &old, n);
}

void soft_format_pack(const struct soft_format *f, const uint32_t in[4], void *element)
{
    if (f->shared_exponent) {
        pack_shared_exponent(in, element);
        return;
    }
    memset(element, 0, (f->bits + 7u) / 8);
    for (unsigned c = 0; c < 4; c++) {
        unsigned bits = f->channel[c].bits;

        if (bits)
            put_bits(element, f->channel[c].first, bits,
                     pack_channel(f->channel[c].type, in[c], bits, f->srgb && c < 3));
    }
}
