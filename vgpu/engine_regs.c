/* Engine registers with behaviour: ELSP, status, stop, errors, timestamps, live position. All locked. */
#include "vgpu/device.h"

#define MI_MODE_STOP_RING GT_BIT(8) /* i915 intel_engine_regs.h */
#define MI_MODE_IDLE      GT_BIT(9)

/* The command streamer's clock: 12 MHz, 36 bits (PRM SKL vol 2c TIMESTAMP; CTC_MODE at its reset value). */
#define TIMESTAMP_MASK ((UINT64_C(1) << 36) - 1)

uint64_t engine_timestamp(struct vgpu *v)
{
    uint64_t ns = v->ops->now_ns(v->host);

    return (ns / 250 * 3 + ns % 250 * 3 / 250) & TIMESTAMP_MASK;
}

static void submit(struct vgpu_engine *e)
{
    struct ctx_desc first = {.lo = e->elsp[3], .hi = e->elsp[2]};

    e->stats.submissions++;
    if (!(first.lo & CTX_DESC_VALID)) {
        GT_GUEST_LOG(&e->v->log_rl, "%s: execlist without a first element dropped", engine_table[e->id].name);
        return;
    }
    if (e->pending)
        GT_GUEST_LOG(&e->v->log_rl, "%s: execlist replaced before it was taken up", engine_table[e->id].name);
    vgpu_note(e->v, e->queued, sizeof(e->queued));
    vgpu_note(e->v, &e->pending, sizeof(e->pending));
    e->queued[0] = first;
    e->queued[1] = (struct ctx_desc){.lo = e->elsp[1], .hi = e->elsp[0]};
    e->pending = true;
    atomic_fetch_or(&e->attention, ATTN_PENDING);
    if (e->v->ops->kick)
        e->v->ops->kick(e->v->host, e->id);
}

/* Four writes: high and low dword of element 1, then of element 0 (PRM SKL vol 2c EXECLIST_SUBMITPORT). */
void reg_write_ELSP(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    struct vgpu_engine *e = &v->engine[ref->unit];

    (void)old;
    vgpu_note(v, &e->elsp_count, sizeof(e->elsp_count));
    e->elsp[e->elsp_count++] = val;
    if (e->elsp_count == GT_ARRAY_SIZE(e->elsp)) {
        e->elsp_count = 0;
        submit(e);
    }
}

/* Fields of the low dword: PRM SKL vol 2c EXECLIST_STATUS. The running list is always reported as list 0. */
static uint32_t status_lo(const struct vgpu_engine *e)
{
    bool active = e->state != ENGINE_IDLE;

    return GT_BIT(1) * e->pending               /* write pointer: list 1 is filled next */
           | GT_BIT(2) * (active && e->pending) /* queue full */
           | GT_BIT(3) * e->pending             /* list 1 valid */
           | GT_BIT(4) * active                 /* list 0 valid */
           | (e->last_switch & 0x1ff) << 5 | (active ? e->element + 1 : 0) << 14 /* active element */
           | GT_BIT(16) * e->arbitration | GT_BIT(18) * active;                  /* list 0 active */
}

uint32_t reg_read_EXECLIST_STATUS(struct vgpu *v, const struct reg_ref *ref, uint32_t stored)
{
    struct vgpu_engine *e = &v->engine[ref->unit];

    (void)stored;
    if (ref->row == &reg_table[R_EXECLIST_STATUS_LO])
        return status_lo(e);
    return e->state != ENGINE_IDLE ? e->current[e->element].hi : 0;
}

/* The driver moves the read pointer, and after a reset both; the engine counts on from what it finds. */
void reg_write_CSB_PTR(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    (void)old;
    v->regs[ref->off / 4] = val & (CSB_PTR_WRITE | CSB_PTR_READ);
}

/* Acknowledged errors leave the status as well (i915 enable_error_interrupt() expects ESR to be 0 then). */
void reg_write_EIR(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    (void)old;
    *vgpu_reg(v, R_ESR, ref->unit, 0) &= val;
}

uint32_t reg_read_MI_MODE(struct vgpu *v, const struct reg_ref *ref, uint32_t stored)
{
    struct vgpu_engine *e = &v->engine[ref->unit];
    bool stopped = (stored & MI_MODE_STOP_RING) && e->state != ENGINE_HUNG && !atomic_load(&e->executing);
    bool idle = e->state == ENGINE_IDLE && !e->pending;

    return stopped || idle ? stored | MI_MODE_IDLE : stored & ~MI_MODE_IDLE;
}

void reg_write_MI_MODE(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    struct vgpu_engine *e = &v->engine[ref->unit];

    if (val & MI_MODE_STOP_RING) {
        atomic_fetch_or(&e->attention, ATTN_STOP);
        return;
    }
    atomic_fetch_and(&e->attention, ~(uint32_t)ATTN_STOP);
    if ((old & MI_MODE_STOP_RING) && v->ops->kick)
        v->ops->kick(v->host, e->id);
}

/* BBADDR bit 0 and BBSTATE bit 5: valid, PPGTT (i915 RING_BB_PPGTT). */
static uint32_t live_value(struct vgpu_engine *e, const struct reg_desc *row, uint32_t stored)
{
    uint64_t acthd = atomic_load_explicit(&e->live_acthd, memory_order_relaxed);
    uint64_t addr = acthd & ~UINT64_C(3);
    bool batch = acthd & 1, ppgtt = acthd & 2;

    switch (row - reg_table) {
    case R_HEAD:
        return atomic_load_explicit(&e->live_head, memory_order_relaxed);
    case R_IPEHR:
        return atomic_load_explicit(&e->live_ipehr, memory_order_relaxed);
    case R_ACTHD:
        return (uint32_t)addr;
    case R_ACTHD_UDW:
        return (uint32_t)(addr >> 32);
    case R_BBADDR:
        return batch ? (uint32_t)addr | 1 : 0;
    case R_BBADDR_UDW:
        return batch ? (uint32_t)(addr >> 32) : 0;
    case R_BBSTATE:
        return batch && ppgtt ? GT_BIT(5) : 0;
    case R_DMA_FADD:
        return stored ? stored : (uint32_t)addr;
    case R_DMA_FADD_UDW:
        return stored ? stored : (uint32_t)(addr >> 32);
    default:
        return stored;
    }
}

uint32_t reg_read_RING_LIVE(struct vgpu *v, const struct reg_ref *ref, uint32_t stored)
{
    return live_value(&v->engine[ref->unit], ref->row, stored);
}

uint32_t reg_read_CS_TIMESTAMP(struct vgpu *v, const struct reg_ref *ref, uint32_t stored)
{
    struct vgpu_engine *e = &v->engine[ref->unit];
    uint64_t now = engine_timestamp(v);

    if (ref->row == &reg_table[R_CTX_TIMESTAMP])
        return e->ctx_loaded ? stored + (uint32_t)(now - e->ctx_loaded_ts) : stored;
    return ref->elem ? (uint32_t)(now >> 32) : (uint32_t)now;
}
