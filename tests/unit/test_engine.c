/* Execlists: what the driver is told, in which order; preemption, lite restore, stop, reset; hostile submissions. */
#include "guestmem.h"

#define VA_LO                 ((uint32_t)GM_USER_VA)
#define VA_HI                 ((uint32_t)(GM_USER_VA >> 32))
#define SDI(off, val)         gm_hdr(C_MI_STORE_DATA_IMM, 4), VA_LO + (off), VA_HI, val
#define SEM_WAIT_EQ(off, val) gm_hdr(C_MI_SEMAPHORE_WAIT, 4) | 4 << 12 | GT_BIT(15), val, VA_LO + (off), VA_HI
#define ARB(on)               gm_hdr(C_MI_ARB_ON_OFF, 1) | (on)

struct env {
    struct guest *g;
    uint64_t hws;
    struct gm_ctx a, b, c;
    unsigned csb; /* last entry that next_event took */
};

static int setup(void **state)
{
    struct env *t = calloc(1, sizeof(*t));

    t->g = gm_new();
    t->hws = gm_engine_up(t->g, VGPU_RCS);
    t->a = gm_context(t->g, VGPU_RCS, 1, 1);
    t->b = gm_context(t->g, VGPU_RCS, 2, 1);
    t->c = gm_context(t->g, VGPU_RCS, 3, 1);
    t->csb = 5;
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct env *t = *state;

    gm_free(t->g);
    free(t);
    return 0;
}

static struct vgpu_engine *engine(struct env *t)
{
    return &t->g->v->engine[VGPU_RCS];
}

static uint32_t rcs(struct env *t, enum reg_id id)
{
    return gm_mmio_read(t->g, gm_reg(VGPU_RCS, id, 0));
}

static enum vgpu_run run(struct env *t)
{
    return gm_run(t->g, VGPU_RCS, 1000, 100);
}

static uint32_t *user(struct env *t, struct gm_ctx *c, unsigned byte)
{
    return gm_dw(t->g, c->user + byte);
}

/* The next event of the status page is this one; the registers agree. */
static void event(struct env *t, uint32_t status, uint32_t id)
{
    assert_int_not_equal(gm_csb_write(t->g, t->hws), t->csb);
    t->csb = (t->csb + 1) % 6;
    assert_int_equal(gm_csb_status(t->g, t->hws, t->csb), status);
    assert_int_equal(gm_csb_id(t->g, t->hws, t->csb), id);
    assert_int_equal(gm_mmio_read(t->g, gm_reg(VGPU_RCS, R_CONTEXT_STATUS_BUF, 2 * t->csb)), status);
    assert_int_equal(gm_mmio_read(t->g, gm_reg(VGPU_RCS, R_CONTEXT_STATUS_BUF, 2 * t->csb + 1)), id);
}

static void no_more_events(struct env *t)
{
    assert_int_equal(gm_csb_write(t->g, t->hws), t->csb);
    assert_int_equal(rcs(t, R_CONTEXT_STATUS_PTR) & 7, t->csb);
}

static void one_context_runs_and_completes(void **state)
{
    struct env *t = *state;

    *vgpu_reg(t->g->v, R_GEN8_GT_IMR, 0, 0) = 0;
    GM_EMIT(t->g, &t->a, SDI(0, 1));
    gm_submit(t->g, &t->a, NULL);
    assert_int_equal(t->g->kicks[VGPU_RCS], 1);
    assert_int_equal(run(t), VGPU_RUN_IDLE);
    event(t, 0x1, 1);
    event(t, 0x18, 1);
    no_more_events(t);
    assert_int_equal(*user(t, &t->a, 0), 1);
    assert_true(*vgpu_reg(t->g->v, R_GEN8_GT_IIR, 0, 0) & GT_BIT(8));
    assert_int_equal(rcs(t, R_EXECLIST_STATUS_HI), 0);
    assert_true(rcs(t, R_MI_MODE) & GT_BIT(9));
    assert_int_equal(rcs(t, R_HEAD), rcs(t, R_TAIL));
}

