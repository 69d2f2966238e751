#include "mediator/soft/tessellate.h"

#include <math.h>
#include <string.h>

#include "vgpu/base/bits.h"

static float float_of(uint32_t dw)
{
    float f;

    memcpy(&f, &dw, sizeof(f));
    return f;
}

void tessellate_factors(const uint32_t dw[8], unsigned domain, struct tess_factors *f)
{
    /* Mesa brw_nir.c (remap_tess_levels) has the same places. */
    memset(f, 0, sizeof(*f));
    for (unsigned i = 0; i < 4; i++)
        f->outer[i] = float_of(dw[7 - i]);
    switch (domain) {
    case TESS_TRI:
        f->inner[0] = float_of(dw[4]);
        f->outer[3] = 0;
        break;
    case TESS_ISOLINE:
        f->outer[0] = float_of(dw[6]);
        f->outer[1] = float_of(dw[7]);
        break;
    default:
        f->inner[0] = float_of(dw[3]);
        f->inner[1] = float_of(dw[2]);
        break;
    }
}

/* ---- how an edge is divided */

struct division {
    unsigned n;                    /* segments */
    float at[TESS_MAX_FACTOR + 1]; /* 0 .. 1 */
};

/* What rounding and clamping leave of a factor; not a number and what is not positive count as the least. */
static float clamp_factor(const struct tess_setup *s, unsigned partition, float f)
{
    float least = partition == TESS_EVEN_FRACTIONAL ? 2 : 1;
    float most = partition == TESS_ODD_FRACTIONAL ? 63 : 64;
    float limit = partition == TESS_ODD_FRACTIONAL ? s->max_odd : s->max_not_odd;

    if (limit >= least && limit < most)
        most = limit;
    return f > least ? GT_MIN(f, most) : least;
}

static unsigned segments(unsigned partition, float f)
{
    unsigned n = GT_MIN((unsigned)ceilf(f), TESS_MAX_FACTOR);

    if (partition == TESS_ODD_FRACTIONAL)
        return n % 2 ? n : n + 1;
    if (partition == TESS_EVEN_FRACTIONAL)
        return n % 2 ? n + 1 : n;
    return n;
}

/* Fractional: n - 2 segments of equal length, and a shorter one at each end. Symmetric in every bit. */
static void divide(struct division *d, unsigned partition, float f)
{
    unsigned n = segments(partition, f);
    bool equal = partition == TESS_INTEGER || n < 3 || f >= (float)n;
    float end = equal ? 1.0f : (f - (float)(n - 2)) / 2, whole = equal ? (float)n : f;

    d->n = n;
    for (unsigned i = 0; i <= n / 2; i++) {
        d->at[i] = i ? (end + (float)(i - 1)) / whole : 0;
        d->at[n - i] = 1 - d->at[i];
    }
    if (n % 2 == 0)
        d->at[n / 2] = 0.5f;
}

/* ---- output */

struct build {
    struct tess_result *r;
    bool flip;
};

static unsigned add_point(struct build *b, float u, float v)
{
    struct tess_result *r = b->r;

    if (r->points >= TESS_MAX_POINTS)
        return 0;
    r->point[r->points] = (struct tess_point){u, v};
    return r->points++;
}

/* In the (u, v) plane with v upwards counter-clockwise, which hardware calls clockwise. */
static void add_triangle(struct build *b, unsigned i, unsigned j, unsigned k)
{
    struct tess_result *r = b->r;

    if (r->per != 3 || r->indices + 3 > TESS_MAX_INDICES)
        return;
    r->index[r->indices++] = (uint16_t)i;
    r->index[r->indices++] = (uint16_t)(b->flip ? k : j);
    r->index[r->indices++] = (uint16_t)(b->flip ? j : k);
}

/* A side of a ring: points first .. first + n (the last one may be another point: a ring's first), at these places. */
struct side {
    unsigned n;
    const float *at;
    const uint16_t *point; /* n + 1 */
};

