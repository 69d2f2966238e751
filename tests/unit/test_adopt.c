/* A device goes on in another process: what is taken over, what is put right, and what no old state can do. */
#include "adopt_fixture.h"

#include "vgpu/adopt.h"

#define VA_LO        ((uint32_t)GM_USER_VA)
#define VA_HI        ((uint32_t)(GM_USER_VA >> 32))
#define SDI(off, v)  gm_hdr(C_MI_STORE_DATA_IMM, 4), VA_LO + (off), VA_HI, v
#define SEM(off, v)  gm_hdr(C_MI_SEMAPHORE_WAIT, 4) | 4 << 12 | GT_BIT(15), v, VA_LO + (off), VA_HI
#define START_NS     UINT64_C(5000000000)
#define RANDOM_TRIES 60

struct env {
    struct world w;
    struct guest *g;
    uint64_t hws;
    struct gm_ctx c;
    bool line;
    unsigned lines;
};

static void note_line(void *host, bool level)
{
    struct env *t = ((struct guest *)host)->test;

    t->line = level;
    t->lines++;
}

/* A device with a context that waits in its ring, and a pipe that is on. */
static int setup(void **state)
{
    struct env *t = calloc(1, sizeof(*t));

    t->w = world_new();
    t->g = world_guest(&t->w);
    t->g->test = t;
    t->g->now = START_NS;
    t->g->ops.line = note_line;
    world_create(t->g, &t->w);
    t->hws = gm_engine_up(t->g, VGPU_RCS);
    t->c = gm_context(t->g, VGPU_RCS, 1, 1);
    GM_EMIT(t->g, &t->c, SDI(0, 1), SEM(4, 1), SDI(8, 2));
    gm_submit(t->g, &t->c, NULL);
    assert_int_equal(gm_run(t->g, VGPU_RCS, 1000, 5), VGPU_RUN_WAIT);
    gm_mmio_write(t->g, reg_off(R_TRANS_VTOTAL, 0, 0), 805u << 16 | 767);
    gm_mmio_write(t->g, reg_off(R_TRANSCONF, 0, 0), 1u << 31);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct env *t = *state;

    vgpu_destroy(t->g->v);
    free(t->g);
    world_free(&t->w);
    free(t);
    return 0;
}

/* The old state as it is now, changed by the test before it is adopted. */
static struct vgpu *old_of(struct env *t)
{
    return world_copy_state(&t->w);
}

/* Goes on with `old`, which is freed, in a device that replaces the old one. */
static int adopt(struct env *t, void *old, char *err, unsigned errsz)
{
    struct vgpu_config cfg = world_config(t->g, &t->w);
    int rc;

    vgpu_destroy(t->g->v);
    memset(t->w.state, 0, vgpu_state_size());
    rc = vgpu_adopt(&t->g->v, &cfg, old, err, errsz);
    free(old);
    return rc;
}

static void adopt_ok(struct env *t, void *old)
{
    char err[256] = "";

    if (adopt(t, old, err, sizeof(err)))
        fail_msg("%s", err);
}

static void adopted_device_is_the_same(void **state)
{
    struct env *t = *state;
    uint64_t hash = vgpu_state_hash(t->g->v);
    struct vgpu_stats before, after;

    gm_mmio_write(t->g, reg_off(R_FENCE_HI, 0, 3), 0x00100007);
    gm_mmio_write(t->g, reg_off(R_FENCE_LO, 0, 3), 0x00010001);
    vgpu_cfg_write(t->g->v, 0x04, 2, 6);
    hash = vgpu_state_hash(t->g->v);
    struct vgpu_fence fence = t->g->v->fence[3];

    vgpu_get_stats(t->g->v, &before);
    adopt_ok(t, old_of(t));
    vgpu_get_stats(t->g->v, &after);
    assert_int_equal(vgpu_state_hash(t->g->v), hash);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_int_equal(t->g->v->fence[3].end, fence.end);
    assert_int_equal(t->g->v->fence[3].pitch, fence.pitch);
    assert_int_equal(vgpu_cfg_read(t->g->v, 0x04, 2), 6);
}

