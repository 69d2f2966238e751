/* Context images: what is loaded and saved, isolation between contexts, preempted batches, workaround batches. */
#include "guestmem.h"
#include "vgpu/exec.h"

#define VA_LO               ((uint32_t)GM_USER_VA)
#define VA_HI               ((uint32_t)(GM_USER_VA >> 32))
#define BBS(off)            gm_hdr(C_MI_BATCH_BUFFER_START, 3) | GT_BIT(8), VA_LO + (off), VA_HI
#define BBE                 gm_hdr(C_MI_BATCH_BUFFER_END, 1)
#define SDI(off, val)       gm_hdr(C_MI_STORE_DATA_IMM, 4), VA_LO + (off), VA_HI, val
#define LRI1(id, elem, val) gm_hdr(C_MI_LOAD_REGISTER_IMM, 3), gm_reg(VGPU_RCS, id, elem), val

struct env {
    struct guest *g;
    uint64_t hws;
    struct gm_ctx a, b;
};

static int setup(void **state)
{
    struct env *t = calloc(1, sizeof(*t));

    t->g = gm_new();
    t->hws = gm_engine_up(t->g, VGPU_RCS);
    t->a = gm_context(t->g, VGPU_RCS, 1, 1);
    t->b = gm_context(t->g, VGPU_RCS, 2, 1);
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

static void run(struct env *t, struct gm_ctx *c)
{
    gm_submit(t->g, c, NULL);
    assert_int_equal(gm_run(t->g, VGPU_RCS, 1000, 100), VGPU_RUN_IDLE);
    assert_int_equal(engine(t)->state, ENGINE_IDLE);
}

static uint32_t reg(struct env *t, enum reg_id id, unsigned elem)
{
    return *vgpu_reg(t->g->v, id, VGPU_RCS, elem);
}

static uint32_t *user(struct env *t, struct gm_ctx *c, unsigned byte)
{
    return gm_dw(t->g, c->user + byte);
}

/* All that a context must carry fits into the image: slots of its own or our area (224 pairs). */
static void all_context_registers_have_room(void **state)
{
    struct env *t = *state;

    for (unsigned i = 0; i < VGPU_ENGINES; i++) {
        assert_in_range(t->g->v->engine[i].ctx_regs, 40, VGPU_CTX_REGS - 1);
        assert_in_range(t->g->v->engine[i].ctx_regs, 40, 223);
    }
}

static void ring_position_is_saved_and_the_tail_is_the_drivers(void **state)
{
    struct env *t = *state;
    uint32_t *image = gm_image(t->g, &t->a);

    GM_EMIT(t->g, &t->a, 0, 0, 0, 0);
    gm_submit(t->g, &t->a, NULL);
    image[GM_TAIL] = 16;
    vgpu_engine_run(t->g->v, VGPU_RCS, 65); /* loaded, one command done */
    image[GM_TAIL] = 0x800;                 /* the driver prepares the next submission */
    assert_int_equal(gm_run(t->g, VGPU_RCS, 1000, 100), VGPU_RUN_IDLE);
    assert_int_equal(image[GM_HEAD], 16);
    assert_int_equal(image[GM_TAIL], 0x800);
}

static void restore_inhibit_is_cleared_by_the_first_save(void **state)
{
    struct env *t = *state;

    run(t, &t->a);
    assert_int_equal(gm_image(t->g, &t->a)[GM_CTX_CONTROL], 0xffff0008);
}

static void registers_are_isolated_and_preserved(void **state)
{
    struct env *t = *state;

    GM_EMIT(t->g, &t->a, LRI1(R_CS_GPR, 7, 0x1111), LRI1(R_VS_INVOCATION_COUNT, 0, 0x2222),
            LRI1(R_CS_DEBUG_MODE2, 0, 0x00200020), LRI1(R_L3CNTLREG, 0, 0x3333));
    run(t, &t->a);
    /* A context without a saved state sees reset values, not the last one's (CVE-2019-14615). */
    run(t, &t->b);
    assert_int_equal(reg(t, R_CS_GPR, 7), 0);
    assert_int_equal(reg(t, R_VS_INVOCATION_COUNT, 0), 0);
    assert_int_equal(reg(t, R_CS_DEBUG_MODE2, 0), 0);
    assert_int_equal(*vgpu_reg(t->g->v, R_L3CNTLREG, 0, 0), reg_table[R_L3CNTLREG].reset);
    run(t, &t->a);
    assert_int_equal(reg(t, R_CS_GPR, 7), 0x1111);
    assert_int_equal(reg(t, R_VS_INVOCATION_COUNT, 0), 0x2222);
    assert_int_equal(reg(t, R_CS_DEBUG_MODE2, 0), 0x20);
    assert_int_equal(*vgpu_reg(t->g->v, R_L3CNTLREG, 0, 0), 0x3333);
}

static void a_copied_image_starts_with_the_same_registers(void **state)
{
    struct env *t = *state; /* i915 starts each context from a copy of one that it has set up */
    uint32_t *from = gm_image(t->g, &t->a), *to = gm_image(t->g, &t->b);

    GM_EMIT(t->g, &t->a, LRI1(R_GEN8_CS_CHICKEN1, 0, 0x00060006));
    run(t, &t->a);
    memcpy(to, from, GM_PAGE);
    to[GM_START] = t->b.ring;
    to[GM_HEAD] = 0;
    to[GM_PDP0_LDW] = (uint32_t)t->b.pml4;
    run(t, &t->b);
    assert_int_equal(reg(t, R_GEN8_CS_CHICKEN1, 0), 6);
}

static void an_image_reaches_context_registers_only(void **state)
{
    struct env *t = *state;
    uint32_t *image = gm_image(t->g, &t->a);
    uint32_t hws = reg(t, R_HWS_PGA, 0);

    image[0x51] = gm_hdr(C_MI_LOAD_REGISTER_IMM, 9); /* replace the first pairs of the last group */
    image[0x52] = gm_reg(VGPU_RCS, R_HWS_PGA, 0);
    image[0x54] = gm_reg(VGPU_BCS, R_CS_GPR, 0);
    image[0x55] = 0x99;
    image[0x56] = reg_off(R_GDRST, 0, 0);
    image[0x57] = 0xff;
    image[0x58] = gm_reg(VGPU_RCS, R_CS_GPR, 1);
    image[0x59] = 0x44;
    image[GM_CTX_CONTROL] = 0x00090008;
    run(t, &t->a);
    assert_int_equal(reg(t, R_HWS_PGA, 0), hws);
    assert_int_equal(*vgpu_reg(t->g->v, R_CS_GPR, VGPU_BCS, 0), 0);
    assert_int_equal(reg(t, R_CS_GPR, 1), 0x44);
    assert_int_equal(image[0x55], 0x99); /* foreign slots are left alone */
}

static void a_forged_save_area_is_harmless(void **state)
{
    struct env *t = *state;
    uint32_t *image = gm_image(t->g, &t->a);

    GM_EMIT(t->g, &t->a, SDI(0, 1));
    run(t, &t->a);
    image[0x201] = 0xffffffff; /* pairs */
    image[0x204] = 0xfffffffc; /* ring return */
    image[0x205] = 0x2ff;      /* level 255 */
    image[0x230] = gm_reg(VGPU_RCS, R_HWS_PGA, 0);
    image[0x231] = 0x123;
    GM_EMIT(t->g, &t->a, SDI(4, 2));
    run(t, &t->a);
    assert_int_equal(*user(t, &t->a, 4), 2);
    assert_int_not_equal(reg(t, R_HWS_PGA, 0), 0x123);
}

static void scratch_belongs_to_the_context(void **state)
{
    struct env *t = *state;

    run(t, &t->a);
    GM_EMIT(t->g, &t->a, 0, 0);
    gm_submit(t->g, &t->a, NULL);
    vgpu_engine_run(t->g->v, VGPU_RCS, 65);
    assert_int_equal(engine(t)->state, ENGINE_RUN);
    vgpu_exec_scratch(&engine(t)->exec)[31] = 0xabc;
    gm_run(t->g, VGPU_RCS, 100, 10);
    run(t, &t->b);
    assert_int_equal(engine(t)->scratch[31], 0);
    run(t, &t->a);
    assert_int_equal(engine(t)->scratch[31], 0xabc);
}

static void timestamp_counts_the_contexts_time(void **state)
{
    struct env *t = *state;

    GM_EMIT(t->g, &t->a, 0, 0);
    gm_submit(t->g, &t->a, NULL);
    vgpu_engine_run(t->g->v, VGPU_RCS, 65);
    t->g->now += 1000000; /* 1 ms at 12 MHz */
    assert_int_equal(gm_mmio_read(t->g, gm_reg(VGPU_RCS, R_CTX_TIMESTAMP, 0)), 12000);
    gm_run(t->g, VGPU_RCS, 100, 10);
    t->g->now += 1000000;
    assert_int_equal(gm_mmio_read(t->g, gm_reg(VGPU_RCS, R_CTX_TIMESTAMP, 0)), 12000);
    assert_int_equal(gm_image(t->g, &t->a)[GM_TIMESTAMP], 12000);
}

/* Preempts context a in its batch at every possible command, runs b, and lets a go on. */
static void a_preempted_batch_resumes_where_it_was(void **state)
{
    const uint32_t first[] = {SDI(0, 1),
                              gm_hdr(C_MI_BATCH_BUFFER_START, 3) | GT_BIT(8) | GT_BIT(22),
                              VA_LO + 0xa00,
                              VA_HI,
                              gm_hdr(C_MI_ATOMIC, 3) | 5 << 8,
                              VA_LO + 4,
                              VA_HI,
                              BBE};
    const uint32_t second[] = {
        gm_hdr(C_MI_ATOMIC, 3) | 5 << 8, VA_LO + 8, VA_HI, gm_hdr(C_MI_ATOMIC, 3) | 5 << 8, VA_LO + 8, VA_HI, BBE};

    for (unsigned stop = 0; stop < 12; stop++) {
        struct env *t = *state;

        memcpy(user(t, &t->a, 0x800), first, sizeof(first));
        memcpy(user(t, &t->a, 0xa00), second, sizeof(second));
        GM_EMIT(t->g, &t->a, BBS(0x800), gm_hdr(C_MI_ATOMIC, 3) | 5 << 8, VA_LO + 12, VA_HI);
        gm_submit(t->g, &t->a, NULL);
        vgpu_engine_run(t->g->v, VGPU_RCS, 64 + stop);
        GM_EMIT(t->g, &t->b, SDI(0, 7));
        run(t, &t->b);
        assert_int_equal(*user(t, &t->b, 0), 7);
        run(t, &t->a);
        assert_int_equal(*user(t, &t->a, 0), 1);
        assert_int_equal(*user(t, &t->a, 4), 1);
        assert_int_equal(*user(t, &t->a, 8), 2);
        assert_int_equal(*user(t, &t->a, 12), 1);
        assert_int_equal(t->g->v->stats.engine[VGPU_RCS].preemptions, stop < 10);
        teardown(state);
        setup(state);
    }
}

static void a_rewound_ring_drops_the_batch_position(void **state)
{
    struct env *t = *state;

    *user(t, &t->a, 0x800) = gm_hdr(C_MI_SEMAPHORE_WAIT, 4) | 4 << 12 | GT_BIT(15);
    *user(t, &t->a, 0x804) = 1;
    *user(t, &t->a, 0x808) = VA_LO;
    *user(t, &t->a, 0x80c) = VA_HI;
    GM_EMIT(t->g, &t->a, BBS(0x800), 0, SDI(8, 3));
    gm_submit(t->g, &t->a, NULL);
    assert_int_equal(gm_run(t->g, VGPU_RCS, 1000, 10), VGPU_RUN_WAIT);
    run(t, &t->b);
    assert_int_equal(gm_image(t->g, &t->a)[GM_HEAD], 0);
    gm_image(t->g, &t->a)[GM_HEAD] = 16; /* the driver skips the request, as after a reset */
    run(t, &t->a);
    assert_int_equal(*user(t, &t->a, 8), 3);
}

static void workaround_batches_run_before_the_ring(void **state)
{
    struct env *t = *state;
    uint64_t gpa = gm_alloc(t->g, 1);
    /* one cache line without an end, as i915's indirect context batch */
    const uint32_t indirect[16] = {gm_hdr(C_MI_ARB_ON_OFF, 1), LRI1(R_CS_GPR, 0, 0x10), gm_hdr(C_MI_ARB_ON_OFF, 1) | 1};
    const uint32_t per_ctx[] = {gm_hdr(C_MI_LOAD_REGISTER_REG, 3), gm_reg(VGPU_RCS, R_CS_GPR, 0),
                                gm_reg(VGPU_RCS, R_CS_GPR, 2), BBE};
    uint32_t *image = gm_image(t->g, &t->a);

    gm_ggtt_map(t->g, 0x3000000, gpa, 1);
    memcpy(gm_dw(t->g, gpa), indirect, sizeof(indirect));
    *gm_dw(t->g, gpa + 64) = 0x1f800000; /* not reached */
    memcpy(gm_dw(t->g, gpa + 128), per_ctx, sizeof(per_ctx));
    image[GM_INDIRECT] = 0x3000000 | 1;
    image[GM_PER_CTX] = 0x3000080 | 1;
    GM_EMIT(t->g, &t->a, gm_hdr(C_MI_STORE_REGISTER_MEM, 4), gm_reg(VGPU_RCS, R_CS_GPR, 2), VA_LO, VA_HI);
    run(t, &t->a);
    assert_int_equal(*user(t, &t->a, 0), 0x10);
}

static void hostile_workaround_batches_end(void **state)
{
    struct env *t = *state;
    uint64_t gpa = gm_alloc(t->g, 1);
    uint32_t *image = gm_image(t->g, &t->a);

    image[GM_PER_CTX] = 0x3000000 | 1; /* not mapped */
    gm_submit(t->g, &t->a, NULL);
    gm_run(t->g, VGPU_RCS, 1000, 100);
    assert_int_equal(engine(t)->state, ENGINE_HUNG);
    vgpu_engine_reset(t->g->v, VGPU_RCS);
    for (unsigned i = 0; i < 8; i++) /* NOOPs, and then what is behind them again and again */
        gm_ggtt_map(t->g, 0x3000000 + i * GM_PAGE, gpa, 1);
    gm_submit(t->g, &t->a, NULL);
    gm_run(t->g, VGPU_RCS, 1000, 100);
    assert_int_equal(engine(t)->state, ENGINE_HUNG);
    vgpu_engine_reset(t->g->v, VGPU_RCS);
    *gm_dw(t->g, gpa) = gm_hdr(C_MI_BATCH_BUFFER_START, 3);
    gm_submit(t->g, &t->a, NULL);
    gm_run(t->g, VGPU_RCS, 1000, 100);
    assert_int_equal(engine(t)->state, ENGINE_HUNG);
}

static void unusable_contexts_hang(void **state)
{
    static const struct {
        unsigned dword;
        uint32_t val;
    } rows[] = {
        {GM_CTL, 0},           /* ring not valid */
        {GM_TAIL, 0x1ff8},     /* tail past the ring */
        {GM_HEAD, 0x1000},     /* head past the ring */
        {GM_START, 0x5000000}, /* ring not mapped */
        {0x01, 0x1f800000},    /* no register list */
    };

    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        struct env *t = *state;

        GM_EMIT(t->g, &t->a, 0, 0);
        gm_image(t->g, &t->a)[GM_TAIL] = t->a.tail;
        gm_image(t->g, &t->a)[rows[i].dword] = rows[i].val;
        gm_elsp(t->g, VGPU_RCS, gm_desc(&t->a), 0);
        assert_int_equal(gm_run(t->g, VGPU_RCS, 1000, 100), VGPU_RUN_IDLE);
        if (engine(t)->state != ENGINE_HUNG)
            fail_msg("row %u", i);
        assert_int_equal(gm_mmio_read(t->g, gm_reg(VGPU_RCS, R_EXECLIST_STATUS_HI, 0)), t->a.id);
        teardown(state);
        setup(state);
    }
}

