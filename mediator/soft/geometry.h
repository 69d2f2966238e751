/*
 * Inside the geometry half of the 3D pipeline. A draw is a sequence of batches: as many primitives as fit, each batch
 * goes through all stages before the next one begins.
 *
 *   geometry.c           the interface, the draw's parameters, batches and progress
 *   geometry_batch.c     indices -> vertices without duplicates and primitives (topology.c)
 *   geometry_stage.c     what all shader stages have: state, workers, running threads
 *   geometry_vs.c        vertex fetch and vertex shader
 *   geometry_tess.c      hull and domain shader around the tessellator (tessellate.c)
 *   geometry_gs.c        geometry shader
 *   geometry_output.c    primitives to stream output (streamout.c) and to the rasteriser
 *
 * All vertices live in the URB as entries of a region, numbered from 0; primitives refer to those numbers.
 */
#ifndef GTMUX_SOFT_GEOMETRY_H
#define GTMUX_SOFT_GEOMETRY_H

#include "mediator/soft/dispatch.h"
#include "mediator/soft/streamout.h"
#include "mediator/soft/topology.h"
#include "mediator/soft/vertex_fetch.h"

#define GEO_VERTICES   4096u /* most of a batch */
#define GEO_PRIMS      8192u
#define GEO_REFS       49152u /* vertices of primitives */
#define GEO_HASH       8192u
#define GEO_WINDOW     1024u
#define GEO_LANES      8u
#define GEO_HS_THREADS 16u /* of a patch */

/* Entries of equal size in the URB. */
struct geo_region {
    uint32_t first, units; /* SOFT_URB_UNIT: where it begins, size of an entry */
    uint32_t entries;
};

struct geo_prim_info {
    uint32_t id;
    uint8_t edges;
    bool odd; /* topology_prim */
};

/* Primitives and their vertices. */
struct geo_prims {
    struct topology topo;
    struct geo_region *region; /* of the vertices */
    uint32_t n;
    uint16_t *ref; /* topo.vertices for each */
    struct geo_prim_info *info;
};

struct geo_hash {
    uint32_t index, stamp;
    uint16_t vertex;
};

struct geo_vertex {
    uint32_t index, instance;
};

/* Where a draw is: what soft_progress keeps between batches. */
struct geo_cursor {
    uint32_t instance;
    uint32_t run;  /* first index of the run of vertices between two cuts */
    uint32_t prim; /* next one of the run */
    uint32_t id;   /* PrimitiveID of the next object of this run, less its number in the run */
};

struct geo_batch {
    uint32_t vertices, objects, stamp;
    uint32_t most;            /* primitives */
    uint64_t passed_vertices; /* of runs that end in this batch */
    struct geo_prims prims;
    struct geo_vertex vertex[GEO_VERTICES];
    bool edge_flag[GEO_VERTICES];
    uint16_t ref[GEO_REFS];
    struct geo_prim_info info[GEO_PRIMS];
    struct geo_hash hash[GEO_HASH];
    uint32_t window_first, window_n; /* indices being looked at */
    uint32_t window[GEO_WINDOW];
};

/* A shader stage of the draw. */
struct geo_stage {
    bool on, statistics;
    const struct eu_kernel *kernel;
    struct soft_header header;
    uint32_t control; /* cr0.0 */
    struct soft_push push;
    unsigned start;                    /* first register of constants and vertex data */
    unsigned read_offset, read_length; /* of vertex data, 32-byte units */
    unsigned max_threads;
    unsigned each; /* threads that a worker runs at a time */
};

/* What a stage needs to know to be set up. */
struct geo_stage_state {
    uint64_t kernel;
    int constants, binding_table, samplers; /* command ids */
    uint32_t scratch, scratch_size;
    bool alternative_float;
};

struct geo_worker {
    struct soft_dispatch d;
    struct soft_group group; /* a patch's hull shader threads */
    uint32_t input[GEO_LANES][VF_DWORDS];
    uint64_t invocations;
};

struct geo_tess;
struct geo_gs;

