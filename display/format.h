/* Names that the kernel and viewers have for the guest's pixel formats and tilings. */
#ifndef GTMUX_DISPLAY_FORMAT_H
#define GTMUX_DISPLAY_FORMAT_H

#include <stdint.h>

#include "vgpu/surface.h"

/* The DRM fourcc of a format that viewers take as it is; 0: it must be converted (indexed, YUV). */
uint32_t display_fourcc(enum vgpu_format f);
/* The DRM modifier of a tiling. */
uint64_t display_modifier(enum vgpu_tiling t);
/* The other way round; false: not one of ours. Alpha is told by the fourcc. */
bool display_from_fourcc(uint32_t fourcc, enum vgpu_format *f);
bool display_from_modifier(uint64_t modifier, enum vgpu_tiling *t);

#endif
