/*
 * Lines and points. Aliased lines are parallelograms that are as wide along the minor axis as the line's width; their
 * ends follow the diamond exit rule (PRM SKL vol 7, "Line Rasterization"; OpenGL 4.6, 14.5.1). Smooth and multisampled
 * ones are rectangles around the segment. Points are squares.
 */
#include <math.h>
#include <string.h>

#include "mediator/soft/raster.h"
#include "vgpu/base/bits.h"

static int32_t to_sub(double pixels)
{
    return (int32_t)floor(pixels * RASTER_SUB + 0.5);
}

/* Four corners, in either direction of rotation -> edges and box. */
static bool quadrilateral(const struct raster_viewport *vp, const double x[4], const double y[4], struct raster_prim *p)
{
    int32_t fx[4], fy[4];
    int64_t area = 0;

    for (unsigned i = 0; i < 4; i++) {
        fx[i] = to_sub(x[i]);
        fy[i] = to_sub(y[i]);
    }
    for (unsigned i = 0; i < 4; i++)
        area += (int64_t)fx[i] * fy[(i + 1) % 4] - (int64_t)fx[(i + 1) % 4] * fy[i];
    if (!area || !setup_box(vp, fx, fy, 4, &p->box))
        return false;
    for (unsigned i = 0; i < 4; i++) {
        unsigned from = area < 0 ? (i + 1) % 4 : i, to = area < 0 ? i : (i + 1) % 4;

        p->edge[i] = setup_edge(fx[from], fy[from], fx[to], fy[to]);
    }
    p->edges = 4;
    return true;
}

/* In the diamond around the centre of the pixel that has the point. */
static bool in_diamond(double x, double y)
{
    return fabs(x - floor(x) - 0.5) + fabs(y - floor(y) - 0.5) < 0.5;
}

/*
 * Where the line's pixels begin or end along the major axis, so that the centres in [begin, end) are those that the
 * diamond exit rule draws. dir: 1 or -1. Within the diamond the centre still belongs to what follows.
 */
static double diamond_end(double major, double minor, int dir)
{
    double centre = floor(major) + 0.5;

    return in_diamond(major, minor) && (major - centre) * dir > 0 ? centre : major;
}

static bool aliased_line(const struct raster_viewport *vp, const struct raster_vertex v[2], double width, bool last,
                         struct raster_prim *p)
{
    double dx = v[1].sx - v[0].sx, dy = v[1].sy - v[0].sy;
    bool steep = fabs(dy) > fabs(dx);
    double major[2] = {steep ? v[0].sy : v[0].sx, steep ? v[1].sy : v[1].sx};
    double minor[2] = {steep ? v[0].sx : v[0].sy, steep ? v[1].sx : v[1].sy};
    int dir = major[1] >= major[0] ? 1 : -1;
    double slope = major[1] != major[0] ? (minor[1] - minor[0]) / (major[1] - major[0]) : 0;
    double begin = diamond_end(major[0], minor[0], dir), end = diamond_end(major[1], minor[1], dir);
    double at[2], half = width / 2, x[4], y[4];

    if (last)
        end += dir;
    /* [begin, end) seen from the left is (end, begin] for a line to the left: move by the smallest step. */
    if (dir < 0) {
        begin += 1.0 / RASTER_SUB;
        end += 1.0 / RASTER_SUB;
    }
    at[0] = minor[0] + (begin - major[0]) * slope;
    at[1] = minor[0] + (end - major[0]) * slope;
    for (unsigned i = 0; i < 4; i++) {
        double along = i == 0 || i == 3 ? begin : end, across = (i == 0 || i == 3 ? at[0] : at[1]);

        across += i < 2 ? -half : half;
        x[i] = steep ? across : along;
        y[i] = steep ? along : across;
    }
    return quadrilateral(vp, x, y, p);
}

static bool wide_line(const struct raster_viewport *vp, const struct raster_vertex v[2], double half, double extend,
                      struct raster_prim *p)
{
    double dx = v[1].sx - v[0].sx, dy = v[1].sy - v[0].sy, length = hypot(dx, dy);
    double ux = dx / length, uy = dy / length;
    const double x[4] = {v[0].sx - ux * extend + uy * half, v[1].sx + ux * extend + uy * half,
                         v[1].sx + ux * extend - uy * half, v[0].sx - ux * extend - uy * half};
    const double y[4] = {v[0].sy - uy * extend - ux * half, v[1].sy + uy * extend - ux * half,
                         v[1].sy + uy * extend + ux * half, v[0].sy - uy * extend + ux * half};

    return quadrilateral(vp, x, y, p);
}

static void set_smooth(const struct raster_vertex v[2], double width, struct raster_prim *p)
{
    double dx = v[1].sx - v[0].sx, dy = v[1].sy - v[0].sy, length = hypot(dx, dy);

    p->smooth = true;
    p->smooth_ax = (float)(dx / length);
    p->smooth_ay = (float)(dy / length);
    p->smooth_half = (float)(width / 2);
    p->smooth_length = (float)length;
}

/* Barycentrics and depth change along the line only. */
static struct raster_plane along(const struct raster_vertex v[2], float f0, float f1)
{
    double dx = v[1].sx - v[0].sx, dy = v[1].sy - v[0].sy, inv = ((double)f1 - f0) / (dx * dx + dy * dy);

