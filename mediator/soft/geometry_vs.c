#include <string.h>

#include "mediator/soft/geometry.h"
#include "vgpu/base/bits.h"
#include "vgpu/desc/fields.h"

/* Vertices of an item of work: a few threads, so that handing out items costs little. */
#define ITEM_VERTICES 32u
/* The vertex shader's share of the URB when other stages need some as well. */
#define VS_UNITS 20480u

static unsigned units_for(unsigned dwords)
{
    return (dwords * 4 + SOFT_URB_UNIT - 1) / SOFT_URB_UNIT;
}

static void begin_shader(struct soft_geometry *g, const uint32_t *vs)
{
    struct geo_stage_state state = {
        .kernel = FIELD_ADDRESS(vs, 3DSTATE_VS, KernelStartPointer),
        .constants = C_3DSTATE_CONSTANT_VS,
        .binding_table = C_3DSTATE_BINDING_TABLE_POINTERS_VS,
        .samplers = C_3DSTATE_SAMPLER_STATE_POINTERS_VS,
        .scratch = (uint32_t)FIELD_ADDRESS(vs, 3DSTATE_VS, ScratchSpaceBasePointer),
        .scratch_size = (uint32_t)FIELD_GET(vs, 3DSTATE_VS, PerThreadScratchSpace),
        .alternative_float = FIELD_GET(vs, 3DSTATE_VS, FloatingPointMode),
    };

    g->vs.start = (unsigned)FIELD_GET(vs, 3DSTATE_VS, DispatchGRFStartRegisterForURBData);
    g->vs.read_offset = (unsigned)FIELD_GET(vs, 3DSTATE_VS, VertexURBEntryReadOffset);
    g->vs.read_length = (unsigned)FIELD_GET(vs, 3DSTATE_VS, VertexURBEntryReadLength);
    g->vs.max_threads = (unsigned)FIELD_GET(vs, 3DSTATE_VS, MaximumNumberOfThreads) + 1;
    g->vs.statistics = FIELD_GET(vs, 3DSTATE_VS, StatisticsEnable);
    geo_stage_begin(g, &g->vs, &state);
}

void geo_vs_begin(struct soft_geometry *g)
{
    const uint32_t *vs = soft_state_get(g->e->state, C_3DSTATE_VS, NULL);
    const uint32_t *urb = soft_state_get(g->e->state, C_3DSTATE_URB_VS, NULL);
    unsigned units = (unsigned)FIELD_GET(urb, 3DSTATE_URB_VS, VSURBEntryAllocationSize) + 1;

    g->fetched_dwords = vertex_fetch_dwords(&g->vf);
    g->vs.on = false;
    if (FIELD_GET(vs, 3DSTATE_VS, Enable))
        begin_shader(g, vs);
    g->vs_region = geo_region(0, VS_UNITS, GT_MAX(units, units_for(g->fetched_dwords)), GEO_VERTICES);
}

/* The vertices as the fetcher leaves them: what the shader reads, or the result when there is no shader. */
static void fetch_vertex(struct soft_geometry *g, struct soft_mem *m, uint32_t i, uint32_t *out)
{
    const struct geo_vertex *v = &g->batch->vertex[i];

    g->batch->edge_flag[i] = vertex_fetch_vertex(&g->vf, m, v->index, v->instance, out);
}

/* A register holds one component of all lanes. */
static void put_vertices(const struct soft_geometry *g, const struct geo_worker *w, struct eu_thread *t, unsigned reg,
                         unsigned lanes)
{
    unsigned first = g->vs.read_offset * 8, n = GT_MIN(g->vs.read_length * 8, EU_GRFS - reg);

    for (unsigned c = 0; c < n; c++) {
        uint32_t *to = soft_grf(t, reg + c);

        for (unsigned lane = 0; lane < GEO_LANES; lane++)
            to[lane] = lane < lanes && first + c < g->fetched_dwords ? w->input[lane][first + c] : 0;
    }
}

/* Payload: header, output handles, constants, vertices. Mesa brw_fs_thread_payload.cpp. */
static void shade(struct soft_geometry *g, unsigned worker, uint32_t first, unsigned lanes)
{
    struct geo_worker *w = &g->worker[worker];
    struct eu_thread *t = geo_thread(g, &g->vs, worker, (1u << lanes) - 1);
    uint32_t *handle = soft_grf(t, 1);

    for (unsigned lane = 0; lane < GEO_LANES; lane++)
        handle[lane] = geo_handle(&g->vs_region, first + GT_MIN(lane, lanes - 1));
    for (unsigned lane = 0; lane < lanes; lane++)
        fetch_vertex(g, w->d.env.mem, first + lane, w->input[lane]);
    put_vertices(g, w, t, geo_push(&g->vs, t), lanes);
    geo_execute(g, worker, t);
}

static void run_item(void *ctx, unsigned worker, uint32_t item)
{
    struct soft_geometry *g = ctx;
    uint32_t first = item * ITEM_VERTICES, end = GT_MIN(first + ITEM_VERTICES, g->batch->vertices);

    for (uint32_t i = first; i < end && !atomic_load_explicit(&g->stopped, memory_order_relaxed);) {
        unsigned lanes = g->vs.on ? GT_MIN(end - i, GEO_LANES) : 1;

        if (g->vs.on)
            shade(g, worker, i, lanes);
        else
            fetch_vertex(g, g->worker[worker].d.env.mem, i, soft_urb_entry(&g->urb, geo_handle(&g->vs_region, i)));
        i += lanes;
    }
}

void geo_vs_run(struct soft_geometry *g)
{
    uint32_t n = g->batch->vertices;

    geo_run(g, &g->vs, (n + ITEM_VERTICES - 1) / ITEM_VERTICES, run_item, g);
    if (g->vs.on && g->vs.statistics)
        g->e->count.vs_invocations += n;
}