struct soft_geometry {
    struct soft_engine *e;
    unsigned workers;
    struct geo_worker *worker;
    struct soft_urb urb;
    struct geo_batch *batch;
    struct geo_tess *tess;
    struct geo_gs *gs;
    struct streamout so;
    /* the draw */
    struct vf_draw draw;
    struct vertex_fetch vf;
    struct topology topo;
    struct geo_region vs_region;
    struct geo_stage vs;
    unsigned fetched_dwords, vue_dwords; /* of a vertex as fetched, and after the last stage */
    bool ia_statistics;
    bool raster;          /* primitives are wanted */
    uint8_t select[4];    /* provoking vertex, by enum topology_provoking */
    _Atomic bool stopped; /* threads were given up: the batch does not count */
};

/* ---- geometry_stage.c */
void geo_stage_begin(struct soft_geometry *g, struct geo_stage *st, const struct geo_stage_state *state);
/* Runs fn for n items on the workers, whose dispatch is set up for the stage. */
void geo_run(struct soft_geometry *g, const struct geo_stage *st, uint32_t n,
             void (*fn)(void *ctx, unsigned worker, uint32_t item), void *ctx);
/* The worker's thread, or another one, with its header; geo_push adds constants and returns the first register behind
 * them. */
struct eu_thread *geo_thread(struct soft_geometry *g, const struct geo_stage *st, unsigned worker, uint32_t mask);
void geo_thread_start(struct soft_geometry *g, const struct geo_stage *st, unsigned worker, struct eu_thread *t,
                      unsigned i, uint32_t mask);
unsigned geo_push(const struct geo_stage *st, struct eu_thread *t);
void geo_execute(struct soft_geometry *g, unsigned worker, struct eu_thread *t);
static inline uint32_t geo_handle(const struct geo_region *r, uint32_t entry)
{
    return r->first + entry * r->units;
}
/* A region from unit `first` on with at most `most` entries of `units`. */
struct geo_region geo_region(uint32_t first, uint32_t units_in_all, uint32_t units, uint32_t most);

/* ---- geometry_batch.c */
/* Collects the next batch and moves the cursor behind it; `again`: the same one as before, that had so many primitives,
 * or 0. False: the draw is at its end. */
bool geo_batch_next(struct soft_geometry *g, struct geo_cursor *at, uint32_t again);

/* ---- geometry_vs.c */
void geo_vs_begin(struct soft_geometry *g);
void geo_vs_run(struct soft_geometry *g);

/* ---- geometry_tess.c */
struct geo_tess *geo_tess_create(void);
void geo_tess_destroy(struct geo_tess *t);
void geo_tess_begin(struct soft_geometry *g);
/* The draw is tessellated, and how long its vertices are then. */
bool geo_tess_on(const struct soft_geometry *g);
unsigned geo_tess_vue_dwords(const struct soft_geometry *g);
/* Ends in geo_primitives for what comes out, and geo_output_flush. */
void geo_tess_run(struct soft_geometry *g, const struct geo_prims *patches);

/* ---- geometry_gs.c */
struct geo_gs *geo_gs_create(void);
void geo_gs_destroy(struct geo_gs *t);
void geo_gs_begin(struct soft_geometry *g);
bool geo_gs_on(const struct soft_geometry *g);
unsigned geo_gs_vue_dwords(const struct soft_geometry *g);
/* Ends in geo_emit for what comes out, and geo_output_flush. */
void geo_gs_run(struct soft_geometry *g, const struct geo_prims *prims);

/* ---- geometry_output.c */
/* Dwords of vertices as the last stage gives them. */
void geo_output_begin(struct soft_geometry *g, unsigned vue_dwords);
/* Into the geometry shader, or out. */
void geo_primitives(struct soft_geometry *g, const struct geo_prims *prims);
/* A point, line or triangle of a stream; v: its own vertices without adjacent ones. */
void geo_emit(struct soft_geometry *g, const struct topology *topo, const uint32_t *const v[3],
              const struct geo_prim_info *info, unsigned stream);
/* Everything emitted has been used: vertices may be overwritten. */
void geo_output_flush(struct soft_geometry *g);

#endif
