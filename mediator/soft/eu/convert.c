/* Conversions of small float formats. */
#include <string.h>

#include "mediator/soft/eu/inst.h"

static float from_bits(uint32_t v)
{
    float f;

    memcpy(&f, &v, sizeof(f));
    return f;
}

float eu_vf_to_float(uint8_t vf)
{
    uint32_t sign = (uint32_t)(vf & 0x80) << 24;

    if (!(vf & 0x7f))
        return from_bits(sign);
    return from_bits(sign | ((uint32_t)(vf >> 4 & 7) + 124) << 23 | (uint32_t)(vf & 15) << 19);
}

float eu_half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 0x3ff;

    if (exponent == 31)
        return from_bits(sign | 0x7f800000 | mantissa << 13);
    if (exponent)
        return from_bits(sign | (exponent + 112) << 23 | mantissa << 13);
    if (!mantissa)
        return from_bits(sign);
    for (exponent = 113; !(mantissa & 0x400); exponent--)
        mantissa <<= 1;
    return from_bits(sign | exponent << 23 | (mantissa & 0x3ff) << 13);
}

/* Whether what is cut off makes the magnitude one larger. */
static bool rounds_away(unsigned rounding, bool negative, bool odd, uint32_t rest, uint32_t one)
{
    switch (rounding) {
    case 0:
        return rest > one / 2 || (rest == one / 2 && odd);
    case 1:
        return rest && !negative;
    case 2:
        return rest && negative;
    default:
        return false;
    }
}

uint16_t eu_float_to_half(float f, unsigned rounding)
{
    uint32_t v, sign, magnitude, shift = 13, half, one;

    memcpy(&v, &f, sizeof(v));
    sign = v >> 16 & 0x8000;
    magnitude = v & 0x7fffffff;
    if (magnitude > 0x7f800000) /* NaN stays NaN, quiet */
        return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
    if (magnitude == 0x7f800000)
        return (uint16_t)(sign | 0x7c00);
    if (magnitude >= 0x47800000) { /* 65536 and more: as the largest half and something */
        half = 0x7bff;
        return (uint16_t)(sign | (half + rounds_away(rounding, sign, true, 0x1fff, 0x2000)));
    }
    if (magnitude < 0x38800000) { /* denormal: 2^-24 is one */
        shift = magnitude < 0x32800000 ? 25 : 126 - (magnitude >> 23);
        magnitude = shift == 25 ? magnitude != 0 : (magnitude & 0x7fffff) | 0x800000;
    } else {
        magnitude -= 112u << 23;
    }
    one = 1u << shift;
    half = magnitude >> shift;
    half += rounds_away(rounding, sign, half & 1, magnitude & (one - 1), one);
    return (uint16_t)(sign | half);
}
