/* Each MI command: what it does to memory, registers and interrupts, from the ring, and from unprivileged batches. */
#include "guestmem.h"

#define VA_LO       ((uint32_t)GM_USER_VA)
#define VA_HI       ((uint32_t)(GM_USER_VA >> 32))
#define PPGTT_BATCH GT_BIT(8)

struct env {
    struct guest *g;
    uint64_t hws;
    struct gm_ctx c;
    unsigned engine;
};

static int setup_on(void **state, unsigned engine)
{
    struct env *t = calloc(1, sizeof(*t));

    t->g = gm_new();
    t->engine = engine;
    t->hws = gm_engine_up(t->g, engine);
    t->c = gm_context(t->g, engine, 1, 4);
    *state = t;
    return 0;
}

static int setup(void **state)
{
    return setup_on(state, VGPU_RCS);
}

static int setup_bcs(void **state)
{
    return setup_on(state, VGPU_BCS);
}

static int teardown(void **state)
{
    struct env *t = *state;

    gm_free(t->g);
    free(t);
    return 0;
}

static void run(struct env *t)
{
    gm_submit(t->g, &t->c, NULL);
    assert_int_equal(gm_run(t->g, t->engine, 1000, 100), VGPU_RUN_IDLE);
}

#define RUN(t, ...)                                                                                                    \
    do {                                                                                                               \
        GM_EMIT((t)->g, &(t)->c, __VA_ARGS__);                                                                         \
        run(t);                                                                                                        \
    } while (0)

static bool hung(struct env *t)
{
    return t->g->v->engine[t->engine].state == ENGINE_HUNG;
}

/* The user page, as dwords. */
static uint32_t *user(struct env *t, unsigned dword)
{
    return gm_dw(t->g, t->c.user + 4 * dword);
}

static uint32_t reg(struct env *t, enum reg_id id, unsigned elem)
{
    return *vgpu_reg(t->g->v, id, t->engine, elem);
}

static uint32_t off(struct env *t, enum reg_id id, unsigned elem)
{
    return gm_reg(t->engine, id, elem);
}

/* Runs dwords as an unprivileged batch that lies in the second half of the user page. */
static void run_user_batch(struct env *t, const uint32_t *dw, unsigned n)
{
    memcpy(user(t, 512), dw, 4 * n);
    *user(t, 512 + n) = gm_hdr(C_MI_BATCH_BUFFER_END, 1);
    RUN(t, gm_hdr(C_MI_BATCH_BUFFER_START, 3) | PPGTT_BATCH, VA_LO + 2048, VA_HI);
}
#define USER_BATCH(t, ...)                                                                                             \
    do {                                                                                                               \
        const uint32_t batch[] = {__VA_ARGS__};                                                                        \
        run_user_batch(t, batch, GT_ARRAY_SIZE(batch));                                                                \
    } while (0)

static void noop_can_write_its_id(void **state)
{
    struct env *t = *state;

    RUN(t, 0x00400000 | 0x1234, 0);
    assert_int_equal(reg(t, R_NOPID, 0), 0x1234);
}

static void store_data_imm_dword_qword_and_many(void **state)
{
    struct env *t = *state;

    RUN(t, gm_hdr(C_MI_STORE_DATA_IMM, 4), VA_LO, VA_HI, 0x11111111, 0);
    RUN(t, gm_hdr(C_MI_STORE_DATA_IMM, 5) | GT_BIT(21), VA_LO + 8, VA_HI, 0x22222222, 0x33333333);
    RUN(t, gm_hdr(C_MI_STORE_DATA_IMM, 7) | GT_BIT(21), VA_LO + 16, VA_HI, 1, 2, 3, 4);
    assert_int_equal(*user(t, 0), 0x11111111);
    assert_int_equal(*user(t, 2), 0x22222222);
    assert_int_equal(*user(t, 3), 0x33333333);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(*user(t, 4 + i), i + 1);
}

static void store_data_imm_to_the_ggtt(void **state)
{
    struct env *t = *state;
    uint64_t gpa = gm_alloc(t->g, 1);

    gm_ggtt_map(t->g, 0x3000000, gpa, 1);
    RUN(t, gm_hdr(C_MI_STORE_DATA_IMM, 4) | GT_BIT(22), 0x3000010, 0, 0xabc);
    assert_int_equal(*gm_dw(t->g, gpa + 16), 0xabc);
}

