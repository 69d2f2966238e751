/*
 * The 3D pipeline between its two halves. The geometry half (geometry*.c) fetches vertices, runs VS, HS, DS, GS and
 * stream output and hands on primitives; the pixel half (raster*.c, pixel*.c) clips, sets up, rasterises, shades and
 * writes.
 */
#ifndef GTMUX_SOFT_DRAW_H
#define GTMUX_SOFT_DRAW_H

#include <stdbool.h>
#include <stdint.h>

#include "mediator/soft/env.h"
#include "mediator/soft/kernels.h"
#include "mediator/soft/pool.h"
#include "mediator/soft/state.h"

/* What a worker has for itself. */
struct soft_worker {
    struct soft_mem mem;
    struct soft_units *units;
    struct eu_thread *thread; /* one to run at a time; more are the dispatcher's */
    uint64_t instructions;    /* that its threads executed in this command */
};

/* Counters of pipeline statistics registers; added to the registers when the command ends. */
struct soft_counters {
    uint64_t ia_vertices, ia_primitives, vs_invocations, hs_invocations, ds_invocations, gs_invocations, gs_primitives,
        cl_invocations, cl_primitives, ps_invocations, ps_depth, cs_invocations, so_written[4], so_needed[4];
};

/* Everything a command works with. One per backend engine; set up by soft.c for each command. */
struct soft_engine {
    struct soft_space space;
    struct soft_pool *pool;
    struct soft_worker *worker; /* soft_pool_workers of them */
    struct soft_kernels *kernels;
    struct soft_state *state; /* of the context that runs */
    struct soft_stamps stamps;
    struct soft_counters count;
    struct soft_raster *raster;
    struct soft_geometry *geometry;
    struct soft_compute *compute;
    uint64_t unknown; /* messages, formats, ... that the model does not have: each a bug or a strange guest */
};

enum soft_prim_kind { SOFT_POINT = 1, SOFT_LINE = 2, SOFT_TRIANGLE = 3, SOFT_RECT = 4 /* 3 vertices */ };

/*
 * A vertex after the last geometry stage is a VUE (PRM SKL vol 7, "Vertex URB Entry"): dword 0 flags, 1 render target
 * array index, 2 viewport index, 3 point width (float), 4..7 position (clip space x y z w; for RECTLIST with viewport
 * transform off: screen x, y, z, 1/w), 8..15 clip distances if enabled by 3DSTATE_CLIP/VS outputs, then attributes of 4
 * dwords each, where 3DSTATE_SBE says.
 */
struct soft_prim {
    enum soft_prim_kind kind;
    const uint32_t *v[3]; /* valid until soft_raster_flush returns */
    uint8_t provoking;    /* index into v: its flat attributes, render target index and viewport count */
    uint8_t edges;        /* polygons in line or point mode: bit i: the edge from v[i] to the next is drawn */
    uint32_t id;          /* PrimitiveID */
};

struct soft_raster *soft_raster_create(struct soft_engine *e); /* NULL: out of memory */
void soft_raster_destroy(struct soft_raster *r);
/* A draw begins: derives all state. vue_dwords: length of each vertex. False: nothing will be drawn (all disabled). */
bool soft_raster_begin(struct soft_raster *r, unsigned vue_dwords);
/* Adds one; may run the batch collected so far when it is full, so v of earlier ones may be reused after it returned.
 * Order of primitives is kept. False: interrupted, as below. */
bool soft_raster_add(struct soft_raster *r, const struct soft_prim *p);
void soft_raster_flush(struct soft_raster *r);
/* Primitives of the next batch of geometry come: the same ones as before if it was interrupted after `tiles` tiles of
 * it were drawn, else 0. */
void soft_raster_batch(struct soft_raster *r, uint32_t tiles);
/* True: the engine was wanted while tiles were drawn (vgpu_exec_stop). *tiles of the batch are drawn, at least one more
 * than before; what was added since is forgotten, as is what is added up to the next batch. */
bool soft_raster_interrupted(const struct soft_raster *r, uint32_t *tiles);
/* 3DSTATE_WM_HZ_OP: executed at once with the current depth/stencil state. */
void soft_raster_hz_op(struct soft_raster *r, const uint32_t *dw);

struct soft_geometry *soft_geometry_create(struct soft_engine *e);
void soft_geometry_destroy(struct soft_geometry *g);
/* 3DPRIMITIVE. False: interrupted (vgpu_exec_stop): nothing more is drawn by this command now. */
bool soft_geometry_draw(struct soft_geometry *g, const uint32_t *dw);

/* 3DSTATE_SO_BUFFER sets its buffer's write offset when it is executed (soft_state_set keeps the rest). */
void soft_streamout_buffer(struct soft_engine *e, const uint32_t *dw);

struct soft_compute *soft_compute_create(struct soft_engine *e);
void soft_compute_destroy(struct soft_compute *c);
/* GPGPU_WALKER, MEDIA_OBJECT, MEDIA_OBJECT_WALKER, MEDIA_CURBE_LOAD, MEDIA_INTERFACE_DESCRIPTOR_LOAD. False as above.
 */
bool soft_compute_command(struct soft_compute *c, int cmd_id, const uint32_t *dw, unsigned ndw);

#endif
