/* From fields to ops: sends and branches. */
#include "mediator/soft/eu/lower.h"

/* ---- sends */

static bool desc_register(const struct eu_operand *o, uint16_t *off)
{
    struct eu_place p;

    if (o->indirect || o->file != EU_ARF || (o->nr & 0xf0) != EU_ARF_ADDRESS ||
        !eu_find_place(&p, o->file, o->nr, o->subnr) || p.off + 4 > p.end || o->subnr % 4)
        return false;
    *off = (uint16_t)p.off;
    return true;
}

static const char *lower_payload(struct eu_src *s, const struct eu_operand *o)
{
    if (eu_is_null(o)) {
        s->shape = EU_SHAPE_IMM;
        return NULL;
    }
    if (o->file != EU_GRF)
        return "message from architecture registers";
    s->shape = o->indirect ? EU_SHAPE_INDIRECT : EU_SHAPE_VEC;
    s->off = (uint16_t)(o->nr * EU_REG_BYTES);
    s->address = o->address;
    s->offset = o->offset;
    return o->nr < EU_GRFS ? NULL : "message beyond the register file";
}

const char *eu_lower_send(struct eu_op *op, const struct eu_inst *in)
{
    struct eu_operand ex = {.file = EU_ARF, .nr = EU_ARF_ADDRESS};
    const char *fault = lower_payload(&op->src[0], &in->src[0]);

    op->run = EU_RUN_SEND;
    op->split = eu_inst_is_split_send(in);
    op->eot = EU_GET(&in->bits, EOT);
    op->wait = in->op == EU_OP_SENDC || in->op == EU_OP_SENDSC;
    op->desc_off = op->ex_desc_off = EU_OFF_NONE;
    if (!fault && op->split)
        fault = lower_payload(&op->src[1], &in->src[1]);
    if (fault)
        return fault;
    if (op->src[0].shape == EU_SHAPE_IMM)
        return "message from nowhere";
    ex.subnr = (uint8_t)(EU_GET(&in->bits, SENDS_EX_DESC_SUBREG) * 4);
    if (!eu_inst_desc(in, &op->jip)) {
        if (op->split)
            op->desc_off = offsetof(struct eu_thread, address);
        else if (!desc_register(&in->src[1], &op->desc_off))
            return "message descriptor in a wrong place";
    }
    if (!eu_inst_ex_desc(in, &op->uip) && !desc_register(&ex, &op->ex_desc_off))
        return "message descriptor in a wrong place";
    op->dst.null = in->dst.file != EU_GRF; /* null, or acc0 as libigt has it */
    op->dst.indirect = in->dst.indirect;
    op->dst.address = in->dst.address;
    op->dst.offset = in->dst.offset;
    op->dst.off = (uint16_t)(in->dst.nr * EU_REG_BYTES);
    if (!op->dst.null && in->dst.nr >= EU_GRFS)
        return "message answer beyond the register file";
    return NULL;
}

/* ---- branches */

static uint32_t target(int64_t at)
{
    return at >= 0 && at < (int64_t)EU_KERNEL_BYTES && at % EU_COMPACT_BYTES == 0 ? (uint32_t)at : EU_KERNEL_BYTES;
}

/* A jump's distance: immediate, or in the first dword of a general register. */
static const char *lower_distance(struct eu_op *op, const struct eu_inst *in, const struct eu_operand *o, int64_t from)
{
    if (o->file == EU_IMM) {
        op->jip = target(from + (int32_t)(uint32_t)EU_GET(&in->bits, IMM32));
        return NULL;
    }
    if (o->file != EU_GRF || o->indirect || o->nr * EU_REG_BYTES + o->subnr + 4u > EU_GRF_BYTES)
        return "jump from a wrong place";
    op->jip = EU_OP_NOWHERE;
    op->src[0].off = (uint16_t)(o->nr * EU_REG_BYTES + o->subnr);
    return NULL;
}

static const char *lower_call(struct eu_op *op, const struct eu_inst *in)
{
    op->run = EU_RUN_CALL;
    if (in->src[1].file != EU_IMM)
        return "call by register";
    if (in->op == EU_OP_CALLA)
        op->jip = target(in->jip);
    return eu_lower_dst(op, in);
}

const char *eu_lower_flow(struct eu_op *op, const struct eu_inst *in, unsigned bytes)
{
    static const uint8_t run[128] = {
        [EU_OP_IF] = EU_RUN_IF,       [EU_OP_ELSE] = EU_RUN_ELSE,   [EU_OP_ENDIF] = EU_RUN_ENDIF,
        [EU_OP_WHILE] = EU_RUN_WHILE, [EU_OP_BREAK] = EU_RUN_LEAVE, [EU_OP_CONT] = EU_RUN_LEAVE,
        [EU_OP_HALT] = EU_RUN_LEAVE,  [EU_OP_GOTO] = EU_RUN_LEAVE,  [EU_OP_BRC] = EU_RUN_LEAVE,
        [EU_OP_JOIN] = EU_RUN_JOIN,
    };
    int64_t at = op->at;

    op->run = run[in->op];
    op->jip = target(at + in->jip);
    op->uip = target(at + in->uip);
    switch (in->op) {
    case EU_OP_JMPI:
        op->run = EU_RUN_JUMP;
        return lower_distance(op, in, &in->src[1], at + bytes);
    case EU_OP_BRD:
        op->run = EU_RUN_JUMP;
        return lower_distance(op, in, in->src[1].file == EU_IMM ? &in->src[1] : &in->src[0], at);
    case EU_OP_CALL:
    case EU_OP_CALLA:
        return lower_call(op, in);
    case EU_OP_RET:
        op->run = EU_RUN_RET;
        return lower_distance(op, in, &in->src[0], 0);
    default:
        return NULL;
    }
}