static void user_batches_cannot_store_to_the_ggtt(void **state)
{
    struct env *t = *state;
    uint64_t gpa = gm_alloc(t->g, 1);

    gm_ggtt_map(t->g, 0x3000000, gpa, 1);
    USER_BATCH(t, gm_hdr(C_MI_STORE_DATA_IMM, 4) | GT_BIT(22), 0x3000010, 0, 0xabc,
               gm_hdr(C_MI_STORE_REGISTER_MEM, 4) | GT_BIT(22), off(t, R_TIMESTAMP, 0), 0x3000010, 0,
               gm_hdr(C_MI_COPY_MEM_MEM, 5) | GT_BIT(21), 0x3000010, 0, VA_LO, VA_HI,
               gm_hdr(C_MI_ATOMIC, 3) | GT_BIT(22) | 5 << 8, 0x3000010, 0, gm_hdr(C_MI_STORE_DATA_IMM, 4), VA_LO, VA_HI,
               77);
    assert_int_equal(*gm_dw(t->g, gpa + 16), 0);
    assert_int_equal(*user(t, 0), 77); /* the rest of the batch runs */
    assert_true(reg(t, R_ESR, 0) & 4);
    gm_mmio_write(t->g, off(t, R_EIR, 0), ~0u);
    assert_int_equal(reg(t, R_ESR, 0), 0);
}

static void store_data_index_goes_to_the_status_pages(void **state)
{
    struct env *t = *state;

    RUN(t, gm_hdr(C_MI_STORE_DATA_INDEX, 3), 0x100, 0x55);
    RUN(t, gm_hdr(C_MI_STORE_DATA_INDEX, 3) | GT_BIT(21), 0x100, 0x66);
    assert_int_equal(*gm_dw(t->g, t->hws + 0x100), 0x55);
    assert_int_equal(*gm_dw(t->g, t->c.image + 0x100), 0x66);
}

static void copy_mem_mem(void **state)
{
    struct env *t = *state;

    *user(t, 9) = 0xfeed;
    RUN(t, gm_hdr(C_MI_COPY_MEM_MEM, 5), VA_LO + 4, VA_HI, VA_LO + 36, VA_HI);
    assert_int_equal(*user(t, 1), 0xfeed);
}

static void update_gtt_writes_entries_and_is_privileged(void **state)
{
    struct env *t = *state;
    uint64_t *pte = &t->g->v->gtt[0x400000 / GM_PAGE];

    USER_BATCH(t, gm_hdr(C_MI_UPDATE_GTT, 4), 0x400000, 0x5003, 1);
    assert_int_equal(*pte, 0);
    RUN(t, gm_hdr(C_MI_UPDATE_GTT, 6), 0x400000, 0x5003, 1, 0x6003, 0);
    assert_int_equal(pte[0], 0x100005003);
    assert_int_equal(pte[1], 0x6003);
    RUN(t, gm_hdr(C_MI_UPDATE_GTT, 6), 0xfffff000, 0x5003, 1, 0x7003, 0); /* wraps inside the table */
    assert_int_equal(t->g->v->gtt[0xfffff], 0x100005003);
    assert_int_equal(t->g->v->gtt[0], 0x7003);
}

static void load_register_imm_with_byte_disables(void **state)
{
    struct env *t = *state;

    RUN(t, gm_hdr(C_MI_LOAD_REGISTER_IMM, 5), off(t, R_CS_GPR, 0), 0x11223344, off(t, R_CS_GPR, 1), 0x55667788);
    assert_int_equal(reg(t, R_CS_GPR, 0), 0x11223344);
    assert_int_equal(reg(t, R_CS_GPR, 1), 0x55667788);
    RUN(t, gm_hdr(C_MI_LOAD_REGISTER_IMM, 3) | 0x5 << 8, off(t, R_CS_GPR, 0), 0xaabbccdd);
    assert_int_equal(reg(t, R_CS_GPR, 0), 0xaa22cc44);
}

static void load_register_imm_past_the_registers_is_dropped(void **state)
{
    struct env *t = *state;

    RUN(t, gm_hdr(C_MI_LOAD_REGISTER_IMM, 7), 0x7ffffc, 1, 0x1ffffc, 2, off(t, R_CS_GPR, 0), 3);
    assert_false(hung(t));
    assert_int_equal(reg(t, R_CS_GPR, 0), 3);
}

