/* The general way: load operands, compute, convert, set flags, store. Any type, region and modifier. */
#include "mediator/soft/eu/any.h"

#include <math.h>
#include <string.h>

#define GRF_BYTES (EU_GRFS * EU_REG_BYTES)

/* ---- sources */

/* Byte offset of each channel. Addresses that registers give wrap at the end of the register file. */
static void locate(const struct eu_thread *t, const struct eu_op *op, const struct eu_src *s, uint16_t *at)
{
    const uint16_t *lane = op->table + (size_t)s->pattern * EU_LANES;

    for (unsigned i = 0; i < op->width; i++) {
        unsigned row = 0;

        if (s->shape <= EU_SHAPE_PATTERN) {
            at[i] = (uint16_t)(s->off + lane[i]);
            continue;
        }
        if (s->shape == EU_SHAPE_ROWS)
            row = i >> s->width;
        if (op->op == EU_OP_MOVI) /* each channel by its own address register */
            row = i;
        at[i] = (uint16_t)((t->address[(s->address + row) & 15] + s->offset + lane[i]) & (GRF_BYTES - 1));
    }
}

#define LOAD(ctype, member, value)                                                                                     \
    for (unsigned i = 0; i < n; i++) {                                                                                 \
        ctype v;                                                                                                       \
        memcpy(&v, base + at[i], sizeof(v));                                                                           \
        out->member[i] = (value);                                                                                      \
    }                                                                                                                  \
    break

#define LOAD_INTS(member, convert)                                                                                     \
    case EU_TYPE_UB:                                                                                                   \
        LOAD(uint8_t, member, convert v);                                                                              \
    case EU_TYPE_B:                                                                                                    \
        LOAD(int8_t, member, convert v);                                                                               \
    case EU_TYPE_UW:                                                                                                   \
        LOAD(uint16_t, member, convert v);                                                                             \
    case EU_TYPE_W:                                                                                                    \
        LOAD(int16_t, member, convert v);                                                                              \
    case EU_TYPE_UD:                                                                                                   \
        LOAD(uint32_t, member, convert v);                                                                             \
    case EU_TYPE_D:                                                                                                    \
        LOAD(int32_t, member, convert v);                                                                              \
    case EU_TYPE_UQ:                                                                                                   \
        LOAD(uint64_t, member, convert v);                                                                             \
    case EU_TYPE_Q:                                                                                                    \
        LOAD(int64_t, member, convert v);

static void load_int(const uint8_t *base, const uint16_t *at, unsigned n, unsigned type, union eu_values *out)
{
    switch (type) {
        LOAD_INTS(i, (int64_t))
    default:
        break;
    }
}

static void load_float(const uint8_t *base, const uint16_t *at, unsigned n, unsigned type, union eu_values *out)
{
    switch (type) {
        LOAD_INTS(f, (float))
    case EU_TYPE_HF:
        LOAD(uint16_t, f, eu_half_to_float(v));
    case EU_TYPE_F:
        LOAD(float, f, v);
    default:
        break;
    }
}

static void load_double(const uint8_t *base, const uint16_t *at, unsigned n, unsigned type, union eu_values *out)
{
    switch (type) {
        LOAD_INTS(d, (double))
    case EU_TYPE_HF:
        LOAD(uint16_t, d, (double)eu_half_to_float(v));
    case EU_TYPE_F:
        LOAD(float, d, (double)v);
    case EU_TYPE_DF:
        LOAD(double, d, v);
    default:
        break;
    }
}

/* The immediate as one value of its own type for channel i. */
static int64_t imm_int(const struct eu_op *op, unsigned type, unsigned i)
{
    unsigned nibble = (unsigned)(op->imm >> 4 * (i & 7) & 15);

    if (type == EU_TYPE_UV)
        return nibble;
    if (type == EU_TYPE_V)
        return nibble < 8 ? (int)nibble : (int)nibble - 16;
    return (int64_t)op->imm;
}

static double imm_float(const struct eu_op *op, unsigned type, unsigned i)
{
    uint32_t low = (uint32_t)op->imm;
    double d;
    float f;

    if (type == EU_TYPE_DF) {
        memcpy(&d, &op->imm, sizeof(d));
        return d;
    }
    if (type == EU_TYPE_VF)
        return (double)eu_vf_to_float((uint8_t)(low >> 8 * (i & 3)));
    if (type != EU_TYPE_F)
        return (double)imm_int(op, type, i);
    memcpy(&f, &low, sizeof(f));
    return (double)f;
}

