/*
 * A tenant that does as it is told, for tests/arbiter/run. Its work is to hold an engine: it sleeps until it has held
 * it long enough or is asked to leave, so that engine time is what is measured, not how many processors there are.
 *
 *   saturate     requests of --work-us without a pause
 *   interactive  one every --period-us
 *   endless      a request that never ends; it is given back when asked for
 *   standstill   the same, but not given back
 *
 * Prints one JSON object at the end of --seconds, or on SIGTERM.
 */
#include <argp.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mediator/arbiter/tenant.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"
#include "vgpu/base/log.h"

#define WAITS_MAX 65536u

enum mode { SATURATE, INTERACTIVE, ENDLESS, STANDSTILL, MODES };
static const char *const mode_names[MODES] = {"saturate", "interactive", "endless", "standstill"};

struct load {
    struct tenant_options tenant;
    const char *socket;
    enum mode mode;
    uint64_t work_ns, period_ns, run_ns;
    unsigned engine;
    struct tenant *t;
    pthread_mutex_t lock;
    pthread_cond_t leave;
    bool asked;
    uint64_t held_ns, begun, done, resets;
    uint64_t half_done[2]; /* requests in the first and second half of the time */
    unsigned waits;
    uint32_t wait_us[WAITS_MAX];
};

static volatile sig_atomic_t ended;

static void on_term(int sig)
{
    (void)sig;
    ended = 1;
}

static void preempt(void *ctx, unsigned engine)
{
    struct load *l = ctx;

    (void)engine;
    pthread_mutex_lock(&l->lock);
    l->asked = true;
    pthread_cond_signal(&l->leave);
    pthread_mutex_unlock(&l->lock);
}

static void reset(void *ctx, unsigned engine)
{
    (void)engine;
    ((struct load *)ctx)->resets++;
}

/* Holds the engine until then, or until it is asked for. */
static void hold(struct load *l, uint64_t until)
{
    uint64_t slice_end = tenant_until(l->t, l->engine);

    if (l->mode != STANDSTILL)
        until = GT_MIN(until, slice_end);
    struct timespec ts = {.tv_sec = (time_t)(until / 1000000000u), .tv_nsec = (long)(until % 1000000000u)};
    int rc = 0;

    pthread_mutex_lock(&l->lock);
    while (rc != ETIMEDOUT && (l->mode == STANDSTILL || !(l->asked || tenant_pressed(l->t, l->engine))))
        rc = pthread_cond_timedwait(&l->leave, &l->lock, &ts);
    l->asked = false;
    pthread_mutex_unlock(&l->lock);
}

static void note_wait(struct load *l, uint64_t ns)
{
    if (l->waits < WAITS_MAX)
        l->wait_us[l->waits++] = (uint32_t)GT_MIN(ns / 1000, UINT32_MAX);
}

/* One request, in as many stretches as it takes. */
static void request(struct load *l, uint64_t end)
{
    uint64_t left = l->mode >= ENDLESS ? UINT64_MAX / 2 : l->work_ns;
    bool first = true;

    l->begun++;
    while (left) {
        uint64_t asked = gt_clock_ns();

        if (!tenant_acquire(l->t, l->engine))
            return;
        uint64_t from = gt_clock_ns();

        if (first)
            note_wait(l, from - asked);
        first = false;
        hold(l, GT_MIN(from + left, l->mode >= ENDLESS ? end : UINT64_MAX));
        uint64_t held = gt_clock_ns() - from;

        l->held_ns += held;
        left -= GT_MIN(held, left);
        if (l->mode >= ENDLESS && gt_clock_ns() >= end)
            left = 0;
        l->done += !left;
        tenant_release(l->t, l->engine, left != 0, l->mode == ENDLESS ? 1 : l->done + 1);
    }
}