static void work_goes_on(void **state)
{
    struct env *t = *state;

    adopt_ok(t, old_of(t));
    assert_int_equal(gm_mmio_read(t->g, gm_reg(VGPU_RCS, R_EXECLIST_STATUS_HI, 0)), 1);
    assert_int_equal(gm_run(t->g, VGPU_RCS, 1000, 5), VGPU_RUN_WAIT);
    *gm_dw(t->g, t->c.user + 4) = 1;
    assert_int_equal(gm_run(t->g, VGPU_RCS, 1000, 5), VGPU_RUN_IDLE);
    assert_int_equal(*gm_dw(t->g, t->c.user + 8), 2);
    assert_int_equal(gm_csb_write(t->g, t->hws), 1);
    assert_int_equal(gm_csb_status(t->g, t->hws, 1), 0x18);
    assert_int_equal(gm_image(t->g, &t->c)[GM_HEAD], t->c.tail);
}

static void resume_wakes_everything(void **state)
{
    struct env *t = *state;

    gm_mmio_write(t->g, reg_off(R_GEN8_GT_IMR, 0, 0), 0);
    gm_mmio_write(t->g, reg_off(R_GEN8_GT_IER, 0, 0), UINT32_MAX);
    gm_mmio_write(t->g, reg_off(R_GEN8_MASTER_IRQ, 0, 0), 1u << 31);
    vgpu_irq_gt(t->g->v, VGPU_RCS, IRQ_USER);
    struct vgpu *old = old_of(t);
    unsigned irqs = t->g->irqs, kicks = t->g->kicks[VGPU_RCS];

    t->lines = 0;
    adopt_ok(t, old);
    assert_int_equal(t->g->irqs, irqs);
    assert_int_equal(t->lines, 0);
    vgpu_resume(t->g->v);
    assert_int_equal(t->g->irqs, irqs + 1);
    assert_int_equal(t->g->kicks[VGPU_RCS], kicks + 1);
    assert_int_equal(t->lines, 1);
    assert_true(t->line);
}

/* Who was killed may have left the line high. */
static void resume_tells_a_low_line(void **state)
{
    struct env *t = *state;

    adopt_ok(t, old_of(t));
    t->lines = 0;
    t->line = true;
    vgpu_resume(t->g->v);
    assert_int_equal(t->lines, 1);
    assert_false(t->line);
}

static void other_programs_states_are_refused(void **state)
{
    struct env *t = *state;
    char err[256];

    for (unsigned i = 0; i < 3; i++) {
        struct vgpu *old = old_of(t);

        (i == 0 ? &old->id.magic : i == 1 ? &old->id.layout : &old->id.size)[0] ^= 1;
        err[0] = 0;
        assert_int_equal(adopt(t, old, err, sizeof(err)), -ESTALE);
        assert_non_null(strstr(err, i ? "another version" : "no complete"));
        memset(t->w.state, 0, vgpu_state_size());
        world_create(t->g, &t->w);
    }
}

static void a_device_that_was_taken_apart_is_not_adopted(void **state)
{
    struct env *t = *state;
    char err[256];

    vgpu_destroy(t->g->v);
    void *old = old_of(t);

    t->g->v = NULL;
    assert_int_equal(adopt(t, old, err, sizeof(err)), -ESTALE);
    t->g->v = NULL;
}

static void heads_are_checked(void **state)
{
    struct env *t = *state;
    struct vgpu_mode mode;

    assert_int_equal(vgpu_head_set(t->g->v, 1, true, &(struct vgpu_mode){1280, 720, 60000}), 0);
    struct vgpu *old = old_of(t);

    memset(old->display.head[1].edid, 0xee, sizeof(old->display.head[1].edid));
    old->display.head[1].edid_size = UINT32_MAX;
    old->display.head[0].mode.width = 60000;
    adopt_ok(t, old);
    assert_true(vgpu_head_get(t->g->v, 1, &mode));
    assert_int_equal(mode.width, 1280);
    assert_int_equal(t->g->v->display.head[1].edid[1], 0xff);
    assert_int_equal(t->g->v->display.head[1].edid_size, 128);
    assert_true(vgpu_head_get(t->g->v, 0, &mode));
    assert_int_equal(mode.width, 1024);
}

