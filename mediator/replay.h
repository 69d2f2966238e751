/*
 * Runs a recorded trace without a VM: same device, same accesses, same answers from outside, so the same final state.
 * Traces are input from strangers; fuzz targets feed raw ones.
 */
#ifndef GTMUX_MEDIATOR_REPLAY_H
#define GTMUX_MEDIATOR_REPLAY_H

#include "ioreq/trace.h"
#include "vgpu/vgpu.h"

struct replay_result {
    uint64_t events, accesses;
    uint64_t divergences; /* results that were not as recorded */
    char first[256];      /* the first divergence, in words; empty: none */
    bool truncated;       /* the trace has no proper end: its writer was killed */
    bool finished;        /* it has a FINISH record, and `recorded` is the hash in it */
    uint64_t recorded, hash;
};

/* What a trace may use up. replay_options_default sets wide limits. */
struct replay_options {
    size_t max_pages;     /* of guest memory */
    uint64_t max_events;  /* then the trace ends */
    uint64_t max_step_ns; /* longest step of the clock; longer ones are cut */
    unsigned max_budget;  /* commands a slice */
    uint32_t max_rows;    /* of each picture in the hash */
    bool hash;            /* compute the hash at the end of a trace without FINISH */
    /* Called at the end, with the device as it is then. May be NULL. */
    void (*finished)(void *ctx, struct vgpu *v);
    void *ctx;
};
void replay_options_default(struct replay_options *o);

/* 0: the trace ran to its end (see res), or -errno with a message: unreadable, malformed, too large. */
int replay_run(const char *path, struct replay_result *res, char *err, size_t errsz);
int replay_trace(struct trace_reader *trace, const struct replay_options *o, struct replay_result *res, char *err,
                 size_t errsz);
/* Prints the result. 0: all as recorded, 1: not. */
int replay_print(const struct replay_result *res);

#endif