static void unaligned_ring_positions_are_aligned(void **state)
{
    struct env *t = *state;

    GM_EMIT(t->g, &t->a, SDI(0, 1));
    gm_image(t->g, &t->a)[GM_TAIL] = t->a.tail | 7;
    gm_image(t->g, &t->a)[GM_HEAD] = 3;
    gm_elsp(t->g, VGPU_RCS, gm_desc(&t->a), 0);
    assert_int_equal(gm_run(t->g, VGPU_RCS, 1000, 100), VGPU_RUN_IDLE);
    assert_int_equal(*user(t, &t->a, 0), 1);
}

static void unmapped_images_hang(void **state)
{
    struct env *t = *state;

    gm_elsp(t->g, VGPU_RCS, (uint64_t)5 << 32 | 0x7000019, 0);
    assert_int_equal(gm_run(t->g, VGPU_RCS, 1000, 100), VGPU_RUN_IDLE);
    assert_int_equal(engine(t)->state, ENGINE_HUNG);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(all_context_registers_have_room),
        T(ring_position_is_saved_and_the_tail_is_the_drivers),
        T(restore_inhibit_is_cleared_by_the_first_save),
        T(registers_are_isolated_and_preserved),
        T(a_copied_image_starts_with_the_same_registers),
        T(an_image_reaches_context_registers_only),
        T(a_forged_save_area_is_harmless),
        T(scratch_belongs_to_the_context),
        T(timestamp_counts_the_contexts_time),
        T(a_preempted_batch_resumes_where_it_was),
        T(a_rewound_ring_drops_the_batch_position),
        T(workaround_batches_run_before_the_ring),
        T(hostile_workaround_batches_end),
        T(unusable_contexts_hang),
        T(unaligned_ring_positions_are_aligned),
        T(unmapped_images_hang),
    };

    return cmocka_run_group_tests_name("context", tests, NULL, NULL);
}
