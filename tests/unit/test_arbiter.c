/* gtmuxd and tenants, friendly and hostile, in one process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "mediator/arbiter/internal.h"
#include "mediator/arbiter/tenant.h"
#include "vgpu/base/clock.h"

struct world {
    char dir[40], path[80];
    struct arbiter *a;
    pthread_t thread;
    bool running;
};

static void ready(void)
{
}

static void *run(void *arg)
{
    arbiter_run(arg, ready);
    return NULL;
}

static void start(struct world *w)
{
    const struct arbiter_options o = {.run_dir = w->dir, .listen_fd = -1, .admin_fd = -1};
    char err[200] = "";

    assert_int_equal(arbiter_open(&w->a, &o, err, sizeof(err)), 0);
    w->a->cfg.sched.preempt_ns = w->a->cfg.sched.reset_ns = 20000000;
    sched_configure(w->a->sched, &w->a->cfg.sched);
    assert_int_equal(pthread_create(&w->thread, NULL, run, w->a), 0);
    w->running = true;
}

static void stop(struct world *w)
{
    if (!w->running)
        return;
    kill(getpid(), SIGTERM); /* blocked: the signalfd has it */
    pthread_join(w->thread, NULL);
    arbiter_close(w->a);
    w->running = false;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    sigset_t set;

    gt_log_set_level(GT_LOG_ERROR);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    strcpy(w->dir, "/tmp/gtmux-arbiter-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->path, sizeof(w->path), "%s/" ARBITER_SOCKET, w->dir);
    start(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char path[100];

    stop(w);
    snprintf(path, sizeof(path), "%s/gtmuxd.state", w->dir);
    unlink(path);
    rmdir(w->dir);
    free(w);
    return 0;
}

/* ---- friendly tenants */

static void on_preempt(void *ctx, unsigned engine)
{
    (void)engine;
    if (ctx)
        atomic_fetch_add((atomic_uint *)ctx, 1);
}

static struct tenant *tenant(struct world *w, const char *name, void *ctx)
{
    const struct tenant_options o = {.kind = ARBITER_DM, .name = name, .ctx = ctx, .preempt = on_preempt};
    struct tenant *t = tenant_create(&o);
    char err[200] = "";

    assert_non_null(t);
    assert_int_equal(tenant_connect(t, w->path, err, sizeof(err)), 0);
    assert_int_equal(tenant_start(t), 0);
    return t;
}

static void an_engine_goes_from_hand_to_hand(void **state)
{
    struct world *w = *state;
    atomic_uint asked = 0;
    struct tenant *a = tenant(w, "a", &asked), *b = tenant(w, "b", NULL);

    assert_true(tenant_acquire(a, 0));
    tenant_release(a, 0, false, 1);
    assert_true(tenant_acquire(b, 0)); /* a kept it, idle */
    assert_true(tenant_acquire(a, 1)); /* engines are apart */
    tenant_release(a, 1, false, 1);
    tenant_release(b, 0, false, 1);
    for (unsigned i = 0; i < 200; i++) {
        struct tenant *t = i & 1 ? a : b;

        assert_true(tenant_acquire(t, 0));
        tenant_release(t, 0, false, i);
    }
    tenant_destroy(a);
    tenant_destroy(b);
}

static double granted_ms(struct world *w, const char *name)
{
    cJSON *stats = admin_handle(w->a, "{\"cmd\":\"stats\"}"), *t = NULL;
    double ms = -1;

    cJSON_ArrayForEach(t, cJSON_GetObjectItem(stats, "tenants"))
    {
        const cJSON *rcs = cJSON_GetObjectItem(cJSON_GetObjectItem(t, "engines"), "rcs0");

        if (!strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(t, "name")), name))
            ms = cJSON_GetNumberValue(cJSON_GetObjectItem(rcs, "granted_ns")) / 1e6;
    }
    cJSON_Delete(stats);
    return ms;
}

static void who_is_alone_and_does_not_let_go_is_seen_to_work(void **state)
{
    struct world *w = *state;
    struct tenant *a = tenant(w, "a", NULL);
    uint64_t start = gt_clock_ns();

    assert_true(tenant_acquire(a, 0));
    usleep(30000);
    assert_false(tenant_pressed(a, 0));
    double most = (double)(gt_clock_ns() - start) / 1e6, found = granted_ms(w, "a");

    assert_true(found >= 30 && found <= most);
    tenant_release(a, 0, false, 1);
    tenant_destroy(a);
}

struct waiter {
    struct tenant *t;
    atomic_bool got;
};

