/* Decoded kernels by address and content. Shared by all workers of a backend; look-ups happen before a draw's threads
 * start, on the engine's thread. */
#ifndef GTMUX_SOFT_KERNELS_H
#define GTMUX_SOFT_KERNELS_H

#include "mediator/soft/eu/eu.h"
#include "mediator/soft/mem.h"

/* Most that the decoded kernels take, beside those of the command that runs. */
#define SOFT_KERNELS_BYTES (12u << 20)

struct soft_kernels;

struct soft_kernels *soft_kernels_create(void); /* NULL: out of memory */
void soft_kernels_destroy(struct soft_kernels *k);
/* The kernel at a GPU address; decoded when it is new or its bytes have changed. Bounded: the least recently used go
 * (not before the next soft_kernels_begin). NULL: out of memory. */
const struct eu_kernel *soft_kernels_get(struct soft_kernels *k, struct soft_mem *m, uint64_t address);
void soft_kernels_begin(struct soft_kernels *k);

#endif
