/* Depth and stencil tests (PRM SKL vol 7, "Depth and Stencil Test"). */
#include <math.h>
#include <string.h>

#include "mediator/soft/raster.h"
#include "vgpu/base/bits.h"

/* 3D_Stencil_Operation of genxml. */
enum {
    STENCIL_KEEP,
    STENCIL_ZERO,
    STENCIL_REPLACE,
    STENCIL_INCR_SAT,
    STENCIL_DECR_SAT,
    STENCIL_INCR,
    STENCIL_DECR,
    STENCIL_INVERT
};

bool depth_compare(unsigned func, uint32_t a, uint32_t b)
{
    switch (func) {
    case COMPARE_NEVER:
        return false;
    case COMPARE_LESS:
        return a < b;
    case COMPARE_EQUAL:
        return a == b;
    case COMPARE_LEQUAL:
        return a <= b;
    case COMPARE_GREATER:
        return a > b;
    case COMPARE_NOTEQUAL:
        return a != b;
    case COMPARE_GEQUAL:
        return a >= b;
    default:
        return true;
    }
}

uint8_t depth_stencil_op(unsigned op, uint8_t value, uint8_t ref)
{
    switch (op) {
    case STENCIL_ZERO:
        return 0;
    case STENCIL_REPLACE:
        return ref;
    case STENCIL_INCR_SAT:
        return value == 0xff ? value : (uint8_t)(value + 1);
    case STENCIL_DECR_SAT:
        return value ? (uint8_t)(value - 1) : 0;
    case STENCIL_INCR:
        return (uint8_t)(value + 1);
    case STENCIL_DECR:
        return (uint8_t)(value - 1);
    case STENCIL_INVERT:
        return (uint8_t)~value;
    default:
        return value;
    }
}

uint32_t depth_encode(unsigned format, float z)
{
    uint32_t bits;

    if (format == DEPTH_D32F) {
        memcpy(&bits, &z, sizeof(bits));
        return bits;
    }
    z = z > 0 ? GT_MIN(z, 1.0f) : 0; /* no number: 0 */
    return format == DEPTH_D16 ? (uint32_t)(z * 65535.0 + 0.5) : (uint32_t)(z * 16777215.0 + 0.5);
}

uint32_t depth_order(unsigned format, uint32_t bits)
{
    if (format != DEPTH_D32F)
        return format == DEPTH_D16 ? bits & 0xffff : bits & 0xffffff;
    if (bits == GT_BIT(31)) /* -0 equals 0 */
        bits = 0;
    return bits & GT_BIT(31) ? ~bits : bits | GT_BIT(31);
}

/* ---- buffers */

/* Addresses of a quad's elements for one sample. */
struct quad_address {
    uint64_t at[4];
    uint8_t valid; /* bit per pixel */
};

static bool in_surface(const struct soft_surface *s, uint32_t layer, uint32_t x, uint32_t y)
{
    unsigned level = soft_surface_drawn_level(s);

    return layer < s->view_layers && x < soft_surface_width(s, level) && y < soft_surface_height(s, level);
}

/* In Y tiles two rows of a pair are 16 bytes apart, in W tiles the four bytes of a quad are one after the other (PRM
 * SKL vol 5, "Tiling"). */
static void single_sample(const struct soft_surface *s, uint64_t base, struct quad_address *a)
{
    unsigned bytes = s->tiling == SOFT_TILE_W ? 1 : s->element_bytes, row = s->tiling == SOFT_TILE_W ? 2 : 16;

    for (unsigned i = 0; i < 4; i++)
        a->at[i] = base + (i & 1) * bytes + (i >> 1) * row;
}

static void find(const struct soft_surface *s, const struct raster_quad *q, uint32_t layer, unsigned samples,
                 unsigned sample, struct quad_address *a)
{
    unsigned level = soft_surface_drawn_level(s);

    a->valid = 0;
    for (unsigned i = 0; i < 4; i++)
        if (in_surface(s, layer, q->x + (i & 1), q->y + (i >> 1)))
            a->valid |= (uint8_t)(1u << i);
    if (!a->valid)
        return;
    if (samples == 1 && (s->tiling == SOFT_TILE_Y || s->tiling == SOFT_TILE_W)) {
        single_sample(s, soft_surface_address(s, q->x, q->y, layer, level, 0), a);
        return;
    }
    for (unsigned i = 0; i < 4; i++)
        if (a->valid >> i & 1)
            a->at[i] = soft_surface_address(s, q->x + (i & 1), q->y + (i >> 1), layer, level, sample);
}

