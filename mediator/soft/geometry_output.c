#include "mediator/soft/geometry.h"
#include "vgpu/base/bits.h"
#include "vgpu/desc/fields.h"

static void read_selects(struct soft_geometry *g)
{
    const uint32_t *sf = soft_state_get(g->e->state, C_3DSTATE_SF, NULL);

    g->select[PROVOKING_LINE] = (uint8_t)FIELD_GET(sf, 3DSTATE_SF, LineStripListProvokingVertexSelect);
    g->select[PROVOKING_TRIANGLE] = (uint8_t)FIELD_GET(sf, 3DSTATE_SF, TriangleStripListProvokingVertexSelect);
    g->select[PROVOKING_FAN] = (uint8_t)FIELD_GET(sf, 3DSTATE_SF, TriangleFanProvokingVertexSelect);
}

void geo_output_begin(struct soft_geometry *g, unsigned vue_dwords)
{
    read_selects(g);
    g->vue_dwords = vue_dwords;
    streamout_begin(&g->so, g->e);
    g->raster = (!g->so.on || g->so.render) && soft_raster_begin(g->e->raster, vue_dwords);
}

static enum soft_prim_kind kind_of(unsigned object)
{
    static const enum soft_prim_kind kind[] = {
        [OBJECT_POINT] = SOFT_POINT,
        [OBJECT_LINE] = SOFT_LINE,
        [OBJECT_TRIANGLE] = SOFT_TRIANGLE,
        [OBJECT_RECT] = SOFT_RECT,
    };

    return kind[object];
}

static unsigned vertices_of(unsigned object)
{
    return object == OBJECT_POINT ? 1 : object == OBJECT_LINE ? 2 : 3;
}

/* The order of an odd triangle begins with its second vertex; "leading" order begins with the first. */
static void write_stream(struct soft_geometry *g, const struct topology *topo, const uint32_t *const v[3],
                         const struct geo_prim_info *info, unsigned stream)
{
    bool turn = g->so.leading && info->odd && topo->object == OBJECT_TRIANGLE;
    const uint32_t *turned[3] = {v[1], v[2], v[0]};

    streamout_write(&g->so, stream, turn ? turned : v, vertices_of(topo->object), g->vue_dwords);
}

void geo_emit(struct soft_geometry *g, const struct topology *topo, const uint32_t *const v[3],
              const struct geo_prim_info *info, unsigned stream)
{
    if (g->so.on)
        write_stream(g, topo, v, info, stream);
    if (!g->raster || stream != g->so.render_stream)
        return;
    struct soft_prim p = {
        .kind = kind_of(topo->object),
        .v = {v[0], v[1], v[2]},
        .provoking = (uint8_t)topology_provoking(topo, g->select[topo->provoking], info->odd),
        .edges = info->edges,
        .id = info->id,
    };

    if (!soft_raster_add(g->e->raster, &p))
        atomic_store_explicit(&g->stopped, true, memory_order_relaxed);
}

/* Without a geometry shader adjacent vertices go nowhere. */
static unsigned own_vertex(const struct topology *topo, unsigned i)
{
    if (!topo->adjacency)
        return i;
    return topo->object == OBJECT_LINE ? i + 1 : 2 * i;
}

/* Edges that begin at a vertex without edge flag are no outline. */
static uint8_t edges_of(const struct soft_geometry *g, const struct geo_prims *prims, uint32_t i)
{
    const uint16_t *ref = prims->ref + (size_t)i * prims->topo.vertices;
    uint8_t edges = prims->info[i].edges;

    if (g->vf.edge_flag < 0 || prims != &g->batch->prims || prims->topo.object != OBJECT_TRIANGLE)
        return edges;
    for (unsigned k = 0; k < 3; k++)
        if (!g->batch->edge_flag[ref[own_vertex(&prims->topo, k)]])
            edges &= (uint8_t)~GT_BIT(k);
    return edges;
}

void geo_primitives(struct soft_geometry *g, const struct geo_prims *prims)
{
    unsigned n = vertices_of(prims->topo.object);

    if (geo_gs_on(g)) {
        geo_gs_run(g, prims);
        return;
    }
    for (uint32_t i = 0; i < prims->n && prims->topo.object != OBJECT_PATCH; i++) {
        const uint16_t *ref = prims->ref + (size_t)i * prims->topo.vertices;
        const uint32_t *v[3] = {NULL, NULL, NULL};

        for (unsigned k = 0; k < n; k++)
            v[k] = soft_urb_entry(&g->urb, geo_handle(prims->region, ref[own_vertex(&prims->topo, k)]));
        struct geo_prim_info info = prims->info[i];

        info.edges = edges_of(g, prims, i);
        geo_emit(g, &prims->topo, v, &info, 0);
    }
}

void geo_output_flush(struct soft_geometry *g)
{
    uint32_t tiles;

    if (!g->raster)
        return;
    soft_raster_flush(g->e->raster);
    if (soft_raster_interrupted(g->e->raster, &tiles))
        atomic_store_explicit(&g->stopped, true, memory_order_relaxed);
}
