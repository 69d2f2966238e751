/*
 * Killed between any two instructions. A script - what a guest's processor and the engine and display threads would do
 * - runs on memory that is write-protected, so that it stops at each store. The instruction is let through alone, and
 * then memory is as a process would leave it that is killed there: a new device adopts a copy, carries out the rest of
 * the script, and all that the guest can tell is checked.
 */
#include "adopt_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <ucontext.h>
#include <unistd.h>

#include "mediator/backend.h"

#define VA_LO    ((uint32_t)GM_USER_VA)
#define VA_HI    ((uint32_t)(GM_USER_VA >> 32))
#define MAX_OPS  512
#define RAM_USED (96 * GM_PAGE)
#define GTT_USED (0x02100000u / GM_PAGE * 8) /* guestmem.h has its things below that address */

/* ---- the script */

enum op_kind { OP_WRITE, OP_READ, OP_CFG, OP_RUN, OP_TICK, OP_STORE, OP_HEAD };

struct op {
    enum op_kind kind;
    uint64_t at;        /* BAR0 or config offset, guest address, engine, time */
    uint32_t val, mask; /* to be written; expected by a read, under mask */
    uint8_t size;       /* of an access */
    const char *what;
};

static struct op script[MAX_OPS];
static unsigned ops;

static void push(struct op o)
{
    assert_true(ops < MAX_OPS);
    script[ops++] = o;
}

static void wr(uint32_t off, uint32_t val)
{
    push((struct op){.kind = OP_WRITE, .at = off, .val = val, .size = 4});
}

static void rd(uint32_t off, uint32_t mask, uint32_t expect, const char *what)
{
    push((struct op){.kind = OP_READ, .at = off, .val = expect, .mask = mask, .size = 4, .what = what});
}

/* Runs an engine until it has nothing to do; afterwards `val` events have been told. */
static void run(unsigned engine, uint32_t events)
{
    push((struct op){.kind = OP_RUN, .at = engine, .val = events});
}

static void tick(uint64_t now)
{
    push((struct op){.kind = OP_TICK, .at = now});
}

static void store(uint64_t gpa, uint32_t val)
{
    push((struct op){.kind = OP_STORE, .at = gpa, .val = val});
}

/* ---- what outlives the process, beside the device and the guest's memory */

struct shared {
    uint64_t now;
    uint32_t pc;    /* 2 * operation, and 1 more when it has been taken up */
    uint32_t count; /* vgpu_access_count when it was */
};

static struct world world;
static struct shared *shared;
static uint64_t hws[VGPU_ENGINES];
static struct backend *soft;

static enum vgpu_payload soft_payload(void *host, struct vgpu_exec *x, int id, const uint32_t *dw, unsigned n)
{
    (void)host;
    return soft->ops->payload(soft, x, id, dw, n);
}

static void order(void)
{
    atomic_signal_fence(memory_order_seq_cst);
}

struct player {
    struct guest *g;
    struct shared *s;
};

static bool expected(const struct op *o, uint32_t val)
{
    return (val & o->mask) == o->val;
}

/* Events told so far, from the write pointer of the status page: it began at 5, and there are fewer than 6 a run. */
static bool events_are(struct guest *g, unsigned engine, uint32_t total)
{
    return gm_csb_write(g, hws[engine]) == (5 + total) % 6;
}

/* False: the guest notices something. */
static bool play_one(struct player *p, const struct op *o)
{
    struct guest *g = p->g;

    switch (o->kind) {
    case OP_WRITE:
        vgpu_mmio_write(g->v, o->at, o->size, o->val);
        return true;
    case OP_READ:
        return expected(o, (uint32_t)vgpu_mmio_read(g->v, o->at, o->size));
    case OP_CFG:
        vgpu_cfg_write(g->v, (uint32_t)o->at, o->size, o->val);
        return true;
    case OP_RUN:
        for (unsigned i = 0; i < 50; i++)
            if (vgpu_engine_run(g->v, (unsigned)o->at, 1000) != VGPU_RUN_MORE)
                break;
        return events_are(g, (unsigned)o->at, o->val);
    case OP_TICK:
        p->s->now = g->now = o->at;
        vgpu_display_tick(g->v);
        return true;
    case OP_STORE:
        *gm_dw(g, o->at) = o->val;
        return true;
    case OP_HEAD:
        return !vgpu_head_set(g->v, 1, true, &(struct vgpu_mode){1280, 720, 60000});
    }
    return false;
}

