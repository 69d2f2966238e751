/*
 * The sampler, in steps over all channels of a message:
 *   sampler.c         message -> job: parameters of each channel; job -> registers of the answer
 *   sampler_lod.c     derivatives -> level of detail and anisotropy of each channel
 *   sampler_cube.c    direction -> face and position; texels beyond an edge
 *   sampler_axis.c    coordinates -> texel indices and weights, by the address modes
 *   sampler_fetch.c   texel indices -> colours, from memory
 *   sampler_filter.c  colours and weights -> the answer
 *   sampler_fast.c    axis, fetch and filter in one for 2D surfaces of four bytes a texel
 * Sources: PRM SKL vol 7 ("3D Sampler"), Mesa's compiler for the order of parameters.
 */
#ifndef GTMUX_SOFT_SAMPLER_H
#define GTMUX_SOFT_SAMPLER_H

#include "mediator/soft/units.h"

#define LANES   16u
#define CORNERS 8u
#define TAPS    (LANES * CORNERS)

enum sampler_message { /* bits 16:12 of the descriptor */
                       MSG_SAMPLE,
                       MSG_SAMPLE_B,
                       MSG_SAMPLE_L,
                       MSG_SAMPLE_C,
                       MSG_SAMPLE_D,
                       MSG_SAMPLE_B_C,
                       MSG_SAMPLE_L_C,
                       MSG_LD,
                       MSG_GATHER4,
                       MSG_LOD,
                       MSG_RESINFO,
                       MSG_SAMPLEINFO,
                       MSG_GATHER4_C = 16,
                       MSG_GATHER4_PO,
                       MSG_GATHER4_PO_C,
                       MSG_SAMPLE_D_C = 20,
                       MSG_SAMPLE_LZ = 24,
                       MSG_SAMPLE_C_LZ,
                       MSG_LD_LZ,
                       MSG_LD2DMS_W = 28,
                       MSG_LD_MCS,
                       MSG_LD2DMS,
                       MSG_LD2DSS
};

enum sampler_filter { FILTER_NEAREST, FILTER_LINEAR, FILTER_ANISOTROPIC };
enum sampler_mip { MIP_NONE = 0, MIP_NEAREST = 1, MIP_LINEAR = 3 };
enum sampler_address {
    ADDRESS_WRAP,
    ADDRESS_MIRROR,
    ADDRESS_CLAMP,
    ADDRESS_CUBE,
    ADDRESS_BORDER,
    ADDRESS_MIRROR_ONCE,
    ADDRESS_HALF_BORDER
};

#define TEXEL_BORDER INT32_MIN /* an index: the border colour */

/* A message under way. Per channel: arrays. */
struct sampler_job {
    struct soft_env *e;
    const struct soft_surface *s;
    const struct soft_sampler *p;
    unsigned lanes, message;
    uint32_t mask; /* channels that matter */
    float u[LANES], v[LANES], r[LANES];
    float ai[LANES];  /* cube arrays: which */
    float ref[LANES]; /* of comparisons */
    float bias[LANES], lod[LANES], min_lod[LANES];
    uint32_t sample[LANES];
    float du[2][LANES], dv[2][LANES], dr[2][LANES]; /* by screen x and y */
    int32_t offset[3][LANES];                       /* texels */
    bool compare, offsets, gather, integer;
    uint8_t gather_channel;
    uint32_t border[4]; /* as a texel of the surface's format would be */
    /* sampler_lod: */
    float level[LANES];   /* clamped, of the view; may have a fraction */
    float raw_lod[LANES]; /* not clamped */
    bool magnified[LANES];
    uint8_t probes[LANES];              /* anisotropic: how many, */
    float step_u[LANES], step_v[LANES]; /* ... and from one to the next, normalized */
    /* the answer, before the surface's channel selects */
    uint32_t out[4][LANES];
};

/* One set of texels: corner k of lane i is [k][i]. x or y or z may be TEXEL_BORDER. */
struct sampler_taps {
    unsigned corners; /* 1, 2, 4 or 8 */
    int32_t x[CORNERS][LANES], y[CORNERS][LANES], z[CORNERS][LANES];
    uint8_t level[LANES];
    uint8_t sample[LANES];
    uint8_t missing[LANES];   /* corners of a cube have three faces: 1 + the corner without a texel */
    uint32_t colour[4][TAPS]; /* of tap k * LANES + i */
};

/* Indices and weights (0..256) of one axis. Linear: two neighbours; else only first. */
struct sampler_axis {
    int32_t first[LANES], second[LANES];
    int32_t weight[LANES]; /* of the second, in 256ths */
};

/* ---- sampler_lod.c */
/* Derivatives of implicit messages; then level, magnified and probes. */
void sampler_find_lod(struct sampler_job *j);

/* ---- sampler_cube.c */
/* u, v, r become position and face (r); derivatives follow. */
void sampler_cube_project(struct sampler_job *j);
/* The same, with the quads' derivatives: differences of where their pixels are on a pixel's own face. Shaders divide
 * directions by their largest component, so beyond an edge of the cube the differences of these say nothing. */
void sampler_cube_project_quads(struct sampler_job *j);
/* Moves an index beyond the edge of a face to the face behind the edge. True: a corner, which has no texel. */
bool sampler_cube_wrap(int32_t size, int32_t *x, int32_t *y, int32_t *face);

/* ---- sampler_axis.c. offset: of texels, or NULL */
void sampler_axis(const float *coordinate, const uint32_t *size, const int32_t *offset, unsigned lanes, unsigned mode,
                  bool linear, bool unnormalized, struct sampler_axis *a);
/* Layer of an array: nearest, clamped. */
int32_t sampler_layer(float r, uint32_t layers);

/* ---- sampler_fetch.c */
/* Colours of all taps: border colour where an index says so, zero outside of the surface. */
void sampler_fetch(struct sampler_job *j, struct sampler_taps *t);

/* ---- sampler_filter.c */
/* Fills out: all levels and probes. */
void sampler_filter(struct sampler_job *j);

/* Axes of u, v and r at one level of each lane, for all corners; t->corners is set. */
void sampler_place_taps(struct sampler_job *j, const float *u, const float *v, const uint8_t *level, bool linear,
                        struct sampler_taps *t, struct sampler_axis axis[3]);

/* ---- sampler_fast.c */
/* As sampler_filter for one level without probes, where the surface is fit for it. False: it is not. */
bool sampler_fast(struct sampler_job *j, const uint8_t *level, bool linear, uint32_t out[4][LANES]);

/* ---- sampler_load.c */
/* ld and its multisample kin: u, v, r, lod and sample are integers in their arrays' bits. */
void sampler_load(struct sampler_job *j);

/* ---- sampler_info.c */
/* resinfo, sampleinfo, lod, ld_mcs. */
void sampler_info(struct sampler_job *j);

#endif
