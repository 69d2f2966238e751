/* The body of sampler_axis, inlined where it shall be compiled for a vector unit. */
#ifndef GTMUX_SOFT_SAMPLER_AXIS_H
#define GTMUX_SOFT_SAMPLER_AXIS_H

#include <math.h>

#include "mediator/soft/sampler.h"

#define SAMPLER_INLINE static inline __attribute__((always_inline))

/*
 * Positions are brought near the texture first, as floats (a repeat count of millions must not cost precision or reach
 * an integer out of range), then rounded to 1/256 texel for linear filters. What is left to do in integers is one step
 * beyond either end, or more where texel offsets are given.
 */

/* NaN becomes 0, infinities something finite. */
SAMPLER_INLINE float axis_sane(float c)
{
    c = c == c ? c : 0;
    c = c > -0x1p30f ? c : -0x1p30f;
    return c < 0x1p30f ? c : 0x1p30f;
}

/* Layer of an array: nearest, clamped. */
SAMPLER_INLINE int32_t axis_layer(float r, uint32_t layers)
{
    float nearest = floorf(axis_sane(r) + 0.5f);

    nearest = nearest > 0 ? nearest : 0;
    return (int32_t)(nearest < (float)layers ? nearest : (float)(layers - 1));
}

/* Position in texels. scale: the size, or 1 for coordinates that count texels already. */
SAMPLER_INLINE float axis_reduce(float c, float size, float scale, unsigned mode)
{
    switch (mode) {
    case ADDRESS_WRAP:
        return (c - floorf(c)) * size;
    case ADDRESS_MIRROR:
        return (c - 2 * floorf(c / 2)) * size;
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
    int32_t index[LANES];

    for (unsigned i = 0; i < lanes; i++) {
        float extent = (float)(int32_t)size[i];
        float texel = axis_reduce(axis_sane(coordinate[i]), extent, unnormalized ? 1 : extent, mode);
        int32_t fixed = (int32_t)floorf(linear ? texel * 256 + 0.5f : texel);

        a->weight[i] = linear ? (fixed - 128) & 255 : 0;
        index[i] = linear ? (fixed - 128) >> 8 : fixed;
    }
    if (offset) {
        for (unsigned i = 0; i < lanes; i++) {
            a->first[i] = axis_place_far(index[i] + offset[i], (int32_t)size[i], mode);
            a->second[i] = axis_place_far(index[i] + offset[i] + linear, (int32_t)size[i], mode);
        }
        return;
    }
    for (unsigned i = 0; i < lanes; i++)
        a->first[i] = axis_place(index[i], (int32_t)size[i], mode);
    for (unsigned i = 0; i < lanes; i++)
        a->second[i] = axis_place(index[i] + linear, (int32_t)size[i], mode);
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
    case ADDRESS_HALF_BORDER:
        axis_mode(coordinate, size, offset, lanes, ADDRESS_HALF_BORDER, linear, unnormalized, a);
        break;
    case ADDRESS_CUBE:
        axis_mode(coordinate, size, offset, lanes, ADDRESS_CUBE, linear, unnormalized, a);
        break;
    default:
        axis_mode(coordinate, size, offset, lanes, ADDRESS_CLAMP, linear, unnormalized, a);
    }
}

#endif
