/* Messages: from a send to the dispatcher's function. */
#include <string.h>

#include "mediator/soft/eu/op.h"

#define MAX_PAYLOAD (15u * EU_REG_BYTES)

static enum eu_result refuse(struct eu_thread *t, const char *why)
{
    t->fault = why;
    return EU_FAULT;
}

static uint32_t load_desc(const struct eu_thread *t, uint16_t off, uint32_t here)
{
    uint32_t v;

    if (off == EU_OFF_NONE)
        return here;
    memcpy(&v, (const uint8_t *)t + off, sizeof(v));
    return v;
}

/* First register of a payload or an answer, as a byte offset; past the end when n registers do not fit. */
static uint32_t place(const struct eu_thread *t, bool indirect, unsigned off, unsigned address, int offset, unsigned n)
{
    uint32_t end = EU_GRFS * EU_REG_BYTES;

    if (indirect)
        off = (uint32_t)(t->address[address & 15] + offset) & (end - 1) & ~(EU_REG_BYTES - 1);
    return off + n * EU_REG_BYTES <= end ? off : end;
}

static uint32_t place_src(const struct eu_thread *t, const struct eu_src *s, unsigned n)
{
    if (s->shape == EU_SHAPE_IMM)
        return n ? EU_GRFS * EU_REG_BYTES : 0;
    return place(t, s->shape == EU_SHAPE_INDIRECT, s->off, s->address, s->offset, n);
}

static bool overlap(const uint8_t *a, unsigned na, const uint8_t *b, unsigned nb)
{
    return na && nb && a < b + nb * EU_REG_BYTES && b < a + na * EU_REG_BYTES;
}

/* The payload is read before the answer is written: where they overlap it is copied. */
static enum eu_result carry_out(struct eu_thread *t, struct eu_message *m)
{
    uint8_t copy[2][MAX_PAYLOAD];

    if (overlap(m->src0, m->mlen, m->dst, m->rlen)) {
        memcpy(copy[0], m->src0, m->mlen * EU_REG_BYTES);
        m->src0 = copy[0];
    }
    if (overlap(m->src1, m->ex_mlen, m->dst, m->rlen)) {
        memcpy(copy[1], m->src1, m->ex_mlen * EU_REG_BYTES);
        m->src1 = copy[1];
    }
    return t->host->message(t, m);
}

enum eu_result eu_send(struct eu_thread *t, const struct eu_op *op, uint32_t mask)
{
    /* PRM SKL vol 7, "Message Descriptor": lengths and the header bit. */
    uint32_t desc = load_desc(t, op->desc_off, op->jip), ex = op->split ? load_desc(t, op->ex_desc_off, op->uip) : 0;
    struct eu_message m = {
        .sfid = op->cond,
        .exec_size = op->width,
        .mlen = desc >> 25 & 15,
        .ex_mlen = ex >> 6 & 15,
        .rlen = op->dst.null ? 0 : desc >> 20 & 31,
        .header = desc >> 19 & 1,
        .eot = op->eot,
        .wait = op->wait,
        .desc = desc,
        .ex_desc = ex,
        .mask = mask,
        .first_channel = op->chan,
    };
    uint32_t end = EU_GRFS * EU_REG_BYTES, src0, src1, dst;
    enum eu_result r;

    if (!mask && !op->eot)
        return EU_DONE;
    src0 = place_src(t, &op->src[0], m.mlen);
    src1 = op->split ? place_src(t, &op->src[1], m.ex_mlen) : 0;
    dst = op->dst.null ? 0 : place(t, op->dst.indirect, op->dst.off, op->dst.address, op->dst.offset, m.rlen);
    if (src0 == end || src1 == end || dst == end)
        return refuse(t, "message beyond the register file");
    m.src0 = t->grf + src0;
    m.src1 = t->grf + src1;
    m.dst = t->grf + dst;
    r = carry_out(t, &m);
    if (r == EU_FAULT && !t->fault)
        t->fault = "message refused";
    return r == EU_WAIT || r == EU_BUDGET ? EU_DONE : r; /* a barrier is waited for in the next WAIT */
}
