/* What is written to xenstore and what is made of what others write there; tests/fakes/xenstore.h stands in for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>

#include "mediator/version.h"
#include "mediator/xen_keys.h"
#include "tests/fakes/xenstore.h"

#define BASE "/local/domain/0/gtmux/7/"

static char err[256];

static struct xen_keys *open_guest(void)
{
    struct xen_keys *k = NULL;

    fake_xs_domain(7, "web 1");
    assert_int_equal(xen_keys_open(&k, 7, err, sizeof(err)), 0);
    return k;
}

static int fresh(void **state)
{
    (void)state;
    fake_xs_reset();
    err[0] = 0;
    return 0;
}

static void a_domain_is_found_by_number_and_name(void **state)
{
    struct xen_keys *k;

    (void)state;
    fake_xs_domain(3, "other");
    fake_xs_domain(7, "web 1");
    assert_int_equal(xen_keys_find(&k, "web 1", err, sizeof(err)), 0);
    assert_int_equal(xen_keys_domid(k), 7);
    assert_string_equal(xen_keys_name(k), "web 1");
    assert_string_equal(xen_keys_uuid(k), "c0ffee");
    xen_keys_close(k);
    assert_int_equal(xen_keys_find(&k, "3", err, sizeof(err)), 0);
    assert_string_equal(xen_keys_name(k), "other");
    xen_keys_close(k);
}

static void what_cannot_be_served_is_refused_with_a_reason(void **state)
{
    struct xen_keys *k;

    (void)state;
    fake_xs_domain(7, "web");
    fake_xs_set("/local/domain/0/name", "Domain-0");
    assert_int_equal(xen_keys_find(&k, "nobody", err, sizeof(err)), -ENOENT);
    assert_non_null(strstr(err, "no domain 'nobody'"));
    assert_int_equal(xen_keys_find(&k, "9", err, sizeof(err)), -ENOENT);
    assert_non_null(strstr(err, "no domain 9"));
    assert_int_equal(xen_keys_find(&k, "99999", err, sizeof(err)), -ENOENT);
    assert_int_equal(xen_keys_find(&k, "Domain-0", err, sizeof(err)), -EOPNOTSUPP);
    assert_non_null(strstr(err, "runs in"));
    fake_xs_set("/libxl/7/type", "pv");
    assert_int_equal(xen_keys_open(&k, 7, err, sizeof(err)), -EOPNOTSUPP);
    assert_non_null(strstr(err, "HVM"));
    assert_null(k);
    fake_xs.open_error = ENOENT;
    assert_int_equal(xen_keys_open(&k, 7, err, sizeof(err)), -ENOENT);
    assert_non_null(strstr(err, "xenstore"));
}

static void the_life_of_the_keys(void **state)
{
    struct xen_keys *k = open_guest();
    struct xen_keys_status st;
    char pid[16];

    (void)state;
    fake_xs_set(BASE "server", "5"); /* of an earlier one */
    assert_int_equal(xen_keys_claim(k, "web_1"), 0);
    snprintf(pid, sizeof(pid), "%u", (unsigned)getpid());
    assert_string_equal(fake_xs_get(BASE "state"), "initialising");
    assert_string_equal(fake_xs_get(BASE "name"), "web_1");
    assert_string_equal(fake_xs_get(BASE "pid"), pid);
    assert_string_equal(fake_xs_get(BASE "version"), GTMUX_VERSION);
    assert_null(fake_xs_get(BASE "server"));
    assert_int_equal(fake_find("/local/domain/0/gtmux/7")->perms.id, 0);
    for (unsigned i = 0; i < fake_xs.nodes; i++) {
        if (fake_below(fake_xs.node[i].path, "/local/domain/0/gtmux/7"))
            assert_int_equal(fake_xs.node[i].perms.perms, XS_PERM_NONE);
    }
    assert_int_equal(xen_keys_running(k, 2, 0), 0);
    xen_keys_status(k, &st);
    assert_string_equal(st.state, "running");
    assert_int_equal(st.server, 2);
    assert_int_equal(st.pid, getpid());
    assert_int_equal(xen_keys_restarting(k), 0);
    assert_string_equal(fake_xs_get(BASE "state"), "restarting");
    assert_int_equal(xen_keys_failed(k, "broken", "two\nlines\x1b[31m"), 0);
    xen_keys_status(k, &st);
    assert_string_equal(st.state, "error");
    assert_string_equal(st.error_code, "broken");
    assert_string_equal(st.error_text, "two lines [31m");
    assert_int_equal(xen_keys_remove(k), 0);
    xen_keys_status(k, &st);
    assert_string_equal(st.state, "");
    xen_keys_close(k);
}