static void command_streamers_cannot_submit_or_move_the_ring(void **state)
{
    struct env *t = *state;

    RUN(t, gm_hdr(C_MI_LOAD_REGISTER_IMM, 9), off(t, R_ELSP, 0), 1, off(t, R_TAIL, 0), 0x800, off(t, R_HEAD, 0), 0x800,
        off(t, R_HWS_PGA, 0), 0);
    assert_int_equal(t->g->v->engine[t->engine].elsp_count, 0);
    assert_false(hung(t));
    assert_int_not_equal(reg(t, R_HWS_PGA, 0), 0);
}

static void user_batches_write_user_registers_only(void **state)
{
    struct env *t = *state;

    USER_BATCH(t, gm_hdr(C_MI_LOAD_REGISTER_IMM, 7), off(t, R_CS_GPR, 0), 5, off(t, R_MODE_GEN7, 0), 0xffff0000,
               off(t, R_GEN8_CS_CHICKEN1, 0), 0x00010001);
    assert_int_equal(reg(t, R_CS_GPR, 0), 5);
    assert_int_equal(reg(t, R_MODE_GEN7, 0), 0x8000);
    assert_int_equal(reg(t, R_GEN8_CS_CHICKEN1, 0), 0);
    gm_mmio_write(t->g, off(t, R_FORCE_TO_NONPRIV, 0), off(t, R_GEN8_CS_CHICKEN1, 0));
    USER_BATCH(t, gm_hdr(C_MI_LOAD_REGISTER_IMM, 3), off(t, R_GEN8_CS_CHICKEN1, 0), 0x00010001);
    assert_int_equal(reg(t, R_GEN8_CS_CHICKEN1, 0), 1);
}

static void user_batches_cannot_reach_other_engines(void **state)
{
    struct env *t = *state; /* on BCS */

    USER_BATCH(t, gm_hdr(C_MI_LOAD_REGISTER_IMM, 3), reg_off(R_CS_GPR, VGPU_RCS, 0), 5,
               gm_hdr(C_MI_LOAD_REGISTER_IMM, 3), off(t, R_CS_GPR, 0), 6);
    assert_int_equal(*vgpu_reg(t->g->v, R_CS_GPR, VGPU_RCS, 0), 0);
    assert_int_equal(reg(t, R_CS_GPR, 0), 6);
}

static void registers_to_and_from_memory(void **state)
{
    struct env *t = *state;

    *user(t, 1) = 0xc0ffee;
    RUN(t, gm_hdr(C_MI_LOAD_REGISTER_MEM, 4), off(t, R_CS_GPR, 4), VA_LO + 4, VA_HI, gm_hdr(C_MI_LOAD_REGISTER_REG, 3),
        off(t, R_CS_GPR, 4), off(t, R_CS_GPR, 5), gm_hdr(C_MI_STORE_REGISTER_MEM, 4), off(t, R_CS_GPR, 5), VA_LO + 8,
        VA_HI);
    assert_int_equal(*user(t, 2), 0xc0ffee);
}

static void store_register_mem_obeys_the_predicate(void **state)
{
    struct env *t = *state;

    *vgpu_reg(t->g->v, R_MI_PREDICATE_RESULT, 0, 0) = 0;
    RUN(t, gm_hdr(C_MI_LOAD_REGISTER_IMM, 5), off(t, R_CS_GPR, 0), 9, off(t, R_MI_PREDICATE_RESULT, 0), 0,
        gm_hdr(C_MI_STORE_REGISTER_MEM, 4) | GT_BIT(21), off(t, R_CS_GPR, 0), VA_LO, VA_HI,
        gm_hdr(C_MI_LOAD_REGISTER_IMM, 3), off(t, R_MI_PREDICATE_RESULT, 0), 1,
        gm_hdr(C_MI_STORE_REGISTER_MEM, 4) | GT_BIT(21), off(t, R_CS_GPR, 0), VA_LO + 4, VA_HI);
    assert_int_equal(*user(t, 0), 0);
    assert_int_equal(*user(t, 1), 9);
}

#define ALU(op, a, b) ((uint32_t)(op) << 20 | (a) << 10 | (b))
enum { A = 0x20, B = 0x21, ACCU = 0x31, ZF = 0x32, CF = 0x33 };
enum {
    LOAD = 0x080,
    LOADINV = 0x480,
    LOAD0 = 0x081,
    LOAD1 = 0x481,
    ADD = 0x100,
    SUB,
    AND,
    OR,
    XOR,
    STORE = 0x180,
    STOREINV = 0x580
};

static uint64_t gpr(struct env *t, unsigned i)
{
    return (uint64_t)reg(t, R_CS_GPR, 2 * i + 1) << 32 | reg(t, R_CS_GPR, 2 * i);
}

