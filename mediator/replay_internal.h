/* The replayer's insides, shared by mediator/replay.c and replay_host.c. */
#ifndef GTMUX_MEDIATOR_REPLAY_INTERNAL_H
#define GTMUX_MEDIATOR_REPLAY_INTERNAL_H

#include "mediator/backend.h"
#include "mediator/replay.h"
#include "mediator/shadow.h"

struct replay {
    struct trace_reader *trace;
    const struct replay_options *opt;
    struct replay_result *res;
    struct trace_record next; /* not yet used up; valid while status is TRACE_OK and have */
    bool have;
    enum trace_status status;
    int error; /* -errno: stop */
    char *err;
    size_t errsz;
    bool free_running; /* after the last event: nothing is compared any more */
    uint64_t calls;    /* as struct recorder */
    uint64_t now;
    const char *what; /* the event under way, for messages */
    struct ioreq_access access;
    struct vgpu_config cfg;
    bool payload;
    struct shadow *memory;
    struct backend *backend;
    struct vgpu *v;
};

/* replay_host.c */
extern const struct vgpu_ops replay_ops; /* host is the struct replay */
/* Ends the replay with an error; the first one counts. */
void replay_fail(struct replay *p, int error, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Counts a difference from the recording, and describes the first. */
void replay_diverge(struct replay *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The next record of the trace, or NULL: none left, or an error. */
const struct trace_record *replay_peek(struct replay *p);
void replay_consume(struct replay *p); /* it has been used */
/* Uses a MEM record. */
void replay_apply_mem(struct replay *p, const struct trace_record *rec);
void replay_step_clock(struct replay *p, uint64_t ns);

#endif
