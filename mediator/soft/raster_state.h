/* Between the files of raster_state_*.c. */
#ifndef GTMUX_SOFT_RASTER_STATE_H
#define GTMUX_SOFT_RASTER_STATE_H

#include "mediator/soft/raster.h"

/* The kept dwords of a state command. */
#define STATE(s, cmd) soft_state_get(s, C_##cmd, NULL)

/* 3DSTATE_WM_DEPTH_STENCIL and the buffers. */
void raster_state_depth(const struct soft_engine *e, struct raster_depth_state *ds, unsigned samples);
/* BLEND_STATE, COLOR_CALC_STATE, 3DSTATE_PS_BLEND. */
void raster_state_blend(struct soft_engine *e, struct raster_state *st);
/* 3DSTATE_PS, _PS_EXTRA, _WM, _CONSTANT_PS; needs the others. False: nothing can come of the draw. */
bool raster_state_pixel(struct soft_engine *e, struct raster_state *st);

#endif
