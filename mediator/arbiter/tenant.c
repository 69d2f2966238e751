/* What the engine threads of a tenant do: the words of the shared page. */
#include "mediator/arbiter/tenant.h"

#include <errno.h>
#include <linux/futex.h>
#include <malloc.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mediator/arbiter/tenant_internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

#define HEAP_NS UINT64_C(1000000000)

static _Atomic uint32_t *word_of(const struct tenant *t, unsigned engine)
{
    return &t->page->engine[engine].word;
}

bool tenant_attached(const struct tenant *t)
{
    return t && atomic_load_explicit(&t->attached, memory_order_acquire);
}

/* ---- acquire */

static bool begin(struct tenant *t, unsigned engine)
{
    t->engine[engine].held = true;
    t->engine[engine].since = gt_clock_ns();
    return true;
}

/* Nobody to ask. */
static bool free_run(struct tenant *t, unsigned engine)
{
    t->engine[engine].held = false;
    return !atomic_load_explicit(&t->stopping, memory_order_relaxed);
}

/* The word with which a waiting tenant goes to sleep; false: look at it again. */
static bool step(struct tenant *t, _Atomic uint32_t *word, uint32_t *w)
{
    uint32_t next = *w;

    if ((*w & ARBITER_GRANTED) && (*w & ARBITER_YIELD))
        next = ARBITER_WANT; /* it came too late to be of use */
    else if (!(*w & ARBITER_WANT))
        next = *w | ARBITER_WANT;
    if (next == *w)
        return true;
    if (atomic_compare_exchange_strong(word, w, next))
        tenant_look(t);
    return false;
}

static bool wait_for_grant(struct tenant *t, unsigned engine)
{
    _Atomic uint32_t *word = word_of(t, engine);

    for (;;) {
        uint32_t w = atomic_load(word);

        if (atomic_load(&t->stopping) || !tenant_attached(t) || (w & ARBITER_GONE))
            return free_run(t, engine);
        if ((w & (ARBITER_GRANTED | ARBITER_YIELD)) == ARBITER_GRANTED) {
            if (atomic_compare_exchange_strong(word, &w, (w | ARBITER_BUSY) & ~(uint32_t)ARBITER_WANT))
                return begin(t, engine);
            continue;
        }
        /* Not a private futex: gtmuxd is who wakes. The system call, for the C library has no function. */
        if (step(t, word, &w))
            syscall(SYS_futex, word, FUTEX_WAIT, w, NULL, NULL, 0);
    }
}

bool tenant_acquire(struct tenant *t, unsigned engine)
{
    if (!t || engine >= ARBITER_ENGINES)
        return true;
    if (!tenant_attached(t)) {
        if (t->path[0])
            tenant_link_again(t);
        return free_run(t, engine);
    }
    uint32_t w = atomic_load_explicit(word_of(t, engine), memory_order_relaxed);

    if ((w & (ARBITER_GRANTED | ARBITER_YIELD | ARBITER_BUSY | ARBITER_GONE)) == ARBITER_GRANTED &&
        atomic_compare_exchange_strong(word_of(t, engine), &w, (w | ARBITER_BUSY) & ~(uint32_t)ARBITER_WANT))
        return begin(t, engine);
    return wait_for_grant(t, engine);
}

bool tenant_pressed(const struct tenant *t, unsigned engine)
{
    if (!tenant_attached(t) || engine >= ARBITER_ENGINES)
        return false;
    uint32_t w = atomic_load_explicit(word_of(t, engine), memory_order_relaxed);

    if (!t->engine[engine].held || (w & ARBITER_YIELD) || !(w & ARBITER_GRANTED))
        return true;
    uint64_t until = tenant_until(t, engine), now = gt_clock_ns();

    atomic_store_explicit(&t->page->engine[engine].busy_ns, t->engine[engine].ns + now - t->engine[engine].since,
                          memory_order_relaxed);
    return now >= until;
}

uint64_t tenant_until(const struct tenant *t, unsigned engine)
{
    if (!tenant_attached(t) || engine >= ARBITER_ENGINES || !t->engine[engine].held)
        return UINT64_MAX;
    return atomic_load_explicit(&t->page->engine[engine].until_ns, memory_order_relaxed);
}

/* ---- release */

/* *told: gtmuxd has to know. */
static uint32_t released(uint32_t w, bool more, bool *told)
{
    *told = more || !(w & ARBITER_KEEP) || (w & ARBITER_YIELD);
    if (!*told)
        return w & ~(uint32_t)ARBITER_BUSY;
    return more ? ARBITER_WANT : 0;
}