static void math_operations(void **state)
{
    struct env *t = *state;
    static const struct {
        unsigned op;
        uint64_t a, b, accu;
        bool zero, carry;
    } rows[] = {
        {ADD, 2, 3, 5, false, false},
        {ADD, UINT64_MAX, 1, 0, true, true},
        {SUB, 5, 5, 0, true, false},
        {SUB, 3, 5, UINT64_MAX - 1, false, true},
        {AND, 0xf0f0, 0xff00, 0xf000, false, false},
        {OR, 0xf0f0, 0xff00, 0xfff0, false, false},
        {XOR, 0xf0f0f0f0f0, 0xf0f0f0f0f0, 0, true, false},
    };

    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        uint32_t a = off(t, R_CS_GPR, 0);

        RUN(t, gm_hdr(C_MI_LOAD_REGISTER_IMM, 9), a, (uint32_t)rows[i].a, a + 4, (uint32_t)(rows[i].a >> 32), a + 8,
            (uint32_t)rows[i].b, a + 12, (uint32_t)(rows[i].b >> 32), gm_hdr(C_MI_MATH, 8), ALU(LOAD, A, 0),
            ALU(LOAD, B, 1), ALU(rows[i].op, 0, 0), ALU(STORE, 2, ACCU), ALU(STORE, 3, ZF), ALU(STORE, 15, CF),
            ALU(STOREINV, 4, ACCU));
        assert_int_equal(gpr(t, 2), rows[i].accu);
        assert_int_equal(gpr(t, 3), rows[i].zero ? UINT64_MAX : 0);
        assert_int_equal(gpr(t, 15), rows[i].carry ? UINT64_MAX : 0);
        assert_int_equal(gpr(t, 4), ~rows[i].accu);
    }
    RUN(t, gm_hdr(C_MI_MATH, 5), ALU(LOAD0, A, 0), ALU(LOAD1, B, 0), ALU(OR, 0, 0), ALU(STORE, 5, ACCU));
    assert_int_equal(gpr(t, 5), UINT64_MAX);
    RUN(t, gm_hdr(C_MI_MATH, 5), ALU(LOADINV, A, 5), ALU(LOAD0, B, 0), ALU(ADD, 0, 0), ALU(STORE, 5, ACCU));
    assert_int_equal(gpr(t, 5), 0);
}

static void math_with_an_unknown_instruction_hangs(void **state)
{
    struct env *t = *state;

    RUN(t, gm_hdr(C_MI_MATH, 2), ALU(0x7ff, 0, 0));
    assert_true(hung(t));
}

static void math_ignores_operands_that_do_not_exist(void **state)
{
    struct env *t = *state;

    RUN(t, gm_hdr(C_MI_MATH, 4), ALU(LOAD, 0x3ff, 0x3ff), ALU(STORE, 0x3ff, ACCU), ALU(STORE, 0, 0x3ff));
    assert_false(hung(t));
    assert_int_equal(gpr(t, 0), 0);
}

static void predicate_table(void **state)
{
    struct env *t = *state;
    enum { KEEP = 0, LD = 2 << 6, LDI = 3 << 6, SET = 0, CAND = 1 << 3, COR = 2 << 3, CXOR = 3 << 3 };
    static const struct {
        uint32_t bits, before, after;
    } rows[] = {
        {LD | SET | 0, 0, 1},   {LD | SET | 1, 1, 0},  {LD | SET | 2, 0, 1},  {LDI | SET | 2, 1, 0},
        {KEEP | SET | 0, 0, 0}, {LD | CAND | 0, 0, 0}, {LD | CAND | 2, 1, 1}, {LD | COR | 1, 1, 1},
        {LD | CXOR | 2, 1, 0},  {LD | CXOR | 2, 0, 1}, {LD | SET | 3, 0, 1},  {LDI | COR | 1, 0, 1},
    };

    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) { /* SRC0 == SRC1, so SRC0 - SRC1 == DATA == 0 */
        RUN(t, gm_hdr(C_MI_LOAD_REGISTER_IMM, 3), off(t, R_MI_PREDICATE_RESULT, 0), rows[i].before,
            gm_hdr(C_MI_PREDICATE, 1) | rows[i].bits);
        assert_int_equal(reg(t, R_MI_PREDICATE_RESULT, 0), rows[i].after);
    }
    RUN(t, gm_hdr(C_MI_LOAD_REGISTER_IMM, 3), off(t, R_MI_PREDICATE_SRC0, 1), 1, gm_hdr(C_MI_PREDICATE, 1) | LD | 2);
    assert_int_equal(reg(t, R_MI_PREDICATE_RESULT, 0), 0);
}