static void two_contexts_run_in_order(void **state)
{
    struct env *t = *state;

    GM_EMIT(t->g, &t->a, SDI(0, 1));
    GM_EMIT(t->g, &t->b, SDI(0, 2));
    gm_submit(t->g, &t->a, &t->b);
    run(t);
    event(t, 0x1, 1);
    event(t, 0x14, 1);
    event(t, 0x18, 2);
    no_more_events(t);
    assert_int_equal(*user(t, &t->b, 0), 2);
}

static void csb_pointer_wraps_after_six(void **state)
{
    struct env *t = *state;

    for (unsigned i = 0; i < 10; i++) {
        GM_EMIT(t->g, &t->a, 0, 0);
        gm_submit(t->g, &t->a, NULL);
        run(t);
        event(t, 0x1, 1);
        event(t, 0x18, 1);
    }
    no_more_events(t);
}

static void csb_pointer_abuse_stays_in_the_buffer(void **state)
{
    struct env *t = *state;

    for (unsigned p = 0; p < 8; p++) {
        gm_mmio_write(t->g, gm_reg(VGPU_RCS, R_CONTEXT_STATUS_PTR, 0), 0xffff0000 | 0xf8f8 | p);
        gm_submit(t->g, &t->a, NULL);
        run(t);
        assert_in_range(gm_csb_write(t->g, t->hws), 0, 5);
        assert_int_equal(gm_csb_write(t->g, t->hws), p < 5 ? (p + 2) % 6 : 1);
    }
}

static void running_context_shows_in_the_status_register(void **state)
{
    struct env *t = *state;

    GM_EMIT(t->g, &t->a, SEM_WAIT_EQ(0, 1));
    gm_submit(t->g, &t->a, &t->b);
    assert_int_equal(run(t), VGPU_RUN_WAIT);
    assert_int_equal(rcs(t, R_EXECLIST_STATUS_HI), 1);
    assert_int_equal(rcs(t, R_EXECLIST_STATUS_LO) >> 14 & 3, 1);
    assert_false(rcs(t, R_MI_MODE) & GT_BIT(9));
}

static void same_context_is_a_lite_restore(void **state)
{
    struct env *t = *state;

    GM_EMIT(t->g, &t->a, SEM_WAIT_EQ(0, 1));
    gm_submit(t->g, &t->a, NULL);
    assert_int_equal(run(t), VGPU_RUN_WAIT);
    GM_EMIT(t->g, &t->a, SDI(4, 2));
    gm_submit(t->g, &t->a, &t->b);
    assert_int_equal(run(t), VGPU_RUN_WAIT);
    event(t, 0x1, 1);
    event(t, 0x8002, 1);
    no_more_events(t);
    *user(t, &t->a, 0) = 1;
    assert_int_equal(run(t), VGPU_RUN_IDLE);
    event(t, 0x14, 1);
    event(t, 0x18, 2);
    assert_int_equal(*user(t, &t->a, 4), 2);
    assert_int_equal(t->g->v->stats.engine[VGPU_RCS].lite_restores, 1);
}

static void forced_restore_reloads_the_same_context(void **state)
{
    struct env *t = *state;

    GM_EMIT(t->g, &t->a, SEM_WAIT_EQ(0, 1), SDI(4, 2));
    gm_submit(t->g, &t->a, NULL);
    run(t);
    gm_image(t->g, &t->a)[GM_TAIL] = 0; /* the driver took the request back */
    gm_elsp(t->g, VGPU_RCS, gm_desc(&t->a) | 4, 0);
    assert_int_equal(run(t), VGPU_RUN_IDLE);
    event(t, 0x1, 1);
    event(t, 0x2, 1);
    event(t, 0x18, 1);
    assert_int_equal(*user(t, &t->a, 4), 0);
}

static void other_context_preempts(void **state)
{
    struct env *t = *state;

    GM_EMIT(t->g, &t->a, SEM_WAIT_EQ(0, 1), SDI(4, 2));
    GM_EMIT(t->g, &t->b, SDI(0, 3));
    gm_submit(t->g, &t->a, NULL);
    run(t);
    gm_submit(t->g, &t->b, &t->a);
    assert_int_equal(run(t), VGPU_RUN_WAIT);
    event(t, 0x1, 1);
    event(t, 0x2, 1);
    event(t, 0x14, 2);
    no_more_events(t);
    assert_int_equal(*user(t, &t->b, 0), 3);
    *user(t, &t->a, 0) = 1;
    assert_int_equal(run(t), VGPU_RUN_IDLE);
    event(t, 0x18, 1);
    assert_int_equal(*user(t, &t->a, 4), 2);
}