void tenant_release(struct tenant *t, unsigned engine, bool more, uint64_t progress)
{
    if (!t || engine >= ARBITER_ENGINES || !t->engine[engine].held)
        return;
    struct arbiter_engine_page *p = &t->page->engine[engine];
    uint32_t w = atomic_load(&p->word);
    bool told = false;

    t->engine[engine].held = false;
    t->engine[engine].ns += gt_clock_ns() - t->engine[engine].since;
    atomic_store_explicit(&p->busy_ns, t->engine[engine].ns, memory_order_relaxed);
    atomic_store_explicit(&p->progress, progress, memory_order_relaxed);
    /* Without BUSY it is the page of a later registration, which knows nothing of this stretch. */
    while ((w & ARBITER_BUSY) && !atomic_compare_exchange_weak(&p->word, &w, released(w, more, &told)))
        ;
    if (told)
        tenant_look(t);
}

/* ---- the rest of the page */

unsigned tenant_frame_hz(const struct tenant *t)
{
    return tenant_attached(t) ? atomic_load_explicit(&t->page->frame_hz, memory_order_relaxed) : 0;
}

uint64_t tenant_quota(const struct tenant *t)
{
    return tenant_attached(t) ? (uint64_t)atomic_load_explicit(&t->page->quota_mb, memory_order_relaxed) << 20 : 0;
}

bool tenant_may_show(const struct tenant *t, unsigned heads, unsigned width, unsigned height)
{
    return !tenant_attached(t) || !atomic_load(&t->page->width) ||
           (heads <= atomic_load(&t->page->heads) && width <= atomic_load(&t->page->width) &&
            height <= atomic_load(&t->page->height));
}

/* Frames keep to a grid, so that one that comes late is not paid for by the next one; who was away starts a new grid.
 */
uint64_t tenant_frame_due(unsigned hz, uint64_t *state, uint64_t now)
{
    if (!hz) {
        *state = 0;
        return now;
    }
    uint64_t period = 1000000000u / hz;
    uint64_t due = *state + period;

    if (!*state || due + period < now)
        due = now;
    *state = due;
    return GT_MAX(due, now);
}

int tenant_memory(struct tenant *t, int64_t bytes)
{
    if (!t)
        return 0;
    uint64_t now = atomic_fetch_add(&t->memory, (uint64_t)bytes) + (uint64_t)bytes;
    uint64_t quota = tenant_quota(t);

    if (bytes > 0 && quota && now > quota) {
        atomic_fetch_sub(&t->memory, (uint64_t)bytes);
        atomic_store_explicit(&t->page->refusals, atomic_fetch_add(&t->refusals, 1) + 1, memory_order_relaxed);
        return -ENOSPC;
    }
    if (tenant_attached(t))
        atomic_store_explicit(&t->page->memory, now, memory_order_relaxed);
    return 0;
}

void tenant_count_flip(struct tenant *t)
{
    if (t)
        atomic_store_explicit(&t->page->flips, atomic_fetch_add(&t->flips, 1) + 1, memory_order_relaxed);
}

void tenant_set_flips(struct tenant *t, uint64_t flips)
{
    if (!t || atomic_exchange_explicit(&t->flips, flips, memory_order_relaxed) == flips)
        return;
    atomic_store_explicit(&t->page->flips, flips, memory_order_relaxed);
}

void tenant_set_memory(struct tenant *t, uint64_t bytes, uint64_t refusals)
{
    if (!t)
        return;
    if (atomic_exchange_explicit(&t->memory, bytes, memory_order_relaxed) != bytes)
        atomic_store_explicit(&t->page->memory, bytes, memory_order_relaxed);
    if (atomic_exchange_explicit(&t->refusals, refusals, memory_order_relaxed) != refusals)
        atomic_store_explicit(&t->page->refusals, refusals, memory_order_relaxed);
}

void tenant_note_heap(struct tenant *t, uint64_t now)
{
    uint64_t at = t ? atomic_load_explicit(&t->heap_at, memory_order_relaxed) : 0;

    if (!t || now < at || !atomic_compare_exchange_strong(&t->heap_at, &at, now + HEAP_NS))
        return;
    struct mallinfo2 m = mallinfo2();

    atomic_store_explicit(&t->heap, m.uordblks + m.hblkhd, memory_order_relaxed);
    atomic_store_explicit(&t->page->heap, m.uordblks + m.hblkhd, memory_order_relaxed);
}
