/* vgpu_adopt: engines. Positions in rings and batches keep what context.c promises when it loads an image. */
#include "vgpu/adopt.h"

#define PAGE_BYTES   4096u
#define RING_MAX     0x200000u /* RING_CTL: 512 pages */
#define ADDRESS_MASK ((UINT64_C(1) << 48) - 1)
#define STOP_RING    GT_BIT(8) /* i915 intel_engine_regs.h */

/* A ring of size 0 faults at its next command. */
static void adopt_ring(struct cs_ring *to, const struct cs_ring *old)
{
    bool ok = old->size && old->size <= RING_MAX && !(old->size % PAGE_BYTES) && old->head < old->size &&
              !(old->head & 3) && old->tail < old->size && !(old->tail & 7) && old->bb_start < old->size;

    *to = (struct cs_ring){.start = old->start & ~(PAGE_BYTES - 1)};
    if (!ok)
        return;
    to->size = old->size;
    to->head = old->head;
    to->tail = old->tail;
    to->bb_start = old->bb_start & ~3u;
}

static struct cs_batch adopt_batch(const struct cs_batch *old)
{
    return (struct cs_batch){
        .addr = old->addr & ADDRESS_MASK & ~UINT64_C(3), .end = UINT64_MAX, .ggtt = old_bool(&old->ggtt)};
}

/* Where it ends follows from the register, as when it was started. */
static void adopt_workaround(struct vgpu_engine *e, const struct vgpu_engine *old)
{
    e->wa = (enum cs_workaround)old_enum(&old->wa, CS_WA_PER_CTX + 1);
    e->wa_per_ctx = old->wa_per_ctx;
    e->wa_batch = adopt_batch(&old->wa_batch);
    e->wa_batch.ggtt = true;
    if (e->wa == CS_WA_INDIRECT)
        e->wa_batch.end = old->wa_batch.end;
    e->wa_commands = old->wa_commands;
}

static void adopt_position(struct vgpu_engine *e, const struct vgpu_engine *old)
{
    adopt_ring(&e->ring, &old->ring);
    for (unsigned i = CS_FIRST_LEVEL; i < CS_LEVELS; i++)
        e->batch[i] = adopt_batch(&old->batch[i]);
    e->level = old_enum(&old->level, CS_LEVELS);
    adopt_workaround(e, old);
    e->predicate = old->predicate & 0xf;
    e->arbitration = old_bool(&old->arbitration);
    vgpu_as_init_ppgtt(&e->ppgtt, e->v, old->ppgtt.pml4);
    memcpy(e->scratch, old->scratch, sizeof(e->scratch));
}

static void adopt_backend(struct vgpu_backend_state *to, const struct vgpu_backend_state *old)
{
    to->loaded = old_bool(&old->loaded);
    to->dirty = to->loaded && old_bool(&old->dirty);
    to->saved = old_bool(&old->saved);
    to->fresh = true;
    if (to->loaded)
        memcpy(to->bytes, old->bytes, sizeof(to->bytes));
}

/* Which values of the image the registers of the context go back to. */
static void adopt_slots(struct vgpu_engine *e, const struct vgpu_engine *old)
{
    unsigned slots = GT_MIN(old->slots, VGPU_IMAGE_SLOTS);

    for (unsigned i = 0; i < slots; i++) {
        struct ctx_slot s = old->slot[i];

        if (s.dword >= VGPU_IMAGE_DWORDS || s.reg >= e->ctx_regs)
            continue;
        e->slot[e->slots++] = s;
        e->in_image[s.reg] = true;
    }
}

/* A switch that was written down is carried out; its event is told when the engine runs next. */
static void adopt_change(struct vgpu_engine *e, const struct engine_switch *old)
{
    if (old->step != SWITCH_DO && old->step != SWITCH_TELL)
        return;
    e->change = *old;
    e->change.state = old_enum(&old->state, ENGINE_RUN + 1);
    e->change.element = old->element & 1;
    e->change.slot = old_enum(&old->slot, VGPU_CSB_ENTRIES);
    if (old->step == SWITCH_DO)
        engine_switch_state(e);
    e->change.step = SWITCH_TELL;
}

static void adopt_trap_side(struct vgpu_engine *e, const struct vgpu_engine *old)
{
    memcpy(e->elsp, old->elsp, sizeof(e->elsp));
    e->elsp_count = old_enum(&old->elsp_count, GT_ARRAY_SIZE(e->elsp));
    memcpy(e->queued, old->queued, sizeof(e->queued));
    e->pending = old_bool(&old->pending);
    memcpy(e->current, old->current, sizeof(e->current));
    e->state = (enum engine_state)old_enum(&old->state, ENGINE_HUNG + 1);
    e->element = old->element & 1;
    e->last_switch = old->last_switch;
    e->ctx_loaded = old_bool(&old->ctx_loaded);
    e->ctx_loaded_ts = old->ctx_loaded_ts;
}

/* The first command looks at it, if it is the one that was being executed. */
static void adopt_atomic(struct vgpu_engine *e, const struct atomic_note *old)
{
    e->tidy = true;
    if (e->state != ENGINE_RUN || old->at != cs_at(e) || (old->size != 4 && old->size != 8))
        return;
    e->atomic = (struct atomic_note){
        .at = old->at, .addr = old->addr, .old = old->old, .new = old->new, .size = old->size, .resumed = true};
}

void adopt_engine(struct vgpu_engine *e, const struct vgpu_engine *old)
{
    adopt_trap_side(e, old);
    adopt_position(e, old);
    adopt_slots(e, old);
    adopt_backend(&e->backend, &old->backend);
    e->user_irq = GT_MIN(old->user_irq, USER_IRQ_DELAY);
    atomic_store(&e->live_ipehr, old->live_ipehr);
    adopt_change(e, &old->change);
    adopt_atomic(e, &old->atomic);
    cs_publish(e);
    atomic_store(&e->attention,
                 (e->pending ? ATTN_PENDING : 0) | (vgpu_reg_get(e->v, R_MI_MODE, e->id) & STOP_RING ? ATTN_STOP : 0));
}
