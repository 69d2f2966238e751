/*
 * What the guest test programs share: i915 objects, batches, contexts, KMS. They run inside a lab guest (static
 * binaries in the initramfs), use the kernel's uapi only, and print one line a check, closed by "N passed, N failed".
 */
#ifndef GT_H
#define GT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <drm.h>
#include <drm_fourcc.h>
#include <drm_mode.h>
#include <i915_drm.h>

/* Commands that the programs put into batches (gen9.xml); lengths as dwords - 2 are in the header already. */
#define MI_NOOP               0u
#define MI_ARB_CHECK          (0x05u << 23)
#define MI_BATCH_BUFFER_END   (0x0au << 23)
#define MI_STORE_DATA_IMM     (0x20u << 23 | 2)
#define MI_LOAD_REGISTER_IMM  (0x22u << 23 | 1)
#define MI_STORE_REGISTER_MEM (0x24u << 23 | 2)
#define MI_BATCH_BUFFER_START (0x31u << 23 | 1u << 8 | 1)
#define XY_SRC_COPY_BLT_32    (2u << 29 | 0x53u << 22 | 3u << 20 | 8)
#define BLT_SRC_TILED         (1u << 15)
#define BLT_DST_TILED         (1u << 11)

enum gt_engine { GT_RCS, GT_BCS, GT_VCS, GT_VECS, GT_ENGINES };
extern const char *const gt_engine_name[GT_ENGINES];

/* Opens the i915 card (waits up to 5 s for the node); ends the program when there is none. */
int gt_open(void);
/* ioctl that is repeated on EINTR and EAGAIN. 0 or -errno. */
int gt_ioctl(unsigned long request, void *arg);
double gt_now(void); /* seconds, monotonic */

/* One check: prints "ok NAME" or "FAIL NAME: text". Returns ok. */
bool gt_check(bool ok, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Prints the closing line; the exit code. */
int gt_done(void);

struct gt_bo {
    uint32_t handle;
    uint64_t size;
    uint64_t addr; /* GPU address, pinned; each object of a program has its own */
    uint32_t *cpu; /* write-combined mapping */
};
/* A new object of at least `size` bytes, mapped and zero. Ends the program when the kernel refuses. */
struct gt_bo gt_bo_new(uint64_t size);
void gt_bo_free(struct gt_bo *bo);
/* Another mapping: I915_MMAP_OFFSET_{GTT,WC,WB}. NULL on failure. */
void *gt_bo_map(const struct gt_bo *bo, unsigned type);
int gt_wait(const struct gt_bo *bo, double seconds); /* 0, -ETIME, ... */
bool gt_busy(const struct gt_bo *bo);

uint32_t gt_context_new(void);
void gt_context_free(uint32_t ctx);
/* Runs batch at byte `start` on an engine; `used` are the other objects it touches. 0 or -errno. */
int gt_exec(enum gt_engine e, uint32_t ctx, const struct gt_bo *batch, uint32_t start, const struct gt_bo *const *used,
            unsigned nused);
/* Emits a store of `value` at bo + offset into p; returns p behind it. */
uint32_t *gt_store(uint32_t *p, const struct gt_bo *bo, uint32_t offset, uint32_t value);

/* ---- KMS */
struct gt_head {
    uint32_t connector, crtc, encoder;
    unsigned pipe; /* index of the CRTC */
    struct drm_mode_modeinfo mode;
};
struct gt_fb {
    uint32_t handle, fb, pitch, width, height;
    uint64_t size;
    uint8_t *cpu;
};
/* Connected connectors with their preferred modes, each given its own CRTC. Returns how many (at most max). */
unsigned gt_heads(struct gt_head *heads, unsigned max);
struct gt_fb gt_fb_new(uint32_t width, uint32_t height);
int gt_set_mode(const struct gt_head *h, const struct gt_fb *fb);
int gt_flip(const struct gt_head *h, const struct gt_fb *fb, uint64_t user_data); /* with event */

#endif