static void *wait_for_engine(void *arg)
{
    struct waiter *x = arg;

    atomic_store(&x->got, tenant_acquire(x->t, 0));
    return NULL;
}

static void who_works_is_asked_to_leave(void **state)
{
    struct world *w = *state;
    atomic_uint asked = 0;
    struct tenant *a = tenant(w, "a", &asked), *b = tenant(w, "b", NULL);
    struct waiter x = {.t = b};
    pthread_t thread;

    assert_true(tenant_acquire(a, 0));
    assert_false(tenant_pressed(a, 0));
    assert_int_equal(pthread_create(&thread, NULL, wait_for_engine, &x), 0);
    while (!tenant_pressed(a, 0))
        usleep(100);
    assert_false(atomic_load(&x.got));
    tenant_release(a, 0, true, 1);
    pthread_join(thread, NULL);
    assert_true(atomic_load(&x.got));
    tenant_release(b, 0, false, 1);
    assert_true(tenant_acquire(a, 0));
    tenant_release(a, 0, false, 2);
    tenant_destroy(a);
    tenant_destroy(b);
}

static void nobody_waits_for_a_dead_gtmuxd(void **state)
{
    struct world *w = *state;
    struct tenant *a = tenant(w, "a", NULL), *b = tenant(w, "b", NULL);
    struct waiter x = {.t = b};
    pthread_t thread;

    assert_true(tenant_acquire(a, 0));
    w->a->cfg.sched.preempt_ns = UINT64_MAX / 4;
    assert_int_equal(pthread_create(&thread, NULL, wait_for_engine, &x), 0);
    usleep(2000);
    stop(w);
    pthread_join(thread, NULL);
    assert_true(atomic_load(&x.got));
    while (tenant_attached(a) || tenant_attached(b))
        usleep(100);
    tenant_release(a, 0, false, 1);
    assert_true(tenant_acquire(a, 0));
    assert_false(tenant_pressed(a, 0));
    tenant_release(a, 0, false, 2);

    /* another one invites them */
    start(w);
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    pthread_mutex_lock(&w->a->lock);
    w->a->now = gt_clock_ns();
    assert_non_null(member_connect(w->a, pair[0], getpid()));
    pthread_mutex_unlock(&w->a->lock);
    tenant_invite(a, pair[1]);
    for (unsigned i = 0; i < 2000 && !tenant_attached(a); i++)
        usleep(1000);
    assert_true(tenant_attached(a));
    assert_true(tenant_acquire(a, 0));
    tenant_release(a, 0, false, 3);
    tenant_destroy(a);
    tenant_destroy(b);
}

static void stop_lets_waiters_go(void **state)
{
    struct world *w = *state;
    struct tenant *a = tenant(w, "a", NULL), *b = tenant(w, "b", NULL);
    struct waiter x = {.t = b, .got = true};
    pthread_t thread;

    assert_true(tenant_acquire(a, 0));
    assert_int_equal(pthread_create(&thread, NULL, wait_for_engine, &x), 0);
    usleep(2000);
    tenant_stop(b);
    pthread_join(thread, NULL);
    assert_false(atomic_load(&x.got));
    tenant_destroy(b);
    tenant_release(a, 0, false, 1);
    tenant_destroy(a);
}

/* ---- the rest of the page */

static void quotas_hold(void **state)
{
    struct world *w = *state;
    struct tenant *a = tenant(w, "a", NULL);

    assert_int_equal(tenant_memory(a, INT64_C(1000) << 20), 0);
    assert_int_equal(tenant_memory(a, INT64_C(25) << 20), -ENOSPC); /* the standard profile has 1024 */
    assert_int_equal(tenant_memory(a, INT64_C(24) << 20), 0);
    assert_int_equal(tenant_memory(a, -(INT64_C(1024) << 20)), 0);
    tenant_count_flip(a);
    cJSON *s = report_stats(w->a);
    const cJSON *t = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(s, "tenants"), 0);

    assert_int_equal(cJSON_GetObjectItemCaseSensitive(t, "flips")->valueint, 1);
    cJSON_Delete(s);
    tenant_destroy(a);
}

static void frames_are_paced(void **state)
{
    uint64_t pace = 0, now = 1000000000, shown = 0;

    (void)state;
    assert_true(tenant_frame_due(0, &pace, now) == now);
    /* somebody who could show 200 a second */
    for (unsigned i = 0; i < 301; i++) {
        uint64_t due = tenant_frame_due(30, &pace, now);

        assert_true(due >= now);
        shown = due;
        now = due + 5000000;
    }
    assert_in_range((shown - 1000000000) / 1000000, 9990, 10010);
    /* who is slower is not held up, and saves nothing up */
    now += 2000000000;
    assert_true(tenant_frame_due(30, &pace, now) == now);
    assert_true(tenant_frame_due(30, &pace, now) > now + 30000000);
}

