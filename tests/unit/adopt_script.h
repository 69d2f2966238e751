/*
 * The script of test_adopt_step.c: what a guest's processor does to a device, and when its engine and display threads
 * run, as a list of operations that can be taken up anywhere. How far it is, is in memory that outlives the process.
 */
#ifndef GTMUX_TESTS_ADOPT_SCRIPT_H
#define GTMUX_TESTS_ADOPT_SCRIPT_H

#include "adopt_fixture.h"
#include "aux_message.h"

#include "mediator/backend.h"

#define VA_LO       ((uint32_t)GM_USER_VA)
#define VA_HI       ((uint32_t)(GM_USER_VA >> 32))
#define MAX_OPS     512
#define RAM_USED    (96 * GM_PAGE)
#define WORKAROUNDS 0x01010000u                 /* GGTT */
#define GTT_USED    (0x02100000u / GM_PAGE * 8) /* guestmem.h has its things below that address */

/* ---- the script */

enum op_kind { OP_WRITE, OP_READ, OP_CFG, OP_RUN, OP_TICK, OP_STORE, OP_HEAD, OP_WAIT, OP_SHOWN };

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
    case OP_WAIT:
        vgpu_flip_wait(g->v, 0, o->at);
        return true;
    case OP_SHOWN:
        vgpu_flip_shown(g->v, 0, g->v->display.pipe[0].flip.number);
        return true;
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

