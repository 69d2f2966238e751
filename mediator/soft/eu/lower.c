/* From an instruction's fields to an op with resolved operands: offsets into struct eu_thread, checked here once. */
#include <stdlib.h>
#include <string.h>

#include "mediator/soft/eu/lower.h"

/* ---- registers */

/* Architecture registers that exist, and how many bytes a register number counts. */
static const struct {
    uint8_t nr;
    uint8_t step;
    uint16_t off, bytes;
} arf_places[] = {
    {EU_ARF_ADDRESS, 32, offsetof(struct eu_thread, address), sizeof(((struct eu_thread *)0)->address)},
    {EU_ARF_ACC, EU_REG_BYTES, offsetof(struct eu_thread, acc), sizeof(((struct eu_thread *)0)->acc)},
    {EU_ARF_FLAG, 4, offsetof(struct eu_thread, flag), sizeof(((struct eu_thread *)0)->flag)},
    {EU_ARF_CE, 4, offsetof(struct eu_thread, ce0), sizeof(((struct eu_thread *)0)->ce0)},
    {EU_ARF_STATE, 16, offsetof(struct eu_thread, sr0), sizeof(((struct eu_thread *)0)->sr0)},
    {EU_ARF_CONTROL, 16, offsetof(struct eu_thread, cr0), sizeof(((struct eu_thread *)0)->cr0)},
    {EU_ARF_NOTIFY, 4, offsetof(struct eu_thread, notified), sizeof(((struct eu_thread *)0)->notified)},
    {EU_ARF_IP, 4, offsetof(struct eu_thread, ip_bytes), sizeof(((struct eu_thread *)0)->ip_bytes)},
    {EU_ARF_TIMESTAMP, 16, offsetof(struct eu_thread, tm0), sizeof(((struct eu_thread *)0)->tm0)},
};

bool eu_find_place(struct eu_place *p, unsigned file, unsigned nr, unsigned subnr)
{
    if (file == EU_GRF) {
        *p = (struct eu_place){.off = nr * EU_REG_BYTES + subnr, .end = EU_GRF_BYTES};
        return true;
    }
    for (size_t i = 0; file == EU_ARF && i < sizeof(arf_places) / sizeof(arf_places[0]); i++)
        if (arf_places[i].nr == (nr & 0xf0)) {
            *p = (struct eu_place){.off = arf_places[i].off + (nr & 0xf) * arf_places[i].step + subnr,
                                   .end = arf_places[i].off + (uint32_t)arf_places[i].bytes};
            return true;
        }
    return false;
}

bool eu_is_null(const struct eu_operand *o)
{
    return o->file == EU_ARF && (o->nr & 0xf0) == EU_ARF_NULL && !o->indirect;
}

/* ---- regions */

static void fill_pattern(uint16_t *lane, const struct eu_operand *o, bool align16, unsigned size)
{
    unsigned width = align16 ? 4 : 1u << o->width, vs = eu_stride(o->vstride), hs = eu_stride(o->hstride);

    if (o->vstride == EU_VSTRIDE_VXH)
        vs = 0;
    for (unsigned i = 0; i < EU_LANES; i++) {
        unsigned column = i % width;

        if (align16)
            column = o->swizzle >> 2 * column & 3;
        lane[i] = (uint16_t)((i / width * vs + column * (align16 ? 1 : hs)) * size);
    }
}

/* The region as a small number, so that equal ones are found without comparing. */
static unsigned pattern_key(const struct eu_operand *o, bool align16, unsigned size)
{
    unsigned log = size == 8 ? 3 : size >> 1;

    if (align16)
        return 1u << 12 | (o->vstride ? 1u : 0u) << 10 | log << 8 | o->swizzle;
    return (o->vstride & 15u) << 7 | (o->width & 7u) << 4 | (o->hstride & 3u) << 2 | log;
}

static const uint16_t *find_pattern(struct eu_patterns *p, const struct eu_operand *o, bool align16, unsigned size,
                                    uint16_t *id)
{
    unsigned key = pattern_key(o, align16, size);

    if (!p->id[key]) {
        if (p->n == p->room) {
            uint32_t room = p->room ? p->room * 2 : 16;
            uint16_t *lane = realloc(p->lane, (size_t)room * EU_LANES * sizeof(*lane));

            p->failed = p->failed || !lane;
            if (!lane)
                return NULL;
            p->lane = lane;
            p->room = room;
        }
        fill_pattern(p->lane + (size_t)p->n * EU_LANES, o, align16, size);
        p->id[key] = (uint16_t)++p->n;
    }
    *id = (uint16_t)(p->id[key] - 1);
    return p->lane + (size_t)*id * EU_LANES;
}

