/* Part of vec_impl.h: instructions with one source, extended math, words and conversions. */
#ifndef GTMUX_SOFT_EU_VEC_ONE_H
#define GTMUX_SOFT_EU_VEC_ONE_H

#include "mediator/soft/eu/vec_several.h"

/* ---- one source */

#define MOV(shape)                                                                                                     \
    static void mov_##shape(struct eu_thread *t, const struct eu_op *op, uint32_t mask)                                \
    {                                                                                                                  \
        EACH_CHUNK(source(t, op, 0, shape, c));                                                                        \
    }
MOV(V)
MOV(S)
MOV(I)

static void imov_any(struct eu_thread *t, const struct eu_op *op, uint32_t mask)
{
    uint32_t flags = 0;

    for (unsigned c = 0; c < op->chunks; c++)
        finish_i(t, op, c, mask >> c * LANES, modify_i(&op->src[0], false, source_int(t, op, 0, c)), &flags);
    finish_flags(t, op, mask, flags);
}

static void inot_any(struct eu_thread *t, const struct eu_op *op, uint32_t mask)
{
    uint32_t flags = 0;

    for (unsigned c = 0; c < op->chunks; c++)
        finish_i(t, op, c, mask >> c * LANES, ~modify_i(&op->src[0], true, source_int(t, op, 0, c)), &flags);
    finish_flags(t, op, mask, flags);
}

/* ---- words as destination: computed as dwords, cut */

INLINE void put_words(struct eu_thread *t, const struct eu_op *op, unsigned chunk, uint32_t mask, vi v)
{
    uint8_t *at = (uint8_t *)t + op->dst.off + chunk * BYTES / 2;
    vh words = __builtin_convertvector(v, vh);

    if (__builtin_expect((mask & 0xff) == 0xff, 1)) {
        memcpy(at, &words, sizeof(words));
        return;
    }
    for (unsigned i = 0; i < LANES; i++)
        if (mask >> i & 1)
            memcpy(at + 2 * i, (const uint8_t *)&words + 2 * i, 2);
}

#define WORDS(name, what)                                                                                              \
    static void name##_words(struct eu_thread *t, const struct eu_op *op, uint32_t mask)                               \
    {                                                                                                                  \
        bool logic = (what) == AND || (what) == OR || (what) == XOR;                                                   \
                                                                                                                       \
        for (unsigned c = 0; c < op->chunks; c++, mask >>= LANES) {                                                    \
            vi a = modify_i(&op->src[0], logic, source_int(t, op, 0, c));                                              \
                                                                                                                       \
            put_words(t, op, c, mask, two_i(what, a, modify_i(&op->src[1], logic, source_int(t, op, 1, c))));          \
        }                                                                                                              \
    }
WORDS(iadd, ADD)
WORDS(imul, MUL)
WORDS(iand, AND)
WORDS(ior, OR)
WORDS(ixor, XOR)
WORDS(ishl, SHL)

static void imov_words(struct eu_thread *t, const struct eu_op *op, uint32_t mask)
{
    for (unsigned c = 0; c < op->chunks; c++, mask >>= LANES)
        put_words(t, op, c, mask, modify_i(&op->src[0], false, source_int(t, op, 0, c)));
}

enum rounding { DOWN, UP, EVEN, ZERO };

