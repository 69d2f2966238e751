/*
 * HiZ buffers. Depth memory holds every value itself, so of what a HiZ buffer can say one thing counts: a slice whose
 * HiZ is as fresh memory, all zeros, has the clear value everywhere. Mesa 26 relies on that: it clears a new depth
 * buffer by taking it as cleared, without a command. The first use of such a slice fills it.
 *
 * What is in a HiZ buffer otherwise is between us and us: a byte for each slice of each level, not zero once depth
 * memory counts. Layers have room for that: each has at least one HiZ element, of 16 bytes (Mesa isl_format_layout.csv,
 * ISL_FORMAT_HIZ).
 */
#ifndef GTMUX_SOFT_HIZ_H
#define GTMUX_SOFT_HIZ_H

#include "mediator/soft/mem.h"
#include "mediator/soft/surface.h"

/* s is a depth buffer or a texture of one, with its HiZ buffer as auxiliary surface and the clear value as its red
 * clear colour. */
bool soft_hiz_used(const struct soft_surface *s);
/* From now on depth memory counts for slice z of the level. */
void soft_hiz_mark(struct soft_mem *m, const struct soft_surface *s, unsigned level, uint32_t z);
/* Before a surface is used: slices of levels first <= l < end (counted as in s->level) for which depth memory does not
 * count yet get the clear value. Any number of threads may come at once; none returns before it is done. */
void soft_hiz_settle(struct soft_mem *m, const struct soft_surface *s, unsigned first, unsigned end, uint32_t slices);

#endif
