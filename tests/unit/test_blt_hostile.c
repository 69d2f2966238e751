/* 2D commands that no driver sends: the soft backend must end each of them, in bounded time, without leaving memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mediator/backend.h"
#include "tests/unit/blt_ref.h"
#include "tests/unit/exec_double.h"
#include "vgpu/desc/cmds.h"

#define BASE     UINT64_C(0x100000)
#define MEM_SIZE 0x10000u
#define DEPTH_32 (3u << 24)
#define FILL     (0xf0u << 16)
#define COPY     (0xccu << 16)

struct fixture {
    struct backend *soft;
    struct vgpu_exec x;
    uint8_t mem[MEM_SIZE];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (!f)
        return -1;
    f->soft = backend_soft_create(1);
    double_map(&f->x, BASE, f->mem, MEM_SIZE, false);
    *state = f;
    return f->soft ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    f->soft->ops->destroy(f->soft);
    free(f);
    return 0;
}

static uint32_t xy(int x, int y)
{
    return (uint32_t)y << 16 | ((uint32_t)x & 0xffff);
}

static enum vgpu_payload run(struct fixture *f, int id, const uint32_t *dw, unsigned ndw)
{
    return double_payload(f->soft, &f->x, id, dw, ndw);
}

static enum vgpu_payload fill(struct fixture *f, uint64_t addr, uint32_t pitch, uint32_t from, uint32_t to)
{
    uint32_t dw[7] = {cmd_table[C_XY_COLOR_BLT].op | 3u << 20 | 5,
                      DEPTH_32 | FILL | pitch,
                      from,
                      to,
                      (uint32_t)addr,
                      (uint32_t)(addr >> 32),
                      0x11223344};

    return run(f, C_XY_COLOR_BLT, dw, 7);
}

static void untouched(struct fixture *f)
{
    for (size_t i = 0; i < MEM_SIZE; i++)
        assert_int_equal(f->mem[i], 0);
}

static void empty_and_inverted_rectangles_draw_nothing(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fill(f, BASE, 256, xy(5, 5), xy(5, 9)), VGPU_PAYLOAD_DONE);
    assert_int_equal(fill(f, BASE, 256, xy(5, 5), xy(9, 5)), VGPU_PAYLOAD_DONE);
    assert_int_equal(fill(f, BASE, 256, xy(9, 9), xy(5, 5)), VGPU_PAYLOAD_DONE);
    assert_int_equal(fill(f, BASE, 256, 0, 0xffffffff), VGPU_PAYLOAD_DONE); /* to (-1, -1) */
    untouched(f);
}

static void nothing_is_written_without_channels(void **state)
{
    struct fixture *f = *state;
    uint32_t dw[7] = {cmd_table[C_XY_COLOR_BLT].op | 5, DEPTH_32 | FILL | 256, 0, xy(8, 8), (uint32_t)BASE, 0, 1};

    assert_int_equal(run(f, C_XY_COLOR_BLT, dw, 7), VGPU_PAYLOAD_DONE);
    untouched(f);
}

static void pitch_zero_draws_over_one_row(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fill(f, BASE, 0, 0, xy(4, 0x7fff)), VGPU_PAYLOAD_DONE);
    assert_int_equal(f->mem[0], 0x44);
    assert_int_equal(f->mem[15], 0x11);
    memset(f->mem, 0, 16);
    untouched(f);
}

static void negative_pitch_walks_up(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fill(f, BASE + 0x400, (uint32_t)-256 & 0xffff, 0, xy(1, 4)), VGPU_PAYLOAD_DONE);
    for (unsigned row = 1; row <= 4; row++)
        assert_int_equal(f->mem[row * 256], 0x44);
    assert_int_equal(f->mem[0], 0);
    assert_int_equal(f->mem[5 * 256], 0);
}

static void negative_coordinates_lie_before_the_base(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fill(f, BASE + 0x2000, 256, xy(-2, -3), xy(-1, -2)), VGPU_PAYLOAD_DONE);
    assert_int_equal(f->mem[0x2000 - 3 * 256 - 8], 0x44);
    assert_int_equal(fill(f, BASE, 256, xy(-32768, -32768), xy(32767, 32767)), VGPU_PAYLOAD_FAULT);
}

