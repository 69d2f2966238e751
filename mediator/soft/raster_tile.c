/* A primitive in a tile: covered blocks -> quads of pixels, with stipple and early depth. */
#include <string.h>

#include "mediator/soft/pixel.h"
#include "mediator/soft/raster.h"
#include "vgpu/base/bits.h"

/* Bits of a quad at column, row of a block: 0..3 as in struct raster_quad. */
static unsigned quad_bits(uint64_t mask, unsigned column, unsigned row)
{
    unsigned two = (unsigned)(mask >> (8 * row)) & 0xffff;

    return (two >> column & 3) | (two >> (8 + column) & 3) << 2;
}

static bool stippled_away(const struct raster_state *st, const struct raster_prim *p, uint32_t x, uint32_t y)
{
    if (p->polygon && st->poly_stipple)
        return !(st->poly_pattern[(y + st->poly_y) % 32] >> (31 - (x + st->poly_x) % 32) & 1);
    return p->kind == SOFT_LINE && p->stippled && !setup_line_stipple(st, p, (int32_t)x, (int32_t)y);
}

static void apply_stipple(const struct raster_state *st, const struct raster_prim *p, struct raster_quad *q)
{
    for (unsigned i = 0; i < 4; i++)
        if (q->cover[i] && stippled_away(st, p, q->x + (i & 1), q->y + (i >> 1)))
            q->cover[i] = q->raster[i] = 0;
}

static void set_lit(struct raster_quad *q)
{
    q->lit =
        (uint8_t)((q->cover[0] != 0) | (q->cover[1] != 0) << 1 | (q->cover[2] != 0) << 2 | (q->cover[3] != 0) << 3);
}

static unsigned count_samples(const struct raster_quad *q)
{
    unsigned n = 0;

    for (unsigned i = 0; i < 4; i++)
        for (unsigned c = q->cover[i]; c; c &= c - 1)
            n++;
    return n;
}

/* Stipple and early tests; false: nothing of the quad is left. */
static bool refine(struct soft_raster *r, unsigned worker, const struct raster_prim *p, struct raster_quad *q)
{
    const struct raster_state *st = &r->state;
    struct raster_worker *w = r->worker[worker];
    struct depth_input in;

    if ((p->polygon && st->poly_stipple) || p->stippled) {
        apply_stipple(st, p, q);
        set_lit(q);
    }
    if (!q->lit || !st->ps.early_depth)
        return q->lit;
    if (st->ds.usual && depth_test_usual(st, &r->e->worker[worker].mem, p, q)) {
        w->ps_depth += raster_count4(q->lit);
        return q->lit;
    }
    if (st->ds.test || st->ds.stencil_test) {
        in.computed = false;
        depth_interpolate(st, p, q, &in);
        w->ps_depth += depth_test_quad(st, &r->e->worker[worker].mem, p, q, &in);
        set_lit(q);
        return q->lit;
    }
    w->ps_depth += count_samples(q);
    return true;
}

/* Nothing that refine would do to a quad but count. */
static bool is_plain(const struct raster_state *st, const struct raster_prim *p)
{
    return !(p->polygon && st->poly_stipple) && !p->stippled &&
           !(st->ps.early_depth && (st->ds.test || st->ds.stencil_test));
}

/* The quads of a block, one after the other, with one sample a pixel. */
static void single_quads(struct soft_raster *r, unsigned worker, const struct raster_prim *p, int32_t x, int32_t y,
                         uint64_t mask)
{
    struct raster_worker *w = r->worker[worker];
    bool plain = is_plain(&r->state, p);

    for (unsigned row = 0; row < RASTER_BLOCK; row += 2) {
        for (unsigned column = 0; mask >> (8 * row) & 0xffff && column < RASTER_BLOCK; column += 2) {
            unsigned bits = quad_bits(mask, column, row);
            struct raster_quad *q = &w->quad[w->quads];
            const uint16_t cover[4] = {bits & 1, bits >> 1 & 1, bits >> 2 & 1, bits >> 3};

            if (!bits)
                continue;
            q->x = (uint16_t)(x + (int32_t)column);
            q->y = (uint16_t)(y + (int32_t)row);
            q->lit = (uint8_t)bits;
            memcpy(q->cover, cover, sizeof(cover));
            memcpy(q->raster, cover, sizeof(cover));
            if (plain)
                w->ps_depth += r->state.ps.early_depth ? raster_count4(bits) : 0;
            w->quads += plain || refine(r, worker, p, q);
        }
    }
}

static void block_quads(struct soft_raster *r, unsigned worker, const struct raster_prim *p, int32_t x, int32_t y,
                        const uint64_t mask[RASTER_SAMPLES])
{
    const struct raster_state *st = &r->state;
    struct raster_worker *w = r->worker[worker];

    for (unsigned row = 0; row < RASTER_BLOCK; row += 2) {
        for (unsigned column = 0; column < RASTER_BLOCK; column += 2) {
            struct raster_quad *q = &w->quad[w->quads];
            unsigned any = 0;

            *q = (struct raster_quad){.x = (uint16_t)(x + (int32_t)column), .y = (uint16_t)(y + (int32_t)row)};
            for (unsigned s = 0; s < st->samples; s++) {
                unsigned bits = st->sample_mask >> s & 1 ? quad_bits(mask[s], column, row) : 0;

                any |= bits;
                for (unsigned i = 0; i < 4; i++)
                    q->cover[i] |= (uint16_t)((bits >> i & 1) << s);
            }
            if (!any)
                continue;
            q->lit = (uint8_t)any;
            memcpy(q->raster, q->cover, sizeof(q->raster));
            w->quads += refine(r, worker, p, q);
        }
    }
}

void raster_tile_prim(struct soft_raster *r, unsigned worker, const struct raster_prim *p, int32_t x, int32_t y)
{
    struct raster_box b = raster_intersect(p->box, (struct raster_box){x, y, x + RASTER_TILE, y + RASTER_TILE});
    struct raster_worker *w = r->worker[worker];
    uint64_t mask[RASTER_SAMPLES];

    w->quads = 0;
    for (int32_t by = b.y0 & -RASTER_BLOCK; by < b.y1; by += RASTER_BLOCK)
        for (int32_t bx = b.x0 & -RASTER_BLOCK; bx < b.x1; bx += RASTER_BLOCK)
            if (raster_cover_block(&r->state, p, bx, by, mask)) {
                if (r->state.samples > 1)
                    block_quads(r, worker, p, bx, by, mask);
                else if (r->state.sample_mask & 1)
                    single_quads(r, worker, p, bx, by, mask[0]);
            }
    if (w->quads && r->state.ps.run)
        pixel_run(w->pixel, p, w->quad, w->quads);
}
