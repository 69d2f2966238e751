/*
 * Color control surfaces of surfaces with one sample. Memory is kept uncompressed, so of what a CCS can say only one
 * thing counts: "this block has the clear colour". A fast clear says so and writes no pixel, because drivers may store
 * the colour only afterwards (Mesa 25 does). The first use settles the block, with the colour that its own surface
 * state has.
 *
 * The layout is the hardware's as drivers know it (PRM SKL vol 12, "Color Control Surface": 2 bits a block of 32 bytes
 * x 4 rows; vol 7, "MCS Buffer for Render Target(s)": levels aligned to 128 x 64 pixels; Mesa isl.c, ISL_TILING_CCS),
 * because they clear parts of it with zeros. What the two bits mean is between drivers' zeros and us.
 */
#ifndef GTMUX_SOFT_CCS_H
#define GTMUX_SOFT_CCS_H

#include "mediator/soft/mem.h"
#include "mediator/soft/surface.h"

bool soft_ccs_used(const struct soft_surface *s);
/* Pixels x0 <= x < x1, y0 <= y < y1 of slice z of the level that is drawn to have the clear colour: whole blocks, of
 * those that the level has. For one thread. False: nothing is marked, as the CCS is laid out as no driver does it. */
bool soft_ccs_mark(struct soft_mem *m, const struct soft_surface *s, uint32_t x0, uint32_t y0, uint32_t x1, uint32_t y1,
                   uint32_t z);
/* Before a surface is used: what is marked in levels first <= l < end (counted as in s->level) of `slices` slices gets
 * the clear colour of s. Any number of threads may come at once; none returns before it is done. */
void soft_ccs_settle(struct soft_mem *m, const struct soft_surface *s, unsigned first, unsigned end, uint32_t slices,
                     enum soft_use use);

#endif
