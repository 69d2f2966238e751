/* Color control surfaces: blocks that are marked as clear, and get their pixels when they are used. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define FIXTURE_PAGES 512u
#include "mediator/soft/ccs.h"
#include "pixel_fixture.h"

enum { LINEAR, W, X, Y };

#define CCS_PAGES 32u
#define CCS       (FIXTURE_SIZE - CCS_PAGES * SOFT_PAGE)
#define UNTOUCHED 0x5a

static struct soft_surface s;

static uint8_t *ccs(void)
{
    return fixture_ram + CCS;
}

/* Pixels are something, nothing is marked. qpitch: rows of a slice, of pixels and of the CCS in pixels. */
static void make(unsigned format, unsigned width, unsigned height, unsigned pitch, uint32_t qpitch)
{
    memset(fixture_ram, UNTOUCHED, CCS);
    memset(ccs(), 0, CCS_PAGES * SOFT_PAGE);
    s = fixture_surface((struct fixture_surface){format, Y, width, height, pitch, 0, 0});
    s.aux = 5;
    s.aux_address = FIXTURE_BASE + CCS;
    s.aux_pitch_tiles = 2;
    s.aux_qpitch_rows = qpitch;
    s.qpitch_rows = qpitch;
    s.clear[0] = s.clear[1] = s.clear[2] = s.clear[3] = 0x3f800000;
}

static int start(void **state)
{
    (void)state;
    fixture_start();
    make(SOFT_FORMAT_R8G8B8A8_UNORM, 300, 150, 1280, 256);
    return 0;
}

static bool touched(uint32_t x, uint32_t y, uint32_t z, unsigned level)
{
    uint64_t at = soft_surface_address(&s, x, y, z, level, 0) - FIXTURE_BASE;

    return fixture_ram[at] != UNTOUCHED;
}

/* Exactly the level's pixels within the blocks of the rectangle have changed. */
static void assert_touched(uint32_t x0, uint32_t y0, uint32_t x1, uint32_t y1, uint32_t z, unsigned level)
{
    static uint8_t copy[CCS];
    uint32_t block = 32 / s.element_bytes;

    memcpy(copy, fixture_ram, sizeof(copy));
    for (uint32_t y = y0 / 4 * 4; y < (y1 + 3) / 4 * 4 && y < soft_surface_height(&s, level); y++) {
        for (uint32_t x = x0 / block * block; x < (x1 + block - 1) / block * block && x < soft_surface_width(&s, level);
             x++) {
            assert_true(touched(x, y, z, level));
            memset(copy + soft_surface_address(&s, x, y, z, level, 0) - FIXTURE_BASE, UNTOUCHED, s.element_bytes);
        }
    }
    for (size_t i = 0; i < sizeof(copy); i++)
        assert_int_equal(copy[i], UNTOUCHED);
}

static void assert_no_marks(void)
{
    for (size_t i = 0; i < CCS_PAGES * SOFT_PAGE; i++)
        assert_int_equal(ccs()[i], 0);
}

/* ---- */

static void marks_write_no_pixel(void **state)
{
    (void)state;
    assert_true(soft_ccs_used(&s));
    assert_true(soft_ccs_mark(&fixture_mem, &s, 0, 0, 300, 150, 0));
    assert_touched(0, 0, 0, 0, 0, 0);
}

static void what_is_marked_is_settled_once(void **state)
{
    (void)state;
    soft_ccs_mark(&fixture_mem, &s, 16, 8, 200, 70, 0);
    soft_ccs_settle(&fixture_mem, &s, 0, 1, 1, SOFT_DRAWN);
    assert_touched(16, 8, 200, 70, 0, 0);
    assert_no_marks();
    memset(fixture_ram, UNTOUCHED, CCS);
    soft_ccs_settle(&fixture_mem, &s, 0, 1, 1, SOFT_DRAWN);
    assert_touched(0, 0, 0, 0, 0, 0);
}

/* The colour is the one of the state that uses the surface, not of the one that cleared it. */
static void the_colour_is_the_users(void **state)
{
    (void)state;
    soft_ccs_mark(&fixture_mem, &s, 0, 0, 300, 150, 0);
    s.clear[1] = s.clear[2] = 0;
    soft_ccs_settle(&fixture_mem, &s, 0, 1, 1, SOFT_DRAWN);
    for (uint32_t y = 0; y < 150; y++)
        for (uint32_t x = 0; x < 300; x++)
            assert_memory_equal(fixture_ram + soft_surface_address(&s, x, y, 0, 0, 0) - FIXTURE_BASE, "\xff\0\0\xff",
                                4);
}

