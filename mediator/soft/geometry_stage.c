#include <string.h>

#include "mediator/soft/geometry.h"
#include "vgpu/base/bits.h"
#include "vgpu/desc/fields.h"

#define CR0_ALT_FLOAT GT_BIT(0) /* cr0.0; PRM SKL vol 7 "Control Register" */

void geo_stage_begin(struct soft_geometry *g, struct geo_stage *st, const struct geo_stage_state *state)
{
    const struct soft_state *s = g->e->state;
    uint64_t base = soft_state_base(s, SOFT_BASE_INSTRUCTION);

    /* The pointers of all stages have the layout of the vertex shader's. */
    st->header = (struct soft_header){
        .samplers = (uint32_t)FIELD_ADDRESS(soft_state_get(s, state->samplers, NULL), 3DSTATE_SAMPLER_STATE_POINTERS_VS,
                                            PointerToVSSamplerState),
        .binding_table = (uint32_t)FIELD_ADDRESS(soft_state_get(s, state->binding_table, NULL),
                                                 3DSTATE_BINDING_TABLE_POINTERS_VS, PointerToVSBindingTable),
        .scratch = state->scratch,
        .scratch_size = state->scratch_size,
    };
    st->control = state->alternative_float ? CR0_ALT_FLOAT : 0;
    st->each = GT_MAX(st->each, 1u);
    soft_push_read(&st->push, g->e, state->constants);
    st->kernel = soft_kernels_get(g->e->kernels, &g->e->worker[0].mem, base + state->kernel);
    st->on = st->kernel;
}

void geo_run(struct soft_geometry *g, const struct geo_stage *st, uint32_t n,
             void (*fn)(void *ctx, unsigned worker, uint32_t item), void *ctx)
{
    /* Each worker's threads have scratch space of their own; when it does not last for all, one does the work. */
    bool one = g->workers * st->each > st->max_threads;

    for (unsigned i = 0; i < g->workers; i++) {
        struct soft_dispatch *d = &g->worker[i].d;

        d->urb = &g->urb;
        soft_dispatch_begin(d, g->e, i, &st->header, i * st->each);
    }
    (one ? soft_pool_run_alone : soft_pool_run)(g->e->pool, n, fn, ctx);
    for (unsigned i = 0; i < g->workers; i++) {
        g->e->unknown += g->worker[i].d.unknown;
        g->worker[i].d.unknown = 0;
    }
}

struct eu_thread *geo_thread(struct soft_geometry *g, const struct geo_stage *st, unsigned worker, uint32_t mask)
{
    struct eu_thread *t = g->e->worker[worker].thread;

    geo_thread_start(g, st, worker, t, 0, mask);
    return t;
}

void geo_thread_start(struct soft_geometry *g, const struct geo_stage *st, unsigned worker, struct eu_thread *t,
                      unsigned i, uint32_t mask)
{
    soft_dispatch_thread(&g->worker[worker].d, t, i, st->kernel, mask, &st->header);
    t->cr0[0] |= st->control;
}

unsigned geo_push(const struct geo_stage *st, struct eu_thread *t)
{
    unsigned n = GT_MIN(st->push.regs, EU_GRFS - st->start);

    memcpy(soft_grf(t, st->start), st->push.data, (size_t)n * EU_REG_BYTES);
    return st->start + n;
}

void geo_execute(struct soft_geometry *g, unsigned worker, struct eu_thread *t)
{
    if (!soft_dispatch_run(&g->worker[worker].d, t))
        atomic_store_explicit(&g->stopped, true, memory_order_relaxed);
}

struct geo_region geo_region(uint32_t first, uint32_t units_in_all, uint32_t units, uint32_t most)
{
    struct geo_region r = {.first = first, .units = GT_MIN(GT_MAX(units, 1u), 512u)};

    r.entries = GT_MIN(units_in_all / r.units, most);
    return r;
}
