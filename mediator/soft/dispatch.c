#include "mediator/soft/dispatch.h"

#include <string.h>

#include "mediator/soft/progress.h"
#include "vgpu/base/bits.h"
#include "vgpu/desc/fields.h"
#include "vgpu/desc/regs.h"

#define SLICE_INSTRUCTIONS 65536u
/* A thread that was running when the engine was asked to stop goes on for so many slices: only one that hangs, or
 * nearly, is given up and begins again when the command is continued, with twice the patience each time: one that needs
 * longer than the engine is anybody's gets to its end. */
#define GRACE_SLICES    64u
#define GRACE_DOUBLINGS 6u

/* ---- messages */

/* Message gateway. PRM SKL vol 7 "Message Gateway"; Mesa brw_eu_defines.h. */
#define GATEWAY_FUNCTION(desc) gt_field(desc, 2, 0)
#define GATEWAY_BARRIER        4u
#define GATEWAY_DWORD          2u         /* of the payload */
#define GATEWAY_COUNT_VALID    GT_BIT(15) /* hull shaders bring the number of threads, compute groups do not */
#define GATEWAY_COUNT(payload) gt_field(payload, 14, 9)

static void arrive(struct soft_group *g, uint32_t payload)
{
    unsigned want = payload & GATEWAY_COUNT_VALID ? GATEWAY_COUNT(payload) : g->threads;

    if (++g->arrived < want)
        return;
    g->arrived = 0;
    for (unsigned i = 0; i < g->threads; i++)
        g->thread[i].notified++;
}

static enum eu_result gateway(struct soft_dispatch *d, struct eu_thread *t, const struct eu_message *m)
{
    if (GATEWAY_FUNCTION(m->desc) != GATEWAY_BARRIER || !m->mlen) {
        d->unknown++;
        return EU_FAULT;
    }
    if (d->group)
        arrive(d->group, ((const uint32_t *)(const void *)m->src0)[GATEWAY_DWORD]);
    else
        t->notified++;
    return EU_DONE;
}

static enum eu_result dispatch_message(struct eu_thread *t, const struct eu_message *m)
{
    struct soft_dispatch *d = t->ctx;

    switch (m->sfid) {
    case EU_SFID_NULL:
    case EU_SFID_SPAWNER:
        return EU_DONE;
    case EU_SFID_SAMPLER:
        return soft_sampler_message(&d->env, t, m);
    case EU_SFID_DP_SAMPLER:
    case EU_SFID_DP_RENDER:
    case EU_SFID_DP_CONST:
    case EU_SFID_DP_DC0:
    case EU_SFID_DP_DC1:
    case EU_SFID_DP_DC2:
        return soft_dataport_message(&d->env, t, m);
    case EU_SFID_GATEWAY:
        return gateway(d, t, m);
    case EU_SFID_URB:
        if (d->urb)
            return soft_urb_message(d->urb, m);
        break;
    default:
        break;
    }
    d->unknown++;
    return EU_FAULT;
}

const struct eu_host soft_dispatch_host = {.message = dispatch_message};

/* ---- threads */

void soft_dispatch_begin(struct soft_dispatch *d, const struct soft_engine *e, unsigned worker,
                         const struct soft_header *h, unsigned first)
{
    const struct soft_state *s = e->state;

    *d = (struct soft_dispatch){.x = e->space.x, .urb = d->urb, .instructions = &e->worker[worker].instructions};
    d->grace = GRACE_SLICES << GT_MIN(soft_progress_attempts(e->space.x), GRACE_DOUBLINGS);
    d->env.mem = &e->worker[worker].mem;
    d->env.units = e->worker[worker].units;
    d->env.surface_base = soft_state_base(s, SOFT_BASE_SURFACE);
    d->env.dynamic_base = soft_state_base(s, SOFT_BASE_DYNAMIC);
    d->env.general_base = soft_state_base(s, SOFT_BASE_GENERAL);
    d->env.bindless_base = soft_state_base(s, SOFT_BASE_BINDLESS);
    d->env.binding_table = d->env.surface_base + h->binding_table;
    d->env.samplers = d->env.dynamic_base + h->samplers;
    d->env.scratch_bytes = 1024u << GT_MIN(h->scratch_size, 11u);
    d->scratch_base = d->env.general_base + h->scratch;
    d->scratch_first = first;
    d->env.scratch = d->scratch_base + (uint64_t)first * d->env.scratch_bytes;
}