static void arbitration_off_holds_preemption_back(void **state)
{
    struct env *t = *state;

    GM_EMIT(t->g, &t->a, ARB(0), SEM_WAIT_EQ(0, 1), SDI(4, 2), ARB(1), SDI(8, 3));
    gm_submit(t->g, &t->a, NULL);
    run(t);
    gm_submit(t->g, &t->b, NULL);
    assert_int_equal(run(t), VGPU_RUN_WAIT);
    *user(t, &t->a, 0) = 1;
    assert_int_equal(run(t), VGPU_RUN_IDLE);
    event(t, 0x1, 1);
    event(t, 0x2, 1);
    event(t, 0x18, 2);
    assert_int_equal(*user(t, &t->a, 4), 2);
    assert_int_equal(*user(t, &t->a, 8), 0);
}

static void stop_ring_stops_at_a_command_and_goes_on(void **state)
{
    struct env *t = *state;
    uint32_t mode = gm_reg(VGPU_RCS, R_MI_MODE, 0);

    GM_EMIT(t->g, &t->a, SEM_WAIT_EQ(0, 1), SDI(4, 2));
    gm_submit(t->g, &t->a, NULL);
    run(t);
    gm_mmio_write(t->g, mode, 0x01000100);
    assert_true(rcs(t, R_MI_MODE) & GT_BIT(9));
    *user(t, &t->a, 0) = 1;
    assert_int_equal(run(t), VGPU_RUN_IDLE);
    assert_int_equal(*user(t, &t->a, 4), 0);
    unsigned kicks = t->g->kicks[VGPU_RCS];

    gm_mmio_write(t->g, mode, 0x01000000);
    assert_int_equal(t->g->kicks[VGPU_RCS], kicks + 1);
    assert_int_equal(run(t), VGPU_RUN_IDLE);
    assert_int_equal(*user(t, &t->a, 4), 2);
}

static void reset_of_a_hung_engine_makes_it_usable(void **state)
{
    struct env *t = *state;

    GM_EMIT(t->g, &t->a, 0x1f800000, 0);
    gm_submit(t->g, &t->a, NULL);
    run(t);
    event(t, 0x1, 1);
    gm_submit(t->g, &t->b, NULL); /* not taken up by a hung engine */
    assert_int_equal(run(t), VGPU_RUN_IDLE);
    assert_int_equal(engine(t)->state, ENGINE_HUNG);
    gm_mmio_write(t->g, gm_reg(VGPU_RCS, R_MI_MODE, 0), 0x01000100);
    assert_false(rcs(t, R_MI_MODE) & GT_BIT(9));
    gm_mmio_write(t->g, reg_off(R_GDRST, 0, 0), 1u << engine_table[VGPU_RCS].gdrst_bit);
    assert_int_equal(t->g->quiesced, 1);
    assert_int_equal(gm_csb_write(t->g, t->hws), t->csb);
    assert_int_equal(rcs(t, R_CONTEXT_STATUS_PTR), 0x0707);
    assert_int_equal(rcs(t, R_EXECLIST_STATUS_HI), 0);
    assert_int_equal(rcs(t, R_HEAD), 0);
    assert_int_equal(rcs(t, R_EIR), 0);
    assert_int_equal(run(t), VGPU_RUN_IDLE);
    gm_mmio_write(t->g, gm_reg(VGPU_RCS, R_HWS_PGA, 0), 0x01000000);
    GM_EMIT(t->g, &t->b, SDI(0, 9));
    gm_submit(t->g, &t->b, NULL);
    run(t);
    assert_int_equal(gm_csb_status(t->g, t->hws, 0), 0x1); /* hardware begins at entry 0 after a reset */
    assert_int_equal(gm_csb_status(t->g, t->hws, 1), 0x18);
    assert_int_equal(*user(t, &t->b, 0), 9);
}

