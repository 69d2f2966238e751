/*
 * A guest under load whose device process is killed again and again, at any moment and with all its threads at work.
 * The guest drives two engines as i915 does reads an EDID, counts frames - and must not notice:
 * each request is executed once, each event comes once and in order, no interrupt is lost.
 *
 * GTMUX_KILL_SECONDS=n: how long, instead of 5. GTMUX_KILL_SEED=n: another order of things.
 */
#include "aux_message.h"
#include "kill_device.h"

#define VA_LO     ((uint32_t)GM_USER_VA)
#define VA_HI     ((uint32_t)(GM_USER_VA >> 32))
#define CONTEXTS  4
#define MAX_AHEAD 12u  /* requests of a context that are not done */
#define PATIENCE  20.0 /* seconds without an interrupt that is due */
#define ROWS      9

#define SDI(byte, val) gm_hdr(C_MI_STORE_DATA_IMM, 4), VA_LO + (byte), VA_HI, val
#define BATCH(byte, second)                                                                                            \
    gm_hdr(C_MI_BATCH_BUFFER_START, 3) | GT_BIT(8) | (uint32_t)(second) << 22, VA_LO + (byte), VA_HI
#define ATOMIC_INC(byte)       gm_hdr(C_MI_ATOMIC, 3) | 5 << 8, VA_LO + (byte), VA_HI
#define SEM_WAIT_GE(byte, val) gm_hdr(C_MI_SEMAPHORE_WAIT, 4) | 1 << 12 | GT_BIT(15), val, VA_LO + (byte), VA_HI
#define ALU(op, a, b)          ((uint32_t)(op) << 20 | (uint32_t)(a) << 10 | (b))
#define NONE                   (-1)

/* ---- the process */

struct test {
    struct kill_shared *sh;
    struct guest *g; /* builds images and rings in the shared RAM */
    char dir[64], path[96];
    pid_t pid;
    double kill_at, started, open_time;
    uint32_t readied;
    unsigned kills, kills_before_ready;
    uint64_t seed;
    uint32_t created_at_start;
};

static double now_s(void)
{
    return (double)gt_clock_ns() * 1e-9;
}

static uint32_t rnd(struct test *t, uint32_t below)
{
    t->seed = t->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((t->seed >> 33) % below);
}

/* Some deaths come before the process is ready, most after; how long that takes depends on the machine. */
static void start_process(struct test *t)
{
    t->readied = t->sh->ready;
    t->pid = fork();
    assert_true(t->pid >= 0);
    if (!t->pid)
        kd_main(t->sh, t->path);
    t->started = now_s();
    t->kill_at = t->started + (t->open_time * 3 + 0.003) * rnd(t, 1000) * 1e-3;
}

static void end_process(struct test *t)
{
    int status;

    assert_int_equal(kill(t->pid, SIGKILL), 0);
    assert_int_equal(waitpid(t->pid, &status, 0), t->pid);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        fail_msg("the device process ended by itself, status %#x", (unsigned)status);
}

/* Called wherever the guest waits. */
static void perhaps_kill(struct test *t)
{
    double now = now_s();

    if (t->sh->ready != t->readied) {
        t->open_time = 0.9 * t->open_time + 0.1 * (now - t->started);
        t->readied = t->sh->ready;
    }
    if (now < t->kill_at) {
        sched_yield();
        return;
    }
    if (t->sh->ready == t->readied && now - t->started < t->open_time)
        t->kills_before_ready++;
    end_process(t);
    t->kills++;
    start_process(t);
}

/* ---- the guest's processor */

static uint64_t trap(struct test *t, struct ioreq_access a)
{
    struct slot *s = &t->sh->slot;

    s->access = a;
    s->state = SLOT_READY;
    while (s->state != SLOT_RESP_READY)
        perhaps_kill(t);
    s->state = SLOT_NONE;
    return s->access.data;
}

static void wr(struct test *t, uint32_t off, uint32_t val)
{
    trap(t, (struct ioreq_access){.region = IOREQ_BAR0, .size = 4, .write = true, .off = off, .data = val});
}

static uint32_t rd(struct test *t, uint32_t off)
{
    return (uint32_t)trap(t, (struct ioreq_access){.region = IOREQ_BAR0, .size = 4, .off = off});
}

/* ---- the driver, one for each engine */

struct driver {
    struct test *t;
    unsigned engine, contexts;
    uint64_t hws;
    struct gm_ctx ctx[CONTEXTS];
    uint32_t emitted[CONTEXTS];
    int inflight[3], pending[3]; /* contexts, ended by NONE */
    uint32_t inflight_upto[3], pending_upto[3];
    int *active;
    unsigned head, submissions, preemptions, lite;
};

