/* The life of the Xen transport: set-up, failures, the end, adoption. */
#include "xen_fixture.h"

/* ---- set-up */

static void a_server_is_made_and_the_device_claimed(void **state)
{
    struct rig *r = *state;
    unsigned qemu = fake_xen_make_server(true);

    open_new(r);
    assert_int_not_equal(r->id, qemu);
    assert_true(fake_xen.server[r->id].enabled);
    assert_true(fake_xen.server[r->id].bound[0] && fake_xen.server[r->id].bound[1]);
    assert_int_equal(fake_xen_select(XEN_DMOP_IO_RANGE_PCI, BDF, BDF), r->id);
    assert_int_equal(fake_xen_select(XEN_DMOP_IO_RANGE_PCI, BDF + 8, BDF + 8), -1);
    assert_true(fake_xen_readable()); /* the first dispatch wants to be called */
    assert_int_equal(r->connects, 0);
    assert_int_equal(serve(r), 0);
    assert_int_equal(r->connects, 1);
    r->t->ops->close(r->t);
    r->t = NULL;
    assert_false(fake_xen.server[r->id].used);
    assert_true(fake_xen.server[qemu].used && fake_xen.server[qemu].enabled);
}

static void the_old_way_to_the_page_works_too(void **state)
{
    struct rig *r = *state;

    fake_xen.fail[FAKE_MAP_RESOURCE] = EOPNOTSUPP;
    open_new(r);
    assert_int_equal(rd(r, XEN_TYPE_PCI_CONFIG, cfg_addr(0), 4), 0x19128086);
}

struct failing {
    enum fake_call call;
    int code;
    const char *text; /* in the message */
};

static void each_failure_is_explained_and_leaves_nothing(void **state)
{
    static const struct failing cases[] = {
        {FAKE_EVTCHN_OPEN, ENOENT, "not a Xen dom0"},
        {FAKE_EVTCHN_OPEN, ENODEV, "modprobe"},
        {FAKE_EVTCHN_OPEN, EACCES, "root"},
        {FAKE_BIND_SELF, ENOSPC, "event channel"},
        {FAKE_DM_OPEN, ENOENT, "privcmd"},
        {FAKE_FM_OPEN, EPERM, "root"},
        {FAKE_CREATE, ENOSPC, "8 ioreq servers"},
        {FAKE_CREATE, EPERM, "dom0"},
        {FAKE_CREATE, ENOMEM, "memory"},
        {FAKE_MAP_RESOURCE, EPERM, "cannot map"},
        {FAKE_SET_STATE, EPERM, "cannot start"},
        {FAKE_BIND, EINVAL, "another emulator"},
        {FAKE_MAP_PCIDEV, ENOMEM, "slot 2"},
    };
    struct rig *r = *state;

    for (size_t i = 0; i < GT_ARRAY_SIZE(cases); i++) {
        fake_xen.fail[cases[i].call] = cases[i].code;
        assert_int_equal(try_open(r, -1), -cases[i].code);
        if (!strstr(r->err, cases[i].text))
            fail_msg("call %d: \"%s\" does not say \"%s\"", (int)cases[i].call, r->err, cases[i].text);
        fake_xen.fail[cases[i].call] = 0;
        assert_null(r->t);
        for (unsigned s = 0; s < FAKE_SERVERS; s++)
            assert_false(fake_xen.server[s].used);
        assert_int_equal(fake_xen.resources, 0);
        assert_int_equal(fake_xen.evtchn[0], -1);
    }
}

static void wrong_domains_are_explained(void **state)
{
    struct rig *r = *state;
    struct ioreq_xen_options opt = {.domid = 0, .slot = SLOT, .adopt = -1};

    assert_int_equal(ioreq_xen_open(&r->t, &r->cfg, &opt, r->err, sizeof(r->err)), -EINVAL);
    opt.domid = 0x7ff0;
    assert_int_equal(ioreq_xen_open(&r->t, &r->cfg, &opt, r->err, sizeof(r->err)), -EINVAL);
    opt.domid = FAKE_DOMID + 0x10000;
    assert_int_equal(ioreq_xen_open(&r->t, &r->cfg, &opt, r->err, sizeof(r->err)), -EINVAL);
    opt.domid = FAKE_DOMID + 1;
    assert_int_equal(ioreq_xen_open(&r->t, &r->cfg, &opt, r->err, sizeof(r->err)), -ESRCH);
    assert_non_null(strstr(r->err, "no domain 8"));
    fake_xen.hvm = false;
    assert_int_equal(try_open(r, -1), -EINVAL);
    assert_non_null(strstr(r->err, "HVM"));
    fake_xen.hvm = true;
    fake_xen.privileged = false;
    assert_int_equal(try_open(r, -1), -EPERM);
    assert_int_equal(fake_xen.calls[FAKE_BIND], 0);
}