static bool play(struct player *p, unsigned from)
{
    for (unsigned i = from; i < ops; i++) {
        uint64_t result;

        p->s->count = vgpu_access_count(p->g->v, &result);
        order();
        p->s->pc = 2 * i + 1;
        order();
        if (!play_one(p, &script[i]))
            return false;
        order();
        p->s->pc = 2 * (i + 1);
        order();
    }
    return true;
}

/* As a transport does it that finds the request of a killed process. */
static bool play_rest(struct player *p)
{
    unsigned i = p->s->pc / 2;
    const struct op *o = &script[i];
    uint64_t result;

    if (i >= ops)
        return true;
    bool access = o->kind == OP_WRITE || o->kind == OP_READ;

    if ((p->s->pc & 1) && access && vgpu_access_count(p->g->v, &result) == p->s->count + 1) {
        if (o->kind == OP_READ && !expected(o, (uint32_t)result))
            return false;
        i++;
    }
    return play(p, i);
}

/* ---- the guest's work */

#define SDI(byte, val)        gm_hdr(C_MI_STORE_DATA_IMM, 4), VA_LO + (byte), VA_HI, val
#define SEM_WAIT(byte, val)   gm_hdr(C_MI_SEMAPHORE_WAIT, 4) | 4 << 12 | GT_BIT(15), val, VA_LO + (byte), VA_HI
#define BATCH(byte, second)   gm_hdr(C_MI_BATCH_BUFFER_START, 3) | GT_BIT(8) | (second) << 22, VA_LO + (byte), VA_HI
#define LRI(off, val)         gm_hdr(C_MI_LOAD_REGISTER_IMM, 3), off, val
#define SRM(off, byte)        gm_hdr(C_MI_STORE_REGISTER_MEM, 4), off, VA_LO + (byte), VA_HI
#define ATOMIC_INC(byte, ret) gm_hdr(C_MI_ATOMIC, 3) | 5 << 8 | (ret) << 16, VA_LO + (byte), VA_HI
#define ATOMIC_DEC(byte)      gm_hdr(C_MI_ATOMIC, 3) | 6 << 8, VA_LO + (byte), VA_HI
#define GPR(e, n)             gm_reg(e, R_CS_GPR, 2 * (n))
#define ALU(op, a, b)         ((uint32_t)(op) << 20 | (a) << 10 | (b))

static void ring_submit(struct guest *g, const struct gm_ctx *a, const struct gm_ctx *b)
{
    const struct gm_ctx *c[2] = {b, a};

    for (unsigned i = 0; i < 2; i++) {
        uint64_t desc = c[i] ? gm_desc(c[i]) : 0;

        if (c[i])
            store(c[i]->image + GM_PAGE + 4 * GM_TAIL, c[i]->tail);
        wr(gm_reg(a->engine, R_ELSP, 0), (uint32_t)(desc >> 32));
        wr(gm_reg(a->engine, R_ELSP, 0), (uint32_t)desc);
    }
    (void)g;
}

static void put(struct guest *g, const struct gm_ctx *c, unsigned byte, const uint32_t *dw, unsigned n)
{
    memcpy(gm_dw(g, c->user + byte), dw, 4 * n);
}

