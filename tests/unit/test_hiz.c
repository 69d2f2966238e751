/* HiZ buffers: slices that are as fresh memory have the clear value, and get it when they are used. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define FIXTURE_PAGES 512u
#include "mediator/soft/hiz.h"
#include "pixel_fixture.h"

enum { LINEAR, W, X, Y };

#define HIZ_PAGES 32u
#define HIZ       (FIXTURE_SIZE - HIZ_PAGES * SOFT_PAGE)
#define UNTOUCHED 0x5a
#define WIDTH     300u
#define HEIGHT    150u

static struct soft_surface s;

static void make(unsigned format, unsigned samples_log2)
{
    memset(fixture_ram, UNTOUCHED, HIZ);
    memset(fixture_ram + HIZ, 0, HIZ_PAGES * SOFT_PAGE);
    s = fixture_surface((struct fixture_surface){format, Y, WIDTH, HEIGHT, 2560, samples_log2, 1});
    s.aux = 3;
    s.aux_address = FIXTURE_BASE + HIZ;
    s.qpitch_rows = 320;
    s.array = true;
    s.layers = s.view_layers = 2;
    s.clear[0] = 0x3f000000; /* 0.5 */
}

static int start(void **state)
{
    (void)state;
    fixture_start();
    make(SOFT_FORMAT_R32_FLOAT, 0);
    return 0;
}

static const uint8_t *place(uint32_t x, uint32_t y, uint32_t z, unsigned sample)
{
    return fixture_ram + (soft_surface_address(&s, x, y, z, 0, sample) - FIXTURE_BASE);
}

/* Level 0 of exactly the slices in the mask has the value; nothing beside pixels was written. */
static void assert_filled(unsigned slices, const void *value)
{
    static uint8_t copy[HIZ];

    memcpy(copy, fixture_ram, sizeof(copy));
    for (uint32_t z = 0; z < 2; z++) {
        for (unsigned i = 0; slices >> z & 1 && i < WIDTH * HEIGHT * s.samples; i++) {
            const uint8_t *p = place(i / s.samples % WIDTH, i / s.samples / WIDTH, z, i % s.samples);

            assert_memory_equal(p, value, s.element_bytes);
            memset(copy + (p - fixture_ram), UNTOUCHED, s.element_bytes);
        }
    }
    for (size_t i = 0; i < sizeof(copy); i++)
        assert_int_equal(copy[i], UNTOUCHED);
}

static void fresh_slices_get_the_value_once(void **state)
{
    const float half = 0.5f;

    (void)state;
    assert_true(soft_hiz_used(&s));
    soft_hiz_settle(&fixture_mem, &s, 0, 1, 2);
    assert_filled(3, &half);
    memset(fixture_ram, UNTOUCHED, HIZ);
    soft_hiz_settle(&fixture_mem, &s, 0, 1, 2);
    assert_filled(0, NULL);
}

static void marked_slices_are_left_alone(void **state)
{
    const float half = 0.5f;

    (void)state;
    soft_hiz_mark(&fixture_mem, &s, 0, 1);
    soft_hiz_settle(&fixture_mem, &s, 0, 1, 2);
    assert_filled(1, &half);
}

/* The same slice seen through views that begin elsewhere. */
static void views_share_what_is_known(void **state)
{
    (void)state;
    soft_hiz_mark(&fixture_mem, &s, 1, 1);
    s.first_layer = 1;
    s.first_level = 1;
    soft_hiz_settle(&fixture_mem, &s, 0, 1, 1);
    assert_filled(0, NULL);
    s.first_layer = 0;
    s.level[0] = (struct soft_level){0, 0, WIDTH, HEIGHT, 1};
    soft_hiz_settle(&fixture_mem, &s, 0, 1, 1);
    assert_int_not_equal(fixture_ram[0], UNTOUCHED);
}

static void every_format_and_sample_is_filled(void **state)
{
    const uint16_t d16 = 0x8000;
    const uint32_t d24 = 0x800000;
    const float half = 0.5f;

    (void)state;
    make(SOFT_FORMAT_R16_UNORM, 0);
    soft_hiz_settle(&fixture_mem, &s, 0, 1, 2);
    assert_filled(3, &d16);
    make(SOFT_FORMAT_R24_UNORM_X8_TYPELESS, 0);
    soft_hiz_settle(&fixture_mem, &s, 0, 1, 1);
    assert_filled(1, &d24);
    make(SOFT_FORMAT_R32_FLOAT, 1); /* two samples, side by side */
    soft_hiz_settle(&fixture_mem, &s, 0, 1, 1);
    assert_filled(1, &half);
}

static void only_depth_with_hiz_has_one(void **state)
{
    (void)state;
    s.aux = 1;
    assert_false(soft_hiz_used(&s));
    s.aux = 3;
    s.aux_address = 0;
    assert_false(soft_hiz_used(&s));
    s.aux_address = UINT64_C(0x7fffffff0000); /* not mapped: nothing can be remembered, so nothing is done */
    soft_hiz_mark(&fixture_mem, &s, 0, 0);
    soft_hiz_settle(&fixture_mem, &s, 0, 1, 2);
    assert_filled(0, NULL);
}

static void random_surfaces_are_survived(void **state)
{
    (void)state;
    srand(11);
    for (unsigned n = 0; n < 300; n++) {
        uint32_t dw[16];

        for (unsigned i = 0; i < 16; i++)
            dw[i] = (uint32_t)rand() ^ (uint32_t)rand() << 16;
        dw[2] &= 0x007f007f; /* 128 x 128: time, not safety */
        soft_surface_decode(dw, &s);
        s.aux = 3;
        s.aux_address = FIXTURE_BASE + HIZ;
        memset(fixture_ram + HIZ, 0, SOFT_PAGE);
        soft_hiz_settle(&fixture_mem, &s, 0, s.levels, GT_MIN(s.layers, 8u));
        soft_hiz_mark(&fixture_mem, &s, (unsigned)rand() % SOFT_LEVELS, (uint32_t)rand());
    }
}

/* Larger than memory: filling ends where it does. */
static void huge_slices_end(void **state)
{
    (void)state;
    s.level[0].width_px = s.level[0].height_px = 1u << 14;
    s.layers = s.view_layers = 2048;
    s.pitch_bytes = 1u << 16;
    soft_hiz_settle(&fixture_mem, &s, 0, 1, 2048);
    assert_int_equal(fixture_ram[HIZ], 1);
    assert_int_equal(fixture_ram[HIZ + 16], 0);
}

#define THREADS 3

/* Whoever comes back finds every value. */
static void *use(void *unused)
{
    const float half = 0.5f;
    struct soft_mem m;
    size_t wrong = 0;

    (void)unused;
    memset(&m, 0, sizeof(m));
    soft_mem_begin(&m, &fixture_space);
    soft_hiz_settle(&m, &s, 0, 1, 2);
    for (uint32_t y = 0; y < HEIGHT; y++)
        for (uint32_t x = 0; x < WIDTH; x++)
            wrong += memcmp(place(x, y, 1, 0), &half, sizeof(half)) != 0;
    return (void *)wrong;
}

static void threads_may_come_at_once(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        pthread_t thread[THREADS];
        void *wrong;

        make(SOFT_FORMAT_R32_FLOAT, 0);
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
        CASE(fresh_slices_get_the_value_once),
        CASE(marked_slices_are_left_alone),
        CASE(views_share_what_is_known),
        CASE(every_format_and_sample_is_filled),
        CASE(only_depth_with_hiz_has_one),
        CASE(random_surfaces_are_survived),
        CASE(huge_slices_end),
        CASE(threads_may_come_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