/* An EDID of the user's lives on while it is whole; one that a dying process had half copied does not. */
static void given_edids_are_checked(void **state)
{
    struct env *t = *state;
    uint8_t edid[VGPU_EDID_MAX];
    unsigned size = vgpu_edid_build(&(struct vgpu_mode){800, 600, 75000}, 5, edid);
    struct vgpu_head *h;

    assert_int_equal(vgpu_head_set_edid(t->g->v, 0, edid, size), 0);
    adopt_ok(t, old_of(t));
    h = &t->g->v->display.head[0];
    assert_true(h->own_edid);
    assert_int_equal(h->edid_size, size);
    assert_memory_equal(h->edid, edid, size);
    struct vgpu *old = old_of(t);

    old->display.head[0].edid[100] ^= 1;
    old->display.head[0].edid_size = UINT32_MAX;
    adopt_ok(t, old);
    h = &t->g->v->display.head[0];
    assert_false(h->own_edid);
    assert_int_equal(h->mode.width, 800);
    assert_true(vgpu_edid_whole(h->edid, h->edid_size));
    assert_int_equal(h->edid[12], 1);
}

static void clocks_go_on(void **state)
{
    struct env *t = *state;
    uint32_t frames = reg_off(R_PIPE_FRMCOUNT, 0, 0);

    gm_mmio_write(t->g, reg_off(R_GEN8_DE_PIPE_IMR, 0, 0), ~1u); /* somebody waits for vblanks */
    t->g->now += 500000000;
    vgpu_display_tick(t->g->v);
    struct vgpu *old = old_of(t);

    assert_int_equal(gm_mmio_read(t->g, frames), 30);
    t->g->now += 1000000000; /* while nobody was there */
    adopt_ok(t, old);
    assert_int_equal(gm_mmio_read(t->g, frames), 90);
    uint64_t next = vgpu_display_tick(t->g->v);

    assert_in_range(next, t->g->now + 1, t->g->now + 17000000);
    assert_int_equal(t->g->v->stats.vblanks[0], 90);
}

/* Who showed it died with the process. */
static void a_kept_flip_is_told_by_the_next_process(void **state)
{
    struct env *t = *state;
    const uint32_t iir = reg_off(R_GEN8_DE_PIPE_IIR, 0, 0);
    char err[128];

    gm_mmio_write(t->g, reg_off(R_GEN8_DE_PIPE_IMR, 0, 0), 0);
    gm_mmio_write(t->g, reg_off(R_TRANS_DDI_FUNC_CTL, 0, 0), 1u << 31 | 1u << 28);
    vgpu_flip_wait(t->g->v, 0, 50000000);
    gm_mmio_write(t->g, reg_off(R_PLANE_CTL, 0, 0), 1u << 31 | 4 << 24);
    gm_mmio_write(t->g, reg_off(R_PLANE_SURF, 0, 0), 0x7000);
    t->g->now += 17000000;
    vgpu_display_tick(t->g->v);
    assert_int_equal(gm_mmio_read(t->g, iir), 1);
    uint32_t frames = gm_mmio_read(t->g, reg_off(R_PIPE_FRMCOUNT, 0, 0));

    assert_int_equal(adopt(t, old_of(t), err, sizeof(err)), 0);
    vgpu_resume(t->g->v);
    assert_int_equal(gm_mmio_read(t->g, reg_off(R_PIPE_FRMCOUNT, 0, 0)), frames);
    assert_int_equal(gm_mmio_read(t->g, reg_off(R_PLANE_SURFLIVE, 0, 0)), 0);
    vgpu_display_tick(t->g->v);
    assert_int_equal(gm_mmio_read(t->g, iir), 9);
    assert_int_equal(gm_mmio_read(t->g, reg_off(R_PLANE_SURFLIVE, 0, 0)), 0x7000);
    assert_true(gm_mmio_read(t->g, reg_off(R_PIPE_FRMCOUNT, 0, 0)) > frames);
}

