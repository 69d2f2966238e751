/* Triangles and rectangles on the screen: culling, edges, planes. PRM SKL vol 7, "Strips and Fans Stage". */
#include <math.h>
#include <string.h>

#include "mediator/soft/raster.h"
#include "vgpu/base/bits.h"

/* 3D_CullMode of genxml. */
enum { CULL_BOTH, CULL_NONE, CULL_FRONT, CULL_BACK };

/* Top-left rule: samples on an edge are inside when it is the left or the (horizontal) top one. */
struct raster_edge setup_edge(int32_t x0, int32_t y0, int32_t x1, int32_t y1)
{
    struct raster_edge e = {.a = y0 - y1, .b = x1 - x0};
    bool top_left = y1 < y0 || (y1 == y0 && x1 > x0);

    e.c = -((int64_t)e.a * x0 + (int64_t)e.b * y0) - !top_left;
    return e;
}

int64_t setup_area(const struct raster_vertex v[3])
{
    return (int64_t)(v[1].fx - v[0].fx) * (v[2].fy - v[0].fy) - (int64_t)(v[2].fx - v[0].fx) * (v[1].fy - v[0].fy);
}

static int32_t floor_pixel(int32_t sub)
{
    return sub >> 8;
}

bool setup_box(const struct raster_viewport *vp, const int32_t *fx, const int32_t *fy, unsigned n,
               struct raster_box *box)
{
    struct raster_box b = {fx[0], fy[0], fx[0], fy[0]};

    for (unsigned i = 1; i < n; i++) {
        b.x0 = GT_MIN(b.x0, fx[i]);
        b.y0 = GT_MIN(b.y0, fy[i]);
        b.x1 = GT_MAX(b.x1, fx[i]);
        b.y1 = GT_MAX(b.y1, fy[i]);
    }
    b = (struct raster_box){floor_pixel(b.x0), floor_pixel(b.y0), floor_pixel(b.x1 + 255), floor_pixel(b.y1 + 255)};
    *box = raster_intersect(b, vp->box);
    return box->x0 < box->x1 && box->y0 < box->y1;
}

static struct raster_plane plane_through(const float f[3], const double e[4], double inv)
{
    double d1 = (double)f[1] - f[0], d2 = (double)f[2] - f[0];

    /* e: x1 - x0, y1 - y0, x2 - x0, y2 - y0 in pixels; inv: one over their cross product. */
    return (struct raster_plane){f[0], (float)((d1 * e[3] - d2 * e[1]) * inv), (float)((d2 * e[0] - d1 * e[2]) * inv)};
}

void setup_planes(const struct raster_vertex v[3], int64_t area, struct raster_prim *p)
{
    const double s = 1.0 / RASTER_SUB;
    const double e[4] = {(v[1].fx - v[0].fx) * s, (v[1].fy - v[0].fy) * s, (v[2].fx - v[0].fx) * s,
                         (v[2].fy - v[0].fy) * s};
    double inv = 1.0 / ((double)area * s * s);

    p->ref_x = (float)(v[0].fx * s);
    p->ref_y = (float)(v[0].fy * s);
    p->z = plane_through((float[]){v[0].sz, v[1].sz, v[2].sz}, e, inv);
    p->l1 = plane_through((float[]){v[0].l1, v[1].l1, v[2].l1}, e, inv);
    p->l2 = plane_through((float[]){v[0].l2, v[1].l2, v[2].l2}, e, inv);
    p->perspective = v[0].q != v[1].q || v[0].q != v[2].q;
    p->q = plane_through((float[]){v[0].q, v[1].q, v[2].q}, e, inv);
    p->u = plane_through((float[]){v[0].b1 * v[0].q, v[1].b1 * v[1].q, v[2].b1 * v[2].q}, e, inv);
    p->v = plane_through((float[]){v[0].b2 * v[0].q, v[1].b2 * v[1].q, v[2].b2 * v[2].q}, e, inv);
}

/* The smallest step of the depth buffer (PRM SKL vol 7, "Depth Offset"). */
static double depth_step(unsigned format, const struct raster_vertex *v, unsigned n)
{
    float most = 0;
    int exponent;

    if (format == DEPTH_D16)
        return ldexp(1, -16);
    if (format != DEPTH_D32F)
        return ldexp(1, -24);
    for (unsigned i = 0; i < n; i++)
        most = fmaxf(most, fabsf(v[i].sz));
    frexpf(most, &exponent);
    return ldexp(1, exponent - 24);
}

