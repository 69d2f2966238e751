/*
 * Engines: execlist submission, the run loop, context switch events.
 *
 * An execlist is taken up at a command boundary. What the driver is told (CSB) is, as on hardware:
 *   idle -> first element            IDLE_ACTIVE
 *   element 0 done, element 1 next   COMPLETE | ELEMENT_SWITCH
 *   last element done, engine idle   COMPLETE | ACTIVE_IDLE
 *   new execlist, same context       PREEMPTED | LITE_RESTORE (only the ring tail is taken from the image)
 *   new execlist, other context      PREEMPTED
 * Each execlist gets exactly one of the events with IDLE_ACTIVE or PREEMPTED, which is what i915's process_csb counts.
 */
#include "vgpu/engine.h"

#include <string.h>

#include "vgpu/device.h"

/* Bit of EIR, EMR and ESR: i915 I915_ERROR_INSTRUCTION. */
#define ERROR_INSTRUCTION GT_BIT(0)

/* RING_FAULT_REG: i915 intel_gt_regs.h RING_FAULT_*; engine ids as in PRM SKL vol 2c. */
#define FAULT_VALID        GT_BIT(0)
#define FAULT_ENGINE_SHIFT 12

/* Loading a context costs about as much as this many commands. */
#define LOAD_COST 64u

static uint32_t attention(struct vgpu_engine *e)
{
    return atomic_load_explicit(&e->attention, memory_order_seq_cst);
}

static void attention_set(struct vgpu_engine *e, uint32_t bits)
{
    atomic_fetch_or_explicit(&e->attention, bits, memory_order_seq_cst);
}

static void attention_clear(struct vgpu_engine *e, uint32_t bits)
{
    atomic_fetch_and_explicit(&e->attention, ~bits, memory_order_seq_cst);
}

static struct ctx_desc *running(struct vgpu_engine *e)
{
    return &e->current[e->element];
}

/* ---- taking up execlists (locked) */

static bool is_lite_restore(const struct vgpu_engine *e)
{
    const struct ctx_desc *next = &e->queued[0], *now = &e->current[e->element];

    return CTX_DESC_LRCA(next->lo) == CTX_DESC_LRCA(now->lo) && !(next->lo & CTX_DESC_FORCE_RESTORE);
}

/* The ring tail is read before the event is sent: the driver may change the image as soon as it knows. */
static void lite_restore(struct vgpu_engine *e)
{
    context_reload_tail(e);
    e->stats.lite_restores++;
    engine_change(e, ENGINE_RUN, 0, true, CSB_PREEMPTED | CSB_LITE_RESTORE);
}

static void preempt(struct vgpu_engine *e)
{
    e->stats.preemptions++;
    engine_change(e, ENGINE_LOAD, 0, true, CSB_PREEMPTED);
}

/* ---- steps of the run loop (free) */

/* Leaves IDLE. False: there is nothing to do. */
static bool engine_begin(struct vgpu_engine *e)
{
    vgpu_lock(e->v);
    bool go = e->pending && !(attention(e) & ATTN_ABORT);

    if (go)
        engine_change(e, ENGINE_LOAD, 0, true, CSB_IDLE_ACTIVE);
    vgpu_unlock(e->v);
    return go;
}

static void publish_stats(struct vgpu_engine *e)
{
    struct vgpu_engine_stats *to = &e->v->stats.engine[e->id], *from = &e->stats;

    to->submissions += from->submissions;
    to->contexts += from->contexts;
    to->requests += from->requests;
    to->commands += from->commands;
    to->batches += from->batches;
    to->payload += from->payload;
    to->preemptions += from->preemptions;
    to->lite_restores += from->lite_restores;
    to->resets += from->resets;
    to->hangs += from->hangs;
    to->faults += from->faults;
    memset(from, 0, sizeof(*from));
}

