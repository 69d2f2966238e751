/* Where texels are: tilings and mip trees against tables and formulas written down independently. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mediator/soft/surface.h"
#include "tests/unit/soft_fixture.h"

#define BASE UINT64_C(0x100000)

static uint64_t offset_of(const struct soft_surface *s, uint32_t x, uint32_t y)
{
    return soft_surface_address(s, x, y, 0, 0, 0) - s->address;
}

static void tiles_have_the_documented_swizzle(void **state)
{
    struct soft_surface s;

    (void)state;
    make_surface(&s,
                 (struct surface_spec){
                     .format = SOFT_FORMAT_R8_UNORM, .tile = 2, .w = 1024, .h = 64, .pitch = 1024, .address = BASE});
    assert_int_equal(offset_of(&s, 511, 7), 4095);
    assert_int_equal(offset_of(&s, 512, 0), 4096);
    assert_int_equal(offset_of(&s, 0, 8), 8192);
    make_surface(&s, (struct surface_spec){
                         .format = SOFT_FORMAT_R8_UNORM, .tile = 3, .w = 256, .h = 64, .pitch = 256, .address = BASE});
    assert_int_equal(offset_of(&s, 15, 0), 15);
    assert_int_equal(offset_of(&s, 16, 0), 512);
    assert_int_equal(offset_of(&s, 0, 1), 16);
    assert_int_equal(offset_of(&s, 127, 31), 4095);
    assert_int_equal(offset_of(&s, 128, 32), 3 * 4096);
}

/* W tiles by the bits of the PRM: offset = x5 x4 x3 y5 y4 y3 y2 x2 y1 x1 y0 x0. */
static void stencil_tiles_interleave_bits(void **state)
{
    static const int8_t bits[12] = {0, ~0, 1, ~1, 2, ~2, ~3, ~4, ~5, 3, 4, 5}; /* n: x bit n, ~n: y bit n */
    struct soft_surface s;

    (void)state;
    make_surface(&s, (struct surface_spec){
                         .format = SOFT_FORMAT_R8_UINT, .tile = 1, .w = 128, .h = 128, .pitch = 256, .address = BASE});
    for (uint32_t y = 0; y < 64; y++)
        for (uint32_t x = 0; x < 64; x++) {
            uint32_t expect = 0;

            for (unsigned i = 0; i < 12; i++)
                expect |= (bits[i] >= 0 ? x >> bits[i] & 1 : y >> ~bits[i] & 1) << i;
            assert_int_equal(offset_of(&s, x, y), expect);
        }
    assert_int_equal(offset_of(&s, 64, 64), 8192 + 4096);
}

static void standard_tiles_are_one_to_one(void **state)
{
    static uint8_t seen[65536];
    struct soft_surface s;

    (void)state;
    for (unsigned ys = 0; ys < 2; ys++) {
        unsigned size = ys ? 256 : 64;

        memset(seen, 0, sizeof(seen));
        make_surface(&s, (struct surface_spec){.format = SOFT_FORMAT_R8_UNORM,
                                               .tile = 3,
                                               .resource = ys ? 2 : 1,
                                               .w = size,
                                               .h = size,
                                               .pitch = size,
                                               .address = BASE});
        for (uint32_t y = 0; y < size; y++)
            for (uint32_t x = 0; x < size; x++) {
                uint64_t at = offset_of(&s, x, y);

                assert_true(at < size * size);
                assert_int_equal(seen[at]++, 0);
            }
    }
}

/* 2D trees: level 1 under level 0, the rest beside level 1, aligned to 4 x 4 (isl). */
static void mip_levels_are_laid_out_as_isl_does(void **state)
{
    struct soft_surface s;

    (void)state;
    make_surface(&s, (struct surface_spec){.format = SOFT_FORMAT_R8G8B8A8_UNORM,
                                           .w = 100,
                                           .h = 50,
                                           .levels = 5,
                                           .pitch = 512,
                                           .qpitch = 80,
                                           .layers = 3,
                                           .address = BASE});
    assert_int_equal(s.level[1].x_el, 0);
    assert_int_equal(s.level[1].y_el, 52);
    assert_int_equal(s.level[2].x_el, 52);
    assert_int_equal(s.level[2].y_el, 52);
    assert_int_equal(s.level[3].x_el, 52);
    assert_int_equal(s.level[3].y_el, 52 + 12);
    assert_int_equal(s.level[4].y_el, 52 + 12 + 8);
    assert_int_equal(soft_surface_width(&s, 2), 25);
    assert_int_equal(soft_surface_height(&s, 4), 3);
    assert_int_equal(soft_surface_address(&s, 3, 2, 2, 3, 0), BASE + (80 * 2 + 64 + 2) * 512 + (52 + 3) * 4);
}

