/* Decoding of kernels: where they end, what jumps reach, and what cannot be executed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/eu_fixture.h"
#include "tests/unit/eu_kernels.h"

/* ---- kernels of drivers */

struct file {
    const char *code;
    size_t n;
    unsigned reads;
};

static bool read_file(void *ctx, uint64_t offset, void *dst, size_t n)
{
    struct file *f = ctx;

    f->reads++;
    if (offset >= f->n)
        return false;
    memset(dst, 0, n);
    memcpy(dst, f->code + offset, f->n - offset < n ? f->n - offset : n);
    return true;
}

static enum eu_result answer_ones(struct eu_thread *t, const struct eu_message *m)
{
    memset(m->dst, 1, m->rlen * EU_REG_BYTES);
    t->notified += m->sfid == EU_SFID_GATEWAY;
    return EU_DONE;
}

static void decode_file(const char *dir, const char *name, void *ctx)
{
    static const struct eu_host host = {.message = answer_ones};
    static struct eu_thread t;
    struct file f = {0};
    char *code = eu_kernels_read(dir, name, ".bin", &f.n);
    struct eu_kernel *k;

    (void)ctx;
    assert_non_null(code);
    f.code = code;
    k = eu_kernel_decode(read_file, &f);
    assert_non_null(k);
    assert_int_equal(eu_kernel_unknown(k), 0);
    assert_true(eu_kernel_size(k) <= f.n && eu_kernel_size(k) + 64 > f.n);
    assert_memory_equal(eu_kernel_code(k), code, eu_kernel_size(k));
    assert_true(f.reads <= f.n / 64 + 1); /* nothing is read twice */
    memset(&t, 0, sizeof(t));
    t.host = &host;
    eu_thread_start(&t, k, 0xffff);
    /* Loops of some kernels never end with these inputs. */
    assert_true(eu_run(&t, 100000) <= EU_BUDGET);
    eu_kernel_free(k);
    free(code);
}

static void kernels_of_drivers_are_known(void **state)
{
    (void)state;
    assert_true(eu_kernels_each(EU_KERNELS_TREE, decode_file, NULL) >= 20);
    eu_kernels_each(EU_KERNELS_WHOLE, decode_file, NULL);
}

/* ---- compaction: PRM SKL vol 7, "EU Compact Instructions" */

static void compacted_instructions_have_a_native_form(void **state)
{
    /* add(8) g21<1>F g29<8,8,1>F g13<8,8,1>F, put together by hand: control 11 (align1, 1Q, 8), data types 18 (all GRF,
     * F), subregisters 0, regions 13 (<8;8,1>) */
    uint64_t c = EU_OP_ADD | 11u << 8 | 18u << 13 | UINT64_C(1) << 29 | UINT64_C(13) << 35 | UINT64_C(21) << 40 |
                 UINT64_C(29) << 48 | UINT64_C(13) << 56;
    struct eu_bits b;
    struct asm_code want = {.n = 0};

    (void)state;
    /* Source 0's index is bits 34:30. */
    c = (c & ~(UINT64_C(31) << 30)) | UINT64_C(13) << 30;
    b = eu_uncompact(c);
    asm_alu(&want, EU_OP_ADD, 8, asm_vec(21, EU_TYPE_F), asm_vec(29, EU_TYPE_F), asm_vec(13, EU_TYPE_F));
    assert_int_equal(EU_GET(&b, OPCODE), EU_OP_ADD);
    assert_int_equal(EU_GET(&b, EXEC_SIZE), EU_GET(&want.inst[0], EXEC_SIZE));
    assert_int_equal(EU_GET(&b, DST_REG), 21);
    assert_int_equal(EU_GET(&b, SRC0_REG), 29);
    assert_int_equal(EU_GET(&b, SRC1_REG), 13);
}

/* The corpus' text says "compacted"; without that word an instruction's text must be that of its native form. */
static void each_compacted(const char *dir, const char *name, void *ctx)
{
    size_t n = 0, at = 0;
    char *code = eu_kernels_read(dir, name, ".bin", &n);
    unsigned *count = ctx, bytes;
    struct eu_inst a, b;

    assert_non_null(code);
    for (; (bytes = eu_inst_parse(&a, (const uint8_t *)code + at, n - at)) != 0; at += bytes) {
        if (!a.compacted)
            continue;
        assert_int_equal(bytes, EU_COMPACT_BYTES);
        assert_int_equal(eu_inst_parse(&b, (const uint8_t *)&a.bits, sizeof(a.bits)), EU_NATIVE_BYTES);
        b.compacted = true;
        assert_memory_equal(&a.dst, &b.dst, sizeof(a.dst));
        assert_memory_equal(a.src, b.src, sizeof(a.src));
        assert_int_equal(a.imm, b.imm);
        ++*count;
    }
    free(code);
}

