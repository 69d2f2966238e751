/*
 * Continues the device of a killed process (vgpu.h, vgpu_adopt; undo.h). The old state is data: it is read field by
 * field into a device that was built afresh, and every field is brought into the range that the rest of vgpu/ relies
 * on. Values that follow from others are computed again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "vgpu/adopt.h"
#include "vgpu/device.h"

#define STATE_MAGIC   UINT64_C(0x317473766d74785f)
#define STATE_VERSION 1u /* to be raised when a field changes its meaning and not its place */

#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME  UINT64_C(0x100000001b3)

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * FNV_PRIME;
    return hash ^ hash >> 32;
}

/* ---- is it a state of this program? */

/* Where everything is that is read from an old state. */
static uint64_t layout(void)
{
    static const size_t places[] = {
        STATE_VERSION,
        sizeof(struct vgpu),
        offsetof(struct vgpu, resetting),
        offsetof(struct vgpu, undo),
        offsetof(struct vgpu, pci),
        offsetof(struct vgpu, irq_queued),
        offsetof(struct vgpu, min_freq),
        offsetof(struct vgpu, stats),
        offsetof(struct vgpu, engine),
        offsetof(struct vgpu, display),
        sizeof(struct vgpu_undo),
        sizeof(struct vgpu_engine),
        offsetof(struct vgpu_engine, elsp),
        offsetof(struct vgpu_engine, change),
        offsetof(struct vgpu_engine, ppgtt),
        offsetof(struct vgpu_engine, undo),
        offsetof(struct vgpu_engine, ring),
        offsetof(struct vgpu_engine, arbitration),
        offsetof(struct vgpu_engine, atomic),
        offsetof(struct vgpu_engine, scratch),
        offsetof(struct vgpu_engine, slot),
        offsetof(struct vgpu_engine, backend),
        sizeof(struct vgpu_backend_state),
        sizeof(struct vgpu_display),
        sizeof(struct vgpu_pipe),
        offsetof(struct vgpu_pipe, plane),
        offsetof(struct vgpu_display, head),
        sizeof(struct vgpu_head),
        offsetof(struct vgpu_head, link),
        offsetof(struct vgpu_head, ddc),
        offsetof(struct vgpu_head, edid),
    };
    uint64_t hash = FNV_OFFSET;
    unsigned count;
    const struct reg_ref *refs = reg_all(&count);

    for (unsigned i = 0; i < GT_ARRAY_SIZE(places); i++)
        hash = mix(hash, places[i]);
    for (unsigned i = 0; i < count; i++)
        hash = mix(hash, refs[i].off);
    return hash;
}

void vgpu_state_complete(struct vgpu *v)
{
    v->id.layout = layout();
    v->id.size = vgpu_state_size();
    vgpu_order();
    v->id.magic = STATE_MAGIC;
}

static int check_id(const struct vgpu_state_id *id, char *err, unsigned errsz)
{
    if (id->magic != STATE_MAGIC) {
        snprintf(err, errsz, "there is no complete device state");
        return -ESTALE;
    }
    if (id->size != vgpu_state_size() || id->layout != layout()) {
        snprintf(err, errsz, "the device state was written by another version of this program");
        return -ESTALE;
    }
    return 0;
}

/* ---- sections that were cut off */

/* Any log gives any bytes in the old state, which are checked afterwards. */
static void roll_back(uint8_t *state, const struct vgpu_undo *log)
{
    unsigned used = GT_MIN(vgpu_undo_used(log), VGPU_UNDO_ENTRIES);

    while (used--) {
        const struct vgpu_undo_entry *u = &log->entry[used];

        if (gt_range_ok(u->off, u->size, vgpu_state_size()) && gt_range_ok(u->at, u->size, VGPU_UNDO_BYTES))
            memcpy(state + u->off, log->bytes + u->at, u->size);
    }
}

/* The logs are copied first: an entry may name a log. */
static void roll_back_all(struct vgpu *old)
{
    struct vgpu_undo device = old->undo, engine[VGPU_ENGINES];

    for (unsigned i = 0; i < VGPU_ENGINES; i++)
        engine[i] = old->engine[i].undo;
    roll_back((uint8_t *)old, &device);
    for (unsigned i = 0; i < VGPU_ENGINES; i++)
        roll_back((uint8_t *)old, &engine[i]);
}

/* ---- the device's own fields */

/* What a device reset keeps. */
static void adopt_kept(struct vgpu *v, const struct vgpu *old)
{
    for (unsigned head = 0; head < VGPU_HEADS; head++)
        vgpu_head_adopt(v, head, &old->display.head[head]);
    vgpu_set_opregion(v, old->opregion);
    memcpy(v->unknown, old->unknown, sizeof(v->unknown));
    v->stats = old->stats;
    v->undo.word = old->undo.word & ~(uint64_t)UINT32_MAX;
    v->access_result = old->access_result;
}

static void adopt_registers(struct vgpu *v, const uint32_t *old)
{
    unsigned count;
    const struct reg_ref *refs = reg_all(&count);

    for (unsigned i = 0; i < count; i++) {
        uint32_t val = old[refs[i].off / 4];

        v->regs[refs[i].off / 4] = refs[i].row->flags & REG_MASKED ? val & UINT16_MAX : val;
    }
}

/* The registers that follow from something else are put right. */
static void adopt_rest(struct vgpu *v, const struct vgpu *old)
{
    vgpu_pvinfo_reset(v);
    v->g2v_count = old->g2v_count;
    vgpu_heads_reset(v);
    vgpu_fence_reset(v);
    vgpu_pci_adopt(v, old->pci);
    memcpy(v->irq_queued, old->irq_queued, sizeof(v->irq_queued));
    v->io_index = old->io_index;
    memcpy(v->min_freq, old->min_freq, sizeof(v->min_freq));
}

int vgpu_adopt(struct vgpu **out, const struct vgpu_config *cfg, void *old_state, char *err, unsigned errsz)
{
    struct vgpu *old = old_state, *v;
    int rc = vgpu_build(&v, cfg, err, errsz);

    *out = NULL;
    if (rc)
        return rc;
    rc = check_id(&old->id, err, errsz);
    if (rc) {
        vgpu_destroy(v);
        return rc;
    }
    roll_back_all(old);
    adopt_kept(v, old);
    if (old_bool(&old->resetting)) {
        memset(v->gtt, 0, VGPU_GTT_SIZE);
    } else {
        adopt_registers(v, (const uint32_t *)(const void *)((const uint8_t *)old + VGPU_STATE_REGS));
        adopt_rest(v, old);
        adopt_display(v, &old->display);
        for (unsigned i = 0; i < VGPU_ENGINES; i++)
            adopt_engine(&v->engine[i], &old->engine[i]);
    }
    vgpu_state_complete(v);
    *out = v;
    return 0;
}

void vgpu_resume(struct vgpu *v)
{
    for (unsigned i = 0; i < VGPU_ENGINES; i++)
        v->ops->kick(v->host, i);
    for (unsigned pipe = 0; pipe < VGPU_PIPES; pipe++)
        if (v->display.pipe[pipe].on)
            vgpu_display_changed(v, pipe);
    if (v->ops->display_kick)
        v->ops->display_kick(v->host);
    vgpu_irq_resume(v);
}

uint32_t vgpu_access_count(const struct vgpu *v, uint64_t *result)
{
    *result = v->access_result;
    return (uint32_t)(__atomic_load_n(&v->undo.word, __ATOMIC_RELAXED) >> 32);
}