/* As Mesa 26 lays out a 64 x 64 texture: level 1 below level 0, the tail's tile right of level 1. */
static void standard_tiles_have_a_tail(void **state)
{
    static const uint32_t at[7][2] = {{0, 0},        {0, 64},       {32 + 16, 64},   {32 + 8, 64 + 16},
                                      {32, 64 + 24}, {32, 64 + 16}, {32 + 8, 64 + 8}};
    struct soft_surface s;

    (void)state;
    make_surface(&s, (struct surface_spec){.format = SOFT_FORMAT_R8G8B8A8_UNORM,
                                           .tile = 3,
                                           .resource = 1,
                                           .tail = 2,
                                           .levels = 7,
                                           .w = 64,
                                           .h = 64,
                                           .pitch = 256,
                                           .address = BASE});
    for (unsigned l = 0; l < 7; l++) {
        assert_int_equal(s.level[l].x_el, at[l][0]);
        assert_int_equal(s.level[l].y_el, at[l][1]);
    }
}

/* Mesa 26 gives a target's level as SurfaceMinLOD too. */
static void targets_have_one_level(void **state)
{
    struct surface_spec p = {
        .format = SOFT_FORMAT_R8G8B8A8_UNORM, .tile = 3, .levels = 3, .w = 64, .h = 64, .pitch = 256, .address = BASE};
    struct soft_surface s;

    (void)state;
    make_surface(&s, p);
    assert_int_equal(soft_surface_width(&s, soft_surface_drawn_level(&s)), 16);
    p.first_level = 2;
    make_surface(&s, p);
    assert_int_equal(soft_surface_width(&s, soft_surface_drawn_level(&s)), 16);
}

static void first_level_and_layer_move_the_view(void **state)
{
    struct soft_surface s;

    (void)state;
    make_surface(&s, (struct surface_spec){.format = SOFT_FORMAT_R8G8B8A8_UNORM,
                                           .w = 100,
                                           .h = 50,
                                           .levels = 2,
                                           .first_level = 2,
                                           .first_layer = 5,
                                           .pitch = 512,
                                           .qpitch = 80,
                                           .layers = 1,
                                           .address = BASE});
    assert_int_equal(soft_surface_width(&s, 0), 25);
    assert_int_equal(soft_surface_address(&s, 0, 0, 0, 0, 0), BASE + (80 * 5 + 52) * 512 + 52 * 4);
}

static void compressed_trees_count_blocks(void **state)
{
    struct soft_surface s;

    (void)state;
    make_surface(&s,
                 (struct surface_spec){
                     .format = SOFT_FORMAT_BC1_UNORM, .w = 64, .h = 64, .levels = 3, .pitch = 128, .address = BASE});
    assert_int_equal(s.element_bytes, 8);
    assert_int_equal(s.level[1].y_el, 16);
    assert_int_equal(s.level[2].x_el, 8);
    assert_int_equal(soft_surface_address(&s, 1, 1, 0, 1, 0), BASE + 17 * 128 + 8);
}

static void lines_are_aligned_to_64_elements(void **state)
{
    struct soft_surface s;

    (void)state;
    make_surface(&s, (struct surface_spec){.type = SPEC_1D,
                                           .format = SOFT_FORMAT_R8G8B8A8_UNORM,
                                           .w = 100,
                                           .h = 1,
                                           .levels = 3,
                                           .layers = 4,
                                           .qpitch = 256,
                                           .pitch = 4,
                                           .address = BASE});
    assert_int_equal(soft_surface_address(&s, 1, 0, 2, 2, 0), BASE + (512 + 128 + 64 + 1) * 4);
}

static void samples_are_slices_or_interleaved(void **state)
{
    struct soft_surface s;

    (void)state;
    make_surface(&s, (struct surface_spec){.format = SOFT_FORMAT_R8G8B8A8_UNORM,
                                           .w = 16,
                                           .h = 16,
                                           .samples_log2 = 2,
                                           .layers = 2,
                                           .qpitch = 16,
                                           .pitch = 64,
                                           .address = BASE});
    assert_int_equal(soft_surface_address(&s, 0, 0, 1, 0, 3), BASE + 7 * 16 * 64);
    make_surface(&s, (struct surface_spec){.format = SOFT_FORMAT_R32_FLOAT,
                                           .w = 16,
                                           .h = 16,
                                           .samples_log2 = 2,
                                           .interleaved = true,
                                           .pitch = 128,
                                           .address = BASE});
    assert_int_equal(offset_of(&s, 1, 0), 4);
    assert_int_equal(offset_of(&s, 2, 0), 16);
    assert_int_equal(soft_surface_address(&s, 1, 1, 0, 0, 1), BASE + 128 + 12);
    assert_int_equal(soft_surface_address(&s, 1, 1, 0, 0, 2), BASE + 3 * 128 + 4);
}

