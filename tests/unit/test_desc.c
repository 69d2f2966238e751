/* The register and command tables: look-up, names, lengths, and the validators on bad rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vgpu/base/bits.h"
#include "vgpu/desc/cmds.h"
#include "vgpu/desc/index.h"
#include "vgpu/desc/regs.h"

static int setup(void **state)
{
    char err[256];

    (void)state;
    if (reg_init(err, sizeof(err)) || cmd_init(err, sizeof(err))) {
        print_error("%s\n", err);
        return -1;
    }
    return 0;
}

/* ---- registers */

static void init_is_idempotent(void **state)
{
    char err[64];

    (void)state;
    assert_int_equal(reg_init(err, sizeof(err)), 0);
    assert_int_equal(cmd_init(err, sizeof(err)), 0);
}

static void every_row_is_found_at_each_of_its_offsets(void **state)
{
    unsigned seen = 0;

    (void)state;
    for (uint32_t off = 0; off < VGPU_MMIO_SIZE; off += 4) {
        const struct reg_ref *ref = reg_find(off);

        if (!ref)
            continue;
        seen++;
        assert_int_equal(ref->off, off);
        assert_int_equal(reg_off((enum reg_id)(ref->row - reg_table), ref->unit, ref->elem), off);
    }
    assert_true(seen >= R_COUNT);
}

static void find_rounds_down_to_a_dword(void **state)
{
    uint32_t off = reg_off(R_FUSE2, 0, 0);

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        assert_ptr_equal(reg_find(off + i)->row, &reg_table[R_FUSE2]);
}

static void offsets_outside_of_the_range_are_unknown(void **state)
{
    (void)state;
    assert_null(reg_find(VGPU_MMIO_SIZE));
    assert_null(reg_find(0x800000));
    assert_null(reg_find(UINT32_MAX));
}

static void arrays_use_their_stride(void **state)
{
    (void)state;
    assert_int_equal(reg_off(R_GFX_MOCS, 0, 63), reg_off(R_GFX_MOCS, 0, 0) + 63 * 4);
    assert_int_equal(reg_off(R_EU_PERF_CNTL, 0, 3), reg_off(R_EU_PERF_CNTL, 0, 0) + 3 * 0x100);
    assert_int_equal(reg_find(reg_off(R_GFX_MOCS, 0, 63))->elem, 63);
}

static void names_carry_unit_and_element(void **state)
{
    char buf[64];

    (void)state;
    assert_string_equal(reg_name(reg_off(R_FUSE2, 0, 0), buf, sizeof(buf)), "FUSE2");
    assert_string_equal(reg_name(reg_off(R_GFX_MOCS, 0, 5), buf, sizeof(buf)), "GFX_MOCS[5]");
    assert_string_equal(reg_name(reg_off(R_RESET_CTL, VGPU_VECS, 0), buf, sizeof(buf)), "VECS:RESET_CTL");
    assert_string_equal(reg_name(0x1ffffc, buf, sizeof(buf)), "0x1ffffc");
}

static void names_are_cut_to_the_buffer(void **state)
{
    char buf[8];

    (void)state;
    reg_name(reg_off(R_GFX_MOCS, 0, 5), buf, sizeof(buf));
    assert_string_equal(buf, "GFX_MOC");
}

static void frequency_facts_agree(void **state)
{
    uint32_t cap = reg_table[R_RP_STATE_CAP].reset;
    uint32_t rp0 = gt_field(cap, 7, 0), rp1 = gt_field(cap, 15, 8), rpn = gt_field(cap, 23, 16);
    uint32_t actual = reg_table[R_RPSTAT1].reset >> 23; /* GEN9_CAGF, 50/3 MHz */

    (void)state;
    assert_true(rp0 >= rp1 && rp1 >= rpn && rpn > 0);
    assert_true(actual >= rpn * 3 && actual <= rp0 * 3);
    assert_int_equal(reg_table[R_RPNSWREQ].reset >> 23, actual);
}

