/*
 * An i915 in user space, preloaded into programs: opens of DRM nodes, their ioctls and mappings, and the sysfs files
 * that drivers look at, are answered here; submissions run on a GPU inside the process (mediator/gpu).
 *
 *   preload_*.c path.c fds.c   libc's functions: which file descriptors and paths are ours
 *   ioctl.c                    by number to the functions below
 *   drm_*.c kms*.c             DRM core: version, prime, syncobj, dumb buffers, modes and flips
 *   i915_*.c                   parameters, objects, contexts, submission
 *   device.c bo.c fence.c      what lives behind handles
 *
 * How a submission executes: execbuffer2 looks everything up, takes references and queues a job. One thread runs jobs
 * in the order they came, over all contexts: it binds the objects into the page tables and runs the batch on the vGPU.
 * So the dependencies that fences and implicit synchronisation ask for hold by themselves, and a fence is the number of
 * a job. All state here is under one lock, which the thread does not hold while the GPU runs; what the GPU can reach is
 * changed by that thread only, between two jobs (or by others while no job runs).
 *
 * Functions named drm_*, i915_* and kms_* are ioctls: argument copied in and out by ioctl.c, lock held, 0 or -errno.
 */
#ifndef GTMUX_MEDIATOR_SHIM_H
#define GTMUX_MEDIATOR_SHIM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <libdrm/drm.h>
#include <libdrm/i915_drm.h>

#include "mediator/gpu/gpu.h"

/* ---- handle tables: numbers from 1 on (or from `first`) to objects */
struct shim_table {
    void **slot;
    uint32_t size, hint;
};
int shim_table_add(struct shim_table *t, void *object, uint32_t first, uint32_t *handle); /* 0 or -ENOMEM */
void *shim_table_get(const struct shim_table *t, uint32_t handle);                        /* NULL: none */
void *shim_table_take(struct shim_table *t, uint32_t handle);                             /* removes it */
void shim_table_free(struct shim_table *t);

/* ---- fences: the completion of a job */
struct shim_fence {
    unsigned refs;
    uint64_t job; /* 0: signalled from the start */
    int error;
    int *event; /* eventfds of sync files that wait for it */
    unsigned nevents;
};
struct shim_fence *shim_fence_new(uint64_t job); /* NULL: out of memory */
struct shim_fence *shim_fence_ref(struct shim_fence *f);
void shim_fence_unref(struct shim_fence *f); /* NULL is fine */
bool shim_fence_done(const struct shim_fence *f);
/* Called by device.c when its job is done. */
void shim_fence_signal(struct shim_fence *f, int error);
/* A file descriptor that polls as readable when the fence is done; -errno. */
int shim_fence_fd(struct shim_fence *f);
/* The fence behind such a descriptor, referenced; NULL: it is no sync file. */
struct shim_fence *shim_fence_from_fd(int fd);

/* ---- buffer objects */
struct shim_vm {
    unsigned refs;
    struct gpu_vm *vm;
    struct shim_bound *bound; /* ascending, without overlaps */
    unsigned nbound, room;
    uint64_t next; /* address for the next object without one of its own */
};

struct shim_binding {
    struct shim_vm *vm;
    uint64_t addr;
    bool mapped; /* in the page tables */
};

struct shim_bo {
    unsigned refs;
    uint32_t index; /* in the device's list; gives the offset for mmap */
    int fd;         /* memfd; -1: user memory */
    dev_t dev;
    ino_t ino;
    struct gpu_memory memory;
    uint32_t tiling, stride;
    bool shared;             /* other processes may have it */
    uint64_t job, write_job; /* last jobs that use and write it */
    uint64_t counted;        /* bytes of the quota that it takes */
    struct shim_binding *binding;
    unsigned nbindings;
};

struct shim_bound {
    uint64_t addr, size;
    struct shim_bo *bo;
};

#define SHIM_MMAP_SHIFT 36 /* of the fake offsets: index << shift */

int shim_bo_create(struct shim_bo **out, uint64_t size);
int shim_bo_wrap(struct shim_bo **out, void *host, uint64_t size);
/* The object of a dma-buf, which is a memfd: known already, or a new one. */
int shim_bo_import(struct shim_bo **out, int fd);
struct shim_bo *shim_bo_ref(struct shim_bo *b);
void shim_bo_unref(struct shim_bo *b);
struct shim_bo *shim_bo_at_offset(uint64_t mmap_offset); /* not referenced */
struct shim_vm *shim_vm_new(void);
void shim_vm_unref(struct shim_vm *vm);
/* Address of the object there: the one it has, or a new one (without mapping it yet). 0 or -errno. */
int shim_vm_place(struct shim_vm *vm, struct shim_bo *b, uint64_t *addr);
/* Maps it at the address and takes away what is in the way. GPU thread, between jobs. 0 or -errno. */
int shim_vm_bind(struct shim_vm *vm, struct shim_bo *b, uint64_t addr);

/* ---- contexts */
#define SHIM_ENGINES_MAX 64u
struct shim_context {
    unsigned refs;
    struct shim_vm *vm;
    bool has_map;
    unsigned nengines;                /* of the map */
    uint8_t engine[SHIM_ENGINES_MAX]; /* enum vgpu_engine_id; UINT8_MAX: none */
    struct gpu_context *hw[SHIM_ENGINES_MAX];
    int64_t priority;
    bool recoverable, bannable, banned;
    uint32_t hangs;
};
struct shim_context *shim_context_new(struct shim_vm *vm); /* vm NULL: one of its own */
void shim_context_unref(struct shim_context *c);
/* Engine that an execbuffer asks for; -errno. *slot: of hw. */
int shim_context_engine(struct shim_context *c, uint64_t flags, unsigned *slot);

