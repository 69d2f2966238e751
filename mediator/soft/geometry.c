#include "mediator/soft/geometry.h"

#include <stdlib.h>
#include <string.h>

#include "mediator/soft/progress.h"
#include "vgpu/base/bits.h"
#include "vgpu/desc/cmds.h"
#include "vgpu/desc/fields.h"
#include "vgpu/desc/regs.h"

/* ---- memory */

static bool make_worker(struct geo_worker *w)
{
    w->group.thread = aligned_alloc(_Alignof(struct eu_thread), GEO_HS_THREADS * sizeof(*w->group.thread));
    if (w->group.thread)
        memset(w->group.thread, 0, GEO_HS_THREADS * sizeof(*w->group.thread));
    return w->group.thread;
}

static bool make_parts(struct soft_geometry *g)
{
    g->worker = calloc(g->workers, sizeof(*g->worker));
    g->urb.data = calloc(1, SOFT_URB_BYTES);
    g->batch = calloc(1, sizeof(*g->batch));
    g->tess = geo_tess_create();
    g->gs = geo_gs_create();
    if (!g->worker || !g->urb.data || !g->batch || !g->tess || !g->gs)
        return false;
    for (unsigned i = 0; i < g->workers; i++)
        if (!make_worker(&g->worker[i]))
            return false;
    return true;
}

struct soft_geometry *soft_geometry_create(struct soft_engine *e)
{
    struct soft_geometry *g = calloc(1, sizeof(*g));

    if (!g)
        return NULL;
    g->e = e;
    g->workers = soft_pool_workers(e->pool);
    if (make_parts(g))
        return g;
    soft_geometry_destroy(g);
    return NULL;
}

void soft_geometry_destroy(struct soft_geometry *g)
{
    if (!g)
        return;
    for (unsigned i = 0; g->worker && i < g->workers; i++)
        free(g->worker[i].group.thread);
    geo_gs_destroy(g->gs);
    geo_tess_destroy(g->tess);
    free(g->batch);
    free(g->urb.data);
    free(g->worker);
    free(g);
}

/* ---- a draw */

static uint32_t prim_register(const struct soft_geometry *g, enum reg_id id)
{
    return vgpu_exec_reg_read(g->e->space.x, reg_off(id, VGPU_RCS, 0));
}

static void read_indirect(struct soft_geometry *g)
{
    struct vf_draw *d = &g->draw;

    d->vertices = prim_register(g, R_3DPRIM_VERTEX_COUNT);
    d->first = prim_register(g, R_3DPRIM_START_VERTEX);
    d->instances = prim_register(g, R_3DPRIM_INSTANCE_COUNT);
    d->first_instance = prim_register(g, R_3DPRIM_START_INSTANCE);
    d->base_vertex = (int32_t)prim_register(g, R_3DPRIM_BASE_VERTEX);
}

/* The end of a buffer takes the place of a vertex count: 3DPRIM_END_OFFSET bytes of vertex buffer 0 (PRM SKL vol 2a
 * 3DPRIMITIVE). */
static void read_end_offset(struct soft_geometry *g)
{
    const uint32_t *vb = soft_state_vertex_buffer(g->e->state, 0);
    uint32_t pitch = (uint32_t)FIELD_GET(vb, VERTEX_BUFFER_STATE, BufferPitch);

    g->draw.vertices = pitch ? prim_register(g, R_3DPRIM_END_OFFSET) / pitch : 0;
}

static void read_draw(struct soft_geometry *g, const uint32_t *dw)
{
    const uint32_t *topo = soft_state_get(g->e->state, C_3DSTATE_VF_TOPOLOGY, NULL);

    g->draw = (struct vf_draw){
        .indexed = FIELD_GET(dw, 3DPRIMITIVE, VertexAccessType),
        .vertices = (uint32_t)FIELD_GET(dw, 3DPRIMITIVE, VertexCountPerInstance),
        .first = (uint32_t)FIELD_GET(dw, 3DPRIMITIVE, StartVertexLocation),
        .instances = (uint32_t)FIELD_GET(dw, 3DPRIMITIVE, InstanceCount),
        .first_instance = (uint32_t)FIELD_GET(dw, 3DPRIMITIVE, StartInstanceLocation),
        .base_vertex = (int32_t)FIELD_SIGNED(dw, 3DPRIMITIVE, BaseVertexLocation),
    };
    if (FIELD_GET(dw, 3DPRIMITIVE, IndirectParameterEnable))
        read_indirect(g);
    if (FIELD_GET(dw, 3DPRIMITIVE, EndOffsetEnable))
        read_end_offset(g);
    g->topo = topology_find((unsigned)FIELD_GET(topo, 3DSTATE_VF_TOPOLOGY, PrimitiveTopologyType));
}