static uint32_t done(struct driver *d, int c)
{
    return __atomic_load_n(gm_dw(d->t->g, d->ctx[c].user), __ATOMIC_ACQUIRE);
}

static void check_complete(struct driver *d, uint32_t status, uint32_t id)
{
    int c = *d->active;

    assert_int_not_equal(c, NONE);
    assert_int_equal(id, d->ctx[c].id);
    assert_in_range(done(d, c), d->inflight_upto[d->active - d->inflight], d->emitted[c]);
    assert_int_equal(status, d->active[1] == NONE ? 0x18 : 0x14);
    d->active++;
}

/* i915 process_csb(). */
static void process_csb(struct driver *d)
{
    struct guest *g = d->t->g;
    unsigned tail = __atomic_load_n(gm_dw(g, d->hws + 4 * 0x1f), __ATOMIC_ACQUIRE);

    while (d->head != tail) {
        d->head = (d->head + 1) % 6;
        uint32_t status = gm_csb_status(g, d->hws, d->head), id = gm_csb_id(g, d->hws, d->head);

        if (!(status & 3)) {
            check_complete(d, status, id);
            continue;
        }
        assert_int_not_equal(d->pending[0], NONE);
        assert_int_equal(status == 0x1, *d->active == NONE);
        if (status == 0x8002)
            assert_int_equal(*d->active, d->pending[0]);
        d->lite += status == 0x8002;
        d->preemptions += status == 0x2;
        memcpy(d->inflight, d->pending, sizeof(d->inflight));
        memcpy(d->inflight_upto, d->pending_upto, sizeof(d->inflight_upto));
        d->active = d->inflight;
        d->pending[0] = NONE;
    }
}

static void elsp(struct driver *d, int c)
{
    uint64_t desc = 0;

    if (c != NONE) {
        desc = gm_desc(&d->ctx[c]);
        gm_image(d->t->g, &d->ctx[c])[GM_TAIL] = d->ctx[c].tail;
    }
    wr(d->t, gm_reg(d->engine, R_ELSP, 0), (uint32_t)(desc >> 32));
    wr(d->t, gm_reg(d->engine, R_ELSP, 0), (uint32_t)desc);
}

static void submit(struct driver *d, int first, int second)
{
    d->pending[0] = first;
    d->pending[1] = second;
    d->pending[2] = NONE;
    d->pending_upto[0] = d->emitted[first];
    d->pending_upto[1] = second == NONE ? 0 : d->emitted[second];
    d->submissions++;
    elsp(d, second);
    elsp(d, first);
}

static int pick(struct driver *d, int not_this)
{
    unsigned from = rnd(d->t, d->contexts);

    for (unsigned i = 0; i < d->contexts; i++) {
        int c = (int)((from + i) % d->contexts);

        if (c != not_this && done(d, c) < d->emitted[c])
            return c;
    }
    return NONE;
}

static void dequeue(struct driver *d)
{
    if (d->pending[0] != NONE)
        return;
    int first = *d->active == NONE || !rnd(d->t, 3) ? pick(d, NONE) : d->active[1] == NONE ? *d->active : NONE;

    if (first != NONE)
        submit(d, first, rnd(d->t, 2) ? pick(d, first) : NONE);
}

/* Each request shows when it was executed twice, or not at all: in a register that belongs to the context, in memory
 * changed by atomics, on both levels of a batch. */
static void add_render_request(struct driver *d, int c)
{
    struct guest *g = d->t->g;
    struct gm_ctx *x = &d->ctx[c];

    if (!rnd(d->t, 3))
        GM_EMIT(g, x, SEM_WAIT_GE(12, d->emitted[c])); /* the engine waits, and is preempted or given more */
    GM_EMIT(g, x, BATCH(0x800, 0), ATOMIC_INC(4));
    for (unsigned i = 0; i < 64; i++)
        GM_EMIT(g, x, gm_hdr(C_MI_COPY_MEM_MEM, 5), VA_LO + 0x204 + 4 * i, VA_HI, VA_LO + 0x200 + 4 * i, VA_HI);
    GM_EMIT(g, x, SDI(0, ++d->emitted[c]), gm_hdr(C_MI_USER_INTERRUPT, 1));
}

