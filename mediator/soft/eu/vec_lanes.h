/* Part of vec_impl.h: vectors of 8 channels, how they are loaded, and how results are stored. */
#ifndef GTMUX_SOFT_EU_VEC_LANES_H
#define GTMUX_SOFT_EU_VEC_LANES_H

#include <math.h>
#include <string.h>

#ifdef __SSE2__
#include <immintrin.h>
#endif

#include "mediator/soft/eu/any.h"
#include "mediator/soft/eu/vec.h"

#define INLINE static inline __attribute__((always_inline))
#define LANES  8u
#define BYTES  32u

typedef float vf __attribute__((vector_size(BYTES)));
typedef int32_t vi __attribute__((vector_size(BYTES)));
typedef uint32_t vu __attribute__((vector_size(BYTES)));
typedef int16_t vh __attribute__((vector_size(BYTES / 2)));
typedef uint16_t vuh __attribute__((vector_size(BYTES / 2)));

INLINE vf splat_f(float v)
{
    return (vf){v, v, v, v, v, v, v, v};
}

INLINE vi splat_i(int32_t v)
{
    return (vi){v, v, v, v, v, v, v, v};
}

/* all ones in channels of `mask`: from a, else from b */
INLINE vi choose_i(vi mask, vi a, vi b)
{
#ifdef __AVX2__
    return (vi)_mm256_blendv_epi8((__m256i)b, (__m256i)a, (__m256i)mask);
#else
    return (a & mask) | (b & ~mask);
#endif
}

INLINE vf choose_f(vi mask, vf a, vf b)
{
    return (vf)choose_i(mask, (vi)a, (vi)b);
}

INLINE vi lanes_of(uint32_t mask)
{
    const vi bit = {1, 2, 4, 8, 16, 32, 64, 128};

    return (splat_i((int32_t)mask) & bit) == bit;
}

/* One bit a channel. */
INLINE uint32_t bits_of(vi mask)
{
#if defined(__AVX2__)
    return (uint32_t)_mm256_movemask_ps((__m256)mask);
#else
    uint32_t bits = 0;

    for (unsigned i = 0; i < LANES; i++)
        bits |= (uint32_t)(mask[i] < 0) << i;
    return bits;
#endif
}

/* ---- operands */

INLINE vi load_8(const void *p)
{
    vi v;

    memcpy(&v, p, sizeof(v));
    return v;
}