static const struct {
    const char *what, *message;
    struct reg_desc row;
} bad_regs[] = {
    {"no name", "no name", {.off = 0, .src = "x"}},
    {"no source", "no source", {.name = "A"}},
    {"empty source", "no source", {.name = "A", .src = ""}},
    {"misaligned", "multiple of 4", {.name = "A", .off = 2, .src = "x"}},
    {"misaligned stride", "multiple of 4", {.name = "A", .count = 2, .stride = 6, .src = "x"}},
    {"off the end", "out of the MMIO range", {.name = "A", .off = VGPU_MMIO_SIZE, .src = "x"}},
    {"last element off the end", "out of the MMIO range", {.name = "A", .off = 0x1ffffc, .count = 2, .src = "x"}},
    {"last unit off the end", "out of the MMIO range", {.name = "A", .off = 0x1fff00, .block = REG_PIPE, .src = "x"}},
    {"huge offset", "out of the MMIO range", {.name = "A", .off = 0xfffffffc, .block = REG_ENGINE, .src = "x"}},
    {"unknown block", "unknown block", {.name = "A", .block = REG_PORT + 1, .src = "x"}},
    {"unit of another block", "units outside", {.name = "A", .block = REG_PIPE, .units = 1 << 3, .src = "x"}},
    {"units on a global row", "units outside", {.name = "A", .units = 1 << 1, .src = "x"}},
    {"unknown handler", "unknown handler", {.name = "A", .handler = H_COUNT, .src = "x"}},
    {"masked and w1c", "exclude each other", {.name = "A", .flags = REG_MASKED, .w1c = 1, .src = "x"}},
    {"masked, ro in the mask", "mask half", {.name = "A", .flags = REG_MASKED, .ro = 0x10000, .src = "x"}},
    {"masked, reset in the mask", "mask half", {.name = "A", .flags = REG_MASKED, .reset = 0x10000, .src = "x"}},
    {"ro and w1c", "both read-only and", {.name = "A", .ro = 1, .w1c = 3, .src = "x"}},
};

static void bad_register_rows_are_refused(void **state)
{
    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(bad_regs); i++) {
        struct reg_index ix;
        char err[256] = "";

        if (reg_index_build(&ix, &bad_regs[i].row, 1, err, sizeof(err)) != -1)
            fail_msg("%s: accepted", bad_regs[i].what);
        if (!strstr(err, bad_regs[i].message))
            fail_msg("%s: message is \"%s\"", bad_regs[i].what, err);
        assert_null(ix.slot);
    }
}

static void overlap_names_both_rows(void **state)
{
    static const struct reg_desc rows[] = {
        {.name = "FIRST", .off = 0x30, .block = REG_ENGINE, .src = "x"},
        {.name = "OTHER", .off = 0x22020, .count = 8, .src = "x"},
    };
    struct reg_index ix;
    char err[256];

    (void)state;
    assert_int_equal(reg_index_build(&ix, rows, 2, err, sizeof(err)), -1);
    assert_string_equal(err, "register OTHER overlaps FIRST at 0x22030");
}

static void array_that_overlaps_itself_is_refused(void **state)
{
    /* Transcoder B of the first element is transcoder A of the second. */
    static const struct reg_desc row = {.name = "A", .block = REG_TRANS, .count = 2, .stride = 0x1000, .src = "x"};
    struct reg_index ix;
    char err[256];

    (void)state;
    assert_int_equal(reg_index_build(&ix, &row, 1, err, sizeof(err)), -1);
    assert_string_equal(err, "register A overlaps A at 0x1000");
}

static void legal_corner_rows_are_accepted(void **state)
{
    static const struct reg_desc rows[] = {
        {.name = "LAST", .off = VGPU_MMIO_SIZE - 4, .src = "x"},
        {.name = "RO_WITH_HANDLER", .off = 0x10, .handler = H_GDRST, .flags = REG_RO, .src = "x"},
        {.name = "MASKED_RO", .off = 0x14, .flags = REG_MASKED, .ro = 0xffff, .reset = 0xffff, .src = "x"},
        {.name = "ONE_UNIT", .off = 0x2200, .block = REG_PIPE, .units = 1 << 2, .src = "x"},
        {.name = "BETWEEN", .off = 0x2204, .src = "x"},
    };
    struct reg_index ix;
    char err[256];

    (void)state;
    assert_int_equal(reg_index_build(&ix, rows, GT_ARRAY_SIZE(rows), err, sizeof(err)), 0);
    assert_int_equal(ix.count, 5);
    assert_int_equal(ix.slot[0x4200 / 4], 4);
    assert_int_equal(ix.refs[3].unit, 2);
    reg_index_free(&ix);
}

static void too_many_registers_are_refused(void **state)
{
    static const struct reg_desc row = {.name = "A", .count = 0xffff, .block = REG_PIPE, .src = "x"};
    struct reg_index ix;
    char err[256];

    (void)state;
    assert_int_equal(reg_index_build(&ix, &row, 1, err, sizeof(err)), -1);
    assert_non_null(strstr(err, "do not fit"));
}

/* ---- commands */