static void fill_batches(struct driver *d, int c)
{
    const uint32_t first[] = {
        gm_hdr(C_MI_LOAD_REGISTER_IMM, 3),
        gm_reg(d->engine, R_CS_GPR, 2),
        7,
        gm_hdr(C_MI_MATH, 5),
        ALU(0x80, 0x20, 0),
        ALU(0x80, 0x21, 1),
        ALU(0x100, 0, 0),
        ALU(0x180, 0, 0x31),
        BATCH(0x900, 1),
        gm_hdr(C_MI_STORE_REGISTER_MEM, 4),
        gm_reg(d->engine, R_CS_GPR, 0),
        VA_LO + 0x100,
        VA_HI,
        gm_hdr(C_MI_BATCH_BUFFER_END, 1),
    };
    const uint32_t second[] = {ATOMIC_INC(8), gm_hdr(C_MI_BATCH_BUFFER_END, 1)};

    memcpy(gm_dw(d->t->g, d->ctx[c].user + 0x800), first, sizeof(first));
    memcpy(gm_dw(d->t->g, d->ctx[c].user + 0x900), second, sizeof(second));
    *gm_dw(d->t->g, d->ctx[c].user + 0x200) = 0x600d0000u + (uint32_t)c;
}

/* A picture scrolls up by a line, and a new line is drawn. */
static void add_blit_request(struct driver *d, int c)
{
    const uint32_t pitch = 16, at = VA_LO + 0x400;

    d->emitted[c]++;
    GM_EMIT(d->t->g, &d->ctx[c], gm_hdr(C_XY_SRC_COPY_BLT, 10) | 3 << 20, 3 << 24 | 0xcc << 16 | pitch, 0,
            (ROWS - 1) << 16 | 4, at, VA_HI, 1 << 16, pitch, at, VA_HI, gm_hdr(C_XY_COLOR_BLT, 7) | 3 << 20,
            3 << 24 | 0xf0 << 16 | pitch, (ROWS - 1) << 16, ROWS << 16 | 4, at, VA_HI, d->emitted[c],
            gm_hdr(C_MI_FLUSH_DW, 5) | 1 << 14, VA_LO, VA_HI, d->emitted[c], 0, gm_hdr(C_MI_USER_INTERRUPT, 1));
}

static void add_requests(struct driver *d)
{
    int c = (int)rnd(d->t, d->contexts);

    if (d->emitted[c] - done(d, c) >= MAX_AHEAD)
        return;
    if (d->engine == VGPU_RCS)
        add_render_request(d, c);
    else
        add_blit_request(d, c);
}

/* Lets contexts go on. */
static void signal_all(struct driver *d)
{
    for (unsigned c = 0; c < d->contexts; c++)
        __atomic_store_n(gm_dw(d->t->g, d->ctx[c].user + 12), d->emitted[c], __ATOMIC_RELEASE);
}

static bool idle(struct driver *d)
{
    return *d->active == NONE && d->pending[0] == NONE && pick(d, NONE) == NONE;
}

static void check_results(struct driver *d)
{
    for (int c = 0; c < (int)d->contexts; c++) {
        struct guest *g = d->t->g;
        uint64_t user = d->ctx[c].user;
        uint32_t n = d->emitted[c];

        assert_int_equal(done(d, c), n);
        if (d->engine == VGPU_RCS) {
            assert_int_equal(*gm_dw(g, user + 4), n);
            assert_int_equal(*gm_dw(g, user + 8), n);
            assert_int_equal(*gm_dw(g, user + 0x100), 7 * n);
            assert_int_equal(*gm_dw(g, user + 0x300), n ? 0x600d0000u + (uint32_t)c : 0);
            continue;
        }
        for (unsigned i = 0; i < 4 * ROWS; i++)
            assert_int_equal(*gm_dw(g, user + 0x400 + 4 * i), n + i / 4 >= ROWS ? n + i / 4 - (ROWS - 1) : 0);
    }
}

/* ---- interrupts, display */

struct guest_os {
    struct test t;
    struct driver render, blit;
    uint32_t irqs;
    uint32_t frames, flips, surface;
    double last_irq;
    uint8_t edid[128];
    bool have_edid;
};