static void reset_forgets_a_half_written_submission(void **state)
{
    struct env *t = *state;
    uint32_t elsp = gm_reg(VGPU_RCS, R_ELSP, 0);

    gm_mmio_write(t->g, elsp, 0);
    gm_mmio_write(t->g, elsp, 0);
    vgpu_engine_reset(t->g->v, VGPU_RCS);
    gm_mmio_write(t->g, gm_reg(VGPU_RCS, R_HWS_PGA, 0), 0x01000000);
    gm_submit(t->g, &t->a, NULL);
    run(t);
    assert_int_equal(gm_csb_status(t->g, t->hws, 0), 0x1);
}

/* What quiesce does with a thread that is inside: nothing more may happen to the guest. */
static enum vgpu_payload reset_inside(void *host, struct vgpu_exec *x, int id, const uint32_t *dw, unsigned n)
{
    struct guest *g = host;

    (void)x, (void)id, (void)dw, (void)n;
    atomic_fetch_or(&g->v->engine[VGPU_RCS].attention, ATTN_ABORT);
    return VGPU_PAYLOAD_AGAIN;
}

static void abort_leaves_at_once_without_events(void **state)
{
    struct env *t = *state;

    t->g->ops.payload = reset_inside;
    GM_EMIT(t->g, &t->a, gm_hdr(C_PIPELINE_SELECT, 1), 0, SDI(0, 1));
    gm_submit(t->g, &t->a, NULL);
    run(t);
    event(t, 0x1, 1);
    assert_int_equal(run(t), VGPU_RUN_IDLE);
    no_more_events(t);
    assert_int_equal(*user(t, &t->a, 0), 0);
    assert_int_equal(gm_image(t->g, &t->a)[GM_HEAD], 0);
    vgpu_engine_reset(t->g->v, VGPU_RCS);
    assert_int_equal(engine(t)->state, ENGINE_IDLE);
}

static void execlist_without_first_element_is_dropped(void **state)
{
    struct env *t = *state;

    gm_elsp(t->g, VGPU_RCS, 0, gm_desc(&t->a));
    assert_int_equal(run(t), VGPU_RUN_IDLE);
    no_more_events(t);
}

static void elsp_flood_keeps_the_last(void **state)
{
    struct env *t = *state;

    for (unsigned i = 0; i < 10000; i++)
        gm_elsp(t->g, VGPU_RCS, (uint64_t)i << 32 | 0x7000019, 0x7000019);
    GM_EMIT(t->g, &t->b, SDI(0, 1));
    gm_submit(t->g, &t->b, NULL);
    run(t);
    assert_int_equal(*user(t, &t->b, 0), 1);
    event(t, 0x1, 2);
}

static void unmapped_status_page_loses_events_only(void **state)
{
    struct env *t = *state;

    gm_mmio_write(t->g, gm_reg(VGPU_RCS, R_HWS_PGA, 0), 0x7fff0001);
    GM_EMIT(t->g, &t->a, SDI(0, 1));
    gm_submit(t->g, &t->a, NULL);
    run(t);
    assert_int_equal(*user(t, &t->a, 0), 1);
    assert_int_equal(engine(t)->state, ENGINE_IDLE);
    assert_int_equal(rcs(t, R_CONTEXT_STATUS_PTR) & 7, 1);
}

static void context_unmapped_while_it_runs(void **state)
{
    struct env *t = *state;

    GM_EMIT(t->g, &t->a, SEM_WAIT_EQ(0, 1));
    gm_submit(t->g, &t->a, NULL);
    run(t);
    memset(&t->g->v->gtt[t->a.lrca / GM_PAGE], 0, 16);
    gm_elsp(t->g, VGPU_RCS, gm_desc(&t->a), 0); /* lite restore of an unmapped image */
    run(t);
    assert_int_equal(engine(t)->state, ENGINE_HUNG);
}

static void engines_that_do_not_exist(void **state)
{
    struct env *t = *state;

    assert_int_equal(vgpu_engine_run(t->g->v, VGPU_ENGINES, 10), VGPU_RUN_IDLE);
    assert_int_equal(vgpu_engine_run(t->g->v, UINT32_MAX, 10), VGPU_RUN_IDLE);
    vgpu_engine_reset(t->g->v, UINT32_MAX);
}