static const char *server_at_running;

static void note_server(const char *path, const char *value)
{
    if (!strcmp(path, BASE "state") && !strcmp(value, "running"))
        server_at_running = fake_xs_get(BASE "server");
}

static void who_sees_the_state_finds_the_rest(void **state)
{
    struct xen_keys *k = open_guest();

    (void)state;
    server_at_running = NULL;
    xen_keys_claim(k, "web");
    fake_xs.on_write = note_server;
    xen_keys_running(k, 4, 0);
    assert_string_equal(server_at_running, "4");
    xen_keys_close(k);
}

static void keys_of_dead_domains_are_swept(void **state)
{
    struct xen_keys *k = open_guest();

    (void)state;
    fake_xs_domain(5, "alive");
    fake_xs_set("/local/domain/0/gtmux/5/state", "running");
    fake_xs_set("/local/domain/0/gtmux/6/state", "error");
    assert_int_equal(xen_keys_claim(k, "web"), 0);
    assert_non_null(fake_xs_get("/local/domain/0/gtmux/5/state"));
    assert_null(fake_xs_get("/local/domain/0/gtmux/6/state"));
    xen_keys_close(k);
}

static void only_a_xenserver_gets_its_keys(void **state)
{
    struct xen_keys *k = open_guest();

    (void)state;
    xen_keys_claim(k, "web");
    xen_keys_running(k, 1, 0);
    assert_null(fake_xs_get("/local/domain/7/vgpu/state"));
    fake_xs_set("/xenops/domain/7/x", "");
    fake_xs.clashes = 2;
    xen_keys_claim(k, "web");
    assert_int_equal(fake_xs.transactions, 3);
    assert_string_equal(fake_xs_get("/local/domain/7/vgpu/state"), "initialising");
    assert_non_null(fake_xs_get("/local/domain/7/vgpu-pid"));
    xen_keys_failed(k, "crashing", "text");
    assert_string_equal(fake_xs_get("/local/domain/7/vgpu/state"), "error");
    assert_string_equal(fake_xs_get("/local/domain/7/vgpu/error-code"), "crashing");
    fake_xs_rm("/local/domain/7");
    xen_keys_running(k, 1, 0);
    assert_null(fake_xs_get("/local/domain/7")); /* no ghost */
    xen_keys_close(k);
}

/* ---- the domain's end */

static struct xen_keys *watched(void)
{
    struct xen_keys *k = open_guest();

    assert_int_equal(xen_keys_claim(k, "web"), 0);
    assert_int_equal(xen_keys_watch(k), 0);
    xen_keys_events(k);
    assert_int_equal(xen_keys_domain(k), XEN_DOMAIN_ALIVE);
    return k;
}

static bool has_event(struct xen_keys *k)
{
    struct pollfd p = {.fd = xen_keys_fd(k), .events = POLLIN};

    return poll(&p, 1, 0) == 1;
}

static void libxl_destroys(void **state)
{
    struct xen_keys *k = watched();

    (void)state;
    assert_false(has_event(k));
    fake_xs_rm("/local/domain/0/device-model/7");
    assert_true(has_event(k));
    assert_int_equal(xen_keys_events(k), XEN_EVENT_DOMAIN);
    assert_false(has_event(k));
    assert_int_equal(xen_keys_domain(k), XEN_DOMAIN_LEAVING);
    fake_xs_rm("/local/domain/7");
    assert_int_equal(xen_keys_events(k), XEN_EVENT_DOMAIN);
    assert_int_equal(xen_keys_domain(k), XEN_DOMAIN_GONE);
    xen_keys_close(k);
}