/* ---- hostile ones */

static int raw(struct world *w)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    const struct timeval patience = {.tv_sec = 5};

    strcpy(sa.sun_path, w->path);
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    assert_int_equal(connect(s, (struct sockaddr *)&sa, sizeof(sa)), 0);
    return s;
}

static struct arbiter_packet hello(const char *name)
{
    struct arbiter_packet p = {.type = ARBITER_HELLO, .version = ARBITER_VERSION};

    memcpy(p.name, name, strlen(name));
    return p;
}

static bool is_closed(int s)
{
    struct arbiter_packet p;
    ssize_t n;

    while ((n = recv(s, &p, sizeof(p), 0)) > 0)
        ;
    return n == 0 || errno == ECONNRESET;
}

/* Its page; the descriptor in *fd. */
static struct arbiter_page *enter(int s, const char *name, int *fd)
{
    union {
        char buf[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct arbiter_packet p = hello(name);
    struct iovec io = {&p, sizeof(p)};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control)};

    assert_int_equal(send(s, &p, sizeof(p), 0), sizeof(p));
    assert_int_equal(recvmsg(s, &m, 0), sizeof(p));
    assert_int_equal(p.type, ARBITER_WELCOME);
    memcpy(fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(*fd));
    void *page = mmap(NULL, ARBITER_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);

    assert_true(page != MAP_FAILED);
    return page;
}

static void bad_hellos_are_turned_away(void **state)
{
    struct world *w = *state;
    struct arbiter_packet bad[7];

    for (unsigned i = 0; i < 7; i++)
        bad[i] = hello("x");
    bad[0].type = ARBITER_LOOK;
    bad[1].kind = ARBITER_KINDS;
    bad[2].version = 99;
    memset(bad[3].name, 'x', sizeof(bad[3].name)); /* without an end */
    memset(bad[4].profile, 'x', sizeof(bad[4].profile));
    strcpy(bad[5].name, "../x");
    bad[6].heads = UINT32_MAX;
    for (unsigned i = 0; i < 7; i++) {
        int s = raw(w);

        assert_int_equal(send(s, &bad[i], sizeof(bad[i]), 0), sizeof(bad[i]));
        assert_true(is_closed(s));
        close(s);
    }
    int s = raw(w);

    assert_int_equal(send(s, &bad[0], 7, 0), 7);
    assert_true(is_closed(s));
    close(s);
}

static void a_name_is_there_once(void **state)
{
    struct world *w = *state;
    int a = raw(w), b = raw(w), fd;
    struct arbiter_packet p = hello("one");
    struct arbiter_page *page = enter(a, "one", &fd);

    assert_int_equal(send(b, &p, sizeof(p), 0), sizeof(p));
    assert_int_equal(recv(b, &p, sizeof(p), 0), sizeof(p));
    assert_int_equal(p.type, ARBITER_REFUSED);
    assert_non_null(strstr(p.text, "one"));
    assert_true(is_closed(b));
    close(b);
    /* ... but the dead make way at once */
    close(a);
    b = raw(w);
    munmap(page, ARBITER_PAGE_SIZE);
    close(fd);
    page = enter(b, "one", &fd);
    munmap(page, ARBITER_PAGE_SIZE);
    close(fd);
    close(b);
}

static void the_page_cannot_be_cut_off(void **state)
{
    struct world *w = *state;
    int s = raw(w), fd;
    struct arbiter_page *page = enter(s, "x", &fd);

    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(errno, EPERM);
    munmap(page, ARBITER_PAGE_SIZE);
    close(fd);
    close(s);
}