/* A nonsensical clock must not make the display thread spin, or sleep for ever. */
static void clocks_are_checked(void **state)
{
    struct env *t = *state;

    for (unsigned i = 0; i < 7; i++) {
        struct vgpu *old = old_of(t);
        struct vgpu_clock *c = &old->display.pipe[0].clock;
        uint64_t next;

        switch (i) {
        case 0:
            c->t0 = UINT64_MAX;
            break;
        case 1:
            c->t0 = 0;
            c->handled = UINT64_MAX;
            break;
        case 2:
            c->timing.frame_ns = 0;
            break;
        case 3:
            c->timing.frame_ns = 1;
            break;
        case 4:
            c->timing.lines = 0;
            break;
        case 5:
            c->timing.vblank_line = UINT32_MAX;
            break;
        case 6:
            c->timing.line_lag = UINT32_MAX;
            break;
        }
        adopt_ok(t, old);
        next = vgpu_display_tick(t->g->v);
        assert_in_range(next, t->g->now + 1, t->g->now + 2 * VGPU_FRAME_MAX_NS);
        assert_in_range(gm_mmio_read(t->g, reg_off(R_PIPEDSL, 0, 0)), 0, VGPU_LINES_MAX);
    }
}

static void ring_positions_are_checked(void **state)
{
    struct env *t = *state;

    for (unsigned i = 0; i < 8; i++) {
        struct vgpu *old = old_of(t);
        struct cs_ring *r = &old->engine[VGPU_RCS].ring;

        switch (i) {
        case 0:
            r->size = UINT32_MAX;
            break;
        case 1:
            r->size = 0x400000;
            break;
        case 2:
            r->head = r->size;
            break;
        case 3:
            r->head |= 1;
            break;
        case 4:
            r->tail = r->size;
            break;
        case 5:
            r->tail |= 4;
            break;
        case 6:
            r->bb_start = r->size;
            break;
        case 7:
            r->size = 0x800;
            break;
        }
        adopt_ok(t, old);
        assert_int_equal(t->g->v->engine[VGPU_RCS].ring.size, 0);
        gm_run(t->g, VGPU_RCS, 1000, 5);
        assert_int_equal(t->g->v->engine[VGPU_RCS].state, ENGINE_HUNG);
    }
}

static void a_reset_that_was_cut_off_is_completed(void **state)
{
    struct env *t = *state;
    struct vgpu *old = old_of(t);

    memset(&old->resetting, 1, 1);
    adopt_ok(t, old);
    assert_int_equal(vgpu_ggtt_pte(t->g->v, t->c.lrca / GM_PAGE), 0);
    assert_int_equal(t->g->v->engine[VGPU_RCS].state, ENGINE_IDLE);
    assert_false(t->g->v->display.pipe[0].on);
    assert_int_equal(vgpu_cfg_read(t->g->v, 0x04, 2), 0);
    assert_int_equal(gm_mmio_read(t->g, gm_reg(VGPU_RCS, R_CONTEXT_STATUS_PTR, 0)), 0x0707);
}

/* ---- sections */

static void accesses_are_counted_when_they_are_done(void **state)
{
    struct env *t = *state;
    uint64_t result;
    uint32_t count = vgpu_access_count(t->g->v, &result);

    vgpu_mmio_write(t->g->v, reg_off(R_PCODE_DATA, 0, 0), 4, 0x1234);
    assert_int_equal(vgpu_access_count(t->g->v, &result), count + 1);
    assert_int_equal(result, 0);
    assert_int_equal(vgpu_mmio_read(t->g->v, reg_off(R_PCODE_DATA, 0, 0), 4), 0x1234);
    vgpu_cfg_read(t->g->v, 0, 4);
    assert_int_equal(vgpu_access_count(t->g->v, &result), count + 2);
    assert_int_equal(result, 0x1234);
    struct vgpu *old = old_of(t);

    adopt_ok(t, old);
    assert_int_equal(vgpu_access_count(t->g->v, &result), count + 2);
    assert_int_equal(result, 0x1234);
}