static void set_predicate_turns_commands_off(void **state)
{
    struct env *t = *state;

    RUN(t, gm_hdr(C_MI_SET_PREDICATE, 1) | 15, gm_hdr(C_MI_STORE_DATA_IMM, 4), VA_LO, VA_HI, 1,
        gm_hdr(C_MI_SET_PREDICATE, 1) | 4, gm_hdr(C_MI_STORE_DATA_IMM, 4), VA_LO + 4, VA_HI, 2,
        gm_hdr(C_MI_SET_PREDICATE, 1) | 6, gm_hdr(C_MI_STORE_DATA_IMM, 4), VA_LO + 8, VA_HI, 3,
        gm_hdr(C_MI_SET_PREDICATE, 1), gm_hdr(C_MI_STORE_DATA_IMM, 4), VA_LO + 12, VA_HI, 4);
    assert_int_equal(*user(t, 0), 0);
    assert_int_equal(*user(t, 1), 2);
    assert_int_equal(*user(t, 2), 0);
    assert_int_equal(*user(t, 3), 4);
}

static void atomic_table(void **state)
{
    struct env *t = *state;
    static const struct {
        unsigned op;
        uint64_t mem, one, two, after;
    } rows[] = {
        {0x01, 0xff, 0x0f, 0, 0x0f},
        {0x02, 0xf0, 0x0f, 0, 0xff},
        {0x03, 0xff, 0x0f, 0, 0xf0},
        {0x04, 1, 9, 0, 9},
        {0x05, 0xffffffff, 0, 0, 0},
        {0x06, 0, 0, 0, 0xffffffff},
        {0x07, 3, 4, 0, 7},
        {0x08, 3, 4, 0, 0xffffffff},
        {0x09, 3, 4, 0, 1},
        {0x0a, 0xffffffff, 1, 0, 1},
        {0x0b, 0xffffffff, 1, 0, 0xffffffff},
        {0x0c, 0xffffffff, 1, 0, 0xffffffff},
        {0x0d, 0xffffffff, 1, 0, 1},
        {0x0e, 5, 5, 6, 6},
        {0x0e, 5, 4, 6, 5},
        {0x0f, 5, 0, 0, 4},
        {0x25, 0xffffffff, 0, 0, 0x100000000},
        {0x26, 0, 0, 0, UINT64_MAX},
        {0x27, 0xffffffff, 0x100000001, 0, 0x200000000},
        {0x2a, UINT64_MAX, 1, 0, 1},
        {0x2c, UINT64_MAX, 1, 0, UINT64_MAX},
        {0x2e, 0x500000000, 0x500000000, 0x600000000, 0x600000000},
    };

    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        uint64_t got = 0;

        memcpy(user(t, 2), &rows[i].mem, 8);
        RUN(t, gm_hdr(C_MI_ATOMIC, 11) | rows[i].op << 8 | GT_BIT(18) | GT_BIT(16), VA_LO + 8, VA_HI,
            (uint32_t)rows[i].one, (uint32_t)rows[i].two, (uint32_t)(rows[i].one >> 32), (uint32_t)(rows[i].two >> 32),
            0, 0, 0, 0);
        memcpy(&got, user(t, 2), rows[i].op & 0x20 ? 8 : 4);
        if (got != rows[i].after)
            fail_msg("op %x: %llx", rows[i].op, (unsigned long long)got);
        assert_int_equal((uint32_t)gpr(t, 4), rows[i].op == 0x0f ? 4 : (uint32_t)rows[i].mem);
    }
}

static void atomic_with_operands_in_registers(void **state)
{
    struct env *t = *state;

    *user(t, 0) = 10;
    RUN(t, gm_hdr(C_MI_LOAD_REGISTER_IMM, 5), off(t, R_CS_GPR, 0), 10, off(t, R_CS_GPR, 4), 99,
        gm_hdr(C_MI_ATOMIC, 3) | 0x0e << 8, VA_LO, VA_HI);
    assert_int_equal(*user(t, 0), 99);
}