/* A batch that changes what it reads: each of its commands shows when it was executed twice, or not at all. */
static void fill_batches(struct guest *g, const struct gm_ctx *c)
{
    const uint32_t first[] = {
        /* R0 += R1, and again */
        gm_hdr(C_MI_MATH, 5),
        ALU(0x80, 0x20, 0),
        ALU(0x80, 0x21, 1),
        ALU(0x100, 0, 0),
        ALU(0x180, 0, 0x31),
        BATCH(0x900, 1),
        gm_hdr(C_MI_MATH, 5),
        ALU(0x80, 0x20, 0),
        ALU(0x80, 0x21, 1),
        ALU(0x100, 0, 0),
        ALU(0x180, 0, 0x31),
        SRM(GPR(VGPU_RCS, 0), 0x100),
        /* predicate: result = result XOR true, twice */
        gm_hdr(C_MI_PREDICATE, 1) | 2 << 6 | 3 << 3 | 0,
        SRM(gm_reg(VGPU_RCS, R_MI_PREDICATE_RESULT, 0), 0x104),
        gm_hdr(C_MI_BATCH_BUFFER_END, 1),
    };
    const uint32_t second[] = {
        ATOMIC_INC(0x108, 1), SRM(gm_reg(VGPU_RCS, R_CS_GPR, 8), 0x10c), ATOMIC_INC(0x108, 0),
        ATOMIC_INC(0x110, 0), gm_hdr(C_MI_BATCH_BUFFER_END, 1),
    };

    put(g, c, 0x800, first, GT_ARRAY_SIZE(first));
    put(g, c, 0x900, second, GT_ARRAY_SIZE(second));
}

static void check_batches(struct guest *g, const struct gm_ctx *c, uint32_t turns)
{
    assert_int_equal(*gm_dw(g, c->user + 0x100), 100 + 14 * turns);
    assert_int_equal(*gm_dw(g, c->user + 0x104), turns % 2);
    assert_int_equal(*gm_dw(g, c->user + 0x108), 2 * turns);
    assert_int_equal(*gm_dw(g, c->user + 0x10c), 2 * (turns - 1));
    assert_int_equal(*gm_dw(g, c->user + 0x110), turns);
}

/* Lines 1..8 of 16 bytes move up by one, in place. */
#define SCROLL                                                                                                         \
    gm_hdr(C_XY_SRC_COPY_BLT, 10) | 3 << 20, 3 << 24 | 0xcc << 16 | 16, 0, 8 << 16 | 4, VA_LO + 0x200, VA_HI, 1 << 16, \
        16, VA_LO + 0x200, VA_HI

static struct gm_ctx ctx_a, ctx_b, ctx_c;

static void script_engines(struct guest *g)
{
    struct gm_ctx *a = &ctx_a, *b = &ctx_b;

    /* two contexts, one after the other: 3 events */
    GM_EMIT(g, a, LRI(GPR(VGPU_RCS, 0), 100), LRI(GPR(VGPU_RCS, 1), 7), BATCH(0x800, 0), SDI(0, 1),
            gm_hdr(C_MI_USER_INTERRUPT, 1));
    GM_EMIT(g, b, SDI(0, 2), ATOMIC_INC(0x110, 0));
    ring_submit(g, a, b);
    run(VGPU_RCS, 3);
    rd(reg_off(R_GEN8_GT_IIR, 0, 0), 0x101, 0x101, "user and context switch interrupt");
    wr(reg_off(R_GEN8_GT_IIR, 0, 0), 0x101);
    /* lite restore while it waits: 2 events, then 1 */
    GM_EMIT(g, a, SEM_WAIT(4, 1));
    ring_submit(g, a, NULL);
    run(VGPU_RCS, 4);
    GM_EMIT(g, a, BATCH(0x800, 0), SDI(8, 3));
    ring_submit(g, a, NULL);
    run(VGPU_RCS, 5);
    store(a->user + 4, 1);
    run(VGPU_RCS, 6);
    /* preempted in a batch, and back: 2 + 1 + 1 events */
    GM_EMIT(g, a, BATCH(0xa00, 0), SDI(12, 4));
    ring_submit(g, a, NULL);
    run(VGPU_RCS, 7);
    GM_EMIT(g, b, ATOMIC_INC(0x110, 0));
    ring_submit(g, b, a);
    run(VGPU_RCS, 9);
    store(a->user + 16, 1);
    run(VGPU_RCS, 10);
    rd(reg_off(R_GEN8_GT_IIR, 0, 0), 0x100, 0x100, "context switch interrupt");
}

