/* The Xen transport at work: requests, events, interrupts, memory. */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "vgpu/base/clock.h"
#include "xen_fixture.h"

/* ---- requests */

static void config_space_is_the_devices(void **state)
{
    struct rig *r = *state;

    open_new(r);
    assert_int_equal(rd(r, XEN_TYPE_PCI_CONFIG, cfg_addr(0), 4), 0x19128086);
    assert_int_equal(rd(r, XEN_TYPE_PCI_CONFIG, cfg_addr(2), 2), 0x1912);
    assert_int_equal(rd(r, XEN_TYPE_PCI_CONFIG, cfg_addr(0xb), 1), 3);
    assert_int_equal(r->accesses, 0);
    assert_false(r->config_again);
    /* not ours, or not there */
    assert_int_equal(rd(r, XEN_TYPE_PCI_CONFIG, (uint64_t)(BDF + 1) << 32, 4), UINT32_MAX);
    assert_int_equal(rd(r, XEN_TYPE_PCI_CONFIG, (uint64_t)(BDF | 0x10000) << 32, 4), UINT32_MAX);
    assert_int_equal(rd(r, XEN_TYPE_PCI_CONFIG, cfg_addr(0x100), 4), UINT32_MAX);
    assert_int_equal(rd(r, XEN_TYPE_PCI_CONFIG, cfg_addr(0xfe), 4), UINT32_MAX);
    assert_int_equal(rd(r, XEN_TYPE_PCI_CONFIG, cfg_addr(0xfffffffe), 4), UINT32_MAX);
    assert_true(rd(r, XEN_TYPE_PCI_CONFIG, cfg_addr(0), 8) == UINT64_MAX);
}

static void bars_are_reached_where_the_guest_put_them(void **state)
{
    struct rig *r = *state;

    open_new(r);
    assert_int_equal(rd(r, XEN_TYPE_COPY, BAR0_ADDR, 4), UINT32_MAX);
    place_bars(r);
    assert_int_equal(fake_xen_select(XEN_DMOP_IO_RANGE_MEMORY, BAR0_ADDR, BAR0_ADDR + VGPU_BAR0_SIZE - 1), r->id);
    r->value = 0x1122334455667788;
    assert_true(rd(r, XEN_TYPE_COPY, BAR0_ADDR + 0x2030, 8) == 0x1122334455667788);
    assert_int_equal(r->log[0].region, IOREQ_BAR0);
    assert_int_equal(r->log[0].off, 0x2030);
    assert_int_equal(r->log[0].size, 8);
    assert_false(r->log[0].write || r->log[0].again);
    wr(r, XEN_TYPE_COPY, 0xe0000010, 2, 0xabcdef);
    assert_int_equal(r->log[1].region, IOREQ_BAR2);
    assert_int_equal(r->log[1].data, 0xcdef);
    wr(r, XEN_TYPE_PIO, BAR4_PORT + 4, 4, 5);
    assert_int_equal(r->log[2].region, IOREQ_BAR4);
    assert_int_equal(r->log[2].off, 4);
    assert_int_equal(r->accesses, 3);
    /* over the end */
    assert_int_equal(rd(r, XEN_TYPE_COPY, BAR0_ADDR + VGPU_BAR0_SIZE - 2, 4), UINT32_MAX);
    assert_int_equal(r->accesses, 3);
}

static void a_range_that_xen_lost_is_no_loss(void **state)
{
    struct rig *r = *state;

    open_new(r);
    place_bars(r);
    fake_xen.server[r->id].ranges = 0;
    fake_xen.fail[FAKE_UNMAP_RANGE] = ENOENT;
    cfg_wr(r, COMMAND, 2, 0);
    fake_xen.fail[FAKE_UNMAP_RANGE] = 0;
    cfg_wr(r, COMMAND, 2, 7);
    assert_int_equal(rd(r, XEN_TYPE_COPY, BAR0_ADDR, 4), 0);
}

static void the_vcpu_of_an_access_is_told(void **state)
{
    struct rig *r = *state;
    struct xen_slot s = request(XEN_TYPE_COPY, true, BAR0_ADDR, 4, 0);

    open_new(r);
    place_bars(r);
    unsigned answered = r->answered;

    run(r, 1, &s);
    run(r, 0, &s);
    assert_int_equal(r->log[0].vcpu, 1);
    assert_int_equal(r->log[1].vcpu, 0);
    assert_int_equal(r->answered, answered + 2);
}

