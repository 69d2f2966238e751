/*
 * Worker threads of the render engine. The engine's own thread is worker 0; the others are started when they are first
 * needed (after the sandbox has closed) and sleep in between. Results must not depend on how items fall to workers.
 */
#ifndef GTMUX_SOFT_POOL_H
#define GTMUX_SOFT_POOL_H

#include <stdbool.h>
#include <stdint.h>

#define SOFT_WORKERS_MAX 16u

struct soft_pool;

/* workers: 1..SOFT_WORKERS_MAX, the calling thread included. NULL: out of memory. No thread is started yet. */
struct soft_pool *soft_pool_create(unsigned workers);
void soft_pool_destroy(struct soft_pool *p);
unsigned soft_pool_workers(const struct soft_pool *p);
/* Runs fn(ctx, worker, item) for items 0..n-1 on all workers; each worker takes the next item that nobody has. Returns
 * when all are done, with how many were handed out: n, unless fn stopped the run. Never from within fn. If threads
 * cannot be started, the caller does all of it. */
uint32_t soft_pool_run(struct soft_pool *p, uint32_t n, void (*fn)(void *ctx, unsigned worker, uint32_t item),
                       void *ctx);
/* The same by the caller alone, as worker 0. */
uint32_t soft_pool_run_alone(struct soft_pool *p, uint32_t n, void (*fn)(void *ctx, unsigned worker, uint32_t item),
                             void *ctx);
/* From within fn: no further item is handed out. Those that were, the first ones, are finished. */
void soft_pool_stop(struct soft_pool *p);
/* In the child of a fork that found no soft_pool_run under way: the threads are the parent's, new ones will be started.
 */
void soft_pool_forked(struct soft_pool *p);

#endif