static void all_128_vcpus_are_served(void **state)
{
    struct rig *r = *state;

    fake_xen.vcpus = FAKE_VCPUS;
    open_new(r);
    for (unsigned v = 0; v < FAKE_VCPUS; v++) {
        struct xen_slot s = request(XEN_TYPE_PCI_CONFIG, true, cfg_addr(0), 2, 0);
        fake_xen_send(r->id, v, &s);
    }
    assert_int_equal(serve(r), 0);
    for (unsigned v = 0; v < FAKE_VCPUS; v++) {
        uint64_t data;
        assert_true(fake_xen_answered(r->id, v, &data));
        assert_int_equal(data, 0x8086);
    }
}

/* ---- the end */

static void close_answers_who_waits(void **state)
{
    struct rig *r = *state;
    struct xen_slot s = request(XEN_TYPE_COPY, true, BAR0_ADDR, 4, 0);

    open_new(r);
    place_bars(r);
    fake_xen_send(r->id, 1, &s);
    unsigned notifies = fake_xen.calls[FAKE_NOTIFY];

    r->t->ops->close(r->t);
    r->t = NULL;
    assert_int_equal(fake_xen.calls[FAKE_NOTIFY], notifies + 1);
    assert_false(fake_xen.last_enabled); /* or another could come after the last look */
    assert_int_equal(xen_slot_state(&fake_xen.last_page[0]), XEN_NONE);
    assert_int_equal(xen_slot_state(&fake_xen.last_page[1]), XEN_RESP_READY);
    assert_true(fake_xen.last_page[1].data == UINT64_MAX);
    assert_int_equal(r->accesses, 0);
}

static void a_dead_domain_ends_dispatch(void **state)
{
    struct rig *r = *state;
    uint32_t v;

    open_new(r);
    enable_msi(r);
    assert_int_equal(r->t->ops->mem_read(r->t, 0, &v, 4), 0);
    r->maps_at_end = 99;
    fake_xen_kill_domain();
    assert_int_equal(r->t->ops->irq(r->t), -ESRCH);
    assert_true(fake_xen_readable());
    assert_int_equal(r->t->ops->dispatch(r->t, 0), -ESHUTDOWN);
    assert_int_equal(r->disconnects, 1);
    assert_int_equal(r->maps_at_end, 0);
    assert_int_equal(r->t->ops->dispatch(r->t, 0), -ESHUTDOWN);
    assert_int_equal(r->disconnects, 1);
}

static void memory_tells_of_a_dead_domain_too(void **state)
{
    struct rig *r = *state;
    uint32_t v;

    open_new(r);
    assert_int_equal(serve(r), 0);
    fake_xen_kill_domain();
    assert_int_equal(r->t->ops->mem_read(r->t, 0, &v, 4), -EFAULT);
    assert_int_equal(serve(r), -ESHUTDOWN);
}

static void a_lost_server_ends_dispatch(void **state)
{
    struct rig *r = *state;

    open_new(r);
    cfg_wr(r, 0x10, 4, BAR0_ADDR);
    fake_xen.fail[FAKE_MAP_RANGE] = ENOENT;
    struct xen_slot s = request(XEN_TYPE_PCI_CONFIG, false, cfg_addr(COMMAND), 2, 2);

    fake_xen_send(r->id, 0, &s);
    assert_int_equal(serve(r), -ESHUTDOWN);
}

static void restriction_is_of_the_domain(void **state)
{
    struct rig *r = *state;

    open_new(r);
    assert_int_equal(ioreq_xen_restrict(r->t), 0);
    assert_int_equal(fake_xen.restricted, FAKE_DOMID);
    place_bars(r); /* all still works */
    assert_int_equal(fake_xen_select(XEN_DMOP_IO_RANGE_MEMORY, BAR0_ADDR, BAR0_ADDR), r->id);
    fake_xen.fail[FAKE_RESTRICT] = EOPNOTSUPP;
    assert_int_equal(ioreq_xen_restrict(r->t), -EOPNOTSUPP);
}

/* ---- adoption */

/* The process is killed: its descriptors are closed by the kernel, nothing else happens. */
static void kill_it(struct rig *r)
{
    fake_xen_kill_begin();
    r->t->ops->close(r->t);
    fake_xen_kill_end();
    r->t = NULL;
}

static void an_adopted_server_goes_on(void **state)
{
    struct rig *r = *state;

    fake_xen_make_server(true);
    open_new(r);
    place_bars(r);
    enable_msi(r);
    unsigned id = r->id, ranges = fake_xen.server[id].ranges, unmaps = fake_xen.calls[FAKE_UNMAP_RANGE];

    kill_it(r);
    if (try_open(r, (int)id))
        fail_msg("%s", r->err);
    assert_int_equal(r->id, id);
    assert_int_equal(fake_xen.server[id].ranges, ranges);
    assert_int_equal(fake_xen.calls[FAKE_UNMAP_RANGE], unmaps);
    r->value = 5;
    assert_int_equal(rd(r, XEN_TYPE_COPY, BAR0_ADDR, 4), 5);
    assert_int_equal(r->t->ops->irq(r->t), 0);
    assert_int_equal(fake_xen.msis, 1);
    r->t->ops->close(r->t);
    r->t = NULL;
    assert_false(fake_xen.server[id].used);
}