static void strings_go_through_guest_memory(void **state)
{
    struct rig *r = *state;
    struct xen_slot s = request(XEN_TYPE_COPY, false, BAR0_ADDR + 0x100, 4, 0x10ff8);

    open_new(r);
    place_bars(r);
    s.count = 4; /* crosses a page of memory */
    s.flags |= XEN_SLOT_DATA_IS_PTR;
    for (uint32_t i = 0; i < 4; i++)
        memcpy(fake_xen.ram_ptr + 0x10ff8 + 4 * i, &(uint32_t){i + 1}, 4);
    run(r, 0, &s);
    assert_int_equal(r->accesses, 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(r->log[i].off, 0x100 + 4 * i);
        assert_int_equal(r->log[i].data, i + 1);
    }
    s.flags |= XEN_SLOT_READ;
    r->value = 0x80;
    run(r, 0, &s);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(fake_xen.ram_ptr[0x10ff8 + 4 * i], 0x80 + i);
    r->accesses = 4;
    s.flags &= (uint8_t)~XEN_SLOT_READ;
    /* out of our own BAR: there is no memory */
    s.data = BAR0_ADDR;
    run(r, 0, &s);
    assert_int_equal(r->accesses, 4);
}

static void odd_requests_get_an_answer(void **state)
{
    struct rig *r = *state;
    static const struct xen_slot odd[] = {
        {.type = 3, .count = 1, .size = 4, .flags = XEN_SLOT_READ},
        {.type = 255, .count = UINT32_MAX, .size = UINT32_MAX, .flags = XEN_SLOT_READ},
        {.type = XEN_TYPE_COPY, .addr = BAR0_ADDR, .count = UINT32_MAX, .size = 4, .flags = XEN_SLOT_READ},
        {.type = XEN_TYPE_COPY, .addr = BAR0_ADDR, .count = 0, .size = 4, .flags = XEN_SLOT_READ},
        {.type = XEN_TYPE_COPY, .addr = BAR0_ADDR, .count = 1, .size = 3, .flags = XEN_SLOT_READ},
        {.type = XEN_TYPE_COPY, .addr = UINT64_MAX, .count = 1, .size = 8, .flags = XEN_SLOT_READ},
    };

    open_new(r);
    place_bars(r);
    for (size_t i = 0; i < GT_ARRAY_SIZE(odd); i++)
        assert_true(run(r, 0, &odd[i]) == UINT64_MAX);
    assert_int_equal(r->accesses, 0);
    struct xen_slot s = {.type = XEN_TYPE_TIMEOFFSET, .count = 1, .size = 8, .data = 77};

    assert_int_equal(run(r, 0, &s), 77);
}

static void a_closed_channel_is_survived(void **state)
{
    struct rig *r = *state;
    struct xen_slot s = request(XEN_TYPE_PCI_CONFIG, true, cfg_addr(0), 4, 0);

    open_new(r);
    fake_xen.fail[FAKE_NOTIFY] = EINVAL;
    fake_xen_send(r->id, 0, &s);
    assert_int_equal(serve(r), 0);
    assert_int_equal(xen_slot_state(&fake_xen.server[r->id].page[0]), XEN_RESP_READY);
}

static void impossible_states_are_left_alone(void **state)
{
    struct rig *r = *state;
    uint64_t data;

    open_new(r);
    assert_int_equal(serve(r), 0);
    for (unsigned st = XEN_INPROCESS; st < 16; st++) {
        struct xen_slot s = {.type = XEN_TYPE_COPY, .count = 1, .size = 4, .flags = (uint8_t)st};
        unsigned notifies = fake_xen.calls[FAKE_NOTIFY];
        fake_xen_send(r->id, 0, &s);
        assert_int_equal(serve(r), 0);
        assert_int_equal(xen_slot_state(&fake_xen.server[r->id].page[0]), st);
        assert_int_equal(fake_xen.calls[FAKE_NOTIFY], notifies);
        fake_xen.server[r->id].page[0].flags = 0;
    }
    struct xen_slot s = request(XEN_TYPE_PCI_CONFIG, true, cfg_addr(0), 4, 0);

    fake_xen_send(r->id, 1, &s); /* the other goes on */
    assert_int_equal(serve(r), 0);
    assert_true(fake_xen_answered(r->id, 1, &data));
}

/* ---- events and system calls */