/* The log has room for the greatest section there is. */
static void no_section_overflows_its_log(void **state)
{
    struct env *t = *state;
    unsigned count;
    const struct reg_ref *refs = reg_all(&count);

    for (unsigned i = 0; i < 2 * count; i++) {
        uint32_t off = refs[i % count].off & ~7u;

        vgpu_mmio_write(t->g->v, off, 8, i < count ? UINT64_MAX : UINT64_C(0x5a5a5a5a5a5a5a5a));
        vgpu_mmio_read(t->g->v, off, 8);
        for (unsigned pipe = 0; pipe < VGPU_PIPES; pipe++) /* these pictures are not worth their time */
            gm_mmio_write(t->g, reg_off(R_PIPE_CRC_CTL, pipe, 0), 0);
        t->g->now += 20000000;
        vgpu_display_tick(t->g->v);
    }
    assert_int_equal(t->g->v->undo.full, 0);
    for (unsigned i = 0; i < VGPU_ENGINES; i++)
        assert_int_equal(t->g->v->engine[i].undo.full, 0);
}

static void an_open_section_is_rolled_back(void **state)
{
    struct env *t = *state;
    uint32_t *reg = vgpu_reg(t->g->v, R_PCODE_DATA, 0, 0);

    *reg = 7;
    vgpu_note(t->g->v, reg, sizeof(*reg));
    *reg = 8;
    adopt_ok(t, old_of(t));
    assert_int_equal(vgpu_reg_get(t->g->v, R_PCODE_DATA, 0), 7);
    assert_int_equal(vgpu_undo_used(&t->g->v->undo), 0);
}

/* A state in which the process died at MI_ATOMIC of byte 16 (5 + 1), while another execlist waited. */
static struct vgpu *died_in_an_atomic(struct env *t, const struct gm_ctx *other, uint32_t in_memory)
{
    uint32_t at = t->c.tail;

    GM_EMIT(t->g, &t->c, gm_hdr(C_MI_ATOMIC, 3) | 5 << 8 | GT_BIT(16), VA_LO + 16, VA_HI, 0);
    GM_EMIT(t->g, &t->c, gm_hdr(C_MI_STORE_REGISTER_MEM, 4), gm_reg(VGPU_RCS, R_CS_GPR, 8), VA_LO + 20, VA_HI);
    gm_image(t->g, &t->c)[GM_TAIL] = t->c.tail;
    gm_submit(t->g, other, &t->c);
    *gm_dw(t->g, t->c.user + 16) = in_memory;
    struct vgpu *old = old_of(t);
    struct vgpu_engine *e = &old->engine[VGPU_RCS];

    e->ring.head = at;
    e->ring.tail = t->c.tail;
    e->atomic = (struct atomic_note){.at = GT_BIT64(63) | at, .addr = GM_USER_VA + 16, .old = 5, .new = 6, .size = 4};
    return old;
}

/* Whether it happened is seen from the memory, and before the other execlist takes the engine. */
static void an_atomic_happens_once(void **state)
{
    struct env *t = *state;
    struct gm_ctx other = gm_context(t->g, VGPU_RCS, 2, 1);

    for (uint32_t in_memory = 5; in_memory <= 6; in_memory++) {
        GM_EMIT(t->g, &other, SDI(0, in_memory));
        adopt_ok(t, died_in_an_atomic(t, &other, in_memory));
        assert_int_equal(gm_run(t->g, VGPU_RCS, 1000, 5), VGPU_RUN_IDLE);
        assert_int_equal(*gm_dw(t->g, other.user), in_memory);
        assert_int_equal(*gm_dw(t->g, t->c.user + 16), 6);
        assert_int_equal(*gm_dw(t->g, t->c.user + 20), 5); /* what it returned */
        teardown(state);
        setup(state);
        t = *state;
        other = gm_context(t->g, VGPU_RCS, 2, 1);
    }
}