static void tiled_bases_have_no_bits_below_the_page(void **state)
{
    struct fixture *f = *state;
    uint32_t dw[7] = {cmd_table[C_XY_COLOR_BLT].op | 3u << 20 | 1u << 11 | 5,
                      DEPTH_32 | FILL | 128,
                      0,
                      xy(1, 2),
                      (uint32_t)BASE + 0x1fff,
                      0,
                      0x55555555};

    assert_int_equal(run(f, C_XY_COLOR_BLT, dw, 7), VGPU_PAYLOAD_DONE);
    assert_int_equal(f->mem[0x1000], 0x55);
    assert_int_equal(f->mem[0x1000 + 512], 0x55); /* the second row of an X tile */
    memset(f->mem + 0x1000, 0, 4);
    memset(f->mem + 0x1000 + 512, 0, 4);
    untouched(f);
}

static void unmapped_memory_stops_at_the_first_access(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fill(f, UINT64_C(0x900000000), 0x7fff, 0, xy(32767, 32767)), VGPU_PAYLOAD_FAULT);
    assert_true(f->x.stops <= 2 && f->x.writes <= 2);
    untouched(f);
}

/* 48-bit addresses wrap from the top of the space to address 0, as the adders of the hardware do. */
static void addresses_wrap_at_48_bits(void **state)
{
    struct fixture *f = *state;
    uint8_t *ends = calloc(2, 4096);
    uint64_t top = (UINT64_C(1) << 48) - 4096;

    double_map(&f->x, top, ends, 4096, false);
    double_map(&f->x, 0, ends + 4096, 4096, false);
    assert_int_equal(fill(f, top + 4090, 64, 0, xy(4, 1)), VGPU_PAYLOAD_DONE);
    assert_int_equal(ends[4090], 0x44);
    assert_int_equal(ends[4096 + 9], 0x11);
    assert_int_equal(ends[4096 + 10], 0);
    assert_int_equal(fill(f, UINT64_MAX - 4095, 64, 0, xy(1, 1)), VGPU_PAYLOAD_DONE); /* bits above 47 do not count */
    assert_int_equal(ends[0], 0x44);
    assert_int_equal(fill(f, 0, (uint32_t)-64 & 0xffff, 0, xy(1, 3)), VGPU_PAYLOAD_DONE); /* downwards */
    assert_int_equal(ends[4096 - 64], 0x44);
    free(ends);
}

static void read_only_memory_is_a_fault(void **state)
{
    struct fixture *f = *state;

    f->x.region[0].read_only = true;
    assert_int_equal(fill(f, BASE, 256, 0, xy(4, 4)), VGPU_PAYLOAD_FAULT);
    untouched(f);
}

static void short_commands_are_faults(void **state)
{
    struct fixture *f = *state;
    uint32_t dw[16] = {0};

    for (int id = 0; id < C_COUNT; id++) {
        if (cmd_table[id].klass != CMD_BLT)
            continue;
        dw[0] = cmd_table[id].op;
        for (unsigned n = 1; n < cmd_table[id].min_len; n++)
            assert_int_equal(run(f, id, dw, n), VGPU_PAYLOAD_FAULT);
    }
    untouched(f);
}

static void text_beyond_the_command_is_a_fault(void **state)
{
    struct fixture *f = *state;
    uint32_t setup_dw[10] = {
        cmd_table[C_XY_SETUP_BLT].op | 3u << 20 | 8, DEPTH_32 | COPY | 256, 0, 0, (uint32_t)BASE, 0, 1, 2, 0, 0};
    uint32_t *dw = malloc(5 * 4); /* exactly, so that a sanitizer sees reads beyond */

    assert_non_null(dw);
    assert_int_equal(run(f, C_XY_SETUP_BLT, setup_dw, 10), VGPU_PAYLOAD_DONE);
    dw[0] = cmd_table[C_XY_TEXT_IMMEDIATE_BLT].op | 1u << 16 | 3;
    dw[1] = 0;
    dw[2] = xy(9, 5); /* 5 rows of 2 bytes in 8 bytes */
    dw[3] = dw[4] = UINT32_MAX;
    assert_int_equal(run(f, C_XY_TEXT_IMMEDIATE_BLT, dw, 5), VGPU_PAYLOAD_FAULT);
    dw[2] = xy(0x7fff, 0x7fff);
    assert_int_equal(run(f, C_XY_TEXT_IMMEDIATE_BLT, dw, 5), VGPU_PAYLOAD_FAULT);
    untouched(f);
    dw[2] = xy(9, 4); /* 7 bytes and 1 bit */
    assert_int_equal(run(f, C_XY_TEXT_IMMEDIATE_BLT, dw, 5), VGPU_PAYLOAD_DONE);
    assert_int_equal(f->mem[3 * 256 + 8 * 4], 2);
    free(dw);
}