static unsigned last_vue_dwords(const struct soft_geometry *g)
{
    if (geo_gs_on(g))
        return geo_gs_vue_dwords(g);
    if (geo_tess_on(g))
        return geo_tess_vue_dwords(g);
    return g->vs_region.units * SOFT_URB_UNIT / 4;
}

/* False: nothing can come out. */
static bool begin_draw(struct soft_geometry *g, const uint32_t *dw)
{
    const uint32_t *statistics = soft_state_get(g->e->state, C_3DSTATE_VF_STATISTICS, NULL);

    read_draw(g, dw);
    if (!g->topo.object || !g->draw.vertices || !g->draw.instances)
        return false;
    g->ia_statistics = FIELD_GET(statistics, 3DSTATE_VF_STATISTICS, StatisticsEnable);
    vertex_fetch_begin(&g->vf, g->e->state, &g->draw);
    geo_vs_begin(g);
    geo_tess_begin(g);
    geo_gs_begin(g);
    geo_output_begin(g, last_vue_dwords(g));
    g->batch->window_first = g->batch->window_n = 0;
    return true;
}

static void run_batch(struct soft_geometry *g)
{
    geo_vs_run(g);
    if (atomic_load_explicit(&g->stopped, memory_order_relaxed))
        return;
    if (geo_tess_on(g))
        geo_tess_run(g, &g->batch->prims);
    else
        geo_primitives(g, &g->batch->prims);
    geo_output_flush(g);
}

static void count_batch(struct soft_geometry *g)
{
    if (!g->ia_statistics)
        return;
    g->e->count.ia_vertices += g->batch->passed_vertices;
    g->e->count.ia_primitives += g->batch->objects;
}

/* What soft_progress keeps of a draw: where its next batch begins; if that one was interrupted, how many tiles of it
 * are drawn, and how many primitives it had. */
struct step {
    struct geo_cursor at;
    uint32_t tiles, prims;
};

_Static_assert(sizeof(struct step) == SOFT_PROGRESS_DWORDS * 4, "a step is kept whole");

static void keep_step(struct soft_geometry *g, const struct step *s)
{
    uint32_t dw[SOFT_PROGRESS_DWORDS];

    memcpy(dw, s, sizeof(dw));
    soft_progress_step(g->e->space.x, dw);
}

/* The batch was given up. Threads that were endless are started again next time; tiles that were drawn are kept, and
 * all else of the batch is done once more: until then nothing else counts. */
static void keep_tiles(struct soft_geometry *g, struct step *s, const struct soft_counters *before)
{
    struct soft_counters *count = &g->e->count;
    uint64_t ps_invocations = count->ps_invocations, ps_depth = count->ps_depth;

    *count = *before;
    count->ps_invocations = ps_invocations;
    count->ps_depth = ps_depth;
    s->prims = g->batch->prims.n;
    if (soft_raster_interrupted(g->e->raster, &s->tiles))
        keep_step(g, s);
}

static bool run_batches(struct soft_geometry *g, struct step *s)
{
    struct geo_cursor next = s->at;

    while (geo_batch_next(g, &next, s->prims)) {
        const struct soft_counters before = g->e->count;

        soft_raster_batch(g->e->raster, s->tiles);
        run_batch(g);
        if (atomic_load_explicit(&g->stopped, memory_order_relaxed)) {
            keep_tiles(g, s, &before);
            return false;
        }
        count_batch(g);
        streamout_end(&g->so);
        *s = (struct step){.at = next};
        keep_step(g, s);
        if (vgpu_exec_stop(g->e->space.x))
            return false;
    }
    return true;
}

bool soft_geometry_draw(struct soft_geometry *g, const uint32_t *dw)
{
    uint32_t kept[SOFT_PROGRESS_DWORDS];
    struct step step;

    if (!begin_draw(g, dw))
        return true;
    atomic_store_explicit(&g->stopped, false, memory_order_relaxed);
    soft_progress_begin(g->e->space.x, dw, cmd_length(C_3DPRIMITIVE, dw[0]), kept);
    memcpy(&step, kept, sizeof(step));
    return run_batches(g, &step);
}
