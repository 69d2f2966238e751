/*
 * The software blitter (Gen9 2D commands). Three steps:
 *   blt_decode.c   command dwords -> struct blt (blt_pattern.c: its 8 x 8 pattern)
 *   blt_draw.c     struct blt -> rows and chunks of pixels: operands, raster operation, write mask
 *   blt_surface.c  surface coordinates -> runs of bytes in the guest's address space
 *
 * Sources of what the fields mean: PRM "Copy Engine" (Gen9 volume 10, and the 815/965 manuals that describe the same
 * registers BR00..BR30), Mesa genxml, i915 intel_gpu_commands.h, xf86-video-intel (sna) and IGT as users.
 */
#ifndef GTMUX_MEDIATOR_SOFT_BLT_H
#define GTMUX_MEDIATOR_SOFT_BLT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vgpu/exec.h"
#include "vgpu/vgpu.h"

#define BLT_PAGE 4096u

/* Scratch dwords of a blit under way: rows that are done, and which command they belong to. The setup state has the
 * first ones. The guest can write them (they are in its context image): a wrong value leaves rows out, no more. */
#define BLT_DONE_ROWS VGPU_SCRATCH_PROGRESS
#define BLT_DONE_KEY  31
#define BLT_ADDR_MASK ((UINT64_C(1) << 48) - 1)

enum blt_tiling { BLT_LINEAR, BLT_TILE_X, BLT_TILE_Y, BLT_TILE_YF, BLT_TILE_YS };

struct blt_surface {
    uint64_t base;
    int32_t pitch; /* bytes; may be negative, or anything that a guest makes up */
    uint8_t tiling;
    uint8_t cpp; /* bytes per pixel: 1, 2, 4, 8 or 16 */
};

/* The page that was used last, so that neighbouring runs need no second translation. Lives no longer than a command. */
struct blt_cursor {
    struct vgpu_exec *x;
    uint8_t *ptr; /* host address of the page, or NULL: use vgpu_exec_read/write */
    uint64_t page;
    bool write, valid;
};

/* ---- blt_surface.c: all return 0 or -EFAULT. xb counts bytes, y rows. */
void blt_cursor_init(struct blt_cursor *c, struct vgpu_exec *x, bool write);
uint64_t blt_address(const struct blt_surface *s, int64_t xb, int64_t y);
int blt_read_row(struct blt_cursor *c, const struct blt_surface *s, int64_t xb, int64_t y, size_t n, uint8_t *out);
int blt_write_row(struct blt_cursor *c, const struct blt_surface *s, int64_t xb, int64_t y, size_t n,
                  const uint8_t *in);
/* Fills with the pixel that `page` (BLT_PAGE + 16 bytes) repeats. */
int blt_fill_row(struct blt_cursor *c, const struct blt_surface *s, int64_t xb, int64_t y, size_t n,
                 const uint8_t *page);
struct blt_copy {
    struct blt_cursor *src, *dst;
    const struct blt_surface *from, *to;
    bool leftwards; /* right to left, for overlapping rows */
};
int blt_copy_row(const struct blt_copy *c, int64_t src_xb, int64_t src_y, int64_t dst_xb, int64_t dst_y, size_t n);
/* Bytes at a linear address. */
int blt_read_bytes(struct blt_cursor *c, uint64_t addr, size_t n, uint8_t *out);

/* ---- the decoded command */
enum blt_source { BLT_SRC_NONE, BLT_SRC_COLOR, BLT_SRC_MONO };

struct blt_rect {
    int32_t x1, y1, x2, y2; /* x2, y2 excluded */
};

/* One bit per pixel, most significant bit of a byte first; 1 = foreground. */
struct blt_mono {
    const uint8_t *inline_data; /* in the command itself, or NULL: at addr */
    uint64_t addr;
    uint64_t row_bits; /* distance of two rows */
    uint32_t first_bit;
    uint32_t bg, fg;
    bool transparent; /* 0 bits are not drawn */
};

struct blt_pattern {
    bool used, solid;
    bool transparent; /* mono pattern whose 0 bits are not drawn */
    uint8_t seed_x, seed_y;
    uint8_t bits[8];      /* mono pattern, row by row */
    uint8_t pixel[8][32]; /* colours of the 8 x 8 pixels, row by row */
};

/* BR00 bits 19:17 of the CHROMA commands. */
enum blt_chroma { BLT_CHROMA_ON = 1 << 0, BLT_CHROMA_ALPHA = 1 << 1, BLT_CHROMA_DST = 1 << 2 };
/* BR13 bits 25:24. */
enum blt_depth { BLT_DEPTH_8, BLT_DEPTH_565, BLT_DEPTH_1555, BLT_DEPTH_32 };

struct blt {
    struct blt_surface dst, src;
    struct blt_rect rect; /* as in the command */
    struct blt_rect clip; /* valid when clipped */
    bool clipped;
    bool leftwards, upwards; /* order of pixels and rows */
    uint8_t rop, depth;
    uint8_t source;       /* enum blt_source */
    int32_t src_x, src_y; /* source pixel for rect.x1, rect.y1 */
    struct blt_mono mono;
    struct blt_pattern pat;
    uint32_t channels; /* bits of a 32 bit pixel that are written */
    uint8_t chroma;
    uint32_t chroma_low, chroma_high;
};

/* ---- blt_decode.c */
/* True when something is to be drawn. *status is what the command returns otherwise (setup commands, guest errors). */
bool blt_decode(struct vgpu_exec *x, int cmd_id, const uint32_t *dw, unsigned ndw, struct blt *b,
                enum vgpu_payload *status);

/* ---- blt_pattern.c: set b->pat; b->dst.cpp must be known */
void blt_pattern_solid(struct blt *b, uint32_t color);
/* colors: background, foreground. */
void blt_pattern_mono(struct blt *b, bool solid, bool transparent, const uint32_t *colors, const uint8_t *bits);
void blt_pattern_fixed(struct blt *b, bool transparent, const uint32_t *colors, unsigned number);
/* False: the memory is not mapped, the command is too short. */
bool blt_pattern_memory(struct vgpu_exec *x, struct blt *b, uint64_t addr);
bool blt_pattern_inline(struct blt *b, const uint32_t *dw, unsigned ndw, unsigned at);

/* ---- blt_draw.c */
/* Draws. *pixels is the size of the rectangle that was drawn. */
enum vgpu_payload blt_draw(struct vgpu_exec *x, const struct blt *b, uint64_t *pixels);
/* The ternary raster operation on n 64-bit words; bit (P << 2 | S << 1 | D) of rop is the result for these operand
 * bits. */
void blt_rop(uint8_t rop, const uint64_t *p, const uint64_t *s, const uint64_t *d, uint64_t *out, size_t n);

#endif
