/* Quads -> threads. */
#include "mediator/soft/pixel.h"

#include <stdlib.h>
#include <string.h>

#include "vgpu/base/bits.h"

/* Instructions between questions whether the engine wants to stop. */
#define PIXEL_BUDGET 100000u

struct pixel_worker *pixel_worker_create(struct soft_raster *r, unsigned worker)
{
    struct pixel_worker *w = calloc(1, sizeof(*w));

    if (!w)
        return NULL;
    w->r = r;
    w->worker = worker;
    return w;
}

void pixel_worker_destroy(struct pixel_worker *w)
{
    free(w);
}

void pixel_worker_begin(struct pixel_worker *w)
{
    struct soft_engine *e = w->r->e;
    const struct raster_pixel_state *ps = &w->r->state.ps;

    w->env = (struct soft_env){
        .mem = &e->worker[w->worker].mem,
        .units = e->worker[w->worker].units,
        .surface_base = soft_state_base(e->state, SOFT_BASE_SURFACE),
        .dynamic_base = soft_state_base(e->state, SOFT_BASE_DYNAMIC),
        .general_base = soft_state_base(e->state, SOFT_BASE_GENERAL),
        .bindless_base = soft_state_base(e->state, SOFT_BASE_BINDLESS),
        .binding_table = ps->binding_table,
        .samplers = ps->samplers,
        .scratch = ps->scratch + (uint64_t)ps->scratch_bytes * (w->worker % ps->max_threads),
        .scratch_bytes = ps->scratch_bytes,
        .derivatives = true,
    };
}

/* Which kernel for so many quads: the widest that is filled by more than half, else the narrowest. Index of 8, 16, 32.
 */
static int choose_width(const struct raster_pixel_state *ps, unsigned slots)
{
    if (ps->kernel[2].kernel && (slots > 4 || (!ps->kernel[1].kernel && !ps->kernel[0].kernel)))
        return 2;
    if (ps->kernel[1].kernel && (slots > 2 || !ps->kernel[0].kernel))
        return 1;
    return ps->kernel[0].kernel ? 0 : -1;
}

/* Four 16-bit numbers in one (little endian), each n and what odd has for it. */
static uint64_t four(uint64_t n, uint64_t odd)
{
    return n * UINT64_C(0x0001000100010001) + odd;
}

static void set_slot(struct pixel_worker *w, unsigned i, bool per_sample)
{
    const struct pixel_slot *s = &w->slot[i];
    const uint64_t px = four(s->quad->x, UINT64_C(0x0001000000010000)),
                   py = four(s->quad->y, UINT64_C(0x0001000100000000));
    uint32_t lit = s->quad->lit;

    memcpy(w->px + 4 * i, &px, sizeof(px));
    memcpy(w->py + 4 * i, &py, sizeof(py));
    if (i >= w->slots)
        return;
    memcpy(w->cover + 4 * i, s->quad->cover, sizeof(s->quad->cover));
    for (unsigned k = 0; per_sample && k < 4; k++) {
        w->cover[4 * i + k] &= (uint16_t)(1u << s->sample);
        lit &= ~((uint32_t)!w->cover[4 * i + k] << k);
    }
    w->lit |= lit << (4 * i);
    w->vector |= (lit ? 0xfu : 0) << (4 * i);
    w->r->worker[w->worker]->ps_invocations += raster_count4(lit);
}

/* Slots without work have coordinates like the others. */
static void set_slots(struct pixel_worker *w)
{
    bool per_sample = w->r->state.ps.per_sample && w->r->state.samples > 1;

    w->lit = w->vector = 0;
    for (unsigned i = w->slots; i < PIXEL_SLOTS; i++)
        w->slot[i] = w->slot[0];
    for (unsigned i = 0; i < w->width / 4; i++)
        set_slot(w, i, per_sample);
    w->live = w->lit;
    w->tested = w->r->state.ps.early_depth ? UINT32_MAX : 0;
}

static void run_thread(struct pixel_worker *w, const struct raster_kernel *k)
{
    struct raster_worker *rw = w->r->worker[w->worker];
    struct eu_thread *t = w->r->e->worker[w->worker].thread;
    enum eu_result result;

    set_slots(w);
    pixel_payload(w, k, t);
    eu_thread_start(t, k->kernel, w->lit);
    t->vector_mask = w->vector;
    if (w->r->state.ps.vector_mask)
        t->flow.active = t->ce0 = w->vector;
    t->cr0[0] = w->r->state.ps.rounding;
    t->host = &pixel_host;
    t->ctx = w;
    do {
        result = eu_run(t, PIXEL_BUDGET);
        w->r->e->worker[w->worker].instructions += t->executed;
    } while (result == EU_BUDGET && !raster_late(w->r, w->worker));
    rw->unknown += result == EU_FAULT;
}

/* Runs what is in the slots from `slots` filled ones. */
static void dispatch(struct pixel_worker *w, const struct pixel_slot *slot, unsigned n)
{
    const struct raster_pixel_state *ps = &w->r->state.ps;

    while (n) {
        int k = choose_width(ps, n);

        if (k < 0 || raster_late(w->r, w->worker))
            return;
        w->width = 8u << k;
        w->slots = GT_MIN(n, w->width / 4);
        for (unsigned i = 0; i < w->slots; i++)
            w->slot[i] = slot[i];
        run_thread(w, &ps->kernel[k]);
        slot += w->slots;
        n -= w->slots;
    }
}

static bool has_sample(const struct raster_quad *q, unsigned sample)
{
    return (q->cover[0] | q->cover[1] | q->cover[2] | q->cover[3]) >> sample & 1;
}

void pixel_run(struct pixel_worker *w, const struct raster_prim *p, const struct raster_quad *quad, unsigned n)
{
    const struct raster_state *st = &w->r->state;
    unsigned rate = st->ps.per_sample ? st->samples : 1, filled = 0;
    struct pixel_slot slot[PIXEL_SLOTS];

    w->prim = p;
    if (st->ps.flat && pixel_run_flat(w, quad, n))
        return;
    pixel_payload_begin(w);
    for (unsigned i = 0; i < n; i++) {
        for (unsigned s = 0; s < rate; s++) {
            if (rate > 1 && !has_sample(&quad[i], s))
                continue;
            slot[filled++] = (struct pixel_slot){&quad[i], (uint8_t)s};
            if (filled == PIXEL_SLOTS) {
                dispatch(w, slot, filled);
                filled = 0;
            }
        }
    }
    dispatch(w, slot, filled);
}