static void all_engines_have_their_own_state(void **state)
{
    struct env *t = *state;

    for (unsigned i = VGPU_BCS; i < VGPU_ENGINES; i++) {
        uint64_t hws = gm_engine_up(t->g, i);
        struct gm_ctx c = gm_context(t->g, i, 10 + i, 1);

        GM_EMIT(t->g, &c, SDI(0, i), gm_hdr(C_MI_FLUSH_DW, 4) | 1 << 14, VA_LO + 8, VA_HI, 5);
        gm_submit(t->g, &c, NULL);
        gm_run(t->g, i, 1000, 10);
        assert_int_equal(*gm_dw(t->g, c.user), i);
        assert_int_equal(*gm_dw(t->g, c.user + 8), 5);
        assert_int_equal(gm_csb_status(t->g, hws, 1), 0x18);
    }
}

/*
 * The driver of i915 (process_csb, execlists_dequeue), against the engine at every moment: its turn comes between
 * slices and each time the engine is about to take the device lock. It must never see an event that it does not expect,
 * and each request must complete once.
 */
#define CONTEXTS 4

struct driver {
    struct env *t;
    struct gm_ctx *ctx[CONTEXTS];
    uint32_t emitted[CONTEXTS];                 /* requests in the ring */
    int inflight[3], pending[3];                /* context numbers, ended by -1 */
    uint32_t inflight_upto[3], pending_upto[3]; /* requests up to the published tail */
    int *active;
    unsigned head, submissions, preemptions, lite, completions;
    uint32_t seed;
    bool preempt; /* as without PVINFO */
};

static uint32_t rnd(struct driver *d, uint32_t n)
{
    d->seed ^= d->seed << 13;
    d->seed ^= d->seed >> 17;
    d->seed ^= d->seed << 5;
    return d->seed % n;
}

static uint32_t done(struct driver *d, int c)
{
    return *user(d->t, d->ctx[c], 0);
}

static void add_request(struct driver *d, int c)
{
    unsigned noops = rnd(d, 4);

    if (d->emitted[c] - done(d, c) > 20)
        return; /* the ring has room for about 60 */
    GM_EMIT(d->t->g, d->ctx[c], ARB(rnd(d, 2)));
    for (unsigned i = 0; i < noops; i++)
        GM_EMIT(d->t->g, d->ctx[c], gm_hdr(C_MI_ARB_CHECK, 1), 0);
    GM_EMIT(d->t->g, d->ctx[c], gm_hdr(C_MI_ATOMIC, 3) | 5 << 8, VA_LO + 4, VA_HI, 0, SDI(0, ++d->emitted[c]),
            gm_hdr(C_MI_USER_INTERRUPT, 1), ARB(1), gm_hdr(C_MI_ARB_CHECK, 1), 0);
}

static void process_csb(struct driver *d)
{
    struct guest *g = d->t->g;
    unsigned tail = gm_csb_write(g, d->t->hws);

    while (d->head != tail) {
        d->head = (d->head + 1) % 6;
        uint32_t status = gm_csb_status(g, d->t->hws, d->head), id = gm_csb_id(g, d->t->hws, d->head);

        if (status & 0x3) { /* promote */
            assert_int_not_equal(d->pending[0], -1);
            if (status & 0x2)
                assert_int_not_equal(*d->active, -1);
            if (status & 0x8000)
                assert_int_equal(*d->active, d->pending[0]);
            d->lite += status == 0x8002;
            d->preemptions += status == 0x2;
            memcpy(d->inflight, d->pending, sizeof(d->inflight));
            memcpy(d->inflight_upto, d->pending_upto, sizeof(d->inflight_upto));
            d->active = d->inflight;
            d->pending[0] = -1;
        } else {
            int c = *d->active;

            assert_int_not_equal(c, -1);
            assert_int_equal(id, d->ctx[c]->id);
            assert_in_range(done(d, c), d->inflight_upto[d->active - d->inflight], d->emitted[c]);
            assert_true(status == 0x18 || status == 0x14);
            assert_int_equal(status == 0x14, d->active[1] != -1);
            d->active++;
            d->completions++;
        }
    }
}

static bool has_work(struct driver *d, int c)
{
    return done(d, c) < d->emitted[c];
}

/* The next context with work from `from` on, other than `not`, or -1. */
static int pick(struct driver *d, unsigned from, int not )
{
    for (unsigned i = 0; i < CONTEXTS; i++) {
        int c = (int)((from + i) % CONTEXTS);

        if (c != not &&has_work(d, c))
            return c;
    }
    return -1;
}

