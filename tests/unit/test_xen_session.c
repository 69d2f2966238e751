/* A session on the fake Xen: where the GTT is, over the lives of several gtmux-dm. */
#include "xen_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mediator/session.h"
#include "mediator/session_internal.h"

#define WINDOW 0x800000u
#define PLACE  (((uint64_t)BAR0_ADDR + WINDOW) >> 12)
#define PARK   UINT64_C(0xfe000)
#define PAGES  2048u

struct life {
    char dir[64], state[96], saved[96];
    struct session *s;
};

static struct life now;

static void start(struct rig *r, bool map_gtt)
{
    struct session_options o;

    session_options_default(&o);
    o.name = "guest";
    o.xen_domid = FAKE_DOMID;
    o.xen_uuid = "one";
    o.run_dir = now.dir;
    o.state_path = now.state;
    o.map_gtt = map_gtt;
    if (session_open(&now.s, &o, r->err, sizeof(r->err)) || session_start(now.s, r->err, sizeof(r->err)))
        fail_msg("%s", r->err);
    r->t = now.s->transport;
    r->id = session_xen_server(now.s);
    assert_int_equal(serve(r), 0);
}

static void copy_file(const char *from, const char *to)
{
    static char buf[1 << 16];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ssize_t n;

    assert_true(in >= 0 && out >= 0);
    while ((n = read(in, buf, sizeof(buf))) > 0)
        assert_int_equal(write(out, buf, (size_t)n), n);
    close(in);
    close(out);
}

/* As SIGKILL: nothing that the session tidies up at its end has an effect. */
static void kill_session(struct rig *r)
{
    copy_file(now.state, now.saved);
    fake_xen_kill_begin();
    session_close(now.s);
    fake_xen_kill_end();
    now.s = NULL;
    r->t = NULL;
    assert_int_equal(rename(now.saved, now.state), 0);
}

static int begin(void **state)
{
    snprintf(now.dir, sizeof(now.dir), "/tmp/gtmux-test-XXXXXX");
    assert_non_null(mkdtemp(now.dir));
    snprintf(now.state, sizeof(now.state), "%s/state", now.dir);
    snprintf(now.saved, sizeof(now.saved), "%s/saved", now.dir);
    return setup(state);
}

static int end(void **state)
{
    struct rig *r = *state;

    session_close(now.s);
    now.s = NULL;
    r->t = NULL;
    unlink(now.state);
    unlink(now.saved);
    rmdir(now.dir);
    return teardown(state);
}

/* As i915 does: the device's answer to a trapped read of the entry is what it would translate by. */
static uint64_t trapped_pte(struct rig *r, unsigned entry)
{
    return rd(r, XEN_TYPE_COPY, BAR0_ADDR + WINDOW + 8 * entry, 8);
}

static void store_pte(struct rig *r, unsigned entry, uint64_t pte)
{
    uint8_t *page = fake_xen_page(PLACE + 8 * entry / 4096);

    if (page)
        memcpy(page + 8 * entry % 4096, &pte, 8);
    else
        wr(r, XEN_TYPE_COPY, BAR0_ADDR + WINDOW + 8 * entry, 8, pte);
}

static uint64_t file_blocks(void)
{
    struct stat st;

    assert_int_equal(stat(now.state, &st), 0);
    return (uint64_t)st.st_blocks * 512;
}

/* ---- */

static void stores_do_not_trap_and_the_device_sees_them(void **state)
{
    struct rig *r = *state;

    start(r, true);
    place_bars(r);
    store_pte(r, 0, 0x1003);
    assert_non_null(fake_xen_page(PLACE));
    store_pte(r, 1000000, 0x2003);
    assert_int_equal(trapped_pte(r, 0), 0x1003);
    assert_int_equal(trapped_pte(r, 1000000), 0x2003);
}

static void the_state_file_then_has_no_memory_for_them(void **state)
{
    struct rig *r = *state;

    start(r, false);
    uint64_t trapping = file_blocks();

    session_close(now.s);
    start(r, true);
    assert_true(file_blocks() + VGPU_GTT_SIZE <= trapping);
}

