/* The batch: primitives are set up as they come, sorted into tiles of the screen, and drawn tile by tile. */
#include "mediator/soft/raster.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mediator/soft/pixel.h"
#include "vgpu/base/bits.h"

/* Dwords of a vertex's header (draw.h). */
enum { VUE_LAYER = 1, VUE_VIEWPORT = 2, VUE_POINT_WIDTH = 3, VUE_POSITION = 4, VUE_CLIP = 8, VUE_CLIP_END = 16 };
/* 3D_FillMode of genxml. */
enum { FILL_SOLID, FILL_WIREFRAME, FILL_POINT };

static void free_workers(struct soft_raster *r, unsigned n)
{
    for (unsigned i = 0; r->worker && i < n; i++) {
        if (r->worker[i])
            pixel_worker_destroy(r->worker[i]->pixel);
        free(r->worker[i]);
    }
    free(r->worker);
}

static bool make_workers(struct soft_raster *r, unsigned n)
{
    r->worker = calloc(n, sizeof(*r->worker));
    for (unsigned i = 0; r->worker && i < n; i++) {
        r->worker[i] = calloc(1, sizeof(**r->worker));
        if (!r->worker[i] || !(r->worker[i]->pixel = pixel_worker_create(r, i)))
            return false;
    }
    return r->worker != NULL;
}

struct soft_raster *soft_raster_create(struct soft_engine *e)
{
    struct soft_raster *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->e = e;
    r->prim = calloc(RASTER_PRIMS, sizeof(*r->prim));
    r->setup = calloc(RASTER_SETUP, sizeof(*r->setup));
    r->entry = calloc(RASTER_ENTRIES, sizeof(*r->entry));
    r->tile = calloc(RASTER_TILES_SIDE * RASTER_TILES_SIDE, sizeof(*r->tile));
    r->used = calloc(RASTER_TILES_SIDE * RASTER_TILES_SIDE, sizeof(*r->used));
    if (!r->prim || !r->setup || !r->entry || !r->tile || !r->used || !make_workers(r, soft_pool_workers(e->pool))) {
        soft_raster_destroy(r);
        return NULL;
    }
    for (unsigned i = 0; i < RASTER_TILES_SIDE * RASTER_TILES_SIDE; i++)
        r->tile[i].first = r->tile[i].last = RASTER_NONE;
    return r;
}

void soft_raster_destroy(struct soft_raster *r)
{
    if (!r)
        return;
    free_workers(r, soft_pool_workers(r->e->pool));
    free(r->prim);
    free(r->setup);
    free(r->entry);
    free(r->tile);
    free(r->used);
    free(r);
}

/* How long a worker may go on with its tile after the engine was wanted: of its own time, as a busy host may give it
 * little of that. */
#define RASTER_GRACE_NS UINT64_C(500000000)

