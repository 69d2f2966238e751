/* The command streamer: fetching, batch levels, privileges, faults, and what a caller learns about waiting. */
#include "guestmem.h"

#define VA_LO         ((uint32_t)GM_USER_VA)
#define VA_HI         ((uint32_t)(GM_USER_VA >> 32))
#define PPGTT         GT_BIT(8)
#define SECOND        GT_BIT(22)
#define BBS(off)      gm_hdr(C_MI_BATCH_BUFFER_START, 3) | PPGTT, VA_LO + (off), VA_HI
#define BBE           gm_hdr(C_MI_BATCH_BUFFER_END, 1)
#define SDI(off, val) gm_hdr(C_MI_STORE_DATA_IMM, 4), VA_LO + (off), VA_HI, val

struct env {
    struct guest *g;
    uint64_t hws;
    struct gm_ctx c;
};

static int setup(void **state)
{
    struct env *t = calloc(1, sizeof(*t));

    t->g = gm_new();
    t->hws = gm_engine_up(t->g, VGPU_RCS);
    t->c = gm_context(t->g, VGPU_RCS, 1, 1);
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

static enum vgpu_run run(struct env *t)
{
    gm_submit(t->g, &t->c, NULL);
    return gm_run(t->g, VGPU_RCS, 1000, 100);
}

static struct vgpu_engine *engine(struct env *t)
{
    return &t->g->v->engine[VGPU_RCS];
}

static bool hung(struct env *t)
{
    return engine(t)->state == ENGINE_HUNG;
}

static uint32_t *user(struct env *t, unsigned byte)
{
    return gm_dw(t->g, t->c.user + byte);
}

static void put(struct env *t, unsigned byte, const uint32_t *dw, unsigned n)
{
    memcpy(user(t, byte), dw, 4 * n);
}
#define PUT(t, byte, ...)                                                                                              \
    do {                                                                                                               \
        const uint32_t dwords[] = {__VA_ARGS__};                                                                       \
        put(t, byte, dwords, GT_ARRAY_SIZE(dwords));                                                                   \
    } while (0)

static uint32_t rcs(struct env *t, enum reg_id id)
{
    return gm_mmio_read(t->g, gm_reg(VGPU_RCS, id, 0));
}

static void commands_wrap_at_the_ring_end(void **state)
{
    struct env *t = *state;

    for (unsigned i = 0; i < GM_PAGE / 4 - 2; i += 2)
        GM_EMIT(t->g, &t->c, 0, 0);
    assert_int_equal(run(t), VGPU_RUN_IDLE);
    assert_int_equal(t->c.tail, GM_PAGE - 8);
    GM_EMIT(t->g, &t->c, SDI(0, 0x12345678)); /* two dwords at the end, two at the start */
    assert_int_equal(run(t), VGPU_RUN_IDLE);
    assert_false(hung(t));
    assert_int_equal(*user(t, 0), 0x12345678);
    assert_int_equal(rcs(t, R_HEAD), 8);
}

static void batch_returns_behind_its_start(void **state)
{
    struct env *t = *state;

    PUT(t, 0x800, SDI(0, 1), BBE, SDI(4, 99));
    GM_EMIT(t->g, &t->c, BBS(0x800), SDI(8, 2));
    run(t);
    assert_int_equal(*user(t, 0), 1);
    assert_int_equal(*user(t, 4), 0);
    assert_int_equal(*user(t, 8), 2);
    assert_int_equal(t->g->v->stats.engine[VGPU_RCS].batches, 1);
}

static void chained_batches_jump(void **state)
{
    struct env *t = *state;

    PUT(t, 0x800, BBS(0xa00), SDI(0, 99), BBE);
    PUT(t, 0xa00, SDI(4, 1), BBE);
    GM_EMIT(t->g, &t->c, BBS(0x800), SDI(8, 2));
    run(t);
    assert_int_equal(*user(t, 0), 0);
    assert_int_equal(*user(t, 4), 1);
    assert_int_equal(*user(t, 8), 2);
}

static void second_level_batches_return_to_the_first(void **state)
{
    struct env *t = *state;

    PUT(t, 0x800, gm_hdr(C_MI_BATCH_BUFFER_START, 3) | PPGTT | SECOND, VA_LO + 0xa00, VA_HI, SDI(0, 1), BBE);
    PUT(t, 0xa00, SDI(4, 2), gm_hdr(C_MI_BATCH_BUFFER_START, 3) | PPGTT | SECOND, VA_LO + 0xc00, VA_HI, SDI(12, 99));
    PUT(t, 0xc00, SDI(8, 3), BBE); /* a third level is a jump within the second */
    GM_EMIT(t->g, &t->c, BBS(0x800));
    run(t);
    assert_int_equal(*user(t, 0), 1);
    assert_int_equal(*user(t, 4), 2);
    assert_int_equal(*user(t, 8), 3);
    assert_int_equal(*user(t, 12), 0);
    assert_false(hung(t));
}

/* anv writes the return address of a secondary batch just before it jumps (facts/command-streams.md). */
static void batches_see_stores_to_themselves(void **state)
{
    struct env *t = *state;

    PUT(t, 0x800, SDI(0x814, VA_LO + 0xa00), gm_hdr(C_MI_BATCH_BUFFER_START, 3) | PPGTT, 0, VA_HI);
    PUT(t, 0xa00, SDI(0, 5), BBE);
    GM_EMIT(t->g, &t->c, BBS(0x800));
    run(t);
    assert_false(hung(t));
    assert_int_equal(*user(t, 0), 5);
}

static void batch_end_in_the_ring_is_ignored(void **state)
{
    struct env *t = *state;

    GM_EMIT(t->g, &t->c, BBE, SDI(0, 1));
    run(t);
    assert_int_equal(*user(t, 0), 1);
}

static void conditional_batch_end(void **state)
{
    struct env *t = *state;
    const uint32_t cbbe = gm_hdr(C_MI_CONDITIONAL_BATCH_BUFFER_END, 4) | GT_BIT(21);

    PUT(t, 0x100, 5, 0xffffffff, 0x0000ff00, 0x12345678);
    PUT(t, 0x800, cbbe, 4, VA_LO + 0x100, VA_HI, SDI(0, 1),                /* 5 > 4: goes on */
        cbbe | GT_BIT(19), 0x5600, VA_LO + 0x108, VA_HI, SDI(4, 99), BBE); /* masked: 0x5600 > 0x5600 is false */
    GM_EMIT(t->g, &t->c, BBS(0x800), SDI(8, 2));
    run(t);
    assert_int_equal(*user(t, 0), 1);
    assert_int_equal(*user(t, 4), 0);
    assert_int_equal(*user(t, 8), 2);
}

static void conditional_batch_end_leaves_both_levels(void **state)
{
    struct env *t = *state;

    PUT(t, 0x800, gm_hdr(C_MI_BATCH_BUFFER_START, 3) | PPGTT | SECOND, VA_LO + 0xa00, VA_HI, SDI(0, 99), BBE);
    PUT(t, 0xa00, gm_hdr(C_MI_CONDITIONAL_BATCH_BUFFER_END, 4) | GT_BIT(21), 4, VA_LO + 0x100, VA_HI, BBE);
    GM_EMIT(t->g, &t->c, BBS(0x800), SDI(8, 2));
    run(t);
    assert_int_equal(*user(t, 0), 0);
    assert_int_equal(*user(t, 8), 2);
}

/* An IGT spinner: runs until the CPU makes the condition false. */
static void spinning_batch_waits_until_the_cpu_ends_it(void **state)
{
    struct env *t = *state;

    *user(t, 0x100) = 0xffffffff;
    PUT(t, 0x800, gm_hdr(C_MI_ARB_CHECK, 1), gm_hdr(C_MI_CONDITIONAL_BATCH_BUFFER_END, 4) | GT_BIT(21), 0x05000000,
        VA_LO + 0x100, VA_HI, BBS(0x800));
    GM_EMIT(t->g, &t->c, BBS(0x800), SDI(0, 1));
    assert_int_equal(run(t), VGPU_RUN_WAIT);
    assert_int_equal(*user(t, 0), 0);
    assert_int_equal(rcs(t, R_ACTHD_UDW), VA_HI);
    assert_in_range(rcs(t, R_ACTHD), VA_LO + 0x800, VA_LO + 0x820);
    assert_true(rcs(t, R_BBADDR) & 1);
    assert_true(rcs(t, R_BBSTATE) & GT_BIT(5));
    assert_false(rcs(t, R_MI_MODE) & GT_BIT(9));
    *user(t, 0x100) = 0;
    assert_int_equal(gm_run(t->g, VGPU_RCS, 1000, 10), VGPU_RUN_IDLE);
    assert_int_equal(*user(t, 0), 1);
}

static void loops_that_write_do_not_wait(void **state)
{
    struct env *t = *state;

    PUT(t, 0x800, SDI(0, 1), BBS(0x800));
    GM_EMIT(t->g, &t->c, BBS(0x800));
    gm_submit(t->g, &t->c, NULL);
    assert_int_equal(vgpu_engine_run(t->g->v, VGPU_RCS, 100), VGPU_RUN_MORE);
    assert_int_equal(vgpu_engine_run(t->g->v, VGPU_RCS, 100), VGPU_RUN_MORE);
}

/* Whoever changes the memory map cannot wait for a slice of any length; the batch goes on afterwards. */
static void a_thread_that_is_wanted_out_leaves_and_goes_on_later(void **state)
{
    struct env *t = *state;

    PUT(t, 0x800, SDI(0, 1), SDI(4, 2), BBE);
    GM_EMIT(t->g, &t->c, BBS(0x800), SDI(8, 3));
    gm_submit(t->g, &t->c, NULL);
    vgpu_engine_leave(t->g->v, VGPU_RCS);
    assert_int_equal(vgpu_engine_run(t->g->v, VGPU_RCS, 1000), VGPU_RUN_MORE);
    assert_int_equal(*user(t, 0), 0);
    assert_int_equal(vgpu_engine_run(t->g->v, VGPU_RCS, 1000), VGPU_RUN_IDLE);
    assert_int_equal(*user(t, 8), 3);
    vgpu_engine_leave(t->g->v, VGPU_ENGINES); /* no such engine */
}

static void long_batches_of_noops_do_not_wait(void **state)
{
    struct env *t = *state;

    GM_EMIT(t->g, &t->c, BBS(0x400)); /* 767 NOOPs, then the page ends: BBE as last dword */
    *user(t, 0xffc) = BBE;
    gm_submit(t->g, &t->c, NULL);
    assert_int_equal(vgpu_engine_run(t->g->v, VGPU_RCS, 100), VGPU_RUN_MORE);
}

static void ggtt_batches_are_privileged_and_ppgtt_batches_cannot_become_so(void **state)
{
    struct env *t = *state;
    uint64_t gpa = gm_alloc(t->g, 1);
    const uint32_t arb_off[] = {gm_hdr(C_MI_ARB_ON_OFF, 1), SDI(0, 1), BBE};

    gm_ggtt_map(t->g, 0x3000000, gpa, 1);
    memcpy(gm_dw(t->g, gpa), arb_off, sizeof(arb_off));
    PUT(t, 0x800, gm_hdr(C_MI_BATCH_BUFFER_START, 3), 0x3000000, 0); /* reaches PPGTT 0x3000000: unmapped */
    GM_EMIT(t->g, &t->c, gm_hdr(C_MI_BATCH_BUFFER_START, 3), 0x3000000, 0);
    run(t);
    assert_false(engine(t)->arbitration);
    assert_int_equal(*user(t, 0), 1);
    GM_EMIT(t->g, &t->c, BBS(0x800));
    run(t);
    assert_true(hung(t));
    assert_true(engine(t)->fault_mem);
}

static void payload_goes_to_the_backend(void **state)
{
    struct env *t = *state;

    GM_EMIT(t->g, &t->c, gm_hdr(C_PIPELINE_SELECT, 1), gm_hdr(C_STATE_BASE_ADDRESS, 19));
    for (unsigned i = 0; i < 18; i += 2)
        GM_EMIT(t->g, &t->c, 0, 0);
    run(t);
    assert_false(hung(t));
    assert_int_equal(t->g->payloads, 2);
    assert_int_equal(t->g->last_payload, C_STATE_BASE_ADDRESS);
}

static void payload_that_asks_again_is_called_again(void **state)
{
    struct env *t = *state;

    t->g->payload_result = VGPU_PAYLOAD_AGAIN;
    GM_EMIT(t->g, &t->c, gm_hdr(C_PIPELINE_SELECT, 1));
    gm_submit(t->g, &t->c, NULL);
    assert_int_equal(vgpu_engine_run(t->g->v, VGPU_RCS, 1000), VGPU_RUN_MORE);
    assert_int_equal(vgpu_engine_run(t->g->v, VGPU_RCS, 1000), VGPU_RUN_MORE);
    assert_int_equal(t->g->payloads, 2);
    t->g->payload_result = VGPU_PAYLOAD_DONE;
    assert_int_equal(vgpu_engine_run(t->g->v, VGPU_RCS, 1000), VGPU_RUN_IDLE);
    assert_int_equal(t->g->payloads, 3);
}

static void payload_fault_hangs(void **state)
{
    struct env *t = *state;

    t->g->payload_result = VGPU_PAYLOAD_FAULT;
    GM_EMIT(t->g, &t->c, gm_hdr(C_PIPELINE_SELECT, 1));
    run(t);
    assert_true(hung(t));
}

static void who_is_given_up_hangs(void **state)
{
    struct env *t = *state;

    vgpu_engine_give_up(t->g->v, VGPU_RCS); /* there is nothing yet: no effect on what comes */
    assert_int_equal(vgpu_engine_run(t->g->v, VGPU_RCS, 1000), VGPU_RUN_IDLE);
    t->g->payload_result = VGPU_PAYLOAD_AGAIN;
    GM_EMIT(t->g, &t->c, gm_hdr(C_PIPELINE_SELECT, 1));
    assert_int_equal(run(t), VGPU_RUN_MORE);
    assert_int_equal(vgpu_engine_run(t->g->v, VGPU_RCS, 1000), VGPU_RUN_MORE);
    assert_false(hung(t));
    vgpu_engine_give_up(t->g->v, VGPU_RCS);
    assert_int_equal(vgpu_engine_run(t->g->v, VGPU_RCS, 1000), VGPU_RUN_IDLE);
    assert_true(hung(t));
    vgpu_engine_give_up(t->g->v, VGPU_ENGINES); /* no such engine */
}

static void unknown_commands_hang_with_an_error_interrupt(void **state)
{
    struct env *t = *state;

    *vgpu_reg(t->g->v, R_GEN8_GT_IMR, 0, 0) = 0;
    GM_EMIT(t->g, &t->c, 0, 0, 0x1f800000, 0, SDI(0, 1));
    assert_int_equal(run(t), VGPU_RUN_IDLE);
    assert_true(hung(t));
    assert_int_equal(*user(t, 0), 0);
    assert_int_equal(rcs(t, R_IPEHR), 0x1f800000);
    assert_int_equal(rcs(t, R_HEAD), 8);
    assert_int_equal(rcs(t, R_ACTHD), t->c.ring + 8);
    assert_int_equal(rcs(t, R_EIR), 1);
    assert_int_equal(rcs(t, R_EXECLIST_STATUS_HI), t->c.id);
    assert_true(*vgpu_reg(t->g->v, R_GEN8_GT_IIR, 0, 0) & GT_BIT(3));
    assert_int_equal(t->g->v->stats.engine[VGPU_RCS].hangs, 1);
}

static void hostile_lengths_hang(void **state)
{
    static const struct {
        enum cmd_id id;
        uint32_t n;
    } rows[] = {
        {C_MI_STORE_DATA_IMM, 2},
        {C_MI_STORE_DATA_IMM, 3},
        {C_MI_LOAD_REGISTER_IMM, 2},
        {C_MI_SEMAPHORE_WAIT, 3},
        {C_MI_ATOMIC, 2},
        {C_MI_ATOMIC, 12},
        {C_MI_COPY_MEM_MEM, 4},
        {C_MI_BATCH_BUFFER_START, 2},
        {C_MI_BATCH_BUFFER_START, 4},
        {C_PIPE_CONTROL, 2},
        {C_MI_STORE_DATA_IMM, 1025},
        {C_MI_LOAD_REGISTER_IMM, 257},
    };

    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        struct env *t = *state;

        GM_EMIT(t->g, &t->c, gm_hdr(rows[i].id, rows[i].n), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
        run(t);
        if (!hung(t))
            fail_msg("%s of %u dwords", cmd_table[rows[i].id].name, rows[i].n);
        teardown(state);
        setup(state);
    }
}

static void long_store_data_imm_is_executed_whole(void **state)
{
    struct env *t = *state;

    *user(t, 0x10) = gm_hdr(C_MI_STORE_DATA_IMM, 403) | GT_BIT(21);
    *user(t, 0x14) = VA_LO + 0x800;
    *user(t, 0x18) = VA_HI;
    for (unsigned i = 0; i < 400; i++)
        *user(t, 0x1c + 4 * i) = i + 1;
    *user(t, 0x1c + 1600) = BBE;
    GM_EMIT(t->g, &t->c, BBS(0x10));
    run(t);
    assert_false(hung(t));
    for (unsigned i = 0; i < 400; i++)
        assert_int_equal(*user(t, 0x800 + 4 * i), i + 1);
}

static void batch_that_runs_off_its_pages_hangs(void **state)
{
    struct env *t = *state;

    GM_EMIT(t->g, &t->c, BBS(0x800));
    run(t);
    assert_true(hung(t));
    assert_int_equal(rcs(t, R_DMA_FADD), VA_LO + 0x1000);
    assert_int_equal(rcs(t, R_DMA_FADD_UDW), VA_HI);
    assert_int_equal(rcs(t, R_EIR), 0);
}

static void batch_start_loop_stays_within_the_budget(void **state)
{
    struct env *t = *state;

    PUT(t, 0x800, BBS(0x800));
    GM_EMIT(t->g, &t->c, BBS(0x800));
    gm_submit(t->g, &t->c, NULL);
    assert_int_equal(vgpu_engine_run(t->g->v, VGPU_RCS, 500), VGPU_RUN_WAIT);
    assert_in_range(t->g->v->stats.engine[VGPU_RCS].commands, 400, 500);
}

static void random_rings_never_escape(void **state)
{
    uint32_t x = 12345;

    for (unsigned round = 0; round < 300; round++) {
        struct env *t = *state;

        for (unsigned i = 0; i < GM_PAGE / 4; i++) {
            x ^= x << 13, x ^= x >> 17, x ^= x << 5;
            *gm_dw(t->g, t->c.ring_gpa + 4 * i) = x & 4 ? cmd_table[x % C_COUNT].op | (x >> 8 & 0x3f) : x;
            *user(t, 4 * i) = x & 2 ? cmd_table[(x >> 3) % C_COUNT].op | (x >> 9 & 0x7) : VA_LO + (x & 0xff0);
        }
        t->c.tail = GM_PAGE - 8;
        gm_image(t->g, &t->c)[GM_HEAD] = 0;
        run(t);
        t->g->held = false;
        vgpu_engine_reset(t->g->v, VGPU_RCS);
        gm_mmio_write(t->g, gm_reg(VGPU_RCS, R_HWS_PGA, 0), 0x01000000);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(commands_wrap_at_the_ring_end),
        T(batch_returns_behind_its_start),
        T(chained_batches_jump),
        T(second_level_batches_return_to_the_first),
        T(batches_see_stores_to_themselves),
        T(batch_end_in_the_ring_is_ignored),
        T(conditional_batch_end),
        T(conditional_batch_end_leaves_both_levels),
        T(spinning_batch_waits_until_the_cpu_ends_it),
        T(loops_that_write_do_not_wait),
        T(a_thread_that_is_wanted_out_leaves_and_goes_on_later),
        T(long_batches_of_noops_do_not_wait),
        T(ggtt_batches_are_privileged_and_ppgtt_batches_cannot_become_so),
        T(payload_goes_to_the_backend),
        T(payload_that_asks_again_is_called_again),
        T(payload_fault_hangs),
        T(who_is_given_up_hangs),
        T(unknown_commands_hang_with_an_error_interrupt),
        T(hostile_lengths_hang),
        T(long_store_data_imm_is_executed_whole),
        T(batch_that_runs_off_its_pages_hangs),
        T(batch_start_loop_stays_within_the_budget),
        T(random_rings_never_escape),
    };

    return cmocka_run_group_tests_name("cs", tests, NULL, NULL);
}
