/* EDID of the virtual monitors: one preferred mode of any size with a pixel clock of 25 to 675 MHz. Pure. */
#ifndef GTMUX_VGPU_EDID_H
#define GTMUX_VGPU_EDID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vgpu_mode;

#define VGPU_EDID_BLOCK 128u
#define VGPU_EDID_BUILT (2u * VGPU_EDID_BLOCK) /* base; DisplayID, for what does not fit into the base */
#define VGPU_EDID_MAX   (8u * VGPU_EDID_BLOCK) /* that the user may give */

/* One detailed timing. */
struct vgpu_edid_timing {
    uint32_t clock_10khz; /* pixel clock */
    uint16_t hactive, hblank, hfront, hsync;
    uint16_t vactive, vblank, vfront, vsync;
};

/* CVT reduced blanking, with more blanking where the lowest clock asks for it. False: no timing has such a clock. */
bool vgpu_edid_timing(const struct vgpu_mode *mode, struct vgpu_edid_timing *t);
/* Builds the EDID of head 0.. with its preferred mode. Returns its size, 0 when no timing fits. */
unsigned vgpu_edid_build(const struct vgpu_mode *mode, unsigned head, uint8_t edid[VGPU_EDID_BUILT]);

/* Of bytes that came as an EDID: header, version 1, as many blocks as it says and at most VGPU_EDID_MAX, their sums. */
bool vgpu_edid_whole(const uint8_t *edid, size_t size);
/* The first detailed timing of a whole EDID. False: there is none, or not one that a head can have. */
bool vgpu_edid_preferred(const uint8_t *edid, struct vgpu_mode *mode);

#endif
