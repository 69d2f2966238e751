/*
 * Multisample control surfaces. Memory holds every sample (docs/soft.md, "Auxiliary surfaces"), so of what an MCS can
 * say only one thing counts: all bits set, "the pixel has the clear colour". Fast clears leave it at that, and drivers
 * make new surfaces so without drawing (iris fills the MCS with ones): such a pixel's samples are anything until they
 * are settled, with the clear colour of the state that is used then (see ccs.h).
 */
#ifndef GTMUX_SOFT_MCS_H
#define GTMUX_SOFT_MCS_H

#include "mediator/soft/mem.h"
#include "mediator/soft/surface.h"

bool soft_mcs_used(const struct soft_surface *s);
/* The value for "each sample has its own colour": sample n in slice n, 1, 2, 3 or 4 bits each. */
uint64_t soft_mcs_plain(unsigned samples);
/* Pixels x0 <= x < x1, y0 <= y < y1 of layer z of the view, of those that the surface has, to have the clear colour. */
void soft_mcs_mark(struct soft_mem *m, const struct soft_surface *s, uint32_t x0, uint32_t y0, uint32_t x1, uint32_t y1,
                   uint32_t z);
/* Before a pixel is read or written: if its MCS says "clear", its samples get the clear colour, and the MCS says that
 * each has its own. x, y, z (layer of the view) must be in range. */
void soft_mcs_settle(struct soft_mem *m, const struct soft_surface *s, uint32_t x, uint32_t y, uint32_t z,
                     enum soft_use use);
/* The clear colour as an element. */
void soft_mcs_pack_clear(const struct soft_surface *s, enum soft_use use, uint8_t element[16]);

#endif