static void script_blit(struct guest *g)
{
    for (unsigned i = 0; i < 9 * 4; i++)
        *gm_dw(g, ctx_c.user + 0x200 + 4 * i) = 0x1000 * (i / 4) + i % 4;
    /* the same commands at the same place three times, until the counter is 0 */
    const uint32_t loop[] = {
        SCROLL, ATOMIC_DEC(0x300), gm_hdr(C_MI_CONDITIONAL_BATCH_BUFFER_END, 4) | GT_BIT(21), 0, VA_LO + 0x300,
        VA_HI,  BATCH(0xb00, 0)};

    put(g, &ctx_c, 0xb00, loop, GT_ARRAY_SIZE(loop));
    *gm_dw(g, ctx_c.user + 0x300) = 3;
    GM_EMIT(g, &ctx_c, SCROLL, SCROLL, BATCH(0xb00, 0));
    ring_submit(g, &ctx_c, NULL);
    run(VGPU_BCS, 2);
}

static void script_reset(struct guest *g)
{
    GM_EMIT(g, &ctx_c, SEM_WAIT(4, 1));
    ring_submit(g, &ctx_c, NULL);
    run(VGPU_BCS, 3);
    wr(reg_off(R_GDRST, 0, 0), 1u << engine_table[VGPU_BCS].gdrst_bit);
    rd(reg_off(R_GDRST, 0, 0), UINT32_MAX, 0, "the reset is done");
    wr(gm_reg(VGPU_BCS, R_HWS_PGA, 0), 0x01000000u + VGPU_BCS * GM_PAGE);
    wr(gm_reg(VGPU_BCS, R_CONTEXT_STATUS_PTR, 0), 0xffff0202); /* as the count of events goes on */
    store(ctx_c.image + GM_PAGE + 4 * GM_HEAD, ctx_c.tail);
    store(ctx_c.user + 4, 1);
    GM_EMIT(g, &ctx_c, SDI(0, 9));
    ring_submit(g, &ctx_c, NULL);
    run(VGPU_BCS, 5);
}

/* Registers whose accesses do something each time. */
static void script_registers(void)
{
    const uint32_t edid[] = {0xffffff00, 0x00ffffff};

    wr(reg_off(R_GMBUS0, 0, 0), 5);
    wr(reg_off(R_GMBUS1, 0, 0), 1u << 26 | 1u << 25 | 8u << 16 | 0x50 << 1 | 1 | 1u << 30);
    rd(reg_off(R_GMBUS2, 0, 0), 0x81ff, 8, "GMBUS: 8 bytes to come, not in use");
    rd(reg_off(R_GMBUS3, 0, 0), UINT32_MAX, edid[0], "EDID");
    rd(reg_off(R_GMBUS3, 0, 0), UINT32_MAX, edid[1], "EDID");
    rd(reg_off(R_GMBUS2, 0, 0), 0xc1ff, 0xc000, "GMBUS: wait phase, in use");
    wr(reg_off(R_PREC_PAL_INDEX, 0, 0), 0x8000);
    for (unsigned i = 0; i < 3; i++)
        wr(reg_off(R_PREC_PAL_DATA, 0, 0), 0x30 + i);
    wr(reg_off(R_PREC_PAL_INDEX, 0, 0), 0x8000);
    for (unsigned i = 0; i < 3; i++)
        rd(reg_off(R_PREC_PAL_DATA, 0, 0), UINT32_MAX, 0x30 + i, "gamma entry");
    wr(reg_off(R_PCODE_DATA, 0, 0), 0);
    wr(reg_off(R_PCODE_MAILBOX, 0, 0), 0x80000006);
    rd(reg_off(R_PCODE_DATA, 0, 0), UINT32_MAX, 0x1e1a1100, "memory latencies, first half");
    wr(reg_off(R_GPIO_CTL, 0, 1), 0x3);
    wr(reg_off(R_GPIO_CTL, 0, 1), 0x0);
    rd(reg_off(R_GPIO_CTL, 0, 1), 0x2, 0x2, "GPIO direction");
    push((struct op){.kind = OP_CFG, .at = 0xd4, .val = 3, .size = 2});
    push((struct op){.kind = OP_CFG, .at = 0xd4, .val = 1, .size = 2});
}

