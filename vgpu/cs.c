/*
 * The command streamer: fetches one command from the ring or a batch, checks it against the table, executes it from a
 * private copy. Rings and batches, privileged or not, all run through here.
 *
 * Streams: the ring, a first level batch, a second level batch; instead of them, while a context is being loaded, its
 * workaround batches. Batches fetched through the PPGTT are unprivileged.
 */
#include "vgpu/cs.h"

#include "vgpu/exec.h"

/* Bit of ESR: i915 enable_error_interrupt() "CP_PRIV". */
#define ERROR_PRIVILEGE GT_BIT(2)

/* A workaround batch is a page at most (i915 CTX_WA_BB_SIZE); one that loops is a fault. */
#define WA_COMMANDS_MAX 4096u

static const struct cs_mi mi_table[C_COUNT] = {
    [C_MI_NOOP] = {mi_noop, CS_QUIET},
    [C_MI_SET_PREDICATE] = {mi_set_predicate, CS_QUIET | CS_UNPREDICATED},
    [C_MI_USER_INTERRUPT] = {mi_user_interrupt, 0},
    [C_MI_WAIT_FOR_EVENT] = {NULL, CS_QUIET}, /* the event is always taken as having happened */
    [C_MI_ARB_CHECK] = {NULL, CS_QUIET},      /* every command is a preemption point */
    [C_MI_REPORT_HEAD] = {mi_report_head, 0},
    [C_MI_ARB_ON_OFF] = {mi_arb_on_off, CS_QUIET},
    [C_MI_BATCH_BUFFER_END] = {mi_batch_buffer_end, CS_QUIET | CS_UNPREDICATED},
    [C_MI_PREDICATE] = {mi_predicate, 0},
    [C_MI_MATH] = {mi_math, 0},
    [C_MI_SEMAPHORE_SIGNAL] = {mi_semaphore_signal, 0},
    [C_MI_SEMAPHORE_WAIT] = {mi_semaphore_wait, CS_QUIET},
    [C_MI_STORE_DATA_IMM] = {mi_store_data_imm, 0},
    [C_MI_STORE_DATA_INDEX] = {mi_store_data_index, 0},
    [C_MI_LOAD_REGISTER_IMM] = {mi_load_register_imm, 0},
    [C_MI_UPDATE_GTT] = {mi_update_gtt, 0},
    [C_MI_STORE_REGISTER_MEM] = {mi_store_register_mem, 0},
    [C_MI_FLUSH_DW] = {mi_flush_dw, 0},
    [C_MI_REPORT_PERF_COUNT] = {mi_report_perf_count, 0},
    [C_MI_LOAD_REGISTER_MEM] = {mi_load_register_mem, 0},
    [C_MI_LOAD_REGISTER_REG] = {mi_load_register_reg, 0},
    [C_MI_COPY_MEM_MEM] = {mi_copy_mem_mem, 0},
    [C_MI_ATOMIC] = {mi_atomic, 0},
    [C_MI_BATCH_BUFFER_START] = {mi_batch_buffer_start, CS_QUIET},
    [C_MI_CONDITIONAL_BATCH_BUFFER_END] = {mi_conditional_batch_buffer_end, CS_QUIET},
    [C_PIPE_CONTROL] = {cs_pipe_control, 0},
    /* Display flips and scan line waits (i915 flips by MMIO on Gen9), the resource streamer, URB access of the removed
     * fixed functions, legacy contexts, flushes of caches that are not there: NULL rows. */
};

/* ---- streams */

static struct cs_batch *current_batch(struct vgpu_engine *e)
{
    if (e->wa != CS_WA_NONE)
        return &e->wa_batch;
    return e->level != CS_RING ? &e->batch[e->level] : NULL;
}

uint64_t cs_at(struct vgpu_engine *e)
{
    const struct cs_batch *b = current_batch(e);

    return b ? b->addr : GT_BIT64(63) | e->ring.head;
}

