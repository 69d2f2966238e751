/* Sizes of a window and modes that are asked for because of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "display/wayland_size.h"
#include "vgpu/base/bits.h"

#define MS UINT64_C(1000000)

static const struct resize_limits limits = {64, 4096, 2304};
static const struct size vga = {640, 480};

static void a_picture_keeps_its_shape(void **state)
{
    static const struct {
        struct size picture, room, fits;
    } rows[] = {
        {{640, 480}, {640, 480}, {640, 480}},
        {{640, 480}, {1280, 480}, {640, 480}},
        {{640, 480}, {640, 4800}, {640, 480}},
        {{1920, 1080}, {1280, 800}, {1280, 720}},
        {{8192, 1}, {10, 10}, {10, 1}},
        {{1, 8192}, {10, 10}, {1, 10}},
        {{8192, 8192}, {65535, 40000}, {40000, 40000}},
    };

    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        struct size s = size_fit(rows[i].picture, rows[i].room);

        if (s.width != rows[i].fits.width || s.height != rows[i].fits.height)
            fail_msg("row %u: %ux%u", i, s.width, s.height);
    }
}

static void a_place_in_the_window_is_a_pixel(void **state)
{
    (void)state;
    assert_int_equal(size_pixel(0, 640, 640), 0);
    assert_int_equal(size_pixel(639 * 256 + 255, 640, 640), 639);
    assert_int_equal(size_pixel(320 * 256, 640, 1920), 960);
    assert_int_equal(size_pixel(-256, 640, 640), 0);
    assert_int_equal(size_pixel(INT32_MAX, 640, 640), 639);
    assert_int_equal(size_pixel(INT32_MIN, 640, 640), 0);
    assert_int_equal(size_pixel(256, 0, 640), 0);
    assert_int_equal(size_pixel(256, 640, 0), 0);
}

static void a_size_is_asked_for_when_it_has_settled(void **state)
{
    struct resize r = {0};
    struct size ask = {0};

    (void)state;
    assert_false(resize_due(&r, vga, 0, &ask));
    for (uint32_t i = 0; i < 100; i++) {
        resize_want(&r, &limits, (struct size){700 + i, 500}, i * 20 * MS);
        assert_false(resize_due(&r, vga, i * 20 * MS, &ask));
    }
    assert_false(resize_due(&r, vga, 1980 * MS + 249 * MS, &ask));
    assert_true(resize_due(&r, vga, 1980 * MS + 250 * MS, &ask));
    assert_int_equal(ask.width, 799);
    assert_int_equal(ask.height, 500);
    assert_false(resize_due(&r, vga, 9000 * MS, &ask));
}

static void what_the_guest_has_is_not_asked_for(void **state)
{
    struct resize r = {0};
    struct size ask;

    (void)state;
    resize_want(&r, &limits, vga, 0);
    assert_false(resize_due(&r, vga, 300 * MS, &ask));
    assert_int_equal(r.at, 0);
}

/* Compositors repeat a window's size with each change of the focus. */
static void a_guest_that_does_not_follow_is_asked_once(void **state)
{
    struct resize r = {0};
    struct size ask;
    unsigned asked = 0;

    (void)state;
    for (uint32_t i = 0; i < 50; i++) {
        resize_want(&r, &limits, (struct size){800, 600}, i * 1000 * MS);
        asked += resize_due(&r, vga, i * 1000 * MS + 300 * MS, &ask);
    }
    assert_int_equal(asked, 1);
    resize_want(&r, &limits, (struct size){900, 600}, 60000 * MS);
    assert_true(resize_due(&r, vga, 60300 * MS, &ask));
}

static void sizes_that_no_mode_has_are_bounded(void **state)
{
    struct resize r = {0};
    struct size ask;

    (void)state;
    resize_want(&r, &limits, (struct size){1, 100000}, 0);
    assert_true(resize_due(&r, vga, 300 * MS, &ask));
    assert_int_equal(ask.width, 64);
    assert_int_equal(ask.height, 2304);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_keeps_its_shape),
        cmocka_unit_test(a_place_in_the_window_is_a_pixel),
        cmocka_unit_test(a_size_is_asked_for_when_it_has_settled),
        cmocka_unit_test(what_the_guest_has_is_not_asked_for),
        cmocka_unit_test(a_guest_that_does_not_follow_is_asked_once),
        cmocka_unit_test(sizes_that_no_mode_has_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
