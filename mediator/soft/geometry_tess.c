#include <stdlib.h>
#include <string.h>

#include "mediator/soft/geometry.h"
#include "mediator/soft/tessellate.h"
#include "vgpu/base/bits.h"
#include "vgpu/desc/fields.h"

/* Their shares of the URB: patches, and vertices that domain shaders make. */
#define HS_FIRST 20480u
#define HS_UNITS 8192u
#define DS_FIRST 28672u
#define DS_UNITS 20480u

#define DS_ITEM_POINTS 32u
#define NO_VERTEX      UINT16_MAX

enum hs_mode { HS_SINGLE_PATCH, HS_DUAL_PATCH, HS_8_PATCH };

/* PRM SKL vol 7 "HS Thread Payload": r0.2. Mesa brw_fs.cpp (set_tcs_invocation_id), brw_fs_nir.cpp (barriers). */
#define HS_INSTANCE_SHIFT 17u
#define HS_SINGLE_HANDLES 32u /* handles of a patch's vertices in r1 to r4 */

struct ds_point {
    uint32_t patch; /* of the chunk */
    float u, v;
};

struct geo_tess {
    bool on;
    struct geo_stage hs, ds;
    uint8_t hs_mode;
    unsigned hs_instances;
    bool hs_primitive_id, hs_handles, ds_w;
    struct tess_setup setup;
    struct topology out;
    struct geo_region hs_region, ds_region;
    /* a chunk of patches */
    const struct geo_prims *patches;
    uint32_t first, n;
    /* domain points */
    uint32_t points;
    struct ds_point point[GEO_VERTICES];
    struct geo_prims prims;
    uint16_t ref[GEO_REFS];
    struct geo_prim_info info[GEO_PRIMS];
    struct tess_result result;
    uint16_t vertex_of[TESS_MAX_POINTS]; /* of the patch's points */
};

struct geo_tess *geo_tess_create(void)
{
    return calloc(1, sizeof(struct geo_tess));
}

void geo_tess_destroy(struct geo_tess *t)
{
    free(t);
}

/* ---- state */

static void begin_hs(struct soft_geometry *g, const uint32_t *hs)
{
    struct geo_tess *t = g->tess;
    struct geo_stage_state state = {
        .kernel = FIELD_ADDRESS(hs, 3DSTATE_HS, KernelStartPointer),
        .constants = C_3DSTATE_CONSTANT_HS,
        .binding_table = C_3DSTATE_BINDING_TABLE_POINTERS_HS,
        .samplers = C_3DSTATE_SAMPLER_STATE_POINTERS_HS,
        .scratch = (uint32_t)FIELD_ADDRESS(hs, 3DSTATE_HS, ScratchSpaceBasePointer),
        .scratch_size = (uint32_t)FIELD_GET(hs, 3DSTATE_HS, PerThreadScratchSpace),
        .alternative_float = FIELD_GET(hs, 3DSTATE_HS, FloatingPointMode),
    };

    t->hs_mode = (uint8_t)FIELD_GET(hs, 3DSTATE_HS, DispatchMode);
    t->hs_instances = (unsigned)FIELD_GET(hs, 3DSTATE_HS, InstanceCount) + 1;
    t->hs_primitive_id = FIELD_GET(hs, 3DSTATE_HS, IncludePrimitiveID);
    t->hs_handles = FIELD_GET(hs, 3DSTATE_HS, IncludeVertexHandles);
    t->hs.start = (unsigned)FIELD_GET(hs, 3DSTATE_HS, DispatchGRFStartRegisterForURBData) +
                  32 * (unsigned)FIELD_GET(hs, 3DSTATE_HS, DispatchGRFStartRegisterForURBData5);
    t->hs.max_threads = (unsigned)FIELD_GET(hs, 3DSTATE_HS, MaximumNumberOfThreads) + 1;
    t->hs.statistics = FIELD_GET(hs, 3DSTATE_HS, StatisticsEnable);
    t->hs.each = t->hs_instances;
    geo_stage_begin(g, &t->hs, &state);
}