/* i915 gen8_irq_handler(): an event is looked for only where a bit says so. */
static void interrupt(struct guest_os *os)
{
    struct test *t = &os->t;

    wr(t, reg_off(R_GEN8_MASTER_IRQ, 0, 0), 0);
    uint32_t gt = rd(t, reg_off(R_GEN8_GT_IIR, 0, 0)), pipe = rd(t, reg_off(R_GEN8_DE_PIPE_IIR, 0, 0));

    if (gt)
        wr(t, reg_off(R_GEN8_GT_IIR, 0, 0), gt);
    if (pipe)
        wr(t, reg_off(R_GEN8_DE_PIPE_IIR, 0, 0), pipe);
    if (gt & 0x100)
        process_csb(&os->render);
    if (gt & 0x1000000)
        process_csb(&os->blit);
    if (pipe & 8) { /* the flip is done: the next one */
        assert_int_equal(rd(t, reg_off(R_PLANE_SURFLIVE, 0, 0)), os->surface);
        os->flips++;
        os->surface += 0x1000;
        wr(t, reg_off(R_PLANE_SURF, 0, 0), os->surface);
    }
    wr(t, reg_off(R_GEN8_MASTER_IRQ, 0, 0), 1u << 31);
}

static void look_at_frames(struct guest_os *os)
{
    uint32_t frames = rd(&os->t, reg_off(R_PIPE_FRMCOUNT, 0, 0));

    assert_true(frames >= os->frames);
    os->frames = frames;
}

static void aux(struct test *t, const struct aux_message *m)
{
    for (unsigned i = 0; i < (m->bytes + 3) / 4; i++)
        wr(t, reg_off(R_DP_AUX_CH_DATA, 1, i), aux_word(m, i));
    wr(t, reg_off(R_DP_AUX_CH_CTL, 1, 0), aux_control(m));
}

/* A FIFO: a message that is carried out once too often or not at all shows. */
static void read_edid(struct guest_os *os)
{
    struct test *t = &os->t;
    const struct aux_message start = aux_message(AUX_I2C_WRITE | AUX_MOT, 0x50, "", 1);
    const struct aux_message next = aux_message(AUX_I2C_READ | AUX_MOT, 0x50, NULL, 15);
    uint32_t edid[32];

    aux(t, &start);
    for (unsigned i = 0; i < 32; i++) {
        if (i % 4 == 0)
            aux(t, &next);
        edid[i] = rd(t, reg_off(R_DP_AUX_CH_DATA, 1, i % 4));
    }
    if (os->have_edid)
        assert_memory_equal(os->edid, edid, sizeof(edid));
    memcpy(os->edid, edid, sizeof(edid));
    os->have_edid = true;
    assert_int_equal(edid[0], 0x0000ffff);
}

/* ---- life */

static void start_driver(struct guest_os *os, struct driver *d, unsigned engine, unsigned contexts)
{
    struct test *t = &os->t;
    struct guest *g = t->g;

    *d = (struct driver){.t = t, .engine = engine, .contexts = contexts, .head = 5};
    d->inflight[0] = d->pending[0] = NONE;
    d->active = d->inflight;
    d->hws = gm_alloc(g, 1);
    gm_ggtt_map(g, 0x01000000u + engine * GM_PAGE, d->hws, 1);
    *gm_dw(g, d->hws + 4 * 0x1f) = 5;
    for (unsigned c = 0; c < contexts; c++) {
        d->ctx[c] = gm_context(g, engine, 8 * engine + c + 1, 8);
        if (engine == VGPU_RCS)
            fill_batches(d, (int)c);
    }
    wr(t, gm_reg(engine, R_MODE_GEN7, 0), 0x80008000);
    wr(t, gm_reg(engine, R_HWS_PGA, 0), 0x01000000u + engine * GM_PAGE);
    wr(t, gm_reg(engine, R_CONTEXT_STATUS_PTR, 0), 0xffff0505);
}

/* The table that guestmem.h fills, through traps. */
static void write_gtt(struct test *t)
{
    for (uint32_t page = 0; page < VGPU_GTT_SIZE / 8; page++)
        if (t->g->v->gtt[page])
            trap(t, (struct ioreq_access){.region = IOREQ_BAR0,
                                          .size = 8,
                                          .write = true,
                                          .off = VGPU_GTT_OFFSET + 8 * page,
                                          .data = t->g->v->gtt[page]});
}

