#include <string.h>

#include "mediator/soft/compute.h"
#include "mediator/soft/progress.h"
#include "vgpu/base/bits.h"
#include "vgpu/desc/fields.h"
#include "vgpu/desc/regs.h"

/* Groups whose progress is kept at once. */
#define BATCH_GROUPS 64u

struct walk {
    struct soft_compute *c;
    struct compute_kernel k;
    uint32_t first[3], count[3]; /* thread group ids */
    uint64_t groups, base;       /* all of them; the first one of this batch */
    unsigned size[3];            /* threads of a group by width, height, depth */
    unsigned threads;
    uint32_t full, right, bottom; /* execution masks */
    bool together;                /* threads of a group meet at barriers */
    _Atomic uint32_t failed;      /* first group of this batch that was given up; later ones run once more */
};

static uint64_t saturating_mul(uint64_t a, uint64_t b)
{
    return b && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}

static void read_dimensions(struct walk *w, const uint32_t *dw)
{
    uint32_t end[3] = {(uint32_t)FIELD_GET(dw, GPGPU_WALKER, ThreadGroupIDXDimension),
                       (uint32_t)FIELD_GET(dw, GPGPU_WALKER, ThreadGroupIDYDimension),
                       (uint32_t)FIELD_GET(dw, GPGPU_WALKER, ThreadGroupIDZDimension)};

    w->first[0] = (uint32_t)FIELD_GET(dw, GPGPU_WALKER, ThreadGroupIDStartingX);
    w->first[1] = (uint32_t)FIELD_GET(dw, GPGPU_WALKER, ThreadGroupIDStartingY);
    w->first[2] = (uint32_t)FIELD_GET(dw, GPGPU_WALKER, ThreadGroupIDStartingResumeZ);
    w->groups = 1;
    for (unsigned i = 0; i < 3; i++) {
        if (FIELD_GET(dw, GPGPU_WALKER, IndirectParameterEnable))
            end[i] = vgpu_exec_reg_read(w->c->e->space.x, reg_off(R_GPGPU_DISPATCHDIM, VGPU_RCS, i));
        w->count[i] = end[i] > w->first[i] ? end[i] - w->first[i] : 0;
        w->groups = saturating_mul(w->groups, w->count[i]);
    }
}

static void read_masks(struct walk *w, const uint32_t *dw)
{
    unsigned simd = 8u << GT_MIN(FIELD_GET(dw, GPGPU_WALKER, SIMDSize), UINT64_C(2));

    w->full = simd == 32 ? UINT32_MAX : GT_BIT(simd) - 1;
    w->right = (uint32_t)FIELD_GET(dw, GPGPU_WALKER, RightExecutionMask) & w->full;
    w->bottom = (uint32_t)FIELD_GET(dw, GPGPU_WALKER, BottomExecutionMask) & w->full;
    w->size[0] = (unsigned)FIELD_GET(dw, GPGPU_WALKER, ThreadWidthCounterMaximum) + 1;
    w->size[1] = (unsigned)FIELD_GET(dw, GPGPU_WALKER, ThreadHeightCounterMaximum) + 1;
    w->size[2] = (unsigned)FIELD_GET(dw, GPGPU_WALKER, ThreadDepthCounterMaximum) + 1;
    w->threads = w->size[0] * w->size[1] * w->size[2];
}

static uint32_t thread_mask(const struct walk *w, unsigned i)
{
    uint32_t mask = w->full;

    if (i % w->size[0] == w->size[0] - 1)
        mask &= w->right;
    if (i / w->size[0] % w->size[1] == w->size[1] - 1)
        mask &= w->bottom;
    return mask;
}

/* Payload: header, constants of all threads, this thread's. PRM SKL vol 7 "GPGPU Thread Payload". */
static void prepare_thread(const struct walk *w, struct compute_worker *cw, struct eu_thread *t, uint64_t group,
                           unsigned i)
{
    const struct compute_kernel *k = &w->k;
    uint64_t own = ((uint64_t)k->cross_regs + (uint64_t)i * k->per_thread_regs) * EU_REG_BYTES;
    uint32_t *r0 = soft_grf(t, 0);

    soft_dispatch_thread(&cw->d, t, w->together ? i : 0, k->kernel, thread_mask(w, i), &k->header);
    t->cr0[0] |= k->control;
    r0[1] = w->first[0] + (uint32_t)(group % w->count[0]);
    r0[6] = w->first[1] + (uint32_t)(group / w->count[0] % w->count[1]);
    r0[7] = w->first[2] + (uint32_t)(group / w->count[0] / w->count[1]);
    unsigned reg = compute_constants(k, cw->d.env.mem, t, 1, 0, k->cross_regs);

    compute_constants(k, cw->d.env.mem, t, reg, own, k->per_thread_regs);
}

static bool run_together(const struct walk *w, struct compute_worker *cw, uint64_t group)
{
    cw->group.threads = w->threads;
    for (unsigned i = 0; i < w->threads; i++)
        prepare_thread(w, cw, &cw->group.thread[i], group, i);
    return soft_dispatch_run_group(&cw->d, &cw->group);
}