bool raster_late(struct soft_raster *r, unsigned worker)
{
    struct raster_worker *w = r->worker[worker];
    struct timespec t;
    uint64_t now;

    if (!vgpu_exec_stop(r->e->space.x))
        return false;
    if (vgpu_exec_abandoned(r->e->space.x))
        return true;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    now = (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
    if (!w->deadline)
        w->deadline = now + RASTER_GRACE_NS;
    return now > w->deadline;
}

bool soft_raster_begin(struct soft_raster *r, unsigned vue_dwords)
{
    unsigned workers = soft_pool_workers(r->e->pool);

    r->line_counter = 0;
    soft_raster_batch(r, 0);
    for (unsigned i = 0; i < workers; i++)
        soft_mem_begin(&r->e->worker[i].mem, &r->e->space);
    r->active = raster_state_derive(r->e, &r->state, vue_dwords) && vue_dwords >= VUE_CLIP;
    if (r->active && (r->state.ds.test || r->state.ds.write))
        raster_settle_depth(r, &r->state.ds.depth);
    for (unsigned i = 0; i < workers && r->active; i++)
        pixel_worker_begin(r->worker[i]->pixel);
    return r->active;
}

/* ---- tiles */

static void forget_tile(struct soft_raster *r, uint32_t n)
{
    struct raster_tile *t = &r->tile[r->used[n]];

    t->first = t->last = RASTER_NONE;
}

static void draw_tile(struct soft_raster *r, unsigned worker, uint32_t n)
{
    uint32_t at = r->used[n];
    int32_t x = (int32_t)(at % RASTER_TILES_SIDE) * RASTER_TILE, y = (int32_t)(at / RASTER_TILES_SIDE) * RASTER_TILE;

    r->worker[worker]->deadline = 0;
    for (uint32_t i = r->tile[at].first; i != RASTER_NONE && !raster_late(r, worker); i = r->entry[i].next)
        raster_tile_prim(r, worker, &r->prim[r->entry[i].prim], x, y);
    forget_tile(r, n);
}

static void run_tile(void *ctx, unsigned worker, uint32_t item)
{
    struct soft_raster *r = ctx;

    draw_tile(r, worker, r->drawn + item);
    if (vgpu_exec_stop(r->e->space.x))
        soft_pool_stop(r->e->pool);
}

static void collect_counts(struct soft_raster *r)
{
    for (unsigned i = 0; i < soft_pool_workers(r->e->pool); i++) {
        struct raster_worker *w = r->worker[i];

        if (r->state.ps.statistics) {
            r->e->count.ps_invocations += w->ps_invocations;
            r->e->count.ps_depth += w->ps_depth;
        }
        r->e->unknown += w->unknown;
        w->ps_invocations = w->ps_depth = w->unknown = 0;
    }
}

/* Work that is done before other threads are awake. */
#define RASTER_SMALL 4096u /* pixels */

static void run_tiles(struct soft_raster *r)
{
    r->drawn = GT_MIN(r->skip, r->tiles);
    r->skip -= r->drawn;
    for (uint32_t i = 0; i < r->drawn; i++)
        forget_tile(r, i);
    r->drawn +=
        (r->work > RASTER_SMALL ? soft_pool_run : soft_pool_run_alone)(r->e->pool, r->tiles - r->drawn, run_tile, r);
    for (uint32_t i = r->drawn; i < r->tiles; i++)
        forget_tile(r, i);
    r->passed += r->drawn;
    r->interrupted = r->drawn < r->tiles;
    collect_counts(r);
}

void soft_raster_flush(struct soft_raster *r)
{
    if (r->tiles)
        run_tiles(r);
    r->prims = r->setups = r->entries = r->tiles = 0;
    r->work = 0;
}

void soft_raster_batch(struct soft_raster *r, uint32_t tiles)
{
    r->skip = tiles;
    r->passed = 0;
    r->interrupted = false;
}

bool soft_raster_interrupted(const struct soft_raster *r, uint32_t *tiles)
{
    *tiles = r->passed;
    return r->interrupted;
}

static void add_entry(struct soft_raster *r, uint32_t tile)
{
    struct raster_tile *t = &r->tile[tile];
    uint32_t i = r->entries++;

    r->entry[i] = (struct raster_entry){r->prims, RASTER_NONE};
    if (t->first == RASTER_NONE) {
        t->first = i;
        r->used[r->tiles++] = tile;
    } else {
        r->entry[t->last].next = i;
    }
    t->last = i;
}

/* Tiles that the box touches; its coordinates are within the screen. */
static void bin(struct soft_raster *r, const struct raster_prim *p)
{
    int32_t x0 = p->box.x0 / RASTER_TILE, x1 = (p->box.x1 - 1) / RASTER_TILE;
    int32_t y0 = p->box.y0 / RASTER_TILE, y1 = (p->box.y1 - 1) / RASTER_TILE;
    bool many = x1 - x0 > 1 || y1 - y0 > 1;

    for (int32_t y = y0; y <= y1; y++)
        for (int32_t x = x0; x <= x1; x++)
            if (!many || raster_cover_area(p, x * RASTER_TILE, y * RASTER_TILE, RASTER_TILE) != AREA_OUT)
                add_entry(r, (uint32_t)y * RASTER_TILES_SIDE + (uint32_t)x);
}

static void reserve(struct soft_raster *r, const struct raster_prim *p)
{
    uint32_t w = (uint32_t)((p->box.x1 - 1) / RASTER_TILE - p->box.x0 / RASTER_TILE + 1);
    uint32_t h = (uint32_t)((p->box.y1 - 1) / RASTER_TILE - p->box.y0 / RASTER_TILE + 1);

    if (r->prims == RASTER_PRIMS || r->setups + r->state.attributes > RASTER_SETUP ||
        r->entries + w * h > RASTER_ENTRIES)
        soft_raster_flush(r);
}

/* ---- primitives */

/* One that comes in, on its way. */
struct incoming {
    const struct soft_prim *in;
    const struct raster_viewport *vp;
    uint8_t viewport;
    uint16_t layer;
    float dist[3][8];
    float w[3];
};

static float dword_float(const uint32_t *vue, unsigned at)
{
    float f;

    memcpy(&f, &vue[at], sizeof(f));
    return f;
}

static void commit(struct soft_raster *r, const struct incoming *c, struct raster_prim *p)
{
    p->viewport = c->viewport;
    p->layer = c->layer;
    if (r->state.ps.fast_clear) {
        pixel_fast_clear(r, p);
        return;
    }
    if (r->state.ps.resolve) {
        pixel_resolve(r);
        return;
    }
    reserve(r, p);
    if (r->interrupted)
        return;
    p->setup = r->setups;
    if (r->state.ps.attributes) {
        setup_attributes(&r->state, c->in, p, r->setup + r->setups);
        r->setups += r->state.attributes;
    }
    bin(r, p);
    r->work += (uint64_t)(p->box.x1 - p->box.x0) * (uint64_t)(p->box.y1 - p->box.y0);
    r->prim[r->prims++] = *p;
}

/* Linear barycentrics of a vertex that clipping made: weights are perspective ones until they are divided. */
static void set_linear(const struct incoming *c, struct raster_vertex *v)
{
    float inv = v->w != 0 ? 1 / v->w : 0;

    v->l1 = v->b1 == 0 || v->b1 == 1 ? v->b1 : v->b1 * c->w[1] * inv;
    v->l2 = v->b2 == 0 || v->b2 == 1 ? v->b2 : v->b2 * c->w[2] * inv;
}

static bool to_screen(const struct soft_raster *r, const struct incoming *c, struct raster_vertex *v, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        set_linear(c, &v[i]);
        if (!clip_to_screen(&r->state, c->vp, &v[i]))
            return false;
    }
    return true;
}

