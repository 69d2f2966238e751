/* Which function executes an op: those of vec.h where they do the same as the general one. */
#include <string.h>

#include "mediator/soft/eu/vec.h"

static const struct eu_vec_table *table(void)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &eu_vec_avx2;
#endif
    return &eu_vec_base;
}

static unsigned sources(const struct eu_op *op)
{
    if (op->op != EU_OP_MATH)
        return eu_opcodes[op->op].nsrc;
    return op->cond == EU_MATH_FDIV || op->cond == EU_MATH_POW ? 2 : 1;
}

static bool is_dword(unsigned type)
{
    return type == EU_TYPE_D || type == EU_TYPE_UD;
}

static bool modified(const struct eu_op *op, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (op->src[i].neg || op->src[i].abs)
            return true;
    return false;
}

/* ---- what vec.h can do at all */

/* One register after the other, dwords without gaps. */
static bool dst_fits(const struct eu_op *op, bool may_be_null)
{
    if (op->dst.null)
        return may_be_null && eu_types[op->dst.type].bytes == 4;
    return !op->dst.indirect && op->dst.off < EU_GRFS * EU_REG_BYTES && op->dst.stride == 4 &&
           eu_types[op->dst.type].bytes == 4;
}

static bool sources_are_float(const struct eu_op *op, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (op->src[i].type != EU_TYPE_F || op->src[i].shape > EU_SHAPE_PATTERN)
            return false;
    return true;
}

static bool sources_are_int(const struct eu_op *op, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const struct eu_src *s = &op->src[i];

        if (s->shape > EU_SHAPE_PATTERN || eu_types[s->type].bytes > 4 || eu_types[s->type].kind == EU_KIND_F ||
            s->type == EU_TYPE_VF)
            return false;
        if (s->type == EU_TYPE_UD && s->abs)
            return false;
    }
    return true;
}

/* Vector immediates differ from channel to channel: not for functions that take one value, or look at the order. */
static bool has_vector(const struct eu_op *op, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (eu_types[op->src[i].type].kind == EU_KIND_V)
            return true;
    return false;
}

static bool writes_acc(const struct eu_op *op)
{
    return op->acc_write || op->dst.is_acc;
}

/* ---- floats */

/* plain: neither saturation nor conditions, nor types that need extension. */
static eu_exec choose_two(const struct eu_op *op, const struct eu_vec_two *two, bool plain)
{
    unsigned s0 = op->src[0].shape, s1 = op->src[1].shape;
    eu_exec fast = NULL;

    if (plain && s0 <= EU_SHAPE_IMM && s1 <= EU_SHAPE_IMM)
        fast = modified(op, 2) ? two->signs[s0][s1] : two->plain[s0][s1];
    return fast ? fast : two->any;
}

static eu_exec choose_mad(const struct eu_op *op, const struct eu_vec_table *v)
{
    unsigned s0 = op->src[0].shape, s1 = op->src[1].shape, s2 = op->src[2].shape;

    if (op->saturate || op->cond || s0 > EU_SHAPE_SCALAR || s1 > EU_SHAPE_SCALAR || s2 > EU_SHAPE_SCALAR)
        return v->mad_any;
    return modified(op, 3) ? v->mad_signs[s0][s1][s2] : v->mad[s0][s1][s2];
}

static eu_exec choose_math(const struct eu_op *op, const struct eu_vec_table *v)
{
    switch (op->cond) {
    case EU_MATH_INV:
        return v->inv;
    case EU_MATH_LOG:
        return v->log;
    case EU_MATH_EXP:
        return v->exp;
    case EU_MATH_SQRT:
        return v->sqrt;
    case EU_MATH_RSQ:
        return v->rsq;
    case EU_MATH_SIN:
        return v->sin;
    case EU_MATH_COS:
        return v->cos;
    case EU_MATH_FDIV:
        return v->fdiv;
    case EU_MATH_POW:
        return v->pow;
    default:
        return NULL;
    }
}

static eu_exec choose_pln(const struct eu_op *op, const struct eu_vec_table *v)
{
    bool in_place = op->src[0].shape != EU_SHAPE_IMM && op->src[1].shape != EU_SHAPE_IMM;

    return in_place && !op->saturate && !op->cond && !modified(op, 2) && !op->dst.null ? v->pln : NULL;
}

