/* Integer instructions, all types as 64 bits. */
#include <string.h>

#include "mediator/soft/eu/any.h"

static unsigned bits_of(const struct eu_op *op, unsigned i)
{
    unsigned type = op->src[i].type;

    return type == EU_TYPE_V || type == EU_TYPE_UV ? 16 : eu_types[type].bytes * 8u;
}

/* Shift counts are modulo 64 when a quadword takes part, modulo 32 else. PRM SKL vol 2a, "shl". */
static unsigned count_mask(const struct eu_op *op)
{
    return eu_types[op->dst.type].bytes == 8 || bits_of(op, 0) == 64 ? 63 : 31;
}

/* A source's own bits, without its sign's extension. */
static uint64_t own_bits(const struct eu_op *op, unsigned i, uint64_t v)
{
    unsigned n = bits_of(op, i) < 32 ? 32 : bits_of(op, i);

    return n == 64 ? v : v & ((UINT64_C(1) << n) - 1);
}

static bool compare(unsigned cond, int64_t a, int64_t b, bool is_unsigned)
{
    bool less = is_unsigned ? (uint64_t)a < (uint64_t)b : a < b;

    switch (cond) {
    case EU_COND_Z:
        return a == b;
    case EU_COND_NZ:
        return a != b;
    case EU_COND_G:
        return !less && a != b;
    case EU_COND_GE:
        return !less;
    case EU_COND_L:
        return less;
    case EU_COND_LE:
        return less || a == b;
    default:
        return false;
    }
}

/* Only quadwords need to be told apart: narrower ones are extended as their type says. */
static bool compares_unsigned(const struct eu_op *op)
{
    return op->src[0].type == EU_TYPE_UQ && !op->src[0].neg && op->src[1].type != EU_TYPE_Q;
}

static uint64_t reverse(uint32_t v)
{
    uint32_t r = 0;

    for (unsigned i = 0; i < 32; i++)
        r |= (v >> i & 1) << (31 - i);
    return r;
}

static uint64_t first_high(int64_t v, bool is_signed)
{
    uint32_t w = (uint32_t)v;

    if (is_signed && (int32_t)w < 0)
        w = ~w;
    return w ? (uint64_t)__builtin_clz(w) : 0xffffffff;
}

/* PRM SKL vol 2a, "bfe": width, offset, value. */
static int64_t extract(uint32_t width, uint32_t offset, uint32_t v, bool is_signed)
{
    width &= 31;
    offset &= 31;
    if (!width)
        return 0;
    if (width + offset < 32)
        v = v << (32 - width - offset);
    offset = width + offset < 32 ? 32 - width : offset;
    return is_signed ? (int32_t)v >> offset : (int64_t)(v >> offset);
}

/* "bfi2": mask, value, base; the value begins at the mask's lowest bit. */
static uint32_t insert(uint32_t mask, uint32_t v, uint32_t base)
{
    return mask ? (v << __builtin_ctz(mask) & mask) | (base & ~mask) : base;
}

static void compute_one_source(struct eu_any *a, const struct eu_op *op, unsigned i)
{
    int64_t x = a->s[0].i[i], *r = &a->r.i[i];

    switch (op->op) {
    case EU_OP_NOT:
        *r = ~x;
        break;
    case EU_OP_BFREV:
        *r = (int64_t)reverse((uint32_t)x);
        break;
    case EU_OP_LZD:
        *r = (uint32_t)x ? __builtin_clz((uint32_t)x) : 32;
        break;
    case EU_OP_FBH:
        *r = (int64_t)first_high(x, op->src[0].type == EU_TYPE_D);
        break;
    case EU_OP_FBL:
        *r = (uint32_t)x ? (int64_t)__builtin_ctz((uint32_t)x) : 0xffffffff;
        break;
    case EU_OP_CBIT:
        *r = __builtin_popcountll(own_bits(op, 0, (uint64_t)x));
        break;
    case EU_OP_FRC:
        *r = 0;
        break;
    default: /* mov, movi; rounding leaves integers alone */
        *r = x;
    }
}

static void compute_shift(struct eu_any *a, const struct eu_op *op, unsigned i)
{
    unsigned n = (unsigned)a->s[1].u[i] & count_mask(op);

    if (op->op == EU_OP_SHL)
        a->r.u[i] = a->s[0].u[i] << n;
    else if (op->op == EU_OP_SHR)
        a->r.u[i] = own_bits(op, 0, a->s[0].u[i]) >> n;
    else
        a->r.i[i] = a->s[0].i[i] >> n;
}

static void compute_carry(struct eu_any *a, const struct eu_op *op, unsigned i)
{
    uint64_t x = (uint32_t)a->s[0].u[i], y = (uint32_t)a->s[1].u[i];

    a->r.u[i] = op->op == EU_OP_ADDC ? x + y : x - y;
    a->second.u[i] = op->op == EU_OP_ADDC ? (x + y) >> 32 : x < y;
}

/* The accumulator holds source 0 times the lower half of source 1; the upper half's product completes it. */
static void compute_mach(struct eu_any *a, unsigned i)
{
    uint64_t product = a->s[0].u[i] * (uint64_t)(a->s[1].i[i] >> 16) << 16;

    a->second.u[i] = (uint64_t)a->acc[i] + product;
    a->r.i[i] = a->second.i[i] >> 32;
}

