#include "mediator/soft/topology.h"

#include "vgpu/base/bits.h"

#define ALL_EDGES 7u

/* type, object, vertices, first, step, split, provoking, adjacency, origin */
static const struct topology topologies[] = {
    {TOPO_POINTLIST, OBJECT_POINT, 1, 1, 1, 1, PROVOKING_FIRST, false, false},
    {TOPO_POINTLIST_BF, OBJECT_POINT, 1, 1, 1, 1, PROVOKING_FIRST, false, false},
    {TOPO_LINELIST, OBJECT_LINE, 2, 2, 2, 1, PROVOKING_LINE, false, false},
    {TOPO_LINESTRIP, OBJECT_LINE, 2, 2, 1, 1, PROVOKING_LINE, false, false},
    {TOPO_LINESTRIP_BF, OBJECT_LINE, 2, 2, 1, 1, PROVOKING_LINE, false, false},
    {TOPO_LINESTRIP_CONT, OBJECT_LINE, 2, 2, 1, 1, PROVOKING_LINE, false, false},
    {TOPO_LINESTRIP_CONT_BF, OBJECT_LINE, 2, 2, 1, 1, PROVOKING_LINE, false, false},
    {TOPO_LINELOOP, OBJECT_LINE, 2, 2, 1, 1, PROVOKING_LINE, false, true},
    {TOPO_LINELIST_ADJ, OBJECT_LINE, 4, 4, 4, 1, PROVOKING_LINE, true, false},
    {TOPO_LINESTRIP_ADJ, OBJECT_LINE, 4, 4, 1, 1, PROVOKING_LINE, true, false},
    {TOPO_TRILIST, OBJECT_TRIANGLE, 3, 3, 3, 1, PROVOKING_TRIANGLE, false, false},
    {TOPO_TRISTRIP, OBJECT_TRIANGLE, 3, 3, 1, 1, PROVOKING_TRIANGLE, false, false},
    {TOPO_TRISTRIP_REVERSE, OBJECT_TRIANGLE, 3, 3, 1, 1, PROVOKING_TRIANGLE, false, false},
    {TOPO_TRIFAN, OBJECT_TRIANGLE, 3, 3, 1, 1, PROVOKING_FAN, false, true},
    {TOPO_TRIFAN_NOSTIPPLE, OBJECT_TRIANGLE, 3, 3, 1, 1, PROVOKING_FAN, false, true},
    {TOPO_POLYGON, OBJECT_TRIANGLE, 3, 3, 1, 1, PROVOKING_FIRST, false, true},
    {TOPO_TRILIST_ADJ, OBJECT_TRIANGLE, 6, 6, 6, 1, PROVOKING_TRIANGLE, true, false},
    {TOPO_TRISTRIP_ADJ, OBJECT_TRIANGLE, 6, 6, 2, 1, PROVOKING_TRIANGLE, true, false},
    {TOPO_QUADLIST, OBJECT_TRIANGLE, 3, 4, 4, 2, PROVOKING_FIRST, false, false},
    {TOPO_QUADSTRIP, OBJECT_TRIANGLE, 3, 4, 2, 2, PROVOKING_FIRST, false, false},
    {TOPO_RECTLIST, OBJECT_RECT, 3, 3, 3, 1, PROVOKING_TRIANGLE, false, false},
};

struct topology topology_find(unsigned type)
{
    if (type >= TOPO_PATCHLIST_1 && type <= TOPO_PATCHLIST_32) {
        uint8_t n = (uint8_t)(type - TOPO_PATCHLIST_1 + 1);

        return (struct topology){(uint8_t)type, OBJECT_PATCH, n, n, n, 1, PROVOKING_FIRST, false, false};
    }
    for (unsigned i = 0; i < GT_ARRAY_SIZE(topologies); i++)
        if (topologies[i].type == type)
            return topologies[i];
    return (struct topology){0};
}

/* The strip's last triangle has another neighbour than one that is followed: it is only known at the end. */
static bool needs_next(const struct topology *t)
{
    return t->type == TOPO_TRISTRIP_ADJ;
}

/* The last edge of a polygon is an outline, that of a fan's triangle too: polygons wait to see whether one follows. */
static bool is_polygon(const struct topology *t)
{
    return t->type == TOPO_POLYGON;
}

uint32_t topology_prims(const struct topology *t, uint32_t n, bool ended)
{
    if (!t->object || n < t->first)
        return 0;
    uint32_t whole = (n - t->first) / t->step + 1;

    if (t->type == TOPO_LINELOOP && ended)
        return whole + 1; /* the closing line */
    if (!ended && (needs_next(t) || is_polygon(t)))
        return whole - 1;
    return whole * t->split;
}