static void every_command_is_found_on_its_engines(void **state)
{
    (void)state;
    for (int id = 0; id < C_COUNT; id++) {
        const struct cmd_desc *c = &cmd_table[id];

        for (unsigned engine = 0; engine < VGPU_ENGINES; engine++) {
            int found = cmd_find(c->op, engine);

            if (c->engines & GT_BIT(engine))
                assert_int_equal(found, id);
            else
                assert_int_not_equal(found, id);
        }
    }
}

static void one_opcode_means_different_commands_on_two_engines(void **state)
{
    (void)state;
    assert_int_equal(cmd_find(0x70000007, VGPU_RCS), C_MEDIA_VFE_STATE);
    assert_int_equal(cmd_find(0x70000003, VGPU_VCS), C_MFX_PIPE_MODE_SELECT);
    assert_int_equal(cmd_find(0x70000003, VGPU_BCS), -1);
}

static void unknown_engine_or_header_is_not_found(void **state)
{
    (void)state;
    assert_int_equal(cmd_find(0x7a000004, VGPU_ENGINES), -1);
    assert_int_equal(cmd_find(0x7a000004, UINT32_MAX), -1);
    assert_int_equal(cmd_find(0xffffffff, VGPU_RCS), -1);
}

static void lengths_follow_the_row(void **state)
{
    (void)state;
    assert_int_equal(cmd_length(C_PIPE_CONTROL, 0x7a000004), 6);
    assert_int_equal(cmd_length(C_PIPELINE_SELECT, 0x690403ff), 1);
    assert_int_equal(cmd_length(C_3DSTATE_SO_DECL_LIST, 0x791701ff), 0x1ff + 2);
    assert_int_equal(cmd_length(C_MEDIA_OBJECT, 0x7100ffff), 0xffff + 2);
    assert_int_equal(cmd_length(C_MFX_WAIT, 0x68000140), 1);
}

static void no_command_has_length_zero(void **state)
{
    (void)state;
    for (int id = 0; id < C_COUNT; id++) {
        assert_true(cmd_length(id, cmd_table[id].op) >= 1);
        assert_true(cmd_length(id, UINT32_MAX) >= 1);
    }
}

static const struct {
    const char *what;
    uint32_t header;
    unsigned length;
} unknown[] = {
    {"MI, single dword", 0x07800000 | 0xff, 1},
    {"MI, first with a length", 0x08000003, 5},
    {"MI, last", 0x1f8000ff, 257},
    {"reserved type 1", 0x200000ff, 1},
    {"2D", 0x5f000005, 7},
    {"type 3, common", 0x60ff0001, 3},
    {"type 3, single dword", 0x68ff0007, 1},
    {"type 3, single dword type, reserved opcode", 0x6aff0007, 9},
    {"type 3, media object", 0x71ff0fff, 0xfff + 2},
    {"type 3, media object with long inline data", 0x7100ffff, 0xffff + 2},
    {"type 3, codec", 0x73ff0fff, 0xfff + 2},
    {"type 3, 3D", 0x7fff00ff, 0xff + 2},
    {"reserved type 4", 0x80000005, 1},
    {"all ones", 0xffffffff, 1},
};

static void unknown_commands_have_the_length_of_their_type(void **state)
{
    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(unknown); i++)
        if (cmd_unknown_length(unknown[i].header) != unknown[i].length)
            fail_msg("%s: %u", unknown[i].what, cmd_unknown_length(unknown[i].header));
}

/* A row with these columns; further ones may follow. */
#define ROW(n, o, m, e, b, s, ...)                                                                                     \
    {                                                                                                                  \
        .name = n, .op = o, .mask = m, .engines = e, .bias = b, .src = s, __VA_ARGS__                                  \
    }
#define PC  0x7a000000 /* any opcode */
#define TOP 0xffff0000

static const struct {
    const char *what, *message;
    struct cmd_desc row;
} bad_cmds[] = {
    {"no name", "no name", ROW(NULL, PC, TOP, CMD_RCS, 2, "x")},
    {"no source", "no source", ROW("A", PC, TOP, CMD_RCS, 2, NULL)},
    {"opcode bit outside of the mask", "outside of the mask", ROW("A", PC + 1, TOP, CMD_RCS, 2, "x")},
    {"empty mask", "identifies nothing", ROW("A", 0, 0, CMD_RCS, 2, "x")},
    {"low mask bits", "31:16 only", ROW("A", PC, 0xffff8000, CMD_RCS, 2, "x")},
    {"length inside the mask", "inside the mask", ROW("A", PC, TOP, CMD_RCS, 2, "x", .len_mask = 0x1ffff)},
    {"length with a hole", "has holes", ROW("A", PC, TOP, CMD_RCS, 2, "x", .len_mask = 0x5)},
    {"bias 0", "bias 0", ROW("A", PC, TOP, CMD_RCS, 0, "x", .len_mask = 0xff)},
    {"unknown class", "unknown class", ROW("A", PC, TOP, CMD_RCS, 2, "x", .klass = CMD_VIDEO + 1)},
    {"no engine", "no engine", ROW("A", PC, TOP, 0, 2, "x")},
    {"unknown engine", "no engine", ROW("A", PC, TOP, 0x10, 2, "x")},
    {"unknown flag", "unknown flag", ROW("A", PC, TOP, CMD_RCS, 2, "x", .flags = 0x80)},
    {"min above max", "min_len above", ROW("A", PC, TOP, CMD_RCS, 2, "x", .min_len = 5, .max_len = 4)},
};

