/* The body of sampler_axis, inlined where it shall be compiled for a vector unit. */
#ifndef GTMUX_SOFT_SAMPLER_AXIS_H
#define GTMUX_SOFT_SAMPLER_AXIS_H

#include <math.h>
#include <string.h>

#include "mediator/soft/half.h"
#include "mediator/soft/sampler.h"

#define SAMPLER_INLINE static inline __attribute__((always_inline))

/*
 * Positions are brought near the texture first, as floats (a repeat count of millions must not cost precision or reach
 * an integer out of range), then rounded to 1/256 texel for linear filters. What is left to do in integers is one step
 * beyond either end, or more where texel offsets are given.
 */

/* For |v| < 2^31: compilers make vector code of it on every host, unlike of floorf. */
SAMPLER_INLINE float axis_floor(float v)
{
    float towards_zero = (float)(int32_t)v;

    return towards_zero - (float)(towards_zero > v);
}

/* Layer of an array: nearest, clamped. NaN gives 0. */
SAMPLER_INLINE int32_t axis_layer(float r, uint32_t layers)
{
    float last = (float)(layers - 1);

    r = r > 0 ? r : 0;
    return (int32_t)axis_floor((r < last ? r : last) + 0.5f);
}

/* Beyond 2^30 a repeated texture has no position any more; no conversion must see such values, nor NaN. */
SAMPLER_INLINE float axis_repeatable(float c)
{
    return soft_as_float(soft_as_bits(c) & (0u - (uint32_t)(fabsf(c) < 0x1p30f))); /* a branch would stay one */
}

/* Position in texels. scale: the size, or 1 for coordinates that count texels already. */
SAMPLER_INLINE float axis_reduce(float c, float size, float scale, unsigned mode)
{
    switch (mode) {
    case ADDRESS_WRAP:
        c = axis_repeatable(c);
        return (c - axis_floor(c)) * size;
    case ADDRESS_MIRROR:
        c = axis_repeatable(c);
        return (c - 2 * axis_floor(c / 2)) * size;
    case ADDRESS_MIRROR_ONCE:
        c = fabsf(c);
        break;
    default:
        break;
    }
    float low = mode == ADDRESS_HALF_BORDER ? 0 : -size - 64, high = mode == ADDRESS_HALF_BORDER ? size : 2 * size + 64;
    float texel = c * scale;
    texel = texel > low ? texel : low;
    return texel < high ? texel : high;
}

/* One index, at most a texture's size beyond it. */
SAMPLER_INLINE int32_t axis_place(int32_t i, int32_t size, unsigned mode)
{
    switch (mode) {
    case ADDRESS_WRAP:
        i = i < 0 ? i + size : i;
        return i >= size ? i - size : i;
    case ADDRESS_MIRROR:
        i = i < 0 ? -1 - i : i;
        i = i >= size ? 2 * size - 1 - i : i;
        return i < 0 ? 0 : i; /* 2 * size is 0 again */
    case ADDRESS_MIRROR_ONCE:
        i = i < 0 ? -1 - i : i;
        return i < size ? i : size - 1;
    case ADDRESS_BORDER:
    case ADDRESS_HALF_BORDER:
        return i >= 0 && i < size ? i : TEXEL_BORDER;
    case ADDRESS_CUBE: /* sampler_cube_wrap goes on */
        i = i < -1 ? -1 : i;
        return i > size ? size : i;
    default:
        i = i < 0 ? 0 : i;
        return i < size ? i : size - 1;
    }
}

SAMPLER_INLINE int32_t axis_modulo(int32_t i, int32_t size)
{
    i %= size;
    return i < 0 ? i + size : i;
}

/* With offsets an index may be anywhere. */
SAMPLER_INLINE int32_t axis_place_far(int32_t i, int32_t size, unsigned mode)
{
    if (mode == ADDRESS_WRAP)
        return axis_modulo(i, size);
    if (mode == ADDRESS_MIRROR)
        i = axis_modulo(i, 2 * size);
    return axis_place(i, size, mode);
}

SAMPLER_INLINE void axis_mode(const float *coordinate, const uint32_t *size, const int32_t *offset, unsigned lanes,
                              unsigned mode, bool linear, bool unnormalized, struct sampler_axis *a)
{
    int32_t index[LANES], weight[LANES], extent[LANES];

    /* Into arrays of its own, which nothing else can overlap: then the loops become vector code. */
    for (unsigned i = 0; i < lanes; i++) {
        float size_f = (float)(int32_t)size[i];
        float texel = axis_reduce(coordinate[i], size_f, unnormalized ? 1 : size_f, mode);
        int32_t fixed = (int32_t)axis_floor(linear ? texel * 256 + 0.5f : texel);

        weight[i] = linear ? (fixed - 128) & 255 : 0;
        index[i] = linear ? (fixed - 128) >> 8 : fixed;
        extent[i] = (int32_t)size[i];
    }
    memcpy(a->weight, weight, lanes * sizeof(weight[0]));
    if (offset) {
        for (unsigned i = 0; i < lanes; i++) {
            a->first[i] = axis_place_far(index[i] + offset[i], extent[i], mode);
            a->second[i] = axis_place_far(index[i] + offset[i] + linear, extent[i], mode);
        }
        return;
    }
    for (unsigned i = 0; i < lanes; i++)
        a->first[i] = axis_place(index[i], extent[i], mode);
    for (unsigned i = 0; i < lanes; i++)
        a->second[i] = axis_place(index[i] + linear, extent[i], mode);
}

/* A loop of its own for each mode. */
SAMPLER_INLINE void axis_body(const float *coordinate, const uint32_t *size, const int32_t *offset, unsigned lanes,
                              unsigned mode, bool linear, bool unnormalized, struct sampler_axis *a)
{
    float quotient[LANES];

    if (unnormalized && (mode == ADDRESS_WRAP || mode == ADDRESS_MIRROR)) {
        for (unsigned i = 0; i < lanes; i++)
            quotient[i] = coordinate[i] / (float)(int32_t)size[i];
        coordinate = quotient;
    }
    switch (mode) {
    case ADDRESS_WRAP:
        axis_mode(coordinate, size, offset, lanes, ADDRESS_WRAP, linear, false, a);
        break;
    case ADDRESS_MIRROR:
        axis_mode(coordinate, size, offset, lanes, ADDRESS_MIRROR, linear, false, a);
        break;
    case ADDRESS_BORDER:
        axis_mode(coordinate, size, offset, lanes, ADDRESS_BORDER, linear, unnormalized, a);
        break;
    case ADDRESS_MIRROR_ONCE:
        axis_mode(coordinate, size, offset, lanes, ADDRESS_MIRROR_ONCE, linear, unnormalized, a);
        break;
    case ADDRESS_HALF_BORDER: /* half of the border counts in linear filters only (GL_CLAMP) */
        axis_mode(coordinate, size, offset, lanes, linear ? ADDRESS_HALF_BORDER : ADDRESS_CLAMP, linear, unnormalized,
                  a);
        break;
    case ADDRESS_CUBE:
        axis_mode(coordinate, size, offset, lanes, ADDRESS_CUBE, linear, unnormalized, a);
        break;
    default:
        axis_mode(coordinate, size, offset, lanes, ADDRESS_CLAMP, linear, unnormalized, a);
    }
}

#endif