static void atomic_16_byte_compare_and_write(void **state)
{
    struct env *t = *state;

    for (unsigned i = 0; i < 4; i++)
        *user(t, 4 + i) = i;
    RUN(t, gm_hdr(C_MI_ATOMIC, 11) | 0x4e << 8 | GT_BIT(18), VA_LO + 16, VA_HI, 0, 10, 1, 11, 2, 12, 3, 13);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(*user(t, 4 + i), 10 + i);
}

static void atomic_misaligned_is_aligned_down(void **state)
{
    struct env *t = *state;

    *user(t, 2) = 1;
    RUN(t, gm_hdr(C_MI_ATOMIC, 11) | 0x27 << 8 | GT_BIT(18), VA_LO + 15, VA_HI, 4, 0, 0, 0, 0, 0, 0, 0);
    assert_false(hung(t));
    assert_int_equal(*user(t, 2), 5);
}

static void atomic_reserved_operation_hangs(void **state)
{
    struct env *t = *state;

    RUN(t, gm_hdr(C_MI_ATOMIC, 3) | 0x8f << 8, VA_LO, VA_HI);
    assert_true(hung(t));
}

static void atomic_on_unmapped_memory_hangs(void **state)
{
    struct env *t = *state;

    RUN(t, gm_hdr(C_MI_ATOMIC, 3) | 5 << 8, VA_LO + 0x100000, VA_HI);
    assert_true(hung(t));
}

static void semaphore_compare_table(void **state)
{
    struct env *t = *state;
    static const struct {
        unsigned op;
        uint32_t mem, data;
        bool holds;
    } rows[] = {
        {0, 2, 1, true},  {0, 1, 1, false}, {1, 1, 1, true},          {1, 0, 1, false}, {2, 0, 1, true},
        {2, 1, 1, false}, {3, 1, 1, true},  {3, 2, 1, false},         {4, 1, 1, true},  {4, 2, 1, false},
        {5, 2, 1, true},  {5, 1, 1, false}, {0, 0xffffffff, 1, true}, /* unsigned */
    };

    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        *user(t, 0) = rows[i].mem;
        GM_EMIT(t->g, &t->c, gm_hdr(C_MI_SEMAPHORE_WAIT, 4) | rows[i].op << 12 | GT_BIT(15), rows[i].data, VA_LO,
                VA_HI);
        gm_submit(t->g, &t->c, NULL);
        assert_int_equal(gm_run(t->g, t->engine, 100, 10), rows[i].holds ? VGPU_RUN_IDLE : VGPU_RUN_WAIT);
        *user(t, 0) = rows[i].op == 0 || rows[i].op == 5 ? 9 : rows[i].op == 2 ? 0 : 1;
        assert_int_equal(gm_run(t->g, t->engine, 100, 10), VGPU_RUN_IDLE);
    }
}

static void semaphore_signal_kicks_the_engine(void **state)
{
    struct env *t = *state;
    unsigned before = t->g->kicks[VGPU_VCS];

    RUN(t, gm_hdr(C_MI_SEMAPHORE_SIGNAL, 2) | 1 << 15, 0, gm_hdr(C_MI_SEMAPHORE_SIGNAL, 2) | 7 << 15, 0);
    assert_int_equal(t->g->kicks[VGPU_VCS], before + 1);
}

static uint32_t gt_iir(struct env *t, unsigned engine)
{
    return *vgpu_reg(t->g->v, R_GEN8_GT_IIR, 0, engine_table[engine].irq_bank) >> engine_table[engine].irq_shift &
           0xffff;
}

static void unmask_irqs(struct env *t)
{
    for (unsigned i = 0; i < 4; i++)
        *vgpu_reg(t->g->v, R_GEN8_GT_IMR, 0, i) = 0;
}

static void user_interrupt(void **state)
{
    struct env *t = *state;

    unmask_irqs(t);
    RUN(t, gm_hdr(C_MI_USER_INTERRUPT, 1));
    assert_true(gt_iir(t, t->engine) & 1);
}