INLINE vf round_8(vf v, enum rounding how)
{
#ifdef __AVX2__
    return (vf)(how == DOWN   ? _mm256_floor_ps((__m256)v)
                : how == UP   ? _mm256_ceil_ps((__m256)v)
                : how == EVEN ? _mm256_round_ps((__m256)v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
                              : _mm256_round_ps((__m256)v, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC));
#else
    for (unsigned i = 0; i < LANES; i++)
        v[i] = how == DOWN                          ? floorf(v[i])
               : how == UP                          ? ceilf(v[i])
               : how == ZERO                        ? truncf(v[i])
               : fabsf(v[i] - truncf(v[i])) == 0.5f ? 2 * roundf(v[i] / 2)
                                                    : roundf(v[i]);
    return v;
#endif
}

INLINE vf sqrt_8(vf v)
{
#ifdef __AVX2__
    return (vf)_mm256_sqrt_ps((__m256)v);
#else
    for (unsigned i = 0; i < LANES; i++)
        v[i] = sqrtf(v[i]);
    return v;
#endif
}

/* glibc's vector functions (at most 4 units in the last place off), or its scalar ones. */
#if defined(__AVX2__) && defined(__GLIBC__)
#define LIBM(name, vector)                                                                                             \
    __m256 vector(__m256);                                                                                             \
    static vf name##_8(vf v)                                                                                           \
    {                                                                                                                  \
        return (vf)vector((__m256)v);                                                                                  \
    }
__m256 _ZGVdN8vv_powf(__m256, __m256);
static vf pow_8(vf a, vf b)
{
    return (vf)_ZGVdN8vv_powf((__m256)(vf)((vi)a & splat_i(INT32_MAX)), (__m256)b);
}
#else
#define LIBM(name, vector)                                                                                             \
    static vf name##_8(vf v)                                                                                           \
    {                                                                                                                  \
        for (unsigned i = 0; i < LANES; i++)                                                                           \
            v[i] = name##f(v[i]);                                                                                      \
        return v;                                                                                                      \
    }
static vf pow_8(vf a, vf b)
{
    for (unsigned i = 0; i < LANES; i++)
        a[i] = powf(fabsf(a[i]), b[i]);
    return a;
}
#endif
LIBM(exp2, _ZGVdN8v_exp2f)
LIBM(log2, _ZGVdN8v_log2f)
LIBM(sin, _ZGVdN8v_sinf)
LIBM(cos, _ZGVdN8v_cosf)

/* Channels that do not run may hold anything: the slow path of a library for their values would be for nothing. */
INLINE vf quiet(vf v, uint32_t mask)
{
    return (mask & 0xff) == 0xff ? v : choose_f(lanes_of(mask), v, splat_f(1));
}

/* cond: of math it is the function. */
#define ONE_F(name, has_cond, expr)                                                                                    \
    static void name(struct eu_thread *t, const struct eu_op *op, uint32_t mask)                                       \
    {                                                                                                                  \
        uint32_t flags = 0;                                                                                            \
                                                                                                                       \
        for (unsigned c = 0; c < op->chunks; c++) {                                                                    \
            uint32_t m = mask >> c * LANES;                                                                            \
            vf x = source_f(t, op, 0, c), v = expr;                                                                    \
                                                                                                                       \
            if (has_cond)                                                                                              \
                finish_f(t, op, c, m, v, &flags);                                                                      \
            else                                                                                                       \
                put(t, op, c, m, (vi)(op->saturate ? saturate(v) : v));                                                \
        }                                                                                                              \
        if (has_cond)                                                                                                  \
            finish_flags(t, op, mask, flags);                                                                          \
    }
ONE_F(fmov_any, true, x)
ONE_F(frc_any, true, x - round_8(x, DOWN))
ONE_F(rndd_any, true, round_8(x, DOWN))
ONE_F(rndu_any, true, round_8(x, UP))
ONE_F(rnde_any, true, round_8(x, EVEN))
ONE_F(rndz_any, true, round_8(x, ZERO))
ONE_F(inv_any, false, splat_f(1) / x)
ONE_F(rsq_any, false, splat_f(1) / sqrt_8(x))
ONE_F(sqrt_any, false, sqrt_8(x))
ONE_F(exp_any, false, exp2_8(quiet(x, m)))
ONE_F(log_any, false, log2_8(quiet(x, m)))
ONE_F(sin_any, false, sin_8(quiet(x, m)))
ONE_F(cos_any, false, cos_8(quiet(x, m)))
ONE_F(pow_any, false, pow_8(quiet(x, m), quiet(source_f(t, op, 1, c), m)))
ONE_F(fdiv_any, false, x / source_f(t, op, 1, c))

/* ---- conversions */

static void f_from_int(struct eu_thread *t, const struct eu_op *op, uint32_t mask)
{
    bool is_unsigned = op->src[0].type == EU_TYPE_UD;
    uint32_t flags = 0;

    for (unsigned c = 0; c < op->chunks; c++) {
        vi v = modify_i(&op->src[0], false, source_int(t, op, 0, c));

        finish_f(t, op, c, mask >> c * LANES,
                 is_unsigned ? __builtin_convertvector((vu)v, vf) : __builtin_convertvector(v, vf), &flags);
    }
    finish_flags(t, op, mask, flags);
}

/* Towards zero; out of range to the nearest, NaN to 0. */
static void int_from_f(struct eu_thread *t, const struct eu_op *op, uint32_t mask)
{
    bool is_signed = op->dst.type == EU_TYPE_D;
    uint32_t flags = 0;

    for (unsigned c = 0; c < op->chunks; c++) {
        vf x = source_f(t, op, 0, c), top = splat_f(is_signed ? 0x1p31f : 0x1p32f);
        vi over = x >= top, under = is_signed ? x < -top : x <= splat_f(0), big, v;

        x = choose_f(over | under | (x != x), splat_f(0), x);
        big = is_signed ? splat_i(0) : x >= splat_f(0x1p31f); /* the host converts to signed */
        v = __builtin_convertvector(choose_f(big, x - splat_f(0x1p31f), x), vi) ^ (big & splat_i(INT32_MIN));
        v = choose_i(over, splat_i(is_signed ? INT32_MAX : -1), v);
        v = choose_i(under, splat_i(is_signed ? INT32_MIN : 0), v);
        finish_i(t, op, c, mask >> c * LANES, v, &flags);
    }
    finish_flags(t, op, mask, flags);
}

#endif