/* Any value in any word at any time: the others get their turns, gtmuxd lives. */
static void a_page_full_of_lies_harms_nobody(void **state)
{
    struct world *w = *state;
    struct tenant *good = tenant(w, "good", NULL);
    const struct arbiter_packet look = {.type = ARBITER_LOOK, .version = ARBITER_VERSION};
    unsigned seed = 1, rounds = 0;
    int fd;

    for (unsigned life = 0; life < 8; life++) {
        int s = raw(w);
        struct arbiter_page *page = enter(s, "liar", &fd);

        for (unsigned i = 0; i < 60; i++) {
            for (unsigned e = 0; e < ARBITER_ENGINES; e++) {
                seed = seed * 1103515245u + 12345u;
                page->engine[e].word = seed >> 10 & (i & 1 ? 0x3fu : UINT32_MAX);
                page->engine[e].busy_ns = (uint64_t)seed << 32;
                page->engine[e].until_ns = seed;
                page->engine[e].progress = i;
            }
            if (send(s, &look, sizeof(look), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EPIPE)
                break;
            assert_true(tenant_acquire(good, i % 4));
            tenant_release(good, i % 4, false, i);
            rounds++;
        }
        munmap(page, ARBITER_PAGE_SIZE);
        close(fd);
        close(s);
    }
    assert_true(rounds > 8);
    assert_true(tenant_attached(good));
    tenant_destroy(good);
}

static void a_flood_is_not_listened_to(void **state)
{
    struct world *w = *state;
    const struct arbiter_packet look = {.type = ARBITER_LOOK, .version = ARBITER_VERSION};
    struct tenant *good = tenant(w, "good", NULL);
    int s = raw(w), fd;
    struct arbiter_page *page = enter(s, "loud", &fd);
    uint64_t end = gt_clock_ns() + 200000000;
    bool deaf = false;

    while (gt_clock_ns() < end) {
        deaf |= send(s, &look, sizeof(look), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EAGAIN;
        assert_true(tenant_acquire(good, 0));
        tenant_release(good, 0, false, 1);
    }
    (void)deaf; /* on a slow machine the flood is none */
    assert_true(tenant_attached(good));
    munmap(page, ARBITER_PAGE_SIZE);
    close(fd);
    close(s);
    tenant_destroy(good);
}

/* ---- gtmux(1)'s side */

static const char *text_of(const cJSON *a, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(a, name));
}

static void requests_are_answered(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"cmd\":7}",
        "{\"cmd\":\"nothing\"}",
        "{\"cmd\":\"set\"}",
        "{\"cmd\":\"set\",\"name\":\"x\"}",
        "{\"cmd\":\"set\",\"name\":\"a\",\"values\":{}}",
        "{\"cmd\":\"set\",\"name\":\"a\",\"values\":{\"weight\":5}}",
        "{\"cmd\":\"set\",\"name\":\"a\",\"values\":{\"weight\":\"70\",\"cap\":\"0\"}}",
        "{\"cmd\":\"set\",\"name\":\"a\",\"values\":{\"heads\":\"3\"}}",
        "{\"cmd\":\"pause\"}",
    };
    struct world *w = *state;
    struct tenant *t = tenant(w, "a", NULL);

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cJSON *a = admin_handle(w->a, bad[i]);

        assert_non_null(text_of(a, "error"));
        cJSON_Delete(a);
    }
    assert_int_equal(member_find(w->a, "a")->profile.par.weight, 100); /* all values or none */
    cJSON *a = admin_handle(w->a, "{\"cmd\":\"set\",\"name\":\"a\",\"values\":{\"weight\":\"70\",\"fps\":\"24\"}}");

    assert_null(text_of(a, "error"));
    cJSON_Delete(a);
    assert_int_equal(tenant_frame_hz(t), 24);
    a = admin_handle(w->a, "{\"cmd\":\"metrics\"}");
    assert_non_null(strstr(text_of(a, "text"), "gtmux_tenants 1\n"));
    cJSON_Delete(a);
    tenant_destroy(t);
}

static void set_ok(struct world *w, const char *values, bool ok)
{
    char line[200];

    snprintf(line, sizeof(line), "{\"cmd\":\"set\",\"name\":\"a\",\"values\":{%s}}", values);
    cJSON *a = admin_handle(w->a, line);

    assert_int_equal(text_of(a, "error") == NULL, ok);
    cJSON_Delete(a);
}

/* What is promised together is bounded, whenever it is promised. */
static void totals_hold_for_what_is_set(void **state)
{
    struct world *w = *state;
    struct tenant *a = tenant(w, "a", NULL), *b = tenant(w, "b", NULL);

    w->a->cfg.memory_mb = 2560; /* two times 1024 are taken */
    set_ok(w, "\"memory\":\"1536\"", true);
    set_ok(w, "\"memory\":\"1537\"", false);
    assert_int_equal(tenant_quota(a), UINT64_C(1536) << 20);
    set_ok(w, "\"share\":\"95\"", true); /* means nothing under this policy */
    w->a->cfg.sched.policy = SCHED_FIXED_SHARE;
    set_ok(w, "\"share\":\"90\"", true);
    set_ok(w, "\"share\":\"91\"", false);
    w->a->cfg.sched.policy = SCHED_BEST_EFFORT;
    tenant_destroy(a);
    tenant_destroy(b);
}