static void inline_pattern_beyond_the_command_is_a_fault(void **state)
{
    struct fixture *f = *state;
    uint32_t dw[6 + 64] = {
        cmd_table[C_XY_PAT_BLT_IMMEDIATE].op | 3u << 20, DEPTH_32 | FILL | 256, 0, xy(8, 8), (uint32_t)BASE, 0};

    assert_int_equal(run(f, C_XY_PAT_BLT_IMMEDIATE, dw, 6), VGPU_PAYLOAD_FAULT);
    assert_int_equal(run(f, C_XY_PAT_BLT_IMMEDIATE, dw, 6 + 63), VGPU_PAYLOAD_FAULT);
    assert_int_equal(run(f, C_XY_PAT_BLT_IMMEDIATE, dw, 6 + 64), VGPU_PAYLOAD_DONE);
}

static void pattern_address_is_rounded_down_or_faults(void **state)
{
    struct fixture *f = *state;
    uint32_t dw[8] = {cmd_table[C_XY_PAT_BLT].op | 3u << 20,
                      DEPTH_32 | FILL | 256,
                      0,
                      xy(1, 1),
                      (uint32_t)BASE,
                      0,
                      (uint32_t)BASE + 0x803f,
                      0};

    memset(f->mem + 0x8000, 0xab, 256);
    assert_int_equal(run(f, C_XY_PAT_BLT, dw, 8), VGPU_PAYLOAD_DONE);
    assert_int_equal(f->mem[0], 0xab);
    dw[6] = (uint32_t)BASE + MEM_SIZE - 64; /* its end is not mapped */
    assert_int_equal(run(f, C_XY_PAT_BLT, dw, 8), VGPU_PAYLOAD_FAULT);
}

static void mono_source_that_leaves_memory_is_a_fault(void **state)
{
    struct fixture *f = *state;
    uint32_t dw[10] = {cmd_table[C_XY_MONO_SRC_COPY_BLT].op | 3u << 20 | 7u << 17,
                       DEPTH_32 | COPY | 0x7ffc,
                       0,
                       xy(0x7fff, 0x7fff),
                       (uint32_t)BASE,
                       0,
                       (uint32_t)BASE,
                       0,
                       1,
                       2};

    assert_int_equal(run(f, C_XY_MONO_SRC_COPY_BLT, dw, 10), VGPU_PAYLOAD_FAULT);
}

static void reserved_fast_copy_depth_is_a_fault(void **state)
{
    struct fixture *f = *state;
    uint32_t dw[10] = {
        cmd_table[C_XY_FAST_COPY_BLT].op, 2u << 24 | 256, 0, xy(4, 4), (uint32_t)BASE, 0, 0, 256, (uint32_t)BASE, 0};

    assert_int_equal(run(f, C_XY_FAST_COPY_BLT, dw, 10), VGPU_PAYLOAD_FAULT);
    dw[1] = 7u << 24 | 256;
    assert_int_equal(run(f, C_XY_FAST_COPY_BLT, dw, 10), VGPU_PAYLOAD_FAULT);
}

static void unknown_commands_are_skipped(void **state)
{
    struct fixture *f = *state;
    struct backend_stats st;
    uint32_t dw = 0xffffffff;

    assert_int_equal(run(f, -1, &dw, 1), VGPU_PAYLOAD_DONE);
    assert_int_equal(run(f, C_COUNT, &dw, 1), VGPU_PAYLOAD_DONE);
    f->soft->ops->stats(f->soft, &st);
    assert_int_equal(st.skipped, 2);
}