static void begin_ds(struct soft_geometry *g, const uint32_t *ds)
{
    struct geo_tess *t = g->tess;
    struct geo_stage_state state = {
        .kernel = FIELD_ADDRESS(ds, 3DSTATE_DS, KernelStartPointer),
        .constants = C_3DSTATE_CONSTANT_DS,
        .binding_table = C_3DSTATE_BINDING_TABLE_POINTERS_DS,
        .samplers = C_3DSTATE_SAMPLER_STATE_POINTERS_DS,
        .scratch = (uint32_t)FIELD_ADDRESS(ds, 3DSTATE_DS, ScratchSpaceBasePointer),
        .scratch_size = (uint32_t)FIELD_GET(ds, 3DSTATE_DS, PerThreadScratchSpace),
        .alternative_float = FIELD_GET(ds, 3DSTATE_DS, FloatingPointMode),
    };

    t->ds_w = FIELD_GET(ds, 3DSTATE_DS, ComputeWCoordinateEnable);
    t->ds.start = (unsigned)FIELD_GET(ds, 3DSTATE_DS, DispatchGRFStartRegisterForURBData);
    t->ds.read_offset = (unsigned)FIELD_GET(ds, 3DSTATE_DS, PatchURBEntryReadOffset);
    t->ds.read_length = (unsigned)FIELD_GET(ds, 3DSTATE_DS, PatchURBEntryReadLength);
    t->ds.max_threads = (unsigned)FIELD_GET(ds, 3DSTATE_DS, MaximumNumberOfThreads) + 1;
    t->ds.statistics = FIELD_GET(ds, 3DSTATE_DS, StatisticsEnable);
    geo_stage_begin(g, &t->ds, &state);
}

static void begin_te(struct geo_tess *t, const uint32_t *te)
{
    static const uint8_t lists[] = {
        [TESS_POINT] = TOPO_POINTLIST,
        [TESS_LINE] = TOPO_LINELIST,
        [TESS_TRI_CW] = TOPO_TRILIST,
        [TESS_TRI_CCW] = TOPO_TRILIST,
    };

    t->setup = (struct tess_setup){
        .domain = (uint8_t)FIELD_GET(te, 3DSTATE_TE, TEDomain),
        .partition = (uint8_t)FIELD_GET(te, 3DSTATE_TE, Partitioning),
        .output = (uint8_t)FIELD_GET(te, 3DSTATE_TE, OutputTopology),
        .max_odd = FIELD_FLOAT(te, 3DSTATE_TE, MaximumTessellationFactorOdd),
        .max_not_odd = FIELD_FLOAT(te, 3DSTATE_TE, MaximumTessellationFactorNotOdd),
    };
    t->out = topology_find(lists[t->setup.output & 3]);
}

void geo_tess_begin(struct soft_geometry *g)
{
    struct geo_tess *t = g->tess;
    const struct soft_state *s = g->e->state;
    const uint32_t *hs = soft_state_get(s, C_3DSTATE_HS, NULL), *te = soft_state_get(s, C_3DSTATE_TE, NULL);
    const uint32_t *ds = soft_state_get(s, C_3DSTATE_DS, NULL);
    const uint32_t *hs_urb = soft_state_get(s, C_3DSTATE_URB_HS, NULL);
    const uint32_t *ds_urb = soft_state_get(s, C_3DSTATE_URB_DS, NULL);

    t->on = g->topo.object == OBJECT_PATCH && FIELD_GET(hs, 3DSTATE_HS, Enable) &&
            FIELD_GET(te, 3DSTATE_TE, TEEnable) && FIELD_GET(ds, 3DSTATE_DS, Enable);
    if (!t->on)
        return;
    begin_hs(g, hs);
    begin_ds(g, ds);
    begin_te(t, te);
    t->hs_region = geo_region(HS_FIRST, HS_UNITS,
                              (uint32_t)FIELD_GET(hs_urb, 3DSTATE_URB_HS, HSURBEntryAllocationSize) + 1, GEO_VERTICES);
    t->ds_region = geo_region(DS_FIRST, DS_UNITS,
                              (uint32_t)FIELD_GET(ds_urb, 3DSTATE_URB_DS, DSURBEntryAllocationSize) + 1, GEO_VERTICES);
    t->on = t->hs.on && t->ds.on;
}

bool geo_tess_on(const struct soft_geometry *g)
{
    return g->tess->on;
}

unsigned geo_tess_vue_dwords(const struct soft_geometry *g)
{
    return g->tess->ds_region.units * SOFT_URB_UNIT / 4;
}

/* ---- hull shader */

static uint32_t vertex_handle(const struct geo_tess *t, uint32_t patch, unsigned vertex)
{
    const struct geo_prims *p = t->patches;

    return geo_handle(p->region, p->ref[(size_t)(t->first + patch) * p->topo.vertices + vertex]);
}

