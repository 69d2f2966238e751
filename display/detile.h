/*
 * Pixels of a surface, given page by page as it lies in the GGTT, into rows of memory. A tile is one page, so nothing
 * needs the surface in one piece; from the processor's view it costs what memcpy costs (tests/bench/bench_detile).
 */
#ifndef GTMUX_DISPLAY_DETILE_H
#define GTMUX_DISPLAY_DETILE_H

#include <stddef.h>
#include <stdint.h>

#include "vgpu/surface.h"

#define DISPLAY_PAGE 4096u

struct detile_source {
    enum vgpu_tiling tiling;
    unsigned cpp;          /* bytes a pixel: 1, 2, 4 or 8 */
    uint32_t stride_bytes; /* a multiple of the tile's width; linear: any */
    /* The 4096 bytes of a page of the surface, or NULL: a hole, which reads as 0. The last two pointers are in
     * use. The guest may write the page meanwhile. */
    const uint8_t *(*page)(void *ctx, uint32_t index);
    void *ctx;
};

/* The part of a surface that is wanted; x and width in bytes. Inside of what the source covers. */
struct detile_rect {
    uint32_t x, y, width, rows;
};

/* Copies the rectangle to dst, its first row at dst, the next dst_stride bytes further. */
void detile_copy(const struct detile_source *s, const struct detile_rect *r, uint8_t *dst, size_t dst_stride);
/* The same from a surface in one piece. */
void detile_copy_flat(enum vgpu_tiling t, unsigned cpp, uint32_t stride_bytes, const uint8_t *src,
                      const struct detile_rect *r, uint8_t *dst, size_t dst_stride);

#endif
