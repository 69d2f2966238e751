/*
 * What a pixel shader thread finds in its registers: PRM SKL vol 7, "PS Thread Payload for Normal Dispatch"; Mesa's
 * fragment shader payload setup is the reader. All register numbers come from counting, as there.
 */
#include <string.h>

#include "mediator/soft/pixel.h"
#include "vgpu/base/bits.h"

/* Bits of r0.0. */
enum { R0_BACK = 15, R0_DEPTH = 13, R0_OMASK = 12, R0_LAYER = 16, R0_VIEWPORT = 27 };
/* Bits of 3DSTATE_WM.BarycentricInterpolationMode, in payload order. */
static const struct {
    bool perspective;
    uint8_t at;
} barycentric_mode[] = {
    {true, AT_PIXEL},  {true, AT_CENTROID},  {true, AT_SAMPLE},
    {false, AT_PIXEL}, {false, AT_CENTROID}, {false, AT_SAMPLE},
};
/* INTERP_* of PositionZWInterpolationMode and POSOFFSET_* of PositionXYOffsetSelect. */
enum { POSITION_CENTROID = 2, POSITION_SAMPLE = 3 };

static uint32_t *reg_dwords(struct eu_thread *t, unsigned reg)
{
    return (uint32_t *)(t->grf + reg * EU_REG_BYTES);
}

static float *reg_floats(struct eu_thread *t, unsigned reg)
{
    return (float *)(t->grf + reg * EU_REG_BYTES);
}

/* 1/16 pixel from the pixel's corner. */
static void sample_position(const struct pixel_worker *w, unsigned channel, enum pixel_location at, unsigned *x,
                            unsigned *y)
{
    const struct raster_state *st = &w->r->state;
    const struct pixel_slot *s = &w->slot[channel / 4];
    unsigned all = (1u << st->samples) - 1, cover = s->quad->raster[channel % 4] & all, sample = s->sample;

    *x = *y = (unsigned)st->pixel_offset / (RASTER_SUB / 16);
    if (at == AT_PIXEL || (at == AT_CENTROID && (cover == all || !cover)))
        return;
    if (at == AT_CENTROID && !(w->r->state.ps.per_sample && st->samples > 1))
        sample = (unsigned)__builtin_ctz(cover);
    *x = st->sample_x[sample];
    *y = st->sample_y[sample];
}

void pixel_positions(const struct pixel_worker *w, unsigned first, enum pixel_location at, float x[8], float y[8])
{
    float offset = (float)w->r->state.pixel_offset / RASTER_SUB;

    for (unsigned i = 0; i < 8; i++) {
        x[i] = (float)w->px[first + i] + offset;
        y[i] = (float)w->py[first + i] + offset;
    }
    for (unsigned i = 0; i < 8 && at != AT_PIXEL; i++) {
        unsigned sx, sy;

        sample_position(w, first + i, at, &sx, &sy);
        x[i] = (float)w->px[first + i] + (float)sx / 16;
        y[i] = (float)w->py[first + i] + (float)sy / 16;
    }
}

static void plane8(const struct raster_plane *p, const float x[8], const float y[8], float out[8])
{
    for (unsigned i = 0; i < 8; i++)
        out[i] = p->c + p->dx * x[i] + p->dy * y[i];
}

void pixel_barycentrics(const struct raster_prim *p, bool perspective, const float x[8], const float y[8],
                        float out[16])
{
    float dx[8], dy[8], q[8];

    for (unsigned i = 0; i < 8; i++) {
        dx[i] = x[i] - p->ref_x;
        dy[i] = y[i] - p->ref_y;
    }
    if (!perspective || !p->perspective) {
        plane8(&p->l1, dx, dy, out);
        plane8(&p->l2, dx, dy, out + 8);
        return;
    }
    plane8(&p->q, dx, dy, q);
    plane8(&p->u, dx, dy, out);
    plane8(&p->v, dx, dy, out + 8);
    for (unsigned i = 0; i < 8; i++) {
        float w = 1 / q[i];

        out[i] *= w;
        out[8 + i] *= w;
    }
}

void pixel_payload_begin(struct pixel_worker *w)
{
    const struct raster_prim *p = w->prim;
    const struct raster_pixel_state *ps = &w->r->state.ps;
    uint32_t *r0 = w->header;

    r0[0] = (uint32_t)p->back << R0_BACK | (uint32_t)ps->computes_depth << R0_DEPTH | (uint32_t)ps->omask << R0_OMASK |
            (uint32_t)(p->layer & 0x7ff) << R0_LAYER | (uint32_t)(p->viewport & 0xf) << R0_VIEWPORT |
            (w->r->state.topology & 0x1f);
    r0[1] = ps->color_calc_offset & ~63u;
    r0[2] = 0;
    r0[3] = (ps->sampler_offset & ~31u) | ps->scratch_field;
    r0[4] = ps->binding_table_offset;
    r0[5] = ((uint32_t)w->env.scratch & ~1023u) | w->worker;
    r0[6] = r0[7] = 0;
}