static void the_page_is_the_truth_not_the_event(void **state)
{
    struct rig *r = *state;
    struct xen_slot s = request(XEN_TYPE_PCI_CONFIG, true, cfg_addr(0), 4, 0);

    open_new(r);
    assert_int_equal(serve(r), 0);
    fake_xen_fire(r->id, 0); /* without a request */
    assert_int_equal(serve(r), 0);
    assert_int_equal(fake_xen_masked(), 0);
    /* vCPU 1 has a request whose event is still on its way when vCPU 0's arrives */
    fake_xen.server[r->id].page[1] = s;
    fake_xen.server[r->id].page[1].vp_eport = fake_xen.server[r->id].port[1];
    fake_xen.server[r->id].page[1].flags |= XEN_READY;
    fake_xen_send(r->id, 0, &s);
    assert_int_equal(step(r, 0), 0);
    assert_true(fake_xen_answered(r->id, 0, NULL));
    assert_true(fake_xen_answered(r->id, 1, NULL));
}

static void an_event_while_serving_is_not_lost(void **state)
{
    struct rig *r = *state;
    struct xen_slot s = request(XEN_TYPE_PCI_CONFIG, true, cfg_addr(0), 4, 0);

    open_new(r);
    assert_int_equal(serve(r), 0);
    for (unsigned i = 0; i < 10; i++) {
        fake_xen_send(r->id, 0, &s);
        assert_int_equal(step(r, 0), 0);
        assert_true(fake_xen_answered(r->id, 0, NULL)); /* at once, before the port is seen to be unmasked */
    }
    assert_int_equal(serve(r), 0);
    assert_int_equal(fake_xen_masked(), 0);
}

static void idle_dispatches_do_not_spin(void **state)
{
    struct rig *r = *state;

    open_new(r);
    assert_int_equal(serve(r), 0);
    fake_xen_fire(r->id, 0);
    uint64_t before = gt_clock_ns();

    assert_int_equal(step(r, 1000000), 0);
    assert_in_range(gt_clock_ns() - before, 0, 900000000);
}

static void ports_of_a_sleep_are_unmasked_once(void **state)
{
    struct rig *r = *state;

    open_new(r);
    assert_int_equal(serve(r), 0);
    fake_xen_fire(r->id, 0);
    assert_int_equal(r->t->ops->wait(r->t), 0);
    assert_int_equal(r->t->ops->wait(r->t), 0); /* does not forget them, and does not sleep */
    assert_int_equal(fake_xen_masked(), 1);
    assert_int_equal(r->t->ops->dispatch(r->t, 0), 0);
    assert_int_equal(fake_xen_masked(), 0);
    assert_int_equal(r->t->ops->dispatch(r->t, 0), 0); /* the fake ends the program if they are unmasked again */
    fake_xen_collect();
}

static void *wake_it(void *arg)
{
    struct rig *r = arg;

    usleep(20000);
    r->t->ops->wake(r->t);
    return NULL;
}

static void a_sleep_can_be_ended(void **state)
{
    struct rig *r = *state;
    pthread_t t;

    open_new(r);
    assert_int_equal(serve(r), 0);
    assert_int_equal(pthread_create(&t, NULL, wake_it, r), 0);
    assert_int_equal(step(r, 0), 0);
    pthread_join(t, NULL);
    assert_int_equal(serve(r), 0);
    r->t->ops->wake(r->t); /* the next, and two at once are one */
    r->t->ops->wake(r->t);
    assert_true(fake_xen_readable());
    assert_int_equal(serve(r), 0);
}

struct guest {
    struct rig *r;
    unsigned requests;
};

static void *be_a_vcpu(void *arg)
{
    struct guest *g = arg;
    struct xen_slot s = request(XEN_TYPE_PCI_CONFIG, true, cfg_addr(0), 4, 0);

    for (unsigned i = 0; i < g->requests; i++) {
        uint64_t data = 0;
        fake_xen_send(g->r->id, 0, &s);
        while (!fake_xen_answered(g->r->id, 0, &data))
            fake_xen_collect();
        assert_int_equal(data, 0x19128086);
    }
    return NULL;
}

/* While dispatch polls, the port stays masked: requests raise no events, and unmasking happens once. */
static void polling_serves_without_events(void **state)
{
    struct rig *r = *state;
    struct guest g = {r, 100};
    pthread_t t;

    open_new(r);
    assert_int_equal(serve(r), 0);
    unsigned dispatches = 0, notifies = fake_xen.calls[FAKE_NOTIFY];

    assert_int_equal(pthread_create(&t, NULL, be_a_vcpu, &g), 0);
    while (fake_xen.calls[FAKE_NOTIFY] - notifies < g.requests) {
        assert_int_equal(step(r, 100000), 0);
        dispatches++;
    }
    pthread_join(t, NULL);
    assert_in_range(dispatches, 1, 20);
    assert_int_equal(serve(r), 0);
}

