/* Guest pages behind the GTT half of BAR0, on the fake Xen. */
#include "xen_fixture.h"

#include <string.h>

#define PAGES    2048u
#define PARK     0xfe000u
#define WINDOW   0x800000u
#define GFN(bar) (((uint64_t)(bar) + WINDOW) >> 12)
#define PLACE    GFN(BAR0_ADDR)

struct backed {
    struct rig *rig;
    struct ioreq_xen_backing *backing;
    uint8_t *memory;
    bool kept;
    uint64_t noted; /* what a journal would know */
};

static struct backed here;
static unsigned leave_mb;

static void moved(void *ctx, uint64_t gfn)
{
    (void)ctx;
    here.noted = gfn;
}

static int try_backing(struct rig *r)
{
    r->err[0] = 0;
    int ret = ioreq_xen_backing_open(&here.backing, FAKE_DOMID, here.noted, leave_mb, r->err, sizeof(r->err));

    if (ret)
        return ret;
    here.memory = ioreq_xen_backing_memory(here.backing, &here.kept);
    here.noted = ioreq_xen_backing_gfn(here.backing);
    return 0;
}

static void open_backed(struct rig *r, int adopt)
{
    if (try_backing(r))
        fail_msg("%s", r->err);
    const struct ioreq_xen_options opt = {
        .domid = FAKE_DOMID, .slot = SLOT, .adopt = adopt, .backing = here.backing, .backing_moved = moved};

    r->cfg.region[IOREQ_BAR0].mmap_fd = -1;
    r->cfg.region[IOREQ_BAR0].mmap_off = WINDOW;
    r->cfg.region[IOREQ_BAR0].mmap_size = PAGES * 4096u;
    if (ioreq_xen_open(&r->t, &r->cfg, &opt, r->err, sizeof(r->err)))
        fail_msg("%s", r->err);
    r->id = ioreq_xen_server(r->t);
    assert_int_equal(ioreq_xen_restrict(r->t), 0);
    assert_int_equal(serve(r), 0);
}

static void close_backed(struct rig *r)
{
    if (r->t)
        r->t->ops->close(r->t);
    r->t = NULL;
    ioreq_xen_backing_close(here.backing);
    here.backing = NULL;
}

static void kill_backed(struct rig *r)
{
    uint64_t noted = here.noted;

    fake_xen_kill_begin();
    close_backed(r);
    fake_xen_kill_end();
    here.noted = noted;       /* a killed process takes nothing back */
    fake_xen.restricted = -1; /* was the process' */
}

static int begin(void **state)
{
    memset(&here, 0, sizeof(here));
    return setup(state);
}

static int end(void **state)
{
    close_backed(*state);
    return teardown(state);
}

static void touch(struct rig *r, uint64_t bar)
{
    wr(r, XEN_TYPE_COPY, bar + WINDOW + 8, 8, 1);
}

static bool all_at(uint64_t gfn)
{
    for (unsigned i = 0; i < PAGES; i++)
        if (!fake_xen_page(gfn + i))
            return false;
    return true;
}

static bool none_at(uint64_t gfn)
{
    for (unsigned i = 0; i < PAGES; i++)
        if (fake_xen_page(gfn + i))
            return false;
    return true;
}

/* What the guest stores at an offset of the window without a trap is what the device finds there. */
static void assert_same_bytes(uint64_t gfn, unsigned off)
{
    uint8_t *page = fake_xen_page(gfn + off / 4096);

    assert_non_null(page);
    page[off % 4096] ^= 0x5a;
    assert_int_equal(here.memory[off], page[off % 4096]);
}

/* ---- the usual life */

static void the_first_access_brings_the_pages_and_they_do_not_trap_then(void **state)
{
    struct rig *r = *state;

    open_backed(r, -1);
    assert_false(here.kept);
    assert_true(all_at(PARK));
    place_bars(r);
    assert_true(all_at(PARK));
    rd(r, XEN_TYPE_COPY, BAR0_ADDR + WINDOW - 8, 8); /* the last register: not of the window */
    assert_true(all_at(PARK));
    touch(r, BAR0_ADDR);
    assert_true(all_at(PLACE) && none_at(PARK));
    assert_int_equal(here.noted, PLACE);
    assert_int_equal(r->log[1].off, WINDOW + 8); /* the access itself was carried out as ever */
    assert_same_bytes(PLACE, 0);
    assert_same_bytes(PLACE, PAGES * 4096 - 1);
    assert_int_equal(fake_xen.pages, FAKE_PAGES + PAGES);
}