static void a_process_may_take_a_moment_to_be_dead(void **state)
{
    struct rig *r = *state;

    open_new(r);
    unsigned id = r->id;

    kill_it(r);
    fake_xen.busy_binds = 3;
    assert_int_equal(try_open(r, (int)id), 0);
}

static void requests_of_the_killed_process_are_served(void **state)
{
    static const uint8_t states[] = {XEN_READY, XEN_INPROCESS};
    struct rig *r = *state;

    for (unsigned i = 0; i < 2; i++) {
        struct xen_slot s = request(XEN_TYPE_COPY, true, BAR0_ADDR, 4, 0);
        uint64_t data;
        open_new(r);
        place_bars(r);
        unsigned id = r->id;
        s.flags |= states[i];
        fake_xen_send(id, 1, &s);
        kill_it(r);
        assert_int_equal(try_open(r, (int)id), 0);
        r->value = 6;
        r->accesses = 0;
        assert_int_equal(serve(r), 0);
        assert_true(fake_xen_answered(id, 1, &data));
        assert_int_equal(data, 6);
        assert_int_equal(r->log[0].again, states[i] == XEN_INPROCESS);
        assert_int_equal(r->log[0].vcpu, 1);
        /* from then on no request is in process when a look begins */
        s.flags = XEN_SLOT_READ | XEN_INPROCESS;
        fake_xen_send(id, 0, &s);
        assert_int_equal(serve(r), 0);
        assert_false(fake_xen_answered(id, 0, NULL));
        assert_int_equal(r->accesses, 1);
        r->t->ops->close(r->t);
        r->t = NULL;
        vgpu_pci_reset(r->core->v);
    }
}

static void config_accesses_can_be_repeated_ones(void **state)
{
    struct rig *r = *state;
    struct xen_slot s = request(XEN_TYPE_PCI_CONFIG, true, cfg_addr(0), 4, 0);

    open_new(r);
    unsigned id = r->id;

    s.flags |= XEN_INPROCESS;
    fake_xen_send(id, 0, &s);
    kill_it(r);
    assert_int_equal(try_open(r, (int)id), 0);
    assert_false(r->config_again);
    assert_int_equal(serve(r), 0);
    assert_true(r->config_again);
}

/* Killed after the answer, before the notification: the vCPU still sleeps. */
static void an_answer_without_notification_is_notified(void **state)
{
    struct rig *r = *state;
    struct xen_slot s = request(XEN_TYPE_COPY, true, BAR0_ADDR, 4, 0);

    open_new(r);
    unsigned id = r->id;

    s.flags |= XEN_RESP_READY;
    s.data = 99;
    fake_xen_send(id, 0, &s);
    kill_it(r);
    assert_int_equal(try_open(r, (int)id), 0);
    uint64_t data;

    assert_int_equal(serve(r), 0);
    assert_true(fake_xen_answered(id, 0, &data));
    assert_int_equal(data, 99);
    assert_int_equal(r->accesses, 0);
}

static void others_servers_are_not_adopted(void **state)
{
    struct rig *r = *state;
    unsigned qemu = fake_xen_make_server(true);

    assert_int_equal(try_open(r, (int)qemu), -EINVAL);
    assert_non_null(strstr(r->err, "another emulator"));
    assert_true(fake_xen.server[qemu].used && fake_xen.server[qemu].enabled);
    assert_int_equal(fake_xen.server[qemu].ranges, 0);
    assert_int_equal(try_open(r, (int)qemu + 1), -ENOENT);
    assert_non_null(strstr(r->err, "no ioreq server 1"));
    assert_int_equal(try_open(r, 0x10000), -EINVAL);
}

static void a_server_whose_maker_died_early_is_completed(void **state)
{
    struct rig *r = *state;
    unsigned id = fake_xen_make_server(false);

    fake_xen.server[id].enabled = false;
    memset(fake_xen.server[id].page, 0, XEN_PAGE);
    assert_int_equal(try_open(r, (int)id), 0);
    assert_int_equal(fake_xen_select(XEN_DMOP_IO_RANGE_PCI, BDF, BDF), (int)id);
    assert_int_equal(rd(r, XEN_TYPE_PCI_CONFIG, cfg_addr(0), 2), 0x8086);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_server_is_made_and_the_device_claimed),
        TEST(the_old_way_to_the_page_works_too),
        TEST(each_failure_is_explained_and_leaves_nothing),
        TEST(wrong_domains_are_explained),
        TEST(all_128_vcpus_are_served),
        TEST(close_answers_who_waits),
        TEST(a_dead_domain_ends_dispatch),
        TEST(memory_tells_of_a_dead_domain_too),
        TEST(a_lost_server_ends_dispatch),
        TEST(restriction_is_of_the_domain),
        TEST(an_adopted_server_goes_on),
        TEST(a_process_may_take_a_moment_to_be_dead),
        TEST(requests_of_the_killed_process_are_served),
        TEST(config_accesses_can_be_repeated_ones),
        TEST(an_answer_without_notification_is_notified),
        TEST(others_servers_are_not_adopted),
        TEST(a_server_whose_maker_died_early_is_completed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
