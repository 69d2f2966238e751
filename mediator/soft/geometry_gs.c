#include <stdlib.h>
#include <string.h>

#include "mediator/soft/geometry.h"
#include "vgpu/base/bits.h"
#include "vgpu/desc/fields.h"

#define GS_FIRST 49152u
#define GS_UNITS 16384u
#define GS_MOST  2048u /* threads' lanes of a chunk */

/* An output entry, in bytes. PRM SKL vol 7 "GS URB Entry"; Mesa brw_fs_visitor.cpp, brw_fs_nir.cpp (emit_gs_*). */
#define COUNT_BYTES    32u /* the vertex count, when it is not static */
#define HEADER_UNIT    32u
#define VERTEX_UNIT    16u
#define INSTANCE_SHIFT 27u /* in the dword of the output handle */

enum gs_control { GS_CUT, GS_STREAM };

struct geo_gs {
    bool on;
    struct geo_stage stage;
    unsigned inputs;    /* vertices of a primitive that the shader gets, */
    bool skip_adjacent; /* ... without adjacent ones */
    bool handles, primitive_id, leading;
    unsigned instances;
    struct topology out;
    unsigned vertex_bytes, header_bytes, entry_bytes;
    bool is_static;
    unsigned static_count;
    uint8_t control, default_stream;
    struct geo_region region;
    /* a chunk: items first .. first + n of primitives times instances */
    const struct geo_prims *prims;
    uint64_t first;
    uint32_t n;
};

struct geo_gs *geo_gs_create(void)
{
    return calloc(1, sizeof(struct geo_gs));
}

void geo_gs_destroy(struct geo_gs *t)
{
    free(t);
}

/* ---- state */

static void begin_shader(struct soft_geometry *g, const uint32_t *gs)
{
    struct geo_stage *st = &g->gs->stage;
    struct geo_stage_state state = {
        .kernel = FIELD_ADDRESS(gs, 3DSTATE_GS, KernelStartPointer),
        .constants = C_3DSTATE_CONSTANT_GS,
        .binding_table = C_3DSTATE_BINDING_TABLE_POINTERS_GS,
        .samplers = C_3DSTATE_SAMPLER_STATE_POINTERS_GS,
        .scratch = (uint32_t)FIELD_ADDRESS(gs, 3DSTATE_GS, ScratchSpaceBasePointer),
        .scratch_size = (uint32_t)FIELD_GET(gs, 3DSTATE_GS, PerThreadScratchSpace),
        .alternative_float = FIELD_GET(gs, 3DSTATE_GS, FloatingPointMode),
    };

    st->start = (unsigned)FIELD_GET(gs, 3DSTATE_GS, DispatchGRFStartRegisterForURBData) +
                16 * (unsigned)FIELD_GET(gs, 3DSTATE_GS, DispatchGRFStartRegisterForURBData54);
    st->read_offset = (unsigned)FIELD_GET(gs, 3DSTATE_GS, VertexURBEntryReadOffset);
    st->read_length = (unsigned)FIELD_GET(gs, 3DSTATE_GS, VertexURBEntryReadLength);
    st->max_threads = (unsigned)FIELD_GET(gs, 3DSTATE_GS, MaximumNumberOfThreads) + 1;
    st->statistics = FIELD_GET(gs, 3DSTATE_GS, StatisticsEnable);
    geo_stage_begin(g, st, &state);
}

static void begin_output(struct geo_gs *t, const uint32_t *gs, const uint32_t *urb)
{
    t->out = topology_find((unsigned)FIELD_GET(gs, 3DSTATE_GS, OutputTopology));
    t->vertex_bytes = ((unsigned)FIELD_GET(gs, 3DSTATE_GS, OutputVertexSize) + 1) * VERTEX_UNIT;
    t->header_bytes = (unsigned)FIELD_GET(gs, 3DSTATE_GS, ControlDataHeaderSize) * HEADER_UNIT;
    t->is_static = FIELD_GET(gs, 3DSTATE_GS, StaticOutput);
    t->static_count = (unsigned)FIELD_GET(gs, 3DSTATE_GS, StaticOutputVertexCount);
    t->control = (uint8_t)FIELD_GET(gs, 3DSTATE_GS, ControlDataFormat);
    t->default_stream = (uint8_t)FIELD_GET(gs, 3DSTATE_GS, DefaultStreamId);
    t->region =
        geo_region(GS_FIRST, GS_UNITS, (uint32_t)FIELD_GET(urb, 3DSTATE_URB_GS, GSURBEntryAllocationSize) + 1, GS_MOST);
    t->entry_bytes = t->region.units * SOFT_URB_UNIT;
}

