/* Small floating point formats: IEEE half, and the unsigned ones of 11 and 10 bits that share its exponent. */
#ifndef GTMUX_SOFT_HALF_H
#define GTMUX_SOFT_HALF_H

#include <stdint.h>
#include <string.h>

static inline float soft_as_float(uint32_t bits)
{
    float f;

    memcpy(&f, &bits, sizeof(f));
    return f;
}

static inline uint32_t soft_as_bits(float f)
{
    uint32_t bits;

    memcpy(&bits, &f, sizeof(bits));
    return bits;
}

/* Exact. The exponent is moved by a multiplication, which gives denormals their value as well. */
static inline float soft_half_to_float(uint16_t h)
{
    uint32_t magnitude = (uint32_t)(h & 0x7fff) << 13;
    float f = soft_as_float(magnitude) * 0x1p112f;
    uint32_t bits = soft_as_bits(f);

    if ((h & 0x7c00) == 0x7c00)
        bits |= 0x7f800000;
    return soft_as_float(bits | (uint32_t)(h & 0x8000) << 16);
}

/* To nearest even; beyond the largest half: infinity. NaN stays NaN. */
static inline uint16_t soft_float_to_half(float f)
{
    uint32_t bits = soft_as_bits(f), sign = bits >> 16 & 0x8000;

    bits &= 0x7fffffff;
    if (bits >= 0x7f800000)
        return (uint16_t)(sign | 0x7c00 | (bits > 0x7f800000 ? 0x200 : 0));
    if (bits >= 0x477ff000) /* 65520: rounds to 65536 */
        return (uint16_t)(sign | 0x7c00);
    if (bits < 0x38800000) { /* below 2^-14: let the adder of floats round to multiples of 2^-24 */
        float shifted = soft_as_float(bits) + 0.5f;
        return (uint16_t)(sign | (soft_as_bits(shifted) - soft_as_bits(0.5f)));
    }
    bits += 0xfff + (bits >> 13 & 1) - (112u << 23);
    return (uint16_t)(sign | bits >> 13);
}

/* Unsigned float with a mantissa of `mantissa` bits (6 or 5) and the exponent of a half. */
static inline float soft_ufloat_to_float(uint32_t v, unsigned mantissa)
{
    return soft_half_to_float((uint16_t)(v << (10 - mantissa)));
}

/* To nearest even. Negative gives 0, NaN a NaN; finite values stay finite (EXT_packed_float). */
static inline uint32_t soft_float_to_ufloat(float f, unsigned mantissa)
{
    uint32_t bits = soft_as_bits(f), infinity = 31u << mantissa;
    unsigned shift = 23 - mantissa;

    if ((bits & 0x7fffffff) > 0x7f800000)
        return infinity | 1;
    if (bits >> 31)
        return 0;
    if (bits == 0x7f800000)
        return infinity;
    if (bits < 0x38800000) { /* multiples of 2^(-14 - mantissa): the last place of this magnitude */
        float magic = soft_as_float((127u - 14 + 23 - mantissa) << 23);
        return soft_as_bits(f + magic) - soft_as_bits(magic);
    }
    bits += (1u << (shift - 1)) - 1 + (bits >> shift & 1);
    bits -= 112u << 23;
    bits >>= shift;
    return bits >= infinity ? infinity - 1 : bits;
}

#endif
