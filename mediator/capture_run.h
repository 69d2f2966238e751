/* Executes captured submissions one after the other on a GPU of its own. */
#ifndef GTMUX_MEDIATOR_CAPTURE_RUN_H
#define GTMUX_MEDIATOR_CAPTURE_RUN_H

#include "mediator/capture.h"
#include "mediator/gpu/gpu.h"

struct capture_run;

struct capture_result {
    uint64_t commands, draws, dispatches;
    uint64_t unknown; /* messages, formats, ... that the GPU does not have */
    uint64_t faults;  /* accesses to what is not mapped */
    bool done;        /* false: a command was refused, or it was stopped */
};

/* An object whose contents are no longer what they were before the last submission. */
struct capture_change {
    uint64_t addr, size, hash;
};

/* threads: as for gpu_create. NULL, with a message. */
struct capture_run *capture_run_create(unsigned threads, char *err, size_t errsz);
void capture_run_destroy(struct capture_run *r); /* NULL is fine */
/* Memory and contexts are kept from one to the next; sequence number 0 begins a new program. 0 or -errno. */
int capture_run_one(struct capture_run *r, const struct capture *c, struct capture_result *out);
/* The first change from object `from` on. Returns where to go on, 0: there is none. */
unsigned capture_run_changes(const struct capture_run *r, unsigned from, struct capture_change *out);
/* Reads GPU memory: a capture_reader, whose ctx is the run. */
bool capture_run_read(void *run, uint64_t addr, void *dst, size_t n);
struct gpu *capture_run_gpu(struct capture_run *r);

#endif