    return (struct raster_plane){f0, (float)(dx * inv), (float)(dy * inv)};
}

static void line_planes(const struct raster_vertex v[2], struct raster_prim *p)
{
    p->ref_x = (float)v[0].sx;
    p->ref_y = (float)v[0].sy;
    p->z = along(v, v[0].sz, v[1].sz);
    p->q = along(v, v[0].q, v[1].q);
    p->u = along(v, v[0].b1 * v[0].q, v[1].b1 * v[1].q);
    p->v = along(v, v[0].b2 * v[0].q, v[1].b2 * v[1].q);
    p->l1 = along(v, v[0].l1, v[1].l1);
    p->l2 = along(v, v[0].l2, v[1].l2);
    p->perspective = v[0].q != v[1].q;
}

bool setup_line(const struct raster_state *st, const struct raster_viewport *vp, const struct raster_vertex v[2],
                struct raster_prim *p)
{
    double dx = v[1].sx - v[0].sx, dy = v[1].sy - v[0].sy;
    double width = st->line_width > 0 ? st->line_width : 1;
    bool smooth = st->antialias && st->line_width > 0 && st->samples == 1, drawn;

    if (dx == 0 && dy == 0)
        return false;
    p->kind = SOFT_LINE;
    p->stippled = st->line_stipple;
    p->depth_min = vp->depth_min;
    p->depth_max = vp->depth_max;
    if (smooth)
        drawn = wide_line(vp, v, width / 2 + 0.5, 0.5, p);
    else if (st->multisample && st->samples > 1)
        drawn = wide_line(vp, v, width / 2, 0, p);
    else
        drawn = aliased_line(vp, v, width, st->last_pixel, p);
    if (!drawn)
        return false;
    if (smooth || p->stippled)
        set_smooth(v, width, p);
    p->smooth = smooth;
    line_planes(v, p);
    return true;
}

float setup_smooth_coverage(const struct raster_prim *p, float x, float y)
{
    float dx = x - p->ref_x, dy = y - p->ref_y;

    if (p->kind == SOFT_POINT)
        return fmaxf(0, fminf(1, p->smooth_half + 0.5f - hypotf(dx - p->smooth_half, dy - p->smooth_half)));
    float t = dx * p->smooth_ax + dy * p->smooth_ay, d = fabsf(dx * p->smooth_ay - dy * p->smooth_ax);
    float across = p->smooth_half + 0.5f - d, ends = fminf(t, p->smooth_length - t) + 0.5f;

    across = fminf(across, 2 * p->smooth_half); /* thinner than a pixel */
    return fmaxf(0, fminf(1, across)) * fmaxf(0, fminf(1, ends));
}

uint32_t setup_line_pixels(const struct raster_vertex v[2])
{
    double dx = fabs(v[1].sx - v[0].sx), dy = fabs(v[1].sy - v[0].sy);

    return (uint32_t)(fmax(dx, dy) + 0.5);
}

/* The counter runs by pixels along the major axis (OpenGL 4.6, 14.5.2). */
bool setup_line_stipple(const struct raster_state *st, const struct raster_prim *p, int32_t x, int32_t y)
{
    bool steep = fabsf(p->smooth_ay) > fabsf(p->smooth_ax);
    float first = floorf(steep ? p->ref_y : p->ref_x), at = steep ? (float)y : (float)x;
    uint32_t n = p->stipple_start + (uint32_t)fabsf(at - first);

    return st->line_pattern >> (n / st->line_repeat % 16) & 1;
}

/* A smooth point is a disc: its square is half a pixel larger all round. RASTRULE_UPPER_RIGHT: samples on the right
 * edge are inside and those on the left one are not, as if moved by the smallest step. */
bool setup_point(const struct raster_state *st, const struct raster_viewport *vp, const struct raster_vertex *v,
                 float width, struct raster_prim *p)
{
    bool smooth = st->smooth_point && st->samples == 1;
    double w = fmin(fmax(width, 1.0 / RASTER_SUB), 2048), half = w / 2 + (smooth ? 0.5 : 0);
    double x0 = v->sx + (st->point_upper_right ? 1.0 / RASTER_SUB : 0);
    const double x[4] = {x0 - half, x0 + half, x0 + half, x0 - half};
    const double y[4] = {v->sy - half, v->sy - half, v->sy + half, v->sy + half};

    if (!quadrilateral(vp, x, y, p))
        return false;
    p->kind = SOFT_POINT;
    p->smooth = smooth;
    p->smooth_half = (float)(w / 2);
    p->depth_min = vp->depth_min;
    p->depth_max = vp->depth_max;
    p->ref_x = (float)(v->sx - w / 2);
    p->ref_y = (float)(v->sy - w / 2);
    p->z = (struct raster_plane){v->sz, 0, 0};
    p->q = (struct raster_plane){v->q, 0, 0};
    p->l1 = (struct raster_plane){0, (float)(1 / w), 0};
    p->l2 = (struct raster_plane){0, 0, (float)(1 / w)};
    p->perspective = false;
    return true;
}
