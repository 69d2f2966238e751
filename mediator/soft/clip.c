/*
 * Clip tests and clipping in homogeneous coordinates (PRM SKL vol 7, "Clip Stage"). Clipped vertices keep their
 * barycentrics in the whole primitive, so attributes are set up once, from the primitive's own vertices.
 */
#include <math.h>
#include <string.h>

#include "mediator/soft/raster.h"

/* Positions further out than this (pixels) are not drawn: products of edges stay within 64 bits. Gen9's guard band is
 * 32768 (PRM SKL vol 7, "Guard Band"). */
#define CLIP_SCREEN_LIMIT 65536.0
/* What is as close to the eye as this is clipped when no near plane does it. */
#define CLIP_W_MIN 1e-30f

enum clip_plane {
    PLANE_W,
    PLANE_NEAR,
    PLANE_FAR,
    PLANE_LEFT,
    PLANE_RIGHT,
    PLANE_TOP,
    PLANE_BOTTOM,
    PLANE_USER, /* 8 of them */
    PLANES = PLANE_USER + 8
};

struct clip_job {
    const struct raster_clip_state *cs;
    const float *limit; /* x min, max, y min, max */
    const float (*dist)[8];
};

static float user_distance(const struct clip_job *j, const struct raster_vertex *v, unsigned i)
{
    const float(*d)[8] = j->dist;

    return d[0][i] + v->b1 * (d[1][i] - d[0][i]) + v->b2 * (d[2][i] - d[0][i]);
}

/* >= 0: inside. */
static float plane_distance(const struct clip_job *j, const struct raster_vertex *v, unsigned plane)
{
    switch (plane) {
    case PLANE_W:
        return v->w - CLIP_W_MIN;
    case PLANE_NEAR:
        return j->cs->d3d ? v->z : v->z + v->w;
    case PLANE_FAR:
        return v->w - v->z;
    case PLANE_LEFT:
        return v->x - j->limit[0] * v->w;
    case PLANE_RIGHT:
        return j->limit[1] * v->w - v->x;
    case PLANE_TOP:
        return v->y - j->limit[2] * v->w;
    case PLANE_BOTTOM:
        return j->limit[3] * v->w - v->y;
    default:
        return user_distance(j, v, plane - PLANE_USER);
    }
}

static bool plane_used(const struct raster_clip_state *cs, unsigned plane, bool xy)
{
    switch (plane) {
    case PLANE_W:
        return true;
    case PLANE_NEAR:
        return cs->near_test;
    case PLANE_FAR:
        return cs->far_test;
    case PLANE_LEFT:
    case PLANE_RIGHT:
    case PLANE_TOP:
    case PLANE_BOTTOM:
        return xy;
    default:
        return cs->clip_distances >> (plane - PLANE_USER) & 1;
    }
}

static void mix(struct raster_vertex *out, const struct raster_vertex *a, const struct raster_vertex *b, float t)
{
    out->x = a->x + t * (b->x - a->x);
    out->y = a->y + t * (b->y - a->y);
    out->z = a->z + t * (b->z - a->z);
    out->w = a->w + t * (b->w - a->w);
    out->b1 = a->b1 + t * (b->b1 - a->b1);
    out->b2 = a->b2 + t * (b->b2 - a->b2);
}

/* The crossing is always computed from the inside vertex, so that triangles that share an edge get the same point. */
static void crossing(struct raster_vertex *out, const struct raster_vertex *in, float din,
                     const struct raster_vertex *outside, float dout)
{
    mix(out, in, outside, din / (din - dout));
}

static unsigned cut(const struct clip_job *j, unsigned plane, struct raster_vertex *v, unsigned n)
{
    struct raster_vertex in[CLIP_VERTICES];
    unsigned out = 0;

    memcpy(in, v, n * sizeof(*v));
    for (unsigned i = 0; i < n; i++) {
        const struct raster_vertex *a = &in[i], *b = &in[(i + 1) % n];
        float da = plane_distance(j, a, plane), db = plane_distance(j, b, plane);

        if (da >= 0 && out < CLIP_VERTICES)
            v[out++] = *a;
        if (n == 2 && i == 1) /* a line has no edge back */
            break;
        if (da >= 0 && db < 0 && out < CLIP_VERTICES)
            crossing(&v[out++], a, da, b, db);
        else if (da < 0 && db >= 0 && out < CLIP_VERTICES)
            crossing(&v[out++], b, db, a, da);
    }
    return out;
}

/* How many of the vertices are outside of a plane; n where a coordinate is no number. */
static unsigned count_outside(const struct clip_job *j, const struct raster_vertex *v, unsigned n, unsigned plane)
{
    unsigned outside = 0;

    for (unsigned i = 0; i < n; i++)
        outside += !(plane_distance(j, &v[i], plane) >= 0);
    return outside;
}

