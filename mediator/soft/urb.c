#include "mediator/soft/urb.h"

#include "vgpu/base/bits.h"

/* Message descriptor. PRM SKL vol 7 "URB Messages"; Mesa src/intel/compiler/brw_eu.h (brw_urb_desc). */
#define URB_OPCODE(desc)        gt_field(desc, 3, 0)
#define URB_GLOBAL_OFFSET(desc) gt_field(desc, 14, 4) /* 16-byte units */
#define URB_CHANNEL_MASK        GT_BIT(15)
#define URB_PER_SLOT_OFFSET     GT_BIT(17)
#define URB_SIMD8_WRITE         7u
#define URB_SIMD8_READ          8u

#define URB_LANES      8u
#define URB_DATA_REGS  8u
#define URB_OFFSET     16u /* bytes of a step of the offsets */
#define URB_MASK_SHIFT 16u /* channel masks are in bits 23:16 */

/* The parts of a payload; both halves of a split message follow each other. */
struct urb_payload {
    const struct eu_message *m;
    unsigned regs, next;
};

static const uint32_t *next_reg(struct urb_payload *p)
{
    const struct eu_message *m = p->m;

    if (p->next >= p->regs)
        return NULL;
    unsigned i = p->next++;
    const uint8_t *reg = i < m->mlen ? m->src0 + i * EU_REG_BYTES : m->src1 + (i - m->mlen) * EU_REG_BYTES;

    return (const uint32_t *)(const void *)reg;
}

struct urb_access {
    const uint32_t *handle, *offset, *mask; /* a register each; offset, mask: NULL when there is none */
    uint32_t global;
};

/* Where a lane's access begins, and how many of n dwords are inside of the array. */
static uint32_t *lane_data(const struct soft_urb *u, const struct urb_access *a, unsigned lane, unsigned *n)
{
    uint64_t at = (uint64_t)(a->handle[lane] & (SOFT_URB_UNITS - 1)) * SOFT_URB_UNIT;

    at += ((uint64_t)a->global + (a->offset ? a->offset[lane] : 0)) * URB_OFFSET;
    if (at >= SOFT_URB_BYTES)
        *n = 0;
    else
        *n = (unsigned)GT_MIN((uint64_t)*n, (SOFT_URB_BYTES - at) / 4);
    return (uint32_t *)(void *)(u->data + (*n ? at : 0));
}

static void write_lane(const struct soft_urb *u, const struct urb_access *a, unsigned lane,
                       const uint32_t *const data[URB_DATA_REGS], unsigned n)
{
    uint32_t mask = a->mask ? a->mask[lane] >> URB_MASK_SHIFT : UINT32_MAX;
    uint32_t *to = lane_data(u, a, lane, &n);

    for (unsigned i = 0; i < n; i++)
        if (mask & GT_BIT(i))
            to[i] = data[i][lane];
}

static enum eu_result write_simd8(const struct soft_urb *u, const struct urb_access *a, struct urb_payload *p)
{
    const uint32_t *data[URB_DATA_REGS];
    unsigned n = 0;

    while (n < URB_DATA_REGS && (data[n] = next_reg(p)))
        n++;
    for (unsigned lane = 0; lane < URB_LANES; lane++)
        if (p->m->mask & GT_BIT(lane))
            write_lane(u, a, lane, data, n);
    return EU_DONE;
}

static enum eu_result read_simd8(const struct soft_urb *u, const struct urb_access *a, const struct eu_message *m)
{
    for (unsigned lane = 0; lane < URB_LANES; lane++) {
        unsigned want = GT_MIN(m->rlen, URB_DATA_REGS), n = want;
        uint32_t *dst = (uint32_t *)(void *)m->dst + lane;

        if (!(m->mask & GT_BIT(lane)))
            continue;
        const uint32_t *from = lane_data(u, a, lane, &n);

        for (unsigned i = 0; i < want; i++)
            dst[i * URB_LANES] = i < n ? from[i] : 0;
    }
    return EU_DONE;
}

enum eu_result soft_urb_message(struct soft_urb *u, const struct eu_message *m)
{
    struct urb_payload p = {.m = m, .regs = m->mlen + m->ex_mlen};
    struct urb_access a = {.global = URB_GLOBAL_OFFSET(m->desc)};
    bool want_offset = m->desc & URB_PER_SLOT_OFFSET, want_mask = m->desc & URB_CHANNEL_MASK;

    a.handle = next_reg(&p);
    a.offset = want_offset ? next_reg(&p) : NULL;
    a.mask = want_mask ? next_reg(&p) : NULL;
    if (!a.handle || (want_offset && !a.offset) || (want_mask && !a.mask))
        return EU_FAULT;
    switch (URB_OPCODE(m->desc)) {
    case URB_SIMD8_WRITE:
        return write_simd8(u, &a, &p);
    case URB_SIMD8_READ:
        return read_simd8(u, &a, m);
    }
    return EU_FAULT;
}