static void submit_list(struct driver *d, int first, int second)
{
    d->pending[0] = first;
    d->pending[1] = second;
    d->pending[2] = -1;
    d->submissions++;
    d->pending_upto[0] = d->emitted[first];
    d->pending_upto[1] = second >= 0 ? d->emitted[second] : 0;
    gm_submit(d->t->g, d->ctx[first], second >= 0 ? d->ctx[second] : NULL);
}

static void dequeue(struct driver *d)
{
    int first;

    if (d->pending[0] != -1)
        return; /* one unacknowledged execlist at a time */
    if (*d->active == -1) {
        first = pick(d, rnd(d, CONTEXTS), -1);
        if (first >= 0)
            submit_list(d, first, rnd(d, 2) ? pick(d, rnd(d, CONTEXTS), first) : -1);
    } else if (d->active[1] == -1 && rnd(d, 2)) { /* more for the running context, perhaps a second one behind it */
        submit_list(d, *d->active, rnd(d, 2) ? pick(d, rnd(d, CONTEXTS), *d->active) : -1);
    } else if (d->preempt && !rnd(d, 4)) {
        first = pick(d, rnd(d, CONTEXTS), *d->active);
        if (first >= 0)
            submit_list(d, first, rnd(d, 2) && has_work(d, *d->active) ? *d->active : -1);
    }
}

static void driver_turn(struct guest *g)
{
    struct driver *d = g->test;
    void (*locked)(struct guest *) = g->locked;

    g->locked = NULL; /* its own accesses are not interleaved */
    if (rnd(d, 3) == 0)
        process_csb(d);
    if (rnd(d, 3) == 0)
        add_request(d, (int)rnd(d, CONTEXTS));
    if (rnd(d, 3) == 0)
        dequeue(d);
    g->locked = locked;
}

static void drain(struct driver *d)
{
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(gm_run(d->t->g, VGPU_RCS, 1000, 100), VGPU_RUN_IDLE);
        process_csb(d);
        assert_int_equal(*d->active, -1); /* an idle engine has completed everything that it was given */
        assert_int_equal(d->pending[0], -1);
        int first = pick(d, 0, -1);

        if (first < 0)
            return;
        submit_list(d, first, pick(d, 0, first));
    }
    fail_msg("requests are lost");
}

static void drive(void **state, bool preempt)
{
    unsigned submissions = 0, preemptions = 0, lite = 0;

    for (uint32_t seed = 1; seed <= 40; seed++) {
        struct env *t = *state;
        struct gm_ctx extra = gm_context(t->g, VGPU_RCS, 4, 1);
        struct driver d = {.t = t,
                           .ctx = {&t->a, &t->b, &t->c, &extra},
                           .inflight = {-1, -1, -1},
                           .pending = {-1, -1, -1},
                           .head = 5,
                           .seed = seed * 2654435761u,
                           .preempt = preempt};

        d.active = d.inflight;
        t->g->test = &d;
        t->g->locked = driver_turn;
        for (unsigned i = 0; i < 2000; i++) {
            vgpu_engine_run(t->g->v, VGPU_RCS, 1 + rnd(&d, seed % 2 ? 3 : 90));
            driver_turn(t->g);
        }
        t->g->locked = NULL;
        drain(&d);
        for (int c = 0; c < CONTEXTS; c++) {
            assert_int_equal(done(&d, c), d.emitted[c]);
            assert_int_equal(*user(t, d.ctx[c], 4), d.emitted[c]); /* each request ran exactly once */
        }
        submissions += d.submissions;
        preemptions += d.preemptions;
        lite += d.lite;
        teardown(state);
        setup(state);
    }
    print_message("%u submissions, %u preemptions, %u lite restores\n", submissions, preemptions, lite);
    assert_true(submissions > 1000 && lite > 100 && (!preempt || preemptions > 100));
}

static void driver_with_preemption_never_sees_a_wrong_event(void **state)
{
    drive(state, true);
}

static void driver_without_preemption_never_sees_a_wrong_event(void **state)
{
    drive(state, false);
}

/* Anything at any moment: nothing is asserted but that the engine stays inside its memory and comes back from a reset.
 */
