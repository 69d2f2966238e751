/*
 * The pixel half of the 3D pipeline. A draw goes through:
 *   raster_state.c   state commands and heaps -> struct raster_state
 *   raster.c         the batch: collects primitives into tiles of the screen, runs the tiles on the pool
 *   clip.c           clip tests, clipping, perspective divide, viewport transform
 *   setup*.c         screen primitives: edges, planes, attributes
 *   raster_cover.c   which samples of 8 x 8 blocks a primitive covers
 *   raster_tile.c    blocks -> quads of 2 x 2 pixels: stipple, early depth, to the pixel dispatch
 *   depth.c          depth and stencil tests and their buffers; raster_hz.c clears them
 *   pixel*.c         threads: payload, messages
 *   target*.c blend.c    render targets: conversion, blending, stores
 *
 * Screen coordinates are 24.8 fixed point ("sub" in names), y downwards. Sources: PRM SKL vol 7 (3D-Media-GPGPU) and
 * vol 2 (commands), Mesa's genxml, iris, blorp and its compiler's thread payloads.
 */
#ifndef GTMUX_SOFT_RASTER_H
#define GTMUX_SOFT_RASTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "mediator/soft/draw.h"

#define RASTER_TILE       64 /* pixels, both ways */
#define RASTER_TILES_SIDE 256
#define RASTER_BLOCK      8
#define RASTER_SCREEN     16384 /* largest coordinate of a render target, exclusive */
#define RASTER_SAMPLES    16
#define RASTER_VIEWPORTS  16
#define RASTER_ATTRIBUTES 32
#define RASTER_TARGETS    8
#define RASTER_SUB        256 /* subpixels in a pixel */
#define RASTER_TILE_QUADS ((RASTER_TILE / 2) * (RASTER_TILE / 2))

/* 3D_Compare_Function of genxml. */
enum raster_compare {
    COMPARE_ALWAYS,
    COMPARE_NEVER,
    COMPARE_LESS,
    COMPARE_EQUAL,
    COMPARE_LEQUAL,
    COMPARE_GREATER,
    COMPARE_NOTEQUAL,
    COMPARE_GEQUAL
};

struct raster_box {
    int32_t x0, y0, x1, y1; /* pixels; x1, y1 excluded */
};

static inline struct raster_box raster_intersect(struct raster_box a, struct raster_box b)
{
    return (struct raster_box){a.x0 > b.x0 ? a.x0 : b.x0, a.y0 > b.y0 ? a.y0 : b.y0, a.x1 < b.x1 ? a.x1 : b.x1,
                               a.y1 < b.y1 ? a.y1 : b.y1};
}

struct raster_viewport {
    float scale[3], offset[3];
    float guard[4], view[4];    /* x min, max, y min, max in units of w */
    float depth_min, depth_max; /* CC_VIEWPORT */
    struct raster_box box;      /* scissor and drawing rectangle */
};

/* How one attribute of the pixel shader comes from the vertex: SF_OUTPUT_ATTRIBUTE_DETAIL and 3DSTATE_SBE's masks. */
struct raster_attribute {
    uint8_t source;   /* vec4 of the vertex, counted from the read offset */
    uint8_t swizzle;  /* SF_OUTPUT_ATTRIBUTE_DETAIL.SwizzleSelect */
    uint8_t constant; /* .ConstantSource */
    uint8_t override; /* components that take the constant */
    uint8_t prim_id;  /* components that take PrimitiveID */
    uint8_t wrap;     /* components that wrap the shortest way */
    bool flat, sprite;
};

struct raster_clip_state {
    bool enable, reject_all, accept_all, d3d, xy_test, guardband, near_test, far_test, divide, statistics;
    uint8_t clip_distances, cull_distances;
    uint8_t max_viewport;
    bool zero_layer;
    float point_min, point_max;
};

struct raster_blend {
    bool enable, logic_enable, clamp_pre, clamp_post, clamp_source;
    uint8_t clamp_range;
    uint8_t color_func, alpha_func, src_color, dst_color, src_alpha, dst_alpha, logic_op;
    uint8_t write_mask; /* bit i: channel i (red first) is written */
};

struct raster_stencil_face {
    uint8_t func, fail, depth_fail, pass, test_mask, write_mask, ref;
};

struct raster_depth_state {
    bool test, write, stencil_test, stencil_write, usual; /* usual: see depth_is_usual */
    uint8_t func;
    uint8_t format; /* 3DSTATE_DEPTH_BUFFER.SurfaceFormat */
    struct raster_stencil_face face[2];
    struct soft_surface depth, stencil; /* type SOFT_SURF_NULL: none; drawn to is the last level */
};

/* 3DSTATE_DEPTH_BUFFER.SurfaceFormat */
enum { DEPTH_D32F = 1, DEPTH_D24 = 3, DEPTH_D16 = 5 };

