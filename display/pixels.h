/* Pixels of a viewer's frame for sinks that cannot take its layout or its format. */
#ifndef GTMUX_DISPLAY_PIXELS_H
#define GTMUX_DISPLAY_PIXELS_H

#include "display/damage.h"
#include "display/viewer.h"

/* The format without its alpha channel. */
uint32_t pixels_opaque(uint32_t fourcc);
/* Copies a box of a mapped frame, its first pixel to dst, rows `stride` bytes apart: detiled, in the frame's format or,
 * with xrgb, converted to XRGB8888. Returns the bytes written. */
uint64_t pixels_copy(const struct viewer_frame *f, const struct damage_box *box, bool xrgb, uint8_t *dst,
                     size_t stride);
/* The frame as a damage scan wants it. */
struct damage_frame pixels_damage_frame(const struct viewer_frame *f);

#endif