static void ring_submit(const struct gm_ctx *a, const struct gm_ctx *b)
{
    const struct gm_ctx *c[2] = {b, a};

    for (unsigned i = 0; i < 2; i++) {
        uint64_t desc = c[i] ? gm_desc(c[i]) : 0;

        if (c[i])
            store(c[i]->image + GM_PAGE + 4 * GM_TAIL, c[i]->tail);
        wr(gm_reg(a->engine, R_ELSP, 0), (uint32_t)(desc >> 32));
        wr(gm_reg(a->engine, R_ELSP, 0), (uint32_t)desc);
    }
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
static uint64_t workarounds; /* guest address */

static void script_engines(struct guest *g)
{
    struct gm_ctx *a = &ctx_a, *b = &ctx_b;

    /* two contexts, one after the other: 3 events */
    GM_EMIT(g, a, LRI(GPR(VGPU_RCS, 0), 100), LRI(GPR(VGPU_RCS, 1), 7), BATCH(0x800, 0), SDI(0, 1),
            gm_hdr(C_MI_USER_INTERRUPT, 1));
    GM_EMIT(g, b, SDI(0, 2), ATOMIC_INC(0x110, 0));
    ring_submit(a, b);
    run(VGPU_RCS, 3);
    rd(reg_off(R_GEN8_GT_IIR, 0, 0), 0x101, 0x101, "user and context switch interrupt");
    wr(reg_off(R_GEN8_GT_IIR, 0, 0), 0x101);
    /* lite restore while it waits: 2 events, then 1 */
    GM_EMIT(g, a, SEM_WAIT(4, 1));
    ring_submit(a, NULL);
    run(VGPU_RCS, 4);
    GM_EMIT(g, a, BATCH(0x800, 0), SDI(8, 3));
    ring_submit(a, NULL);
    run(VGPU_RCS, 5);
    store(a->user + 4, 1);
    run(VGPU_RCS, 6);
    /* preempted in a batch, and back: 2 + 1 + 1 events */
    GM_EMIT(g, a, BATCH(0xa00, 0), SDI(12, 4));
    ring_submit(a, NULL);
    run(VGPU_RCS, 7);
    GM_EMIT(g, b, ATOMIC_INC(0x110, 0));
    ring_submit(b, a);
    run(VGPU_RCS, 9);
    store(a->user + 16, 1);
    run(VGPU_RCS, 10);
    rd(reg_off(R_GEN8_GT_IIR, 0, 0), 0x100, 0x100, "context switch interrupt");
    /* stopped, and let go */
    GM_EMIT(g, b, ATOMIC_INC(0x110, 0));
    wr(gm_reg(VGPU_RCS, R_MI_MODE, 0), 0x01000100);
    ring_submit(b, NULL);
    run(VGPU_RCS, 10);
    wr(gm_reg(VGPU_RCS, R_MI_MODE, 0), 0x01000000);
    run(VGPU_RCS, 12);
}

/* Each load of the context counts in both of its workaround batches. */
static void add_workarounds(struct guest *g, const struct gm_ctx *c)
{
    const uint32_t count = gm_hdr(C_MI_ATOMIC, 3) | 5 << 8 | GT_BIT(22);
    const uint32_t indirect[16] = {count, WORKAROUNDS + 0x800, 0, count, WORKAROUNDS + 0x800, 0};
    const uint32_t per_ctx[] = {count, WORKAROUNDS + 0x804, 0, gm_hdr(C_MI_BATCH_BUFFER_END, 1)};

    workarounds = gm_alloc(g, 1);
    gm_ggtt_map(g, WORKAROUNDS, workarounds, 1);
    memcpy(gm_dw(g, workarounds), indirect, sizeof(indirect));
    memcpy(gm_dw(g, workarounds + 0x100), per_ctx, sizeof(per_ctx));
    gm_image(g, c)[GM_INDIRECT] = WORKAROUNDS | 1;
    gm_image(g, c)[GM_PER_CTX] = (WORKAROUNDS + 0x100) | 1;
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
    ring_submit(&ctx_c, NULL);
    run(VGPU_BCS, 2);
}

static void script_reset(struct guest *g)
{
    GM_EMIT(g, &ctx_c, SEM_WAIT(4, 1));
    ring_submit(&ctx_c, NULL);
    run(VGPU_BCS, 3);
    wr(reg_off(R_GDRST, 0, 0), 1u << engine_table[VGPU_BCS].gdrst_bit);
    rd(reg_off(R_GDRST, 0, 0), UINT32_MAX, 0, "the reset is done");
    wr(gm_reg(VGPU_BCS, R_HWS_PGA, 0), 0x01000000u + VGPU_BCS * GM_PAGE);
    wr(gm_reg(VGPU_BCS, R_CONTEXT_STATUS_PTR, 0), 0xffff0202); /* as the count of events goes on */
    store(ctx_c.image + GM_PAGE + 4 * GM_HEAD, ctx_c.tail);
    store(ctx_c.user + 4, 1);
    GM_EMIT(g, &ctx_c, SDI(0, 9));
    ring_submit(&ctx_c, NULL);
    run(VGPU_BCS, 5);
}

/* A command that does not exist: the engine hangs, and says so. */
static void script_hang(struct guest *g)
{
    GM_EMIT(g, &ctx_c, 0x1f800000, 0);
    wr(gm_reg(VGPU_BCS, R_EMR, 0), ~1u);
    ring_submit(&ctx_c, NULL);
    run(VGPU_BCS, 6);
    rd(gm_reg(VGPU_BCS, R_EIR, 0), 1, 1, "error identity");
    rd(reg_off(R_GEN8_GT_IIR, 0, 0), 8 << 16, 8 << 16, "error interrupt");
    rd(gm_reg(VGPU_BCS, R_HEAD, 0), UINT32_MAX, ctx_c.tail - 8, "where it hangs");
    wr(reg_off(R_GDRST, 0, 0), 1u << engine_table[VGPU_BCS].gdrst_bit);
    run(VGPU_BCS, 6);
}

/* A message to the first head; of an answer with data, its first word is read. */
static void aux(struct aux_message m, const uint32_t *answer)
{
    for (unsigned i = 0; i < (m.bytes + 3) / 4; i++)
        wr(reg_off(R_DP_AUX_CH_DATA, 1, i), aux_word(&m, i));
    wr(reg_off(R_DP_AUX_CH_CTL, 1, 0), aux_control(&m));
    rd(reg_off(R_DP_AUX_CH_CTL, 1, 0), AUX_SEND | AUX_DONE | AUX_TIMEOUT, AUX_DONE, "AUX: done");
    if (answer)
        rd(reg_off(R_DP_AUX_CH_DATA, 1, 0), UINT32_MAX, *answer, "AUX: answer");
}

/* The EDID is read as from a FIFO; a link of one lane at 1.62 Gb/s, on the PLL that runs after a reset, is trained. */
static void script_displayport(void)
{
    static const uint32_t edid[] = {0x0000ffff, 0x00ffffff}, recovered = 0x00010000, trained = 0x00070001;
    const uint8_t set[] = {6, 1, 1};

    aux(aux_message(AUX_I2C_WRITE | AUX_MOT, 0x50, "", 1), NULL);
    aux(aux_message(AUX_I2C_READ | AUX_MOT, 0x50, NULL, 3), &edid[0]);
    aux(aux_message(AUX_I2C_READ | AUX_MOT, 0x50, NULL, 3), &edid[1]);
    wr(reg_off(R_DP_TP_CTL, 1, 0), 0x80000000);
    wr(reg_off(R_DDI_BUF_CTL, 1, 0), 0x80000000);
    aux(aux_message(AUX_NATIVE_WRITE, 0x100, set, 3), NULL);
    aux(aux_message(AUX_NATIVE_READ, 0x202, NULL, 3), &recovered);
    wr(reg_off(R_DP_TP_CTL, 1, 0), 0x80000100);
    aux(aux_message(AUX_NATIVE_WRITE, 0x102, "\2", 1), NULL);
    wr(reg_off(R_DP_TP_CTL, 1, 0), 0x80000200);
    rd(reg_off(R_DP_TP_STATUS, 1, 0), 1u << 25, 1u << 25, "idle patterns are sent");
    aux(aux_message(AUX_NATIVE_READ, 0x202, NULL, 3), &trained);
}

/* Registers whose accesses do something each time. */
static void script_registers(void)
{
    rd(reg_off(R_GMBUS2, 0, 0), 0x8000, 0, "GMBUS: not in use");
    rd(reg_off(R_GMBUS2, 0, 0), 0x8000, 0x8000, "GMBUS: in use");
    script_displayport();
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

/* A flip that is told when it is shown. The next process does not know of those who show it, and tells it at once. */
static void script_kept_flip(void)
{
    const uint32_t iir = reg_off(R_GEN8_DE_PIPE_IIR, 0, 0);

    wr(iir, 0x9);
    wr(iir, 0x9);
    wr(reg_off(R_TRANS_DDI_FUNC_CTL, 0, 0), 1u << 31 | 1u << 28);
    push((struct op){.kind = OP_WAIT, .at = 50000000});
    wr(reg_off(R_PLANE_SURF, 0, 0), 0xa000);
    tick(2300000000);
    rd(iir, 0x1, 0x1, "vblank");
    push((struct op){.kind = OP_SHOWN});
    tick(2300000001);
    rd(iir, 0x8, 0x8, "the flip is told");
    rd(reg_off(R_PLANE_SURFLIVE, 0, 0), UINT32_MAX, 0xa000, "live surface");
    rd(reg_off(R_PIPE_FLIPCOUNT, 0, 0), UINT32_MAX, 4, "flips");
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
    script_kept_flip();
    wr(reg_off(R_TRANSCONF, 0, 0), 0);
    rd(reg_off(R_PIPE_FRMCOUNT, 0, 0), UINT32_MAX, 78, "frames of a pipe that is off");
    wr(reg_off(R_SDEIMR, 0, 0), 0);
    wr(reg_off(R_PCH_PORT_HOTPLUG, 0, 0), 0x10101010);
    push((struct op){.kind = OP_HEAD, .at = 0});
    rd(reg_off(R_SDEIIR, 0, 0), 1u << 22, 1u << 22, "hotplug of the second head");
    rd(reg_off(R_SDEISR, 0, 0), 3u << 21, 3u << 21, "two heads are plugged in");
}

static void write_script(struct guest *g)
{
    add_workarounds(g, &ctx_b);
    const uint32_t waiting[] = {SEM_WAIT(16, 1), ATOMIC_INC(0x114, 0), gm_hdr(C_MI_BATCH_BUFFER_END, 1)};

    fill_batches(g, &ctx_a);
    put(g, &ctx_a, 0xa00, waiting, GT_ARRAY_SIZE(waiting));
    script_engines(g);
    script_blit(g);
    script_reset(g);
    script_hang(g);
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
    assert_int_equal(*gm_dw(g, ctx_b.user + 0x110), 3);
    assert_int_equal(*gm_dw(g, workarounds + 0x800), 6); /* context b was loaded three times */
    assert_int_equal(*gm_dw(g, workarounds + 0x804), 3);
    for (unsigned i = 0; i < 4 * 4; i++)
        assert_int_equal(*gm_dw(g, ctx_c.user + 0x200 + 4 * i), 0x1000 * (i / 4 + 5) + i % 4);
    assert_int_equal(*gm_dw(g, ctx_c.user), 9);
    /* the last six events of engine 0: active, preempted, element done, complete; active, complete */
    static const uint32_t last[6] = {0x1, 0x2, 0x14, 0x18, 0x1, 0x18};
    static const uint32_t id[6] = {1, 1, 2, 1, 2, 2};

    for (unsigned i = 0; i < 6; i++) {
        unsigned slot = (5 + 7 + i) % 6;

        assert_int_equal(gm_csb_status(g, hws[VGPU_RCS], slot), last[i]);
        assert_int_equal(gm_csb_id(g, hws[VGPU_RCS], slot), id[i]);
    }
    assert_int_equal(vgpu_cfg_read(g->v, 0xd4, 2) & 3, 3);
}

#endif