/* Fills the strip between two sides that run in the same direction, the outer one to the right of the way. Goes on at
 * the side whose next point comes first; both sides' middles decide ties, so that it is symmetric. */
static void stitch(struct build *b, const struct side *outer, const struct side *inner)
{
    unsigned i = 0, k = 0;

    while (i < outer->n || k < inner->n) {
        bool step_outer = k >= inner->n;

        if (i < outer->n && k < inner->n) {
            float o = (outer->at[i] + outer->at[i + 1]) / 2, in = (inner->at[k] + inner->at[k + 1]) / 2;

            step_outer = o < in || (o == in && o < 0.5f);
        }
        if (step_outer) {
            add_triangle(b, outer->point[i], outer->point[i + 1], inner->point[k]);
            i++;
        } else {
            add_triangle(b, outer->point[i], inner->point[k + 1], inner->point[k]);
            k++;
        }
    }
}

/* ---- triangles */

struct corner {
    float u, v;
};

/* Corners in counter-clockwise order, such that side i is the edge of outer factor i: u = 0 runs from the corner v = 1
 * to the corner w = 1, and so on. */
static const struct corner tri_corner[3] = {{0, 1}, {0, 0}, {1, 0}};

static float mix(float a, float b, float t)
{
    /* Exact at both ends and symmetric: a and b are 0 or 1 on outer edges. */
    return a * (1 - t) + b * t;
}

#define RING_POINTS (4u * TESS_MAX_FACTOR + 1u)

/* A closed ring of 3 or 4 sides; side i has points [start[i], start[i + 1]]. */
struct ring {
    unsigned sides, start[5];
    uint16_t point[RING_POINTS];
    float at[4][TESS_MAX_FACTOR + 1];
};

static struct side ring_side(const struct ring *r, unsigned i)
{
    return (struct side){r->start[i + 1] - r->start[i], r->at[i], r->point + r->start[i]};
}

static void ring_begin(struct ring *r, unsigned sides)
{
    r->sides = sides;
    r->start[0] = 0;
}

/* Adds side i from corner a to corner b with n segments at places at[0..n] of 0 .. 1. */
static void ring_add(struct build *b, struct ring *r, unsigned i, struct corner from, struct corner to, unsigned n,
                     const float *at)
{
    for (unsigned k = 0; k <= n; k++)
        r->at[i][k] = at[k];
    for (unsigned k = 0; k < n; k++)
        r->point[r->start[i] + k] = (uint16_t)add_point(b, mix(from.u, to.u, at[k]), mix(from.v, to.v, at[k]));
    r->start[i + 1] = r->start[i] + n;
    if (i + 1 == r->sides)
        r->point[r->start[i + 1]] = r->point[0];
}

/* All sides shrink to one point. */
static void ring_point(struct build *b, struct ring *r, float u, float v)
{
    r->point[0] = (uint16_t)add_point(b, u, v);
    for (unsigned i = 0; i <= r->sides; i++)
        r->start[i] = 0;
}

static void stitch_rings(struct build *b, const struct ring *outer, const struct ring *inner)
{
    for (unsigned i = 0; i < outer->sides; i++) {
        struct side o = ring_side(outer, i), in = ring_side(inner, i);

        stitch(b, &o, &in);
    }
}

/* Ring number k of a triangle whose edges are divided by d: the triangle shrunk around its centre. */
static void inner_triangle(struct build *b, struct ring *r, const struct division *d, unsigned k)
{
    float scale = 1 - 2 * d->at[k], at[TESS_MAX_FACTOR + 1];
    unsigned n = d->n - 2 * k;
    const float third = 1.0f / 3;

    ring_begin(r, 3);
    if (!n) {
        ring_point(b, r, third, third);
        return;
    }
    for (unsigned i = 0; i <= n; i++)
        at[i] = i == 0 ? 0 : i == n ? 1 : (d->at[k + i] - d->at[k]) / scale;
    for (unsigned i = 0; i < 3; i++) {
        struct corner from = tri_corner[i], to = tri_corner[(i + 1) % 3];

        from = (struct corner){third + (from.u - third) * scale, third + (from.v - third) * scale};
        to = (struct corner){third + (to.u - third) * scale, third + (to.v - third) * scale};
        ring_add(b, r, i, from, to, n, at);
    }
}

