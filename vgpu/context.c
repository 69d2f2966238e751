/*
 * Logical contexts: page 0 of an image is the per-process status page, page 1 the register state, a list of
 * MI_LOAD_REGISTER_IMM commands (i915 intel_lrc.c gen9_rcs_offsets, gen9_xcs_offsets).
 *
 * The list is executed with less rights than a command stream has: only REG_CTX registers of the engine. Context
 * registers that the list has no slot for, the backend's scratch dwords and the position inside a preempted batch go to
 * an area of our own behind the list, where real hardware keeps the rest of the engine context. Nothing in it is
 * trusted: it can do what the list can do, and point a batch somewhere, which the ring can do as well. The pages behind
 * the register page have the backend's state (exec.h), if there is any.
 */
#include <string.h>

#include "vgpu/device.h"

#define PAGE_BYTES 4096u

/* Dwords of the register page: i915 intel_lrc_reg.h. */
#define IMAGE_CTX_CONTROL 0x03
#define IMAGE_RING_TAIL   0x07
#define IMAGE_RING_PART   0x40 /* ring context: all that restore inhibit leaves; engine context behind it */

#define BACKEND_PAGE 2u /* of the image */

#define CTX_CTRL_RESTORE_INHIBIT GT_BIT(0) /* i915 CTX_CTRL_ENGINE_CTX_RESTORE_INHIBIT */

/* RING_TAIL, RING_HEAD, RING_CTL: i915 intel_engine_regs.h TAIL_ADDR, HEAD_ADDR, RING_NR_PAGES, RING_VALID. */
#define TAIL_ADDR 0x001ffff8u
#define HEAD_ADDR 0x001ffffcu
#define CTL_PAGES 0x001ff000u
#define CTL_VALID 0x1u

/* INDIRECT_CTX: size in cache lines in 5:0; BB_PER_CTX_PTR: valid in bit 0 (PRM SKL vol 2c). */
#define INDIRECT_LINES 0x3fu
#define CACHELINE      64u
#define PER_CTX_VALID  0x1u

/* Addressing mode of the descriptor, bits 4:3: i915 INTEL_LEGACY_64B_CONTEXT. */
#define DESC_MODE(lo) gt_field(lo, 4, 3)
#define DESC_MODE_64B 3

/* Our area. */
#define AREA_DWORD             0x200u
#define AREA_DWORDS            (VGPU_IMAGE_DWORDS - AREA_DWORD)
#define AREA_MAGIC             0x31784374u
#define AREA_LEVEL_GGTT(level) GT_BIT(8 + (level))

struct save_area {
    uint32_t magic;
    uint32_t pairs;
    uint32_t ring_start, ring_head; /* the batch position is valid for this ring position only */
    uint32_t ring_return;           /* ring offset after the outermost batch */
    uint32_t stream;                /* 7:0 level, AREA_LEVEL_GGTT */
    uint32_t predicate;
    uint32_t backend;             /* bytes of backend state in the image */
    uint32_t batch[CS_LEVELS][2]; /* lo, hi */
    uint32_t padding[2];
    uint32_t scratch[VGPU_SCRATCH_DWORDS];
};

#define AREA_HEADER (sizeof(struct save_area) / 4)
#define AREA_PAIRS  ((AREA_DWORDS - AREA_HEADER) / 2)

_Static_assert(sizeof(struct save_area) == 48 * 4, "the save area is a format");

/* ---- which registers */

static bool in_context(const struct reg_ref *ref, unsigned engine)
{
    if (!(ref->row->flags & REG_CTX))
        return false;
    if (ref->row->block == REG_ENGINE)
        return ref->unit == engine;
    return ref->row->block == REG_GLOBAL && engine == VGPU_RCS; /* 3D pipeline registers */
}