static unsigned furthest(const uint16_t *lane, unsigned n)
{
    unsigned most = 0;

    for (unsigned i = 0; i < n; i++)
        if (lane[i] > most)
            most = lane[i];
    return most;
}

static enum eu_shape shape_of(const uint16_t *lane, unsigned n, unsigned size)
{
    bool vec = true, scalar = true;

    for (unsigned i = 0; i < n; i++) {
        vec = vec && lane[i] == i * size;
        scalar = scalar && lane[i] == 0;
    }
    return vec ? EU_SHAPE_VEC : scalar ? EU_SHAPE_SCALAR : EU_SHAPE_PATTERN;
}

/* ---- sources */

static const char *lower_imm(struct eu_op *op, struct eu_src *s, const struct eu_inst *in)
{
    uint32_t v = (uint32_t)in->imm;
    float f;

    s->shape = EU_SHAPE_IMM;
    op->imm = in->imm;
    switch (s->type) {
    case EU_TYPE_W:
        op->imm = (uint64_t)(int64_t)(int16_t)v;
        break;
    case EU_TYPE_UW:
        op->imm = v & 0xffff;
        break;
    case EU_TYPE_D:
        op->imm = (uint64_t)(int64_t)(int32_t)v;
        break;
    case EU_TYPE_VF:
    case EU_TYPE_HF:
        if (s->type == EU_TYPE_VF && v != (v & 0xff) * 0x01010101u)
            break;
        f = s->type == EU_TYPE_VF ? eu_vf_to_float((uint8_t)v) : eu_half_to_float((uint16_t)v);
        s->type = EU_TYPE_F;
        memcpy(&v, &f, sizeof(v));
        op->imm = v;
        break;
    default:
        break;
    }
    return NULL;
}

/* Bytes that a source takes; pln and line look at more than their region. */
static unsigned bytes_needed(const struct eu_op *op, unsigned i, const uint16_t *lane, unsigned size)
{
    unsigned n = 0, region = furthest(lane, op->width) + size;

    if (i == 0 && (op->op == EU_OP_PLN || op->op == EU_OP_LINE))
        n = 16;
    if (i == 1 && op->op == EU_OP_PLN)
        n = op->chunks * 2u * EU_REG_BYTES;
    return region > n ? region : n;
}

static const char *lower_src(struct eu_op *op, unsigned i, const struct eu_inst *in, struct eu_patterns *patterns)
{
    const struct eu_operand *o = &in->src[i];
    struct eu_src *s = &op->src[i];
    const uint16_t *lane;
    struct eu_place p;
    unsigned size;

    *s = (struct eu_src){.type = o->type, .neg = o->neg, .abs = o->abs};
    if (s->type == EU_TYPE_INVALID)
        return "invalid type";
    if (o->file == EU_IMM)
        return lower_imm(op, s, in);
    if (eu_is_null(o)) {
        s->shape = EU_SHAPE_IMM;
        return NULL;
    }
    if (!in->align16 && (o->width > 4 || (o->vstride > 6 && o->vstride != EU_VSTRIDE_VXH)))
        return "invalid region";
    size = eu_types[s->type].bytes;
    lane = find_pattern(patterns, o, in->align16, size, &s->pattern);
    if (!lane)
        return "out of memory";
    s->address = o->address;
    s->offset = o->offset;
    s->width = o->width;
    if (o->indirect) {
        s->shape = o->vstride == EU_VSTRIDE_VXH ? EU_SHAPE_ROWS : EU_SHAPE_INDIRECT;
        return o->file == EU_GRF ? NULL : "indirect access to architecture registers";
    }
    if (o->vstride == EU_VSTRIDE_VXH || !eu_find_place(&p, o->file, o->nr, o->subnr))
        return "no such register";
    if (p.off + bytes_needed(op, i, lane, size) > p.end)
        return "source beyond the register file";
    s->off = (uint16_t)p.off;
    s->shape = (uint8_t)shape_of(lane, op->width, size);
    return NULL;
}

/* ---- destination */

static uint32_t align16_lanes(unsigned writemask)
{
    return (writemask & 15u) * 0x11111111u;
}