static void compacted_and_native_parse_alike(void **state)
{
    unsigned count = 0;

    (void)state;
    eu_kernels_each(EU_KERNELS_TREE, each_compacted, &count);
    assert_true(count > 200);
}

static void immediates_of_compacted_instructions_have_13_bits(void **state)
{
    struct eu_bits b;
    uint64_t c;
    unsigned index;

    (void)state;
    for (index = 0; index < 32; index++) { /* any row of data types with an immediate */
        c = EU_OP_MOV | (uint64_t)index << 13 | UINT64_C(1) << 29 | UINT64_C(0x1f) << 35 | UINT64_C(0xfe) << 56;
        b = eu_uncompact(c);
        if (EU_GET(&b, SRC0_FILE) == EU_IMM)
            break;
    }
    assert_true(index < 32);
    assert_int_equal(EU_GET(&b, IMM32), 0xfffffffe);
    b = eu_uncompact((c & ~(UINT64_C(0x10) << 35)));
    assert_int_equal(EU_GET(&b, IMM32), 0xffe);
}

/* ---- where a kernel ends */

static void a_kernel_ends_with_its_last_message(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    asm_mov(&f->code, 8, asm_vec(10, EU_TYPE_D), asm_imm(EU_TYPE_D, 1));
    asm_eot(&f->code);
    asm_op(&f->code, EU_OP_ILLEGAL, 8);
    fixture_start(f, 1);
    assert_int_equal(eu_kernel_size(f->kernel), 32);
    assert_int_equal(eu_kernel_unknown(f->kernel), 0);
    fixture_free(f);
}

static void code_behind_the_end_is_reached_by_jumps(void **state)
{
    struct fixture *f = fixture_new();
    uint32_t *d = fixture_reg(f, 10);

    (void)state;
    EU_PUT(asm_flow(&f->code, EU_OP_JMPI, 1, 2, 0), MASK_CONTROL, 1);
    asm_eot(&f->code);
    asm_op(&f->code, EU_OP_ILLEGAL, 8); /* not reached */
    asm_mov(&f->code, 8, asm_vec(10, EU_TYPE_D), asm_imm(EU_TYPE_D, 9));
    assert_int_equal(fixture_run(f, 0xff), EU_DONE);
    assert_int_equal(d[0], 9);
    assert_int_equal(eu_kernel_unknown(f->kernel), 0);
    assert_int_equal(eu_kernel_size(f->kernel), 5 * 16);
    fixture_free(f);
}

static bool read_nops(void *ctx, uint64_t offset, void *dst, size_t n)
{
    static const uint64_t nop[2] = {EU_OP_NOP, 0};

    assert_true(offset + n <= EU_KERNEL_BYTES);
    ++*(unsigned *)ctx;
    for (size_t i = 0; i < n; i += sizeof(nop))
        memcpy((uint8_t *)dst + i, nop, sizeof(nop));
    return true;
}

static void endless_code_is_cut(void **state)
{
    static struct eu_thread t;
    unsigned reads = 0;
    struct eu_kernel *k = eu_kernel_decode(read_nops, &reads);

    (void)state;
    assert_non_null(k);
    assert_int_equal(eu_kernel_size(k), EU_KERNEL_BYTES);
    assert_int_equal(reads, EU_KERNEL_BYTES / 64);
    assert_true(eu_kernel_memory(k) < 32u << 20);
    eu_thread_start(&t, k, 1);
    assert_int_equal(eu_run(&t, EU_KERNEL_BYTES), EU_FAULT);
    assert_string_equal(t.fault, "the kernel runs off its end");
    eu_kernel_free(k);
}

static bool read_nothing(void *ctx, uint64_t offset, void *dst, size_t n)
{
    (void)ctx;
    (void)offset;
    (void)dst;
    (void)n;
    return false;
}

static void no_code_is_a_fault(void **state)
{
    static struct eu_thread t;
    struct eu_kernel *k = eu_kernel_decode(read_nothing, NULL);

    (void)state;
    assert_non_null(k);
    assert_int_equal(eu_kernel_size(k), 0);
    eu_thread_start(&t, k, 1);
    assert_int_equal(eu_run(&t, 10), EU_FAULT);
    assert_non_null(t.fault);
    eu_kernel_free(k);
}