static void add_row(struct vgpu_engine *e, enum reg_id id)
{
    const struct reg_desc *row = &reg_table[id];
    unsigned unit = row->block == REG_ENGINE ? e->id : 0;

    if (row->units && !(row->units & GT_BIT(unit)))
        return;
    for (unsigned i = 0; i < GT_MAX(row->count, 1); i++) {
        const struct reg_ref *ref = reg_find(reg_off(id, unit, i));

        if (ref && in_context(ref, e->id) && e->ctx_regs < VGPU_CTX_REGS)
            e->ctx_reg[e->ctx_regs++] = ref;
    }
}

void context_init(struct vgpu_engine *e)
{
    e->ctx_regs = 0;
    for (unsigned id = 0; id < R_COUNT; id++)
        if (reg_table[id].flags & REG_CTX)
            add_row(e, (enum reg_id)id);
}

/* Index in ctx_reg of the register at an offset, or -1. */
static int find_reg(const struct vgpu_engine *e, uint32_t off)
{
    const struct reg_ref *ref = reg_find(off);
    unsigned lo = 0, hi = e->ctx_regs;

    while (ref && lo < hi) {
        unsigned mid = (lo + hi) / 2;

        if (e->ctx_reg[mid] == ref)
            return (int)mid;
        if (e->ctx_reg[mid] < ref)
            lo = mid + 1;
        else
            hi = mid;
    }
    return -1;
}

/* The driver owns these slots, and may write RING_TAIL while the context runs. */
static bool driver_owns(const struct reg_desc *row)
{
    static const enum reg_id ids[] = {
        R_TAIL, R_START, R_CTL, R_PDP, R_BB_PER_CTX_PTR, R_INDIRECT_CTX, R_INDIRECT_CTX_OFFSET};

    for (unsigned i = 0; i < GT_ARRAY_SIZE(ids); i++)
        if (row == &reg_table[ids[i]])
            return true;
    return false;
}

/* ---- load */

/* As a write by the dispatcher, but read-only rows (ring, timestamps) are restored as well. */
static void restore_reg(struct vgpu_engine *e, unsigned index, uint32_t val)
{
    const struct reg_ref *ref = e->ctx_reg[index];
    uint32_t *reg = &e->v->regs[ref->off / 4];
    uint32_t change = ~ref->row->ro;

    if (ref->row->flags & REG_MASKED)
        change &= val >> 16;
    *reg = (*reg & ~change) | (val & change);
}

static void reset_regs(struct vgpu_engine *e)
{
    for (unsigned i = 0; i < e->ctx_regs; i++)
        e->v->regs[e->ctx_reg[i]->off / 4] = e->ctx_reg[i]->row->reset;
}

static void add_slot(struct vgpu_engine *e, unsigned dword, bool restore)
{
    int index = find_reg(e, e->image[dword]);

    if (index < 0 || e->slots == VGPU_IMAGE_SLOTS)
        return;
    e->slot[e->slots++] = (struct ctx_slot){.dword = (uint16_t)(dword + 1), .reg = (uint16_t)index};
    e->in_image[index] = true;
    if (restore)
        restore_reg(e, (unsigned)index, e->image[dword + 1]);
}

/* Walks the list in e->image, which ends at the first command that is neither NOOP nor MI_LOAD_REGISTER_IMM. */
static void load_list(struct vgpu_engine *e, bool inhibit)
{
    unsigned pos = 0;

    e->slots = 0;
    memset(e->in_image, 0, sizeof(e->in_image));
    while (pos < AREA_DWORD) {
        int id = cmd_find(e->image[pos], e->id);

        if (id == C_MI_NOOP) {
            pos++;
            continue;
        }
        if (id != C_MI_LOAD_REGISTER_IMM)
            return;
        unsigned end = pos + cmd_length(id, e->image[pos]);

        for (pos++; pos + 1 < end && pos + 1 < AREA_DWORD; pos += 2)
            add_slot(e, pos, !inhibit || pos < IMAGE_RING_PART);
        pos = end;
    }
}

static const struct save_area *area_of(const struct vgpu_engine *e)
{
    return (const struct save_area *)(e->image + AREA_DWORD);
}

