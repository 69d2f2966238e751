/* A world in virtual time for the scheduler: tenants that saturate an engine, sleep, hang; switches that take time. */
#ifndef GTMUX_TEST_SCHED_WORLD_H
#define GTMUX_TEST_SCHED_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "mediator/arbiter/sched.h"

#define US       UINT64_C(1000)
#define MS       UINT64_C(1000000)
#define SLICE    (5 * MS)
#define WORLD    64
#define NO_EVENT UINT64_MAX

enum kind { SATURATES, SLEEPS, HANGS, STANDS_STILL };

struct actor {
    enum kind kind;
    uint64_t late_ns; /* after a yield until the engine comes back */
    uint64_t work_ns, period_ns;
    /* now */
    bool used, owner, keep, yielding;
    uint64_t begin, left, event;
    uint64_t progress;
    /* measured */
    uint64_t ran_ns, resets, waits, longest_wait, wanted_at;
    const char *ended;
};

struct world {
    struct sched *s;
    uint64_t now;
    struct actor a[WORLD];
    unsigned seed;
};

static inline unsigned world_random(struct world *w, unsigned below)
{
    w->seed = w->seed * 1103515245u + 12345u;
    return (w->seed >> 8) % below;
}

static inline void world_grant(void *ctx, unsigned id, unsigned engine, uint64_t until)
{
    struct world *w = ctx;
    struct actor *a = &w->a[id];

    (void)engine;
    for (unsigned i = 0; i < WORLD; i++)
        assert_true(!w->a[i].owner); /* one at a time, always */
    a->owner = true;
    a->keep = until == UINT64_MAX;
    a->yielding = false;
    a->begin = w->now;
    if (w->now - a->wanted_at > a->longest_wait)
        a->longest_wait = w->now - a->wanted_at;
    a->waits++;
    a->event = a->kind == SLEEPS ? w->now + a->left : NO_EVENT;
}

static inline bool world_unkeep(void *ctx, unsigned id, unsigned engine, uint64_t *used_ns)
{
    struct actor *a = &((struct world *)ctx)->a[id];

    (void)engine;
    *used_ns = 0;
    a->keep = false;
    if (a->kind == SLEEPS && a->event == NO_EVENT) {
        a->owner = false;
        return true;
    }
    return false;
}

static inline void world_keep(void *ctx, unsigned id, unsigned engine)
{
    (void)engine;
    ((struct world *)ctx)->a[id].keep = true;
}

/* These actors look at no clock: they wait to be asked. */
static inline void world_until(void *ctx, unsigned id, unsigned engine, uint64_t until)
{
    (void)engine;
    assert_true(((struct world *)ctx)->a[id].owner);
    assert_true(until >= ((struct world *)ctx)->now);
}

static inline void world_yield(void *ctx, unsigned id, unsigned engine)
{
    struct world *w = ctx;
    struct actor *a = &w->a[id];

    (void)engine;
    assert_true(a->owner);
    a->yielding = true;
    if (a->kind != STANDS_STILL)
        a->event = w->now + a->late_ns;
}

static inline void world_reset(void *ctx, unsigned id, unsigned engine)
{
    (void)engine;
    ((struct world *)ctx)->a[id].resets++;
}

static inline void world_end(void *ctx, unsigned id, const char *why)
{
    ((struct world *)ctx)->a[id].ended = why;
}

static const struct sched_ops world_ops = {world_grant, world_keep,  world_unkeep, world_until,
                                           world_yield, world_reset, world_end};

static const struct sched_config world_config = {.policy = SCHED_BEST_EFFORT,
                                                 .window_ns = 200 * MS,
                                                 .preempt_ns = 20 * MS,
                                                 .reset_ns = 80 * MS,
                                                 .hang_ns = 500 * MS};

static inline void world_open(struct world *w, enum sched_policy policy)
{
    struct sched_config c = world_config;

    c.policy = policy;
    memset(w, 0, sizeof(*w));
    w->seed = 1;
    w->now = 1000 * MS;
    w->s = sched_create(&c, &world_ops, w);
    assert_non_null(w->s);
}

static inline unsigned world_add(struct world *w, struct actor a, uint32_t weight, uint32_t cap, uint32_t share)
{
    struct sched_params p = {.weight = weight, .cap = cap, .share = share, .slice_ns = SLICE};
    int id = sched_add(w->s, &p, w->now);

    assert_true(id >= 0 && id < WORLD);
    a.used = true;
    a.event = a.kind == SLEEPS ? w->now + world_random(w, 1000) * 16 * US : NO_EVENT;
    a.wanted_at = w->now;
    w->a[id] = a;
    if (a.kind != SLEEPS)
        sched_want(w->s, (unsigned)id, 0, true, w->now);
    return (unsigned)id;
}

static inline void world_happens(struct world *w, unsigned id)
{
    struct actor *a = &w->a[id];

    a->event = NO_EVENT;
    if (a->kind == SLEEPS && !a->owner) { /* wakes up */
        a->left = a->work_ns;
        a->wanted_at = w->now;
        sched_want(w->s, id, 0, true, w->now);
        return;
    }
    uint64_t ran = w->now - a->begin;
    bool more = a->kind != SLEEPS || ran < a->left;

    a->ran_ns += ran;
    a->begin = a->wanted_at = w->now;
    if (a->kind == SLEEPS) {
        a->left = more ? a->left - ran : 0;
        if (!more)
            a->event = w->now + a->period_ns;
        if (a->keep && !a->yielding) { /* it still has the engine; the next event is the next request */
            a->owner = true;
            return;
        }
    }
    a->progress += a->kind == SATURATES;
    a->owner = a->yielding = false;
    sched_returned(w->s, id, 0, ran, more, a->progress, w->now);
}

static inline void world_drop(struct world *w, unsigned id)
{
    if (w->a[id].owner)
        w->a[id].ran_ns += w->now - w->a[id].begin;
    w->a[id].owner = false;
    w->a[id].used = false;
    w->a[id].event = NO_EVENT;
    sched_remove(w->s, id, w->now);
}

/* Lets time pass; every decision comes up to 100 us late. */
static inline void world_run(struct world *w, uint64_t ns)
{
    uint64_t end = w->now + ns;

    for (;;) {
        uint64_t next = sched_run(w->s, w->now);
        int who = -1;

        if (next <= w->now)
            next = w->now + 1;
        else if (next != NO_EVENT)
            next += world_random(w, 100) * US;
        for (unsigned i = 0; i < WORLD; i++) {
            if (w->a[i].ended && w->a[i].used) {
                world_drop(w, i);
                next = w->now;
            }
            if (w->a[i].used && w->a[i].event <= next) {
                next = w->a[i].event;
                who = (int)i;
            }
        }
        if (next > end)
            break;
        w->now = next > w->now ? next : w->now;
        if (who >= 0 && w->a[who].event <= w->now)
            world_happens(w, (unsigned)who);
    }
    w->now = end;
}

static inline uint64_t world_granted(const struct world *w, unsigned id)
{
    struct sched_usage u;

    sched_usage(w->s, id, 0, w->now, &u);
    return u.granted_ns;
}

#endif