static uint32_t load(struct soft_mem *m, uint64_t address, unsigned bytes)
{
    const uint8_t *p = address % bytes ? NULL : soft_mem_ptr(m, address, false);
    uint32_t v = 0;

    if (p)
        memcpy(&v, p, bytes);
    else
        soft_mem_read(m, address, &v, bytes);
    return v;
}

static void store(struct soft_mem *m, uint64_t address, unsigned bytes, uint32_t v)
{
    uint8_t *p = address % bytes ? NULL : soft_mem_ptr(m, address, true);

    if (p)
        memcpy(p, &v, bytes);
    else
        soft_mem_write(m, address, &v, bytes);
}

/* ---- tests */

struct depth_job {
    const struct raster_depth_state *ds;
    const struct raster_stencil_face *face;
    struct soft_mem *m;
    unsigned depth_bytes;
    uint8_t ref;
};

/* One sample; depth and stencil are addresses or 0. True: it passes. */
static bool test_sample(const struct depth_job *j, uint64_t depth, uint64_t stencil, float z)
{
    const struct raster_depth_state *ds = j->ds;
    bool test_depth = depth && ds->test, stencil_pass = true, depth_pass = true;
    uint32_t bits = 0;
    uint8_t old = 0, new;

    if (depth)
        bits = depth_encode(ds->format, z);
    if (stencil && ds->stencil_test) {
        old = (uint8_t)load(j->m, stencil, 1);
        stencil_pass = depth_compare(j->face->func, j->ref & j->face->test_mask, old & j->face->test_mask);
    }
    if (test_depth && stencil_pass)
        depth_pass = depth_compare(ds->func, depth_order(ds->format, bits),
                                   depth_order(ds->format, load(j->m, depth, j->depth_bytes)));
    if (stencil && ds->stencil_write) {
        new = depth_stencil_op(!stencil_pass ? j->face->fail
                               : !depth_pass ? j->face->depth_fail
                                             : j->face->pass,
                               old, j->ref);
        new = (uint8_t)((old & ~j->face->write_mask) | (new & j->face->write_mask));
        if (new != old)
            store(j->m, stencil, 1, new);
    }
    if (depth && ds->write && stencil_pass && depth_pass)
        store(j->m, depth, j->depth_bytes, bits);
    return stencil_pass && depth_pass;
}

static float clamp_depth(const struct raster_prim *p, float z)
{
    return z > p->depth_min ? GT_MIN(z, p->depth_max) : p->depth_min;
}

static unsigned test_samples(struct depth_job *j, const struct raster_state *st, const struct raster_prim *p,
                             struct raster_quad *q, const struct depth_input *in, unsigned sample)
{
    const struct raster_depth_state *ds = j->ds;
    struct quad_address depth = {.valid = 0}, stencil = {.valid = 0};
    unsigned passed = 0;

    if (ds->test || ds->write)
        find(&ds->depth, q, p->layer, st->samples, sample, &depth);
    if (ds->stencil_test)
        find(&ds->stencil, q, p->layer, st->samples, sample, &stencil);
    for (unsigned i = 0; i < 4; i++) {
        if (!(q->cover[i] >> sample & 1))
            continue;
        if (in->computed)
            j->ref = in->stencil[i];
        if (test_sample(j, depth.valid >> i & 1 ? depth.at[i] : 0, stencil.valid >> i & 1 ? stencil.at[i] : 0,
                        clamp_depth(p, in->z[i * RASTER_SAMPLES + sample])))
            passed++;
        else
            q->cover[i] &= (uint16_t) ~(1u << sample);
    }
    return passed;
}

/* ---- the usual case: one sample, no stencil, 32 bits in Y tiles that are pages */

static unsigned compare4(unsigned func, const uint32_t a[4], const uint32_t b[4])
{
    unsigned less = 0, equal = 0;

    for (unsigned i = 0; i < 4; i++) {
        less |= (unsigned)(a[i] < b[i]) << i;
        equal |= (unsigned)(a[i] == b[i]) << i;
    }
    switch (func) {
    case COMPARE_NEVER:
        return 0;
    case COMPARE_LESS:
        return less;
    case COMPARE_EQUAL:
        return equal;
    case COMPARE_LEQUAL:
        return less | equal;
    case COMPARE_GREATER:
        return ~(less | equal) & 0xf;
    case COMPARE_NOTEQUAL:
        return ~equal & 0xf;
    case COMPARE_GEQUAL:
        return ~less & 0xf;
    default:
        return 0xf;
    }
}

bool depth_is_usual(const struct raster_state *st)
{
    const struct raster_depth_state *ds = &st->ds;

    return st->samples == 1 && ds->test && !ds->stencil_test && ds->format != DEPTH_D16 &&
           ds->depth.tiling == SOFT_TILE_Y && ds->depth.address % SOFT_PAGE == 0;
}