/* Linear for who draws, as in memory for samplers. */
static void srgb_colours_depend_on_the_use(void **state)
{
    const float half = 0.5f;

    (void)state;
    for (unsigned use = SOFT_DRAWN; use <= SOFT_SAMPLED; use++) {
        make(SOFT_FORMAT_R8G8B8A8_UNORM_SRGB, 300, 150, 1280, 256);
        for (unsigned i = 0; i < 4; i++)
            memcpy(&s.clear[i], &half, sizeof(half));
        soft_ccs_mark(&fixture_mem, &s, 0, 0, 300, 150, 0);
        soft_ccs_settle(&fixture_mem, &s, 0, 1, 1, use);
        assert_memory_equal(fixture_ram, use == SOFT_DRAWN ? "\xbc\xbc\xbc\x80" : "\x80\x80\x80\x80", 4);
    }
}

static void blocks_are_32_bytes_by_4_rows_of_any_format(void **state)
{
    static const struct {
        unsigned format, width, pitch;
    } kind[] = {{SOFT_FORMAT_R8G8B8A8_UNORM, 300, 1280},
                {SOFT_FORMAT_R16G16B16A16_FLOAT, 150, 1280},
                {SOFT_FORMAT_R32G32B32A32_FLOAT, 77, 1280}};
    static const uint32_t rect[][4] = {
        {0, 0, 999, 999}, {0, 0, 1, 1}, {33, 7, 34, 9}, {60, 64, 70, 128}, {64, 60, 999, 149}};

    (void)state;
    for (unsigned k = 0; k < sizeof(kind) / sizeof(kind[0]); k++) {
        for (unsigned i = 0; i < sizeof(rect) / sizeof(rect[0]); i++) {
            make(kind[k].format, kind[k].width, 150, kind[k].pitch, 256);
            soft_ccs_mark(&fixture_mem, &s, rect[i][0], rect[i][1], rect[i][2], rect[i][3], 0);
            soft_ccs_settle(&fixture_mem, &s, 0, 1, 1, SOFT_DRAWN);
            assert_touched(rect[i][0], rect[i][1], rect[i][2], rect[i][3], 0, 0);
            assert_no_marks();
        }
    }
}

/* Mesa's blorp_ccs_ambiguate writes zeros over a level of a slice: the cache lines that isl's layout says. */
static void zeros_where_drivers_write_them_unmark(uint32_t x_line, uint32_t y_line, uint32_t lines_x, uint32_t lines_y)
{
    for (uint32_t y = y_line; y < y_line + lines_y; y++)
        for (uint32_t x = x_line; x < x_line + lines_x; x++)
            memset(ccs() + (size_t)(y / 8 * 2 + x / 8) * SOFT_PAGE + x % 8 * 512 + y % 8 * 64, 0, 64);
}

static void make_tree(unsigned drawn_level)
{
    s.levels = (uint8_t)(drawn_level + 1);
    s.array = true;
    s.layers = s.view_layers = 2;
    for (unsigned l = 0; l < 4; l++)
        s.level[l] = (struct soft_level){l < 2 ? 0 : 160, l == 0 ? 0 : l == 3 ? 192 : 152, 300 >> l, 150 >> l, 1};
}

/* 300 x 150: level 0 is 3 x 3 lines, level 1 lies below it (2 x 2), level 2 right of level 1 (1 x 1), level 3 below. */
static void levels_and_slices_lie_where_isl_puts_them(void **state)
{
    static const struct {
        unsigned level;
        uint32_t slice, x, y, lines_x, lines_y;
    } at[] = {{0, 0, 0, 0, 3, 3}, {1, 0, 0, 3, 2, 2}, {2, 0, 2, 3, 1, 1},
              {3, 0, 2, 4, 1, 1}, {0, 1, 0, 5, 3, 3}, {2, 1, 2, 8, 1, 1}};

    (void)state;
    for (unsigned i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        make(SOFT_FORMAT_R8G8B8A8_UNORM, 300, 150, 1280, 320);
        make_tree(at[i].level);
        assert_true(soft_ccs_mark(&fixture_mem, &s, 0, 0, 999, 999, at[i].slice));
        zeros_where_drivers_write_them_unmark(at[i].x, at[i].y, at[i].lines_x, at[i].lines_y);
        assert_no_marks();
        soft_ccs_mark(&fixture_mem, &s, 0, 0, 999, 999, at[i].slice);
        soft_ccs_settle(&fixture_mem, &s, at[i].level, at[i].level + 1, 2, SOFT_DRAWN);
        assert_touched(0, 0, 999, 999, at[i].slice, at[i].level);
        assert_no_marks();
    }
}