static void interleaved_samples_never_collide(void **state)
{
    (void)state;
    for (unsigned log2 = 1; log2 <= 4; log2++) {
        static uint8_t seen[64 * 64];
        struct soft_surface s;

        memset(seen, 0, sizeof(seen));
        make_surface(&s, (struct surface_spec){.format = SOFT_FORMAT_R8_UINT,
                                               .w = 16,
                                               .h = 16,
                                               .samples_log2 = log2,
                                               .interleaved = true,
                                               .pitch = 64,
                                               .address = BASE});
        for (uint32_t i = 0; i < 256u << log2; i++) {
            uint64_t at = soft_surface_address(&s, i & 15, i >> 4 & 15, 0, 0, i >> 8) - BASE;

            assert_true(at < sizeof(seen));
            assert_int_equal(seen[at]++, 0);
        }
    }
}

static void buffers_spread_their_count(void **state)
{
    struct soft_surface s;

    (void)state;
    make_surface(&s, (struct surface_spec){.type = SOFT_SURF_BUFFER,
                                           .format = SOFT_FORMAT_R32G32_FLOAT,
                                           .elements = 0x1234567,
                                           .pitch = 8,
                                           .address = BASE});
    assert_int_equal(s.width_px, 0x1234567);
    assert_int_equal(s.size_bytes, UINT64_C(0x1234567) * 8);
    make_surface(
        &s, (struct surface_spec){
                .type = SOFT_SURF_BUFFER, .format = SOFT_FORMAT_RAW, .elements = 1000, .pitch = 1, .address = BASE});
    assert_int_equal(s.size_bytes, 1000);
}

static void what_is_unknown_is_null(void **state)
{
    uint32_t dw[16];
    struct soft_surface s;

    (void)state;
    memset(dw, 0xff, sizeof(dw));
    soft_surface_decode(dw, &s);
    assert_int_equal(s.type, SOFT_SURF_NULL);
    assert_non_null(s.info);
    make_surface(&s, (struct surface_spec){.format = SOFT_FORMAT_R1_UNORM, .w = 8, .h = 8, .pitch = 1});
    assert_int_equal(s.type, SOFT_SURF_NULL);
    make_surface(&s, (struct surface_spec){.format = 0x3ff, .w = 8, .h = 8, .pitch = 1});
    assert_int_equal(s.type, SOFT_SURF_NULL);
}

static void rows_cross_tiles(void **state)
{
    struct soft_rig rig;
    struct soft_surface s;
    uint32_t in[200], out[200];

    (void)state;
    rig_open(&rig);
    for (unsigned tile = 0; tile < 4; tile++) {
        if (tile == 1)
            continue;
        make_surface(
            &s,
            (struct surface_spec){
                .format = SOFT_FORMAT_R32_UINT, .tile = tile, .w = 256, .h = 64, .pitch = 1024, .address = RIG_MEMORY});
        for (unsigned i = 0; i < 200; i++)
            in[i] = tile * 1000 + i;
        soft_surface_write_row(&rig.mem, &s, 13, 37, 0, 0, 0, 200, in);
        soft_surface_read_row(&rig.mem, &s, 13, 37, 0, 0, 0, 200, out);
        assert_memory_equal(in, out, sizeof(in));
        for (unsigned i = 0; i < 200; i++) {
            uint32_t v;

            memcpy(&v, rig.memory + (soft_surface_address(&s, 13 + i, 37, 0, 0, 0) - RIG_MEMORY), 4);
            assert_int_equal(v, in[i]);
        }
    }
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiles_have_the_documented_swizzle),
        cmocka_unit_test(stencil_tiles_interleave_bits),
        cmocka_unit_test(standard_tiles_are_one_to_one),
        cmocka_unit_test(mip_levels_are_laid_out_as_isl_does),
        cmocka_unit_test(standard_tiles_have_a_tail),
        cmocka_unit_test(targets_have_one_level),
        cmocka_unit_test(first_level_and_layer_move_the_view),
        cmocka_unit_test(compressed_trees_count_blocks),
        cmocka_unit_test(lines_are_aligned_to_64_elements),
        cmocka_unit_test(samples_are_slices_or_interleaved),
        cmocka_unit_test(interleaved_samples_never_collide),
        cmocka_unit_test(buffers_spread_their_count),
        cmocka_unit_test(what_is_unknown_is_null),
        cmocka_unit_test(rows_cross_tiles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