static void bad_command_rows_are_refused(void **state)
{
    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(bad_cmds); i++) {
        struct cmd_index ix;
        char err[256] = "";

        if (cmd_index_build(&ix, &bad_cmds[i].row, 1, err, sizeof(err)) != -1)
            fail_msg("%s: accepted", bad_cmds[i].what);
        if (!strstr(err, bad_cmds[i].message))
            fail_msg("%s: message is \"%s\"", bad_cmds[i].what, err);
        assert_null(ix.slot);
    }
}

static void clash_names_both_rows(void **state)
{
    static const struct cmd_desc rows[] = {
        ROW("A", PC, 0xff000000, CMD_ALL, 1, "x"),
        ROW("B", 0x78010000, 0xf8ff0000, CMD_BCS, 1, "x"),
    };
    struct cmd_index ix;
    char err[256];

    (void)state;
    assert_int_equal(cmd_index_build(&ix, rows, 2, err, sizeof(err)), -1);
    assert_string_equal(err, "command B clashes with A at header 0x7a010000");
}

static void same_row_twice_is_a_clash(void **state)
{
    static const struct cmd_desc rows[] = {ROW("A", PC, TOP, CMD_RCS, 2, "x"), ROW("B", PC, TOP, CMD_RCS, 2, "x")};
    struct cmd_index ix;
    char err[256];

    (void)state;
    assert_int_equal(cmd_index_build(&ix, rows, 2, err, sizeof(err)), -1);
    assert_non_null(strstr(err, "B clashes with A"));
}

static void more_specific_row_wins_in_any_order(void **state)
{
    static const struct cmd_desc wide = ROW("WIDE", PC, 0xff000000, CMD_RCS, 1, "x");
    static const struct cmd_desc narrow = ROW("NARROW", PC + 0x10000, TOP, CMD_RCS, 1, "x");

    (void)state;
    for (unsigned order = 0; order < 2; order++) {
        struct cmd_desc rows[] = {order ? wide : narrow, order ? narrow : wide};
        struct cmd_index ix;
        char err[256];

        assert_int_equal(cmd_index_build(&ix, rows, 2, err, sizeof(err)), 0);
        assert_string_equal(rows[ix.slot[0x7a01] - 1].name, "NARROW");
        assert_string_equal(rows[ix.slot[0x7a02] - 1].name, "WIDE");
        assert_int_equal(ix.slot[CMD_SLOTS + 0x7a01], 0);
        cmd_index_free(&ix);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(init_is_idempotent),
        cmocka_unit_test(every_row_is_found_at_each_of_its_offsets),
        cmocka_unit_test(find_rounds_down_to_a_dword),
        cmocka_unit_test(offsets_outside_of_the_range_are_unknown),
        cmocka_unit_test(arrays_use_their_stride),
        cmocka_unit_test(names_carry_unit_and_element),
        cmocka_unit_test(names_are_cut_to_the_buffer),
        cmocka_unit_test(frequency_facts_agree),
        cmocka_unit_test(bad_register_rows_are_refused),
        cmocka_unit_test(overlap_names_both_rows),
        cmocka_unit_test(array_that_overlaps_itself_is_refused),
        cmocka_unit_test(legal_corner_rows_are_accepted),
        cmocka_unit_test(too_many_registers_are_refused),
        cmocka_unit_test(every_command_is_found_on_its_engines),
        cmocka_unit_test(one_opcode_means_different_commands_on_two_engines),
        cmocka_unit_test(unknown_engine_or_header_is_not_found),
        cmocka_unit_test(lengths_follow_the_row),
        cmocka_unit_test(no_command_has_length_zero),
        cmocka_unit_test(unknown_commands_have_the_length_of_their_type),
        cmocka_unit_test(bad_command_rows_are_refused),
        cmocka_unit_test(clash_names_both_rows),
        cmocka_unit_test(same_row_twice_is_a_clash),
        cmocka_unit_test(more_specific_row_wins_in_any_order),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
