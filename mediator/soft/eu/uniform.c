/* Kernels that are too simple to be run for every thread. */
#include "mediator/soft/eu/op.h"

/* Do all channels of the source come from these registers, or from the instruction? */
static bool shared(const struct eu_op *op, const struct eu_src *s, unsigned first, unsigned end)
{
    unsigned bytes = eu_types[s->type].bytes;

    if (s->shape == EU_SHAPE_IMM)
        return true;
    if (s->shape != EU_SHAPE_SCALAR && s->shape != EU_SHAPE_PATTERN)
        return false;
    for (unsigned i = 0; i < op->width; i++) {
        unsigned at = s->off;

        if (s->shape == EU_SHAPE_PATTERN)
            at += op->table[s->pattern * EU_LANES + i];
        if (at < first * EU_REG_BYTES || at + bytes > end * EU_REG_BYTES)
            return false;
    }
    return true;
}

static bool copies(const struct eu_op *op, unsigned first, unsigned end)
{
    return op->run == EU_RUN_PLAIN && op->op == EU_OP_MOV && !op->cond && !op->dst.null && !op->dst.indirect &&
           op->dst.off / EU_REG_BYTES >= end && shared(op, &op->src[0], first, end);
}

bool eu_kernel_is_uniform(const struct eu_kernel *k, unsigned first, unsigned end)
{
    const struct eu_op *op = k->ops;

    while (op < k->ops + k->n && copies(op, first, end))
        op++;
    return op < k->ops + k->n && op->run == EU_RUN_SEND && op->eot && !op->pred;
}
