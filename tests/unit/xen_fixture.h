/*
 * The Xen transport on a fake of Xen and its libraries (tests/fakes/xen), with the real config space and a device that
 * remembers accesses.
 */
#ifndef GTMUX_TESTS_XEN_FIXTURE_H
#define GTMUX_TESTS_XEN_FIXTURE_H

#include <stdint.h>
#include <xen/hvm/dm_op.h>

#include "core_fixture.h"
#include "ioreq/transport.h"
#include "tests/fakes/xen/fake_xen.h"

#define SLOT      2u
#define BDF       (SLOT << 3)
#define BAR0_ADDR 0xf0000000u
#define BAR4_PORT 0xc100u
#define COMMAND   0x04u
#define MSI       0xacu
#define LOG_SIZE  64u

struct rig {
    struct fixture *core;
    struct ioreq_config cfg;
    struct ioreq_transport *t;
    char err[256];
    unsigned id;
    /* told by the transport */
    struct ioreq_access log[LOG_SIZE]; /* all but config space */
    unsigned accesses, config_accesses, answered, begins, ends, connects, disconnects;
    bool config_again; /* a config access was marked so */
    uint64_t value;    /* of reads */
    unsigned maps_at_end;
};

static inline void on_access(void *ctx, struct ioreq_access *a)
{
    struct rig *r = ctx;

    if (a->region == IOREQ_CONFIG) {
        r->config_accesses++;
        r->config_again |= a->again;
        if (a->write)
            vgpu_cfg_write(r->core->v, (uint32_t)a->off, a->size, (uint32_t)a->data);
        else
            a->data = vgpu_cfg_read(r->core->v, (uint32_t)a->off, a->size);
        return;
    }
    if (r->accesses < LOG_SIZE)
        r->log[r->accesses] = *a;
    r->accesses++;
    if (!a->write)
        a->data = r->value++;
}

static inline void on_answered(void *ctx)
{
    ((struct rig *)ctx)->answered++;
}

static inline void on_memory_begin(void *ctx)
{
    struct rig *r = ctx;

    assert_int_equal(r->begins, r->ends);
    r->begins++;
}

static inline void on_memory_end(void *ctx)
{
    struct rig *r = ctx;

    r->ends++;
    assert_int_equal(r->begins, r->ends);
    r->maps_at_end = fake_xen.maps;
}

static inline void on_connected(void *ctx)
{
    ((struct rig *)ctx)->connects++;
}

static inline void on_disconnected(void *ctx)
{
    ((struct rig *)ctx)->disconnects++;
}

static const struct ioreq_events events = {
    .access = on_access,
    .answered = on_answered,
    .memory_begin = on_memory_begin,
    .memory_end = on_memory_end,
    .connected = on_connected,
    .disconnected = on_disconnected,
};

static inline int setup(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));

    fake_xen_start();
    r->core = fx_new();
    fx_start(r->core);
    r->cfg = (struct ioreq_config){.events = &events, .ctx = r};
    r->cfg.region[IOREQ_BAR0].size = VGPU_BAR0_SIZE;
    r->cfg.region[IOREQ_BAR2].size = VGPU_BAR2_SIZE;
    r->cfg.region[IOREQ_BAR4].size = VGPU_BAR4_SIZE;
    r->cfg.region[IOREQ_ROM].size = VGPU_ROM_SIZE;
    r->cfg.region[IOREQ_CONFIG].size = VGPU_CFG_SIZE;
    gt_log_set_level(GT_LOG_ERROR);
    *state = r;
    return 0;
}

static inline int teardown(void **state)
{
    struct rig *r = *state;
    void *core = r->core;

    if (r->t)
        r->t->ops->close(r->t);
    fake_xen_stop();
    free(r);
    return fx_teardown(&core);
}

static inline int try_open(struct rig *r, int adopt)
{
    const struct ioreq_xen_options opt = {.domid = FAKE_DOMID, .slot = SLOT, .adopt = adopt};

    r->err[0] = 0;
    int ret = ioreq_xen_open(&r->t, &r->cfg, &opt, r->err, sizeof(r->err));

    if (!ret)
        r->id = ioreq_xen_server(r->t);
    return ret;
}

static inline void open_new(struct rig *r)
{
    if (try_open(r, -1))
        fail_msg("%s", r->err);
}

/* As a session's loop does: sleep, which must not be for long here, and dispatch. */
static inline int step(struct rig *r, unsigned spin_us)
{
    assert_int_equal(r->t->ops->wait(r->t), 0);
    return r->t->ops->dispatch(r->t, spin_us);
}

/* Serves until nothing is to be done. */
static inline int serve(struct rig *r)
{
    int ret = 0;

    for (unsigned i = 0; i < 20 && !ret && fake_xen_readable(); i++)
        ret = step(r, 0);
    if (!ret)
        assert_false(fake_xen_readable());
    return ret;
}

static inline uint64_t run(struct rig *r, unsigned vcpu, const struct xen_slot *req)
{
    uint64_t data = 0;

    fake_xen_send(r->id, vcpu, req);
    assert_int_equal(serve(r), 0);
    assert_true(fake_xen_answered(r->id, vcpu, &data));
    return data;
}

static inline struct xen_slot request(enum xen_type type, bool read, uint64_t addr, unsigned size, uint64_t data)
{
    return (struct xen_slot){
        .addr = addr, .data = data, .count = 1, .size = size, .flags = read ? XEN_SLOT_READ : 0, .type = (uint8_t)type};
}

static inline uint64_t rd(struct rig *r, enum xen_type type, uint64_t addr, unsigned size)
{
    struct xen_slot s = request(type, true, addr, size, 0);

    return run(r, 0, &s);
}

static inline void wr(struct rig *r, enum xen_type type, uint64_t addr, unsigned size, uint64_t data)
{
    struct xen_slot s = request(type, false, addr, size, data);

    (void)run(r, 0, &s);
}

static inline uint64_t cfg_addr(unsigned off)
{
    return (uint64_t)BDF << 32 | off;
}

static inline void cfg_wr(struct rig *r, unsigned off, unsigned size, uint32_t data)
{
    wr(r, XEN_TYPE_PCI_CONFIG, cfg_addr(off), size, data);
}

static inline void place_bars(struct rig *r)
{
    cfg_wr(r, 0x10, 4, BAR0_ADDR);
    cfg_wr(r, 0x18, 4, 0xe0000000);
    cfg_wr(r, 0x20, 4, BAR4_PORT);
    cfg_wr(r, COMMAND, 2, 7);
}

static inline void enable_msi(struct rig *r)
{
    cfg_wr(r, COMMAND, 2, 7);
    cfg_wr(r, MSI + 4, 4, 0xfee00000);
    cfg_wr(r, MSI + 8, 2, 0x4031);
    cfg_wr(r, MSI + 2, 2, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
