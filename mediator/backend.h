/*
 * GPU backends: who executes command payload (2D, 3D, media). MI commands are executed by vgpu's command streamer,
 * which is the same code for rings and for batches.
 */
#ifndef GTMUX_MEDIATOR_BACKEND_H
#define GTMUX_MEDIATOR_BACKEND_H

#include "vgpu/exec.h"
#include "vgpu/vgpu.h"

struct backend;

struct backend_stats {
    uint64_t blits, blit_pixels, render_commands, video_commands, skipped;
    uint64_t draws, dispatches;
    uint64_t unknown;      /* messages of kernels, formats, ... that the backend does not have */
    uint64_t faults;       /* accesses of the render engine to what is not mapped */
    uint64_t instructions; /* of kernels that were executed */
};

struct backend_ops {
    const char *name; /* "soft" */
    /* As vgpu_ops.payload; called on the engine's thread. */
    enum vgpu_payload (*payload)(struct backend *b, struct vgpu_exec *x, int cmd_id, const uint32_t *dw, unsigned ndw);
    void (*stats)(struct backend *b, struct backend_stats *out); /* any thread */
    /* In the child of a fork, when no payload was being executed: the backend's threads are the parent's. */
    void (*forked)(struct backend *b);
    void (*destroy)(struct backend *b);
};

struct backend {
    const struct backend_ops *ops;
};

/* The software Gen9. threads: of the render engine, 0: as many as there are processors, at most 4. NULL when out of
 * memory. */
struct backend *backend_soft_create(unsigned threads);

#endif