/* The quad's first element in memory, its second row 16 bytes on; NULL: partly outside, or no host address. */
static uint8_t *usual_place(const struct raster_state *st, struct soft_mem *m, const struct raster_prim *p,
                            const struct raster_quad *q)
{
    const struct soft_surface *s = &st->ds.depth;
    unsigned level = soft_surface_drawn_level(s);
    uint64_t at;

    if (p->layer >= s->view_layers || q->x + 1u >= s->level[level].width_px || q->y + 1u >= s->level[level].height_px)
        return NULL;
    at = soft_surface_address(s, q->x, q->y, p->layer, level, 0);
    return at % SOFT_PAGE <= SOFT_PAGE - 24 && !(at & 7) ? soft_mem_ptr(m, at, st->ds.write) : NULL;
}

/* The plane at the four pixels, as depth_interpolate has it, clamped. */
static void usual_depth(const struct raster_state *st, const struct raster_prim *p, const struct raster_quad *q,
                        float z[4])
{
    float x = (float)q->x + (float)st->sample_x[0] / 16 - p->ref_x;
    float y = (float)q->y + (float)st->sample_y[0] / 16 - p->ref_y;

    for (unsigned i = 0; i < 4; i++) {
        z[i] = p->z.c + p->z.dx * (x + (float)(i & 1)) + p->z.dy * (y + (float)(i >> 1));
        z[i] = clamp_depth(p, z[i]);
    }
}

/* As depth_encode and depth_order, four at a time. */
static void usual_encode(unsigned format, const float z[4], uint32_t bits[4], uint32_t order[4])
{
    if (format == DEPTH_D32F) {
        memcpy(bits, z, 16);
        for (unsigned i = 0; i < 4; i++)
            order[i] = depth_order(format, bits[i]);
        return;
    }
    for (unsigned i = 0; i < 4; i++) {
        float v = z[i] > 0 ? GT_MIN(z[i], 1.0f) : 0;

        bits[i] = (uint32_t)(int32_t)(v * 16777215.0 + 0.5);
        order[i] = bits[i];
    }
}

bool depth_test_usual(const struct raster_state *st, struct soft_mem *m, const struct raster_prim *p,
                      struct raster_quad *q)
{
    const struct raster_depth_state *ds = &st->ds;
    uint8_t *place = usual_place(st, m, p, q);
    uint32_t bits[4], fresh[4], old[4];
    unsigned pass;
    float z[4];

    if (!place)
        return false;
    memcpy(old, place, 8);
    memcpy(old + 2, place + 16, 8);
    usual_depth(st, p, q, z);
    usual_encode(ds->format, z, bits, fresh);
    for (unsigned i = 0; i < 4; i++)
        old[i] = ds->format == DEPTH_D32F ? depth_order(DEPTH_D32F, old[i]) : old[i] & 0xffffff;
    pass = compare4(ds->func, fresh, old) & q->lit;
    if (pass == 0xf && ds->write) {
        memcpy(place, bits, 8);
        memcpy(place + 16, bits + 2, 8);
    }
    for (unsigned i = 0; pass != 0xf && i < 4; i++) {
        if (!(pass >> i & 1))
            q->cover[i] = 0;
        else if (ds->write)
            memcpy(place + (i >> 1) * 16 + (i & 1) * 4, &bits[i], 4);
    }
    q->lit = (uint8_t)pass;
    return true;
}

/* ---- */

unsigned depth_test_quad(const struct raster_state *st, struct soft_mem *m, const struct raster_prim *p,
                         struct raster_quad *q, const struct depth_input *in)
{
    const struct raster_depth_state *ds = &st->ds;
    struct depth_job j = {ds, &ds->face[p->polygon && p->back], m, ds->format == DEPTH_D16 ? 2 : 4, 0};
    unsigned any = q->cover[0] | q->cover[1] | q->cover[2] | q->cover[3], passed = 0;

    j.ref = j.face->ref;
    for (unsigned s = 0; s < st->samples; s++)
        if (any >> s & 1)
            passed += test_samples(&j, st, p, q, in, s);
    return passed;
}

void depth_interpolate(const struct raster_state *st, const struct raster_prim *p, const struct raster_quad *q,
                       struct depth_input *in)
{
    for (unsigned s = 0; s < st->samples; s++) {
        float x = (float)q->x + (float)st->sample_x[s] / 16 - p->ref_x;
        float y = (float)q->y + (float)st->sample_y[s] / 16 - p->ref_y;

        for (unsigned i = 0; i < 4; i++)
            in->z[i * RASTER_SAMPLES + s] = p->z.c + p->z.dx * (x + (float)(i & 1)) + p->z.dy * (y + (float)(i >> 1));
    }
}