static bool run_one_by_one(const struct walk *w, struct compute_worker *cw, struct eu_thread *t, uint64_t group)
{
    for (unsigned i = 0; i < w->threads; i++) {
        prepare_thread(w, cw, t, group, i);
        if (!soft_dispatch_run(&cw->d, t))
            return false;
    }
    return true;
}

static void give_up(struct walk *w, uint32_t group)
{
    uint32_t first = atomic_load_explicit(&w->failed, memory_order_relaxed);

    while (group < first && !atomic_compare_exchange_weak_explicit(&w->failed, &first, group, memory_order_relaxed,
                                                                   memory_order_relaxed))
        ;
}

static void run_group(void *ctx, unsigned worker, uint32_t item)
{
    struct walk *w = ctx;
    struct compute_worker *cw = &w->c->worker[worker];
    bool ok;

    cw->d.slices = 0;
    memset(cw->slm, 0, w->k.slm_bytes);
    if (w->together)
        ok = run_together(w, cw, w->base + item);
    else
        ok = run_one_by_one(w, cw, w->c->e->worker[worker].thread, w->base + item);
    if (!ok)
        give_up(w, item);
    if (!ok || vgpu_exec_stop(w->c->e->space.x))
        soft_pool_stop(w->c->e->pool);
}

/* Each worker's threads have numbers, and scratch space, of their own. When there is not enough for all workers, one
 * does the work. */
static unsigned begin_workers(struct walk *w)
{
    unsigned each = w->together ? w->threads : 1, workers = w->c->workers;

    if (each * workers > w->k.max_threads)
        workers = 1;
    for (unsigned i = 0; i < w->c->workers; i++) {
        struct compute_worker *cw = &w->c->worker[i];

        soft_dispatch_begin(&cw->d, w->c->e, i, &w->k.header, i * each);
        cw->d.env.slm = w->k.slm_bytes ? cw->slm : NULL;
        cw->d.env.slm_bytes = w->k.slm_bytes;
    }
    return workers;
}

/* How many of the batch's groups are done. */
static uint32_t run_batch(struct walk *w, unsigned workers, uint32_t n)
{
    atomic_store_explicit(&w->failed, n, memory_order_relaxed);
    uint32_t handed = (workers > 1 ? soft_pool_run : soft_pool_run_alone)(w->c->e->pool, n, run_group, w);

    return GT_MIN(handed, atomic_load_explicit(&w->failed, memory_order_relaxed));
}

static uint64_t lanes_of_group(const struct walk *w)
{
    uint64_t lanes = 0;

    for (unsigned i = 0; i < w->threads; i++)
        lanes += (unsigned)__builtin_popcount(thread_mask(w, i));
    return lanes;
}

/* False: interrupted. */
static bool run_groups(struct walk *w, uint32_t step[SOFT_PROGRESS_DWORDS])
{
    struct soft_engine *e = w->c->e;
    uint64_t lanes = lanes_of_group(w);
    unsigned workers = begin_workers(w);

    w->base = (uint64_t)step[1] << 32 | step[0];
    while (w->base < w->groups) {
        uint32_t done = run_batch(w, workers, (uint32_t)GT_MIN(w->groups - w->base, (uint64_t)BATCH_GROUPS));

        if (!done)
            return false;
        e->count.cs_invocations += done * lanes;
        w->base += done;
        step[0] = (uint32_t)w->base;
        step[1] = (uint32_t)(w->base >> 32);
        soft_progress_step(e->space.x, step);
        if (w->base < w->groups && vgpu_exec_stop(e->space.x))
            return false;
    }
    return true;
}

/* The walker can bring the constant data itself. */
static void take_indirect_data(struct walk *w, const uint32_t *dw)
{
    uint32_t bytes = (uint32_t)FIELD_GET(dw, GPGPU_WALKER, IndirectDataLength);

    if (!bytes)
        return;
    w->k.constants =
        soft_state_base(w->c->e->state, SOFT_BASE_INDIRECT) + FIELD_ADDRESS(dw, GPGPU_WALKER, IndirectDataStartAddress);
    w->k.constant_bytes = bytes;
}

bool compute_walk(struct soft_compute *c, const uint32_t *dw, unsigned ndw)
{
    struct walk w = {.c = c};
    uint32_t step[SOFT_PROGRESS_DWORDS];

    read_dimensions(&w, dw);
    read_masks(&w, dw);
    if (!w.groups || !compute_kernel_read(c, (unsigned)FIELD_GET(dw, GPGPU_WALKER, InterfaceDescriptorOffset), &w.k))
        return true;
    take_indirect_data(&w, dw);
    w.together = w.k.barrier && w.threads > 1;
    if (w.together && (w.threads > SOFT_GROUP_THREADS || !compute_need_groups(c))) {
        c->e->unknown++;
        return true;
    }
    soft_progress_begin(c->e->space.x, dw, ndw, step);
    bool done = run_groups(&w, step);

    compute_collect(c);
    return done;
}
