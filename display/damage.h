/*
 * Finds out which pages of a frame have changed, for sinks that must be told and for guests that draw into what is
 * shown. It reads the frame and compares a sum of each page with the one before: as much work as one read of memory,
 * done as often as the sink asks, and by the sink, not by the guest's process.
 */
#ifndef GTMUX_DISPLAY_DAMAGE_H
#define GTMUX_DISPLAY_DAMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vgpu/surface.h"

struct damage;

/* For frames of up to `bytes` bytes; all of it counts as changed at the first scan. NULL: no memory. */
struct damage *damage_create(uint64_t bytes);
void damage_destroy(struct damage *d); /* NULL is fine */

/* Pixels of a frame: x and y included, x_end and y_end not. */
struct damage_box {
    uint32_t x, y, x_end, y_end;
};

/* The frame that a scan reads. */
struct damage_frame {
    const uint8_t *map;
    enum vgpu_tiling tiling;
    unsigned cpp;
    uint32_t stride, width, height;
};

/* Calls `changed` for boxes that together hold every pixel that has changed in pages of `window` since the last scan:
 * one for each row of tiles (linear: each group of rows) with changes. Returns their number. */
unsigned damage_scan(struct damage *d, const struct damage_frame *f, const struct damage_box *window,
                     void (*changed)(void *ctx, const struct damage_box *box), void *ctx);
/* A sum of n bytes, which differs when they do (but for one time in 2^64). */
uint64_t damage_sum(const uint8_t *p, size_t n);

#endif