static void load_area_regs(struct vgpu_engine *e)
{
    const struct save_area *a = area_of(e);
    const uint32_t *pair = e->image + AREA_DWORD + AREA_HEADER;

    for (unsigned i = 0; i < GT_MIN(a->pairs, AREA_PAIRS); i++, pair += 2) {
        int index = find_reg(e, pair[0]);

        if (index >= 0 && !e->in_image[index])
            restore_reg(e, (unsigned)index, pair[1]);
    }
}

static bool ring_tail(struct vgpu_engine *e, uint32_t tail)
{
    e->ring.tail = tail & TAIL_ADDR;
    if (e->ring.tail >= e->ring.size) {
        e->ring.size = 0; /* the next fetch faults */
        return false;
    }
    return true;
}

static bool load_ring(struct vgpu_engine *e)
{
    uint32_t ctl = vgpu_reg_get(e->v, R_CTL, e->id);

    e->ring.start = vgpu_reg_get(e->v, R_START, e->id) & ~(PAGE_BYTES - 1);
    e->ring.size = (ctl & CTL_VALID) ? (ctl & CTL_PAGES) + PAGE_BYTES : 0;
    e->ring.head = vgpu_reg_get(e->v, R_HEAD, e->id) & HEAD_ADDR;
    e->ring.bb_start = e->ring.head;
    return e->ring.head < e->ring.size && ring_tail(e, vgpu_reg_get(e->v, R_TAIL, e->id));
}

/* Goes back into the batch that was preempted, unless the driver has moved the ring since. */
static void load_position(struct vgpu_engine *e)
{
    const struct save_area *a = area_of(e);
    unsigned level = a->stream & 0xff;

    if (level == CS_RING || level >= CS_LEVELS || a->ring_start != e->ring.start || a->ring_head != e->ring.head ||
        (a->ring_return & 3) || a->ring_return >= e->ring.size)
        return;
    for (unsigned i = CS_FIRST_LEVEL; i <= level; i++)
        e->batch[i] = (struct cs_batch){
            .addr = ((uint64_t)(a->batch[i][1] & 0xffff) << 32 | a->batch[i][0]) & ~UINT64_C(3),
            .end = UINT64_MAX,
            .ggtt = a->stream & AREA_LEVEL_GGTT(i),
        };
    e->level = level;
    e->ring.bb_start = e->ring.head;
    e->ring.head = a->ring_return;
    e->predicate = a->predicate & 0xf;
}

/* The registers of the image, with the device lock held. True when the ring is usable. */
static bool load_registers(struct vgpu_engine *e, bool *restored)
{
    uint32_t control = e->image[IMAGE_CTX_CONTROL];
    bool inhibit = control & control >> 16 & CTX_CTRL_RESTORE_INHIBIT;

    *restored = !inhibit && area_of(e)->magic == AREA_MAGIC;
    reset_regs(e);
    load_list(e, inhibit);
    if (*restored)
        load_area_regs(e);
    *vgpu_reg(e->v, R_CONTEXT_CONTROL, e->id, 0) &= ~CTX_CTRL_RESTORE_INHIBIT;
    *vgpu_reg(e->v, R_CCID, e->id, 0) = e->current[e->element].lo;
    e->ctx_loaded = true;
    e->ctx_loaded_ts = engine_timestamp(e->v);
    return load_ring(e);
}

/* MI_MODE belongs to the context; its stop bit stops the engine. */
static void follow_mi_mode(struct vgpu_engine *e)
{
    uint32_t mode = vgpu_reg_get(e->v, R_MI_MODE, e->id);

    reg_write_MI_MODE(e->v, reg_find(reg_off(R_MI_MODE, e->id, 0)), mode, mode);
}