static void load_imm(const struct eu_op *op, unsigned type, union eu_values *out)
{
    uint32_t low = (uint32_t)op->imm;

    for (unsigned i = 0; i < op->width; i++) {
        if (op->kind == EU_EXEC_INT)
            out->i[i] = imm_int(op, type, i);
        else if (op->kind == EU_EXEC_DOUBLE)
            out->d[i] = imm_float(op, type, i);
        else if (type == EU_TYPE_F) /* bits as they are, also of a NaN */
            memcpy(&out->f[i], &low, sizeof(low));
        else
            out->f[i] = (float)imm_float(op, type, i);
    }
}

static bool is_logic(unsigned op)
{
    return op == EU_OP_NOT || op == EU_OP_AND || op == EU_OP_OR || op == EU_OP_XOR;
}

static void modify(const struct eu_op *op, const struct eu_src *s, union eu_values *v)
{
    for (unsigned i = 0; i < op->width; i++) {
        if (op->kind == EU_EXEC_INT) {
            if (s->abs && v->i[i] < 0)
                v->u[i] = 0 - v->u[i];
            if (s->neg)
                v->u[i] = is_logic(op->op) ? ~v->u[i] : 0 - v->u[i];
        } else if (op->kind == EU_EXEC_DOUBLE) {
            v->d[i] = s->abs ? fabs(v->d[i]) : v->d[i];
            v->d[i] = s->neg ? -v->d[i] : v->d[i];
        } else {
            v->f[i] = s->abs ? fabsf(v->f[i]) : v->f[i];
            v->f[i] = s->neg ? -v->f[i] : v->f[i];
        }
    }
}

static void load(const struct eu_thread *t, const struct eu_op *op, const struct eu_src *s, union eu_values *out)
{
    uint16_t at[EU_LANES];

    if (s->shape == EU_SHAPE_IMM) {
        load_imm(op, s->type, out);
    } else {
        locate(t, op, s, at);
        if (op->kind == EU_EXEC_INT)
            load_int((const uint8_t *)t, at, op->width, s->type, out);
        else if (op->kind == EU_EXEC_DOUBLE)
            load_double((const uint8_t *)t, at, op->width, s->type, out);
        else
            load_float((const uint8_t *)t, at, op->width, s->type, out);
    }
    if (s->neg || s->abs)
        modify(op, s, out);
}

/* ---- results: into the destination's type, in the array of that type's kind */

int64_t eu_double_to_int(double v, unsigned bits, bool is_signed)
{
    double top = ldexp(1.0, (int)bits - is_signed), bottom = is_signed ? -top : 0;

    if (isnan(v))
        return 0;
    if (v >= top)
        return is_signed ? (int64_t)(UINT64_MAX >> (65 - bits)) : (int64_t)(UINT64_MAX >> (64 - bits));
    if (v <= bottom)
        return is_signed ? -(int64_t)(UINT64_MAX >> (65 - bits)) - 1 : 0;
    return is_signed || v < 0x1p63 ? (int64_t)v : (int64_t)(uint64_t)v;
}

static double as_double(const struct eu_op *op, const union eu_values *v, unsigned i)
{
    if (op->kind == EU_EXEC_INT)
        return op->src[0].type == EU_TYPE_UQ ? (double)v->u[i] : (double)v->i[i];
    return op->kind == EU_EXEC_DOUBLE ? v->d[i] : (double)v->f[i];
}

static float as_float(const struct eu_op *op, const union eu_values *v, unsigned i)
{
    if (op->kind == EU_EXEC_INT)
        return op->src[0].type == EU_TYPE_UQ ? (float)v->u[i] : (float)v->i[i];
    return op->kind == EU_EXEC_DOUBLE ? (float)v->d[i] : v->f[i];
}

static int64_t wrap(int64_t v, unsigned bits, bool is_signed)
{
    unsigned unused = 64 - bits;

    return is_signed ? (int64_t)((uint64_t)v << unused) >> unused : (int64_t)((uint64_t)v << unused >> unused);
}

static int64_t clamp(int64_t v, unsigned bits, bool is_signed)
{
    int64_t top = (int64_t)(UINT64_MAX >> (64 - bits + is_signed)), bottom = is_signed ? -top - 1 : 0;

    if (bits == 64)
        return v;
    return v > top ? top : v < bottom ? bottom : v;
}

static int64_t to_int(const struct eu_op *op, const union eu_values *v, unsigned i)
{
    const struct eu_type_desc *type = &eu_types[op->dst.type];
    bool is_signed = type->kind == EU_KIND_S;

    if (op->kind != EU_EXEC_INT)
        return eu_double_to_int(as_double(op, v, i), type->bytes * 8u, is_signed);
    return op->saturate ? clamp(v->i[i], type->bytes * 8u, is_signed) : wrap(v->i[i], type->bytes * 8u, is_signed);
}