/* Coordinates of up to four quads and which of their pixels are lit. */
static void coordinates(const struct pixel_worker *w, unsigned half, struct eu_thread *t)
{
    uint32_t *r = reg_dwords(t, 1 + half), samples = 0;
    uint32_t lit = w->lit >> (16 * half) & 0xffff;

    for (unsigned i = 0; i < 4; i++) {
        const struct pixel_slot *s = &w->slot[(4 * half + i) % PIXEL_SLOTS];

        r[2 + i] = s->quad->x | (uint32_t)s->quad->y << 16;
        samples |= (uint32_t)s->sample << (4 * i);
    }
    r[0] = samples;
    r[1] = r[6] = 0;
    r[7] = lit | lit << 16;
}

/* 8 channels of a plane at `at`. */
static void depths(const struct pixel_worker *w, unsigned first, enum pixel_location at, float *z, float *sw)
{
    const struct raster_prim *p = w->prim;
    float x[8], y[8], q[8];

    pixel_positions(w, first, at, x, y);
    for (unsigned i = 0; i < 8; i++) {
        x[i] -= p->ref_x;
        y[i] -= p->ref_y;
    }
    if (z) {
        plane8(&p->z, x, y, z);
        for (unsigned i = 0; i < 8; i++)
            z[i] = z[i] > p->depth_min ? GT_MIN(z[i], p->depth_max) : p->depth_min;
    }
    if (sw) {
        plane8(&p->q, x, y, q);
        for (unsigned i = 0; i < 8; i++)
            sw[i] = 1 / q[i];
    }
}

static enum pixel_location location(unsigned mode)
{
    return mode == POSITION_SAMPLE ? AT_SAMPLE : mode == POSITION_CENTROID ? AT_CENTROID : AT_PIXEL;
}

static void position_offsets(const struct pixel_worker *w, unsigned first, unsigned n, uint8_t *out)
{
    enum pixel_location at = location(w->r->state.ps.position_offset);

    for (unsigned i = 0; i < n; i++) {
        unsigned x, y;

        sample_position(w, first + i, at, &x, &y);
        out[2 * i] = (uint8_t)x;
        out[2 * i + 1] = (uint8_t)y;
    }
}

static void input_coverage(const struct pixel_worker *w, unsigned first, unsigned n, uint32_t *out)
{
    const struct raster_state *st = &w->r->state;

    for (unsigned i = 0; i < n; i++) {
        const struct pixel_slot *s = &w->slot[(first + i) / 4];
        unsigned channel = (first + i) % 4, all = (1u << st->samples) - 1;

        out[i] = st->ps.coverage == COVERAGE_DEPTH ? s->quad->cover[channel] : s->quad->raster[channel];
        if (st->ps.coverage == COVERAGE_INNER && out[i] != all)
            out[i] = 0;
        if (st->ps.per_sample && st->samples > 1)
            out[i] &= 1u << s->sample;
    }
}

/* What a half of up to 16 channels has; returns the next register. */
static unsigned half_payload(struct pixel_worker *w, unsigned half, unsigned reg, struct eu_thread *t)
{
    const struct raster_pixel_state *ps = &w->r->state.ps;
    unsigned n = GT_MIN(w->width, 16u), first = 16 * half;
    float x[8], y[8];

    for (unsigned mode = 0; mode < GT_ARRAY_SIZE(barycentric_mode); mode++) {
        if (!(ps->barycentrics >> mode & 1))
            continue;
        for (unsigned i = 0; i < n; i += 8, reg += 2) {
            pixel_positions(w, first + i, (enum pixel_location)barycentric_mode[mode].at, x, y);
            pixel_barycentrics(w->prim, barycentric_mode[mode].perspective, x, y, reg_floats(t, reg));
        }
    }
    if (ps->source_depth)
        for (unsigned i = 0; i < n; i += 8)
            depths(w, first + i, location(ps->depth_position), reg_floats(t, reg++), NULL);
    if (ps->source_w)
        for (unsigned i = 0; i < n; i += 8)
            depths(w, first + i, location(ps->depth_position), NULL, reg_floats(t, reg++));
    if (ps->position_offset)
        position_offsets(w, first, n, t->grf + EU_REG_BYTES * reg++);
    if (ps->coverage) {
        input_coverage(w, first, n, reg_dwords(t, reg));
        reg += n / 8;
    }
    return reg;
}

static void copy(struct eu_thread *t, unsigned reg, const void *src, unsigned registers)
{
    if (reg < EU_GRFS)
        memcpy(t->grf + reg * EU_REG_BYTES, src, (size_t)GT_MIN(registers, EU_GRFS - reg) * EU_REG_BYTES);
}

void pixel_payload_constants(const struct pixel_worker *w, const struct raster_kernel *k, struct eu_thread *t)
{
    const struct raster_state *st = &w->r->state;

    copy(t, k->start, st->ps.constants, st->ps.constant_registers);
    if (st->ps.attributes)
        copy(t, k->start + st->ps.constant_registers, w->r->setup[w->prim->setup], 2 * st->attributes);
}

void pixel_payload(struct pixel_worker *w, const struct raster_kernel *k, struct eu_thread *t)
{
    unsigned halves = w->width > 16 ? 2 : 1, reg = 1 + halves;

    memcpy(t->grf, w->header, sizeof(w->header));
    for (unsigned i = 0; i < halves; i++)
        coordinates(w, i, t);
    for (unsigned i = 0; i < halves; i++)
        reg = half_payload(w, i, reg, t);
    pixel_payload_constants(w, k, t);
}