static void an_interrupted_blit_goes_on_where_it_was(void **state)
{
    enum { INVERT = 0x55 << 16, ROWS = 64 }; /* a row that is drawn twice, or not at all, shows */
    struct fixture *f = *state;
    const uint32_t dw[7] = {cmd_table[C_XY_COLOR_BLT].op | 3u << 20 | 5,
                            DEPTH_32 | INVERT | 4,
                            xy(0, 0),
                            xy(1, ROWS),
                            (uint32_t)BASE,
                            (uint32_t)(BASE >> 32),
                            0};
    unsigned again = 0;

    f->x.stop_after = 1; /* at once, each time */
    while (run(f, C_XY_COLOR_BLT, dw, 7) == VGPU_PAYLOAD_AGAIN)
        assert_true(++again < ROWS);
    assert_int_equal(again, ROWS - 1);
    for (size_t i = 0; i < ROWS * 4; i++)
        assert_int_equal(f->mem[i], 0xff);
    assert_int_equal(f->mem[ROWS * 4], 0);
}

/* Another command in its place begins at its own first row. */
static void another_blit_does_not_go_on_with_the_rows_of_the_last(void **state)
{
    struct fixture *f = *state;

    f->x.stop_after = 1;
    assert_int_equal(fill(f, BASE, 4, xy(0, 0), xy(1, 8)), VGPU_PAYLOAD_AGAIN);
    f->x.stop_after = 0;
    assert_int_equal(fill(f, BASE + 64, 4, xy(0, 0), xy(1, 8)), VGPU_PAYLOAD_DONE);
    assert_int_equal(f->mem[64], 0x44);
}

static void a_reset_ends_a_long_blit(void **state)
{
    struct fixture *f = *state;

    f->x.stop_after = 10;
    assert_int_equal(fill(f, BASE, 0, 0, xy(8, 0x7fff)), VGPU_PAYLOAD_AGAIN);
    assert_int_equal(f->x.stops, 10);
}

/* Random dwords for every 2D command: the sanitizers are the judges, memory outside of the region does not exist. */
static void random_commands_end(void **state)
{
    struct fixture *f = *state;
    uint32_t dw[257];

    vgpu_exec_reg_write(&f->x, reg_off(R_BCS_SWCTRL, VGPU_BCS, 0), 3);
    for (int round = 0; round < 20000; round++) {
        int id = C_XY_SETUP_BLT + ref_below(C_XY_PAT_CHROMA_BLT_IMMEDIATE - C_XY_SETUP_BLT + 1);

        for (int i = 1; i < 257; i++)
            dw[i] = ref_below(2) ? ref_random() : (uint32_t)BASE + (ref_random() & 0xffff);
        for (int i = 1; i < 14; i++)
            if (ref_below(2))
                dw[i] = ref_random() & 0x001f001f;
        dw[0] = cmd_table[id].op | (ref_random() & 0x3fffff);
        f->x.stops = 0;
        f->x.stop_after = 50;
        f->x.no_ptr = ref_below(2);
        run(f, id, dw, 1 + (unsigned)ref_below(257));
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(empty_and_inverted_rectangles_draw_nothing),
        T(nothing_is_written_without_channels),
        T(pitch_zero_draws_over_one_row),
        T(negative_pitch_walks_up),
        T(negative_coordinates_lie_before_the_base),
        T(tiled_bases_have_no_bits_below_the_page),
        T(unmapped_memory_stops_at_the_first_access),
        T(addresses_wrap_at_48_bits),
        T(read_only_memory_is_a_fault),
        T(short_commands_are_faults),
        T(text_beyond_the_command_is_a_fault),
        T(inline_pattern_beyond_the_command_is_a_fault),
        T(pattern_address_is_rounded_down_or_faults),
        T(mono_source_that_leaves_memory_is_a_fault),
        T(reserved_fast_copy_depth_is_a_fault),
        T(unknown_commands_are_skipped),
        T(a_reset_ends_a_long_blit),
        T(an_interrupted_blit_goes_on_where_it_was),
        T(another_blit_does_not_go_on_with_the_rows_of_the_last),
        T(random_commands_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