static void hostile_turn(struct guest *g)
{
    struct driver *d = g->test;
    struct env *t = d->t;
    void (*locked)(struct guest *) = g->locked;

    g->locked = NULL;
    switch (rnd(d, 40)) {
    case 0:
        gm_elsp(g, VGPU_RCS, gm_desc(d->ctx[rnd(d, 3)]) | rnd(d, 8), gm_desc(d->ctx[rnd(d, 3)]) & ~(uint64_t)rnd(d, 2));
        break;
    case 1:
        gm_mmio_write(g, gm_reg(VGPU_RCS, R_ELSP, 0), rnd(d, 0xffffffff));
        break;
    case 2:
        gm_image(g, d->ctx[rnd(d, 3)])[rnd(d, 1024)] = rnd(d, 0xffffffff);
        break;
    case 3:
        gm_image(g, d->ctx[rnd(d, 3)])[GM_TAIL] = rnd(d, 0x1000);
        break;
    case 4:
        gm_mmio_write(g, gm_reg(VGPU_RCS, R_MI_MODE, 0), 0x01000000 | rnd(d, 2) << 8);
        break;
    case 5:
        gm_mmio_write(g, gm_reg(VGPU_RCS, R_CONTEXT_STATUS_PTR, 0), rnd(d, 0xffffffff));
        break;
    case 6:
        gm_mmio_write(g, gm_reg(VGPU_RCS, R_HWS_PGA, 0), rnd(d, 2) ? 0x01000000 : rnd(d, 0xffffffff));
        break;
    case 7:
        gm_build_image(gm_image(g, &t->a), VGPU_RCS);
        gm_image(g, &t->a)[GM_START] = t->a.ring;
        gm_image(g, &t->a)[GM_CTL] = 1;
        break;
    default:
        break;
    }
    g->locked = locked;
}

static void hostile_submissions_never_escape(void **state)
{
    struct env *t = *state;
    struct driver d = {.t = t, .ctx = {&t->a, &t->b, &t->c, &t->a}, .seed = 77};

    for (unsigned i = 0; i < GM_PAGE; i += 4)
        *gm_dw(t->g, t->a.ring_gpa + i) = rnd(&d, 2) ? gm_hdr(C_MI_ARB_CHECK, 1) : 0;
    t->g->test = &d;
    for (unsigned i = 0; i < 60000; i++) {
        t->g->locked = hostile_turn;
        vgpu_engine_run(t->g->v, VGPU_RCS, 1 + rnd(&d, 100));
        hostile_turn(t->g);
        t->g->locked = NULL;
        if (!rnd(&d, 100))
            vgpu_engine_reset(t->g->v, VGPU_RCS);
    }
    vgpu_engine_reset(t->g->v, VGPU_RCS);
    gm_mmio_write(t->g, gm_reg(VGPU_RCS, R_HWS_PGA, 0), 0x01000000);
    struct gm_ctx fresh = gm_context(t->g, VGPU_RCS, 5, 1);

    GM_EMIT(t->g, &fresh, SDI(0, 42));
    gm_submit(t->g, &fresh, NULL);
    run(t);
    assert_int_equal(*gm_dw(t->g, fresh.user), 42);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(one_context_runs_and_completes),
        T(two_contexts_run_in_order),
        T(csb_pointer_wraps_after_six),
        T(csb_pointer_abuse_stays_in_the_buffer),
        T(running_context_shows_in_the_status_register),
        T(same_context_is_a_lite_restore),
        T(forced_restore_reloads_the_same_context),
        T(other_context_preempts),
        T(arbitration_off_holds_preemption_back),
        T(stop_ring_stops_at_a_command_and_goes_on),
        T(reset_of_a_hung_engine_makes_it_usable),
        T(reset_forgets_a_half_written_submission),
        T(abort_leaves_at_once_without_events),
        T(execlist_without_first_element_is_dropped),
        T(elsp_flood_keeps_the_last),
        T(unmapped_status_page_loses_events_only),
        T(context_unmapped_while_it_runs),
        T(engines_that_do_not_exist),
        T(all_engines_have_their_own_state),
        T(driver_with_preemption_never_sees_a_wrong_event),
        T(driver_without_preemption_never_sees_a_wrong_event),
        T(hostile_submissions_never_escape),
    };

    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
