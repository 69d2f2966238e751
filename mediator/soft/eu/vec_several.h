/* Part of vec_impl.h: instructions with two and three sources. */
#ifndef GTMUX_SOFT_EU_VEC_SEVERAL_H
#define GTMUX_SOFT_EU_VEC_SEVERAL_H

#include "mediator/soft/eu/vec_lanes.h"

/* ---- two sources */

enum what { ADD, MUL, MIN, MAX, AND, OR, XOR, SHL, SHR, ASR, UMIN, UMAX, DIV, POW };

/* A number wins over NaN: see prefers in any_real.h. Not the host's min and max, which flush denormals. */
INLINE vf min_f(vf a, vf b)
{
    return choose_f((a < b) | (b != b), a, b);
}

INLINE vf max_f(vf a, vf b)
{
    return choose_f((a >= b) | (b != b), a, b);
}

static vf pow_8(vf a, vf b);

INLINE vf two_f(enum what what, vf a, vf b)
{
    switch (what) {
    case ADD:
        return a + b;
    case MUL:
        return a * b;
    case MIN:
        return min_f(a, b);
    case MAX:
        return max_f(a, b);
    case DIV:
        return a / b;
    default:
        return pow_8(a, b);
    }
}

INLINE vi two_i(enum what what, vi a, vi b)
{
    const vi flip = splat_i(INT32_MIN);

    switch (what) {
    case ADD:
        return (vi)((vu)a + (vu)b);
    case MUL:
        return (vi)((vu)a * (vu)b);
    case AND:
        return a & b;
    case OR:
        return a | b;
    case XOR:
        return a ^ b;
    case SHL:
        return (vi)((vu)a << (vu)(b & splat_i(31)));
    case SHR:
        return (vi)((vu)a >> (vu)(b & splat_i(31)));
    case ASR:
        return a >> (b & splat_i(31));
    case MIN:
        return choose_i(a < b, a, b);
    case MAX:
        return choose_i(a < b, b, a);
    case UMIN:
        return choose_i((a ^ flip) < (b ^ flip), a, b);
    default:
        return choose_i((a ^ flip) < (b ^ flip), b, a);
    }
}

/* Stores `one`, an expression of the chunk c, for all chunks: without a look at channels when all of them run. */
#define EACH_CHUNK(one)                                                                                                \
    do {                                                                                                               \
        if (__builtin_expect(mask == op->full, 1)) {                                                                   \
            unsigned c = 0;                                                                                            \
                                                                                                                       \
            put_all(t, op, 0, one);                                                                                    \
            for (c = 1; __builtin_expect(c < op->chunks, 0); c++)                                                      \
                put_all(t, op, c, one);                                                                                \
        } else {                                                                                                       \
            for (unsigned c = 0; c < op->chunks; c++)                                                                  \
                put(t, op, c, mask >> c * LANES, one);                                                                 \
        }                                                                                                              \
    } while (0)

INLINE void plain_f(struct eu_thread *t, const struct eu_op *op, uint32_t mask, enum what what, unsigned s0,
                    unsigned s1)
{
    EACH_CHUNK((vi)two_f(what, (vf)source(t, op, 0, s0, c), (vf)source(t, op, 1, s1, c)));
}

INLINE void signs_f(struct eu_thread *t, const struct eu_op *op, uint32_t mask, enum what what, unsigned s0,
                    unsigned s1)
{
    struct signs g0 = signs_of(&op->src[0]), g1 = signs_of(&op->src[1]);

    EACH_CHUNK((vi)two_f(what, sign(g0, source(t, op, 0, s0, c)), sign(g1, source(t, op, 1, s1, c))));
}

INLINE void plain_i(struct eu_thread *t, const struct eu_op *op, uint32_t mask, enum what what, unsigned s0,
                    unsigned s1)
{
    EACH_CHUNK(two_i(what, source(t, op, 0, s0, c), source(t, op, 1, s1, c)));
}

INLINE void any_f(struct eu_thread *t, const struct eu_op *op, uint32_t mask, enum what what)
{
    uint32_t flags = 0;

    for (unsigned c = 0; c < op->chunks; c++)
        finish_f(t, op, c, mask >> c * LANES, two_f(what, source_f(t, op, 0, c), source_f(t, op, 1, c)), &flags);
    finish_flags(t, op, mask, flags);
}

/* min and max choose by op->cond, which then is no request for flags; math functions are in its place. */
INLINE void any_choice_f(struct eu_thread *t, const struct eu_op *op, uint32_t mask, enum what what)
{
    for (unsigned c = 0; c < op->chunks; c++, mask >>= LANES) {
        vf v = two_f(what, source_f(t, op, 0, c), source_f(t, op, 1, c));

        put(t, op, c, mask, (vi)(op->saturate ? saturate(v) : v));
    }
}