static void learning_the_sizes_moves_nothing(void **state)
{
    struct rig *r = *state;

    open_backed(r, -1);
    for (unsigned i = 0; i < 8; i++) {
        cfg_wr(r, COMMAND, 2, 0);
        cfg_wr(r, 0x10, 4, UINT32_MAX);
        place_bars(r);
    }
    assert_int_equal(fake_xen.calls[FAKE_RELOCATE], 0);
    touch(r, BAR0_ADDR);
    touch(r, BAR0_ADDR);
    cfg_wr(r, COMMAND, 2, 7);
    cfg_wr(r, 0x3c, 1, 11);
    assert_int_equal(fake_xen.calls[FAKE_RELOCATE], 1);
}

static void pages_leave_with_the_bar_and_come_back_with_what_was_in_them(void **state)
{
    struct rig *r = *state;

    open_backed(r, -1);
    place_bars(r);
    touch(r, BAR0_ADDR);
    fake_xen_page(PLACE + 7)[1] = 0x77;
    cfg_wr(r, COMMAND, 2, 5);
    assert_true(all_at(PARK) && none_at(PLACE));
    assert_int_equal(here.noted, PARK);
    cfg_wr(r, 0x10, 4, 0xd0000000);
    cfg_wr(r, COMMAND, 2, 7);
    touch(r, 0xd0000000);
    assert_true(all_at(GFN(0xd0000000)) && none_at(PARK));
    assert_int_equal(fake_xen_page(GFN(0xd0000000) + 7)[1], 0x77);
    assert_int_equal(here.memory[7 * 4096 + 1], 0x77);
}

static void a_bar_moved_while_on_takes_the_pages_along(void **state)
{
    struct rig *r = *state;

    open_backed(r, -1);
    place_bars(r);
    touch(r, BAR0_ADDR);
    cfg_wr(r, 0x10, 4, 0xc0000000);
    assert_true(none_at(PLACE));
    touch(r, 0xc0000000);
    assert_true(all_at(GFN(0xc0000000)));
}

static void an_unplugged_device_leaves_the_window_empty_and_the_next_finds_the_pages(void **state)
{
    struct rig *r = *state;

    open_backed(r, -1);
    place_bars(r);
    touch(r, BAR0_ADDR);
    here.memory[5] = 5;
    close_backed(r);
    assert_true(all_at(PARK) && none_at(PLACE));
    fake_xen.restricted = -1;
    here.noted = 0;
    open_backed(r, -1);
    assert_false(here.kept);
    assert_int_equal(here.memory[5], 0);
    assert_int_equal(fake_xen.pages, FAKE_PAGES + PAGES);
    assert_int_equal(fake_xen.calls[FAKE_POPULATE], 1);
}

/* ---- adoption */

static void a_successor_finds_the_pages_behind_the_bar(void **state)
{
    struct rig *r = *state;

    open_backed(r, -1);
    place_bars(r);
    touch(r, BAR0_ADDR);
    here.memory[4711] = 42;
    kill_backed(r);
    open_backed(r, (int)r->id);
    assert_true(here.kept);
    assert_int_equal(here.memory[4711], 42);
    assert_true(all_at(PLACE));
    assert_same_bytes(PLACE, 4711);
    assert_int_equal(fake_xen.pages, FAKE_PAGES + PAGES);
}

static void a_successor_finds_them_parked_whatever_was_noted(void **state)
{
    struct rig *r = *state;

    open_backed(r, -1);
    place_bars(r);
    here.memory[1] = 43;
    kill_backed(r);
    here.noted = PLACE; /* killed between the note and the move */
    open_backed(r, (int)r->id);
    assert_true(here.kept);
    assert_int_equal(here.memory[1], 43);
    touch(r, BAR0_ADDR);
    assert_true(all_at(PLACE));
}

static void pages_that_the_guest_gave_back_are_replaced_by_empty_ones(void **state)
{
    struct rig *r = *state;

    open_backed(r, -1);
    place_bars(r);
    touch(r, BAR0_ADDR);
    here.memory[0] = 1;
    kill_backed(r);
    fake_xen_drop_page(PLACE + 100);
    fake_xen_drop_page(PLACE + 2047);
    open_backed(r, (int)r->id);
    assert_false(here.kept);
    assert_int_equal(here.memory[0], 0);
    assert_true(all_at(PARK) && none_at(PLACE));
    assert_int_equal(fake_xen.pages, FAKE_PAGES + PAGES);
    touch(r, BAR0_ADDR);
    assert_true(all_at(PLACE));
}

