/*
 * Frames: memory with a picture in it that other processes can be given. Three kinds, the first that works is taken:
 *   shared    a dma-buf of the guest's own pages. What the guest draws is in it at once; nothing is copied
 *   copied    one plane's pixels, detiled into a memfd
 *   composed  the whole picture as XRGB8888 in a memfd, for what viewers cannot do: several planes, scaling, rotation,
 *             colour keys, indexed and YUV formats
 *
 * Shared frames are cached by their surface (address, format, tiling, stride, size) and their list of pages, which is
 * compared each time: the guest may store new entries into the GGTT without a trap, so there is no other sign of a
 * change. A guest that flips between two buffers therefore makes two dma-bufs, however often it flips.
 *
 * One thread uses all of this.
 */
#ifndef GTMUX_DISPLAY_FRAME_H
#define GTMUX_DISPLAY_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "display/detile.h"
#include "display/udmabuf.h"
#include "vgpu/base/log.h"
#include "vgpu/surface.h"

#define FRAMES_MAX      32u          /* at a time, of all heads; cursors too */
#define FRAME_PAGES_MAX 32768u       /* of one surface: 128 MiB */
#define FRAME_BYTES_MAX (256u << 20) /* of all copied and composed frames together */
#define FRAME_NO_PAGE   UINT64_MAX

/* What the display needs from its user. */
struct display_host {
    void *ctx;
    /* What a head shows; false: it is dark. */
    bool (*scanout)(void *ctx, unsigned head, struct vgpu_scanout *out);
    /* Between enter and leave the guest's memory map stays as it is. False: not now, and no leave follows. */
    bool (*enter)(void *ctx);
    void (*leave)(void *ctx);
    /* Between them: the guest physical pages of n pages of the GGTT from the page aligned address on; holes are
     * FRAME_NO_PAGE. */
    void (*pages)(void *ctx, uint64_t ggtt, size_t n, uint64_t *gpa);
    /* ... where these pages lie in files. The number of runs or -errno. NULL: they do not. */
    int (*runs)(void *ctx, const uint64_t *gpa, size_t n, struct display_run *out, size_t max);
    /* ... the 4096 bytes of a page, perhaps by copying them to `room`; NULL: no memory is there. */
    const uint8_t *(*page)(void *ctx, uint64_t gpa, uint8_t *room);
    /* ... bytes of the GGTT (surface.h); its first argument is ctx. */
    vgpu_reader read;
    /* vgpu_flip_wait and vgpu_flip_shown (vgpu/vgpu.h); NULL: the guest's flips wait for nobody. */
    void (*flip_wait)(void *ctx, unsigned head, uint64_t ns);
    void (*flip_shown)(void *ctx, unsigned head, uint32_t flip);
    /* ... a descriptor of a new dma-buf of n pages, or -errno. NULL: udmabuf makes it of their runs. */
    int (*dmabuf)(void *ctx, const uint64_t *gpa, size_t n);
};

enum frame_kind { FRAME_SHARED, FRAME_COPIED, FRAME_COMPOSED };

/* As viewers see it. */
struct frame_image {
    uint32_t fourcc;
    uint32_t width, height; /* pixels */
    uint32_t stride;        /* bytes */
    uint64_t modifier;
    uint64_t bytes;
};

/* What makes two surfaces the same memory with the same meaning. */
struct frame_key {
    uint64_t ggtt;
    uint32_t stride, width, rows;
    enum vgpu_format format;
    enum vgpu_tiling tiling;
};

struct frame {
    uint32_t id; /* never used again in this process; 0: the slot is free */
    enum frame_kind kind;
    unsigned refs;
    bool stale; /* shared: the surface has other pages now */
    int fd;
    struct frame_image image;
    struct frame_key key;
    uint64_t used; /* when last looked for */
    uint32_t npages;
    uint64_t *pages; /* shared: guest physical addresses */
    uint8_t *map;    /* copied and composed: all image.bytes */
};

struct frames_stats {
    uint64_t shared, hits, copies, bytes_copied, refused; /* dma-bufs made, found again, copies made, ... */
};

struct frames {
    const struct display_host *host;
    const struct udmabuf *udmabuf;
    /* udmabuf_create, but for tests. */
    int (*create)(const struct udmabuf *u, const struct display_run *runs, size_t n);
    /* A frame is about to be freed. */
    void (*gone)(void *ctx, const struct frame *f);
    void *gone_ctx;
    struct frame slot[FRAMES_MAX];
    uint32_t next_id;
    uint64_t clock, copied_bytes; /* of frames that live */
    struct frames_stats stats;
    /* scratch */
    uint64_t *gpa;            /* FRAME_PAGES_MAX */
    struct display_run *runs; /* UDMABUF_RUNS_WANTED */
    uint8_t *rows;            /* FRAME_BAND of them */
    void *compose;
    struct gt_ratelimit log_rl;
    int told_error; /* the last reason for which a frame could not be shared; the log says it when it changes */
};

/* 0 or -ENOMEM. */
int frames_init(struct frames *fs, const struct display_host *host, const struct udmabuf *u);
void frames_release(struct frames *fs); /* all references are given up */

/*
 * Both: of one plane, which vgpu_surface_valid holds for and whose format display_fourcc knows. opaque: to be shown
 * without its alpha channel. A reference is the caller's. NULL: not possible.
 */
/* A shared frame, found or made. *x and *y: where the visible part starts in it. */
struct frame *frames_share(struct frames *fs, const struct vgpu_surface *s, bool opaque, uint32_t *x, uint32_t *y);
/* A new copy of the visible part. */
struct frame *frames_copy(struct frames *fs, const struct vgpu_surface *s, bool opaque);
/* A new composed frame of all planes. As frames_copy. */
struct frame *frames_compose(struct frames *fs, const struct vgpu_scanout *s);

/* Rows of a frame that differ from what the guest has now; first == end: none. */
struct frame_damage {
    uint32_t first, end;
};
/* Brings a copied frame up to date in place. */
void frames_refresh_plane(struct frames *fs, struct frame *f, const struct vgpu_surface *s, struct frame_damage *d);
void frames_refresh_composed(struct frames *fs, struct frame *f, const struct vgpu_scanout *s, struct frame_damage *d);

void frame_ref(struct frame *f);
void frame_unref(struct frames *fs, struct frame *f); /* NULL is fine */
/* The guest's memory map has changed: no shared frame is found again. */
void frames_forget_shared(struct frames *fs);
/* Frees all frames without references. */
void frames_trim(struct frames *fs);

#endif