static void xenopsd_destroys(void **state)
{
    struct xen_keys *k = watched();

    (void)state;
    fake_xs.alive = 0;
    fake_xs_fire("@releaseDomain", FAKE_ONLY);
    assert_int_equal(xen_keys_events(k), XEN_EVENT_DOMAIN);
    assert_int_equal(xen_keys_domain(k), XEN_DOMAIN_GONE);
    xen_keys_close(k);
}

static void other_domains_and_a_lost_xenstored_are_no_end(void **state)
{
    struct xen_keys *k = watched();

    (void)state;
    fake_xs_fire("@releaseDomain", FAKE_ONLY);
    assert_int_equal(xen_keys_events(k), XEN_EVENT_DOMAIN);
    assert_int_equal(xen_keys_domain(k), XEN_DOMAIN_ALIVE);
    fake_xs.lost = true;
    assert_int_equal(xen_keys_domain(k), XEN_DOMAIN_ALIVE);
    xen_keys_close(k);
}

static void a_domain_without_qemus_node_lives(void **state)
{
    struct xen_keys *k = open_guest();

    (void)state;
    fake_xs_rm("/local/domain/0/device-model/7");
    assert_int_equal(xen_keys_watch(k), 0);
    assert_int_equal(xen_keys_domain(k), XEN_DOMAIN_ALIVE);
    xen_keys_close(k);
}

/* A guest can write below its home as often as it likes: none of it wakes the keeper. */
static void the_guests_writes_are_not_our_events(void **state)
{
    struct xen_keys *k = watched();

    (void)state;
    fake_xs_set("/local/domain/7/data/flood", "x");
    fake_xs_set("/local/domain/7/device/vif/0/state", "1");
    assert_false(has_event(k));
    xen_keys_close(k);
}

static void unplug_is_asked_by_a_one(void **state)
{
    struct xen_keys *k = watched();

    (void)state;
    fake_xs_set(BASE "unplug", "0");
    assert_int_equal(xen_keys_events(k), 0);
    fake_xs_set(BASE "unplug", "1");
    assert_int_equal(xen_keys_events(k), XEN_EVENT_UNPLUG);
    xen_keys_close(k);
}

static void a_driver_domain_has_its_own_node(void **state)
{
    struct xen_keys *k;

    (void)state;
    fake_xs_domain(7, "web");
    fake_xs.driver = true;
    strcpy(fake_xs.self, "4");
    assert_int_equal(xen_keys_open(&k, 7, err, sizeof(err)), 0);
    assert_string_equal(xen_keys_path(k), "/local/domain/4/gtmux/7");
    assert_int_equal(xen_keys_claim(k, "web"), 0);
    assert_int_equal(fake_find("/local/domain/4/gtmux/7")->perms.id, 4);
    assert_int_equal(xen_keys_watch(k), 0);
    assert_int_equal(xen_keys_domain(k), XEN_DOMAIN_ALIVE); /* it cannot know better */
    fake_xs_set("/local/domain/4/gtmux/7/unplug", "1");
    assert_int_equal(xen_keys_events(k), XEN_EVENT_UNPLUG);
    xen_keys_close(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_domain_is_found_by_number_and_name, fresh),
        cmocka_unit_test_setup(what_cannot_be_served_is_refused_with_a_reason, fresh),
        cmocka_unit_test_setup(the_life_of_the_keys, fresh),
        cmocka_unit_test_setup(who_sees_the_state_finds_the_rest, fresh),
        cmocka_unit_test_setup(keys_of_dead_domains_are_swept, fresh),
        cmocka_unit_test_setup(only_a_xenserver_gets_its_keys, fresh),
        cmocka_unit_test_setup(libxl_destroys, fresh),
        cmocka_unit_test_setup(xenopsd_destroys, fresh),
        cmocka_unit_test_setup(other_domains_and_a_lost_xenstored_are_no_end, fresh),
        cmocka_unit_test_setup(a_domain_without_qemus_node_lives, fresh),
        cmocka_unit_test_setup(the_guests_writes_are_not_our_events, fresh),
        cmocka_unit_test_setup(unplug_is_asked_by_a_one, fresh),
        cmocka_unit_test_setup(a_driver_domain_has_its_own_node, fresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