static void report_page_fault(struct vgpu_engine *e)
{
    static const uint8_t fault_id[VGPU_ENGINES] = {[VGPU_RCS] = 0, [VGPU_VCS] = 1, [VGPU_VECS] = 3, [VGPU_BCS] = 4};
    uint64_t page = e->fault_addr >> 12;

    *vgpu_reg(e->v, R_RING_FAULT_REG, 0, 0) = FAULT_VALID | (uint32_t)fault_id[e->id] << FAULT_ENGINE_SHIFT;
    *vgpu_reg(e->v, R_GEN8_FAULT_TLB_DATA, 0, 0) = (uint32_t)page;
    *vgpu_reg(e->v, R_GEN8_FAULT_TLB_DATA, 0, 1) = (uint32_t)(page >> 32) & 0xf;
    *vgpu_reg(e->v, R_DMA_FADD, e->id, 0) = (uint32_t)e->fault_addr;
    *vgpu_reg(e->v, R_DMA_FADD_UDW, e->id, 0) = (uint32_t)(e->fault_addr >> 32);
}

/* Illegal instructions raise the error interrupt; page faults just stop the engine, as on hardware. */
static void report_illegal(struct vgpu_engine *e)
{
    *vgpu_reg(e->v, R_ESR, e->id, 0) |= ERROR_INSTRUCTION;
    *vgpu_reg(e->v, R_EIR, e->id, 0) |= ERROR_INSTRUCTION & ~vgpu_reg_get(e->v, R_EMR, e->id);
    if (vgpu_reg_get(e->v, R_EIR, e->id))
        vgpu_irq_gt(e->v, e->id, IRQ_CS_MASTER_ERROR);
}

static void engine_hang(struct vgpu_engine *e)
{
    vgpu_lock(e->v);
    if (!(attention(e) & ATTN_ABORT)) {
        e->stats.hangs++;
        e->stats.faults += e->fault_mem;
        *vgpu_reg(e->v, R_INSTDONE, e->id, 0) = 0;
        GT_GUEST_LOG(&e->v->log_rl, "%s: hung: %s at 0x%llx, command 0x%08x, context id 0x%x, %s 0x%llx",
                     engine_table[e->id].name, e->fault ? e->fault : "fault", (unsigned long long)e->fault_addr,
                     atomic_load(&e->live_ipehr), running(e)->hi, e->level ? "batch" : "ring",
                     (unsigned long long)atomic_load(&e->live_acthd) & ~3ull);
        if (e->fault_mem)
            report_page_fault(e);
        else
            report_illegal(e);
        vgpu_order(); /* a process that dies before this faults, and reports, again */
        e->state = ENGINE_HUNG;
    }
    vgpu_unlock(e->v);
}

static void engine_load(struct vgpu_engine *e)
{
    e->stats.contexts++;
    if (!context_load(e)) {
        engine_hang(e);
        return;
    }
    vgpu_lock(e->v);
    if (!(attention(e) & ATTN_ABORT))
        e->state = ENGINE_RUN;
    vgpu_unlock(e->v);
}

/* Looks at a waiting execlist. True: the engine switches to it. */
static bool engine_switch(struct vgpu_engine *e)
{
    bool lite = false;

    vgpu_lock(e->v);
    if (!e->pending || e->wa != CS_WA_NONE) {
        e->deferred = e->pending;
        attention_clear(e, ATTN_PENDING);
    } else if (is_lite_restore(e)) {
        lite = true;
        lite_restore(e);
    } else if (!e->arbitration) {
        e->deferred = true;
        attention_clear(e, ATTN_PENDING);
    }
    bool go = !lite && (attention(e) & ATTN_PENDING);

    vgpu_unlock(e->v);
    if (!go)
        return false;

    context_save(e);
    vgpu_lock(e->v);
    go = e->pending && !(attention(e) & ATTN_ABORT);
    if (go)
        preempt(e);
    vgpu_unlock(e->v);
    return go;
}