static void a_passing_failure_costs_no_pages(void **state)
{
    struct rig *r = *state;

    open_backed(r, -1);
    place_bars(r);
    touch(r, BAR0_ADDR);
    here.memory[9] = 9;
    kill_backed(r);
    fake_xen.fail[FAKE_MAP_PAGES] = ENOMEM;
    assert_int_equal(try_backing(r), -ENOMEM);
    fake_xen.fail[FAKE_MAP_PAGES] = 0;
    open_backed(r, (int)r->id);
    assert_true(here.kept);
    assert_int_equal(here.memory[9], 9);
}

/* ---- no pages */

static void a_guest_without_allowance_gets_advice_and_loses_nothing(void **state)
{
    struct rig *r = *state;

    fake_xen.max_pages = FAKE_PAGES + PAGES - 1;
    assert_int_equal(try_backing(r), -ENOSPC);
    assert_non_null(strstr(r->err, "videoram=8"));
    assert_true(none_at(PARK));
    assert_int_equal(fake_xen.pages, FAKE_PAGES);
    assert_int_equal(fake_xen.calls[FAKE_POPULATE], 0);
    fake_xen.fail[FAKE_COUNT] = EPERM; /* then it finds out by trying */
    assert_int_equal(try_backing(r), -ENOSPC);
    assert_int_equal(fake_xen.calls[FAKE_POPULATE], 1);
    assert_int_equal(fake_xen.pages, FAKE_PAGES);
}

static void what_qemu_will_need_is_left(void **state)
{
    struct rig *r = *state;

    leave_mb = 2;
    fake_xen.max_pages = FAKE_PAGES + PAGES + 511;
    assert_int_equal(try_backing(r), -ENOSPC);
    fake_xen.max_pages++;
    assert_int_equal(try_backing(r), 0);
    leave_mb = 0;
}

static void memory_that_is_in_the_way_stays(void **state)
{
    struct rig *r = *state;

    fake_xen_add_page(PARK + 3);
    assert_int_equal(try_backing(r), -EEXIST);
    assert_non_null(fake_xen_page(PARK + 3));
    assert_int_equal(fake_xen.pages, FAKE_PAGES + 1);
}

static void each_failure_is_told(void **state)
{
    static const struct {
        enum fake_call call;
        int code;
    } cases[] = {{FAKE_CALL_OPEN, ENOENT}, {FAKE_FM_OPEN, EPERM}, {FAKE_MAP_PAGES, ENOMEM}, {FAKE_POPULATE, EPERM}};
    struct rig *r = *state;

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fake_xen.fail[cases[i].call] = cases[i].code;
        assert_int_not_equal(try_backing(r), 0);
        assert_true(strlen(r->err) > 20);
        fake_xen.fail[cases[i].call] = 0;
        assert_int_equal(fake_xen.pages, FAKE_PAGES);
    }
}

/* ---- a hostile guest */

static void a_bar_over_memory_goes_on_to_trap_and_the_memory_stays(void **state)
{
    struct rig *r = *state;

    open_backed(r, -1);
    fake_xen_add_page(PLACE + 1000);
    place_bars(r);
    touch(r, BAR0_ADDR);
    touch(r, BAR0_ADDR);
    assert_true(all_at(PARK));
    assert_non_null(fake_xen_page(PLACE + 1000));
    assert_int_equal(fake_xen.calls[FAKE_RELOCATE], 0);
    assert_int_equal(r->accesses, 2);
    cfg_wr(r, 0x10, 4, 0xd0000000); /* elsewhere all is well */
    touch(r, 0xd0000000);
    assert_true(all_at(GFN(0xd0000000)));
}

static void pages_given_back_behind_the_bar_trap(void **state)
{
    struct rig *r = *state;

    open_backed(r, -1);
    place_bars(r);
    touch(r, BAR0_ADDR);
    fake_xen_drop_page(PLACE);
    here.memory[0] = 9; /* the mapping outlives the page */
    unsigned before = r->accesses;

    touch(r, BAR0_ADDR);
    touch(r, BAR0_ADDR);
    assert_int_equal(r->accesses, before + 2);
    assert_int_equal(fake_xen.calls[FAKE_RELOCATE], 1);
}