static void start_workarounds(struct vgpu_engine *e, uint32_t indirect, uint32_t per_ctx)
{
    uint32_t lines = indirect & INDIRECT_LINES;

    e->wa = lines ? CS_WA_INDIRECT : per_ctx & PER_CTX_VALID ? CS_WA_PER_CTX : CS_WA_NONE;
    e->wa_per_ctx = per_ctx & PER_CTX_VALID ? per_ctx : 0;
    if (e->wa == CS_WA_INDIRECT)
        cs_start_workaround(e, indirect & ~(CACHELINE - 1), lines * CACHELINE);
    else if (e->wa == CS_WA_PER_CTX)
        cs_start_workaround(e, per_ctx & ~(CACHELINE - 1), 0);
}

bool context_load(struct vgpu_engine *e)
{
    struct vgpu *v = e->v;
    struct ctx_desc desc = e->current[e->element];
    uint64_t page = (uint64_t)CTX_DESC_LRCA(desc.lo) + PAGE_BYTES;
    bool restored = false;

    cs_start(e);
    vgpu_as_flush(&e->ggtt);
    if (DESC_MODE(desc.lo) != DESC_MODE_64B) {
        cs_fault(e, "context is not of the 64-bit legacy kind");
        return false;
    }
    if (vgpu_as_read(&e->ggtt, page, e->image, PAGE_BYTES)) {
        cs_fault_mem(e, "context image is not mapped", page);
        return false;
    }

    vgpu_lock(v);
    bool ring_ok = load_registers(e, &restored);
    uint64_t pml4 = (uint64_t)*vgpu_reg(v, R_PDP, e->id, 1) << 32 | *vgpu_reg(v, R_PDP, e->id, 0);
    uint32_t indirect = vgpu_reg_get(v, R_INDIRECT_CTX, e->id);
    uint32_t per_ctx = vgpu_reg_get(v, R_BB_PER_CTX_PTR, e->id);

    follow_mi_mode(e);
    vgpu_unlock(v);

    if (!ring_ok) {
        cs_fault(e, "ring registers of the context are not usable");
        return false;
    }
    vgpu_as_switch(&e->ppgtt, pml4);
    memset(e->scratch, 0, sizeof(e->scratch));
    e->backend.loaded = e->backend.dirty = e->backend.saved = false;
    if (restored) {
        e->backend.saved = area_of(e)->backend == VGPU_BACKEND_BYTES;
        memcpy(e->scratch, area_of(e)->scratch, sizeof(e->scratch));
        load_position(e);
    }
    start_workarounds(e, indirect, per_ctx);
    cs_publish(e);
    return true;
}

static uint64_t backend_address(const struct vgpu_engine *e)
{
    return (uint64_t)CTX_DESC_LRCA(e->current[e->element].lo) + BACKEND_PAGE * PAGE_BYTES;
}

void context_load_backend(struct vgpu_engine *e)
{
    struct vgpu_backend_state *s = &e->backend;

    if (!s->saved || vgpu_as_read(&e->ggtt, backend_address(e), s->bytes, sizeof(s->bytes)))
        memset(s->bytes, 0, sizeof(s->bytes));
    s->fresh = true;
    vgpu_order();
    s->loaded = true;
}

void context_reload_tail(struct vgpu_engine *e)
{
    uint64_t addr = (uint64_t)CTX_DESC_LRCA(e->queued[0].lo) + PAGE_BYTES + 4 * IMAGE_RING_TAIL;
    uint32_t tail;

    if (vgpu_as_read(&e->ggtt, addr, &tail, sizeof(tail)))
        tail = UINT32_MAX;
    if (ring_tail(e, tail))
        *vgpu_reg(e->v, R_TAIL, e->id, 0) = e->ring.tail;
}

/* ---- save */

static uint32_t saved_value(struct vgpu_engine *e, unsigned index)
{
    const struct reg_ref *ref = e->ctx_reg[index];
    uint32_t val = e->v->regs[ref->off / 4];

    return ref->row->flags & REG_MASKED ? val | 0xffff0000u : val;
}