static void run(struct load *l)
{
    uint64_t start = gt_clock_ns(), end = start + l->run_ns, next = start;

    while (!ended && gt_clock_ns() < end) {
        request(l, end);
        l->half_done[gt_clock_ns() - start > l->run_ns / 2]++;
        if (l->mode != INTERACTIVE)
            continue;
        next += l->period_ns;
        struct timespec ts = {.tv_sec = (time_t)(next / 1000000000u), .tv_nsec = (long)(next % 1000000000u)};

        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
    }
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void report(struct load *l, uint64_t took)
{
    qsort(l->wait_us, l->waits, sizeof(l->wait_us[0]), compare);
    printf("{\"name\":\"%s\",\"seconds\":%.6f,\"held_s\":%.6f,\"begun\":%llu,\"done\":%llu,\"resets\":%llu,"
           "\"first_half\":%llu,\"second_half\":%llu,\"waits\":%u,\"wait_p50_us\":%u,\"wait_p99_us\":%u,"
           "\"wait_max_us\":%u,\"attached\":%s}\n",
           l->tenant.name, (double)took / 1e9, (double)l->held_ns / 1e9, (unsigned long long)l->begun,
           (unsigned long long)l->done, (unsigned long long)l->resets, (unsigned long long)l->half_done[0],
           (unsigned long long)l->half_done[1], l->waits, l->waits ? l->wait_us[l->waits / 2] : 0,
           l->waits ? l->wait_us[(uint64_t)l->waits * 99 / 100] : 0, l->waits ? l->wait_us[l->waits - 1] : 0,
           tenant_attached(l->t) ? "true" : "false");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct load *l = state->input;

    switch (key) {
    case 'n':
        l->tenant.name = arg;
        return 0;
    case 'p':
        l->tenant.profile = arg;
        return 0;
    case 's':
        l->socket = arg;
        return 0;
    case 'm':
        for (l->mode = SATURATE; l->mode < MODES && strcmp(mode_names[l->mode], arg) != 0; l->mode++)
            ;
        if (l->mode == MODES)
            argp_error(state, "no such mode");
        return 0;
    case 'w':
        l->work_ns = strtoull(arg, NULL, 10) * 1000;
        return 0;
    case 'P':
        l->period_ns = strtoull(arg, NULL, 10) * 1000;
        return 0;
    case 't':
        l->run_ns = (uint64_t)(strtod(arg, NULL) * 1e9);
        return 0;
    case 'e':
        l->engine = (unsigned)strtoul(arg, NULL, 10);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"name", 'n', "NAME", 0, NULL, 0},       {"profile", 'p', "NAME", 0, NULL, 0}, {"socket", 's', "PATH", 0, NULL, 0},
    {"mode", 'm', "MODE", 0, NULL, 0},       {"work-us", 'w', "US", 0, NULL, 0},   {"period-us", 'P', "US", 0, NULL, 0},
    {"seconds", 't', "SECONDS", 0, NULL, 0}, {"engine", 'e', "N", 0, NULL, 0},     {0}};

static int start(struct load *l)
{
    pthread_condattr_t attr;
    char err[200] = "";

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&l->leave, &attr);
    l->tenant.ctx = l;
    l->tenant.reconnect = l->socket;
    l->t = tenant_create(&l->tenant);
    int rc = l->t ? tenant_connect(l->t, l->socket, err, sizeof(err)) : -ENOMEM;

    if (rc == -EPERM)
        fprintf(stderr, "refused: %s\n", err);
    if (rc && rc != -ENOENT && rc != -ECONNREFUSED)
        return rc;
    return tenant_start(l->t);
}

int main(int argc, char **argv)
{
    static struct load l = {
        .tenant = {.kind = ARBITER_DM, .preempt = preempt, .reset = reset, .heads = 1, .width = 1024, .height = 768},
        .work_ns = 1000000,
        .period_ns = 16000000,
        .run_ns = 1000000000,
        .lock = PTHREAD_MUTEX_INITIALIZER};
    static const struct argp parser = {options, parse, NULL, NULL, NULL, NULL, NULL};

    gt_log_set_level(GT_LOG_WARN);
    if (argp_parse(&parser, argc, argv, 0, NULL, &l) || !l.tenant.name || !l.socket)
        return 2;
    signal(SIGTERM, on_term);
    int rc = start(&l);

    if (rc) {
        fprintf(stderr, "%s: %s\n", l.tenant.name, strerror(-rc));
        return 3;
    }
    uint64_t from = gt_clock_ns();

    run(&l);
    report(&l, gt_clock_ns() - from);
    tenant_destroy(l.t);
    return 0;
}