static eu_exec choose_float(const struct eu_op *op, const struct eu_vec_table *v)
{
    bool plain = !op->saturate && !op->cond && !op->dst.null;

    switch (op->op) {
    case EU_OP_MOV:
        return v->fmov;
    case EU_OP_FRC:
        return v->frc;
    case EU_OP_RNDU:
        return v->rndu;
    case EU_OP_RNDD:
        return v->rndd;
    case EU_OP_RNDE:
        return v->rnde;
    case EU_OP_RNDZ:
        return v->rndz;
    case EU_OP_ADD:
        return choose_two(op, &v->fadd, plain);
    case EU_OP_MUL:
        return choose_two(op, &v->fmul, plain);
    case EU_OP_CMP:
        return op->cond ? v->fcmp.any : NULL;
    case EU_OP_SEL: /* min, max; by predicate only with modifiers */
        if (op->dst.null || (op->cond != EU_COND_L && op->cond != EU_COND_GE))
            return NULL;
        plain = !op->saturate;
        return choose_two(op, op->cond == EU_COND_L ? &v->fmin : &v->fmax, plain);
    case EU_OP_MAD:
        return op->dst.null && !op->cond ? NULL : choose_mad(op, v);
    case EU_OP_LRP:
        return v->lrp;
    case EU_OP_PLN:
        return choose_pln(op, v);
    case EU_OP_MATH:
        return op->dst.null ? NULL : choose_math(op, v);
    default:
        return NULL;
    }
}

/* ---- integers; those that saturate are left to the general way */

/* Values that are ordered as signed dwords: all but unsigned dwords. */
static bool is_ordered_signed(const struct eu_op *op, unsigned i)
{
    const struct eu_src *s = &op->src[i];

    if (s->shape == EU_SHAPE_IMM)
        return s->type != EU_TYPE_UD || op->imm <= INT32_MAX;
    return s->type != EU_TYPE_UD;
}

/* 1: as unsigned, 0: as signed, -1: neither is right. */
static int order(const struct eu_op *op)
{
    if (is_ordered_signed(op, 0) && is_ordered_signed(op, 1))
        return modified(op, 2) ? -1 : 0;
    return op->src[0].type == EU_TYPE_UD && op->src[1].type == EU_TYPE_UD && !modified(op, 2) ? 1 : -1;
}

static eu_exec choose_order(const struct eu_op *op, const struct eu_vec_table *v)
{
    int as_unsigned = order(op);
    bool both_dwords = is_dword(op->src[0].type) && is_dword(op->src[1].type);

    if (as_unsigned < 0 || has_vector(op, 2))
        return NULL;
    if (op->op == EU_OP_CMP) /* compare_any looks at source 0's type */
        return op->cond && (op->src[0].type == EU_TYPE_UD) == as_unsigned ? v->icmp.any : NULL;
    if (op->cond == EU_COND_L)
        return choose_two(op, as_unsigned ? &v->umin : &v->imin, both_dwords);
    return op->cond == EU_COND_GE ? choose_two(op, as_unsigned ? &v->umax : &v->imax, both_dwords) : NULL;
}

static eu_exec choose_shift(const struct eu_op *op, const struct eu_vec_table *v, bool plain)
{
    if (modified(op, 2))
        return NULL;
    if (op->op == EU_OP_SHL)
        return choose_two(op, &v->ishl, plain);
    /* Right shifts of what is not a dword: the general way knows how far it was extended. */
    if (op->op == EU_OP_SHR)
        return is_dword(op->src[0].type) ? choose_two(op, &v->ishr, plain) : NULL;
    return op->src[0].type == EU_TYPE_D && op->src[0].shape != EU_SHAPE_IMM ? choose_two(op, &v->iasr, plain) : NULL;
}

static eu_exec choose_int_mov(const struct eu_op *op, const struct eu_vec_table *v)
{
    bool plain = !op->cond && !modified(op, 1) && !op->dst.null && !has_vector(op, 1);

    if (plain && op->src[0].shape == EU_SHAPE_IMM)
        return v->mov[EU_SHAPE_IMM];
    if (plain && eu_types[op->src[0].type].bytes == 4 && op->src[0].shape <= EU_SHAPE_SCALAR)
        return v->mov[op->src[0].shape];
    return v->imov;
}

static eu_exec choose_int(const struct eu_op *op, const struct eu_vec_table *v)
{
    bool plain = !op->cond && !op->dst.null && is_dword(op->src[0].type) &&
                 (is_dword(op->src[1].type) || op->src[1].shape == EU_SHAPE_IMM) && !has_vector(op, 2);

    switch (op->op) {
    case EU_OP_MOV:
        return choose_int_mov(op, v);
    case EU_OP_NOT:
        return v->inot;
    case EU_OP_ADD:
        return choose_two(op, &v->iadd, plain);
    case EU_OP_MUL:
        return choose_two(op, &v->imul, plain);
    case EU_OP_AND:
        return choose_two(op, &v->iand, plain);
    case EU_OP_OR:
        return choose_two(op, &v->ior, plain);
    case EU_OP_XOR:
        return choose_two(op, &v->ixor, plain);
    case EU_OP_SHL:
    case EU_OP_SHR:
    case EU_OP_ASR:
        return choose_shift(op, v, plain);
    case EU_OP_CMP:
        return choose_order(op, v);
    case EU_OP_SEL:
        if (op->dst.null)
            return NULL;
        return op->cond ? choose_order(op, v) : v->isel.any;
    default:
        return NULL;
    }
}

