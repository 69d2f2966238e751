/*
 * One job at a time. Workers that wake up while it is open join in (`inside`); the caller works too, closes the job
 * when no item is left, and waits for those who are inside only. A worker that the scheduler wakes late finds it closed
 * and delays nobody.
 */
#include "mediator/soft/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "vgpu/base/bits.h"

#define STOPPED (UINT64_C(1) << 32)

struct pool_thread {
    struct soft_pool *pool;
    unsigned worker;
    pthread_t thread;
};

struct soft_pool {
    unsigned workers;
    unsigned started; /* threads that run */
    bool tried;       /* to start them */
    pthread_mutex_t lock;
    pthread_cond_t opened, left;
    /* under the lock */
    uint64_t jobs; /* opened so far */
    bool open, quit;
    unsigned inside;
    void (*fn)(void *ctx, unsigned worker, uint32_t item);
    void *ctx;
    uint32_t items;
    _Atomic uint64_t next; /* STOPPED and more: no item is handed out any more */
    uint32_t handed;       /* items that were, when the run was stopped; or all */
    struct pool_thread thread[SOFT_WORKERS_MAX];
};

struct soft_pool *soft_pool_create(unsigned workers)
{
    struct soft_pool *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->workers = GT_MAX(GT_MIN(workers, SOFT_WORKERS_MAX), 1u);
    soft_pool_forked(p);
    return p;
}

/* Those who slept on the conditions are not there to leave them. */
void soft_pool_forked(struct soft_pool *p)
{
    p->started = 0;
    p->tried = p->open = false;
    p->inside = 0;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->opened, NULL);
    pthread_cond_init(&p->left, NULL);
}

void soft_pool_destroy(struct soft_pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->quit = true;
    pthread_cond_broadcast(&p->opened);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->started; i++)
        pthread_join(p->thread[i].thread, NULL);
    pthread_cond_destroy(&p->left);
    pthread_cond_destroy(&p->opened);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

unsigned soft_pool_workers(const struct soft_pool *p)
{
    return p->workers;
}

static void take_items(struct soft_pool *p, unsigned worker)
{
    uint64_t item;

    while ((item = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed)) < p->items)
        p->fn(p->ctx, worker, (uint32_t)item);
}

static void *worker_main(void *arg)
{
    const struct pool_thread *t = arg;
    struct soft_pool *p = t->pool;
    uint64_t seen = 0;

    pthread_mutex_lock(&p->lock);
    while (!p->quit) {
        if (!p->open || p->jobs == seen) {
            pthread_cond_wait(&p->opened, &p->lock);
            continue;
        }
        seen = p->jobs;
        p->inside++;
        pthread_mutex_unlock(&p->lock);
        take_items(p, t->worker);
        pthread_mutex_lock(&p->lock);
        if (--p->inside == 0)
            pthread_cond_signal(&p->left);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Signals are the business of the program's own threads. */
static void start_threads(struct soft_pool *p)
{
    sigset_t all, old;

    p->tried = true;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    for (unsigned i = 0; i + 1 < p->workers; i++) {
        p->thread[i] = (struct pool_thread){.pool = p, .worker = i + 1};
        if (pthread_create(&p->thread[i].thread, NULL, worker_main, &p->thread[i]))
            break;
        p->started++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* Only while no job is open. */
static void set_job(struct soft_pool *p, uint32_t n, void (*fn)(void *ctx, unsigned worker, uint32_t item), void *ctx)
{
    p->fn = fn;
    p->ctx = ctx;
    p->items = p->handed = n;
    atomic_store_explicit(&p->next, 0, memory_order_relaxed);
}

static void open_job(struct soft_pool *p)
{
    pthread_mutex_lock(&p->lock);
    p->jobs++;
    p->open = true;
    pthread_cond_broadcast(&p->opened);
    pthread_mutex_unlock(&p->lock);
}

static void close_job(struct soft_pool *p)
{
    pthread_mutex_lock(&p->lock);
    p->open = false;
    while (p->inside)
        pthread_cond_wait(&p->left, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

uint32_t soft_pool_run_alone(struct soft_pool *p, uint32_t n, void (*fn)(void *ctx, unsigned worker, uint32_t item),
                             void *ctx)
{
    set_job(p, n, fn, ctx);
    take_items(p, 0);
    return p->handed;
}

uint32_t soft_pool_run(struct soft_pool *p, uint32_t n, void (*fn)(void *ctx, unsigned worker, uint32_t item),
                       void *ctx)
{
    if (p->workers > 1 && n > 1 && !p->tried)
        start_threads(p);
    if (!p->started || n <= 1)
        return soft_pool_run_alone(p, n, fn, ctx);
    set_job(p, n, fn, ctx);
    open_job(p);
    take_items(p, 0);
    close_job(p);
    return p->handed;
}

void soft_pool_stop(struct soft_pool *p)
{
    uint64_t next = atomic_exchange_explicit(&p->next, STOPPED, memory_order_relaxed);

    if (next < p->items) /* one worker sees that */
        p->handed = (uint32_t)next;
}