/* Ring head: the next command, or the MI_BATCH_BUFFER_START of the batch that was left. */
static uint32_t saved_head(const struct vgpu_engine *e)
{
    return e->level == CS_RING ? e->ring.head : e->ring.bb_start;
}

static void build_area(struct vgpu_engine *e, struct save_area *a)
{
    *a = (struct save_area){
        .magic = AREA_MAGIC,
        .ring_start = e->ring.start,
        .ring_head = saved_head(e),
        .ring_return = e->ring.head,
        .stream = e->level,
        .predicate = e->predicate,
        .backend = e->backend.saved ? VGPU_BACKEND_BYTES : 0,
    };
    for (unsigned i = CS_FIRST_LEVEL; i <= e->level; i++) {
        a->batch[i][0] = (uint32_t)e->batch[i].addr;
        a->batch[i][1] = (uint32_t)(e->batch[i].addr >> 32);
        if (e->batch[i].ggtt)
            a->stream |= AREA_LEVEL_GGTT(i);
    }
    memcpy(a->scratch, e->scratch, sizeof(a->scratch));
}

/* Everything that goes into the image is gathered under the lock, and written without it. */
static void gather(struct vgpu_engine *e, uint32_t *values, uint32_t *area)
{
    struct save_area *a = (struct save_area *)area;
    uint32_t *pair = area + AREA_HEADER;
    struct vgpu *v = e->v;

    build_area(e, a);
    vgpu_lock(v);
    vgpu_note(v, vgpu_reg(v, R_CTX_TIMESTAMP, e->id, 0), sizeof(uint32_t));
    vgpu_note(v, &e->ctx_loaded_ts, sizeof(e->ctx_loaded_ts));
    *vgpu_reg(v, R_HEAD, e->id, 0) = saved_head(e);
    *vgpu_reg(v, R_CTX_TIMESTAMP, e->id, 0) += (uint32_t)(engine_timestamp(v) - e->ctx_loaded_ts);
    e->ctx_loaded_ts = engine_timestamp(v);
    for (unsigned i = 0; i < e->slots; i++)
        values[i] = saved_value(e, e->slot[i].reg);
    for (unsigned i = 0; i < e->ctx_regs && a->pairs < AREA_PAIRS; i++) {
        if (e->in_image[i])
            continue;
        *pair++ = e->ctx_reg[i]->off;
        *pair++ = saved_value(e, i);
        a->pairs++;
    }
    vgpu_unlock(v);
}

/* False: the image is not mapped. The area, which is written later, tells that the state is there. */
static bool save_backend(struct vgpu_engine *e)
{
    struct vgpu_backend_state *s = &e->backend;

    if (!s->dirty)
        return true;
    if (vgpu_as_write(&e->ggtt, backend_address(e), s->bytes, sizeof(s->bytes)))
        return false;
    s->saved = true;
    vgpu_order(); /* a process that dies here saves once more */
    s->dirty = false;
    return true;
}

void context_save(struct vgpu_engine *e)
{
    uint64_t page = (uint64_t)CTX_DESC_LRCA(e->current[e->element].lo) + PAGE_BYTES;
    uint32_t values[VGPU_IMAGE_SLOTS], area[AREA_DWORDS];
    bool failed = !save_backend(e);

    gather(e, values, area);
    for (unsigned i = 0; i < e->slots; i++)
        if (!driver_owns(e->ctx_reg[e->slot[i].reg]->row))
            failed |= vgpu_as_write(&e->ggtt, page + 4u * e->slot[i].dword, &values[i], 4) != 0;
    const struct save_area *a = (const struct save_area *)area;

    failed |= vgpu_as_write(&e->ggtt, page + 4 * AREA_DWORD, area, sizeof(*a) + 8u * a->pairs) != 0;
    if (failed)
        GT_GUEST_LOG(&e->v->log_rl, "%s: context image 0x%llx is not mapped any more, state lost",
                     engine_table[e->id].name, (unsigned long long)page);
}