static uint64_t distance(const struct eu_any *a, unsigned i)
{
    int64_t d = a->s[0].i[i] - a->s[1].i[i];

    return (uint64_t)(d < 0 ? -d : d);
}

/* Pairs of bytes: the sum is in the even channel. */
static void compute_sad(struct eu_any *a, const struct eu_op *op, unsigned i)
{
    a->r.u[i] = distance(a, i);
    if (i + 1 < op->width)
        a->r.u[i] += distance(a, i + 1);
    if (op->op == EU_OP_SADA2)
        a->r.u[i] += (uint64_t)a->acc[i];
}

/* PRM SKL vol 7, "Extended Math": by zero, and the one quotient that does not fit. */
static void compute_divide(struct eu_any *a, const struct eu_op *op, unsigned i)
{
    int64_t x = a->s[0].i[i], y = a->s[1].i[i], q, r;

    if (y == 0) {
        q = x < 0 ? INT32_MIN : INT32_MAX;
        q = op->src[0].type == EU_TYPE_UD ? (int64_t)UINT32_MAX : q;
        r = x;
    } else if (y == -1) {
        q = (int64_t)(0 - (uint64_t)x);
        r = 0;
    } else {
        q = x / y;
        r = x % y;
    }
    if (op->dst.type == EU_TYPE_D && q > INT32_MAX)
        q = (int32_t)(uint32_t)q;
    a->r.i[i] = op->cond == EU_MATH_INT_MOD ? r : q;
    a->second.i[i] = r;
}

static void compute_select(struct eu_any *a, const struct eu_op *op, unsigned i)
{
    bool first = op->cond ? compare(op->cond, a->s[0].i[i], a->s[1].i[i], compares_unsigned(op)) : a->pred >> i & 1;

    a->r.i[i] = first ? a->s[0].i[i] : a->s[1].i[i];
}

static void compute_bits(struct eu_any *a, const struct eu_op *op, unsigned i)
{
    uint64_t x = a->s[0].u[i], y = a->s[1].u[i], *r = &a->r.u[i];

    switch (op->op) {
    case EU_OP_AND:
        *r = x & y;
        break;
    case EU_OP_OR:
        *r = x | y;
        break;
    case EU_OP_XOR:
        *r = x ^ y;
        break;
    case EU_OP_BFI1:
        *r = (uint32_t)(((1u << (x & 31)) - 1) << (y & 31));
        break;
    case EU_OP_BFE:
        a->r.i[i] = extract((uint32_t)x, (uint32_t)y, (uint32_t)a->s[2].u[i], op->src[2].type == EU_TYPE_D);
        break;
    default:
        *r = insert((uint32_t)x, (uint32_t)y, (uint32_t)a->s[2].u[i]);
    }
}

static void compute_sum(struct eu_any *a, const struct eu_op *op, unsigned i)
{
    uint64_t x = a->s[0].u[i], y = a->s[1].u[i], *r = &a->r.u[i];

    switch (op->op) {
    case EU_OP_ADD:
        *r = x + y;
        break;
    case EU_OP_MUL:
        *r = x * y;
        break;
    case EU_OP_AVG:
        a->r.i[i] = (int64_t)(x + y + 1) >> 1;
        break;
    case EU_OP_MAC:
        *r = (uint64_t)a->acc[i] + x * y;
        break;
    case EU_OP_MAD:
    case EU_OP_MADM:
        *r = x + y * a->s[2].u[i];
        break;
    default: /* the float instructions have no meaning here: as mov */
        *r = x;
    }
}

static void compute(struct eu_any *a, const struct eu_op *op, unsigned i)
{
    switch (op->op) {
    case EU_OP_SHL:
    case EU_OP_SHR:
    case EU_OP_ASR:
        compute_shift(a, op, i);
        break;
    case EU_OP_ADDC:
    case EU_OP_SUBB:
        compute_carry(a, op, i);
        break;
    case EU_OP_MACH:
        compute_mach(a, i);
        break;
    case EU_OP_SAD2:
    case EU_OP_SADA2:
        compute_sad(a, op, i);
        break;
    case EU_OP_MATH:
        compute_divide(a, op, i);
        break;
    case EU_OP_SEL:
        compute_select(a, op, i);
        break;
    case EU_OP_CSEL:
        a->r.i[i] = compare(op->cond, a->s[2].i[i], 0, false) ? a->s[0].i[i] : a->s[1].i[i];
        break;
    case EU_OP_AND:
    case EU_OP_OR:
    case EU_OP_XOR:
    case EU_OP_BFI1:
    case EU_OP_BFI2:
    case EU_OP_BFE:
        compute_bits(a, op, i);
        break;
    default:
        compute_sum(a, op, i);
    }
}

void eu_any_int(struct eu_any *a, const struct eu_op *op)
{
    unsigned nsrc = eu_opcodes[op->op].nsrc;

    if (op->op == EU_OP_CMP || op->op == EU_OP_CMPN) {
        a->compares = true;
        a->truth = 0;
        for (unsigned i = 0; i < op->width; i++)
            a->truth |= (uint32_t)compare(op->cond, a->s[0].i[i], a->s[1].i[i], compares_unsigned(op)) << i;
        return;
    }
    a->has_second = op->op == EU_OP_MATH && op->cond == EU_MATH_INT_DIV_BOTH;
    for (unsigned i = 0; i < op->width; i++) {
        if (nsrc == 1 || op->op == EU_OP_MOVI)
            compute_one_source(a, op, i);
        else
            compute(a, op, i);
    }
}
