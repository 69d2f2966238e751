/*
 * What the dispatchers of hardware threads share (vertex, hull, domain, geometry, compute): where messages go, running
 * a thread or a group of threads that meet at barriers, the thread header, push constants.
 */
#ifndef GTMUX_SOFT_DISPATCH_H
#define GTMUX_SOFT_DISPATCH_H

#include "mediator/soft/draw.h"
#include "mediator/soft/env.h"
#include "mediator/soft/urb.h"

/* Most threads that can wait for each other: a group has to fit into a subslice of 8 EUs with 7 threads each. */
#define SOFT_GROUP_THREADS 64u

/* Threads that meet at barriers; run by one worker in turns. */
struct soft_group {
    struct eu_thread *thread; /* `threads` of them */
    unsigned threads, arrived;
    uint8_t state[SOFT_GROUP_THREADS];
};

/* A worker's threads of one stage: eu_thread.ctx. */
struct soft_dispatch {
    struct soft_env env; /* first: soft_env functions get it */
    struct vgpu_exec *x;
    struct soft_urb *urb;     /* NULL: no URB messages */
    struct soft_group *group; /* NULL: who waits at a barrier is alone there */
    uint64_t scratch_base;    /* address of the scratch space of thread 0, */
    unsigned scratch_first;   /* ... and the number of the worker's first thread */
    unsigned slices, grace;   /* of instructions that were run since vgpu_exec_stop said yes, and how many may be */
    uint64_t *instructions;   /* counts those that threads execute */
    uint64_t unknown;         /* messages that nobody knows, threads that faulted */
};

/* Fields of the thread header r0 that all stages have. */
struct soft_header {
    uint32_t samplers;      /* offset from the dynamic state base */
    uint32_t binding_table; /* offset from the surface state base */
    uint32_t scratch;       /* offset from the general state base, */
    uint32_t scratch_size;  /* ... encoded as in commands: 1 KiB << n */
};

extern const struct eu_host soft_dispatch_host;

/* Bases, tables and scratch for a stage's threads; `first` is the number of the worker's first thread. */
void soft_dispatch_begin(struct soft_dispatch *d, const struct soft_engine *e, unsigned worker,
                         const struct soft_header *h, unsigned first);
/* Makes t ready, the i-th of the worker's threads: header dwords 3 to 5 as all stages have them, the rest of r0 zero.
 */
void soft_dispatch_thread(struct soft_dispatch *d, struct eu_thread *t, unsigned i, const struct eu_kernel *k,
                          uint32_t mask, const struct soft_header *h);
/* Runs a thread to its end. False: it was given up because the engine shall stop and the thread did not end soon. */
bool soft_dispatch_run(struct soft_dispatch *d, struct eu_thread *t);
/* The same for a group. Threads that wait for one that never comes are given up, as after a hang (true). */
bool soft_dispatch_run_group(struct soft_dispatch *d, struct soft_group *g);

/* Push constants of a 3D stage, read once for a draw. */
#define SOFT_PUSH_REGS 128u
struct soft_push {
    unsigned regs;
    uint8_t data[SOFT_PUSH_REGS * EU_REG_BYTES];
};
/* cmd_id: C_3DSTATE_CONSTANT_VS and its kin. */
void soft_push_read(struct soft_push *p, const struct soft_engine *e, int cmd_id);

static inline uint32_t *soft_grf(struct eu_thread *t, unsigned reg)
{
    return (uint32_t *)(void *)(t->grf + (size_t)reg * EU_REG_BYTES);
}

#endif