bool cs_is_user(const struct vgpu_engine *e)
{
    return e->wa == CS_WA_NONE && e->level != CS_RING && !e->batch[e->level].ggtt;
}

void cs_start(struct vgpu_engine *e)
{
    e->level = CS_RING;
    e->wa = CS_WA_NONE;
    e->wa_commands = 0;
    e->arbitration = true;
    e->deferred = false;
    e->waiting = false;
    e->predicate = 0;
}

void cs_start_workaround(struct vgpu_engine *e, uint64_t addr, uint32_t size)
{
    e->wa_batch = (struct cs_batch){.addr = addr, .end = size ? addr + size : UINT64_MAX, .ggtt = true};
}

void cs_publish(struct vgpu_engine *e)
{
    const struct cs_batch *b = current_batch(e);
    uint64_t acthd = b ? b->addr | 1 | (b->ggtt ? 0 : 2) : (uint64_t)e->ring.start + e->ring.head;

    atomic_store_explicit(&e->live_head, e->ring.head, memory_order_relaxed);
    atomic_store_explicit(&e->live_acthd, acthd, memory_order_relaxed);
}

enum cs_result cs_fault(struct vgpu_engine *e, const char *why)
{
    const struct cs_batch *b = current_batch(e);

    e->fault = why;
    e->fault_mem = false;
    e->fault_addr = b ? b->addr : (uint64_t)e->ring.start + e->ring.head;
    return CS_FAULT;
}

enum cs_result cs_fault_mem(struct vgpu_engine *e, const char *why, uint64_t addr)
{
    e->fault = why;
    e->fault_mem = true;
    e->fault_addr = addr;
    return CS_FAULT;
}

/* ---- operands */

void cs_violation(struct vgpu_engine *e)
{
    vgpu_lock(e->v);
    *vgpu_reg(e->v, R_ESR, e->id, 0) |= ERROR_PRIVILEGE;
    *vgpu_reg(e->v, R_EIR, e->id, 0) |= ERROR_PRIVILEGE & ~vgpu_reg_get(e->v, R_EMR, e->id);
    vgpu_unlock(e->v);
}

struct vgpu_as *cs_as(struct vgpu_engine *e, bool ggtt)
{
    if (!ggtt)
        return &e->ppgtt;
    if (!cs_is_user(e))
        return &e->ggtt;
    cs_violation(e);
    return NULL;
}

void cs_flush_tlbs(struct vgpu_engine *e)
{
    vgpu_as_flush(&e->ggtt);
    vgpu_as_flush(&e->ppgtt);
}

uint32_t cs_reg_read(struct vgpu_engine *e, uint32_t off)
{
    e->exec.user = cs_is_user(e);
    return vgpu_exec_reg_read(&e->exec, off);
}

/* Each streamer's list of user registers has its own registers only; the 3D pipeline's are the render engine's. */
static bool user_register_of(const struct vgpu_engine *e, uint32_t off)
{
    const struct reg_ref *ref = reg_find(off);

    if (!ref)
        return false;
    return ref->row->block == REG_ENGINE ? ref->unit == e->id : e->id == VGPU_RCS;
}

void cs_reg_write(struct vgpu_engine *e, uint32_t off, uint32_t val)
{
    e->exec.user = cs_is_user(e);
    if (!e->exec.user || user_register_of(e, off))
        vgpu_exec_reg_write(&e->exec, off, val);
}

enum cs_result cs_store(struct vgpu_engine *e, struct vgpu_as *as, uint64_t addr, const void *src, size_t n)
{
    if (vgpu_as_write(as, addr, src, n))
        return cs_fault_mem(e, "write to unmapped memory", addr);
    return CS_OK;
}

enum cs_result cs_fetch(struct vgpu_engine *e, struct vgpu_as *as, uint64_t addr, void *dst, size_t n)
{
    if (vgpu_as_read(as, addr, dst, n))
        return cs_fault_mem(e, "read of unmapped memory", addr);
    return CS_OK;
}