/* ---- what cannot be executed is a fault when it is reached, not before */

static void faults_are_met_when_they_are_reached(void **state)
{
    struct fixture *f = fixture_new();
    uint32_t *d = fixture_reg(f, 10);

    (void)state;
    asm_mov(&f->code, 8, asm_vec(10, EU_TYPE_D), asm_imm(EU_TYPE_D, 5));
    asm_op(&f->code, 0x70, 8); /* no such opcode */
    assert_int_equal(fixture_run(f, 0xff), EU_FAULT);
    assert_string_equal(f->t.fault, "illegal instruction");
    assert_int_equal(d[0], 5);
    assert_int_equal(eu_kernel_unknown(f->kernel), 1);
    fixture_free(f);
}

static void expect_fault(struct fixture *f)
{
    assert_int_equal(fixture_run(f, 0xffff), EU_FAULT);
    assert_non_null(f->t.fault);
    assert_false(f->ended);
}

static void operands_beyond_the_register_file_are_faults(void **state)
{
    struct fixture *f = fixture_new();
    struct eu_bits *b;

    (void)state;
    asm_mov(&f->code, 16, asm_vec(10, EU_TYPE_D), asm_vec(127, EU_TYPE_D));
    expect_fault(f);
    asm_mov(&f->code, 16, asm_vec(127, EU_TYPE_D), asm_vec(10, EU_TYPE_D));
    expect_fault(f);
    asm_mov(&f->code, 8, asm_vec(200, EU_TYPE_D), asm_vec(10, EU_TYPE_D));
    expect_fault(f);
    asm_mov(&f->code, 32, asm_vec(10, EU_TYPE_D), asm_region(120, 0, EU_TYPE_D, 32, 8, 4));
    expect_fault(f);
    asm_mov(&f->code, 8, asm_vec(10, EU_TYPE_D), asm_region(0, 0, EU_TYPE_D, 8, 8, 1));
    EU_PUT(&f->code.inst[0], SRC0_FILE, EU_ARF);
    EU_PUT(&f->code.inst[0], SRC0_REG, EU_ARF_FLAG);
    expect_fault(f);
    asm_mov(&f->code, 8, asm_arf(EU_ARF_CONTROL, 0, EU_TYPE_D), asm_vec(10, EU_TYPE_D));
    expect_fault(f);
    asm_mov(&f->code, 1, asm_arf(0xd0, 0, EU_TYPE_D), asm_vec(10, EU_TYPE_D));
    expect_fault(f);
    asm_alu(&f->code, EU_OP_PLN, 16, asm_vec(10, EU_TYPE_F), asm_scalar(5, 0, EU_TYPE_F), asm_vec(125, EU_TYPE_F));
    expect_fault(f);
    asm_three(&f->code, EU_OP_MAD, 16, asm_vec(10, EU_TYPE_F), asm_vec(127, EU_TYPE_F), asm_vec(5, EU_TYPE_F),
              asm_vec(5, EU_TYPE_F));
    expect_fault(f);
    b = asm_alu(&f->code, EU_OP_MATH, 8, asm_vec(127, EU_TYPE_D), asm_vec(10, EU_TYPE_D), asm_vec(11, EU_TYPE_D));
    EU_PUT(b, COND_MODIFIER, EU_MATH_INT_DIV_BOTH); /* the remainders would be behind */
    expect_fault(f);
    fixture_free(f);
}

static void invalid_encodings_are_faults(void **state)
{
    struct fixture *f = fixture_new();
    struct eu_bits *b;

    (void)state;
    b = asm_mov(&f->code, 8, asm_vec(10, EU_TYPE_D), asm_vec(11, EU_TYPE_D));
    EU_PUT(b, EXEC_SIZE, 6);
    expect_fault(f);
    b = asm_mov(&f->code, 8, asm_vec(10, EU_TYPE_D), asm_vec(11, EU_TYPE_D));
    EU_PUT(b, SRC0_TYPE, 13);
    expect_fault(f);
    b = asm_mov(&f->code, 8, asm_vec(10, EU_TYPE_D), asm_vec(11, EU_TYPE_D));
    EU_PUT(b, SRC0_VSTRIDE, 9);
    expect_fault(f);
    b = asm_mov(&f->code, 8, asm_vec(10, EU_TYPE_D), asm_vec(11, EU_TYPE_D));
    EU_PUT(b, DST_FILE, 2);
    expect_fault(f);
    b = asm_three(&f->code, EU_OP_MAD, 8, asm_vec(10, EU_TYPE_F), asm_vec(11, EU_TYPE_F), asm_vec(5, EU_TYPE_F),
                  asm_vec(5, EU_TYPE_F));
    EU_PUT(b, ACCESS_MODE, 0); /* three sources in align1 came with Gen10 */
    expect_fault(f);
    b = asm_alu(&f->code, EU_OP_MATH, 8, asm_vec(10, EU_TYPE_F), asm_vec(10, EU_TYPE_F), asm_null(EU_TYPE_F));
    EU_PUT(b, COND_MODIFIER, 8);
    expect_fault(f);
    fixture_free(f);
}

