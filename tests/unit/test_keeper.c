/*
 * The keeper with real processes as its devices, which die in the ways that devices die; tests/fakes/xenstore.h stands
 * in for xenstored. What a device did is told by letters in a pipe.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "mediator/keeper.h"
#include "mediator/keeper_internal.h"
#include "mediator/xen_keys.h"
#include "tests/fakes/xenstore.h"
#include "vgpu/base/clock.h"

#define BASE "/local/domain/0/gtmux/7/"

/* ---- devices: what each one does is one letter of the plan, the last one for all that follow */

struct plan {
    const char *letters;
    int log_fd; /* devices write what they did */
};

static void say(int fd, char c)
{
    if (write(fd, &c, 1) != 1)
        _exit(99);
}

/* Waits for the keeper's signal with an answer to it: the exit code. */
static int serve_until_told(int log_fd)
{
    sigset_t set;
    int number = 0;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGUSR1);
    sigwait(&set, &number);
    say(log_fd, number == SIGTERM ? 't' : 'u');
    return 0;
}

static int starts; /* in the keeper's process */

static int device(void *ctx, int status_fd)
{
    const struct plan *p = ctx;
    size_t n = strlen(p->letters), i = (size_t)starts < n ? (size_t)starts : n - 1;
    char what = p->letters[i];

    signal(SIGSYS, SIG_DFL); /* cmocka's handlers */
    alarm(20);               /* a test that fails leaves no process behind */
    say(p->log_fd, what);
    switch (what) {
    case 'R': /* serves */
        keeper_tell_ready(status_fd, 3);
        return serve_until_told(p->log_fd);
    case 'C': /* serves and crashes */
        keeper_tell_ready(status_fd, 3);
        raise(SIGKILL);
        return 99;
    case 'S': /* the sandbox */
        keeper_tell_ready(status_fd, 3);
        raise(SIGSYS);
        return 99;
    case 'K': /* dies before it is ready */
        raise(SIGKILL);
        return 99;
    case 'G': /* sees the guest go */
        keeper_tell_ready(status_fd, 3);
        return 0;
    case 'B': /* breaks while running */
        keeper_tell_ready(status_fd, 3);
        return 1;
    case 'F': /* says why it cannot start */
        keeper_tell_error(status_fd, "slot 2 is taken");
        return 2;
    case 'H': /* never ready, deaf */
        for (;;)
            pause();
    case 'D': /* serves, deaf */
        keeper_tell_ready(status_fd, 3);
        for (;;)
            pause();
    default:
        return 99;
    }
}

/* ---- one run of the keeper */

static char dir[64];

struct result {
    int code;
    char log[64];
};

/* What happens to the store when the keeper writes a state for the n-th time: see act(). */
static struct script {
    const char *state;
    int nth;
    void (*act)(void);
} script;

static void on_write(const char *path, const char *value)
{
    if (!strcmp(path, BASE "state") && (!strcmp(value, "initialising") || !strcmp(value, "restarting")))
        starts += !strcmp(value, "restarting");
    if (script.act && !strcmp(path, BASE "state") && !strcmp(value, script.state) && --script.nth == 0)
        script.act();
}

static struct result run_keeper(const char *letters, struct script s)
{
    struct result r = {0};
    struct xen_keys *keys;
    char err[128];
    int fds[2];

    fake_xs_reset();
    fake_xs_domain(7, "web");
    fake_xs.on_write = on_write;
    script = s;
    starts = 0;
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    struct plan plan = {.letters = letters, .log_fd = fds[1]};
    assert_int_equal(xen_keys_open(&keys, 7, err, sizeof(err)), 0);
    struct keeper_options opt = {
        .keys = keys, .name = "web", .run_dir = dir, .device = device, .ctx = &plan, .start_ms = 300, .stop_ms = 200};
    r.code = keeper_run(&opt);
    ssize_t n = read(fds[0], r.log, sizeof(r.log) - 1);
    r.log[n > 0 ? n : 0] = 0;
    close(fds[0]);
    close(fds[1]);
    xen_keys_close(keys);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
    return r;
}

