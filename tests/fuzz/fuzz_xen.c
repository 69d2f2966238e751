/*
 * The Xen transport under a hostile guest, over the fake of Xen's libraries (tests/fakes/xen). The input is a script;
 * a step is a byte that says what (its low three bits) and the bytes that follow:
 *
 *   0 raw request    vCPU, then a slot as it lies in the page without the event channel: 26 bytes
 *   1 config access  control, offset (2), data (4)
 *   2 device access  control, offset (4), data (4), count (2)
 *   3 hole           page (2): memory that comes or goes
 *   4 interrupts     bit 0 an edge, bit 1 the level of the line
 *   5 failure        a library call, and with which error it fails from now on
 *   6 memory         control, address (4): the device reads, writes, swaps
 *   7 others         kill and adopt (4: with pages behind BAR0 from now on, or without), invalidate, the end of the
 *                    domain, a call of wake, a page behind BAR0 that comes or goes (2 bytes), a bare event
 *
 * control: bit 0 read, bits 2:1 log2 of the size, bit 3 backwards, bit 4 data is a pointer, bit 5 the vCPU, bits 7:6
 * the region.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/errno.h>

#include "ioreq/transport.h"
#include "tests/fakes/xen/fake_xen.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SLOT 2u
#define BDF  (SLOT << 3)

/* One run. The functions called by the transport know their context; the script's reader does not. */
struct run {
    const uint8_t *data;
    size_t size;
    struct ioreq_transport *t;
    struct ioreq_config cfg;
    struct ioreq_xen_backing *backing;
    uint64_t noted; /* where it is, as a journal would know */
    bool backed;
    unsigned id;
    uint8_t config[256];
    bool in_bracket, in_access, ended;
};

static void check(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "fuzz_xen: %s\n", what);
    abort();
}

/* ---- the script */

static uint64_t take(struct run *r, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < bytes; i++) {
        if (!r->size)
            break;
        v |= (uint64_t)*r->data++ << (8 * i);
        r->size--;
    }
    return v;
}

/* ---- the device: a config space in which all but the BARs' sizes can change */

static uint32_t bar_mask(const struct run *r, unsigned off)
{
    switch (off) {
    case 0x10:
        return (uint32_t) ~(r->cfg.region[IOREQ_BAR0].size - 1);
    case 0x18:
        return (uint32_t) ~(r->cfg.region[IOREQ_BAR2].size - 1);
    case 0x20:
        return (uint32_t) ~(r->cfg.region[IOREQ_BAR4].size - 1);
    case 0x30:
        return (uint32_t) ~(r->cfg.region[IOREQ_ROM].size - 1) | 1;
    default:
        return UINT32_MAX;
    }
}

static void config_write(struct run *r, unsigned off, unsigned size, uint64_t data)
{
    static const uint8_t low[] = {[0x10 / 4] = 4, [0x18 / 4] = 0xc, [0x20 / 4] = 1, [0x30 / 4] = 0};

    memcpy(r->config + off, &data, size);
    for (unsigned at = 0x10; at <= 0x30; at += 4) {
        uint32_t v;
        memcpy(&v, r->config + at, 4);
        v = (v & bar_mask(r, at)) | low[at / 4];
        memcpy(r->config + at, &v, 4);
    }
}

static void on_access(void *ctx, struct ioreq_access *a)
{
    struct run *r = ctx;
    uint64_t word = 0;

    check(a->size && !(a->size & (a->size - 1)) && a->size <= 8, "size of an access");
    check(a->region < IOREQ_REGIONS && gt_range_ok(a->off, a->size, r->cfg.region[a->region].size),
          "range of an access");
    check(!r->in_access && !r->in_bracket, "an access inside another call");
    check(a->vcpu < fake_xen.vcpus, "vCPU of an access");
    check(!a->write || a->size == 8 || !(a->data >> (8 * a->size)), "data of a write");
    if (a->region == IOREQ_CONFIG) {
        check(a->size <= 4, "size of a config access");
        if (a->write)
            config_write(r, (unsigned)a->off, a->size, a->data);
        else
            memcpy(&word, r->config + a->off, a->size);
        a->data = a->write ? a->data : word;
        return;
    }
    r->in_access = true;
    /* A device that touches memory where the guest tells it to, and interrupts. */
    if (a->write && r->t) {
        (void)r->t->ops->mem_write(r->t, a->data, &a->off, 8);
        (void)r->t->ops->irq(r->t);
        r->t->ops->line(r->t, a->data & 1);
    }
    r->in_access = false;
    a->data = a->off;
}

static void on_memory_begin(void *ctx)
{
    struct run *r = ctx;

    check(!r->in_bracket, "nested brackets");
    r->in_bracket = true;
}

static void on_memory_end(void *ctx)
{
    struct run *r = ctx;

    check(r->in_bracket, "the end of no bracket");
    r->in_bracket = false;
}

static void on_other(void *ctx)
{
    (void)ctx;
}

static const struct ioreq_events events = {
    .access = on_access,
    .answered = on_other,
    .memory_begin = on_memory_begin,
    .memory_end = on_memory_end,
    .connected = on_other,
    .disconnected = on_other,
};