static void on_values(void *ctx)
{
    atomic_fetch_add((atomic_uint *)ctx, 1);
}

/* The limits of frames and memory are looked at when they have changed, not all the time. */
static void tenants_are_told_of_new_values(void **state)
{
    struct world *w = *state;
    atomic_uint told = 0;
    const struct tenant_options o = {
        .kind = ARBITER_DM, .name = "a", .ctx = &told, .preempt = on_preempt, .values = on_values};
    struct tenant *t = tenant_create(&o);
    char err[200] = "";

    assert_int_equal(tenant_connect(t, w->path, err, sizeof(err)), 0);
    assert_int_equal(tenant_start(t), 0);
    while (atomic_load(&told) != 1)
        usleep(100);
    set_ok(w, "\"weight\":\"5\"", true); /* nothing for a tenant to do */
    set_ok(w, "\"fps\":\"20\"", true);
    while (atomic_load(&told) != 2)
        usleep(100);
    assert_int_equal(tenant_frame_hz(t), 20);
    set_ok(w, "\"fps\":\"20\"", true); /* nothing new */
    set_ok(w, "\"memory\":\"7\"", true);
    while (atomic_load(&told) != 3)
        usleep(100);
    assert_int_equal(tenant_quota(t), 7u << 20);
    stop(w);
    while (atomic_load(&told) != 4)
        usleep(100);
    assert_int_equal(tenant_frame_hz(t), 0);
    assert_int_equal(tenant_quota(t), 0);
    tenant_destroy(t);
}

static void monitors_are_those_of_the_profile(void **state)
{
    struct world *w = *state;
    struct tenant *t = tenant(w, "a", NULL);

    assert_true(tenant_may_show(t, 3, 4096, 2304));
    assert_false(tenant_may_show(t, 4, 640, 480));
    assert_false(tenant_may_show(t, 1, 4097, 480));
    assert_false(tenant_may_show(t, 1, 640, 2305));
    stop(w);
    while (tenant_attached(t))
        usleep(100);
    assert_true(tenant_may_show(t, 4, 9000, 9000));
    tenant_destroy(t);
}

static double number_of(const cJSON *tenant, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(tenant, name)->valuedouble;
}

static void what_a_tenant_says_of_itself_is_shown(void **state)
{
    struct world *w = *state;
    struct tenant *t = tenant(w, "a", NULL);

    tenant_set_flips(t, 77);
    tenant_set_memory(t, 123 << 12, 5);
    tenant_note_heap(t, 1);
    cJSON *a = admin_handle(w->a, "{\"cmd\":\"stats\"}");
    const cJSON *one = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(a, "tenants"), 0);

    assert_int_equal(number_of(one, "flips"), 77);
    assert_int_equal(number_of(one, "memory_bytes"), 123 << 12);
    assert_int_equal(number_of(one, "memory_refusals"), 5);
    /* A sanitizer's allocator tells nothing. */
    assert_true(!mallinfo2().uordblks || number_of(one, "heap_bytes") > 10000);
    cJSON_Delete(a);
    tenant_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_engine_goes_from_hand_to_hand, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_alone_and_does_not_let_go_is_seen_to_work, setup, teardown),
        cmocka_unit_test_setup_teardown(who_works_is_asked_to_leave, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_waits_for_a_dead_gtmuxd, setup, teardown),
        cmocka_unit_test_setup_teardown(stop_lets_waiters_go, setup, teardown),
        cmocka_unit_test_setup_teardown(quotas_hold, setup, teardown),
        cmocka_unit_test(frames_are_paced),
        cmocka_unit_test_setup_teardown(bad_hellos_are_turned_away, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_is_there_once, setup, teardown),
        cmocka_unit_test_setup_teardown(the_page_cannot_be_cut_off, setup, teardown),
        cmocka_unit_test_setup_teardown(a_page_full_of_lies_harms_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(a_flood_is_not_listened_to, setup, teardown),
        cmocka_unit_test_setup_teardown(requests_are_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(totals_hold_for_what_is_set, setup, teardown),
        cmocka_unit_test_setup_teardown(tenants_are_told_of_new_values, setup, teardown),
        cmocka_unit_test_setup_teardown(monitors_are_those_of_the_profile, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_tenant_says_of_itself_is_shown, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
