/* The render engine of the backend: state commands are kept, the others are executed. */
#ifndef GTMUX_SOFT_RENDER_H
#define GTMUX_SOFT_RENDER_H

#include "vgpu/exec.h"
#include "vgpu/vgpu.h"

struct soft_render;

/* What it has done. */
struct soft_render_stats {
    uint64_t draws, dispatches;
    uint64_t unknown;      /* messages, formats, ... that the model does not have */
    uint64_t faults;       /* accesses to what is not mapped */
    uint64_t instructions; /* of kernels */
};

/* threads: the engine's own included. NULL: out of memory. */
struct soft_render *soft_render_create(unsigned threads);
void soft_render_destroy(struct soft_render *r); /* NULL is fine */
/* As backend_ops.forked. */
void soft_render_forked(struct soft_render *r);
/* A command of class CMD_RENDER, on the engine's thread. */
enum vgpu_payload soft_render_command(struct soft_render *r, struct vgpu_exec *x, int cmd_id, const uint32_t *dw,
                                      unsigned ndw);
/* Any thread. */
void soft_render_stats(const struct soft_render *r, struct soft_render_stats *out);

#endif
