#include "mediator/soft/render.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/soft/draw.h"
#include "mediator/soft/progress.h"
#include "vgpu/base/bits.h"
#include "vgpu/desc/fields.h"
#include "vgpu/desc/regs.h"

_Static_assert(sizeof(struct soft_state) <= VGPU_BACKEND_BYTES, "the state is kept with the context");

struct soft_render {
    struct soft_engine e;
    unsigned workers;
    _Atomic uint64_t draws, dispatches, unknown, faults, instructions;
};

/* ---- life */

static bool make_worker(struct soft_worker *w)
{
    w->units = soft_units_create();
    w->thread = aligned_alloc(_Alignof(struct eu_thread), sizeof(*w->thread));
    if (w->thread)
        memset(w->thread, 0, sizeof(*w->thread));
    return w->units && w->thread;
}

static bool make_parts(struct soft_render *r, unsigned threads)
{
    struct soft_engine *e = &r->e;

    e->pool = soft_pool_create(threads);
    if (!e->pool)
        return false;
    r->workers = soft_pool_workers(e->pool);
    e->worker = calloc(r->workers, sizeof(*e->worker));
    e->kernels = soft_kernels_create();
    if (!e->worker || !e->kernels)
        return false;
    for (unsigned i = 0; i < r->workers; i++)
        if (!make_worker(&e->worker[i]))
            return false;
    e->raster = soft_raster_create(e);
    e->geometry = soft_geometry_create(e);
    e->compute = soft_compute_create(e);
    return e->raster && e->geometry && e->compute;
}

struct soft_render *soft_render_create(unsigned threads)
{
    struct soft_render *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    if (soft_space_init(&r->e.space)) {
        free(r);
        return NULL;
    }
    if (!make_parts(r, threads)) {
        soft_render_destroy(r);
        return NULL;
    }
    return r;
}

void soft_render_forked(struct soft_render *r)
{
    soft_pool_forked(r->e.pool);
}

void soft_render_destroy(struct soft_render *r)
{
    if (!r)
        return;
    soft_compute_destroy(r->e.compute);
    soft_geometry_destroy(r->e.geometry);
    soft_raster_destroy(r->e.raster);
    soft_pool_destroy(r->e.pool);
    for (unsigned i = 0; r->e.worker && i < r->workers; i++) {
        soft_units_destroy(r->e.worker[i].units);
        free(r->e.worker[i].thread);
    }
    free(r->e.worker);
    soft_kernels_destroy(r->e.kernels);
    soft_space_fini(&r->e.space);
    free(r);
}

/* ---- counters */

/* Where each counter of struct soft_counters is told: PRM SKL vol 2c, "Pipeline Statistics". */
static const struct counter {
    uint16_t offset;
    enum reg_id reg; /* two dwords */
    uint8_t elem;
} counters[] = {
#define COUNTER(field, id, element)                                                                                    \
    {                                                                                                                  \
        offsetof(struct soft_counters, field), id, element                                                             \
    }
    COUNTER(ia_vertices, R_IA_VERTICES_COUNT, 0),
    COUNTER(ia_primitives, R_IA_PRIMITIVES_COUNT, 0),
    COUNTER(vs_invocations, R_VS_INVOCATION_COUNT, 0),
    COUNTER(hs_invocations, R_HS_INVOCATION_COUNT, 0),
    COUNTER(ds_invocations, R_DS_INVOCATION_COUNT, 0),
    COUNTER(gs_invocations, R_GS_INVOCATION_COUNT, 0),
    COUNTER(gs_primitives, R_GS_PRIMITIVES_COUNT, 0),
    COUNTER(cl_invocations, R_CL_INVOCATION_COUNT, 0),
    COUNTER(cl_primitives, R_CL_PRIMITIVES_COUNT, 0),
    COUNTER(ps_invocations, R_PS_INVOCATION_COUNT, 0),
    COUNTER(ps_depth, R_PS_DEPTH_COUNT, 0),
    COUNTER(cs_invocations, R_CS_INVOCATION_COUNT, 0),
    COUNTER(so_written[0], R_SO_NUM_PRIMS_WRITTEN, 0),
    COUNTER(so_written[1], R_SO_NUM_PRIMS_WRITTEN, 2),
    COUNTER(so_written[2], R_SO_NUM_PRIMS_WRITTEN, 4),
    COUNTER(so_written[3], R_SO_NUM_PRIMS_WRITTEN, 6),
    COUNTER(so_needed[0], R_SO_PRIM_STORAGE_NEEDED, 0),
    COUNTER(so_needed[1], R_SO_PRIM_STORAGE_NEEDED, 2),
    COUNTER(so_needed[2], R_SO_PRIM_STORAGE_NEEDED, 4),
    COUNTER(so_needed[3], R_SO_PRIM_STORAGE_NEEDED, 6),
#undef COUNTER
};

static void add_to_register(struct vgpu_exec *x, const struct counter *c, uint64_t n)
{
    uint32_t lo = reg_off(c->reg, VGPU_RCS, c->elem), hi = reg_off(c->reg, VGPU_RCS, c->elem + 1u);
    uint64_t sum = n + ((uint64_t)vgpu_exec_reg_read(x, hi) << 32 | vgpu_exec_reg_read(x, lo));

    vgpu_exec_reg_write(x, lo, (uint32_t)sum);
    vgpu_exec_reg_write(x, hi, (uint32_t)(sum >> 32));
}

