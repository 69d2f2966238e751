/*
 * GPU-visible memory of a guest: the pages of its memory that GPU work has reached through GGTT and PPGTT. What page
 * tables merely name is not counted: i915 fills what is unused with entries of one scratch page, and a guest can map
 * anything for nothing. A page that is not reached for a while is no longer counted.
 *
 * With a limit, pages beyond it are refused; those that are counted stay usable. All functions may be called by any
 * thread.
 */
#ifndef GTMUX_MEDIATOR_ACCOUNT_H
#define GTMUX_MEDIATOR_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

/* A page counts until it was not reached for one to two of these. */
#define ACCOUNT_PERIOD_NS UINT64_C(5000000000)

struct account;

struct account *account_create(void); /* NULL: out of memory */
void account_destroy(struct account *a);
/* Bytes, 0: no limit. What is counted beyond it stays. */
void account_limit(struct account *a, uint64_t bytes);
/* Off at first: nothing is counted, and nothing refused. */
void account_switch(struct account *a, bool on);
/* GPU work is about to use the page at a guest physical address. False: that would be more than the limit. */
bool account_reach(struct account *a, uint64_t gpa);
/* The same for a single word, as page tables are read: again and again from one page. */
bool account_reach_word(struct account *a, uint64_t gpa);
/* New work begins: lets go of what was not reached lately, and after a refusal of all, for the guest has lost what it
 * was doing. */
void account_work(struct account *a, uint64_t now);

uint64_t account_bytes(const struct account *a);
uint64_t account_refusals(const struct account *a);

#endif