struct raster_kernel {
    const struct eu_kernel *kernel;
    uint8_t start; /* first register of constants and attributes */
};

/* PS_EXTRA.InputCoverageMaskState */
enum raster_coverage { COVERAGE_NONE, COVERAGE_NORMAL, COVERAGE_INNER, COVERAGE_DEPTH };

struct raster_pixel_state {
    bool run;                 /* pixel shader threads are dispatched */
    bool flat;                /* every thread of a primitive writes the same colour: eu_kernel_is_uniform */
    bool fast_clear, resolve; /* of the auxiliary surface: no shader, no pixels of its own */
    bool kills, omask, alpha_test, alpha_to_coverage, alpha_to_one;
    bool computes_depth, computes_stencil, per_sample, source_depth, source_w, vector_mask, attributes;
    uint8_t depth_mode;      /* PS_EXTRA.PixelShaderComputedDepthMode */
    uint8_t coverage;        /* enum raster_coverage */
    uint8_t position_offset; /* 3DSTATE_PS.PositionXYOffsetSelect */
    uint8_t barycentrics;    /* 3DSTATE_WM.BarycentricInterpolationMode */
    uint8_t depth_position;  /* 3DSTATE_WM.PositionZWInterpolationMode */
    bool early_depth;
    uint8_t alpha_func;
    float alpha_ref;
    bool statistics;
    struct raster_kernel kernel[3]; /* for 8, 16 and 32 channels */
    uint32_t rounding;              /* bits of cr0 */
    uint32_t binding_table_offset, sampler_offset, color_calc_offset;
    uint64_t binding_table, samplers, scratch;
    uint32_t scratch_bytes, scratch_field;
    unsigned max_threads;
    unsigned constant_registers;
    uint8_t constants[64 * EU_REG_BYTES];
};

struct raster_state {
    unsigned vue_dwords;
    unsigned samples; /* 1, 2, 4, 8, 16 */
    uint16_t sample_mask;
    uint8_t sample_x[RASTER_SAMPLES], sample_y[RASTER_SAMPLES]; /* 1/16 pixel */
    int32_t pixel_offset;                                       /* sub: 128 when pixels are meant by their centre */
    struct raster_clip_state clip;
    struct raster_viewport viewport[RASTER_VIEWPORTS];
    bool viewport_transform, statistics;
    int32_t snap; /* sub: 1, or 16 with 4 bits */
    int32_t origin_x, origin_y;
    struct raster_box drawing;
    /* 3DSTATE_RASTER, _SF */
    uint8_t cull, fill[2]; /* front, back */
    bool front_ccw;
    bool bias_solid, bias_wireframe, bias_point;
    float bias_constant, bias_scale, bias_clamp;
    bool antialias, multisample, smooth_point, last_pixel;
    float line_width, point_width;
    bool point_width_vertex, point_upper_right;
    bool conservative;
    /* stipple */
    bool line_stipple, poly_stipple, lines_apart; /* apart: the counter begins again with each line */
    uint8_t topology;                             /* 3DSTATE_VF_TOPOLOGY */
    uint16_t line_pattern;
    uint32_t line_repeat;
    uint8_t poly_x, poly_y;
    uint32_t poly_pattern[32];
    /* attributes */
    unsigned attributes, attribute_offset; /* how many; first dword of the first in the vertex */
    bool sprite_lower_left;
    struct raster_attribute attribute[RASTER_ATTRIBUTES];
    struct raster_depth_state ds;
    struct raster_blend blend[RASTER_TARGETS];
    float blend_constant[4];
    struct raster_pixel_state ps;
};

/* Plane over the screen: value at the reference point of its primitive, and slopes by pixel. */
struct raster_plane {
    float c, dx, dy;
};

/* Inside: a * x + b * y + c >= 0 for x, y in sub, relative to the whole screen. */
struct raster_edge {
    int32_t a, b;
    int64_t c;
};

struct raster_prim {
    struct raster_box box;      /* pixels that may have samples in it, within scissor and screen */
    struct raster_edge edge[4]; /* of `edges` */
    uint8_t edges;              /* 0: all of the box */
    uint8_t kind;               /* enum soft_prim_kind of what is drawn: rasterisation rules, depth bias */
    bool back, perspective, smooth, stippled, polygon;
    uint8_t viewport;
    uint16_t layer;
    float ref_x, ref_y;                     /* pixels: reference point of the planes */
    struct raster_plane z, q, u, v, l1, l2; /* q = 1/w, u, v = perspective barycentrics times q, l1, l2 linear ones */
    float depth_min, depth_max;
    float smooth_ax, smooth_ay, smooth_half, smooth_length; /* unit direction of an AA line, half its width */
    uint32_t stipple_start;                                 /* line stipple counter at the first vertex */
    uint32_t setup; /* index of its attribute planes (16 floats an attribute) in soft_raster.setup */
};

