/*
 * How far a command of the render engine has come, kept in the context's scratch dwords: a command that is interrupted
 * goes on there, also in another process. A step is written beside the last one and then made valid by one store, so
 * that what is found is always a whole step.
 */
#ifndef GTMUX_SOFT_PROGRESS_H
#define GTMUX_SOFT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "vgpu/exec.h"

#define SOFT_PROGRESS_DWORDS 6u

/* Tells commands apart, by their dwords and where they stand in the stream: none goes on with the progress of another
 * one that a reset or the guest replaced. */
uint32_t soft_progress_key(const struct vgpu_exec *x, const uint32_t *dw, unsigned ndw);
/* Finds the progress of this command. True: it goes on behind the step in `step`; false: it begins. */
bool soft_progress_begin(struct vgpu_exec *x, const uint32_t *dw, unsigned ndw, uint32_t step[SOFT_PROGRESS_DWORDS]);
/* How often in a row the command has begun without a step since: a part of it that cannot be interrupted takes longer
 * than the engine has for it. */
unsigned soft_progress_attempts(struct vgpu_exec *x);
/* A step is done. */
void soft_progress_step(struct vgpu_exec *x, const uint32_t step[SOFT_PROGRESS_DWORDS]);
/* The command is done: the same one that comes later is another one. */
void soft_progress_end(struct vgpu_exec *x);

#endif