/* ---- fetch */

/* Copies n dwords from ring offset pos on, around its end. */
static enum cs_result read_ring(struct vgpu_engine *e, uint32_t pos, uint32_t *dst, unsigned n)
{
    uint32_t first = GT_MIN((e->ring.size - pos) / 4, n);

    if (vgpu_as_read(&e->ggtt, (uint64_t)e->ring.start + pos, dst, 4u * first) ||
        vgpu_as_read(&e->ggtt, e->ring.start, dst + first, 4u * (n - first)))
        return cs_fault_mem(e, "ring is not mapped", (uint64_t)e->ring.start + pos);
    return CS_OK;
}

static enum cs_result read_stream(struct vgpu_engine *e, unsigned skip, uint32_t *dst, unsigned n)
{
    const struct cs_batch *b = current_batch(e);

    if (!b)
        return read_ring(e, (e->ring.head + 4 * skip) % e->ring.size, dst, n);
    if (vgpu_as_read(b->ggtt ? &e->ggtt : &e->ppgtt, b->addr + 4u * skip, dst, 4u * n))
        return cs_fault_mem(e, "batch is not mapped", b->addr + 4u * skip);
    return CS_OK;
}

/* Dwords from the position to the end of the stream. */
static uint64_t stream_left(struct vgpu_engine *e)
{
    const struct cs_batch *b = current_batch(e);

    if (b)
        return b->end == UINT64_MAX ? UINT64_MAX : (b->end - b->addr) / 4;
    uint32_t bytes =
        e->ring.tail >= e->ring.head ? e->ring.tail - e->ring.head : e->ring.size - e->ring.head + e->ring.tail;

    return bytes / 4;
}

static bool length_legal(const struct cmd_desc *c, unsigned n)
{
    if (n < (c->min_len ? c->min_len : c->bias))
        return false;
    return !c->max_len || n <= c->max_len;
}

/* Copies the command at the position to e->cmd: the header once, then the rest. *id and *n tell what it is. */
static enum cs_result fetch_command(struct vgpu_engine *e, int *id, unsigned *n)
{
    uint64_t left = stream_left(e);
    enum cs_result r = read_stream(e, 0, e->cmd, 1);

    if (r != CS_OK)
        return r;
    cs_publish(e);
    atomic_store_explicit(&e->live_ipehr, e->cmd[0], memory_order_relaxed);
    *id = cmd_find(e->cmd[0], e->id);
    if (*id < 0)
        return cs_fault(e, "unknown command");
    *n = cmd_length(*id, e->cmd[0]);
    if (!length_legal(&cmd_table[*id], *n))
        return cs_fault(e, "command of illegal length");
    if (*n > left)
        return cs_fault(e, "command does not end before the ring tail");
    return *n > 1 ? read_stream(e, 1, e->cmd + 1, GT_MIN(*n, VGPU_CMD_MAX) - 1) : CS_OK;
}

/* One store, after all that the command did: a process that dies before it leaves a command that is executed again. */
static void advance(struct vgpu_engine *e, unsigned n)
{
    struct cs_batch *b = current_batch(e);

    vgpu_order();
    if (b)
        __atomic_store_n(&b->addr, b->addr + 4u * n, __ATOMIC_RELAXED);
    else
        __atomic_store_n(&e->ring.head, (uint32_t)(((uint64_t)e->ring.head + 4u * n) % e->ring.size), __ATOMIC_RELAXED);
    vgpu_order();
}

void cs_note_position(struct vgpu_engine *e)
{
    const size_t first = offsetof(struct vgpu_engine, ring);
    const size_t end = offsetof(struct vgpu_engine, predicate) + sizeof(e->predicate);

    if (!vgpu_undo_used(&e->undo))
        vgpu_undo_add(&e->undo, e->v, (const uint8_t *)e + first, end - first);
    e->tidy = true;
}