static void jumps_to_no_instruction_are_faults(void **state)
{
    static const int distances[] = {-5, 1000, 70000, -70000};
    struct fixture *f = fixture_new();

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        EU_PUT(asm_flow(&f->code, EU_OP_JMPI, 1, distances[i], 0), MASK_CONTROL, 1);
        expect_fault(f);
    }
    asm_flow(&f->code, EU_OP_WHILE, 8, 0, 0);
    EU_PUT(&f->code.inst[0], JIP, 8); /* into its own middle */
    expect_fault(f);
    asm_flow(&f->code, EU_OP_WHILE, 8, 0, 0);
    EU_PUT(&f->code.inst[0], JIP, 3);
    expect_fault(f);
    fixture_free(f);
}

static void messages_beyond_the_register_file_are_faults(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    asm_send(&f->code, 8, asm_null(EU_TYPE_UD), 120, EU_SFID_URB, 9u << 25);
    expect_fault(f);
    asm_send(&f->code, 8, asm_vec(100, EU_TYPE_UD), 10, EU_SFID_SAMPLER, 1u << 25 | 31u << 20);
    expect_fault(f);
    assert_int_equal(f->messages, 0);
    asm_send(&f->code, 8, asm_vec(97, EU_TYPE_UD), 10, EU_SFID_SAMPLER, 1u << 25 | 31u << 20);
    assert_int_equal(fixture_run(f, 0xff), EU_DONE);
    assert_int_equal(f->messages, 1);
    fixture_free(f);
}

/* ---- messages */

static void messages_carry_payload_masks_and_descriptor(void **state)
{
    struct fixture *f = fixture_new();
    uint8_t *d = fixture_reg(f, 30);

    (void)state;
    for (unsigned i = 0; i < 64; i++)
        ((uint8_t *)fixture_reg(f, 10))[i] = (uint8_t)i;
    EU_PUT(asm_send(&f->code, 8, asm_vec(30, EU_TYPE_UD), 10, EU_SFID_SAMPLER, 2u << 25 | 1u << 20 | 1u << 19 | 0x123),
           QTR_CONTROL, 1);
    assert_int_equal(fixture_run(f, 0x5a00), EU_DONE);
    assert_int_equal(f->last.sfid, EU_SFID_SAMPLER);
    assert_int_equal(f->last.exec_size, 8);
    assert_int_equal(f->last.mlen, 2);
    assert_int_equal(f->last.rlen, 1);
    assert_int_equal(f->last.ex_mlen, 0);
    assert_true(f->last.header && !f->last.wait && !f->last.eot);
    assert_int_equal(f->last.desc, 2u << 25 | 1u << 20 | 1u << 19 | 0x123);
    assert_int_equal(f->last.mask, 0x5a);
    assert_int_equal(f->last.first_channel, 8);
    for (unsigned i = 0; i < 64; i++)
        assert_int_equal(f->payload[i], i);
    for (unsigned i = 0; i < 32; i++)
        assert_int_equal(d[i], 0xa0 + i);
    fixture_free(f);
}

static void answers_may_overwrite_their_payload(void **state)
{
    struct fixture *f = fixture_new();
    uint8_t *d = fixture_reg(f, 10);

    (void)state;
    memset(d, 7, 64);
    asm_send(&f->code, 8, asm_vec(11, EU_TYPE_UD), 10, EU_SFID_SAMPLER, 2u << 25 | 2u << 20);
    assert_int_equal(fixture_run(f, 0xff), EU_DONE);
    assert_true(f->last.src0 < f->t.grf || f->last.src0 >= f->t.grf + sizeof(f->t.grf)); /* a copy */
    assert_int_equal(d[0], 7);
    assert_int_equal(d[32], 0xa0);
    fixture_free(f);
}

