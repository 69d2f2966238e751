/*
 * Included by vec_*.c: the functions of struct eu_vec_table. Vectors of 8 channels are the compiler's vector types;
 * where these have no operator there is an AVX2 instruction or a loop. Functions are made of one body by giving it
 * constants.
 *
 * A store to channels that do not run writes their old value: a thread's registers are its own, and behind the register
 * file there is slack for a whole vector.
 */
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

/* Other regions, and smaller types, which are extended. */
static vi gather(const struct eu_thread *t, const struct eu_op *op, const struct eu_src *s, unsigned chunk)
{
    const uint16_t *lane = op->table + (size_t)s->pattern * EU_LANES + chunk * LANES;
    const uint8_t *base = (const uint8_t *)t + s->off;
    unsigned n = op->width < LANES ? op->width : LANES;
    vi v = {0};

    for (unsigned i = 0; i < n; i++) {
        const uint8_t *at = base + lane[i];
        uint16_t half;

        switch (s->type) {
        case EU_TYPE_UB:
            v[i] = *at;
            break;
        case EU_TYPE_B:
            v[i] = (int8_t)*at;
            break;
        case EU_TYPE_UW:
        case EU_TYPE_W:
            memcpy(&half, at, sizeof(half));
            v[i] = s->type == EU_TYPE_W ? (int16_t)half : half;
            break;
        default:
            v[i] = load_1(at);
        }
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

/* As source, of an integer type of any size. */
INLINE vi source_int(const struct eu_thread *t, const struct eu_op *op, unsigned i, unsigned chunk)
{
    const struct eu_src *s = &op->src[i];

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

INLINE void plain_f(struct eu_thread *t, const struct eu_op *op, uint32_t mask, enum what what, unsigned s0,
                    unsigned s1)
{
    for (unsigned c = 0; c < op->chunks; c++, mask >>= LANES)
        put(t, op, c, mask, (vi)two_f(what, (vf)source(t, op, 0, s0, c), (vf)source(t, op, 1, s1, c)));
}

INLINE void plain_i(struct eu_thread *t, const struct eu_op *op, uint32_t mask, enum what what, unsigned s0,
                    unsigned s1)
{
    for (unsigned c = 0; c < op->chunks; c++, mask >>= LANES)
        put(t, op, c, mask, two_i(what, source(t, op, 0, s0, c), source(t, op, 1, s1, c)));
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
#define PAIRS_OF(name)                                                                                                 \
    {                                                                                                                  \
        .plain = {[V] = {[V] = name##_VV, [S] = name##_VS, [I] = name##_VI}, [S] = {[V] = name##_SV}},                 \
        .any = name##_any                                                                                              \
    }
#define TWO_F(name, what, any)                                                                                         \
    PAIRS(name, plain_f, what)                                                                                         \
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
    for (unsigned c = 0; c < op->chunks; c++, mask >>= LANES)
        put(t, op, c, mask,
            (vi)fused((vf)source(t, op, 1, s1, c), (vf)source(t, op, 2, s2, c), (vf)source(t, op, 0, s0, c)));
}

INLINE void mad_signs(struct eu_thread *t, const struct eu_op *op, uint32_t mask, unsigned s0, unsigned s1, unsigned s2)
{
    struct signs g0 = signs_of(&op->src[0]), g1 = signs_of(&op->src[1]), g2 = signs_of(&op->src[2]);

    for (unsigned c = 0; c < op->chunks; c++, mask >>= LANES)
        put(t, op, c, mask,
            (vi)fused(sign(g1, source(t, op, 1, s1, c)), sign(g2, source(t, op, 2, s2, c)),
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

    for (unsigned c = 0; c < op->chunks; c++, mask >>= LANES, uv += 2 * BYTES)
        put(t, op, c, mask, (vi)fused(dx, (vf)load_8(uv), fused(dy, (vf)load_8(uv + BYTES), k)));
}

/* ---- one source */

#define MOV(shape)                                                                                                     \
    static void mov_##shape(struct eu_thread *t, const struct eu_op *op, uint32_t mask)                                \
    {                                                                                                                  \
        for (unsigned c = 0; c < op->chunks; c++, mask >>= LANES)                                                      \
            put(t, op, c, mask, source(t, op, 0, shape, c));                                                           \
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

/* ---- all of them */

#define ANY(name)                                                                                                      \
    {                                                                                                                  \
        .any = name##_any                                                                                              \
    }

const struct eu_vec_table EU_VEC_TABLE = {
    .fadd = PAIRS_OF(fadd),
    .fmul = PAIRS_OF(fmul),
    .fmin = PAIRS_OF(fmin),
    .fmax = PAIRS_OF(fmax),
    .fcmp = ANY(fcmp),
    .iadd = PAIRS_OF(iadd),
    .imul = PAIRS_OF(imul),
    .iand = PAIRS_OF(iand),
    .ior = PAIRS_OF(ior),
    .ixor = PAIRS_OF(ixor),
    .ishl = PAIRS_OF(ishl),
    .ishr = PAIRS_OF(ishr),
    .iasr = PAIRS_OF(iasr),
    .imin = PAIRS_OF(imin),
    .imax = PAIRS_OF(imax),
    .umin = PAIRS_OF(umin),
    .umax = PAIRS_OF(umax),
    .icmp = ANY(icmp),
    .isel = ANY(isel),
    .mad = TRIPLES_OF(mad),
    .mad_signs = TRIPLES_OF(mad_signs),
    .mad_any = mad_any,
    .lrp = lrp_any,
    .pln = pln_plain,
    .mov = {[V] = mov_V, [S] = mov_S, [I] = mov_I},
    .imov = imov_any,
    .inot = inot_any,
    .fmov = fmov_any,
    .frc = frc_any,
    .rndu = rndu_any,
    .rndd = rndd_any,
    .rnde = rnde_any,
    .rndz = rndz_any,
    .inv = inv_any,
    .rsq = rsq_any,
    .sqrt = sqrt_any,
    .exp = exp_any,
    .log = log_any,
    .sin = sin_any,
    .cos = cos_any,
    .pow = pow_any,
    .fdiv = fdiv_any,
    .f_from_int = f_from_int,
    .int_from_f = int_from_f,
};