/* A pipe on, a flip that is done at the vblank, a second event of the same kind before the first is acknowledged. */
static void script_display(void)
{
    const uint32_t iir = reg_off(R_GEN8_DE_PIPE_IIR, 0, 0);

    wr(reg_off(R_GEN8_DE_PIPE_IMR, 0, 0), 0);
    wr(reg_off(R_GEN8_DE_PIPE_IER, 0, 0), UINT32_MAX);
    wr(reg_off(R_TRANS_VTOTAL, 0, 0), 805u << 16 | 767);
    wr(reg_off(R_TRANS_VBLANK, 0, 0), 805u << 16 | 767);
    wr(reg_off(R_TRANSCONF, 0, 0), 1u << 31);
    wr(reg_off(R_PLANE_CTL, 0, 0), 1u << 31 | 4 << 24);
    wr(reg_off(R_PLANE_SURF, 0, 0), 0x7000);
    tick(2000000000);
    rd(iir, 0x9, 0x9, "vblank and flip done");
    wr(iir, 0x9);
    rd(reg_off(R_PLANE_SURFLIVE, 0, 0), UINT32_MAX, 0x7000, "live surface");
    wr(reg_off(R_PLANE_SURF, 0, 0), 0x8000);
    tick(2100000000);
    wr(reg_off(R_PLANE_SURF, 0, 0), 0x9000);
    tick(2200000000);
    wr(iir, 0x9);
    rd(iir, 0x9, 0x9, "the second flip done, kept while the first was there");
    rd(reg_off(R_PLANE_SURFLIVE, 0, 0), UINT32_MAX, 0x9000, "live surface");
    rd(reg_off(R_PIPE_FLIPCOUNT, 0, 0), UINT32_MAX, 3, "flips");
    rd(reg_off(R_PIPE_FRMCOUNT, 0, 0), UINT32_MAX, 72, "frames"); /* 1.2 s at 60 Hz */
    wr(reg_off(R_TRANSCONF, 0, 0), 0);
    rd(reg_off(R_PIPE_FRMCOUNT, 0, 0), UINT32_MAX, 72, "frames of a pipe that is off");
    wr(reg_off(R_SDEIMR, 0, 0), 0);
    wr(reg_off(R_PCH_PORT_HOTPLUG, 0, 0), 0x10101010);
    push((struct op){.kind = OP_HEAD, .at = 0});
    rd(reg_off(R_SDEIIR, 0, 0), 1u << 22, 1u << 22, "hotplug of the second head");
    rd(reg_off(R_SDEISR, 0, 0), 3u << 21, 3u << 21, "two heads are plugged in");
}

static void write_script(struct guest *g)
{
    const uint32_t waiting[] = {SEM_WAIT(16, 1), ATOMIC_INC(0x114, 0), gm_hdr(C_MI_BATCH_BUFFER_END, 1)};

    fill_batches(g, &ctx_a);
    put(g, &ctx_a, 0xa00, waiting, GT_ARRAY_SIZE(waiting));
    script_engines(g);
    script_blit(g);
    script_reset(g);
    script_registers();
    script_display();
}