static void tell_counters(struct soft_render *r, struct vgpu_exec *x)
{
    for (size_t i = 0; i < GT_ARRAY_SIZE(counters); i++) {
        uint64_t n;

        memcpy(&n, (const uint8_t *)&r->e.count + counters[i].offset, sizeof(n));
        if (n)
            add_to_register(x, &counters[i], n);
    }
    memset(&r->e.count, 0, sizeof(r->e.count));
}

static void bump(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* ---- commands */

static void begin(struct soft_render *r, struct vgpu_exec *x)
{
    struct soft_engine *e = &r->e;

    soft_space_begin(&e->space, x);
    soft_kernels_begin(e->kernels);
    for (unsigned i = 0; i < r->workers; i++) {
        soft_mem_begin(&e->worker[i].mem, &e->space);
        soft_units_begin(e->worker[i].units);
    }
}

static void end(struct soft_render *r, struct vgpu_exec *x)
{
    tell_counters(r, x);
    bump(&r->unknown, r->e.unknown);
    r->e.unknown = 0;
    bump(&r->faults, atomic_load_explicit(&r->e.space.fault_count, memory_order_relaxed));
    for (unsigned i = 0; i < r->workers; i++) {
        bump(&r->instructions, r->e.worker[i].instructions);
        r->e.worker[i].instructions = 0;
    }
}

static enum vgpu_payload finish(struct soft_render *r, struct vgpu_exec *x, bool done, _Atomic uint64_t *counter)
{
    end(r, x);
    if (!done)
        return VGPU_PAYLOAD_AGAIN;
    soft_progress_end(x);
    bump(counter, 1);
    return VGPU_PAYLOAD_DONE;
}

static bool predicated_off(struct vgpu_exec *x, bool enabled)
{
    return enabled && !(vgpu_exec_reg_read(x, reg_off(R_MI_PREDICATE_RESULT, VGPU_RCS, 0)) & 1);
}

static enum vgpu_payload draw(struct soft_render *r, struct vgpu_exec *x, const uint32_t *dw)
{
    if (predicated_off(x, FIELD_GET(dw, 3DPRIMITIVE, PredicateEnable)))
        return VGPU_PAYLOAD_DONE;
    begin(r, x);
    return finish(r, x, soft_geometry_draw(r->e.geometry, dw), &r->draws);
}

static enum vgpu_payload dispatch(struct soft_render *r, struct vgpu_exec *x, int cmd_id, const uint32_t *dw,
                                  unsigned ndw)
{
    if (cmd_id == C_GPGPU_WALKER && predicated_off(x, FIELD_GET(dw, GPGPU_WALKER, PredicateEnable)))
        return VGPU_PAYLOAD_DONE;
    begin(r, x);
    return finish(r, x, soft_compute_command(r->e.compute, cmd_id, dw, ndw), &r->dispatches);
}

static void keep(struct soft_render *r, struct vgpu_exec *x, int cmd_id, const uint32_t *dw, unsigned ndw)
{
    soft_state_set(r->e.state, &r->e.stamps, cmd_id, dw, ndw);
    vgpu_exec_state_changed(x);
    if (cmd_id == C_3DSTATE_SO_BUFFER) {
        begin(r, x);
        soft_streamout_buffer(&r->e, dw);
        end(r, x);
    }
}

static void load_state(struct soft_render *r, struct vgpu_exec *x)
{
    bool fresh;

    r->e.state = vgpu_exec_state(x, &fresh);
    if (fresh)
        soft_stamps_all(&r->e.stamps);
}

enum vgpu_payload soft_render_command(struct soft_render *r, struct vgpu_exec *x, int cmd_id, const uint32_t *dw,
                                      unsigned ndw)
{
    load_state(r, x);
    if (soft_state_keeps(cmd_id)) {
        keep(r, x, cmd_id, dw, ndw);
        return VGPU_PAYLOAD_DONE;
    }
    switch (cmd_id) {
    case C_3DPRIMITIVE:
        return draw(r, x, dw);
    case C_GPGPU_WALKER:
    case C_MEDIA_OBJECT:
    case C_MEDIA_OBJECT_GRPID:
    case C_MEDIA_OBJECT_PRT:
    case C_MEDIA_OBJECT_WALKER:
        return dispatch(r, x, cmd_id, dw, ndw);
    case C_3DSTATE_WM_HZ_OP:
        begin(r, x);
        soft_raster_hz_op(r->e.raster, dw);
        end(r, x);
        return VGPU_PAYLOAD_DONE;
    default: /* prefetches, flushes, and state of parts that Gen9 drivers do not use */
        return VGPU_PAYLOAD_DONE;
    }
}

void soft_render_stats(const struct soft_render *r, struct soft_render_stats *out)
{
    out->draws = atomic_load_explicit(&r->draws, memory_order_relaxed);
    out->dispatches = atomic_load_explicit(&r->dispatches, memory_order_relaxed);
    out->unknown = atomic_load_explicit(&r->unknown, memory_order_relaxed);
    out->faults = atomic_load_explicit(&r->faults, memory_order_relaxed);
    out->instructions = atomic_load_explicit(&r->instructions, memory_order_relaxed);
}