const char *eu_lower_dst(struct eu_op *op, const struct eu_inst *in)
{
    const struct eu_operand *o = &in->dst;
    unsigned size, stride = o->hstride ? eu_stride(o->hstride) : 1, rest = 0;
    struct eu_place p;

    if (o->type == EU_TYPE_INVALID)
        return "invalid type";
    size = eu_types[o->type].bytes;
    op->dst.type = o->type;
    op->dst.stride = (uint16_t)(stride * size);
    if (in->align16)
        op->lanes &= align16_lanes(o->writemask);
    if (eu_is_null(o)) {
        op->dst.null = true;
        return NULL;
    }
    if (o->indirect) {
        op->dst.indirect = true;
        op->dst.address = o->address;
        op->dst.offset = o->offset;
        return o->file == EU_GRF ? NULL : "indirect access to architecture registers";
    }
    if (!eu_find_place(&p, o->file, o->nr, o->subnr))
        return "no such register";
    if (in->op == EU_OP_MATH && in->cond == EU_MATH_INT_DIV_BOTH)
        rest = op->width * size < EU_REG_BYTES ? EU_REG_BYTES : op->width * size; /* remainders behind the quotients */
    if (p.off + (op->width - 1u) * op->dst.stride + size + rest > p.end)
        return "destination beyond the register file";
    op->dst.off = (uint16_t)p.off;
    op->dst.is_acc = o->file == EU_ARF && (o->nr & 0xf0) == EU_ARF_ACC;
    return NULL;
}

/* ---- what is computed with */

static bool is_float(unsigned type)
{
    return eu_types[type].kind == EU_KIND_F || type == EU_TYPE_VF;
}

static unsigned sources_of(const struct eu_inst *in)
{
    if (in->op != EU_OP_MATH)
        return in->nsrc;
    return in->cond == EU_MATH_FDIV || in->cond == EU_MATH_POW || (in->cond >= EU_MATH_INT_DIV_BOTH) ? 2 : 1;
}

static enum eu_exec_kind kind_of(const struct eu_op *op, unsigned n)
{
    enum eu_exec_kind kind = EU_EXEC_INT;

    for (unsigned i = 0; i < n; i++) {
        if (op->src[i].type == EU_TYPE_DF)
            return EU_EXEC_DOUBLE;
        if (is_float(op->src[i].type))
            kind = EU_EXEC_FLOAT;
    }
    return kind;
}

/* An instruction that moves bits moves them unchanged, whatever the type: done with unsigned integers. */
static void make_raw(struct eu_op *op, unsigned n)
{
    static const uint8_t same_size[9] = {[1] = EU_TYPE_UB, [2] = EU_TYPE_UW, [4] = EU_TYPE_UD, [8] = EU_TYPE_UQ};
    unsigned type = op->dst.type;

    if ((op->op != EU_OP_MOV && op->op != EU_OP_SEL) || op->cond || op->saturate || eu_types[type].kind != EU_KIND_F)
        return;
    for (unsigned i = 0; i < n; i++)
        if (op->src[i].type != type || op->src[i].neg || op->src[i].abs)
            return;
    op->raw = true;
    op->kind = EU_EXEC_INT;
    op->dst.type = same_size[eu_types[type].bytes];
    for (unsigned i = 0; i < n; i++)
        op->src[i].type = op->dst.type;
}

static bool is_for_integers(const struct eu_op *op)
{
    switch (op->op) {
    case EU_OP_NOT:
    case EU_OP_AND:
    case EU_OP_OR:
    case EU_OP_XOR:
    case EU_OP_SHR:
    case EU_OP_SHL:
    case EU_OP_ASR:
    case EU_OP_BFREV:
    case EU_OP_BFE:
    case EU_OP_BFI1:
    case EU_OP_BFI2:
    case EU_OP_LZD:
    case EU_OP_FBH:
    case EU_OP_FBL:
    case EU_OP_CBIT:
    case EU_OP_ADDC:
    case EU_OP_SUBB:
    case EU_OP_SAD2:
    case EU_OP_SADA2:
    case EU_OP_AVG:
    case EU_OP_MACH:
    case EU_OP_MOVI:
        return true;
    default:
        return op->op == EU_OP_MATH && op->cond >= EU_MATH_INT_DIV_BOTH && op->cond <= EU_MATH_INT_MOD;
    }
}

static void as_integer(uint8_t *type)
{
    static const uint8_t same_size[9] = {[2] = EU_TYPE_UW, [4] = EU_TYPE_UD, [8] = EU_TYPE_UQ};

    if (is_float(*type))
        *type = same_size[eu_types[*type].bytes];
}

/* Types say what to compute with, unless the instruction does: integer instructions take floats as their bits, float
 * instructions (PRM SKL vol 2a) convert integers. */