/* ---- steps */

static void on_moved(void *ctx, uint64_t gfn)
{
    struct run *r = ctx;

    if (!fake_xen.killing) /* a killed process notes nothing */
        r->noted = gfn;
}

static void open_backing(struct run *r)
{
    char err[256] = "";
    bool kept;

    fake_xen.restricted = -1;
    if (ioreq_xen_backing_open(&r->backing, FAKE_DOMID, r->noted, 0, err, sizeof(err))) {
        check(err[0] && !r->backing, "no message");
        return;
    }
    memset(ioreq_xen_backing_memory(r->backing, &kept), 0x5a, 8 << 20);
    r->noted = ioreq_xen_backing_gfn(r->backing);
}

static bool open_transport(struct run *r, int adopt)
{
    char err[256] = "";

    if (r->backed)
        open_backing(r);
    const struct ioreq_xen_options opt = {
        .domid = FAKE_DOMID, .slot = SLOT, .adopt = adopt, .backing = r->backing, .backing_moved = on_moved};

    if (ioreq_xen_open(&r->t, &r->cfg, &opt, err, sizeof(err))) {
        check(err[0], "no message");
        r->t = NULL;
        return false;
    }
    r->id = ioreq_xen_server(r->t);
    return true;
}

/* Every request that stood at READY has its answer; the guest takes it. */
static void check_answers(struct run *r, const unsigned *before)
{
    for (unsigned v = 0; v < fake_xen.vcpus; v++) {
        struct xen_slot *slot = &fake_xen.server[r->id].page[v];
        unsigned state = xen_slot_state(slot);

        check(before[v] != XEN_READY || state == XEN_RESP_READY, "a request without an answer");
        check(before[v] == XEN_READY || state == before[v] || state == XEN_RESP_READY, "a state was changed");
        slot->flags &= (uint8_t)~XEN_SLOT_STATE;
    }
}

static void dispatch(struct run *r)
{
    unsigned before[FAKE_VCPUS];

    for (unsigned v = 0; v < fake_xen.vcpus; v++)
        before[v] = xen_slot_state(&fake_xen.server[r->id].page[v]);
    int ret = fake_xen_readable() ? r->t->ops->wait(r->t) : 0;

    check(!ret, "cannot wait");
    ret = r->t->ops->dispatch(r->t, 0);

    check(!r->in_bracket, "an open bracket");
    r->ended |= ret != 0;
    if (!r->ended)
        check_answers(r, before);
}

static void send(struct run *r, unsigned vcpu, struct xen_slot *s)
{
    struct xen_slot *slot = &fake_xen.server[r->id].page[vcpu % fake_xen.vcpus];

    slot->flags &= (uint8_t)~XEN_SLOT_STATE;
    fake_xen_send(r->id, vcpu % fake_xen.vcpus, s);
    dispatch(r);
}

static void step_raw(struct run *r)
{
    struct xen_slot s;
    unsigned vcpu = (unsigned)take(r, 1);

    s.addr = take(r, 8);
    s.data = take(r, 8);
    s.count = (uint32_t)take(r, 4);
    s.size = (uint32_t)take(r, 4);
    s.flags = (uint8_t)take(r, 1);
    s.type = (uint8_t)take(r, 1);
    send(r, vcpu, &s);
}

static struct xen_slot slot_of(uint8_t control)
{
    struct xen_slot s = {.size = 1u << (control >> 1 & 3), .count = 1};

    s.flags = (uint8_t)((control & 1 ? XEN_SLOT_READ : 0) | (control & 8 ? XEN_SLOT_DF : 0) |
                        (control & 16 ? XEN_SLOT_DATA_IS_PTR : 0));
    return s;
}

static void step_config(struct run *r)
{
    uint8_t control = (uint8_t)take(r, 1);
    struct xen_slot s = slot_of(control);

    s.type = XEN_TYPE_PCI_CONFIG;
    s.addr = (uint64_t)BDF << 32 | take(r, 2);
    s.data = take(r, 4);
    send(r, control >> 5 & 1, &s);
}

static uint64_t place(const struct run *r, unsigned region)
{
    uint64_t at = 0;

    memcpy(&at, r->config + (region == IOREQ_ROM ? 0x30 : 0x10 + 4 * region), region < IOREQ_BAR4 ? 8 : 4);
    return at & ~UINT64_C(15);
}

static void step_device(struct run *r)
{
    static const uint8_t regions[] = {IOREQ_BAR0, IOREQ_BAR2, IOREQ_BAR4, IOREQ_ROM};
    uint8_t control = (uint8_t)take(r, 1);
    unsigned region = regions[control >> 6];
    struct xen_slot s = slot_of(control);

    s.type = region == IOREQ_BAR4 ? XEN_TYPE_PIO : XEN_TYPE_COPY;
    s.addr = place(r, region) + take(r, 4);
    s.data = take(r, 4);
    s.count = (uint32_t)take(r, 2);
    send(r, control >> 5 & 1, &s);
}

