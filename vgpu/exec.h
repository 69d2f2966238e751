/*
 * What a command may use while it is executed: the address space, registers and the context's private dwords.
 * Used by the command streamer itself and by the backends' payload functions. All "free" (no device lock held).
 */
#ifndef GTMUX_VGPU_EXEC_H
#define GTMUX_VGPU_EXEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vgpu_exec;

/* Operands are in the context's PPGTT; those of commands in a privileged (GGTT) batch in the GGTT. */
/* 0 or -EFAULT (unmapped, or read-only for writes). Any length and alignment; naturally aligned 4/8 bytes are atomic.
 */
int vgpu_exec_read(struct vgpu_exec *x, uint64_t addr, void *dst, size_t n);
int vgpu_exec_write(struct vgpu_exec *x, uint64_t addr, const void *src, size_t n);
/* Host pointer to the byte at addr, valid up to the end of its 4 KiB page until the command returns; NULL: use
 * read/write. */
uint8_t *vgpu_exec_ptr(struct vgpu_exec *x, uint64_t addr, bool write);
/* True when the command should stop soon with VGPU_PAYLOAD_AGAIN: the engine is being reset, or its thread is wanted
 * out (vgpu_engine_leave). Then the same command comes again; it keeps what it has done in its scratch dwords, and does
 * some work in each call. Cheap; ask once a row of pixels. */
bool vgpu_exec_stop(const struct vgpu_exec *x);
/* Of a stop: nothing comes of the command any more, as the engine is being reset or its workload was given up. */
bool vgpu_exec_abandoned(const struct vgpu_exec *x);
/* 32 dwords that belong to the context and are saved and restored with its image (the blitter's setup state). */
uint32_t *vgpu_exec_scratch(struct vgpu_exec *x);
/* The dword of them that tells how far the command has come; 0 again as soon as the command is done. A command that is
 * continued (VGPU_PAYLOAD_AGAIN, and after the death of the process) finds it as it left it. */
#define VGPU_SCRATCH_PROGRESS 30
/*
 * State that the backend keeps for the context, VGPU_BACKEND_BYTES: zero in a new one, saved to and restored from its
 * image behind the register page, where hardware keeps the 3D pipeline's (i915 GEN9_LR_CONTEXT_RENDER_SIZE: 22 pages).
 * What is in it after a restore is the guest's choice. A context whose commands never ask for it costs nothing.
 * *fresh: since the last call the state became another one, of another context or loaded again.
 */
#define VGPU_BACKEND_BYTES (3u * 4096u)
void *vgpu_exec_state(struct vgpu_exec *x, bool *fresh);
/* To be called when it is changed, or it is not saved. */
void vgpu_exec_state_changed(struct vgpu_exec *x);
/* Where the command is in its stream. With the command's dwords it tells whose progress that is. */
uint64_t vgpu_exec_position(const struct vgpu_exec *x);
unsigned vgpu_exec_engine(const struct vgpu_exec *x);
/* Register access with command-streamer rights (takes the device lock). */
uint32_t vgpu_exec_reg_read(struct vgpu_exec *x, uint32_t off);
void vgpu_exec_reg_write(struct vgpu_exec *x, uint32_t off, uint32_t val);

#endif