/* One patch: header, handles of its vertices. Instance i has invocations 8 i .. 8 i + 7. */
static void prepare_single(struct soft_geometry *g, unsigned worker, struct eu_thread *th, uint32_t patch,
                           unsigned instance)
{
    struct geo_tess *t = g->tess;
    uint32_t *r0, *handles;

    geo_thread_start(g, &t->hs, worker, th, instance, 0xff);
    r0 = soft_grf(th, 0);
    r0[0] = geo_handle(&t->hs_region, patch);
    r0[1] = t->patches->info[t->first + patch].id;
    r0[2] = instance << HS_INSTANCE_SHIFT;
    handles = soft_grf(th, 1);
    for (unsigned i = 0; t->hs_handles && i < HS_SINGLE_HANDLES; i++)
        handles[i] = i < t->patches->topo.vertices ? vertex_handle(t, patch, i) : 0;
    geo_push(&t->hs, th);
}

static void hs_single(void *ctx, unsigned worker, uint32_t patch)
{
    struct soft_geometry *g = ctx;
    struct geo_worker *w = &g->worker[worker];
    unsigned n = g->tess->hs_instances;

    if (atomic_load_explicit(&g->stopped, memory_order_relaxed))
        return;
    w->group.threads = n;
    for (unsigned i = 0; i < n; i++)
        prepare_single(g, worker, &w->group.thread[i], patch, i);
    if (!soft_dispatch_run_group(&w->d, &w->group))
        atomic_store_explicit(&g->stopped, true, memory_order_relaxed);
}

/* Eight patches, one a lane; instance i is invocation i. */
static void prepare_eight(struct soft_geometry *g, unsigned worker, struct eu_thread *th, uint32_t first,
                          unsigned lanes, unsigned instance)
{
    struct geo_tess *t = g->tess;
    unsigned reg = 1;

    geo_thread_start(g, &t->hs, worker, th, instance, (1u << lanes) - 1);
    soft_grf(th, 0)[2] = instance << HS_INSTANCE_SHIFT;
    for (unsigned lane = 0; lane < GEO_LANES; lane++)
        soft_grf(th, reg)[lane] = geo_handle(&t->hs_region, first + GT_MIN(lane, lanes - 1));
    reg++;
    for (unsigned lane = 0; t->hs_primitive_id && lane < GEO_LANES; lane++)
        soft_grf(th, reg)[lane] = t->patches->info[t->first + first + GT_MIN(lane, lanes - 1)].id;
    reg += t->hs_primitive_id;
    for (unsigned v = 0; t->hs_handles && v < t->patches->topo.vertices; v++)
        for (unsigned lane = 0; lane < GEO_LANES; lane++)
            soft_grf(th, reg + v)[lane] = vertex_handle(t, first + GT_MIN(lane, lanes - 1), v);
    geo_push(&t->hs, th);
}

static void hs_eight(void *ctx, unsigned worker, uint32_t item)
{
    struct soft_geometry *g = ctx;
    struct geo_worker *w = &g->worker[worker];
    uint32_t first = item * GEO_LANES;

    if (atomic_load_explicit(&g->stopped, memory_order_relaxed))
        return;
    w->group.threads = g->tess->hs_instances;
    for (unsigned i = 0; i < g->tess->hs_instances; i++)
        prepare_eight(g, worker, &w->group.thread[i], first, GT_MIN(g->tess->n - first, GEO_LANES), i);
    if (!soft_dispatch_run_group(&w->d, &w->group))
        atomic_store_explicit(&g->stopped, true, memory_order_relaxed);
}

static void run_hs(struct soft_geometry *g)
{
    struct geo_tess *t = g->tess;

    if (t->hs_mode == HS_8_PATCH)
        geo_run(g, &t->hs, (t->n + GEO_LANES - 1) / GEO_LANES, hs_eight, g);
    else
        geo_run(g, &t->hs, t->n, hs_single, g);
    if (t->hs.statistics)
        g->e->count.hs_invocations += t->n;
}

/* ---- domain shader */

/* A thread has points of one patch. Payload: patch handle and PrimitiveID in the header, coordinates, output handles,
 * constants, data of the patch. */
static void shade_points(struct soft_geometry *g, unsigned worker, uint32_t first, unsigned lanes)
{
    struct geo_tess *t = g->tess;
    struct eu_thread *th = geo_thread(g, &t->ds, worker, (1u << lanes) - 1);
    uint32_t patch = t->point[first].patch, handle = geo_handle(&t->hs_region, patch);
    const uint32_t *data = soft_urb_entry(&g->urb, handle);
    uint32_t *r0 = soft_grf(th, 0), have = SOFT_URB_BYTES / 4 - handle * (SOFT_URB_UNIT / 4);

    r0[0] = handle;
    r0[1] = t->patches->info[t->first + patch].id;
    for (unsigned lane = 0; lane < GEO_LANES; lane++) {
        uint32_t i = first + GT_MIN(lane, lanes - 1);
        const struct ds_point *p = &t->point[i];
        float w = t->ds_w ? 1 - p->u - p->v : 0;

        memcpy(&soft_grf(th, 1)[lane], &p->u, 4);
        memcpy(&soft_grf(th, 2)[lane], &p->v, 4);
        memcpy(&soft_grf(th, 3)[lane], &w, 4);
        soft_grf(th, 4)[lane] = geo_handle(&t->ds_region, i);
    }
    unsigned reg = geo_push(&t->ds, th), n = GT_MIN(t->ds.read_length, EU_GRFS - reg);
    uint32_t from = t->ds.read_offset * 8;

    if (from + n * 8 <= have)
        memcpy(soft_grf(th, reg), data + from, (size_t)n * EU_REG_BYTES);
    geo_execute(g, worker, th);
}

