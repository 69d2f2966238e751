#include "mediator/workers.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"
#include "vgpu/base/log.h"

/* Commands a slice: short enough that a change of the memory map or a reset is answered soon. */
#define ENGINE_SLICE 2048u
/* Sleep of an engine that waits for memory (semaphore, spin batch): doubles from the first to the second. */
#define WAIT_MIN_NS    20000u
#define WAIT_MAX_NS    1000000u
#define DISPLAY_WORKER VGPU_ENGINES

struct worker {
    struct workers *owner;
    unsigned id; /* engine, or DISPLAY_WORKER */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool kicked, stop;
};

struct workers {
    struct gate *gate;
    struct tenant *tenant;
    unsigned started;
    struct worker worker[VGPU_ENGINES + 1];
};

/* Waits for a kick, until the deadline (UINT64_MAX: without end). False when the worker has to stop. */
static bool worker_wait(struct worker *w, uint64_t deadline)
{
    struct timespec ts = {.tv_sec = (time_t)(deadline / 1000000000u), .tv_nsec = (long)(deadline % 1000000000u)};
    int rc = 0;

    pthread_mutex_lock(&w->lock);
    while (!w->kicked && !w->stop && rc != ETIMEDOUT) {
        if (deadline == UINT64_MAX)
            pthread_cond_wait(&w->cond, &w->lock);
        else
            rc = pthread_cond_timedwait(&w->cond, &w->lock, &ts);
    }
    w->kicked = false;
    bool go_on = !w->stop;
    pthread_mutex_unlock(&w->lock);
    return go_on;
}

static bool worker_stopping(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    bool stop = w->stop;
    pthread_mutex_unlock(&w->lock);
    return stop;
}

static void worker_kick(struct worker *w, bool stop)
{
    pthread_mutex_lock(&w->lock);
    w->kicked = true;
    w->stop |= stop;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
}

/* What the engine has to do, in as many turns as gtmuxd makes of it. */
static enum vgpu_run run_engine(struct worker *w)
{
    struct tenant *t = w->owner->tenant;
    struct gate *g = w->owner->gate;
    bool more;
    enum vgpu_run r;

    do {
        if (!tenant_acquire(t, w->id))
            return VGPU_RUN_IDLE;
        do {
            r = gate_engine_run(g, w->id, ENGINE_SLICE);
            more = r == VGPU_RUN_MORE && !worker_stopping(w);
        } while (more && !tenant_pressed(t, w->id));
        tenant_release(t, w->id, more, tenant_attached(t) ? gate_engine_progress(g, w->id) : 0);
    } while (more);
    return r;
}

static void engine_loop(struct worker *w)
{
    uint64_t sleep_ns = WAIT_MIN_NS, deadline = UINT64_MAX;

    while (worker_wait(w, deadline)) {
        enum vgpu_run r = run_engine(w);

        if (r == VGPU_RUN_WAIT) {
            deadline = gt_clock_ns() + sleep_ns;
            sleep_ns = GT_MIN(sleep_ns * 2, WAIT_MAX_NS);
        } else {
            deadline = UINT64_MAX;
            sleep_ns = WAIT_MIN_NS;
        }
    }
}

/* gtmuxd shows them. */
static void count_flips(struct worker *w)
{
    struct vgpu_stats s;
    uint64_t flips = 0;

    if (!tenant_attached(w->owner->tenant))
        return;
    gate_stats(w->owner->gate, &s);
    for (unsigned i = 0; i < VGPU_PIPES; i++)
        flips += s.flips[i];
    tenant_set_flips(w->owner->tenant, flips);
}

static void display_loop(struct worker *w)
{
    uint64_t next = UINT64_MAX;

    while (worker_wait(w, next)) {
        next = gate_display_tick(w->owner->gate);
        count_flips(w);
    }
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;

    /* By the thread itself: another's name goes through /proc, which is out of reach in the sandbox. */
    pthread_setname_np(pthread_self(), w->id == DISPLAY_WORKER ? "display" : engine_table[w->id].name);
    if (w->id == DISPLAY_WORKER)
        display_loop(w);
    else
        engine_loop(w);
    return NULL;
}

static void worker_init(struct workers *all, unsigned id)
{
    struct worker *w = &all->worker[id];
    pthread_condattr_t attr;

    w->owner = all;
    w->id = id;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->cond, &attr);
    pthread_condattr_destroy(&attr);
}

static int worker_start(struct worker *w)
{
    int rc = pthread_create(&w->thread, NULL, worker_main, w);

    return -rc;
}

struct workers *workers_create(void)
{
    struct workers *all = calloc(1, sizeof(*all));

    for (unsigned i = 0; all && i <= DISPLAY_WORKER; i++)
        worker_init(all, i);
    return all;
}

int workers_start(struct workers *w, struct gate *g, struct tenant *tenant)
{
    w->gate = g;
    w->tenant = tenant;
    for (; w->started <= DISPLAY_WORKER; w->started++) {
        int rc = worker_start(&w->worker[w->started]);
        if (rc)
            return rc;
    }
    workers_kick_display(w);
    return 0;
}

void workers_kick_engine(struct workers *w, unsigned engine)
{
    if (engine < VGPU_ENGINES)
        worker_kick(&w->worker[engine], false);
}

void workers_kick_display(struct workers *w)
{
    worker_kick(&w->worker[DISPLAY_WORKER], false);
}

void workers_stop(struct workers *w)
{
    if (!w)
        return;
    for (unsigned i = 0; i < w->started; i++)
        worker_kick(&w->worker[i], true);
    for (unsigned i = 0; i < w->started; i++)
        pthread_join(w->worker[i].thread, NULL);
    for (unsigned i = 0; i <= DISPLAY_WORKER; i++) {
        pthread_cond_destroy(&w->worker[i].cond);
        pthread_mutex_destroy(&w->worker[i].lock);
    }
    free(w);
}