static void after_that_a_moved_bar_leaves_nothing_behind_and_traps(void **state)
{
    struct rig *r = *state;

    open_backed(r, -1);
    place_bars(r);
    touch(r, BAR0_ADDR);
    fake_xen_drop_page(PLACE + 5);
    cfg_wr(r, 0x10, 4, 0xd0000000);
    assert_true(none_at(PLACE));
    touch(r, 0xd0000000);
    assert_true(none_at(GFN(0xd0000000)));
    unsigned calls = fake_xen.calls[FAKE_RELOCATE];

    touch(r, 0xd0000000);
    cfg_wr(r, 0x10, 4, 0xc0000000);
    assert_int_equal(fake_xen.calls[FAKE_RELOCATE], calls);
}

static void a_move_that_stops_half_way_is_taken_back(void **state)
{
    struct rig *r = *state;

    open_backed(r, -1);
    place_bars(r);
    fake_xen.relocate_stop = 1000;
    touch(r, BAR0_ADDR);
    assert_true(all_at(PARK) && none_at(PLACE));
    assert_int_equal(here.noted, PARK);
    unsigned calls = fake_xen.calls[FAKE_RELOCATE];

    touch(r, BAR0_ADDR);
    assert_int_equal(fake_xen.calls[FAKE_RELOCATE], calls);
}

static void the_parking_place_is_no_place_for_a_bar(void **state)
{
    struct rig *r = *state;

    open_backed(r, -1);
    place_bars(r);
    cfg_wr(r, 0x10, 4, 0xfe000000);
    cfg_wr(r, 0x10, 4, 0xfd000000);
    touch(r, 0xfd000000);
    assert_true(all_at(GFN(0xfd000000)));
    cfg_wr(r, 0x10, 4, BAR0_ADDR);
    assert_true(all_at(PARK));
}

static void a_bar_beyond_memory_traps(void **state)
{
    struct rig *r = *state;

    open_backed(r, -1);
    place_bars(r);
    cfg_wr(r, 0x14, 4, 0x10000);
    touch(r, UINT64_C(0x10000) << 32 | BAR0_ADDR);
    assert_int_equal(r->accesses, 1);
    assert_int_equal(fake_xen.calls[FAKE_RELOCATE], 0);
}

static void the_domain_dies_with_pages_in_place(void **state)
{
    struct rig *r = *state;

    open_backed(r, -1);
    place_bars(r);
    touch(r, BAR0_ADDR);
    fake_xen_kill_domain();
    unsigned calls = fake_xen.calls[FAKE_RELOCATE];

    close_backed(r);
    assert_int_equal(fake_xen.calls[FAKE_RELOCATE], calls + 1);
    assert_int_equal(fake_xen.maps, 0);
}

#define BTEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BTEST(the_first_access_brings_the_pages_and_they_do_not_trap_then),
        BTEST(learning_the_sizes_moves_nothing),
        BTEST(pages_leave_with_the_bar_and_come_back_with_what_was_in_them),
        BTEST(a_bar_moved_while_on_takes_the_pages_along),
        BTEST(an_unplugged_device_leaves_the_window_empty_and_the_next_finds_the_pages),
        BTEST(a_successor_finds_the_pages_behind_the_bar),
        BTEST(a_successor_finds_them_parked_whatever_was_noted),
        BTEST(pages_that_the_guest_gave_back_are_replaced_by_empty_ones),
        BTEST(a_passing_failure_costs_no_pages),
        BTEST(a_guest_without_allowance_gets_advice_and_loses_nothing),
        BTEST(what_qemu_will_need_is_left),
        BTEST(memory_that_is_in_the_way_stays),
        BTEST(each_failure_is_told),
        BTEST(a_bar_over_memory_goes_on_to_trap_and_the_memory_stays),
        BTEST(pages_given_back_behind_the_bar_trap),
        BTEST(after_that_a_moved_bar_leaves_nothing_behind_and_traps),
        BTEST(a_move_that_stops_half_way_is_taken_back),
        BTEST(the_parking_place_is_no_place_for_a_bar),
        BTEST(a_bar_beyond_memory_traps),
        BTEST(the_domain_dies_with_pages_in_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
