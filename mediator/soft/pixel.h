/* Pixel shader threads: dispatch, payload, and the messages that end in render targets. */
#ifndef GTMUX_SOFT_PIXEL_H
#define GTMUX_SOFT_PIXEL_H

#include "mediator/soft/raster.h"

#define PIXEL_SLOTS 8u /* quads of a thread with 32 channels */

/* A quad in a thread; with sample-rate shading one of its samples. */
struct pixel_slot {
    const struct raster_quad *quad;
    uint8_t sample;
};

/* A worker's environment for one thread after the other. Starts with what messages need. */
struct pixel_worker {
    struct soft_env env;
    struct soft_raster *r;
    unsigned worker;
    const struct raster_prim *prim;
    uint32_t header[8]; /* r0 of the primitive's threads */
    /* The thread: */
    struct pixel_slot slot[PIXEL_SLOTS];
    unsigned slots, width;
    uint16_t px[EU_LANES + 16], py[EU_LANES + 16]; /* the channels' pixels; messages are taken by 16 channels */
    uint32_t lit;                                  /* channels with samples, at dispatch */
    uint32_t vector;                               /* channels of quads with any */
    uint32_t live;                                 /* channels with samples that are still to be written */
    uint16_t cover[EU_LANES];                      /* these samples */
    uint32_t tested;                               /* channels whose depth and stencil tests are done */
};

struct pixel_worker *pixel_worker_create(struct soft_raster *r, unsigned worker); /* NULL: out of memory */
void pixel_worker_destroy(struct pixel_worker *w);
/* A draw begins. */
void pixel_worker_begin(struct pixel_worker *w);
/* Shades a primitive's quads within a tile. */
void pixel_run(struct pixel_worker *w, const struct raster_prim *p, const struct raster_quad *quad, unsigned n);

/* ---- pixel_payload.c: the registers that a thread starts with; begin for each primitive. */
void pixel_payload_begin(struct pixel_worker *w);
void pixel_payload(struct pixel_worker *w, const struct raster_kernel *k, struct eu_thread *t);
/* Barycentrics of 8 channels at positions x, y (pixels): out[0..7] the first, out[8..15] the second. */
void pixel_barycentrics(const struct raster_prim *p, bool perspective, const float x[8], const float y[8],
                        float out[16]);
/* Where a pixel's attributes are evaluated: 0 at the pixel, 1 centroid, 2 at the slot's sample. Of 8 channels from
 * `first` on. */
enum pixel_location { AT_PIXEL, AT_CENTROID, AT_SAMPLE };
void pixel_positions(const struct pixel_worker *w, unsigned first, enum pixel_location at, float x[8], float y[8]);

/* The constants and attributes that a kernel starts with. */
void pixel_payload_constants(const struct pixel_worker *w, const struct raster_kernel *k, struct eu_thread *t);

/* ---- pixel_flat.c */
/* Colours a primitive's quads by running the shader once (struct raster_pixel_state.flat). False: not done. */
bool pixel_run_flat(struct pixel_worker *w, const struct raster_quad *quad, unsigned n);

/* ---- pixel_message.c */
extern const struct eu_host pixel_host;

/* ---- pixel_interpolate.c */
/* Register i of a message's payload, wherever it is; zeroes beyond the end. */
const uint8_t *pixel_message_register(const struct eu_message *m, unsigned reg);
/* SFID PI. */
enum eu_result pixel_interpolate(struct pixel_worker *w, const struct eu_message *m);

/* ---- target.c */

/* A render target write of up to 16 channels for one sample. */
struct target_write {
    const struct soft_surface *s;
    const struct raster_blend *blend;
    const float *constant; /* blend constant */
    uint32_t layer;
    unsigned sample;
    uint32_t mask;              /* channels to write */
    const uint16_t *x, *y;      /* where each of the 16 is; groups of 4 are quads: x + 1, y + 1 */
    const float (*color)[16];   /* 4 components, integers as their bits */
    const float (*second)[16];  /* dual source, or NULL */
    bool alpha_to_one, uniform; /* uniform: all channels have the colour of the first */
};

void target_write(struct soft_mem *m, const struct target_write *w);
/* Reads the same channels: out[channel component][16]. */
void target_read(struct soft_mem *m, const struct target_write *w, float out[4][16]);

/* Gives all pixels of quads (their lit ones) the colour of channel 0. False: the target needs more than that (blending,
 * masks, samples), nothing is done. */
bool target_flat(struct soft_mem *m, const struct target_write *w, const struct raster_quad *quad, unsigned n);
/* Pixels for one unit of a fast clear's rectangle (PRM SKL vol 7, "MCS Buffer for Render Target(s)"; Mesa
 * blorp_clear.c). */
void target_clear_scale(const struct soft_surface *s, unsigned *x, unsigned *y);

/* ---- target_fill.c */

/* Fills pixels of one layer of the level that is drawn to, all samples of sample_mask, with an element. box is cut to
 * the level. All workers help. */
void target_fill(struct soft_raster *r, const struct soft_surface *s, struct raster_box box, uint32_t layer,
                 uint16_t sample_mask, const uint8_t element[16]);

/* ---- target_clear.c: a fast clear covers pixels of the surface by blocks; p is the rectangle in its scaled units. */
void pixel_fast_clear(struct soft_raster *r, const struct raster_prim *p);
/* What was fast-cleared of target 0 gets its pixels. */
void pixel_resolve(struct soft_raster *r);

/* ---- blend.c */

/* Blends 16 channels: src and second as in target_write, dst as read; result in out. */
void blend_channels(const struct target_write *w, float dst[4][16], float out[4][16]);
/* Logic operation on raw bits. */
uint64_t blend_logic(unsigned op, uint64_t s, uint64_t d);

#endif