static void flush_dw_post_sync(void **state)
{
    struct env *t = *state; /* on BCS */
    uint64_t gpa = gm_alloc(t->g, 1);

    unmask_irqs(t);
    t->g->now = 1000000;
    gm_ggtt_map(t->g, 0x3000000, gpa, 1);
    *gm_dw(t->g, gpa + 4) = 0x77;
    RUN(t, gm_hdr(C_MI_FLUSH_DW, 4) | 1 << 14, 0x3000000 | 4, 0, 0x1234); /* dword, GGTT, as i915's breadcrumb */
    assert_int_equal(*gm_dw(t->g, gpa), 0x1234);
    assert_int_equal(*gm_dw(t->g, gpa + 4), 0x77);
    RUN(t, gm_hdr(C_MI_FLUSH_DW, 5) | 1 << 14, VA_LO, VA_HI, 1, 2);
    assert_int_equal(*user(t, 0), 1);
    assert_int_equal(*user(t, 1), 2);
    RUN(t, gm_hdr(C_MI_FLUSH_DW, 5) | 3 << 14, VA_LO + 8, VA_HI, 1, 2);
    assert_int_equal(*user(t, 2), 12000);                                   /* 1 ms of 12 MHz */
    RUN(t, gm_hdr(C_MI_FLUSH_DW, 4) | 1 << 14 | GT_BIT(21), 0xd0, 0, 0x99); /* index */
    assert_int_equal(*gm_dw(t->g, t->c.image + 0xd0), 0x99);
    assert_false(gt_iir(t, t->engine) & GT_BIT(4));
    RUN(t, gm_hdr(C_MI_FLUSH_DW, 4) | GT_BIT(8) | GT_BIT(7), 0, 0, 0); /* bit 7 is no length bit */
    assert_true(gt_iir(t, t->engine) & GT_BIT(4));
    assert_false(hung(t));
}

static void pipe_control_post_sync(void **state)
{
    struct env *t = *state;
    uint64_t gpa = gm_alloc(t->g, 1);

    unmask_irqs(t);
    t->g->now = 2000000;
    gm_ggtt_map(t->g, 0x3000000, gpa, 1);
    RUN(t, gm_hdr(C_PIPE_CONTROL, 6), 1 << 14 | GT_BIT(24) | GT_BIT(20), 0x3000000, 0, 0xaa, 0xbb);
    assert_int_equal(*gm_dw(t->g, gpa), 0xaa);
    assert_int_equal(*gm_dw(t->g, gpa + 4), 0xbb);
    USER_BATCH(t, gm_hdr(C_PIPE_CONTROL, 6), 1 << 14, VA_LO, VA_HI, 0x11, 0x22);
    assert_int_equal(*user(t, 0), 0x11);
    assert_int_equal(*user(t, 1), 0x22);
    RUN(t, gm_hdr(C_MI_LOAD_REGISTER_IMM, 3), off(t, R_PS_DEPTH_COUNT, 0), 321, gm_hdr(C_PIPE_CONTROL, 6), 2 << 14,
        VA_LO + 8, VA_HI, 0, 0);
    assert_int_equal(*user(t, 2), 321);
    RUN(t, gm_hdr(C_PIPE_CONTROL, 6), 3 << 14, VA_LO + 16, VA_HI, 0, 0);
    assert_int_equal(*user(t, 4), 24000);
    RUN(t, gm_hdr(C_PIPE_CONTROL, 6), 1 << 14 | GT_BIT(21), 0xd0, 0, 7, 0); /* index, as i915's workaround batch */
    assert_int_equal(*gm_dw(t->g, t->c.image + 0xd0), 7);
    RUN(t, gm_hdr(C_PIPE_CONTROL, 6), GT_BIT(8), 0, 0, 0, 0);
    assert_true(gt_iir(t, VGPU_RCS) & GT_BIT(4));
    RUN(t, gm_hdr(C_PIPE_CONTROL, 6), GT_BIT(23), off(t, R_CS_GPR, 0), 0, 55, 0);
    assert_int_equal(reg(t, R_CS_GPR, 0), 55);
    assert_int_equal(t->g->payloads, 0);
}

/* A user's GGTT bit must not reach the GGTT, and the write that the user waits for must happen. */
static void user_post_sync_stays_in_the_ppgtt(void **state)
{
    struct env *t = *state;

    USER_BATCH(t, gm_hdr(C_PIPE_CONTROL, 6), 1 << 14 | GT_BIT(24), VA_LO, VA_HI, 0x11, 0);
    assert_int_equal(*user(t, 0), 0x11);
}

static void post_sync_to_unmapped_memory_hangs_and_reports_the_page(void **state)
{
    struct env *t = *state;

    RUN(t, gm_hdr(C_PIPE_CONTROL, 6), 1 << 14, 0x5000, 0, 1, 0);
    assert_true(hung(t));
    assert_int_equal(gm_mmio_read(t->g, off(t, R_DMA_FADD, 0)), 0x5000);
    assert_true(*vgpu_reg(t->g->v, R_RING_FAULT_REG, 0, 0) & 1);
    assert_int_equal(*vgpu_reg(t->g->v, R_GEN8_FAULT_TLB_DATA, 0, 0), 5);
}