/* Words one behind the other as destination. */
static eu_exec choose_words(const struct eu_op *op, const struct eu_vec_table *v)
{
    if (op->dst.null || op->dst.indirect || op->dst.off >= EU_GRFS * EU_REG_BYTES || op->dst.stride != 2 || op->cond ||
        op->saturate)
        return NULL;
    switch (op->op) {
    case EU_OP_MOV:
        return v->imov_words;
    case EU_OP_ADD:
        return v->iadd_words;
    case EU_OP_MUL:
        return v->imul_words;
    case EU_OP_AND:
        return v->iand_words;
    case EU_OP_OR:
        return v->ior_words;
    case EU_OP_XOR:
        return v->ixor_words;
    case EU_OP_SHL:
        return modified(op, 2) ? NULL : v->ishl_words;
    default:
        return NULL;
    }
}

/* ---- moves of one channel: headers, flags and addresses */

#define MOVE_ONE(bytes)                                                                                                \
    static void move_one_##bytes(struct eu_thread *t, const struct eu_op *op, uint32_t mask)                           \
    {                                                                                                                  \
        if (mask & 1)                                                                                                  \
            memcpy((uint8_t *)t + op->dst.off, (const uint8_t *)t + op->src[0].off, bytes);                            \
    }                                                                                                                  \
    static void set_one_##bytes(struct eu_thread *t, const struct eu_op *op, uint32_t mask)                            \
    {                                                                                                                  \
        if (mask & 1)                                                                                                  \
            memcpy((uint8_t *)t + op->dst.off, &op->imm, bytes);                                                       \
    }
MOVE_ONE(2)
MOVE_ONE(4)

/* As wide as the destination or wider, so that the first bytes are the value. */
static eu_exec choose_move_one(const struct eu_op *op)
{
    const struct eu_src *s = &op->src[0];
    unsigned bytes = eu_types[op->dst.type].bytes;

    if (op->op != EU_OP_MOV || op->width != 1 || op->kind != EU_EXEC_INT || op->cond || (op->saturate && !op->raw) ||
        modified(op, 1) || op->dst.null || op->dst.indirect || eu_types[op->dst.type].kind == EU_KIND_F)
        return NULL;
    if (s->shape > EU_SHAPE_PATTERN || eu_types[s->type].bytes < bytes || eu_types[s->type].kind == EU_KIND_V)
        return NULL;
    if (bytes == 2)
        return s->shape == EU_SHAPE_IMM ? set_one_2 : move_one_2;
    return bytes != 4 ? NULL : s->shape == EU_SHAPE_IMM ? set_one_4 : move_one_4;
}

static bool is_condition(const struct eu_op *op)
{
    return op->op == EU_OP_MATH || op->cond <= EU_COND_LE || (op->cond == EU_COND_U && op->kind == EU_EXEC_FLOAT);
}

eu_exec eu_choose_from(const struct eu_op *op, const struct eu_vec_table *v)
{
    unsigned n = sources(op), type = op->dst.type;
    bool flags_only = op->op == EU_OP_CMP || (op->cond && op->op != EU_OP_MATH);

    if (writes_acc(op) || !is_condition(op))
        return NULL;
    if (choose_move_one(op))
        return choose_move_one(op);
    if ((type == EU_TYPE_UW || type == EU_TYPE_W) && op->kind == EU_EXEC_INT && sources_are_int(op, n))
        return choose_words(op, v);
    if (!dst_fits(op, flags_only))
        return NULL;
    if (op->kind == EU_EXEC_FLOAT && sources_are_float(op, n)) {
        if (type == EU_TYPE_F || op->op == EU_OP_CMP)
            return choose_float(op, v);
        return op->op == EU_OP_MOV && is_dword(type) ? v->int_from_f : NULL;
    }
    if (op->kind != EU_EXEC_INT || !sources_are_int(op, n))
        return NULL;
    if (op->op == EU_OP_MOV && type == EU_TYPE_F)
        return op->src[0].type == EU_TYPE_UD && modified(op, 1) ? NULL : v->f_from_int;
    if ((op->saturate && !op->raw) || (!is_dword(type) && op->op != EU_OP_CMP))
        return NULL;
    return choose_int(op, v);
}

eu_exec eu_choose(const struct eu_op *op)
{
    eu_exec fast = eu_choose_from(op, table());

    return fast ? fast : eu_exec_any;
}