/* Four pixels, 2 x 2; pixel i is at x + (i & 1), y + (i >> 1). */
struct raster_quad {
    uint16_t x, y;
    uint16_t cover[4];  /* samples of each pixel, after the sample mask and what was tested so far */
    uint16_t raster[4]; /* samples that the primitive covers: input coverage, centroid */
    uint8_t lit;        /* pixels that have some in cover */
};

/* How many of four bits are set. */
static inline unsigned raster_count4(unsigned bits)
{
    return (bits & 1) + (bits >> 1 & 1) + (bits >> 2 & 1) + (bits >> 3 & 1);
}

/* ---- batch */

#define RASTER_PRIMS   4096u
#define RASTER_SETUP   (RASTER_PRIMS * 8u) /* attributes: 64 bytes each */
#define RASTER_ENTRIES (2u * RASTER_TILES_SIDE * RASTER_TILES_SIDE)

struct raster_entry {
    uint32_t prim, next;
};

struct raster_tile {
    uint32_t first, last; /* entries; RASTER_NONE: none */
};
#define RASTER_NONE UINT32_MAX

struct pixel_worker;

/* What a worker needs for tiles. */
struct raster_worker {
    struct raster_quad quad[RASTER_TILE_QUADS];
    unsigned quads;
    uint64_t ps_invocations, ps_depth, unknown;
    uint64_t deadline; /* ns of the thread's processor time, when its tile is given up; 0: the engine is not wanted */
    struct pixel_worker *pixel;
};

struct soft_raster {
    struct soft_engine *e;
    struct raster_state state;
    bool active; /* soft_raster_begin said true */
    unsigned prims, setups, entries, tiles;
    uint64_t work;         /* pixels of their boxes */
    uint32_t drawn;        /* of the tiles, the first ones; while they are run: before that */
    uint32_t skip, passed; /* of the geometry's batch: tiles drawn before it was interrupted, tiles drawn in all */
    bool interrupted;
    struct raster_prim *prim;
    float (*setup)[16];
    struct raster_entry *entry;
    struct raster_tile *tile;      /* RASTER_TILES_SIDE squared */
    uint32_t *used;                /* tiles that have primitives */
    struct raster_worker **worker; /* of the pool */
    uint32_t line_counter;         /* line stipple: pixels since the last reset */
};

/* ---- raster.c */
/* True when the worker has drawn for so long since the engine wants to stop that what is left of its tile is given up.
 * Tiles of any sane program are finished before, so that each is either drawn or not: draws cannot be repeated. */
bool raster_late(struct soft_raster *r, unsigned worker);

/* ---- raster_state.c */
/* Derives st from the engine's state. False: nothing can be drawn. */
bool raster_state_derive(struct soft_engine *e, struct raster_state *st, unsigned vue_dwords);
/* Sample count and pattern for 1 << log2 samples. */
void raster_state_samples(const struct soft_engine *e, struct raster_state *st, unsigned log2);
/* The depth and stencil buffers as surfaces. */
void raster_state_buffers(const struct soft_state *s, struct raster_depth_state *ds, unsigned samples);

/* ---- raster_hz.c */
/* Before the level of a depth buffer that is drawn to is used (hiz.h). */
void raster_settle_depth(struct soft_raster *r, const struct soft_surface *s);

/* ---- clip.c */

/* A vertex on its way: in clip space first, then on the screen. b: weights of the primitive's second and third vertex.
 */
struct raster_vertex {
    float x, y, z, w;
    float b1, b2;   /* perspective barycentrics in the whole primitive */
    float l1, l2;   /* linear ones */
    double sx, sy;  /* screen, pixels */
    float sz, q;    /* depth, 1/w */
    int32_t fx, fy; /* screen, sub */
};

#define CLIP_VERTICES 24 /* 3, and one more for each of up to 15 planes */

/* Clips in place the polygon (n >= 3), line (2) or point (1) of clip-space vertices; dist: for vertex i of the
 * primitive its 8 clip distances. Returns how many vertices there are now; 0: nothing to draw. */
unsigned clip_polygon(const struct raster_clip_state *cs, const struct raster_viewport *vp,
                      struct raster_vertex v[CLIP_VERTICES], unsigned n, const float dist[3][8]);
/* Divides by w if the state says so, applies the viewport and snaps. False: the position is no number, or too far. */
bool clip_to_screen(const struct raster_state *st, const struct raster_viewport *vp, struct raster_vertex *v);