/* The ring is empty: the context is done, unless the driver added to it meanwhile. */
static void engine_complete(struct vgpu_engine *e)
{
    context_save(e);
    vgpu_lock(e->v);
    if (attention(e) & ATTN_ABORT) {
        /* the reset that waits for us forgets the context */
    } else if (e->pending) {
        if (is_lite_restore(e))
            lite_restore(e);
        else
            preempt(e);
    } else if (e->element == 0 && (e->current[1].lo & CTX_DESC_VALID)) {
        engine_change(e, ENGINE_LOAD, 1, false, CSB_COMPLETE | CSB_ELEMENT_SWITCH);
    } else {
        engine_change(e, ENGINE_IDLE, e->element, false, CSB_COMPLETE | CSB_ACTIVE_IDLE);
    }
    vgpu_unlock(e->v);
}

/*
 * A user interrupt mostly is a request's last word before its context is done. Sending it wakes the VM, which may take
 * the processor from this thread before it has told of the context switch. So it goes out with that event, or a few
 * commands later when there is none: one wake-up instead of two.
 */
static void user_irq_due(struct vgpu_engine *e)
{
    if (!e->user_irq)
        return;
    if (e->user_irq > 1) {
        e->user_irq--;
        return;
    }
    vgpu_lock(e->v);
    engine_raise_due(e, 0);
    vgpu_unlock(e->v);
}

enum slice { SLICE_GO_ON, SLICE_LEAVE };

/* Executes commands until the budget is used up or the state changes. */
static enum slice engine_slice(struct vgpu_engine *e, unsigned *budget, enum vgpu_run *result)
{
    while (*budget) {
        uint32_t attn = attention(e);

        if (attn & (ATTN_ABORT | ATTN_STOP | ATTN_LEAVE | ATTN_HANG))
            return SLICE_GO_ON; /* the run loop looks at these */
        /* what a killed process began is finished first: only this position knows of it */
        if ((attn & ATTN_PENDING) && !e->atomic.resumed && engine_switch(e))
            return SLICE_GO_ON;
        --*budget;
        switch (cs_step(e)) {
        case CS_OK:
            user_irq_due(e);
            break;
        case CS_DRAINED:
            engine_complete(e);
            return SLICE_GO_ON;
        case CS_WAIT:
            *result = VGPU_RUN_WAIT;
            return SLICE_LEAVE;
        case CS_AGAIN:
            *result = VGPU_RUN_MORE;
            return SLICE_LEAVE;
        case CS_FAULT:
            engine_hang(e);
            return SLICE_GO_ON;
        }
    }
    *result = e->looped && !e->progress ? VGPU_RUN_WAIT : VGPU_RUN_MORE;
    return SLICE_LEAVE;
}

/* The workload of whoever gives it up; an idle engine has none. */
static void give_up(struct vgpu_engine *e)
{
    attention_clear(e, ATTN_HANG);
    if (e->state != ENGINE_RUN)
        return;
    e->fault = "given up";
    engine_hang(e);
}

static enum vgpu_run engine_loop(struct vgpu_engine *e, unsigned budget)
{
    enum vgpu_run result = VGPU_RUN_MORE;

    for (;;) {
        uint32_t attn = attention(e);

        if (attn & (ATTN_ABORT | ATTN_STOP))
            return VGPU_RUN_IDLE;
        if (attn & ATTN_HANG)
            give_up(e);
        if (attn & ATTN_LEAVE)
            return VGPU_RUN_MORE;
        switch (e->state) {
        case ENGINE_IDLE:
            if (!engine_begin(e))
                return VGPU_RUN_IDLE;
            break;
        case ENGINE_LOAD:
            if (!budget)
                return VGPU_RUN_MORE;
            budget -= GT_MIN(budget, LOAD_COST);
            engine_load(e);
            break;
        case ENGINE_RUN:
            if (engine_slice(e, &budget, &result) == SLICE_LEAVE)
                return result;
            break;
        case ENGINE_HUNG:
            return VGPU_RUN_IDLE;
        }
    }
}

enum vgpu_run vgpu_engine_run(struct vgpu *v, unsigned engine, unsigned budget)
{
    if (engine >= VGPU_ENGINES)
        return VGPU_RUN_IDLE;
    struct vgpu_engine *e = &v->engine[engine];