/* With the position, which would otherwise be committed apart. */
void cs_note(struct vgpu_engine *e, const void *field, size_t size)
{
    cs_note_position(e);
    vgpu_undo_add(&e->undo, e->v, field, size);
}

/* After the position is committed: what only mattered while the command could be executed again. */
static void tidy(struct vgpu_engine *e, enum cs_result r)
{
    vgpu_undo_end(&e->undo);
    e->atomic.resumed = false;
    if (r == CS_AGAIN || r == CS_WAIT)
        return;
    e->atomic.size = 0;
    e->scratch[VGPU_SCRATCH_PROGRESS] = 0;
    e->tidy = false;
}

/* ---- execute */

/* Operands are in the context's PPGTT; those of privileged batches in the GGTT. Commands in the ring itself use the
 * PPGTT (i915 intel_migrate.c emits its blits there). */
static enum cs_result run_payload(struct vgpu_engine *e, int id, unsigned n)
{
    const struct vgpu_ops *ops = e->v->ops;
    const struct cs_batch *b = current_batch(e);

    e->progress = true;
    e->stats.payload++;
    if (!ops->payload)
        return CS_OK;
    e->exec.as = b && b->ggtt ? &e->ggtt : &e->ppgtt;
    e->exec.user = cs_is_user(e);
    e->tidy = true;
    switch (ops->payload(e->v->host, &e->exec, id, e->cmd, GT_MIN(n, VGPU_CMD_MAX))) {
    case VGPU_PAYLOAD_DONE:
        return CS_OK;
    case VGPU_PAYLOAD_AGAIN:
        return CS_AGAIN;
    default:
        return cs_fault(e, "command refused by the backend");
    }
}

static enum cs_result execute(struct vgpu_engine *e, int id, unsigned n)
{
    const struct cmd_desc *c = &cmd_table[id];
    const struct cs_mi *mi = &mi_table[id];

    if (e->predicate && !(mi->flags & CS_UNPREDICATED) && cs_predicated_off(e))
        return CS_OK;
    if ((c->flags & CMD_PRIV) && cs_is_user(e)) {
        cs_violation(e);
        return CS_OK;
    }
    if ((c->flags & CMD_RING_ONLY) && current_batch(e))
        return CS_OK;
    if (c->klass != CMD_MI && !mi->fn)
        return run_payload(e, id, n);
    if (!(mi->flags & CS_QUIET))
        e->progress = true;
    return mi->fn ? mi->fn(e, e->cmd, n) : CS_OK;
}

/* True when the stream ends at its position; *r is then what the step returns. */
static bool at_end(struct vgpu_engine *e, enum cs_result *r)
{
    if (e->wa != CS_WA_NONE) {
        *r = CS_OK;
        if (++e->wa_commands > WA_COMMANDS_MAX) {
            *r = cs_fault(e, "context workaround batch does not end");
            return true;
        }
        if (e->wa_batch.addr < e->wa_batch.end)
            return false;
        cs_leave_workaround(e);
        return true;
    }
    if (!e->ring.size) {
        *r = cs_fault(e, "ring registers are not usable");
        return true;
    }
    *r = CS_DRAINED;
    return e->level == CS_RING && e->ring.head == e->ring.tail;
}

enum cs_result cs_step(struct vgpu_engine *e)
{
    enum cs_result r;
    unsigned n = 0;
    int id = -1;

    if (at_end(e, &r)) {
        vgpu_undo_end(&e->undo);
        cs_publish(e);
        return r;
    }
    r = fetch_command(e, &id, &n);
    if (r != CS_OK)
        return r;
    e->jumped = false;
    r = execute(e, id, n);
    if (r == CS_OK && !e->jumped)
        advance(e, n);
    if (e->tidy)
        tidy(e, r);
    if (r == CS_OK) {
        e->stats.commands++;
        e->waiting = false;
    }
    return r;
}