/* What is not asked for stays marked: another level may have another clear colour. */
static void other_levels_and_slices_stay(void **state)
{
    (void)state;
    make(SOFT_FORMAT_R8G8B8A8_UNORM, 300, 150, 1280, 320);
    make_tree(0);
    soft_ccs_mark(&fixture_mem, &s, 0, 0, 999, 999, 0);
    soft_ccs_mark(&fixture_mem, &s, 0, 0, 999, 999, 1);
    make_tree(1);
    soft_ccs_settle(&fixture_mem, &s, 1, 2, 2, SOFT_DRAWN);
    assert_touched(0, 0, 0, 0, 0, 0);
    soft_ccs_settle(&fixture_mem, &s, 0, 1, 1, SOFT_DRAWN);
    assert_touched(0, 0, 999, 999, 0, 0);
}

static void only_some_surfaces_have_one(void **state)
{
    (void)state;
    s.aux = 0;
    assert_false(soft_ccs_used(&s));
    s.aux = 1;
    assert_true(soft_ccs_used(&s));
    s.samples = 4;
    assert_false(soft_ccs_used(&s));
    s.samples = 1;
    s.tiling = SOFT_TILE_X;
    assert_false(soft_ccs_used(&s));
    s.tiling = SOFT_TILE_Y;
    s.aux_address = 0;
    assert_false(soft_ccs_used(&s));
}

static void odd_layouts_and_holes_are_survived(void **state)
{
    (void)state;
    s.aux_qpitch_rows = 100;
    assert_false(soft_ccs_mark(&fixture_mem, &s, 0, 0, 300, 150, 1));
    soft_ccs_settle(&fixture_mem, &s, 0, 1, 4, SOFT_DRAWN);
    s.aux_address = UINT64_C(0x7fffffff0000);
    assert_true(soft_ccs_mark(&fixture_mem, &s, 0, 0, 300, 150, 0));
    soft_ccs_settle(&fixture_mem, &s, 0, SOFT_LEVELS, UINT32_MAX, SOFT_DRAWN);
    assert_touched(0, 0, 0, 0, 0, 0);
}

/* Marks of any bytes, surfaces of any bits: nothing out of bounds, and an end. */
static void random_surfaces_are_survived(void **state)
{
    (void)state;
    srand(7);
    for (unsigned n = 0; n < 3000; n++) {
        uint32_t dw[16];

        for (unsigned i = 0; i < 16; i++)
            dw[i] = (uint32_t)rand() ^ (uint32_t)rand() << 16;
        soft_surface_decode(dw, &s);
        s.aux = 5;
        s.samples = 1;
        s.tiling = SOFT_TILE_Y;
        s.aux_address = FIXTURE_BASE + CCS;
        for (unsigned i = 0; i < SOFT_PAGE; i++)
            ccs()[i] = (uint8_t)rand();
        if (!soft_ccs_used(&s))
            continue;
        soft_ccs_mark(&fixture_mem, &s, 0, 0, (uint32_t)rand() % 512, (uint32_t)rand() % 512, (uint32_t)rand() % 4);
        soft_ccs_settle(&fixture_mem, &s, 0, s.levels, s.layers, SOFT_DRAWN);
    }
}

/* ---- threads */

#define THREADS 3

/* Whoever comes back finds every pixel. */
static void *use(void *unused)
{
    static const uint8_t white[4] = {0xff, 0xff, 0xff, 0xff};
    struct soft_mem m;
    size_t wrong = 0;

    (void)unused;
    memset(&m, 0, sizeof(m));
    soft_mem_begin(&m, &fixture_space);
    soft_ccs_settle(&m, &s, 0, 1, 1, SOFT_DRAWN);
    for (uint32_t y = 0; y < 150; y++)
        for (uint32_t x = 0; x < 300; x++)
            wrong += memcmp(fixture_ram + soft_surface_address(&s, x, y, 0, 0, 0) - FIXTURE_BASE, white, 4) != 0;
    return (void *)wrong;
}

static void threads_may_come_at_once(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        pthread_t thread[THREADS];
        void *wrong;

        make(SOFT_FORMAT_R8G8B8A8_UNORM, 300, 150, 1280, 256);
        soft_ccs_mark(&fixture_mem, &s, 0, 0, 300, 150, 0);
        for (unsigned i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&thread[i], NULL, use, NULL), 0);
        for (unsigned i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_join(thread[i], &wrong), 0);
            assert_null(wrong);
        }
    }
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, start, fixture_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(marks_write_no_pixel),
        CASE(what_is_marked_is_settled_once),
        CASE(the_colour_is_the_users),
        CASE(srgb_colours_depend_on_the_use),
        CASE(blocks_are_32_bytes_by_4_rows_of_any_format),
        CASE(levels_and_slices_lie_where_isl_puts_them),
        CASE(other_levels_and_slices_stay),
        CASE(only_some_surfaces_have_one),
        CASE(odd_layouts_and_holes_are_survived),
        CASE(random_surfaces_are_survived),
        CASE(threads_may_come_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