static void ds_item(void *ctx, unsigned worker, uint32_t item)
{
    struct soft_geometry *g = ctx;
    struct geo_tess *t = g->tess;
    uint32_t i = item * DS_ITEM_POINTS, end = GT_MIN(i + DS_ITEM_POINTS, t->points);

    while (i < end && !atomic_load_explicit(&g->stopped, memory_order_relaxed)) {
        unsigned lanes = 1;

        while (lanes < GEO_LANES && i + lanes < end && t->point[i + lanes].patch == t->point[i].patch)
            lanes++;
        shade_points(g, worker, i, lanes);
        i += lanes;
    }
}

/* Shades what has been collected, and lets it go on. */
static void flush_points(struct soft_geometry *g)
{
    struct geo_tess *t = g->tess;

    geo_run(g, &t->ds, (t->points + DS_ITEM_POINTS - 1) / DS_ITEM_POINTS, ds_item, g);
    if (t->ds.statistics)
        g->e->count.ds_invocations += t->points;
    if (!atomic_load_explicit(&g->stopped, memory_order_relaxed))
        geo_primitives(g, &t->prims);
    geo_output_flush(g);
    t->points = 0;
    t->prims.n = 0;
}

/* The vertex of a point of the current patch. */
static uint16_t vertex_of(struct geo_tess *t, uint32_t patch, uint16_t point)
{
    if (t->vertex_of[point] == NO_VERTEX) {
        const struct tess_point *p = &t->result.point[point];

        t->point[t->points] = (struct ds_point){patch, p->u, p->v};
        t->vertex_of[point] = (uint16_t)t->points++;
    }
    return t->vertex_of[point];
}

static bool has_room(const struct geo_tess *t)
{
    unsigned per = t->result.per;

    return t->points + per <= t->ds_region.entries && t->prims.n < GEO_PRIMS && (t->prims.n + 1) * per <= GEO_REFS;
}

/* A patch with more points than there is room for comes in pieces; points that pieces share are shaded again. */
static void add_patch(struct soft_geometry *g, uint32_t patch)
{
    struct geo_tess *t = g->tess;
    const struct tess_result *r = &t->result;

    memset(t->vertex_of, 0xff, r->points * sizeof(t->vertex_of[0]));
    for (unsigned i = 0; i < r->indices; i += r->per) {
        if (!has_room(t)) {
            flush_points(g);
            memset(t->vertex_of, 0xff, r->points * sizeof(t->vertex_of[0]));
        }
        if (atomic_load_explicit(&g->stopped, memory_order_relaxed))
            return;
        for (unsigned k = 0; k < r->per; k++)
            t->ref[t->prims.n * r->per + k] = vertex_of(t, patch, r->index[i + k]);
        t->info[t->prims.n++] = (struct geo_prim_info){.id = t->patches->info[t->first + patch].id, .edges = 7};
    }
}

static void run_chunk(struct soft_geometry *g)
{
    struct geo_tess *t = g->tess;

    run_hs(g);
    for (uint32_t i = 0; i < t->n && !atomic_load_explicit(&g->stopped, memory_order_relaxed); i++) {
        struct tess_factors f;

        tessellate_factors(soft_urb_entry(&g->urb, geo_handle(&t->hs_region, i)), t->setup.domain, &f);
        tessellate(&t->setup, &f, &t->result);
        add_patch(g, i);
    }
    flush_points(g);
}

void geo_tess_run(struct soft_geometry *g, const struct geo_prims *patches)
{
    struct geo_tess *t = g->tess;

    t->patches = patches;
    t->points = 0;
    t->prims = (struct geo_prims){.topo = t->out, .region = &t->ds_region, .ref = t->ref, .info = t->info};
    for (t->first = 0; t->first < patches->n && !atomic_load_explicit(&g->stopped, memory_order_relaxed);
         t->first += t->n) {
        t->n = GT_MIN(patches->n - t->first, t->hs_region.entries);
        run_chunk(g);
    }
}