/* A note of another command, or none, says nothing. */
static void a_note_of_another_command_is_ignored(void **state)
{
    struct env *t = *state;
    struct gm_ctx other = gm_context(t->g, VGPU_RCS, 2, 1);

    for (unsigned i = 0; i < 5; i++) {
        struct vgpu *old = died_in_an_atomic(t, &other, 6);
        struct atomic_note *n = &old->engine[VGPU_RCS].atomic;

        switch (i) {
        case 0:
            n->at += 4;
            break;
        case 1:
            n->addr += 4;
            break;
        case 2:
            n->size = 8;
            break;
        case 3:
            n->size = 16;
            break;
        case 4:
            n->new = 7;
            break;
        }
        adopt_ok(t, old);
        gm_run(t->g, VGPU_RCS, 1000, 5);
        assert_int_equal(*gm_dw(t->g, t->c.user + 16), 7);
        teardown(state);
        setup(state);
        t = *state;
        other = gm_context(t->g, VGPU_RCS, 2, 1);
    }
}

/* ---- hostile states */

static void drive(struct env *t)
{
    struct vgpu_scanout s;
    static uint32_t row[VGPU_WIDTH_MAX];
    static uint64_t scratch[VGPU_COMPOSE_SCRATCH / 8];
    unsigned count;
    const struct reg_ref *refs = reg_all(&count);

    vgpu_resume(t->g->v);
    for (unsigned pipe = 0; pipe < VGPU_PIPES; pipe++)
        gm_mmio_write(t->g, reg_off(R_PIPE_CRC_CTL, pipe, 0), 0);
    for (unsigned i = 0; i < VGPU_ENGINES; i++)
        gm_run(t->g, i, 64, 3);
    for (unsigned i = 0; i < 3; i++, t->g->now += 10000000)
        assert_true(vgpu_display_tick(t->g->v) >= t->g->now);
    for (unsigned pipe = 0; pipe < VGPU_PIPES; pipe++)
        if (vgpu_scanout(t->g->v, pipe, &s))
            vgpu_compose_row(&s, 0, (vgpu_reader)vgpu_ggtt_read, t->g->v, row, scratch);
    for (unsigned i = 0; i < count; i += 7)
        vgpu_mmio_read(t->g->v, refs[i].off, 4);
    for (unsigned i = 0; i < 4; i++)
        gm_mmio_write(t->g, gm_reg(VGPU_RCS, R_ELSP, 0), i == 3 ? 0x119 : 0);
    gm_mmio_write(t->g, reg_off(R_DP_AUX_CH_CTL, 1, 0), 0xc4000000);
    gm_run(t->g, VGPU_RCS, 64, 3);
    gm_mmio_write(t->g, reg_off(R_GDRST, 0, 0), 1);
}

static uint64_t rnd_state = 1;

static uint64_t rnd(void)
{
    rnd_state = rnd_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return rnd_state >> 16 ^ rnd_state << 32;
}

static void fill_random(void *p, size_t n)
{
    for (size_t i = 0; i + 8 <= n; i += 8) {
        uint64_t val = rnd() % 4 ? rnd() : rnd() % 2 ? 0 : UINT64_MAX;

        memcpy((uint8_t *)p + i, &val, 8);
    }
}

static void random_states_make_sound_devices(void **state)
{
    struct env *t = *state;

    for (unsigned i = 0; i < RANDOM_TRIES; i++) {
        struct vgpu *old = old_of(t);
        struct vgpu_state_id id = old->id;

        if (i % 3 == 0)
            fill_random(old, vgpu_state_size());
        else if (i % 3 == 1)
            fill_random(old->engine, sizeof(old->engine));
        else
            fill_random(&old->display, sizeof(old->display));
        old->id = id;
        adopt_ok(t, old);
        drive(t);
    }
}