static bool has_file(const char *name)
{
    char path[128];
    struct stat st;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return !stat(path, &st);
}

static void make_file(const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

/* ---- what happens */

static void libxl_destroys(void)
{
    fake_xs_rm("/local/domain/0/device-model/7");
}

static void domain_vanishes(void)
{
    fake_xs.alive = 0;
    fake_xs_fire("@releaseDomain", FAKE_ONLY);
}

/* Xen knows, xenstored has not told yet. */
static void domain_vanishes_untold(void)
{
    fake_xs.alive = 0;
}

static void unplug(void)
{
    fake_xs_set(BASE "unplug", "1");
}

static void ask_to_stop(void)
{
    raise(SIGTERM);
}

static void hang_up(void)
{
    raise(SIGHUP);
}

static void six_lives(void)
{
    fake_xs_domain(6, "six");
}

static void a_destroyed_domain_ends_the_device(void **state)
{
    (void)state;
    make_file("xen-7.state");
    make_file("web.ctl");
    struct result r = run_keeper("R", (struct script){"running", 1, libxl_destroys});
    assert_int_equal(r.code, KEEPER_EXIT_OK);
    assert_string_equal(r.log, "Rt");
    assert_null(fake_xs_get(BASE "state"));
    assert_false(has_file("xen-7.state"));
    assert_false(has_file("xen-7.lock"));
    assert_false(has_file("web.ctl"));
    r = run_keeper("R", (struct script){"running", 1, domain_vanishes});
    assert_int_equal(r.code, KEEPER_EXIT_OK);
    assert_string_equal(r.log, "Rt");
}

static void unplug_and_stop_reach_the_device(void **state)
{
    (void)state;
    struct result r = run_keeper("R", (struct script){"running", 1, unplug});
    assert_int_equal(r.code, KEEPER_EXIT_OK);
    assert_string_equal(r.log, "Ru");
    r = run_keeper("R", (struct script){"running", 1, ask_to_stop});
    assert_int_equal(r.code, KEEPER_EXIT_OK);
    assert_string_equal(r.log, "Rt");
    assert_null(fake_xs_get(BASE "state"));
}

/* Asked while the device starts: it ends as soon as it can take the signal, not in the middle of its set-up. */
static void a_stop_during_start_waits_for_the_device(void **state)
{
    (void)state;
    struct result r = run_keeper("R", (struct script){"initialising", 1, unplug});
    assert_int_equal(r.code, KEEPER_EXIT_OK);
    assert_string_equal(r.log, "Ru");
}

static void the_device_may_see_the_end_first(void **state)
{
    (void)state;
    struct result r = run_keeper("G", (struct script){0});
    assert_int_equal(r.code, KEEPER_EXIT_OK);
    assert_null(fake_xs_get(BASE "state"));
}

static void a_killed_device_is_started_again(void **state)
{
    (void)state;
    struct result r = run_keeper("CSKR", (struct script){"running", 3, libxl_destroys});
    assert_int_equal(r.code, KEEPER_EXIT_OK);
    assert_string_equal(r.log, "CSKRt");
    assert_int_equal(starts, 3);
}

static void restarts_are_told(void **state)
{
    (void)state;
    struct result r = run_keeper("CCB", (struct script){0});
    assert_int_equal(r.code, KEEPER_EXIT_BROKEN);
    assert_string_equal(fake_xs_get(BASE "restarts"), "2");
}

static void a_device_that_dies_with_its_domain_is_not_started_again(void **state)
{
    (void)state;
    struct result r = run_keeper("CR", (struct script){"running", 1, domain_vanishes_untold});
    assert_int_equal(r.code, KEEPER_EXIT_OK);
    assert_string_equal(r.log, "C");
    r = run_keeper("BR", (struct script){"running", 1, domain_vanishes_untold});
    assert_int_equal(r.code, KEEPER_EXIT_OK);
    assert_string_equal(r.log, "B");
}

static void endless_crashes_end(void **state)
{
    (void)state;
    make_file("xen-7.state");
    struct result r = run_keeper("C", (struct script){0});
    assert_int_equal(r.code, KEEPER_EXIT_BROKEN);
    assert_string_equal(r.log, "CCCCCC");
    assert_string_equal(fake_xs_get(BASE "state"), "error");
    assert_string_equal(fake_xs_get(BASE "error-code"), "crashing");
    assert_non_null(strstr(fake_xs_get(BASE "error-text"), "5 times in a minute"));
    assert_true(has_file("xen-7.state")); /* who comes next may adopt */
    assert_false(has_file("xen-7.lock"));
    r = run_keeper("K", (struct script){0});
    assert_int_equal(r.code, KEEPER_EXIT_START);
    assert_string_equal(r.log, "KKKKKK");
}

static void failures_are_told(void **state)
{
    static const struct {
        const char *letters, *word, *text;
        int code;
    } rows[] = {
        {"F", "start-failed", "slot 2 is taken", KEEPER_EXIT_START},
        {"CF", "start-failed", "again: slot 2 is taken", KEEPER_EXIT_BROKEN},
        {"B", "broken", "exit code 1", KEEPER_EXIT_BROKEN},
        {"H", "start-failed", "not ready in time", KEEPER_EXIT_START},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct result r = run_keeper(rows[i].letters, (struct script){0});
        assert_int_equal(r.code, rows[i].code);
        assert_string_equal(fake_xs_get(BASE "error-code"), rows[i].word);
        assert_non_null(strstr(fake_xs_get(BASE "error-text"), rows[i].text));
    }
}

static void a_deaf_device_is_killed(void **state)
{
    (void)state;
    make_file("xen-7.state");
    struct result r = run_keeper("D", (struct script){"running", 1, domain_vanishes});
    assert_int_equal(r.code, KEEPER_EXIT_OK);
    assert_false(has_file("xen-7.state"));
    /* Under a living guest that leaves its ioreq server behind: no success, and the state stays. */
    make_file("xen-7.state");
    r = run_keeper("D", (struct script){"running", 1, ask_to_stop});
    assert_int_equal(r.code, KEEPER_EXIT_BROKEN);
    assert_string_equal(fake_xs_get(BASE "error-code"), "broken");
    assert_true(has_file("xen-7.state"));
}

static void a_hangup_leaves_the_device_to_the_next_program(void **state)
{
    (void)state;
    make_file("xen-7.state");
    struct result r = run_keeper("R", (struct script){"running", 1, hang_up});
    assert_int_equal(r.code, KEEPER_UPGRADE);
    assert_string_equal(r.log, "R"); /* no clean-up of its own */
    assert_true(has_file("xen-7.state"));
    assert_non_null(fake_xs_get(BASE "state"));
}

/* ---- processes */

static struct keeper_options plain_options(struct xen_keys *keys, struct plan *plan)
{
    return (struct keeper_options){.keys = keys, .name = "web", .run_dir = dir, .device = device, .ctx = plan};
}

static void one_domain_has_one_keeper(void **state)
{
    struct xen_keys *keys;
    char err[256] = "";

    (void)state;
    fake_xs_reset();
    fake_xs_domain(7, "web");
    fake_xs_set(BASE "pid", "4711");
    fake_xs_set(BASE "name", "web");
    assert_int_equal(xen_keys_open(&keys, 7, err, sizeof(err)), 0);
    struct keeper_options o = plain_options(keys, NULL);
    int lock = keeper_lock(&o, err, sizeof(err));
    assert_true(lock >= 0);
    assert_int_equal(keeper_lock(&o, err, sizeof(err)), -EBUSY);
    assert_non_null(strstr(err, "process 4711, named 'web'"));
    close(lock);
    lock = keeper_lock(&o, err, sizeof(err));
    assert_true(lock >= 0);
    keeper_remove_files(&o, false);
    /* The old one still holds its removed file: that is nobody's lock. */
    int second = keeper_lock(&o, err, sizeof(err));
    assert_true(second >= 0);
    close(second);
    close(lock);
    xen_keys_close(keys);
}

/* Domain 5 has gone after its keeper gave up; 6 lives; 8 has gone a moment ago, and its keeper is at work. */
static void states_of_dead_domains_are_swept(void **state)
{
    (void)state;
    make_file("xen-5.state");
    make_file("xen-5.lock");
    make_file("xen-6.state");
    make_file("xen-8.state");
    make_file("xen-8.lock");
    make_file("xen-9.state.old");
    char path[128];
    snprintf(path, sizeof(path), "%s/xen-8.lock", dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    struct result r = run_keeper("G", (struct script){"initialising", 1, six_lives});
    assert_int_equal(r.code, KEEPER_EXIT_OK);
    assert_false(has_file("xen-5.state"));
    assert_false(has_file("xen-5.lock"));
    assert_true(has_file("xen-6.state"));
    assert_true(has_file("xen-8.state"));
    assert_true(has_file("xen-9.state.old"));
    close(fd);
}

/* A process in between plays the keeper and is killed: its device must die, and hold the lock until then. */
static void the_device_dies_with_its_keeper(void **state)
{
    struct xen_keys *keys;
    char err[256] = "", letter;
    int fds[2];

    (void)state;
    fake_xs_reset();
    fake_xs_domain(7, "web");
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    struct plan plan = {.letters = "D", .log_fd = fds[1]};
    assert_int_equal(xen_keys_open(&keys, 7, err, sizeof(err)), 0);
    struct keeper_options o = plain_options(keys, &plan);
    pid_t keeper = fork();
    if (!keeper) {
        struct keeper_process p;
        int lock = keeper_lock(&o, err, sizeof(err));
        if (lock < 0 || keeper_spawn(&p, &o, lock))
            _exit(99);
        for (;;)
            pause();
    }
    close(fds[1]);
    assert_int_equal(read(fds[0], &letter, 1), 1); /* it lives */
    uint64_t start = gt_clock_ns();
    kill(keeper, SIGKILL);
    waitpid(keeper, NULL, 0);
    assert_int_equal(read(fds[0], &letter, 1), 0); /* all that could write are dead */
    assert_true(gt_clock_ns() - start < 10000000000u);
    int lock = keeper_lock(&o, err, sizeof(err));
    assert_true(lock >= 0);
    close(lock);
    close(fds[0]);
    xen_keys_close(keys);
}

/* A device that has been broken into cannot make the keeper do more than give up its own guest. */
static void a_hostile_report_is_harmless(void **state)
{
    struct keeper_report r;
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    memset(&r, 'x', sizeof(r));
    assert_int_equal(write(fds[1], &r, sizeof(r)), sizeof(r));
    struct keeper_process p = {.pidfd = -1, .status_fd = fds[0]};
    memset(&r, 0, sizeof(r));
    assert_int_equal(keeper_take_report(&p, &r), 1);
    assert_int_equal(strlen(r.text), sizeof(r.text) - 1);
    assert_int_equal(keeper_take_report(&p, &r), 0); /* one report a device */
    close(fds[1]);
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(write(fds[1], "short", 5), 5);
    p.status_fd = fds[0];
    assert_int_equal(keeper_take_report(&p, &r), 0);
    close(fds[1]);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/gtmux-keeper-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[96];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_destroyed_domain_ends_the_device),
        cmocka_unit_test(unplug_and_stop_reach_the_device),
        cmocka_unit_test(a_stop_during_start_waits_for_the_device),
        cmocka_unit_test(the_device_may_see_the_end_first),
        cmocka_unit_test(a_killed_device_is_started_again),
        cmocka_unit_test(restarts_are_told),
        cmocka_unit_test(a_device_that_dies_with_its_domain_is_not_started_again),
        cmocka_unit_test(endless_crashes_end),
        cmocka_unit_test(failures_are_told),
        cmocka_unit_test(a_deaf_device_is_killed),
        cmocka_unit_test(a_hangup_leaves_the_device_to_the_next_program),
        cmocka_unit_test(states_of_dead_domains_are_swept),
        cmocka_unit_test(one_domain_has_one_keeper),
        cmocka_unit_test(the_device_dies_with_its_keeper),
        cmocka_unit_test(a_hostile_report_is_harmless),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
