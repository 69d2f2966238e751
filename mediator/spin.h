/*
 * Whether to poll busily for the guest's next access before sleeping for it.
 *
 * Polling pays only while the guest talks: waking up from a sleep costs more than most accesses, and an access that
 * follows its predecessor at once would pay that each time. So poll after a sleep that turned out short. And it pays
 * only if the guest can run meanwhile: where it shares our processor (a Xen host with one, or a crowded one) polling
 * steals the time in which the access would come, and finds nothing however much the guest talks. So what polling finds
 * is watched: after a few times in vain, do without for a while, the longer the more often that happens.
 */
#ifndef GTMUX_MEDIATOR_SPIN_H
#define GTMUX_MEDIATOR_SPIN_H

#include <stdbool.h>
#include <stdint.h>

struct spin {
    unsigned max_us;  /* to poll, 0: never */
    unsigned misses;  /* in a row */
    unsigned rest;    /* so many short sleeps are left without polling */
    unsigned resting; /* how many the last rest was made of */
    bool polled;      /* after the last sleep */
};

void spin_init(struct spin *p, unsigned max_us);
/* After a sleep: for how many us to poll once its cause has been dealt with. */
unsigned spin_slept(struct spin *p, uint64_t slept_ns);
/* After that: whether polling found anything. No effect when spin_slept said 0. */
void spin_polled(struct spin *p, bool found);

#endif
