/* A primitive in a tile: covered blocks -> quads of pixels, with stipple and early depth. */
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

static bool any_left(const struct raster_quad *q)
{
    return q->cover[0] | q->cover[1] | q->cover[2] | q->cover[3];
}

/* Stipple and early tests; false: nothing of the quad is left. */
static bool refine(struct soft_raster *r, unsigned worker, const struct raster_prim *p, struct raster_quad *q)
{
    const struct raster_state *st = &r->state;
    struct raster_worker *w = r->worker[worker];
    struct depth_input in;

    if ((p->polygon && st->poly_stipple) || p->stippled)
        apply_stipple(st, p, q);
    if (!any_left(q) || !st->ps.early_depth)
        return any_left(q);
    if (st->ds.test || st->ds.write || st->ds.stencil_test) {
        in.computed = false;
        depth_interpolate(st, p, q, &in);
        w->ps_depth += depth_test_quad(st, &r->e->worker[worker].mem, p, q, &in);
        return any_left(q);
    }
    for (unsigned i = 0; i < 4; i++)
        w->ps_depth += (unsigned)__builtin_popcount(q->cover[i]);
    return true;
}

/* The quads of a block, one after the other. */
static void block_quads(struct soft_raster *r, unsigned worker, const struct raster_prim *p, int32_t x, int32_t y,
                        const uint64_t mask[RASTER_SAMPLES])
{
    const struct raster_state *st = &r->state;
    struct raster_worker *w = r->worker[worker];

    for (unsigned row = 0; row < RASTER_BLOCK; row += 2) {
        for (unsigned column = 0; column < RASTER_BLOCK; column += 2) {
            struct raster_quad *q = &w->quad[w->quads];
            unsigned any = 0;

            *q = (struct raster_quad){(uint16_t)(x + (int32_t)column), (uint16_t)(y + (int32_t)row), {0}, {0}};
            for (unsigned s = 0; s < st->samples; s++) {
                unsigned bits = st->sample_mask >> s & 1 ? quad_bits(mask[s], column, row) : 0;

                any |= bits;
                for (unsigned i = 0; i < 4; i++)
                    q->cover[i] |= (uint16_t)((bits >> i & 1) << s);
            }
            if (!any)
                continue;
            for (unsigned i = 0; i < 4; i++)
                q->raster[i] = q->cover[i];
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
            if (raster_cover_block(&r->state, p, bx, by, mask))
                block_quads(r, worker, p, bx, by, mask);
    if (w->quads && r->state.ps.run)
        pixel_run(w->pixel, p, w->quad, w->quads);
}