void setup_bias(const struct raster_state *st, bool enabled, const struct raster_vertex *v, unsigned n,
                struct raster_prim *p)
{
    double bias;

    if (!enabled)
        return;
    bias = (double)st->bias_constant * depth_step(st->ds.format, v, n) +
           (double)st->bias_scale * fmax(fabsf(p->z.dx), fabsf(p->z.dy));
    if (st->bias_clamp > 0)
        bias = fmin(bias, st->bias_clamp);
    else if (st->bias_clamp < 0)
        bias = fmax(bias, st->bias_clamp);
    if (isfinite(bias))
        p->z.c += (float)bias;
}

static void common(const struct raster_viewport *vp, struct raster_prim *p)
{
    p->depth_min = vp->depth_min;
    p->depth_max = vp->depth_max;
}

bool setup_culled(const struct raster_state *st, bool back)
{
    return st->cull == CULL_BOTH || st->cull == (back ? CULL_BACK : CULL_FRONT);
}

/* Every pixel that the triangle touches: edges move out by half a pixel both ways, to the corner that is furthest in.
 */
static bool grow(const struct raster_viewport *vp, const int32_t *fx, const int32_t *fy, struct raster_prim *p)
{
    int32_t gx[4], gy[4];

    for (unsigned i = 0; i < p->edges; i++) {
        struct raster_edge *e = &p->edge[i];

        e->c += ((int64_t)(e->a < 0 ? -e->a : e->a) + (e->b < 0 ? -e->b : e->b)) * (RASTER_SUB / 2);
    }
    gx[0] = GT_MIN(GT_MIN(fx[0], fx[1]), fx[2]) - RASTER_SUB / 2;
    gx[1] = GT_MAX(GT_MAX(fx[0], fx[1]), fx[2]) + RASTER_SUB / 2;
    gy[0] = GT_MIN(GT_MIN(fy[0], fy[1]), fy[2]) - RASTER_SUB / 2;
    gy[1] = GT_MAX(GT_MAX(fy[0], fy[1]), fy[2]) + RASTER_SUB / 2;
    return setup_box(vp, gx, gy, 2, &p->box);
}

bool setup_triangle(const struct raster_state *st, const struct raster_viewport *vp, const struct raster_vertex v[3],
                    struct raster_prim *p)
{
    const int32_t fx[3] = {v[0].fx, v[1].fx, v[2].fx}, fy[3] = {v[0].fy, v[1].fy, v[2].fy};
    int64_t area = setup_area(v);
    bool ccw = area < 0;

    p->back = ccw != st->front_ccw;
    if (!area || setup_culled(st, p->back) || !(setup_box(vp, fx, fy, 3, &p->box) || st->conservative))
        return false;
    for (unsigned i = 0; i < 3; i++) {
        unsigned from = ccw ? (i + 1) % 3 : i, to = ccw ? i : (i + 1) % 3;

        p->edge[i] = setup_edge(fx[from], fy[from], fx[to], fy[to]);
    }
    p->edges = 3;
    if (st->conservative && !grow(vp, fx, fy, p))
        return false;
    p->kind = SOFT_TRIANGLE;
    p->polygon = true;
    common(vp, p);
    setup_planes(v, area, p);
    setup_bias(st, st->bias_solid, v, 3, p);
    return true;
}

bool setup_rect(const struct raster_state *st, const struct raster_viewport *vp, const struct raster_vertex v[3],
                struct raster_prim *p)
{
    const int32_t fx[4] = {v[0].fx, v[1].fx, v[2].fx, v[0].fx - v[1].fx + v[2].fx};
    const int32_t fy[4] = {v[0].fy, v[1].fy, v[2].fy, v[0].fy - v[1].fy + v[2].fy};
    int64_t area = setup_area(v);
    bool ccw = area < 0;

    if (!area || !setup_box(vp, fx, fy, 4, &p->box))
        return false;
    for (unsigned i = 0; i < 4; i++) {
        unsigned from = ccw ? (i + 1) % 4 : i, to = ccw ? i : (i + 1) % 4;

        p->edge[i] = setup_edge(fx[from], fy[from], fx[to], fy[to]);
    }
    p->edges = 4;
    p->kind = SOFT_RECT;
    p->polygon = true;
    p->back = false; /* rectangles are not culled and always face the viewer */
    common(vp, p);
    setup_planes(v, area, p);
    setup_bias(st, st->bias_solid, v, 3, p);
    return true;
}