static void try_word(struct env *t, const void *good, size_t off, uint32_t val)
{
    uint8_t *old = malloc(vgpu_state_size());

    memcpy(old, good, vgpu_state_size());
    memcpy(old + off, &val, sizeof(val));
    adopt_ok(t, old);
    drive(t);
}

static void try_range(struct env *t, const void *good, size_t from, size_t to)
{
    static const uint32_t values[] = {UINT32_MAX, 0x80000001, 2};

    for (size_t off = from; off + 4 <= to; off += 4)
        for (unsigned i = 0; i < GT_ARRAY_SIZE(values); i++)
            try_word(t, good, off, values[i]);
}

/* Each field that is read, one at a time, in a device that is busy. */
static void each_field_may_have_any_value(void **state)
{
    struct env *t = *state;
    const size_t engine = offsetof(struct vgpu, engine), pipe = offsetof(struct vgpu, display);
    void *good = old_of(t);

    try_range(t, good, offsetof(struct vgpu, own_gtt), offsetof(struct vgpu, undo) + 160);
    try_range(t, good, offsetof(struct vgpu, irq_level), offsetof(struct vgpu, min_freq));
    try_range(t, good, engine + offsetof(struct vgpu_engine, elsp), engine + offsetof(struct vgpu_engine, stats));
    try_range(t, good, engine + offsetof(struct vgpu_engine, attention),
              engine + offsetof(struct vgpu_engine, ggtt) + 32);
    try_range(t, good, engine + offsetof(struct vgpu_engine, undo), engine + offsetof(struct vgpu_engine, undo) + 160);
    try_range(t, good, engine + offsetof(struct vgpu_engine, ring), engine + offsetof(struct vgpu_engine, slot) + 64);
    try_range(t, good, engine + offsetof(struct vgpu_engine, slots), engine + offsetof(struct vgpu_engine, slots) + 8);
    try_range(t, good, pipe, pipe + offsetof(struct vgpu_pipe, precise));
    try_range(t, good, pipe + offsetof(struct vgpu_display, head), pipe + offsetof(struct vgpu_display, head) + 16);
    try_range(t, good, pipe + offsetof(struct vgpu_display, head) + offsetof(struct vgpu_head, link),
              pipe + offsetof(struct vgpu_display, head) + offsetof(struct vgpu_head, edid_size));
    free(good);
}

/* Every register, too: read-only ones are as untrusted as the others. */
static void registers_may_have_any_value(void **state)
{
    struct env *t = *state;

    for (unsigned i = 0; i < 40; i++) {
        struct vgpu *old = old_of(t);

        fill_random((uint8_t *)old + VGPU_STATE_REGS, VGPU_MMIO_SIZE);
        adopt_ok(t, old);
        drive(t);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(adopted_device_is_the_same),
        TEST(work_goes_on),
        TEST(resume_wakes_everything),
        TEST(resume_tells_a_low_line),
        TEST(other_programs_states_are_refused),
        TEST(a_device_that_was_taken_apart_is_not_adopted),
        TEST(heads_are_checked),
        TEST(given_edids_are_checked),
        TEST(clocks_go_on),
        TEST(a_kept_flip_is_told_by_the_next_process),
        TEST(clocks_are_checked),
        TEST(ring_positions_are_checked),
        TEST(a_reset_that_was_cut_off_is_completed),
        TEST(accesses_are_counted_when_they_are_done),
        TEST(no_section_overflows_its_log),
        TEST(an_open_section_is_rolled_back),
        TEST(an_atomic_happens_once),
        TEST(a_note_of_another_command_is_ignored),
        TEST(random_states_make_sound_devices),
        TEST(each_field_may_have_any_value),
        TEST(registers_may_have_any_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