static void begin_input(struct soft_geometry *g, const uint32_t *gs)
{
    struct geo_gs *t = g->gs;

    t->handles = FIELD_GET(gs, 3DSTATE_GS, IncludeVertexHandles);
    t->primitive_id = FIELD_GET(gs, 3DSTATE_GS, IncludePrimitiveID);
    t->leading = !FIELD_GET(gs, 3DSTATE_GS, ReorderMode);
    t->skip_adjacent = FIELD_GET(gs, 3DSTATE_GS, DiscardAdjacency);
    t->instances = (unsigned)FIELD_GET(gs, 3DSTATE_GS, InstanceControl) + 1;
}

void geo_gs_begin(struct soft_geometry *g)
{
    const uint32_t *gs = soft_state_get(g->e->state, C_3DSTATE_GS, NULL);
    struct geo_gs *t = g->gs;

    t->on = FIELD_GET(gs, 3DSTATE_GS, Enable);
    if (!t->on)
        return;
    begin_shader(g, gs);
    begin_output(t, gs, soft_state_get(g->e->state, C_3DSTATE_URB_GS, NULL));
    begin_input(g, gs);
    t->on = t->stage.on;
}

bool geo_gs_on(const struct soft_geometry *g)
{
    return g->gs->on;
}

unsigned geo_gs_vue_dwords(const struct soft_geometry *g)
{
    return g->gs->vertex_bytes / 4;
}

/* ---- threads */

/* The n-th input vertex of a primitive: its number in the region. */
static uint16_t input_vertex(const struct geo_gs *t, uint32_t prim, unsigned n)
{
    const struct topology *topo = &t->prims->topo;
    const uint16_t *ref = t->prims->ref + (size_t)prim * topo->vertices;
    bool adjacent = topo->adjacency && !t->skip_adjacent;

    if (topo->adjacency && t->skip_adjacent)
        n = topo->object == OBJECT_LINE ? n + 1 : 2 * n;
    /* Odd triangles of a strip in the other order. */
    if (t->leading && topo->object == OBJECT_TRIANGLE && t->prims->info[prim].odd)
        n = adjacent || topo->adjacency ? (n + 2) % 6 : (n + 1) % 3;
    return ref[n];
}

static void put_vertices(struct soft_geometry *g, struct eu_thread *th, unsigned reg, uint64_t item, unsigned lanes)
{
    struct geo_gs *t = g->gs;
    unsigned n = t->stage.read_length * 8;

    for (unsigned v = 0; v < t->inputs && reg + n <= EU_GRFS; v++, reg += n) {
        for (unsigned lane = 0; lane < lanes; lane++) {
            uint32_t prim = (uint32_t)((item + lane) / t->instances);
            uint32_t handle = geo_handle(t->prims->region, input_vertex(t, prim, v));
            const uint32_t *vue = soft_urb_entry(&g->urb, handle) + t->stage.read_offset * 8;
            size_t have = SOFT_URB_BYTES / 4 - (size_t)handle * (SOFT_URB_UNIT / 4);

            for (unsigned c = 0; c < n && t->stage.read_offset * 8 + c < have; c++)
                soft_grf(th, reg + c)[lane] = vue[c];
        }
    }
}

/* A register for each vertex; or, as all instances have the same vertices, a dword for each. */
static void put_handles(const struct geo_gs *t, struct eu_thread *th, unsigned reg, uint64_t item, unsigned lanes)
{
    for (unsigned v = 0; v < t->inputs && t->instances > 1; v++)
        soft_grf(th, reg)[v] = geo_handle(t->prims->region, input_vertex(t, (uint32_t)(item / t->instances), v));
    for (unsigned v = 0; v < t->inputs && t->instances == 1; v++)
        for (unsigned lane = 0; lane < lanes; lane++)
            soft_grf(th, reg + v)[lane] = geo_handle(t->prims->region, input_vertex(t, (uint32_t)(item + lane), v));
}

/* Payload: header, output handles with instance numbers, PrimitiveID, input handles, constants, input vertices. Mesa
 * brw_fs_thread_payload.cpp, brw_fs_nir.cpp (emit_gs_input_load). */
static void shade(struct soft_geometry *g, unsigned worker, uint32_t first, unsigned lanes)
{
    struct geo_gs *t = g->gs;
    struct eu_thread *th = geo_thread(g, &t->stage, worker, (1u << lanes) - 1);
    uint64_t item = t->first + first;
    unsigned reg = 2;

    memset(soft_grf(th, 1), 0, EU_REG_BYTES);
    for (unsigned lane = 0; lane < lanes; lane++) {
        uint32_t handle = geo_handle(&t->region, first + lane);

        soft_urb_entry(&g->urb, handle)[0] = 0; /* no vertices, if it writes none */
        soft_grf(th, 1)[lane] = handle | (uint32_t)((item + lane) % t->instances) << INSTANCE_SHIFT;
        if (t->primitive_id)
            soft_grf(th, 2)[lane] = t->prims->info[(item + lane) / t->instances].id;
    }
    reg += t->primitive_id;
    if (t->handles)
        put_handles(t, th, reg, item, lanes);
    put_vertices(g, th, geo_push(&t->stage, th), item, lanes);
    geo_execute(g, worker, th);
}