uint32_t topology_object_of(const struct topology *t, uint32_t prim)
{
    return is_polygon(t) ? 0 : prim / t->split;
}

uint32_t topology_first_vertex(const struct topology *t, uint32_t i)
{
    if (t->origin && t->object == OBJECT_TRIANGLE)
        return i + 1;
    if (t->type == TOPO_TRISTRIP_ADJ)
        return i ? 2 * i - 2 : 0;
    return i / t->split * t->step;
}

static void set(struct topology_prim *p, uint32_t a, uint32_t b, uint32_t c)
{
    p->at[0] = a;
    p->at[1] = b;
    p->at[2] = c;
}

/* Odd triangles of a strip wind the other way round. */
static void strip(struct topology_prim *p, uint32_t i, bool odd)
{
    p->odd = odd;
    set(p, odd ? i + 1 : i, odd ? i : i + 1, i + 2);
}

/* A quad is a polygon that begins with its provoking vertex, the last one of the four. */
static void quad(struct topology_prim *p, const uint32_t v[4], bool second)
{
    if (second)
        set(p, v[3], v[1], v[2]);
    else
        set(p, v[3], v[0], v[1]);
    p->edges = second ? 6 : 3;
}

static void quad_of(const struct topology *t, struct topology_prim *p, uint32_t i)
{
    uint32_t at = i / 2 * t->step;
    bool list = t->type == TOPO_QUADLIST;
    /* The last two vertices of a strip's quad come in the other order; its last one is the provoking vertex. */
    const uint32_t in_list[4] = {at, at + 1, at + 2, at + 3}, in_strip[4] = {at + 2, at, at + 1, at + 3};

    quad(p, list ? in_list : in_strip, i % 2);
}

static void polygon(struct topology_prim *p, uint32_t i, uint32_t prims)
{
    set(p, 0, i + 1, i + 2);
    p->edges = (uint8_t)(2 | (i == 0 ? 1 : 0) | (i + 1 == prims ? 4 : 0));
}

/* Corners 0, 2, 4; between them the vertex on the other side of that edge. */
static void strip_adjacency(struct topology_prim *p, uint32_t i, bool last)
{
    uint32_t at = 2 * i, before = i ? at - 2 : 1, after = last ? at + 5 : at + 6;

    p->odd = i % 2;
    p->at[0] = p->odd ? at + 2 : at;
    p->at[2] = p->odd ? at : at + 2;
    p->at[4] = at + 4;
    p->at[1] = before;
    p->at[3] = p->odd ? at + 3 : after;
    p->at[5] = p->odd ? after : at + 3;
}

void topology_prim(const struct topology *t, uint32_t i, uint32_t n, bool ended, struct topology_prim *p)
{
    uint32_t at = i * t->step;

    p->edges = ALL_EDGES;
    p->odd = false;
    switch (t->type) {
    case TOPO_TRISTRIP:
        strip(p, i, i % 2);
        break;
    case TOPO_TRISTRIP_REVERSE:
        strip(p, i, i % 2 == 0);
        break;
    case TOPO_TRIFAN:
    case TOPO_TRIFAN_NOSTIPPLE:
        set(p, 0, i + 1, i + 2);
        break;
    case TOPO_POLYGON:
        polygon(p, i, ended ? topology_prims(t, n, true) : UINT32_MAX);
        break;
    case TOPO_QUADLIST:
    case TOPO_QUADSTRIP:
        quad_of(t, p, i);
        break;
    case TOPO_TRISTRIP_ADJ:
        strip_adjacency(p, i, ended && i + 1 == topology_prims(t, n, true));
        break;
    case TOPO_LINELOOP:
        p->at[0] = i;
        p->at[1] = ended && i + 1 == n ? 0 : i + 1;
        break;
    default:
        for (unsigned k = 0; k < t->vertices; k++)
            p->at[k] = at + k;
        break;
    }
}

unsigned topology_provoking(const struct topology *t, unsigned select, bool odd)
{
    switch (t->provoking) {
    case PROVOKING_LINE:
        return GT_MIN(select, 1u);
    case PROVOKING_TRIANGLE:
        if (odd && select < 2)
            return 1 - select;
        return GT_MIN(select, 2u);
    case PROVOKING_FAN:
        return GT_MIN(select, 2u);
    default:
        return 0;
    }
}