static void step_memory(struct run *r)
{
    uint8_t control = (uint8_t)take(r, 1), buffer[12288] = {0};
    uint64_t gpa = take(r, 4), word = gpa;
    size_t n = control & 0x80 ? sizeof(buffer) : 8;

    if (control & 1)
        (void)r->t->ops->mem_read(r->t, gpa, buffer, n);
    if (control & 2)
        (void)r->t->ops->mem_write(r->t, gpa, buffer, n);
    if (control & 4)
        (void)r->t->ops->mem_cas(r->t, gpa & ~UINT64_C(7), 8, &word, gpa);
    uint8_t *page = r->t->ops->mem_page(r->t, gpa & ~UINT64_C(4095), true);

    if (page)
        page[gpa & 4095]++;
}

static void kill_and_adopt(struct run *r)
{
    struct ioreq_transport *t = r->t;

    fake_xen_kill_begin();
    r->t = NULL;
    t->ops->close(t);
    ioreq_xen_backing_close(r->backing);
    r->backing = NULL;
    fake_xen_kill_end();
    if (open_transport(r, (int)r->id))
        dispatch(r);
    else
        r->ended = true;
}

static void step_page(struct run *r)
{
    uint64_t gfn = (place(r, IOREQ_BAR0) >> 12) + 2048 + take(r, 2) % 2048;

    if (gfn >= FAKE_GFNS)
        return;
    if (fake_xen_page(gfn))
        fake_xen_drop_page(gfn);
    else if (fake_xen.pages < FAKE_FRAMES && gfn >= FAKE_PAGES)
        fake_xen_add_page(gfn);
}

static void step_other(struct run *r)
{
    struct xen_slot s = {.type = XEN_TYPE_INVALIDATE, .size = 4};

    switch (take(r, 1)) {
    case 0:
        kill_and_adopt(r);
        break;
    case 1:
        send(r, 0, &s);
        check(r->ended || fake_xen.maps == (r->backing != NULL), "memory is still mapped");
        break;
    case 2:
        fake_xen_kill_domain();
        dispatch(r);
        r->ended = true;
        break;
    case 3:
        r->t->ops->wake(r->t);
        dispatch(r);
        break;
    case 4:
        r->backed = !r->backed;
        kill_and_adopt(r);
        break;
    case 5:
        step_page(r);
        break;
    default:
        fake_xen_fire(r->id, 0);
        dispatch(r);
    }
}

static void step_failure(struct run *r)
{
    static const int codes[] = {0, XEN_EINVAL, XEN_ENOMEM, XEN_EPERM, XEN_ESRCH, XEN_ENOENT, XEN_EEXIST, XEN_ENOSPC};
    unsigned call = (unsigned)take(r, 1) % FAKE_CALLS;

    fake_xen.fail[call] = codes[take(r, 1) % GT_ARRAY_SIZE(codes)];
}

static void step(struct run *r)
{
    uint64_t v;

    switch (take(r, 1) & 7) {
    case 0:
        step_raw(r);
        break;
    case 1:
        step_config(r);
        break;
    case 2:
        step_device(r);
        break;
    case 3:
        v = take(r, 2) % FAKE_PAGES;
        fake_xen.hole[v] = !fake_xen.hole[v];
        break;
    case 4:
        v = take(r, 1);
        if (v & 1)
            (void)r->t->ops->irq(r->t);
        r->t->ops->line(r->t, v & 2);
        break;
    case 5:
        step_failure(r);
        break;
    case 6:
        step_memory(r);
        break;
    default:
        step_other(r);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    gt_log_set_level(GT_LOG_ERROR);
    return 0;
}

/* As hvmloader leaves a device: placed, with MSI found and off. */
static void power_on(struct run *r)
{
    static const uint8_t head[] = {0x86, 0x80, 0x12, 0x19, 7, 0, 0x10, 0};
    static const uint32_t bars[] = {0xf0000000, 0, 0xe0000000, 0, 0xc100};

    memcpy(r->config, head, sizeof(head));
    r->config[0x34] = 0xac;
    r->config[0xac] = 5;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(bars); i++)
        config_write(r, 0x10 + 4 * i, 4, bars[i]);
    config_write(r, 0x30, 4, 0xf2000001);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run r = {.data = data, .size = size, .cfg = {.events = &events}};

    r.cfg.ctx = &r;
    r.cfg.region[IOREQ_BAR0].size = 16 << 20;
    r.cfg.region[IOREQ_BAR0].mmap_off = r.cfg.region[IOREQ_BAR0].mmap_size = 8 << 20;
    r.cfg.region[IOREQ_BAR2].size = 256 << 20;
    r.cfg.region[IOREQ_BAR4].size = 64;
    r.cfg.region[IOREQ_ROM].size = 8192;
    r.cfg.region[IOREQ_CONFIG].size = 256;
    fake_xen_start();
    power_on(&r);
    check(open_transport(&r, -1), "cannot open");
    dispatch(&r);
    while (r.size && !r.ended)
        step(&r);
    memset(fake_xen.fail, 0, sizeof(fake_xen.fail));
    if (r.t)
        r.t->ops->close(r.t);
    ioreq_xen_backing_close(r.backing);
    fake_xen_stop(); /* finds mappings and handles that are left */
    return 0;
}
