#include "mediator/spin.h"

#include "vgpu/base/bits.h"

#define MISSES_MAX 4u
#define REST_MIN   16u
#define REST_MAX   1024u

void spin_init(struct spin *p, unsigned max_us)
{
    *p = (struct spin){.max_us = max_us};
}

unsigned spin_slept(struct spin *p, uint64_t slept_ns)
{
    bool talks = p->max_us && slept_ns <= 2000ull * p->max_us;

    p->polled = talks && !p->rest;
    if (talks && p->rest)
        p->rest--;
    return p->polled ? p->max_us : 0;
}

void spin_polled(struct spin *p, bool found)
{
    if (!p->polled)
        return;
    if (found) {
        p->misses = p->resting = 0;
        return;
    }
    if (++p->misses < MISSES_MAX)
        return;
    p->misses = 0;
    p->resting = GT_MAX(REST_MIN, GT_MIN(2 * p->resting, REST_MAX));
    p->rest = p->resting;
}