INLINE int32_t load_1(const void *p)
{
    int32_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

/* Words one behind the other. */
INLINE vi load_words(const void *p, bool is_signed)
{
    vh v;

    memcpy(&v, p, sizeof(v));
    return is_signed ? __builtin_convertvector(v, vi) : __builtin_convertvector((vuh)v, vi);
}

#define GATHER(ctype)                                                                                                  \
    for (unsigned i = 0; i < n; i++) {                                                                                 \
        ctype one;                                                                                                     \
        memcpy(&one, base + lane[i], sizeof(one));                                                                     \
        v[i] = (int32_t)one;                                                                                           \
    }                                                                                                                  \
    break

/* Other regions, and smaller types, which are extended. */
static vi gather(const struct eu_thread *t, const struct eu_op *op, const struct eu_src *s, unsigned chunk)
{
    const uint16_t *lane = op->table + (size_t)s->pattern * EU_LANES + chunk * LANES;
    const uint8_t *base = (const uint8_t *)t + s->off;
    unsigned n = op->width < LANES ? op->width : LANES;
    vi v = {0};

    if (s->shape == EU_SHAPE_VEC && (s->type == EU_TYPE_UW || s->type == EU_TYPE_W))
        return load_words(base + chunk * BYTES / 2, s->type == EU_TYPE_W);
    switch (s->type) {
    case EU_TYPE_UB:
        GATHER(uint8_t);
    case EU_TYPE_B:
        GATHER(int8_t);
    case EU_TYPE_UW:
        GATHER(uint16_t);
    case EU_TYPE_W:
        GATHER(int16_t);
    default:
        GATHER(int32_t);
    }
    return v;
}

INLINE vi source(const struct eu_thread *t, const struct eu_op *op, unsigned i, unsigned shape, unsigned chunk)
{
    const struct eu_src *s = &op->src[i];
    const uint8_t *at = (const uint8_t *)t + s->off;

    switch (shape) {
    case EU_SHAPE_VEC:
        return load_8(at + chunk * BYTES);
    case EU_SHAPE_SCALAR:
        return splat_i(load_1(at));
    case EU_SHAPE_IMM:
        return splat_i((int32_t)op->imm);
    default:
        return gather(t, op, s, chunk);
    }
}

/* Eight nibbles, for each chunk again. */
static vi nibbles(uint32_t imm, bool is_signed)
{
    const vu up = {28, 24, 20, 16, 12, 8, 4, 0};
    vu v = (vu)splat_i((int32_t)imm) << up;

    return is_signed ? (vi)v >> splat_i(28) : (vi)(v >> (vu)splat_i(28));
}

/* As source, of an integer type of any size. */
INLINE vi source_int(const struct eu_thread *t, const struct eu_op *op, unsigned i, unsigned chunk)
{
    const struct eu_src *s = &op->src[i];

    if (__builtin_expect(eu_types[s->type].kind == EU_KIND_V, 0))
        return nibbles((uint32_t)op->imm, s->type == EU_TYPE_V);
    return source(t, op, i, s->shape == EU_SHAPE_IMM || eu_types[s->type].bytes == 4 ? s->shape : EU_SHAPE_PATTERN,
                  chunk);
}

/* Modifiers as what to keep of the sign bit and what to turn. */
struct signs {
    vi keep, turn;
};

INLINE struct signs signs_of(const struct eu_src *s)
{
    return (struct signs){.keep = splat_i(s->abs ? INT32_MAX : -1), .turn = splat_i(s->neg ? INT32_MIN : 0)};
}

INLINE vf sign(struct signs g, vi v)
{
    return (vf)((v & g.keep) ^ g.turn);
}

INLINE vf source_f(const struct eu_thread *t, const struct eu_op *op, unsigned i, unsigned chunk)
{
    const struct eu_src *s = &op->src[i];
    vi v = source(t, op, i, s->shape, chunk);

    return s->neg || s->abs ? sign(signs_of(s), v) : (vf)v;
}

/* ---- results */

INLINE void put(struct eu_thread *t, const struct eu_op *op, unsigned chunk, uint32_t mask, vi v)
{
    uint8_t *at = (uint8_t *)t + op->dst.off + chunk * BYTES;

    if (__builtin_expect((mask & 0xff) != 0xff, 0))
        v = choose_i(lanes_of(mask), v, load_8(at));
    memcpy(at, &v, sizeof(v));
}

INLINE void put_all(struct eu_thread *t, const struct eu_op *op, unsigned chunk, vi v)
{
    memcpy((uint8_t *)t + op->dst.off + chunk * BYTES, &v, sizeof(v));
}

/* Flags of 8 channels, gathered for all of the instruction. */
INLINE uint32_t compare_f(unsigned cond, vf a, vf b)
{
    switch (cond) {
    case EU_COND_Z:
        return bits_of(a == b);
    case EU_COND_NZ:
        return bits_of(a != b);
    case EU_COND_G:
        return bits_of(a > b);
    case EU_COND_GE:
        return bits_of(a >= b);
    case EU_COND_L:
        return bits_of(a < b);
    case EU_COND_LE:
        return bits_of(a <= b);
    default:
        return bits_of((a != a) | (b != b));
    }
}

INLINE uint32_t compare_i(unsigned cond, bool is_unsigned, vi a, vi b)
{
    vi flip = splat_i(is_unsigned ? INT32_MIN : 0);

    if (cond == EU_COND_Z || cond == EU_COND_NZ)
        return bits_of(a == b) ^ (cond == EU_COND_NZ ? 0xff : 0);
    a ^= flip;
    b ^= flip;
    if (cond == EU_COND_G || cond == EU_COND_LE)
        return bits_of(a > b) ^ (cond == EU_COND_LE ? 0xff : 0);
    return bits_of(a < b) ^ (cond == EU_COND_GE ? 0xff : 0);
}

INLINE vf saturate(vf v)
{
    v = choose_f(v > splat_f(0), v, splat_f(0));
    return choose_f(v < splat_f(1), v, splat_f(1));
}

/* Saturation, flags and store of a float result. */
INLINE void finish_f(struct eu_thread *t, const struct eu_op *op, unsigned chunk, uint32_t mask, vf v, uint32_t *flags)
{
    if (op->saturate)
        v = saturate(v);
    if (op->cond)
        *flags |= compare_f(op->cond, v, splat_f(0)) << chunk * LANES;
    if (!op->dst.null)
        put(t, op, chunk, mask, (vi)v);
}

INLINE void finish_i(struct eu_thread *t, const struct eu_op *op, unsigned chunk, uint32_t mask, vi v, uint32_t *flags)
{
    if (op->cond)
        *flags |= compare_i(op->cond, eu_types[op->dst.type].kind == EU_KIND_U, v, splat_i(0)) << chunk * LANES;
    if (!op->dst.null)
        put(t, op, chunk, mask, v);
}

INLINE void finish_flags(struct eu_thread *t, const struct eu_op *op, uint32_t mask, uint32_t flags)
{
    if (op->cond)
        eu_put_flags(t, op, mask, flags);
}

#endif
