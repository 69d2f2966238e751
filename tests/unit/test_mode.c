/* Texts of modes: what is taken, what is refused, and that both directions agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mediator/mode.h"
#include "vgpu/base/bits.h"

static void texts_are_understood(void **state)
{
    static const struct {
        const char *text;
        struct vgpu_mode mode;
        const char *back;
    } rows[] = {
        {"1024x768", {1024, 768, 60000}, "1024x768@60"},
        {"1920x1080@60", {1920, 1080, 60000}, "1920x1080@60"},
        {"640x480@59.94", {640, 480, 59940}, "640x480@59.940"},
        {"800x600@75.5", {800, 600, 75500}, "800x600@75.500"},
        {"1280x720@119.998", {1280, 720, 119998}, "1280x720@119.998"},
        {"4096x2304@30", {4096, 2304, 30000}, "4096x2304@30"},
        {"64x64@1", {64, 64, 1000}, "64x64@1"},
    };

    (void)state;
    for (size_t i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        struct vgpu_mode mode;
        char buf[24];
        assert_true(mode_parse(rows[i].text, &mode));
        assert_memory_equal(&mode, &rows[i].mode, sizeof(mode));
        assert_string_equal(mode_format(&mode, buf, sizeof(buf)), rows[i].back);
    }
}

static void everything_else_is_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "x",
        "1024",
        "1024x",
        "x768",
        "1024x768@",
        "1024x768@60.",
        "1024x768@60.1234",
        "1024x768@-60",
        "-1024x768",
        "1024x768x2",
        "1024 x768",
        " 1024x768",
        "1024x768 ",
        "1024x768@60Hz",
        "0x0",
        "63x768",
        "1024x63",
        "4097x768",
        "1024x2305",
        "1024x768@0",
        "1024x768@0.999",
        "1024x768@241",
        "99999999x768",
        "1024x99999999",
        "18446744073709552640x768",
        "1024x768@99999999",
        "1024X768",
        "0x400x768",
        "1024x768@1e2",
    };

    (void)state;
    for (size_t i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        struct vgpu_mode mode = {1, 2, 3};
        if (mode_parse(rows[i], &mode))
            fail_msg("'%s' was taken", rows[i]);
        assert_true(mode.width == 1 && mode.height == 2 && mode.mhz == 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_understood),
        cmocka_unit_test(everything_else_is_refused),
    };

    return cmocka_run_group_tests_name("mode", tests, NULL, NULL);
}