static void report_head_and_perf_count(void **state)
{
    struct env *t = *state;

    RUN(t, gm_hdr(C_MI_NOOP, 1), gm_hdr(C_MI_REPORT_HEAD, 1));
    assert_int_equal(*gm_dw(t->g, t->c.image + 0x10), 4);
    RUN(t, gm_hdr(C_MI_REPORT_PERF_COUNT, 4), VA_LO + 64, VA_HI, 0xdddd);
    assert_int_equal(*user(t, 16), 0xdddd);
    RUN(t, gm_hdr(C_MI_REPORT_PERF_COUNT, 4), 0x123000, 0, 0xdddd);
    assert_false(hung(t));
}

static void commands_without_effect_are_skipped_by_their_length(void **state)
{
    struct env *t = *state;

    RUN(t, gm_hdr(C_MI_WAIT_FOR_EVENT, 1) | 8, gm_hdr(C_MI_ARB_CHECK, 1), gm_hdr(C_MI_RS_CONTROL, 1),
        gm_hdr(C_MI_URB_ATOMIC_ALLOC, 1), gm_hdr(C_MI_SUSPEND_FLUSH, 1), gm_hdr(C_MI_TOPOLOGY_FILTER, 1),
        gm_hdr(C_MI_RS_CONTEXT, 1), gm_hdr(C_MI_LOAD_SCAN_LINES_INCL, 2), 0x11800000,
        gm_hdr(C_MI_LOAD_SCAN_LINES_EXCL, 2), 0x11800000, gm_hdr(C_MI_DISPLAY_FLIP, 3), 0x11800000, 0x11800000,
        gm_hdr(C_MI_SET_CONTEXT, 2), 0x11800000, gm_hdr(C_MI_FORCE_WAKEUP, 2), 0x11800000, gm_hdr(C_MI_CLFLUSH, 3),
        0x11800000, 0x11800000, gm_hdr(C_MI_RS_STORE_DATA_IMM, 4), 0x11800000, 0x11800000, 0x11800000,
        gm_hdr(C_MI_LOAD_URB_MEM, 4), 0x11800000, 0x11800000, 0x11800000, gm_hdr(C_MI_STORE_URB_MEM, 4), 0x11800000,
        0x11800000, 0x11800000, gm_hdr(C_MI_STORE_DATA_IMM, 4), VA_LO, VA_HI, 0x600d);
    assert_false(hung(t));
    assert_int_equal(*user(t, 0), 0x600d);
}

#define T(f)     cmocka_unit_test_setup_teardown(f, setup, teardown)
#define T_BCS(f) cmocka_unit_test_setup_teardown(f, setup_bcs, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(noop_can_write_its_id),
        T(store_data_imm_dword_qword_and_many),
        T(store_data_imm_to_the_ggtt),
        T(user_batches_cannot_store_to_the_ggtt),
        T(store_data_index_goes_to_the_status_pages),
        T(copy_mem_mem),
        T(update_gtt_writes_entries_and_is_privileged),
        T(load_register_imm_with_byte_disables),
        T(load_register_imm_past_the_registers_is_dropped),
        T(command_streamers_cannot_submit_or_move_the_ring),
        T(user_batches_write_user_registers_only),
        T_BCS(user_batches_cannot_reach_other_engines),
        T(registers_to_and_from_memory),
        T(store_register_mem_obeys_the_predicate),
        T(math_operations),
        T(math_with_an_unknown_instruction_hangs),
        T(math_ignores_operands_that_do_not_exist),
        T(predicate_table),
        T(set_predicate_turns_commands_off),
        T(atomic_table),
        T(atomic_with_operands_in_registers),
        T(atomic_16_byte_compare_and_write),
        T(atomic_misaligned_is_aligned_down),
        T(atomic_reserved_operation_hangs),
        T(atomic_on_unmapped_memory_hangs),
        T(semaphore_compare_table),
        T(semaphore_signal_kicks_the_engine),
        T(user_interrupt),
        T_BCS(flush_dw_post_sync),
        T(pipe_control_post_sync),
        T(user_post_sync_stays_in_the_ppgtt),
        T(post_sync_to_unmapped_memory_hangs_and_reports_the_page),
        T(report_head_and_perf_count),
        T(commands_without_effect_are_skipped_by_their_length),
    };

    return cmocka_run_group_tests_name("mi", tests, NULL, NULL);
}