void soft_dispatch_thread(struct soft_dispatch *d, struct eu_thread *t, unsigned i, const struct eu_kernel *k,
                          uint32_t mask, const struct soft_header *h)
{
    uint32_t *r0 = soft_grf(t, 0);

    eu_thread_start(t, k, mask);
    t->host = &soft_dispatch_host;
    t->ctx = d;
    memset(r0, 0, EU_REG_BYTES);
    r0[3] = (h->samplers & ~0x1fu) | (h->scratch_size & 0xf);
    r0[4] = h->binding_table;
    r0[5] = (h->scratch + (d->scratch_first + i) * d->env.scratch_bytes) & ~0x3ffu; /* this thread's own */
}

static enum eu_result run_slice(struct soft_dispatch *d, struct eu_thread *t)
{
    enum eu_result r = eu_run(t, SLICE_INSTRUCTIONS);

    *d->instructions += t->executed;
    return r;
}

/* False: it is time to give up. */
static bool go_on(struct soft_dispatch *d)
{
    return !vgpu_exec_stop(d->x) || (++d->slices < d->grace && !vgpu_exec_abandoned(d->x));
}

bool soft_dispatch_run(struct soft_dispatch *d, struct eu_thread *t)
{
    for (;;) {
        switch (run_slice(d, t)) {
        case EU_DONE:
            return true;
        case EU_BUDGET:
            if (!go_on(d))
                return false;
            break;
        case EU_WAIT:
            /* Nobody else is there to notify it. */
        case EU_FAULT:
            d->unknown++;
            return true;
        }
    }
}

enum thread_state { THREAD_RUNS, THREAD_WAITS, THREAD_ENDED };

/* One turn of a thread. True: it did something. */
static bool take_turn(struct soft_dispatch *d, struct soft_group *g, unsigned i)
{
    struct eu_thread *t = &g->thread[i];

    if (g->state[i] == THREAD_ENDED || (g->state[i] == THREAD_WAITS && !t->notified))
        return false;
    d->env.scratch = d->scratch_base + (uint64_t)(d->scratch_first + i) * d->env.scratch_bytes;
    g->state[i] = THREAD_RUNS;
    switch (run_slice(d, t)) {
    case EU_DONE:
        g->state[i] = THREAD_ENDED;
        break;
    case EU_WAIT:
        g->state[i] = THREAD_WAITS;
        break;
    case EU_BUDGET:
        break;
    case EU_FAULT:
        d->unknown++;
        g->state[i] = THREAD_ENDED;
        break;
    }
    return true;
}

static bool all_ended(const struct soft_group *g)
{
    for (unsigned i = 0; i < g->threads; i++)
        if (g->state[i] != THREAD_ENDED)
            return false;
    return true;
}

bool soft_dispatch_run_group(struct soft_dispatch *d, struct soft_group *g)
{
    bool stopped = false, busy = true;

    g->arrived = 0;
    memset(g->state, THREAD_RUNS, sizeof(g->state));
    d->group = g;
    while (busy && !stopped) {
        busy = false;
        for (unsigned i = 0; i < g->threads; i++)
            busy |= take_turn(d, g, i);
        stopped = busy && !go_on(d);
    }
    d->group = NULL;
    if (all_ended(g))
        return true;
    if (!stopped)
        d->unknown++;
    return !stopped;
}

/* ---- push constants */

/* Mesa genxml gen9 CS_DEBUG_MODE2: buffer 0 of 3DSTATE_CONSTANT_* is at an address, not an offset from the dynamic
 * state base. */
#define CONSTANT_BUFFER_ADDRESS_OFFSET_DISABLE GT_BIT(4)
#define CONSTANT_BUFFERS                       4u

void soft_push_read(struct soft_push *p, const struct soft_engine *e, int cmd_id)
{
    const uint32_t *body = soft_state_get(e->state, cmd_id, NULL) + 1;
    uint32_t mode = vgpu_exec_reg_read(e->space.x, reg_off(R_CS_DEBUG_MODE2, VGPU_RCS, 0));

    p->regs = 0;
    for (unsigned i = 0; i < CONSTANT_BUFFERS; i++) {
        unsigned n = (unsigned)FIELD_AT(body, 3DSTATE_CONSTANT_BODY, ReadLength, i, 16);
        uint64_t at = FIELD_AT(body, 3DSTATE_CONSTANT_BODY, Buffer, i, 64) << 5;

        if (i == 0 && !(mode & CONSTANT_BUFFER_ADDRESS_OFFSET_DISABLE))
            at += soft_state_base(e->state, SOFT_BASE_DYNAMIC);
        n = GT_MIN(n, SOFT_PUSH_REGS - p->regs);
        if (n)
            soft_mem_read(&e->worker[0].mem, at, p->data + p->regs * EU_REG_BYTES, n * EU_REG_BYTES);
        p->regs += n;
    }
}