static void boot(struct guest_os *os)
{
    struct test *t = &os->t;

    start_driver(os, &os->render, VGPU_RCS, CONTEXTS);
    start_driver(os, &os->blit, VGPU_BCS, 1);
    write_gtt(t);
    wr(t, reg_off(R_GEN8_GT_IMR, 0, 0), 0);
    wr(t, reg_off(R_GEN8_GT_IER, 0, 0), UINT32_MAX);
    wr(t, reg_off(R_GEN8_DE_PIPE_IMR, 0, 0), 0);
    wr(t, reg_off(R_GEN8_DE_PIPE_IER, 0, 0), UINT32_MAX);
    wr(t, reg_off(R_GEN8_MASTER_IRQ, 0, 0), 1u << 31);
    wr(t, reg_off(R_TRANS_VTOTAL, 0, 0), 805u << 16 | 767);
    wr(t, reg_off(R_TRANSCONF, 0, 0), 1u << 31);
    wr(t, reg_off(R_PLANE_CTL, 0, 0), 1u << 31 | 4 << 24);
    os->surface = 0x1000;
    wr(t, reg_off(R_PLANE_SURF, 0, 0), os->surface);
}

static void step(struct guest_os *os, bool more)
{
    struct test *t = &os->t;
    uint32_t irqs = t->sh->irqs;

    if (irqs != os->irqs) {
        os->irqs = irqs;
        os->last_irq = now_s();
        interrupt(os);
    }
    if (now_s() - os->last_irq > PATIENCE)
        fail_msg("no interrupt any more: render head %u of %u, blit head %u of %u", os->render.head,
                 gm_csb_write(t->g, os->render.hws), os->blit.head, gm_csb_write(t->g, os->blit.hws));
    if (more) {
        for (unsigned i = 0; i < 4; i++)
            add_requests(&os->render);
        add_requests(&os->blit);
    }
    if (!more || !rnd(t, 20))
        signal_all(&os->render);
    dequeue(&os->render);
    dequeue(&os->blit);
    if (!rnd(t, 200))
        look_at_frames(os);
    if (!rnd(t, 2000))
        read_edid(os);
    perhaps_kill(t);
}

static double seconds(void)
{
    const char *s = getenv("GTMUX_KILL_SECONDS");

    return s ? strtod(s, NULL) : 5;
}

static void set_up(struct guest_os *os)
{
    struct test *t = &os->t;
    const char *tmp = getenv("TMPDIR");
    char err[128];

    assert_int_equal(reg_init(err, sizeof(err)), 0);
    assert_int_equal(cmd_init(err, sizeof(err)), 0);
    snprintf(t->dir, sizeof(t->dir), "%.40s/gtmux-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(t->dir));
    snprintf(t->path, sizeof(t->path), "%s/state", t->dir);
    t->sh = (struct kill_shared *)(void *)world_map(sizeof(*t->sh));
    t->g = calloc(1, sizeof(*t->g));
    t->g->ram = t->sh->ram;
    t->g->next = GM_PAGE;
    t->g->v = calloc(1, sizeof(*t->g->v));
    t->g->v->gtt = calloc(1, VGPU_GTT_SIZE);
    t->seed = getenv("GTMUX_KILL_SEED") ? strtoull(getenv("GTMUX_KILL_SEED"), NULL, 10) : 1;
    t->open_time = 0.004;
}

static void tear_down(struct guest_os *os)
{
    struct test *t = &os->t;

    end_process(t);
    free(t->g->v->gtt);
    free(t->g->v);
    free(t->g);
    munmap(t->sh, sizeof(*t->sh));
    unlink(t->path);
    rmdir(t->dir);
}

#define PATIENCE_S 40

/* For the test to mean something. */
static bool enough(const struct guest_os *os)
{
    return os->t.kills > 20 * seconds() / 5 && os->render.submissions > 20 && os->blit.submissions > 20 &&
           os->flips > 0;
}

static void guest_does_not_notice(void **state)
{
    static struct guest_os os;
    struct test *t = &os.t;

    (void)state;
    set_up(&os);
    start_process(t);
    t->kill_at = t->started + 60;
    boot(&os);
    t->created_at_start = t->sh->created;
    os.last_irq = now_s();
    double start = now_s(), end = start + seconds();

    t->kill_at = 0;
    while (now_s() < end || (!enough(&os) && now_s() < start + PATIENCE_S)) /* machines are slow at times */
        step(&os, true);
    while (!idle(&os.render) || !idle(&os.blit))
        step(&os, false);
    check_results(&os.render);
    check_results(&os.blit);
    assert_int_equal(t->sh->created, t->created_at_start);
    print_message(
        "killed %u times (%u before it was ready), %u adoptions; %u + %u submissions, %u preemptions, %u lite "
        "restores, %u flips, %u frames\n",
        t->kills, t->kills_before_ready, t->sh->adopted, os.render.submissions, os.blit.submissions,
        os.render.preemptions, os.render.lite, os.flips, os.frames);
    assert_true(enough(&os));
    tear_down(&os);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(guest_does_not_notice)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
