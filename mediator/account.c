/*
 * Two bits a page, this period's and the last one's, in blocks of 1 GiB of guest memory that are made when the first of
 * their pages is reached. Threads that reach pages race with the one that ends a period; what they lose is a bit that
 * the next use of the page sets again.
 */
#include "mediator/account.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "vgpu/base/bits.h"

#define PAGE_SHIFT  12u
#define BLOCK_SHIFT 30u
#define BLOCKS      512u /* Skylake's page tables have 39 bits of address */
#define BLOCK_WORDS (1u << (BLOCK_SHIFT - PAGE_SHIFT - 5))

struct block {
    _Atomic uint32_t now[BLOCK_WORDS], before[BLOCK_WORDS];
};

struct account {
    atomic_bool on;
    _Atomic uint64_t last_word; /* page of it, + 1 */
    _Atomic(struct block *) block[BLOCKS];
    _Atomic uint64_t pages, limit, refusals; /* limit in pages */
    _Atomic uint64_t period_end;
    atomic_bool forget;
    pthread_mutex_t turn; /* one thread ends a period */
};

struct account *account_create(void)
{
    struct account *a = calloc(1, sizeof(*a));

    if (!a)
        return NULL;
    a->limit = UINT64_MAX;
    pthread_mutex_init(&a->turn, NULL);
    return a;
}

void account_destroy(struct account *a)
{
    if (!a)
        return;
    for (unsigned i = 0; i < BLOCKS; i++)
        free(a->block[i]);
    pthread_mutex_destroy(&a->turn);
    free(a);
}

void account_limit(struct account *a, uint64_t bytes)
{
    atomic_store(&a->limit, bytes ? bytes >> PAGE_SHIFT : UINT64_MAX);
}

/* NULL: out of memory, or of range; such a page is not counted, and so not limited. */
static struct block *block_of(struct account *a, uint64_t gpa)
{
    uint64_t n = gpa >> BLOCK_SHIFT;
    struct block *b = n < BLOCKS ? atomic_load_explicit(&a->block[n], memory_order_acquire) : NULL, *none = NULL;

    if (b || n >= BLOCKS || !(b = calloc(1, sizeof(*b))))
        return b;
    if (atomic_compare_exchange_strong(&a->block[n], &none, b))
        return b;
    free(b); /* another thread was first */
    return none;
}

static bool refuse(struct account *a)
{
    atomic_fetch_add_explicit(&a->refusals, 1, memory_order_relaxed);
    atomic_store_explicit(&a->forget, true, memory_order_relaxed);
    return false;
}

void account_switch(struct account *a, bool on)
{
    atomic_store(&a->on, on);
}

bool account_reach_word(struct account *a, uint64_t gpa)
{
    uint64_t page = (gpa >> PAGE_SHIFT) + 1;

    if (!atomic_load_explicit(&a->on, memory_order_relaxed) ||
        atomic_load_explicit(&a->last_word, memory_order_relaxed) == page)
        return true;
    if (!account_reach(a, gpa))
        return false;
    atomic_store_explicit(&a->last_word, page, memory_order_relaxed);
    return true;
}

bool account_reach(struct account *a, uint64_t gpa)
{
    if (!atomic_load_explicit(&a->on, memory_order_relaxed))
        return true;
    struct block *b = block_of(a, gpa);
    uint32_t page = (uint32_t)(gpa >> PAGE_SHIFT) % (BLOCK_WORDS * 32), bit = GT_BIT(page % 32);

    if (!b || atomic_load_explicit(&b->now[page / 32], memory_order_relaxed) & bit)
        return true;
    bool known = atomic_load_explicit(&b->before[page / 32], memory_order_relaxed) & bit;

    if (!known && atomic_load_explicit(&a->pages, memory_order_relaxed) >= a->limit)
        return refuse(a);
    if (!(atomic_fetch_or_explicit(&b->now[page / 32], bit, memory_order_relaxed) & bit) && !known)
        atomic_fetch_add_explicit(&a->pages, 1, memory_order_relaxed);
    return true;
}

/* This period's bits become the last one's. Returns how many there are. */
static uint64_t age_block(struct block *b, bool forget)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < BLOCK_WORDS; i++) {
        uint32_t bits = atomic_load_explicit(&b->now[i], memory_order_relaxed);

        if (!bits && !atomic_load_explicit(&b->before[i], memory_order_relaxed))
            continue;
        bits = forget ? 0 : bits;
        atomic_store_explicit(&b->before[i], bits, memory_order_relaxed);
        atomic_store_explicit(&b->now[i], 0, memory_order_relaxed);
        n += (unsigned)__builtin_popcount(bits);
    }
    return n;
}

void account_work(struct account *a, uint64_t now)
{
    uint64_t pages = 0;

    if (now < atomic_load_explicit(&a->period_end, memory_order_relaxed) &&
        !atomic_load_explicit(&a->forget, memory_order_relaxed))
        return;
    if (pthread_mutex_trylock(&a->turn))
        return; /* somebody is at it */
    bool forget = atomic_exchange(&a->forget, false);

    atomic_store(&a->last_word, 0);

    for (unsigned i = 0; i < BLOCKS; i++) {
        struct block *b = atomic_load_explicit(&a->block[i], memory_order_acquire);

        pages += b ? age_block(b, forget) : 0;
    }
    atomic_store(&a->pages, pages);
    atomic_store(&a->period_end, now + ACCOUNT_PERIOD_NS);
    pthread_mutex_unlock(&a->turn);
}

uint64_t account_bytes(const struct account *a)
{
    return atomic_load_explicit(&a->pages, memory_order_relaxed) << PAGE_SHIFT;
}

uint64_t account_refusals(const struct account *a)
{
    return atomic_load_explicit(&a->refusals, memory_order_relaxed);
}