static void a_busy_guest_does_not_keep_dispatch(void **state)
{
    struct rig *r = *state;
    struct guest g = {r, 2000};
    pthread_t t;
    unsigned dispatches = 0, notifies;

    open_new(r);
    assert_int_equal(serve(r), 0);
    notifies = fake_xen.calls[FAKE_NOTIFY];
    assert_int_equal(pthread_create(&t, NULL, be_a_vcpu, &g), 0);
    while (fake_xen.calls[FAKE_NOTIFY] - notifies < g.requests) {
        assert_int_equal(r->t->ops->dispatch(r->t, 200000), 0);
        dispatches++;
    }
    pthread_join(t, NULL);
    assert_in_range(dispatches, 2000 / 256, UINT32_MAX);
}

/* ---- interrupts */

static void msis_are_injected_as_set_up(void **state)
{
    struct rig *r = *state;

    open_new(r);
    assert_int_equal(r->t->ops->irq(r->t), 0);
    assert_int_equal(fake_xen.msis, 0);
    enable_msi(r);
    assert_int_equal(r->t->ops->irq(r->t), 0);
    assert_int_equal(fake_xen.msis, 1);
    assert_true(fake_xen.msi_addr == 0xfee00000 && fake_xen.msi_data == 0x4031);
    cfg_wr(r, MSI + 2, 2, 0);
    r->t->ops->irq(r->t);
    assert_int_equal(fake_xen.msis, 1);
}

static void the_line_is_inta_of_the_slot(void **state)
{
    struct rig *r = *state;

    open_new(r);
    r->t->ops->line(r->t, true);
    assert_int_equal(fake_xen.intx, 1);
    assert_int_equal(fake_xen.intx_slot, SLOT);
    enable_msi(r);
    assert_int_equal(fake_xen.intx, 0);
    cfg_wr(r, MSI + 2, 2, 0);
    assert_int_equal(fake_xen.intx, 1);
    r->t->ops->line(r->t, false);
    assert_int_equal(fake_xen.intx, 0);
}

/* ---- memory */

static void invalidate_unmaps_inside_a_bracket(void **state)
{
    struct rig *r = *state;
    struct xen_slot s = {.type = XEN_TYPE_INVALIDATE, .size = 4, .data = UINT64_MAX};
    uint32_t v;

    open_new(r);
    assert_int_equal(r->t->ops->mem_read(r->t, 0x1000, &v, 4), 0);
    assert_non_null(r->t->ops->mem_page(r->t, 0x1000, true));
    assert_int_equal(fake_xen.maps, 1);
    run(r, 0, &s);
    assert_int_equal(r->begins, 1);
    assert_int_equal(r->maps_at_end, 0);
    assert_int_equal(r->t->ops->mem_write(r->t, 0x1000, &v, 4), 0);
    uint64_t expected = v;

    assert_int_equal(r->t->ops->mem_cas(r->t, 0x1000, 4, &expected, 1), 1);
}

static void a_page_that_came_back_gets_a_bracket(void **state)
{
    struct rig *r = *state;
    uint32_t v;

    open_new(r);
    assert_int_equal(serve(r), 0);
    fake_xen.hole[3] = true;
    assert_int_equal(r->t->ops->mem_read(r->t, 0x3000, &v, 4), -EFAULT);
    fake_xen.hole[3] = false;
    usleep(15000);
    assert_int_equal(r->t->ops->mem_read(r->t, 0x3000, &v, 4), 0);
    assert_true(fake_xen_readable()); /* the trap thread is woken */
    assert_int_equal(serve(r), 0);
    assert_int_equal(r->ends, 1);
    assert_non_null(r->t->ops->mem_page(r->t, 0x3000, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(config_space_is_the_devices),
        TEST(bars_are_reached_where_the_guest_put_them),
        TEST(a_range_that_xen_lost_is_no_loss),
        TEST(the_vcpu_of_an_access_is_told),
        TEST(strings_go_through_guest_memory),
        TEST(odd_requests_get_an_answer),
        TEST(a_closed_channel_is_survived),
        TEST(impossible_states_are_left_alone),
        TEST(the_page_is_the_truth_not_the_event),
        TEST(an_event_while_serving_is_not_lost),
        TEST(idle_dispatches_do_not_spin),
        TEST(ports_of_a_sleep_are_unmasked_once),
        TEST(a_sleep_can_be_ended),
        TEST(polling_serves_without_events),
        TEST(a_busy_guest_does_not_keep_dispatch),
        TEST(msis_are_injected_as_set_up),
        TEST(the_line_is_inta_of_the_slot),
        TEST(invalidate_unmaps_inside_a_bracket),
        TEST(a_page_that_came_back_gets_a_bracket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