static bool outside_view(const struct raster_clip_state *cs, const struct raster_viewport *vp,
                         const struct raster_vertex *v, unsigned n)
{
    const struct clip_job j = {cs, vp->view, NULL};

    if (!cs->xy_test)
        return false;
    for (unsigned plane = PLANE_LEFT; plane <= PLANE_BOTTOM; plane++)
        if (count_outside(&j, v, n, plane) == n)
            return true;
    return false;
}

static bool culled_by_distance(const struct raster_clip_state *cs, unsigned n, const float dist[3][8])
{
    for (unsigned i = 0; i < 8; i++) {
        unsigned outside = 0;

        if (!(cs->cull_distances >> i & 1))
            continue;
        for (unsigned k = 0; k < n; k++)
            outside += !(dist[k][i] >= 0);
        if (outside == n)
            return true;
    }
    return false;
}

static bool finite4(const struct raster_vertex *v, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (!isfinite(v[i].x) || !isfinite(v[i].y) || !isfinite(v[i].z) || !isfinite(v[i].w))
            return false;
    return true;
}

/* True when it is plain that no test would change anything: what nearly all primitives of nearly all programs are. Not
 * with planes of the user; and false where a number is none, or so large that it is not worth a look. */
static bool plainly_inside(const struct clip_job *j, const struct raster_viewport *vp, const struct raster_vertex *v,
                           unsigned n)
{
    const struct raster_clip_state *cs = j->cs;

    if (cs->clip_distances || cs->cull_distances)
        return false;
    for (unsigned i = 0; i < n; i++) {
        const float x = v[i].x, y = v[i].y, z = v[i].z, w = v[i].w;
        const float *limit = j->limit, *view = vp->view;
        bool in = w - CLIP_W_MIN >= 0 && x - limit[0] * w >= 0 && limit[1] * w - x >= 0 && y - limit[2] * w >= 0 &&
                  limit[3] * w - y >= 0 && (cs->d3d ? z : z + w) >= 0 && w - z >= 0;

        if (!in || !isfinite(w) || x - view[0] * w < 0 || view[1] * w - x < 0 || y - view[2] * w < 0 ||
            view[3] * w - y < 0)
            return false;
    }
    return true;
}

unsigned clip_polygon(const struct raster_clip_state *cs, const struct raster_viewport *vp,
                      struct raster_vertex v[CLIP_VERTICES], unsigned n, const float dist[3][8])
{
    bool xy = cs->guardband || cs->xy_test;
    const struct clip_job j = {cs, cs->guardband ? vp->guard : vp->view, dist};

    if (!cs->enable || cs->accept_all)
        return n;
    if (!cs->reject_all && plainly_inside(&j, vp, v, n))
        return n;
    if (cs->reject_all || !finite4(v, n) || culled_by_distance(cs, n, dist) || outside_view(cs, vp, v, n))
        return 0;
    for (unsigned plane = 0; plane < PLANES; plane++) {
        unsigned outside;

        if (!plane_used(cs, plane, xy) || !(outside = count_outside(&j, v, n, plane)))
            continue;
        if (outside == n)
            return 0;
        n = cut(&j, plane, v, n);
        if (!n)
            return 0;
    }
    return n;
}

static int32_t snap(const struct raster_state *st, double pixels)
{
    double step = (double)RASTER_SUB / st->snap;

    return (int32_t)floor(pixels * step + 0.5) * st->snap;
}

bool clip_to_screen(const struct raster_state *st, const struct raster_viewport *vp, struct raster_vertex *v)
{
    double x = v->x, y = v->y, z = v->z;

    v->q = 1;
    if (st->clip.divide) {
        if (!(v->w != 0))
            return false;
        v->q = 1 / v->w;
        x *= v->q;
        y *= v->q;
        z *= v->q;
    } else if (v->w > 0) {
        v->q = v->w; /* the vertex has the reciprocal already */
    }
    if (st->viewport_transform) {
        x = x * vp->scale[0] + vp->offset[0];
        y = y * vp->scale[1] + vp->offset[1];
        z = z * vp->scale[2] + vp->offset[2];
    }
    x += st->origin_x;
    y += st->origin_y;
    if (!(fabs(x) < CLIP_SCREEN_LIMIT && fabs(y) < CLIP_SCREEN_LIMIT) || !isfinite(z) || !isfinite(v->q))
        return false;
    v->fx = snap(st, x);
    v->fy = snap(st, y);
    v->sx = x;
    v->sy = y;
    v->sz = (float)z;
    return true;
}
