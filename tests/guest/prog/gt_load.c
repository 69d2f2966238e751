/*
 * Saturates an engine until it is told to stop (SIGTERM), with batches that take the GPU far longer than the processor:
 * "gt_load rcs0" runs atomic increments, "gt_load bcs0" copies. Every command counts itself in memory, so work that was
 * lost, or done twice, shows in the sum; the blitter's pixels are compared as well.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "gt.h"

#define SLOTS       4u /* batches in flight */
#define MI_ATOMIC   (0x2fu << 23 | 1)
#define ATOMIC_INC  (0x05u << 8) /* genxml gen9 Atomic_OPCODE 4B_INCREMENT */
#define BBS_SECOND  (1u << 22)
#define LOOP_SIZE   (256u << 10)
#define LOOP_COUNTS ((LOOP_SIZE - 4) / 12)
#define LOOPS       24u
#define SIDE        512u /* pixels of a copy's edge */
#define COPIES      400u

struct load {
    enum gt_engine engine;
    uint32_t ctx;
    struct gt_bo batch[SLOTS];
    struct gt_bo sums;     /* the counter; the number of the last batch of each slot */
    struct gt_bo loop;     /* rcs0 */
    struct gt_bo from, to; /* bcs0 */
    uint32_t counts_a_batch;
};

static volatile sig_atomic_t stop;

static void on_term(int signal)
{
    (void)signal;
    stop = 1;
}

static uint32_t *count(uint32_t *p, const struct load *l)
{
    *p++ = MI_ATOMIC | ATOMIC_INC;
    *p++ = (uint32_t)l->sums.addr;
    *p++ = (uint32_t)(l->sums.addr >> 32);
    return p;
}

static void prepare(struct load *l)
{
    l->ctx = gt_context_new();
    l->sums = gt_bo_new(4096);
    for (unsigned i = 0; i < SLOTS; i++)
        l->batch[i] = gt_bo_new(COPIES * 64);
    if (l->engine == GT_RCS) {
        l->loop = gt_bo_new(LOOP_SIZE);
        uint32_t *p = l->loop.cpu;
        for (unsigned i = 0; i < LOOP_COUNTS; i++)
            p = count(p, l);
        *p = MI_BATCH_BUFFER_END;
        l->counts_a_batch = LOOPS * LOOP_COUNTS;
        return;
    }
    l->from = gt_bo_new(SIDE * SIDE * 4);
    l->to = gt_bo_new(SIDE * SIDE * 4);
    for (uint32_t i = 0; i < SIDE * SIDE; i++)
        l->from.cpu[i] = i * 2654435761u;
    l->counts_a_batch = COPIES;
}

static uint32_t *increments(uint32_t *p, const struct load *l)
{
    for (unsigned i = 0; i < LOOPS; i++) {
        *p++ = MI_BATCH_BUFFER_START | BBS_SECOND;
        *p++ = (uint32_t)l->loop.addr;
        *p++ = (uint32_t)(l->loop.addr >> 32);
    }
    return p;
}

static uint32_t *copies(uint32_t *p, const struct load *l)
{
    for (unsigned i = 0; i < COPIES; i++) {
        *p++ = XY_SRC_COPY_BLT_32;
        *p++ = 3u << 24 | 0xccu << 16 | SIDE * 4;
        *p++ = 0;
        *p++ = SIDE << 16 | SIDE;
        *p++ = (uint32_t)l->to.addr;
        *p++ = (uint32_t)(l->to.addr >> 32);
        *p++ = 0;
        *p++ = SIDE * 4;
        *p++ = (uint32_t)l->from.addr;
        *p++ = (uint32_t)(l->from.addr >> 32);
        p = count(p, l);
    }
    return p;
}

static int submit(const struct load *l, uint32_t n)
{
    const struct gt_bo *used[] = {&l->sums, l->engine == GT_RCS ? &l->loop : &l->from, &l->to};
    const struct gt_bo *batch = &l->batch[n % SLOTS];
    uint32_t *p = batch->cpu;

    p = l->engine == GT_RCS ? increments(p, l) : copies(p, l);
    p = gt_store(p, &l->sums, 64 + n % SLOTS * 4, n + 1);
    *p = MI_BATCH_BUFFER_END;
    return gt_exec(l->engine, l->ctx, batch, 0, used, l->engine == GT_RCS ? 2 : 3);
}

/* Batches that were submitted; *rc: how it ended. */
static uint32_t saturate(const struct load *l, int *rc)
{
    uint32_t n = 0;

    for (*rc = 0; !stop && !*rc; n++) {
        *rc = n < SLOTS ? 0 : gt_wait(&l->batch[n % SLOTS], 60);
        if (!*rc)
            *rc = submit(l, n);
        if (*rc)
            break;
    }
    for (unsigned i = 0; i < SLOTS && i < n && !*rc; i++)
        *rc = gt_wait(&l->batch[i], 60);
    return n;
}

static void judge(const struct load *l, uint32_t n, int rc, double seconds)
{
    const char *name = gt_engine_name[l->engine];
    uint32_t want = n * l->counts_a_batch, wrong = 0;
    unsigned last = 0;

    gt_check(!rc && n, name, "%u batches, %.0f ms each, end %d", n, n ? 1e3 * seconds / n : 0, rc);
    gt_check(l->sums.cpu[0] == want, "counts", "%u of %u", l->sums.cpu[0], want);
    for (unsigned i = 0; i < SLOTS; i++)
        last += l->sums.cpu[16 + i] > n - SLOTS && l->sums.cpu[16 + i] <= n;
    gt_check(n < SLOTS || last == SLOTS, "order", "%u of %u slots have their last batch's number", last, SLOTS);
    if (l->engine == GT_RCS)
        return;
    for (uint32_t i = 0; i < SIDE * SIDE; i++)
        wrong += l->to.cpu[i] != i * 2654435761u;
    gt_check(!wrong, "pixels", "%u of %u differ", wrong, SIDE * SIDE);
}

int main(int argc, char **argv)
{
    struct load l = {.engine = argc > 1 && !strcmp(argv[1], "bcs0") ? GT_BCS : GT_RCS};
    int rc;

    signal(SIGTERM, on_term);
    gt_open();
    prepare(&l);
    double start = gt_now();
    uint32_t n = saturate(&l, &rc);
    judge(&l, n, rc, gt_now() - start);
    return gt_done();
}