/* To [0, 1], NaN to 0. PRM SKL vol 7, "Saturation". */
static double unit(double v)
{
    return v > 0 ? (v < 1 ? v : 1) : 0;
}

static void convert(const struct eu_op *op, const union eu_values *from, union eu_values *to)
{
    unsigned type = op->dst.type;

    for (unsigned i = 0; i < op->width; i++) {
        if (type == EU_TYPE_DF) {
            to->d[i] = as_double(op, from, i);
            to->d[i] = op->saturate ? unit(to->d[i]) : to->d[i];
        } else if (type == EU_TYPE_F || type == EU_TYPE_HF) {
            to->f[i] = as_float(op, from, i);
            to->f[i] = op->saturate ? (float)unit((double)to->f[i]) : to->f[i];
        } else {
            to->i[i] = to_int(op, from, i);
        }
    }
}

/* ---- conditions */

static bool holds(unsigned cond, bool zero, bool negative, bool unordered, bool overflow)
{
    switch (cond) {
    case EU_COND_Z:
        return zero;
    case EU_COND_NZ:
        return !zero;
    case EU_COND_G:
        return !zero && !negative && !unordered;
    case EU_COND_GE:
        return !negative && !unordered;
    case EU_COND_L:
        return negative;
    case EU_COND_LE:
        return negative || zero;
    case EU_COND_O:
        return overflow;
    case EU_COND_U:
        return unordered;
    default:
        return false;
    }
}

static uint32_t conditions(const struct eu_op *op, const struct eu_any *a, const union eu_values *v)
{
    unsigned type = op->dst.type;
    uint32_t bits = 0;

    for (unsigned i = 0; i < op->width; i++) {
        bool yes;

        if (type == EU_TYPE_DF)
            yes = holds(op->cond, v->d[i] == 0, v->d[i] < 0, isnan(v->d[i]), isinf(v->d[i]));
        else if (type == EU_TYPE_F || type == EU_TYPE_HF)
            yes = holds(op->cond, v->f[i] == 0, v->f[i] < 0, isnan(v->f[i]), isinf(v->f[i]));
        else
            yes = holds(op->cond, v->i[i] == 0, v->i[i] < 0 && eu_types[type].kind == EU_KIND_S, false,
                        op->kind == EU_EXEC_INT && a->r.i[i] != v->i[i]);
        bits |= (uint32_t)yes << i;
    }
    return bits;
}

/* ---- destination */

static uint64_t bits_of(const struct eu_thread *t, unsigned type, const union eu_values *v, unsigned i)
{
    uint32_t single;

    if (type == EU_TYPE_HF)
        return eu_float_to_half(v->f[i], (t->cr0[0] & EU_CR0_ROUND) >> EU_CR0_ROUND_SHIFT);
    if (type != EU_TYPE_F)
        return v->u[i]; /* doubles are the same bits */
    memcpy(&single, &v->f[i], sizeof(single));
    return single;
}

/* Little endian hosts only, as everywhere: the lower bytes come first. */
static void store(struct eu_thread *t, const struct eu_op *op, const union eu_values *v, uint32_t mask, unsigned shift)
{
    unsigned size = eu_types[op->dst.type].bytes, off = op->dst.off + shift;
    bool direct = !op->dst.indirect;

    if (!direct)
        off = (unsigned)(t->address[op->dst.address & 15] + op->dst.offset) + shift;
    for (unsigned i = 0; i < op->width; i++, off += op->dst.stride) {
        uint64_t bits = bits_of(t, op->dst.type, v, i);

        if (mask >> i & 1)
            memcpy((uint8_t *)t + (direct ? off : off & (GRF_BYTES - 1)), &bits, size);
    }
}

/* Accumulators that an instruction writes beside its destination, or as it. */
static void store_acc(struct eu_thread *t, const struct eu_op *op, const struct eu_any *a, const union eu_values *v,
                      uint32_t mask)
{
    bool carry = op->op == EU_OP_ADDC || op->op == EU_OP_SUBB;
    struct eu_op acc = *op;

    if (op->acc_write || carry) {
        acc.dst.off = offsetof(struct eu_thread, acc);
        acc.dst.stride = eu_types[op->dst.type].bytes;
        acc.dst.indirect = false;
        if ((size_t)acc.dst.stride * op->width <= sizeof(t->acc))
            store(t, &acc, carry || op->op == EU_OP_MACH ? &a->second : v, mask, 0);
    }
    if (op->kind != EU_EXEC_INT)
        return;
    for (unsigned i = 0; i < op->width; i++)
        if (mask >> i & 1)
            t->acc_high[i] = (int32_t)((carry || op->op == EU_OP_MACH ? a->second.i[i] : a->r.i[i]) >> 32);
}

/* ---- all of it */

