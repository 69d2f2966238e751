/* Private to mediator/gpu. */
#ifndef GTMUX_MEDIATOR_GPU_INTERNAL_H
#define GTMUX_MEDIATOR_GPU_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "mediator/gpu/gpu.h"
#include "vgpu/vgpu.h"

#define GPU_ARENA_BYTES  (UINT64_C(1) << 38) /* the lower half of the 39-bit physical addresses of Gen9 */
#define GPU_WINDOW_BYTES (UINT64_C(1) << 28)
#define GPU_WINDOWS      1024u /* in the upper half */

/* Free parts of a range of numbers, ascending and apart. */
struct gpu_range {
    uint64_t start, size;
};
struct gpu_ranges {
    struct gpu_range *free;
    unsigned count, capacity;
};
int gpu_ranges_init(struct gpu_ranges *r, uint64_t start, uint64_t size);
void gpu_ranges_fini(struct gpu_ranges *r);
/* First fit. 0 or -ENOSPC. */
int gpu_ranges_take(struct gpu_ranges *r, uint64_t size, uint64_t align, uint64_t *start);
/* 0 or -ENOMEM: then the range is lost. */
int gpu_ranges_give(struct gpu_ranges *r, uint64_t start, uint64_t size);

struct gpu_window {
    uint8_t *host;
    uint64_t size;
};

struct gpu {
    struct vgpu *v;
    struct backend *backend;
    pthread_mutex_t lock; /* the device lock */
    _Atomic bool stop;
    const struct gpu_turns *turns; /* NULL: all the time is ours */
    uint8_t *arena;
    struct gpu_ranges space;   /* of the arena */
    struct gpu_ranges windows; /* by number */
    struct gpu_window window[GPU_WINDOWS];
    struct gpu_memory tables; /* where page tables come from now */
    uint64_t tables_used;
    uint64_t free_table; /* list of free pages: each one begins with the gpa of the next; 0: end */
    struct gpu_memory *table_chunks;
    unsigned ntable_chunks;
    struct gpu_ranges ggtt;
    struct gpu_memory status[VGPU_ENGINES]; /* hardware status pages */
    uint32_t status_ggtt[VGPU_ENGINES];
};

/* NULL: there is nothing. */
uint8_t *gpu_memory_at(struct gpu *g, uint64_t gpa);
int gpu_memory_init(struct gpu *g);
void gpu_memory_fini(struct gpu *g);
/* A zeroed page for page tables; 0: out of memory. */
uint64_t gpu_table_new(struct gpu *g);
void gpu_table_free(struct gpu *g, uint64_t gpa);
/* GGTT entries for memory. 0 or -errno. */
int gpu_ggtt_map(struct gpu *g, const struct gpu_memory *m, uint64_t room, uint32_t *addr);
void gpu_ggtt_unmap(struct gpu *g, uint32_t addr, uint64_t room);
/* Registers of the engines as a driver leaves them when it has started the device. */
void gpu_engines_start(struct gpu *g);
void gpu_reset(struct gpu *g);

uint64_t gpu_vm_root(const struct gpu_vm *vm);
struct gpu *gpu_vm_gpu(const struct gpu_vm *vm);

#endif