static void draw_point(struct soft_raster *r, const struct incoming *c, struct raster_vertex *v, unsigned index,
                       bool back)
{
    const struct raster_state *st = &r->state;
    struct raster_prim p = {.back = back};
    float width = st->point_width_vertex ? dword_float(c->in->v[index], VUE_POINT_WIDTH) : st->point_width;

    if (st->clip.enable && st->clip.point_max > 0)
        width = GT_MIN(GT_MAX(width, st->clip.point_min), st->clip.point_max);
    if (clip_polygon(&st->clip, c->vp, v, 1, c->dist) && to_screen(r, c, v, 1) && width > 0 &&
        setup_point(st, c->vp, v, width, &p)) {
        if (st->bias_point && c->in->kind == SOFT_TRIANGLE)
            setup_bias(st, true, v, 1, &p);
        commit(r, c, &p);
    }
}

static void draw_line(struct soft_raster *r, const struct incoming *c, struct raster_vertex *v, bool back)
{
    const struct raster_state *st = &r->state;
    struct raster_prim p = {.back = back, .stipple_start = r->line_counter};

    if (clip_polygon(&st->clip, c->vp, v, 2, c->dist) < 2 || !to_screen(r, c, v, 2))
        return;
    if (setup_line(st, c->vp, v, &p)) {
        if (c->in->kind == SOFT_TRIANGLE)
            setup_bias(st, st->bias_wireframe, v, 2, &p);
        commit(r, c, &p);
    }
    r->line_counter = st->lines_apart ? 0 : r->line_counter + setup_line_pixels(v);
}

