/*
 * Inside the compute and media part: what its files share.
 *   compute.c         the interface, interface descriptors, the workers' threads
 *   compute_walker.c  GPGPU_WALKER: thread groups
 *   compute_media.c   MEDIA_OBJECT and its kin: single threads
 *   compute_media_walker.c  MEDIA_OBJECT_WALKER: many of them
 */
#ifndef GTMUX_SOFT_COMPUTE_H
#define GTMUX_SOFT_COMPUTE_H

#include "mediator/soft/dispatch.h"

#define COMPUTE_SLM_BYTES 65536u

struct compute_worker {
    struct soft_dispatch d;
    struct soft_group group;
    uint8_t slm[COMPUTE_SLM_BYTES];
};

struct soft_compute {
    struct soft_engine *e;
    unsigned workers;
    bool groups; /* each worker has threads for a group */
    struct compute_worker *worker;
};

/* A kernel to run, as an interface descriptor and MEDIA_VFE_STATE give it. */
struct compute_kernel {
    const struct eu_kernel *kernel;
    struct soft_header header;
    uint32_t control; /* cr0.0 at the start of a thread */
    unsigned threads; /* of a group, as the descriptor counts them */
    unsigned max_threads;
    unsigned slm_bytes;
    bool barrier;
    uint64_t constants;                   /* address of the constant data, */
    uint32_t constant_bytes;              /* ... and how much is there */
    unsigned cross_regs, per_thread_regs; /* of the payload */
};

/* Reads the descriptor; index as in the command. False: there is none. */
bool compute_kernel_read(struct soft_compute *c, unsigned index, struct compute_kernel *k);
/* Registers of constant data from a byte offset, into registers `reg` and following (as many as there are). Bytes
 * beyond constant_bytes are zero. Returns the next register. */
unsigned compute_constants(const struct compute_kernel *k, struct soft_mem *m, struct eu_thread *t, unsigned reg,
                           uint64_t offset, unsigned regs);
/* Threads for groups of every worker. False: out of memory. */
bool compute_need_groups(struct soft_compute *c);
/* Adds what the workers counted to the engine. */
void compute_collect(struct soft_compute *c);

/* What the threads of a media command have in common. */
struct media {
    struct soft_compute *c;
    struct compute_kernel k;
    const uint32_t *inline_data;
    unsigned inline_dwords;
    uint64_t indirect; /* address */
    uint32_t indirect_bytes;
};

/* False: there is no such descriptor. */
bool compute_media_begin(struct media *md, unsigned descriptor);
/* Runs a thread; x, y: where the scoreboard or the walker has it. False: given up, the engine shall stop. */
bool compute_media_thread(struct media *md, uint32_t x, uint32_t y);

bool compute_walk(struct soft_compute *c, const uint32_t *dw, unsigned ndw);
bool compute_media_object(struct soft_compute *c, int cmd_id, const uint32_t *dw, unsigned ndw);
bool compute_media_walk(struct soft_compute *c, const uint32_t *dw, unsigned ndw);

#endif
