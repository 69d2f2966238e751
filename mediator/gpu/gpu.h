/*
 * A GPU inside this process: a struct vgpu with the software backend, and what a kernel driver does for it. So programs
 * and captures run on exactly the command streamer, contexts and page tables that guests get.
 *
 * Physical memory is an arena of address space that buffers are mapped into, and windows to memory that is somewhere
 * else already. All functions but gpu_reg_read and gpu_timestamp are for one thread at a time.
 */
#ifndef GTMUX_MEDIATOR_GPU_H
#define GTMUX_MEDIATOR_GPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mediator/backend.h"
#include "vgpu/desc/regs.h"

#define GPU_PAGE UINT64_C(4096)

struct gpu;
struct gpu_vm;
struct gpu_context;

/* threads: of the render engine, 0: as many as there are processors. 0 or -errno with a message. */
int gpu_create(struct gpu **out, unsigned threads, char *err, unsigned errsz);
void gpu_destroy(struct gpu *g); /* NULL is fine; after everything that was made from it */
void gpu_stats(struct gpu *g, struct backend_stats *out);
/* Commands that all engines have executed. Any thread. */
uint64_t gpu_commands(struct gpu *g);
/* Device time in ticks of 12 MHz, and registers as a privileged reader sees them. Any thread. */
uint64_t gpu_timestamp(struct gpu *g);
uint32_t gpu_reg_read(struct gpu *g, uint32_t off);
/* In the child of a fork, when no gpu_context_run was under way: threads and locks are the parent's. */
void gpu_forked(struct gpu *g);
/* Makes a gpu_context_run return soon, with GPU_STOPPED. Any thread. */
void gpu_stop(struct gpu *g, bool stop);

/* Who shares the GPU with others: asked around each stretch of execution, on the thread that runs. */
struct gpu_turns {
    void *ctx;
    bool (*begin)(void *ctx, unsigned engine);   /* waits for the turn. False: give the batch up */
    bool (*pressed)(void *ctx, unsigned engine); /* during the turn: somebody else waits for the next one */
    void (*end)(void *ctx, unsigned engine, bool more);
};
/* Before anything runs; NULL: nobody. *turns must live as long as g. */
void gpu_set_turns(struct gpu *g, const struct gpu_turns *turns);
/* Makes the engine's turn end soon, its batch goes on in the next one. Any thread. */
void gpu_leave(struct gpu *g, unsigned engine);

/* ---- memory */

struct gpu_memory {
    uint64_t gpa, size; /* size: whole pages */
    uint8_t *host;
    bool window; /* the memory is somebody else's */
};

/* Maps size bytes of a memfd, or with fd -1 of zeroed private memory. 0 or -errno. */
int gpu_memory_map(struct gpu *g, struct gpu_memory *m, uint64_t size, int fd);
/* Makes memory of this process reachable; host and size are whole pages. */
int gpu_memory_wrap(struct gpu *g, struct gpu_memory *m, void *host, uint64_t size);
void gpu_memory_free(struct gpu *g, struct gpu_memory *m);

/* ---- address spaces: 48 bits, page tables in the arena */

struct gpu_vm *gpu_vm_create(struct gpu *g); /* NULL: out of memory */
void gpu_vm_destroy(struct gpu_vm *vm);
/* addr, gpa and size: whole pages. What was there is replaced. 0 or -errno. */
int gpu_vm_map(struct gpu_vm *vm, uint64_t addr, uint64_t gpa, uint64_t size);
void gpu_vm_unmap(struct gpu_vm *vm, uint64_t addr, uint64_t size);
/* Where a GPU address is in this process, and how many bytes follow in the same page; NULL: not mapped. */
uint8_t *gpu_vm_find(struct gpu_vm *vm, uint64_t addr, size_t *left);

/* ---- contexts: a logical context of one engine, with its ring */

enum gpu_result {
    GPU_DONE,
    GPU_STOPPED, /* gpu_stop: what the batch did not do is lost */
    GPU_HUNG,    /* the engine refused something, or waited for longer than GPU_WAIT_NS; it was reset */
};
#define GPU_WAIT_NS (UINT64_C(10) * 1000000000u)

/* NULL: out of memory. The vm must live longer. */
struct gpu_context *gpu_context_create(struct gpu_vm *vm, unsigned engine);
void gpu_context_destroy(struct gpu_context *c);
/* Executes an unprivileged batch to its end. */
enum gpu_result gpu_context_run(struct gpu_context *c, uint64_t batch);

#endif
