/* Context switches and what the driver is told of them, in a way that outlives the process (struct engine_switch). */
#include "vgpu/device.h"

/* Dwords of the hardware status page: i915 I915_HWS_CSB_BUF0_INDEX, I915_HWS_CSB_WRITE_INDEX. */
#define HWS_CSB_BUF   0x10
#define HWS_CSB_WRITE 0x1f

/* ---- context status buffer (locked) */

static void csb_store(struct vgpu_engine *e, unsigned slot, uint32_t status, uint32_t ctx_id)
{
    uint64_t hws = vgpu_reg_get(e->v, R_HWS_PGA, e->id) & ~0xfffu;
    uint32_t entry[2] = {status, ctx_id};
    uint32_t write_ptr = slot;

    *vgpu_reg(e->v, R_CONTEXT_STATUS_BUF, e->id, 2 * slot) = status;
    *vgpu_reg(e->v, R_CONTEXT_STATUS_BUF, e->id, 2 * slot + 1) = ctx_id;
    if (vgpu_as_write(&e->ggtt, hws + 4 * (HWS_CSB_BUF + 2 * slot), entry, sizeof(entry)))
        goto unmapped;
    atomic_thread_fence(memory_order_release); /* the driver trusts an entry as soon as it sees the pointer */
    if (vgpu_as_write(&e->ggtt, hws + 4 * HWS_CSB_WRITE, &write_ptr, sizeof(write_ptr)))
        goto unmapped;
    return;
unmapped:
    GT_GUEST_LOG(&e->v->log_rl, "%s: status page 0x%x is not mapped, event lost", engine_table[e->id].name,
                 (uint32_t)hws);
}

/* The user interrupt is forgotten only when it is out. */
void engine_raise_due(struct vgpu_engine *e, uint32_t bits)
{
    if (e->user_irq)
        bits |= IRQ_USER;
    if (bits)
        vgpu_irq_gt(e->v, e->id, bits);
    vgpu_order();
    e->user_irq = 0;
}

/* ---- context switches (locked) */

void engine_switch_state(struct vgpu_engine *e)
{
    const struct engine_switch *s = &e->change;
    uint32_t *ptr = vgpu_reg(e->v, R_CONTEXT_STATUS_PTR, e->id, 0);

    e->current[0] = s->current[0];
    e->current[1] = s->current[1];
    e->element = s->element;
    e->state = (enum engine_state)s->state;
    if (s->taken) {
        e->pending = false;
        e->deferred = false;
        atomic_fetch_and(&e->attention, ~(uint32_t)ATTN_PENDING);
    }
    if (e->state != ENGINE_RUN)
        e->ctx_loaded = false;
    *ptr = (*ptr & ~CSB_PTR_WRITE) | s->slot;
    e->last_switch = s->status;
}

/* Tells the driver. */
static void switch_tell(struct vgpu_engine *e)
{
    const struct engine_switch *s = &e->change;

    csb_store(e, s->slot, s->status, s->id);
    engine_raise_due(e, IRQ_CONTEXT_SWITCH);
}

static void switch_step(struct vgpu_engine *e, enum switch_step step)
{
    vgpu_order();
    __atomic_store_n(&e->change.step, step, __ATOMIC_RELAXED);
    vgpu_order();
}

void engine_change(struct vgpu_engine *e, enum engine_state state, unsigned element, bool take, uint32_t status)
{
    const struct ctx_desc *list = take ? e->queued : e->current;
    unsigned last = vgpu_reg_get(e->v, R_CONTEXT_STATUS_PTR, e->id) & CSB_PTR_WRITE;

    e->change = (struct engine_switch){
        .state = state,
        .element = element,
        .current = {list[0], list[1]},
        .taken = take,
        .slot = last < VGPU_CSB_ENTRIES - 1 ? last + 1 : 0,
        .status = status,
        .id = e->state == ENGINE_IDLE ? list[element].hi : e->current[e->element].hi,
    };
    switch_step(e, SWITCH_DO);
    engine_switch_state(e);
    switch_tell(e);
    switch_step(e, SWITCH_NONE);
}

void engine_switch_finish(struct vgpu_engine *e)
{
    vgpu_lock(e->v);
    if (e->change.step != SWITCH_NONE) {
        switch_tell(e);
        switch_step(e, SWITCH_NONE);
    }
    vgpu_unlock(e->v);
}