/* Modifiers of logic instructions complement. */
INLINE vi modify_i(const struct eu_src *s, bool logic, vi v)
{
    if (s->abs)
        v = choose_i(v < splat_i(0), (vi)(splat_i(0) - (vu)v), v);
    if (s->neg)
        v = logic ? ~v : (vi)((vu)splat_i(0) - (vu)v);
    return v;
}

INLINE void any_i(struct eu_thread *t, const struct eu_op *op, uint32_t mask, enum what what, bool flagged)
{
    bool logic = what == AND || what == OR || what == XOR;
    uint32_t flags = 0;

    for (unsigned c = 0; c < op->chunks; c++) {
        vi a = modify_i(&op->src[0], logic, source_int(t, op, 0, c));
        vi v = two_i(what, a, modify_i(&op->src[1], logic, source_int(t, op, 1, c)));

        if (flagged)
            finish_i(t, op, c, mask >> c * LANES, v, &flags);
        else
            put(t, op, c, mask >> c * LANES, v);
    }
    if (flagged)
        finish_flags(t, op, mask, flags);
}

#define PAIR(name, body, what, a, b)                                                                                   \
    static void name##_##a##b(struct eu_thread *t, const struct eu_op *op, uint32_t mask)                              \
    {                                                                                                                  \
        body(t, op, mask, what, a, b);                                                                                 \
    }
#define V EU_SHAPE_VEC
#define S EU_SHAPE_SCALAR
#define I EU_SHAPE_IMM
#define PAIRS(name, body, what)                                                                                        \
    PAIR(name, body, what, V, V)                                                                                       \
    PAIR(name, body, what, V, S)                                                                                       \
    PAIR(name, body, what, S, V)                                                                                       \
    PAIR(name, body, what, V, I)