static void check_end(struct guest *g)
{
    check_batches(g, &ctx_a, 2);
    assert_int_equal(*gm_dw(g, ctx_a.user), 1);
    assert_int_equal(*gm_dw(g, ctx_a.user + 8), 3);
    assert_int_equal(*gm_dw(g, ctx_a.user + 12), 4);
    assert_int_equal(*gm_dw(g, ctx_a.user + 0x114), 1);
    assert_int_equal(*gm_dw(g, ctx_b.user + 0x110), 2);
    for (unsigned i = 0; i < 4 * 4; i++)
        assert_int_equal(*gm_dw(g, ctx_c.user + 0x200 + 4 * i), 0x1000 * (i / 4 + 5) + i % 4);
    assert_int_equal(*gm_dw(g, ctx_c.user), 9);
    /* the last six events of engine 0: lite restore, complete; active, preempted, element done, complete */
    static const uint32_t last[6] = {0x8002, 0x18, 0x1, 0x2, 0x14, 0x18};
    static const uint32_t id[6] = {1, 1, 1, 1, 2, 1};

    for (unsigned i = 0; i < 6; i++) {
        unsigned slot = (5 + 5 + i) % 6;

        assert_int_equal(gm_csb_status(g, hws[VGPU_RCS], slot), last[i]);
        assert_int_equal(gm_csb_id(g, hws[VGPU_RCS], slot), id[i]);
    }
    assert_int_equal(vgpu_cfg_read(g->v, 0xd4, 2) & 3, 3);
}

/* ---- which deaths are worth a try: those that leave something new to a new process */

struct range {
    const uint8_t *now;
    uint8_t *last;
    size_t size;
};

#define MAX_RANGES 64
static struct range ranges[MAX_RANGES];
static unsigned nranges;

static void watch(const void *at, size_t size)
{
    assert_true(nranges < MAX_RANGES);
    struct range *r = &ranges[nranges++];

    *r = (struct range){at, malloc(size), size};
    assert_non_null(r->last);
    memcpy(r->last, at, size);
}

/* Without what is not adopted: translations, copies of commands and images. */
static void watch_all(const struct vgpu *v)
{
    watch(v, offsetof(struct vgpu, engine));
    for (unsigned i = 0; i < VGPU_BCS + 1; i++) {
        const struct vgpu_engine *e = &v->engine[i];

        watch(e->elsp, offsetof(struct vgpu_engine, attention) - offsetof(struct vgpu_engine, elsp));
        watch(&e->undo, offsetof(struct vgpu_engine, slot) - offsetof(struct vgpu_engine, undo));
    }
    watch(&v->display.pipe[0], offsetof(struct vgpu_pipe, precise) + 16);
    watch(&v->display.gmbus, sizeof(v->display.gmbus));
    watch(v->regs, 0x24000);
    watch(v->regs + reg_off(R_GEN8_MASTER_IRQ, 0, 0) / 4, GM_PAGE);
    watch(v->regs + reg_off(R_PREC_PAL_INDEX, 0, 0) / 4, GM_PAGE);
    watch(v->regs + reg_off(R_TRANSCONF, 0, 0) / 4, GM_PAGE);
    watch(v->regs + reg_off(R_SDEISR, 0, 0) / 4, 2 * GM_PAGE);
    watch(v->regs + reg_off(R_PCODE_MAILBOX, 0, 0) / 4, 64);
    watch(world.ram, RAM_USED);
    watch(shared, sizeof(*shared));
}

static bool changed(void)
{
    bool any = false;

    for (unsigned i = 0; i < nranges; i++) {
        struct range *r = &ranges[i];

        if (!memcmp(r->now, r->last, r->size))
            continue;
        memcpy(r->last, r->now, r->size);
        any = true;
    }
    return any;
}

/* The rest of the script in a new process, as it were: nothing of the world itself is changed. */
static void try_order(unsigned long store_number, bool engines_first)
{
    static uint8_t ram[GM_RAM], gtt[VGPU_GTT_SIZE], *old; /* kept: fresh memory costs more than all the rest */
    struct shared s = *shared;
    struct world copy = {.ram = ram, .gtt = gtt};
    struct guest *g = world_guest(&copy);
    struct player p = {g, &s};
    struct vgpu_config cfg = world_config(g, &copy);
    char err[256] = "";

    if (!old)
        old = world_copy_state(&world);
    memcpy(old, world.state, vgpu_state_size());
    memcpy(ram, world.ram, RAM_USED);
    memcpy(gtt, world.gtt, GTT_USED);
    g->ops.payload = soft_payload;
    g->now = s.now;
    if (vgpu_adopt(&g->v, &cfg, old, err, sizeof(err)))
        fail_msg("store %lu: %s", store_number, err);
    vgpu_resume(g->v);
    if (engines_first)
        for (unsigned i = 0; i < VGPU_ENGINES; i++)
            gm_run(g, i, 1000, 50);
    if (!play_rest(&p))
        fail_msg("killed after store %lu: operation %u (%s) goes wrong", store_number, s.pc / 2,
                 script[s.pc / 2].what ? script[s.pc / 2].what : "");
    check_end(g);
    vgpu_destroy(g->v);
    free(g);
}