static void a_successor_goes_on_with_the_entries(void **state)
{
    struct rig *r = *state;

    start(r, true);
    place_bars(r);
    store_pte(r, 5, 0);
    store_pte(r, 6, 0x6003);
    kill_session(r);
    store_pte(r, 7, 0x7003); /* the guest does not notice */
    start(r, true);
    assert_true(now.s->adopted);
    assert_int_equal(trapped_pte(r, 6), 0x6003);
    assert_int_equal(trapped_pte(r, 7), 0x7003);
    kill_session(r);
    start(r, false); /* as its predecessors did, whatever is asked for */
    assert_int_equal(trapped_pte(r, 7), 0x7003);
    assert_non_null(fake_xen_page(PLACE));
    assert_int_equal(fake_xen.calls[FAKE_POPULATE], 1);
}

static void asked_to_trap_it_takes_no_pages(void **state)
{
    struct rig *r = *state;

    start(r, false);
    place_bars(r);
    store_pte(r, 3, 0x3003);
    assert_int_equal(fake_xen.pages, FAKE_PAGES);
    kill_session(r);
    start(r, true); /* and so does its successor */
    assert_true(now.s->adopted);
    assert_int_equal(fake_xen.pages, FAKE_PAGES);
    assert_int_equal(trapped_pte(r, 3), 0x3003);
}

static void without_allowance_stores_trap(void **state)
{
    struct rig *r = *state;

    fake_xen.max_pages = FAKE_PAGES + 256;
    start(r, true);
    place_bars(r);
    store_pte(r, 3, 0x3003);
    assert_null(fake_xen_page(PLACE));
    assert_int_equal(trapped_pte(r, 3), 0x3003);
}

static void a_guest_that_gives_its_pages_to_itself_has_an_empty_gtt(void **state)
{
    struct rig *r = *state;

    start(r, true);
    place_bars(r);
    store_pte(r, 3, 0x3003);
    store_pte(r, 3, 0x3003);
    kill_session(r);
    fake_xen_drop_page(PLACE);
    fake_xen.max_pages = FAKE_PAGES + 100;
    fake_xen.pages = FAKE_PAGES + 2047;
    start(r, true);
    assert_true(now.s->adopted);
    assert_null(now.s->gtt);
    assert_int_equal(trapped_pte(r, 3), 0);
    store_pte(r, 3, 0x4003);
    assert_int_equal(trapped_pte(r, 3), 0x4003);
    kill_session(r);
    start(r, true);
    assert_int_equal(trapped_pte(r, 3), 0x4003);
}

static void a_device_that_cannot_be_continued_leaves_an_empty_gtt(void **state)
{
    struct rig *r = *state;
    int fd;

    start(r, true);
    place_bars(r);
    store_pte(r, 3, 0x3003);
    store_pte(r, 4, 0x3003);
    kill_session(r);
    fd = open(now.state, O_WRONLY);
    assert_int_equal(pwrite(fd, "damaged!", 8, 4096), 8); /* the device's first bytes say what it is */
    close(fd);
    start(r, true);
    assert_false(now.s->adopted);
    place_bars(r);
    assert_int_equal(trapped_pte(r, 3), 0);
    assert_int_equal(trapped_pte(r, 4), 0);
    assert_int_equal(fake_xen.pages, FAKE_PAGES + PAGES);
}

static void a_passing_failure_keeps_the_old_device_for_the_next(void **state)
{
    struct rig *r = *state;
    struct session_options o;

    start(r, true);
    place_bars(r);
    store_pte(r, 8, 0);
    store_pte(r, 8, 0x8003);
    kill_session(r);
    session_options_default(&o);
    o.name = "guest";
    o.xen_domid = FAKE_DOMID;
    o.xen_uuid = "one";
    o.run_dir = now.dir;
    o.state_path = now.state;
    fake_xen.fail[FAKE_CALL_OPEN] = EMFILE;
    assert_int_not_equal(session_open(&now.s, &o, r->err, sizeof(r->err)), 0);
    fake_xen.fail[FAKE_CALL_OPEN] = 0;
    start(r, true);
    assert_true(now.s->adopted);
    assert_int_equal(trapped_pte(r, 8), 0x8003);
}

#define STEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STEST(stores_do_not_trap_and_the_device_sees_them),
        STEST(the_state_file_then_has_no_memory_for_them),
        STEST(a_successor_goes_on_with_the_entries),
        STEST(asked_to_trap_it_takes_no_pages),
        STEST(without_allowance_stores_trap),
        STEST(a_guest_that_gives_its_pages_to_itself_has_an_empty_gtt),
        STEST(a_device_that_cannot_be_continued_leaves_an_empty_gtt),
        STEST(a_passing_failure_keeps_the_old_device_for_the_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