static void choose_kind(struct eu_op *op, unsigned n)
{
    if (is_for_integers(op)) {
        as_integer(&op->dst.type);
        for (unsigned i = 0; i < n; i++)
            as_integer(&op->src[i].type);
    }
    op->kind = (uint8_t)kind_of(op, n);
    if (op->kind == EU_EXEC_INT && !is_for_integers(op) && (op->op == EU_OP_MATH || op->op >= EU_OP_DP4) &&
        op->op != EU_OP_MAD && op->op != EU_OP_MADM)
        op->kind = EU_EXEC_FLOAT;
}

static bool within(uint32_t off, size_t first, size_t bytes)
{
    return off >= first && off < first + bytes;
}

/* Registers that are computed when they are read, or do something when they are written. */
static bool touches_state(const struct eu_op *op, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const struct eu_src *s = &op->src[i];

        if (s->shape <= EU_SHAPE_PATTERN && s->shape != EU_SHAPE_IMM &&
            (within(s->off, offsetof(struct eu_thread, ce0), 4) ||
             within(s->off, offsetof(struct eu_thread, tm0), 16) ||
             within(s->off, offsetof(struct eu_thread, ip_bytes), 4)))
            return true;
    }
    return !op->dst.null && !op->dst.indirect &&
           (within(op->dst.off, offsetof(struct eu_thread, cr0), 16) ||
            within(op->dst.off, offsetof(struct eu_thread, ip_bytes), 4));
}

static bool is_group_of_four(unsigned op)
{
    return op == EU_OP_DP2 || op == EU_OP_DP3 || op == EU_OP_DP4 || op == EU_OP_DPH;
}

static const char *lower_alu(struct eu_op *op, const struct eu_inst *in, struct eu_patterns *patterns)
{
    unsigned n = sources_of(in);
    const char *fault = eu_lower_dst(op, in);

    if (in->nsrc == 3 && !in->align16)
        return "three sources without align16";
    if (in->op == EU_OP_MATH && (in->cond == 0 || in->cond == 8))
        return "no such math function";
    for (unsigned i = 0; i < n && !fault; i++)
        fault = lower_src(op, i, in, patterns);
    if (fault)
        return fault;
    if ((op->src[0].shape == EU_SHAPE_IMM && n == 3) || (is_group_of_four(in->op) && op->width < 4))
        return "invalid operands";
    choose_kind(op, n);
    make_raw(op, n);
    op->run = touches_state(op, n) ? EU_RUN_STATE : EU_RUN_PLAIN;
    /* The predicate of sel chooses between its sources. */
    if (in->pred && in->op != EU_OP_SEL && op->run == EU_RUN_PLAIN)
        op->run = EU_RUN_PRED;
    return NULL;
}

static const char *lower_class(struct eu_op *op, const struct eu_inst *in, struct eu_patterns *patterns, unsigned bytes)
{
    if (!in->desc->text || in->op == EU_OP_ILLEGAL || in->op == EU_OP_SMOV)
        return "illegal instruction";
    if (in->exec > 5)
        return "invalid execution size";
    switch (in->desc->klass) {
    case EU_CLASS_ALU:
        return lower_alu(op, in, patterns);
    case EU_CLASS_SEND:
        return eu_lower_send(op, in);
    case EU_CLASS_OTHER:
        op->run = in->op == EU_OP_WAIT ? EU_RUN_WAIT : EU_RUN_NOP;
        return NULL;
    default:
        return eu_lower_flow(op, in, bytes);
    }
}

const char *eu_lower(struct eu_op *op, const struct eu_inst *in, struct eu_patterns *patterns)
{
    unsigned width = 1u << (in->exec & 7), bytes = in->compacted ? EU_COMPACT_BYTES : EU_NATIVE_BYTES;
    const char *fault;
    uint32_t at = op->at;

    if (width > EU_LANES)
        width = EU_LANES;
    *op = (struct eu_op){.at = at,
                         .lanes = (uint32_t)((UINT64_C(1) << width) - 1),
                         .force = in->nomask ? UINT32_MAX : 0,
                         .chan = in->chan,
                         .width = (uint8_t)width,
                         .chunks = (uint8_t)((width + 7) / 8),
                         .op = in->op,
                         .cond = in->cond,
                         .pred = in->pred,
                         .pred_inv = in->pred_inv,
                         .flag_bit = (uint8_t)((in->flag * 16u + in->chan) & 63),
                         .align16 = in->align16,
                         .saturate = in->saturate,
                         .acc_write = in->acc_write};
    fault = lower_class(op, in, patterns, bytes);
    op->full = width < 8 || op->lanes != (uint32_t)((UINT64_C(1) << width) - 1) ? UINT32_MAX : op->lanes;
    if (fault)
        op->run = EU_RUN_FAULT;
    else if (in->desc->klass == EU_CLASS_ALU)
        op->exec = eu_choose(op);
    return fault;
}