static void fill_triangle(struct build *b, const struct ring *r)
{
    add_triangle(b, r->point[0], r->point[1], r->point[2]);
}

/* An inner factor of one cannot hold edges of more: it counts as a little more than one. */
static float grow(const struct tess_setup *s, unsigned partition, float f)
{
    float more = clamp_factor(s, partition, f);

    return more > 1 ? more : nextafterf(1, 2);
}

static void tessellate_tri(const struct tess_setup *s, const struct tess_factors *f, struct build *b)
{
    struct ring rings[2];
    struct division in, out;
    float inner = clamp_factor(s, s->partition, f->inner[0]);
    bool simple = inner <= 1;

    ring_begin(&rings[0], 3);
    for (unsigned i = 0; i < 3; i++) {
        divide(&out, s->partition, clamp_factor(s, s->partition, f->outer[i]));
        simple = simple && out.n == 1;
        ring_add(b, &rings[0], i, tri_corner[i], tri_corner[(i + 1) % 3], out.n, out.at);
    }
    if (simple) {
        fill_triangle(b, &rings[0]);
        return;
    }
    divide(&in, s->partition, grow(s, s->partition, inner));
    for (unsigned k = 1; k <= in.n / 2; k++) {
        inner_triangle(b, &rings[k % 2], &in, k);
        stitch_rings(b, &rings[(k + 1) % 2], &rings[k % 2]);
    }
    if (in.n % 2)
        fill_triangle(b, &rings[in.n / 2 % 2]);
}

/* ---- quads */

/* Counter-clockwise, such that side i is the edge of outer factor i: u = 0 runs downwards. */
static const struct corner quad_corner[4] = {{0, 1}, {0, 0}, {1, 0}, {1, 1}};

/* The grid inside: columns at u.at[1 .. n-1], rows at v.at[1 .. n-1]. Points by column and row. */
struct grid {
    const struct division *u, *v;
    unsigned first; /* point of column 1, row 1 */
};

static unsigned grid_point(const struct grid *g, unsigned column, unsigned row)
{
    return g->first + (column - 1) * (g->v->n - 1) + (row - 1);
}

static void fill_grid(struct build *b, struct grid *g)
{
    g->first = b->r->points;
    for (unsigned c = 1; c < g->u->n; c++)
        for (unsigned r = 1; r < g->v->n; r++)
            add_point(b, g->u->at[c], g->v->at[r]);
    for (unsigned c = 1; c + 1 < g->u->n; c++) {
        for (unsigned r = 1; r + 1 < g->v->n; r++) {
            unsigned p00 = grid_point(g, c, r), p10 = grid_point(g, c + 1, r);
            unsigned p01 = grid_point(g, c, r + 1), p11 = grid_point(g, c + 1, r + 1);

            add_triangle(b, p00, p10, p11);
            add_triangle(b, p00, p11, p01);
        }
    }
}

/* The grid's outline as a ring. Places on its sides are those of the whole edge, so that stitching is even. */
static void grid_ring(const struct grid *g, struct ring *r)
{
    unsigned last_c = g->u->n - 1, last_r = g->v->n - 1, at = 0;

    r->sides = 4;
    for (unsigned i = 0; i < 4; i++) {
        unsigned n = i % 2 ? last_c - 1 : last_r - 1;
        const struct division *d = i % 2 ? g->u : g->v;

        r->start[i] = at;
        for (unsigned k = 0; k <= n; k++) {
            unsigned along = i == 0 || i == 3 ? 0 : k;
            unsigned c = i == 0 ? 1 : i == 2 ? last_c : i == 1 ? 1 + along : last_c - k;
            unsigned row = i == 1 ? 1 : i == 3 ? last_r : i == 0 ? last_r - k : 1 + along;

            r->point[at + k] = (uint16_t)grid_point(g, c, row);
            r->at[i][k] = d->at[k + 1];
        }
        at += n;
    }
    r->start[4] = at;
}