/* Threads of a primitive: its instances go together, eight primitives without instances do. */
static unsigned threads_of(const struct geo_gs *t)
{
    return (t->instances + GEO_LANES - 1) / GEO_LANES;
}

static void gs_item(void *ctx, unsigned worker, uint32_t item)
{
    struct soft_geometry *g = ctx;
    const struct geo_gs *t = g->gs;
    uint32_t first = item * GEO_LANES, end = t->n;

    if (t->instances > 1) {
        first = item / threads_of(t) * t->instances + item % threads_of(t) * GEO_LANES;
        end = (item / threads_of(t) + 1) * t->instances;
    }
    if (!atomic_load_explicit(&g->stopped, memory_order_relaxed))
        shade(g, worker, first, GT_MIN(end - first, GEO_LANES));
}

static uint32_t threads_of_chunk(const struct geo_gs *t)
{
    return t->instances > 1 ? t->n / t->instances * threads_of(t) : (t->n + GEO_LANES - 1) / GEO_LANES;
}

/* ---- output */

/* The vertices of one item between two cuts, or all of a stream. */
static void emit_run(struct soft_geometry *g, const uint8_t *first, unsigned n, uint32_t id, unsigned stream)
{
    const struct geo_gs *t = g->gs;
    uint32_t prims = topology_prims(&t->out, n, true);

    for (uint32_t i = 0; i < prims; i++) {
        const uint32_t *v[3] = {NULL, NULL, NULL};
        struct topology_prim p;

        topology_prim(&t->out, i, n, true, &p);
        for (unsigned k = 0; k < t->out.vertices; k++)
            v[k] = (const uint32_t *)(const void *)(first + (size_t)p.at[k] * t->vertex_bytes);
        geo_emit(g, &t->out, v, &(struct geo_prim_info){.id = id, .edges = p.edges, .odd = p.odd}, stream);
    }
    if (t->stage.statistics)
        g->e->count.gs_primitives += prims;
}

static unsigned control_bits(const uint8_t *header, unsigned bytes, unsigned first, unsigned n)
{
    return first / 8 < bytes ? header[first / 8] >> first % 8 & ((1u << n) - 1) : 0;
}

/* With stream numbers each vertex is a point of its stream. */
static void emit_item(struct soft_geometry *g, const uint8_t *entry, uint32_t id)
{
    const struct geo_gs *t = g->gs;
    unsigned start = t->is_static ? 0 : COUNT_BYTES, at = start + t->header_bytes, begin = 0;
    uint32_t n = t->is_static ? t->static_count : *(const uint32_t *)(const void *)entry;
    uint32_t most = at < t->entry_bytes ? (t->entry_bytes - at) / t->vertex_bytes : 0;
    const uint8_t *header = entry + start, *vertices = entry + at;

    n = GT_MIN(n, most);
    for (unsigned i = 0; i < n; i++) {
        if (t->header_bytes && t->control == GS_STREAM) {
            unsigned stream = control_bits(header, t->header_bytes, 2 * i, 2);

            emit_run(g, vertices + (size_t)i * t->vertex_bytes, 1, id, stream);
        } else if (i + 1 == n || control_bits(header, t->header_bytes, i, 1)) {
            emit_run(g, vertices + (size_t)begin * t->vertex_bytes, i + 1 - begin, id, t->default_stream);
            begin = i + 1;
        }
    }
}

static void run_chunk(struct soft_geometry *g)
{
    struct geo_gs *t = g->gs;

    geo_run(g, &t->stage, threads_of_chunk(t), gs_item, g);
    if (atomic_load_explicit(&g->stopped, memory_order_relaxed))
        return;
    if (t->stage.statistics)
        g->e->count.gs_invocations += t->n;
    for (uint32_t i = 0; i < t->n; i++) {
        const void *entry = soft_urb_entry(&g->urb, geo_handle(&t->region, i));

        emit_item(g, entry, t->prims->info[(t->first + i) / t->instances].id);
    }
    geo_output_flush(g);
}

static unsigned inputs_of(const struct geo_gs *t, const struct topology *topo)
{
    if (topo->adjacency && t->skip_adjacent)
        return topo->vertices / 2;
    return topo->vertices;
}

void geo_gs_run(struct soft_geometry *g, const struct geo_prims *prims)
{
    struct geo_gs *t = g->gs;
    uint64_t items = (uint64_t)prims->n * t->instances;

    if (t->out.object == 0 || t->out.vertices > 3 || t->out.object == OBJECT_PATCH)
        return;
    t->prims = prims;
    t->inputs = inputs_of(t, &prims->topo);
    for (t->first = 0; t->first < items && !atomic_load_explicit(&g->stopped, memory_order_relaxed); t->first += t->n) {
        t->n = (uint32_t)GT_MIN(items - t->first, (uint64_t)t->region.entries / t->instances * t->instances);
        run_chunk(g);
    }
}
