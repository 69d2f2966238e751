/* The session's side of its transport: what is told by it, and what it is built with. */
#include <string.h>

#include "mediator/session_internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"

/* Device number on bus 0 at which i915 expects the integrated GPU. */
#define XEN_SLOT_NUMBER 2u

/* ---- what the transport tells us (trap thread) */

static void rom_access(struct session *s, struct ioreq_access *a)
{
    if (a->write)
        return;
    a->data = 0;
    if (gt_range_ok(a->off, a->size, VGPU_ROM_SIZE))
        memcpy(&a->data, s->rom + a->off, a->size);
}

static void on_access(void *ctx, struct ioreq_access *a)
{
    struct session *s = ctx;

    s->accesses++;
    if (a->region == IOREQ_ROM) {
        rom_access(s, a);
        return;
    }
    if (s->journal) {
        if (journal_access_done(s->journal, a))
            return;
        journal_access_begin(s->journal, a);
    }
    gate_access(s->gate, a);
}

static void on_answered(void *ctx)
{
    struct session *s = ctx;

    if (s->journal)
        journal_access_answered(s->journal);
}

static void on_backing_moved(void *ctx, uint64_t gfn)
{
    journal_set_gtt_gfn(((struct session *)ctx)->journal, gfn);
}

static void on_reset(void *ctx)
{
    gate_reset(((struct session *)ctx)->gate);
}

static void on_memory_begin(void *ctx)
{
    gate_memory_begin(((struct session *)ctx)->gate);
}

static void on_memory_end(void *ctx)
{
    struct session *s = ctx;

    gate_memory_end(s->gate);
    screens_memory_changed(s->screens);
}

static void on_connected(void *ctx)
{
    struct session *s = ctx;

    s->connected = true;
    gt_info("a VM is connected");
}

static void on_disconnected(void *ctx)
{
    struct session *s = ctx;

    s->connected = false;
    gate_reset(s->gate);
    if (s->opt.vfio_user)
        gt_info("the VM has gone; waiting for the next one");
}

static const struct ioreq_events session_events = {
    .access = on_access,
    .answered = on_answered,
    .reset = on_reset,
    .memory_begin = on_memory_begin,
    .memory_end = on_memory_end,
    .connected = on_connected,
    .disconnected = on_disconnected,
};

/* ---- set-up */

int session_open_transport(struct session *s, char *err, size_t errsz)
{
    struct ioreq_config cfg = {.events = &session_events, .ctx = s};
    const struct {
        enum ioreq_region region;
        uint64_t size;
        bool writable;
    } rows[] = {
        {IOREQ_BAR0, VGPU_BAR0_SIZE, true},  {IOREQ_BAR2, vgpu_bar2_size(&s->device), true},
        {IOREQ_BAR4, VGPU_BAR4_SIZE, true},  {IOREQ_ROM, VGPU_ROM_SIZE, false},
        {IOREQ_CONFIG, VGPU_CFG_SIZE, true},
    };

    for (unsigned i = 0; i < IOREQ_REGIONS; i++)
        cfg.region[i].mmap_fd = -1;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        struct ioreq_region_info *r = &cfg.region[rows[i].region];
        *r = (struct ioreq_region_info){
            .size = rows[i].size, .readable = true, .writable = rows[i].writable, .mmap_fd = -1};
    }
    if (s->gtt) {
        cfg.region[IOREQ_BAR0].mmap_fd = s->gtt_fd; /* -1: not by the client, but by Xen */
        cfg.region[IOREQ_BAR0].mmap_off = VGPU_GTT_OFFSET;
        cfg.region[IOREQ_BAR0].mmap_size = VGPU_GTT_SIZE;
    }
    if (s->opt.xen_domid >= 0) {
        struct ioreq_xen_options xen = {.domid = (unsigned)s->opt.xen_domid,
                                        .slot = XEN_SLOT_NUMBER,
                                        .adopt = s->adopt_server,
                                        .backing = s->backing,
                                        .backing_moved = on_backing_moved};
        return ioreq_xen_open(&s->transport, &cfg, &xen, err, errsz);
    }
    struct ioreq_vfio_user_options vfio_user = {.path = s->opt.vfio_user};
    return ioreq_vfio_user_open(&s->transport, &cfg, &vfio_user, err, errsz);
}