static void quad_outline(struct build *b, const struct tess_setup *s, const struct tess_factors *f, struct ring *r,
                         bool *single)
{
    struct division out;

    ring_begin(r, 4);
    for (unsigned i = 0; i < 4; i++) {
        divide(&out, s->partition, clamp_factor(s, s->partition, f->outer[i]));
        *single = *single && out.n == 1;
        ring_add(b, r, i, quad_corner[i], quad_corner[(i + 1) % 4], out.n, out.at);
    }
}

static void tessellate_quad(const struct tess_setup *s, const struct tess_factors *f, struct build *b)
{
    float fu = clamp_factor(s, s->partition, f->inner[0]), fv = clamp_factor(s, s->partition, f->inner[1]);
    bool single = fu <= 1 && fv <= 1;
    struct division u, v;
    struct ring outline, inside;
    struct grid g = {&u, &v, 0};

    quad_outline(b, s, f, &outline, &single);
    if (single) {
        add_triangle(b, outline.point[0], outline.point[1], outline.point[2]);
        add_triangle(b, outline.point[0], outline.point[2], outline.point[3]);
        return;
    }
    divide(&u, s->partition, grow(s, s->partition, fu));
    divide(&v, s->partition, grow(s, s->partition, fv));
    fill_grid(b, &g);
    grid_ring(&g, &inside);
    stitch_rings(b, &outline, &inside);
}

/* ---- isolines */

static void tessellate_lines(const struct tess_setup *s, const struct tess_factors *f, struct build *b)
{
    unsigned lines = segments(TESS_INTEGER, clamp_factor(s, TESS_INTEGER, f->outer[0]));
    struct division d;

    divide(&d, s->partition, clamp_factor(s, s->partition, f->outer[1]));
    for (unsigned i = 0; i < lines; i++) {
        for (unsigned k = 0; k <= d.n; k++) {
            unsigned p = add_point(b, d.at[k], (float)i / (float)lines);

            if (k && b->r->per == 2 && b->r->indices + 2 <= TESS_MAX_INDICES) {
                b->r->index[b->r->indices++] = (uint16_t)(p - 1);
                b->r->index[b->r->indices++] = (uint16_t)p;
            }
        }
    }
}

/* ---- */

static bool is_culled(const struct tess_setup *s, const struct tess_factors *f)
{
    unsigned n = s->domain == TESS_TRI ? 3 : s->domain == TESS_ISOLINE ? 2 : 4;

    for (unsigned i = 0; i < n; i++)
        if (!(f->outer[i] > 0))
            return true;
    return false;
}

static void points_only(struct tess_result *r)
{
    r->indices = r->points;
    for (unsigned i = 0; i < r->points; i++)
        r->index[i] = (uint16_t)i;
}

void tessellate(const struct tess_setup *s, const struct tess_factors *f, struct tess_result *r)
{
    struct build b = {r, s->output == TESS_TRI_CCW};

    r->points = r->indices = 0;
    r->per = s->output == TESS_POINT ? 1 : s->output == TESS_LINE ? 2 : 3;
    if (is_culled(s, f))
        return;
    if (s->domain == TESS_ISOLINE)
        tessellate_lines(s, f, &b);
    else if (s->domain == TESS_TRI)
        tessellate_tri(s, f, &b);
    else
        tessellate_quad(s, f, &b);
    if (r->per == 1)
        points_only(r);
}