#define TABLE_OF(name)                                                                                                 \
    {                                                                                                                  \
        [V] = {[V] = name##_VV, [S] = name##_VS, [I] = name##_VI}, [S] = { [V] = name##_SV }                           \
    }
#define PAIRS_OF(name)                                                                                                 \
    {                                                                                                                  \
        .plain = TABLE_OF(name), .any = name##_any                                                                     \
    }
#define PAIRS_AND_SIGNS_OF(name)                                                                                       \
    {                                                                                                                  \
        .plain = TABLE_OF(name), .signs = TABLE_OF(name##_signs), .any = name##_any                                    \
    }
#define TWO_F(name, what, any)                                                                                         \
    PAIRS(name, plain_f, what)                                                                                         \
    PAIRS(name##_signs, signs_f, what)                                                                                 \
    static void name##_any(struct eu_thread *t, const struct eu_op *op, uint32_t mask)                                 \
    {                                                                                                                  \
        any(t, op, mask, what);                                                                                        \
    }
#define TWO_I(name, what, flagged)                                                                                     \
    PAIRS(name, plain_i, what)                                                                                         \
    static void name##_any(struct eu_thread *t, const struct eu_op *op, uint32_t mask)                                 \
    {                                                                                                                  \
        any_i(t, op, mask, what, flagged);                                                                             \
    }

TWO_F(fadd, ADD, any_f)
TWO_F(fmul, MUL, any_f)
TWO_F(fmin, MIN, any_choice_f)
TWO_F(fmax, MAX, any_choice_f)
TWO_I(iadd, ADD, true)
TWO_I(imul, MUL, true)
TWO_I(iand, AND, true)
TWO_I(ior, OR, true)
TWO_I(ixor, XOR, true)
TWO_I(ishl, SHL, true)
TWO_I(ishr, SHR, true)
TWO_I(iasr, ASR, true)
TWO_I(imin, MIN, false)
TWO_I(imax, MAX, false)
TWO_I(umin, UMIN, false)
TWO_I(umax, UMAX, false)

/* ---- comparisons: all ones or zero, and flags */

INLINE void compare_any(struct eu_thread *t, const struct eu_op *op, uint32_t mask, bool is_float)
{
    /* Whether unsigned order is wanted was decided in choose.c: both are unsigned, or none needs it. */
    bool is_unsigned = eu_types[op->src[0].type].kind == EU_KIND_U && eu_types[op->src[0].type].bytes == 4;
    uint32_t flags = 0;

    for (unsigned c = 0; c < op->chunks; c++) {
        uint32_t bits;

        if (is_float)
            bits = compare_f(op->cond, source_f(t, op, 0, c), source_f(t, op, 1, c));
        else
            bits = compare_i(op->cond, is_unsigned, modify_i(&op->src[0], false, source_int(t, op, 0, c)),
                             modify_i(&op->src[1], false, source_int(t, op, 1, c)));
        flags |= bits << c * LANES;
        if (!op->dst.null)
            put(t, op, c, mask >> c * LANES, lanes_of(bits));
    }
    eu_put_flags(t, op, mask, flags);
}

static void fcmp_any(struct eu_thread *t, const struct eu_op *op, uint32_t mask)
{
    compare_any(t, op, mask, true);
}

static void icmp_any(struct eu_thread *t, const struct eu_op *op, uint32_t mask)
{
    compare_any(t, op, mask, false);
}

/* sel by predicate */
static void isel_any(struct eu_thread *t, const struct eu_op *op, uint32_t mask)
{
    uint32_t pred = op->pred ? eu_predicate(t, op) : 0;

    for (unsigned c = 0; c < op->chunks; c++, mask >>= LANES, pred >>= LANES) {
        vi a = modify_i(&op->src[0], false, source_int(t, op, 0, c));

        put(t, op, c, mask, choose_i(lanes_of(pred), a, modify_i(&op->src[1], false, source_int(t, op, 1, c))));
    }
}

/* ---- three sources */

INLINE vf fused(vf a, vf b, vf c)
{
#ifdef __AVX2__
    return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    for (unsigned i = 0; i < LANES; i++)
        c[i] = fmaf(a[i], b[i], c[i]);
    return c;
#endif
}

INLINE void mad(struct eu_thread *t, const struct eu_op *op, uint32_t mask, unsigned s0, unsigned s1, unsigned s2)
{
    EACH_CHUNK((vi)fused((vf)source(t, op, 1, s1, c), (vf)source(t, op, 2, s2, c), (vf)source(t, op, 0, s0, c)));
}

INLINE void mad_signs(struct eu_thread *t, const struct eu_op *op, uint32_t mask, unsigned s0, unsigned s1, unsigned s2)
{
    struct signs g0 = signs_of(&op->src[0]), g1 = signs_of(&op->src[1]), g2 = signs_of(&op->src[2]);

    EACH_CHUNK((vi)fused(sign(g1, source(t, op, 1, s1, c)), sign(g2, source(t, op, 2, s2, c)),
                         sign(g0, source(t, op, 0, s0, c))));
}

#define TRIPLE(body, a, b, c)                                                                                          \
    static void body##_##a##b##c(struct eu_thread *t, const struct eu_op *op, uint32_t mask)                           \
    {                                                                                                                  \
        body(t, op, mask, a, b, c);                                                                                    \
    }
#define TRIPLES(body)                                                                                                  \
    TRIPLE(body, V, V, V)                                                                                              \
    TRIPLE(body, V, V, S)                                                                                              \
    TRIPLE(body, V, S, V)                                                                                              \
    TRIPLE(body, V, S, S)                                                                                              \
    TRIPLE(body, S, V, V)                                                                                              \
    TRIPLE(body, S, V, S)                                                                                              \
    TRIPLE(body, S, S, V)                                                                                              \
    TRIPLE(body, S, S, S)
#define TRIPLES_OF(body)                                                                                               \
    {                                                                                                                  \
        [V] = {[V] = {[V] = body##_VVV, [S] = body##_VVS}, [S] = {[V] = body##_VSV, [S] = body##_VSS}}, [S] = {        \
            [V] = {[V] = body##_SVV, [S] = body##_SVS},                                                                \
            [S] = {[V] = body##_SSV, [S] = body##_SSS}                                                                 \
        }                                                                                                              \
    }

TRIPLES(mad)
TRIPLES(mad_signs)

static void mad_any(struct eu_thread *t, const struct eu_op *op, uint32_t mask)
{
    uint32_t flags = 0;

    for (unsigned c = 0; c < op->chunks; c++)
        finish_f(t, op, c, mask >> c * LANES,
                 fused(source_f(t, op, 1, c), source_f(t, op, 2, c), source_f(t, op, 0, c)), &flags);
    finish_flags(t, op, mask, flags);
}

static void lrp_any(struct eu_thread *t, const struct eu_op *op, uint32_t mask)
{
    uint32_t flags = 0;

    for (unsigned c = 0; c < op->chunks; c++) {
        vf x = source_f(t, op, 0, c);

        finish_f(t, op, c, mask >> c * LANES, fused(x, source_f(t, op, 1, c), (splat_f(1) - x) * source_f(t, op, 2, c)),
                 &flags);
    }
    finish_flags(t, op, mask, flags);
}

/* Planes: see any_float.c. */
static void pln_plain(struct eu_thread *t, const struct eu_op *op, uint32_t mask)
{
    const uint8_t *p = (const uint8_t *)t + op->src[0].off, *uv = (const uint8_t *)t + op->src[1].off;
    vf dx = (vf)splat_i(load_1(p)), dy = (vf)splat_i(load_1(p + 4)), k = (vf)splat_i(load_1(p + 12));

    EACH_CHUNK((vi)fused(dx, (vf)load_8(uv + c * 2 * BYTES), fused(dy, (vf)load_8(uv + c * 2 * BYTES + BYTES), k)));
}

#endif