static void load_acc(const struct eu_thread *t, const struct eu_op *op, struct eu_any *a)
{
    bool wide = eu_types[op->dst.type].bytes >= 4;

    for (unsigned i = 0; i < op->width; i++) {
        float f;
        double d;
        int16_t w;
        uint32_t low;

        memcpy(&low, t->acc + 4 * (i & 31), sizeof(low));
        memcpy(&w, t->acc + 2 * (i & 31), sizeof(w));
        memcpy(&f, &low, sizeof(f));
        memcpy(&d, t->acc + 8 * (i & 15), sizeof(d));
        if (op->kind == EU_EXEC_INT)
            a->acc[i] = wide ? (int64_t)((uint64_t)(uint32_t)t->acc_high[i] << 32 | low) : w;
        else if (op->kind == EU_EXEC_DOUBLE)
            a->s[2].d[i] = d;
        else
            a->s[2].f[i] = f;
    }
}

static bool reads_acc(unsigned op)
{
    return op == EU_OP_MAC || op == EU_OP_MACH || op == EU_OP_SADA2;
}

static unsigned sources(const struct eu_op *op)
{
    if (op->op != EU_OP_MATH)
        return eu_opcodes[op->op].nsrc;
    return op->cond == EU_MATH_FDIV || op->cond == EU_MATH_POW || op->cond >= EU_MATH_INT_DIV_BOTH ? 2 : 1;
}

static void compute(struct eu_any *a, const struct eu_op *op)
{
    if (op->kind == EU_EXEC_INT)
        eu_any_int(a, op);
    else if (op->kind == EU_EXEC_DOUBLE)
        eu_any_double(a, op);
    else
        eu_any_float(a, op);
}

/* Comparisons give all ones or zero in every type. */
static void store_truth(struct eu_thread *t, const struct eu_op *op, const struct eu_any *a, uint32_t mask)
{
    static const uint8_t same_size[9] = {[1] = EU_TYPE_UB, [2] = EU_TYPE_UW, [4] = EU_TYPE_UD, [8] = EU_TYPE_UQ};
    struct eu_op as_int = *op;
    union eu_values v;

    eu_put_flags(t, op, mask, a->truth);
    if (op->dst.null)
        return;
    for (unsigned i = 0; i < op->width; i++)
        v.u[i] = a->truth >> i & 1 ? UINT64_MAX : 0;
    as_int.dst.type = same_size[eu_types[op->dst.type].bytes];
    store(t, &as_int, &v, mask, 0);
}

static void execute(struct eu_thread *t, const struct eu_op *op, uint32_t mask)
{
    struct eu_any a;
    union eu_values v;
    unsigned n = sources(op), size = eu_types[op->dst.type].bytes;

    a.thread = t;
    a.compares = a.has_second = false;
    a.alt = op->kind == EU_EXEC_FLOAT && (t->cr0[0] & EU_CR0_ALT);
    a.pred = op->op == EU_OP_SEL && op->pred ? eu_predicate(t, op) : 0;
    for (unsigned i = 0; i < n; i++)
        load(t, op, &op->src[i], &a.s[i]);
    if (op->op == EU_OP_MATH && n == 1)
        a.s[1] = a.s[0];
    if (reads_acc(op->op))
        load_acc(t, op, &a);
    compute(&a, op);
    if (a.compares) {
        store_truth(t, op, &a, mask);
        return;
    }
    convert(op, &a.r, &v);
    if (op->cond && op->op != EU_OP_SEL && op->op != EU_OP_CSEL && op->op != EU_OP_MATH)
        eu_put_flags(t, op, mask, conditions(op, &a, &v));
    if (!op->dst.null)
        store(t, op, &v, mask, 0);
    if (op->acc_write || op->dst.is_acc || op->op == EU_OP_ADDC || op->op == EU_OP_SUBB)
        store_acc(t, op, &a, &v, mask);
    if (a.has_second && op->op == EU_OP_MATH && !op->dst.null)
        store(t, op, &a.second, mask, op->width * size < EU_REG_BYTES ? EU_REG_BYTES : op->width * size);
}

/* Doubles have a bit of their own for denormals; the thread's mode is that of singles. */
void eu_exec_any(struct eu_thread *t, const struct eu_op *op, uint32_t mask)
{
    uint32_t cr0 = t->cr0[0] & ~EU_CR0_DENORM_SINGLE, before;

    if (op->kind != EU_EXEC_DOUBLE) {
        execute(t, op, mask);
        return;
    }
    before = eu_mode_enter(t->cr0[0] & EU_CR0_DENORM_DOUBLE ? cr0 | EU_CR0_DENORM_SINGLE : cr0);
    execute(t, op, mask);
    eu_mode_leave(before);
}
