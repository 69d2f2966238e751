/* Between frame.c and frame_copy.c. */
#ifndef GTMUX_DISPLAY_FRAME_INTERNAL_H
#define GTMUX_DISPLAY_FRAME_INTERNAL_H

#include "display/frame.h"

#define FRAME_BAND         64u  /* rows copied at a time, in which the memory map cannot change */
#define FRAME_STRIDE_ALIGN 256u /* what scanout hardware and the copy past the cache want */
#define FRAME_ROW_MAX      (VGPU_WIDTH_MAX * 8u)

/* Overwrite all of a frame. */
void frame_fill_plane(struct frames *fs, struct frame *f, const struct vgpu_surface *s);
void frame_fill_composed(struct frames *fs, struct frame *f, const struct vgpu_scanout *s);

#endif
