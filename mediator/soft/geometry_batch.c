#include <string.h>

#include "mediator/soft/geometry.h"
#include "vgpu/base/bits.h"

/* A window that holds fewer indices from a place on than a primitive can span is read again. */
#define SPAN 64u
/* Runs of vertices looked at for a batch that comes again: it has at most as many primitives. */
#define AGAIN_TURNS (2 * GEO_PRIMS)

/* The vertices first .. first + n of the draw, from the run's start on (run <= first). */
struct view {
    uint32_t run, first, n;
    bool ended;            /* the run ends behind them, */
    uint32_t next;         /* ... and the next one begins here */
    uint32_t origin;       /* index of the run's first vertex */
    const uint32_t *index; /* from `first` on; NULL: they are their places */
};

static uint32_t read_index(const struct soft_geometry *g, uint32_t at)
{
    uint32_t index = at;

    if (g->vf.indexed)
        vertex_fetch_indices(&g->vf, &g->e->worker[0].mem, at, 1, &index);
    return index;
}

/* Indices from `first` on; *n: how many, the draw's rest or some. */
static const uint32_t *read_window(struct soft_geometry *g, uint32_t first, uint32_t *n)
{
    struct geo_batch *b = g->batch;
    uint32_t all = g->draw.vertices, end = b->window_first + b->window_n;

    if (first < b->window_first || first > end || (end - first < SPAN && end != all)) {
        b->window_first = first;
        b->window_n = GT_MIN(all - first, GEO_WINDOW);
        end = first + b->window_n;
        vertex_fetch_indices(&g->vf, &g->e->worker[0].mem, first, b->window_n, b->window);
    }
    *n = end - first;
    return b->window + (first - b->window_first);
}

/* Ends the view at a cut. Cuts that follow each other are one. */
static void cut_view(const struct soft_geometry *g, struct view *v)
{
    uint32_t all = v->n, i = 0;

    while (i < all && v->index[i] != g->vf.cut_index)
        i++;
    if (i == all)
        return;
    v->n = i;
    v->ended = true;
    while (i < all && v->index[i] == g->vf.cut_index)
        i++;
    v->next = v->first + i;
}

static void look(struct soft_geometry *g, const struct geo_cursor *at, struct view *v)
{
    uint64_t first = (uint64_t)at->run + topology_first_vertex(&g->topo, at->prim);
    uint32_t all = g->draw.vertices;

    *v = (struct view){.run = at->run, .first = (uint32_t)GT_MIN(first, (uint64_t)all), .next = all};
    v->n = GT_MIN(all - v->first, GEO_WINDOW);
    if (g->vf.indexed)
        v->index = read_window(g, v->first, &v->n);
    v->ended = v->first + v->n == all;
    if (g->vf.cut_enable)
        cut_view(g, v);
    v->origin = v->first == v->run ? 0 : read_index(g, v->run);
}

/* The vertex of an index; a new one if it is not there. False: no room for it. */
static bool find_vertex(struct geo_batch *b, uint32_t index, uint32_t instance, uint32_t most, uint16_t *vertex)
{
    for (uint32_t i = (index * 0x9e3779b1u) >> 19;; i = (i + 1) % GEO_HASH) {
        struct geo_hash *h = &b->hash[i % GEO_HASH];

        if (h->stamp != b->stamp) {
            if (b->vertices >= most)
                return false;
            *h = (struct geo_hash){index, b->stamp, (uint16_t)b->vertices};
            b->vertex[b->vertices++] = (struct geo_vertex){index, instance};
        } else if (h->index != index) {
            continue;
        }
        *vertex = h->vertex;
        return true;
    }
}

static uint32_t index_of(const struct view *v, uint32_t place)
{
    uint32_t at = v->run + place;

    if (at < v->first)
        return v->origin;
    return v->index ? v->index[at - v->first] : at;
}

/* False: no room. What was taken in part is left as vertices without a primitive. */
static bool add_primitive(struct soft_geometry *g, const struct geo_cursor *at, const struct view *v)
{
    struct geo_batch *b = g->batch;
    struct geo_prims *list = &b->prims;
    unsigned per = g->topo.vertices;
    uint16_t *ref = list->ref + (size_t)list->n * per;
    struct topology_prim p;

    if (list->n >= b->most || (list->n + 1) * per > GEO_REFS)
        return false;
    topology_prim(&g->topo, at->prim, v->first - v->run + v->n, v->ended, &p);
    for (unsigned i = 0; i < per; i++)
        if (!find_vertex(b, index_of(v, p.at[i]), at->instance, g->vs_region.entries, &ref[i]))
            return false;
    if (!at->prim || topology_object_of(&g->topo, at->prim) != topology_object_of(&g->topo, at->prim - 1))
        b->objects++;
    list->info[list->n++] = (struct geo_prim_info){
        .id = at->id + topology_object_of(&g->topo, at->prim),
        .edges = p.edges,
        .odd = p.odd,
    };
    return true;
}

/* Moves behind the run; ids go on. */
static void next_run(struct soft_geometry *g, struct geo_cursor *at, const struct view *v)
{
    g->batch->passed_vertices += v->first - v->run + v->n;
    if (at->prim)
        at->id += topology_object_of(&g->topo, at->prim - 1) + 1;
    at->run = v->next;
    at->prim = 0;
}

static void next_instance(struct soft_geometry *g, struct geo_cursor *at)
{
    *at = (struct geo_cursor){.instance = at->instance + 1};
    g->batch->stamp++;
}

/* Adds what can be seen of a run. False: the batch is full. */
static bool add_run(struct soft_geometry *g, struct geo_cursor *at)
{
    struct view v;

    look(g, at, &v);
    uint32_t prims = topology_prims(&g->topo, v.first - v.run + v.n, v.ended);

    for (; at->prim < prims; at->prim++)
        if (!add_primitive(g, at, &v))
            return false;
    if (v.ended)
        next_run(g, at, &v);
    return true;
}

/* A batch that comes again is the same one, though the engine may be wanted: its tiles are counted. Unless the guest
 * changed the indices meanwhile, so that nothing comes of them for long. */
static bool is_wanted(const struct soft_geometry *g, uint32_t again, unsigned turns)
{
    return vgpu_exec_stop(g->e->space.x) && (g->batch->prims.n >= again || turns > AGAIN_TURNS);
}

bool geo_batch_next(struct soft_geometry *g, struct geo_cursor *at, uint32_t again)
{
    struct geo_batch *b = g->batch;
    unsigned turns = 0;

    b->vertices = b->objects = 0;
    b->passed_vertices = 0;
    b->stamp++;
    b->most = again ? GT_MIN(again, GEO_PRIMS) : GEO_PRIMS;
    b->prims = (struct geo_prims){.topo = g->topo, .region = &g->vs_region, .ref = b->ref, .info = b->info};
    while (at->instance < g->draw.instances) {
        if (at->run >= g->draw.vertices)
            next_instance(g, at);
        else if (!add_run(g, at) || is_wanted(g, again, ++turns))
            return true; /* perhaps without primitives: there can be many cuts */
    }
    return b->prims.n;
}