/* The request of the killed process may come before the engines' threads are awake, or after. */
static void try_here(unsigned long store_number)
{
    try_order(store_number, false);
    try_order(store_number, true);
}

/* ---- one store at a time */

#define TRAP_FLAG 0x100 /* x86: an exception after the next instruction */

static struct {
    uint8_t *map;
    size_t size;
    unsigned long stores, tried;
} box;

static void lock_box(bool lock)
{
    if (mprotect(box.map, box.size, lock ? PROT_READ : PROT_READ | PROT_WRITE))
        abort();
}

static void before_store(int sig, siginfo_t *info, void *context)
{
    const uint8_t *at = info->si_addr;
    ucontext_t *c = context;

    if (at < box.map || at >= box.map + box.size) {
        signal(sig, SIG_DFL); /* a real fault: it comes again */
        return;
    }
    lock_box(false);
    c->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void after_store(int sig, siginfo_t *info, void *context)
{
    ucontext_t *c = context;

    (void)sig;
    (void)info;
    c->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
    box.stores++;
    if (changed()) {
        try_here(box.stores);
        box.tried++;
    }
    lock_box(true);
}

static void catch_stores(void)
{
    struct sigaction segv = {.sa_flags = SA_SIGINFO | SA_NODEFER, .sa_sigaction = before_store};
    struct sigaction trap = {.sa_flags = SA_SIGINFO | SA_NODEFER, .sa_sigaction = after_store};

    assert_int_equal(sigaction(SIGSEGV, &segv, NULL), 0);
    assert_int_equal(sigaction(SIGTRAP, &trap, NULL), 0);
}

static struct guest *set_up(void)
{
    box.size = vgpu_state_size() + GM_RAM + GM_PAGE;
    box.map = world_map(box.size);
    world = (struct world){box.map, world_map(VGPU_GTT_SIZE), box.map + vgpu_state_size()};
    shared = (struct shared *)(void *)(world.ram + GM_RAM);
    soft = backend_soft_create();

    struct guest *g = world_guest(&world);

    g->ops.payload = soft_payload;
    g->now = shared->now = 1000000000;
    world_create(g, &world);
    hws[VGPU_RCS] = gm_engine_up(g, VGPU_RCS);
    hws[VGPU_BCS] = gm_engine_up(g, VGPU_BCS);
    ctx_a = gm_context(g, VGPU_RCS, 1, 1);
    ctx_b = gm_context(g, VGPU_RCS, 2, 1);
    ctx_c = gm_context(g, VGPU_BCS, 3, 1);
    vgpu_mmio_write(g->v, reg_off(R_GEN8_GT_IMR, 0, 0), 4, 0);
    write_script(g);
    assert_true(g->next <= RAM_USED);
    return g;
}

static void tear_down(struct guest *g)
{
    vgpu_destroy(g->v);
    free(g);
    soft->ops->destroy(soft);
    for (unsigned i = 0; i < nranges; i++)
        free(ranges[i].last);
    munmap(world.gtt, VGPU_GTT_SIZE);
    munmap(box.map, box.size);
}

static void killed_after_each_store(void **state)
{
    struct guest *g = set_up();
    struct player p = {g, shared};

    (void)state;
    watch_all(g->v);
    catch_stores();
    lock_box(true);
    bool ok = play(&p, 0);

    lock_box(false);
    signal(SIGSEGV, SIG_DFL);
    assert_true(ok);
    try_here(box.stores);
    print_message("%lu stores, %lu deaths survived\n", box.stores, box.tried + 1);
    assert_true(box.tried > 1000);
    tear_down(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_after_each_store)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