static void messages_of_no_channel_are_not_sent(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    EU_PUT(asm_send(&f->code, 8, asm_null(EU_TYPE_UD), 10, EU_SFID_URB, 1u << 25), PRED_CONTROL, EU_PRED_NORMAL);
    assert_int_equal(fixture_run(f, 0xff), EU_DONE);
    assert_int_equal(f->messages, 0);
    fixture_free(f);
}

static void descriptors_come_from_address_registers(void **state)
{
    struct fixture *f = fixture_new();
    struct asm_reg a0 = asm_arf(EU_ARF_ADDRESS, 0, EU_TYPE_UD);
    struct eu_bits *b;

    (void)state;
    a0.hs = 0;
    asm_mov(&f->code, 1, asm_arf(EU_ARF_ADDRESS, 0, EU_TYPE_UD), asm_imm(EU_TYPE_UD, 1u << 25 | 0x77));
    asm_mov(&f->code, 1, asm_arf(EU_ARF_ADDRESS, 8, EU_TYPE_UD), asm_imm(EU_TYPE_UD, 3u << 6 | 5u << 16));
    EU_PUT(asm_alu(&f->code, EU_OP_SEND, 8, asm_null(EU_TYPE_UD), asm_vec(10, EU_TYPE_UD), a0), COND_MODIFIER,
           EU_SFID_DP_DC1);
    assert_int_equal(fixture_run(f, 0xff), EU_DONE);
    assert_int_equal(f->last.desc, 1u << 25 | 0x77);
    asm_mov(&f->code, 1, asm_arf(EU_ARF_ADDRESS, 0, EU_TYPE_UD), asm_imm(EU_TYPE_UD, 1u << 25 | 0x77));
    asm_mov(&f->code, 1, asm_arf(EU_ARF_ADDRESS, 8, EU_TYPE_UD), asm_imm(EU_TYPE_UD, 3u << 6 | 5u << 16));
    b = asm_op(&f->code, EU_OP_SENDS, 8);
    EU_PUT(b, COND_MODIFIER, EU_SFID_DP_DC1);
    EU_PUT(b, SRC0_REG, 10);
    EU_PUT(b, SENDS_SRC1_FILE, EU_GRF);
    EU_PUT(b, SENDS_SRC1_REG, 20);
    EU_PUT(b, SENDS_DESC_REG, 1);
    EU_PUT(b, SENDS_EX_DESC_REG, 1);
    EU_PUT(b, SENDS_EX_DESC_SUBREG, 2);
    assert_int_equal(fixture_run(f, 0xff), EU_DONE);
    assert_int_equal(f->last.desc, 1u << 25 | 0x77);
    assert_int_equal(f->last.ex_desc, 3u << 6 | 5u << 16);
    assert_int_equal(f->last.ex_mlen, 3);
    assert_true(f->last.src1 == f->t.grf + 20 * 32);
    fixture_free(f);
}

static void refused_messages_are_faults(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    f->answer = EU_FAULT;
    asm_send(&f->code, 8, asm_null(EU_TYPE_UD), 10, EU_SFID_VME, 1u << 25);
    expect_fault(f);
    assert_string_equal(f->t.fault, "message refused");
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_of_drivers_are_known),
        cmocka_unit_test(compacted_instructions_have_a_native_form),
        cmocka_unit_test(compacted_and_native_parse_alike),
        cmocka_unit_test(immediates_of_compacted_instructions_have_13_bits),
        cmocka_unit_test(a_kernel_ends_with_its_last_message),
        cmocka_unit_test(code_behind_the_end_is_reached_by_jumps),
        cmocka_unit_test(endless_code_is_cut),
        cmocka_unit_test(no_code_is_a_fault),
        cmocka_unit_test(faults_are_met_when_they_are_reached),
        cmocka_unit_test(operands_beyond_the_register_file_are_faults),
        cmocka_unit_test(invalid_encodings_are_faults),
        cmocka_unit_test(jumps_to_no_instruction_are_faults),
        cmocka_unit_test(messages_beyond_the_register_file_are_faults),
        cmocka_unit_test(messages_carry_payload_masks_and_descriptor),
        cmocka_unit_test(answers_may_overwrite_their_payload),
        cmocka_unit_test(messages_of_no_channel_are_not_sent),
        cmocka_unit_test(descriptors_come_from_address_registers),
        cmocka_unit_test(refused_messages_are_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