    /* Order matters: MI_MODE reports idle when STOP is set and nobody executes. */
    atomic_store(&e->executing, 1);
    if (attention(e) & ATTN_ABORT) {
        atomic_store(&e->executing, 0);
        return VGPU_RUN_IDLE;
    }
    vgpu_as_flush(&e->ggtt);
    vgpu_as_flush(&e->ppgtt);
    if (e->change.step != SWITCH_NONE)
        engine_switch_finish(e);
    e->progress = false;
    e->looped = false;
    enum vgpu_run result = engine_loop(e, budget ? budget : 1);

    vgpu_lock(v);
    engine_raise_due(e, 0);
    publish_stats(e);
    vgpu_unlock(v);
    attention_clear(e, ATTN_LEAVE);
    atomic_store(&e->executing, 0);
    return result;
}

void vgpu_engine_leave(struct vgpu *v, unsigned engine)
{
    if (engine < VGPU_ENGINES)
        attention_set(&v->engine[engine], ATTN_LEAVE);
}

void vgpu_engine_give_up(struct vgpu *v, unsigned engine)
{
    if (engine < VGPU_ENGINES)
        attention_set(&v->engine[engine], ATTN_HANG);
}

/* ---- life cycle */

void vgpu_engine_init(struct vgpu *v)
{
    for (unsigned i = 0; i < VGPU_ENGINES; i++) {
        struct vgpu_engine *e = &v->engine[i];

        e->v = v;
        e->id = i;
        e->exec = (struct vgpu_exec){.v = v, .engine = i, .as = &e->ppgtt};
        e->arbitration = true;
        vgpu_as_init_ggtt(&e->ggtt, v);
        vgpu_as_init_ppgtt(&e->ppgtt, v, 0);
        context_init(e);
    }
}

/* Nobody executes: forget everything, without telling the driver. */
static void engine_forget(struct vgpu_engine *e)
{
    e->elsp_count = 0;
    e->pending = false;
    e->deferred = false;
    e->state = ENGINE_IDLE;
    e->element = 0;
    e->last_switch = 0;
    e->ctx_loaded = false;
    e->level = CS_RING;
    e->wa = CS_WA_NONE;
    e->waiting = false;
    e->user_irq = 0;
    e->arbitration = true;
    e->change.step = SWITCH_NONE;
    e->atomic = (struct atomic_note){0};
    vgpu_undo_end(&e->undo);
    e->tidy = false;
    memset(e->current, 0, sizeof(e->current));
    memset(e->queued, 0, sizeof(e->queued));
    memset(&e->ring, 0, sizeof(e->ring));
    memset(e->scratch, 0, sizeof(e->scratch));
    e->backend.loaded = e->backend.dirty = e->backend.saved = false;
    vgpu_as_init_ppgtt(&e->ppgtt, e->v, 0);
    atomic_store(&e->live_head, 0);
    atomic_store(&e->live_ipehr, 0);
    atomic_store(&e->live_acthd, 0);
}

static void reset_registers(struct vgpu_engine *e)
{
    for (unsigned id = 0; id < R_COUNT; id++) {
        const struct reg_desc *row = &reg_table[id];

        if (row->block != REG_ENGINE || (row->flags & REG_KEEP) || (row->units && !(row->units & GT_BIT(e->id))))
            continue;
        for (unsigned i = 0; i < GT_MAX(row->count, 1); i++)
            *vgpu_reg(e->v, (enum reg_id)id, e->id, i) = row->reset;
    }
}

void vgpu_engine_reset(struct vgpu *v, unsigned engine)
{
    if (engine >= VGPU_ENGINES)
        return;
    struct vgpu_engine *e = &v->engine[engine];

    attention_set(e, ATTN_ABORT);
    vgpu_undo_end(&v->undo); /* waiting gives the lock away; a reset that is cut off is asked for again */
    if (v->ops->quiesce)
        v->ops->quiesce(v->host, engine);
    e->stats.resets++;
    publish_stats(e);
    engine_forget(e);
    reset_registers(e);
    atomic_store(&e->attention, 0);
}

void vgpu_engine_reset_all(struct vgpu *v)
{
    for (unsigned i = 0; i < VGPU_ENGINES; i++)
        vgpu_engine_reset(v, i);
}