/* A polygon in line or point mode: its own edges or corners, each clipped by itself. */
static void draw_outline(struct soft_raster *r, const struct incoming *c, const struct raster_vertex whole[3],
                         unsigned fill, bool back)
{
    for (unsigned i = 0; i < 3; i++) {
        struct raster_vertex v[CLIP_VERTICES] = {whole[i], whole[(i + 1) % 3]};

        if (!(c->in->edges >> i & 1))
            continue;
        if (fill == FILL_POINT)
            draw_point(r, c, v, i, back);
        else
            draw_line(r, c, v, back);
    }
}

static void draw_triangle(struct soft_raster *r, const struct incoming *c, struct raster_vertex *v)
{
    const struct raster_state *st = &r->state;
    struct raster_vertex whole[3] = {v[0], v[1], v[2]};
    unsigned n = clip_polygon(&st->clip, c->vp, v, 3, c->dist);

    if (n < 3 || !to_screen(r, c, v, n))
        return;
    for (unsigned i = 1; i + 1 < n; i++) {
        const struct raster_vertex part[3] = {v[0], v[i], v[i + 1]};
        struct raster_prim p = {.kind = SOFT_TRIANGLE};
        int64_t area = setup_area(part);
        bool back = (area < 0) != st->front_ccw;

        if (area && st->fill[back] != FILL_SOLID) {
            if (!setup_culled(st, back))
                draw_outline(r, c, whole, st->fill[back], back);
            return;
        }
        if (setup_triangle(st, c->vp, part, &p))
            commit(r, c, &p);
        if (st->clip.statistics)
            r->e->count.cl_primitives++;
    }
}

static void draw_rect(struct soft_raster *r, const struct incoming *c, struct raster_vertex *v)
{
    struct raster_prim p = {.kind = SOFT_RECT};

    if (to_screen(r, c, v, 3) && setup_rect(&r->state, c->vp, v, &p))
        commit(r, c, &p);
}

static void read_vertex(const struct soft_raster *r, const struct soft_prim *in, unsigned i, struct incoming *c,
                        struct raster_vertex *v)
{
    const uint32_t *vue = in->v[i];

    *v = (struct raster_vertex){
        .x = dword_float(vue, VUE_POSITION),
        .y = dword_float(vue, VUE_POSITION + 1),
        .z = dword_float(vue, VUE_POSITION + 2),
        .w = dword_float(vue, VUE_POSITION + 3),
        .b1 = i == 1,
        .b2 = i == 2,
    };
    c->w[i] = v->w;
    if (r->state.vue_dwords >= VUE_CLIP_END)
        memcpy(c->dist[i], vue + VUE_CLIP, sizeof(c->dist[i]));
}

static void choose_view(const struct raster_state *st, const struct soft_prim *in, unsigned n, struct incoming *c)
{
    const uint32_t *vue = in->v[in->provoking < n ? in->provoking : 0];

    c->viewport = (uint8_t)(vue[VUE_VIEWPORT] <= st->clip.max_viewport ? vue[VUE_VIEWPORT] : 0);
    c->layer = st->clip.zero_layer ? 0 : (uint16_t)GT_MIN(vue[VUE_LAYER], 2047u);
    c->vp = &st->viewport[c->viewport];
}

bool soft_raster_add(struct soft_raster *r, const struct soft_prim *in)
{
    unsigned n = in->kind == SOFT_RECT ? 3 : (unsigned)in->kind;
    struct raster_vertex v[CLIP_VERTICES];
    struct incoming c = {.in = in};

    if (!r->active || r->interrupted)
        return !r->interrupted;
    choose_view(&r->state, in, n, &c);
    for (unsigned i = 0; i < n; i++)
        read_vertex(r, in, i, &c, &v[i]);
    if (r->state.clip.statistics) {
        r->e->count.cl_invocations++;
        if (in->kind != SOFT_TRIANGLE)
            r->e->count.cl_primitives++;
    }
    if (in->kind == SOFT_TRIANGLE)
        draw_triangle(r, &c, v);
    else if (in->kind == SOFT_RECT)
        draw_rect(r, &c, v);
    else if (in->kind == SOFT_LINE)
        draw_line(r, &c, v, false);
    else
        draw_point(r, &c, v, 0, false);
    return !r->interrupted;
}