/* ---- setup.c: screen vertices -> struct raster_prim. False: nothing to draw (culled, empty). */
bool setup_triangle(const struct raster_state *st, const struct raster_viewport *vp, const struct raster_vertex v[3],
                    struct raster_prim *p);
bool setup_culled(const struct raster_state *st, bool back);
/* v: three corners; the fourth is v[0] - v[1] + v[2]. */
bool setup_rect(const struct raster_state *st, const struct raster_viewport *vp, const struct raster_vertex v[3],
                struct raster_prim *p);
/* Twice the signed area, sub squared; positive: clockwise on the screen. */
int64_t setup_area(const struct raster_vertex v[3]);
/* Fills planes, for a primitive whose barycentrics are linear over the three vertices. */
void setup_planes(const struct raster_vertex v[3], int64_t area, struct raster_prim *p);
void setup_bias(const struct raster_state *st, bool enabled, const struct raster_vertex *v, unsigned n,
                struct raster_prim *p);
/* The edge from (x0, y0) to (x1, y1) of a clockwise polygon, with the top-left rule in its constant. */
struct raster_edge setup_edge(int32_t x0, int32_t y0, int32_t x1, int32_t y1);
/* The pixels whose samples can be in the box of these sub coordinates, within vp's box. False: none. */
bool setup_box(const struct raster_viewport *vp, const int32_t *fx, const int32_t *fy, unsigned n,
               struct raster_box *box);

/* ---- setup_line.c */
bool setup_line(const struct raster_state *st, const struct raster_viewport *vp, const struct raster_vertex v[2],
                struct raster_prim *p);
bool setup_point(const struct raster_state *st, const struct raster_viewport *vp, const struct raster_vertex *v,
                 float width, struct raster_prim *p);
/* AA line or point: how much of the pixel is covered, 0..1. */
float setup_smooth_coverage(const struct raster_prim *p, float x, float y);
/* Pixels along the major axis, what the line stipple counter advances by. */
uint32_t setup_line_pixels(const struct raster_vertex v[2]);
/* Line stipple: is the pixel drawn? */
bool setup_line_stipple(const struct raster_state *st, const struct raster_prim *p, int32_t x, int32_t y);

/* ---- setup_attribute.c: writes st->attributes rows of 4 components x (d1, d2, 0, a0). */
void setup_attributes(const struct raster_state *st, const struct soft_prim *in, const struct raster_prim *p,
                      float (*out)[16]);

/* ---- raster_cover.c */

/* For the 8 x 8 block at x, y (pixels): bit 8 * row + column of out[s] for each sample inside. False: none. */
bool raster_cover_block(const struct raster_state *st, const struct raster_prim *p, int32_t x, int32_t y,
                        uint64_t out[RASTER_SAMPLES]);
enum raster_area { AREA_OUT, AREA_PART, AREA_IN };
/* Is a square of pixels at x, y wholly outside or inside? (Inside all edges; the box is not looked at.) */
enum raster_area raster_cover_area(const struct raster_prim *p, int32_t x, int32_t y, int32_t size);

/* ---- raster_tile.c */
/* Draws what primitive p has in the tile at x, y (pixels). */
void raster_tile_prim(struct soft_raster *r, unsigned worker, const struct raster_prim *p, int32_t x, int32_t y);

/* ---- depth.c */

/* Where z is needed: 4 pixels x samples; z[pixel * RASTER_SAMPLES + sample]. */
struct depth_input {
    float z[4 * RASTER_SAMPLES];
    uint8_t stencil[4]; /* computed reference of each pixel, when `computed` */
    bool computed;
};
/* Tests the quad's samples (q->cover) and updates the buffers; clears what fails from q->cover. Returns how many
 * samples passed. */
unsigned depth_test_quad(const struct raster_state *st, struct soft_mem *m, const struct raster_prim *p,
                         struct raster_quad *q, const struct depth_input *in);
/* One sample, no stencil, 32 bits in Y tiles: tested by depth_test_usual, four pixels at once, with the plane's depth.
 * Also sets q->lit. False: not done, the quad is at an edge. */
bool depth_is_usual(const struct raster_state *st);
bool depth_test_usual(const struct raster_state *st, struct soft_mem *m, const struct raster_prim *p,
                      struct raster_quad *q);
/* Fills in->z from the primitive's plane. */
void depth_interpolate(const struct raster_state *st, const struct raster_prim *p, const struct raster_quad *q,
                       struct depth_input *in);
bool depth_compare(unsigned func, uint32_t a, uint32_t b);
uint8_t depth_stencil_op(unsigned op, uint8_t value, uint8_t ref);
/* Depth as the buffer's bits; floats as bits that compare like unsigned numbers would be wrong for negatives, so tests
 * go through depth_order. */
uint32_t depth_encode(unsigned format, float z);
uint32_t depth_order(unsigned format, uint32_t bits);

#endif