/* ---- jobs */
struct shim_job {
    struct shim_job *next;
    uint64_t number;
    struct shim_context *context;
    unsigned slot, engine;
    uint64_t batch;
    struct shim_fence *fence;
    unsigned nbos;
    struct {
        struct shim_bo *bo;
        uint64_t addr;
    } bo[];
};

/* ---- open files */
struct shim_event {
    struct shim_event *next;
    struct drm_event_vblank event;
};
struct shim_file {
    unsigned refs; /* descriptors, and ioctls that run */
    bool primary;  /* card0, not renderD128 */
    bool nonblock; /* reads do not wait for events */
    int event_fd;  /* the descriptor's own object: readable while there are events */
    struct shim_table bos, syncobjs, contexts, vms;
    struct shim_event *events, **events_end;
    bool universal_planes;
    bool named; /* SET_VERSION was called: the kernel gives the bus id from then on */
};
struct shim_file *shim_file_new(bool primary);
void shim_file_unref(struct shim_file *f);
static inline struct shim_bo *shim_file_bo(struct shim_file *f, uint32_t handle)
{
    return shim_table_get(&f->bos, handle);
}

/* ---- syncobj (drm_syncobj.c) */
struct shim_syncobj;
struct shim_syncobj *shim_syncobj_ref(struct shim_syncobj *s);
void shim_syncobj_unref(struct shim_syncobj *s);
/* point 0: binary. True when a fence is there to wait for. */
bool shim_syncobj_has(const struct shim_syncobj *s, uint64_t point);
int shim_syncobj_set(struct shim_syncobj *s, uint64_t point, struct shim_fence *f);

/* ---- device.c */
struct shim {
    struct gpu *gpu;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a job was done, a syncobj got a fence */
    struct shim_table bos;  /* all of them, by index */
    uint64_t submitted, done;
    bool running; /* a job is on the GPU */
    int fd_floor; /* our own descriptors are above */
    pid_t pid;    /* whose memory this is */
    bool png;     /* frames are to be written */
    const char *png_dir;
    unsigned png_left, width, height;
};
extern struct shim shim;

/* Starts the device once. 0 or -errno. Without the lock. */
int shim_start(void);
void shim_lock(void);
void shim_unlock(void);
/* Gives the job away. */
void shim_submit(struct shim_job *job);
/* Waits until the job is done, or until a time of CLOCK_MONOTONIC (ns; INT64_MAX: for ever). 0 or -ETIME. */
int shim_wait_job(uint64_t job, int64_t deadline);
/* Waits for `changed`. 0 or -ETIME. */
int shim_wait_change(int64_t deadline);
/* Calls fn(object) as soon as no job runs: maybe at once. */
void shim_when_idle(void (*fn)(void *object), void *object);
int64_t shim_deadline(int64_t relative_ns); /* < 0: for ever */

/* ---- turns.c: the program as a tenant of gtmuxd; without one all of it is nothing */
/* 0 or -errno; -EPERM, told on stderr: refused. */
int shim_turns_start(void);
void shim_turns_forked(void);
/* When a frame that is to be shown now may be shown. With the lock. */
uint64_t shim_frame_due(uint64_t now);
/* Adds to the GPU-visible memory (below 0: gives back). 0, or -ENOMEM: it is more than the quota. */
int shim_memory_take(int64_t bytes);

/* ---- fds.c: what descriptors of ours are. Lock-free look-ups. */
enum shim_fd_kind { SHIM_FD_NONE, SHIM_FD_DRM, SHIM_FD_FENCE, SHIM_FD_SYNCOBJ };
/* The descriptor now stands for the object, whose reference is taken over. 0 or -ENOMEM: then it is dropped. */
int shim_fd_set(int fd, enum shim_fd_kind kind, void *object);
enum shim_fd_kind shim_fd_kind(int fd);
/* Another reference to its object; NULL when it is of another kind. */
void *shim_fd_get(int fd, enum shim_fd_kind kind);
void shim_fd_put(enum shim_fd_kind kind, void *object);
void shim_fd_closed(int fd);
void shim_fd_copied(int from, int to);
/* A duplicate out of the program's way, close on exec; -errno. Takes fd over. */
int shim_fd_move(int fd);

/* ---- path.c */
#define SHIM_PATH_MAX 1024u
/* Path as it is to be used: in the tree that stands for ours, or the same. */
const char *shim_path(const char *path, char buf[SHIM_PATH_MAX]);
/* The same for a path that counts from an open folder, as libudev walks: one name after the other. */
const char *shim_path_at(int dir, const char *path, char buf[SHIM_PATH_MAX]);
/* True for the DRM nodes (as programs name them); *primary: card0. */
bool shim_path_is_node(const char *path, bool *primary);

/* ---- preload_open.c */
/* A descriptor that another process of gtmux exec sent, as X servers do, becomes a render node of this process: only
 * such an eventfd is asked to be a DRM device. False: it is none. */
bool shim_node_adopt(int fd);
/* The tree's root, which programs must not see in resolved paths; NULL: none. */
const char *shim_path_root(void);

/* ---- ioctl.c */
/* Whole ioctl, without the lock. Returns and sets errno as ioctl(2). */
int shim_ioctl(struct shim_file *f, unsigned long request, void *arg);

/* ---- kms.c */
/* Takes the oldest events that fit; bytes, 0: none. */
size_t shim_events_read(struct shim_file *f, void *buf, size_t n);
/* ---- kms_frame.c: writes what a framebuffer shows as a PNG file. */
struct shim_fb {
    struct shim_bo *bo;
    uint32_t width, height, pitch, offset, format; /* DRM_FORMAT_* */
    uint64_t modifier;
};
void shim_frame_write(const struct shim_fb *fb);

#define SHIM_PTR(u64) ((void *)(uintptr_t)(u64))

#endif
