/* PNG files, read back with libpng. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "display/png.h"

/* Reads a PNG as XRGB8888; free() it. */
static uint32_t *read_back(FILE *f, uint32_t *width, uint32_t *height)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    uint32_t *pixels;

    assert_true(png_image_begin_read_from_stdio(&image, f));
    image.format = PNG_FORMAT_BGRA;
    *width = image.width;
    *height = image.height;
    pixels = malloc(PNG_IMAGE_SIZE(image));
    assert_non_null(pixels);
    assert_true(png_image_finish_read(&image, NULL, pixels, 0, NULL));
    return pixels;
}

static void every_pixel_survives(void **state)
{
    static const uint32_t sizes[][2] = {{1, 1}, {3, 2}, {64, 64}, {1023, 7}, {1, 500}};
    char err[128];

    (void)state;
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint32_t n = sizes[i][0] * sizes[i][1], w, h;
        uint32_t *pixels = malloc(n * sizeof(*pixels)), *back;
        FILE *f = tmpfile();

        assert_non_null(pixels);
        assert_non_null(f);
        for (uint32_t p = 0; p < n; p++)
            pixels[p] = p * 2654435761u;
        assert_int_equal(png_write_stream(f, pixels, sizes[i][0], sizes[i][1], err, sizeof(err)), 0);
        rewind(f);
        back = read_back(f, &w, &h);
        assert_int_equal(w, sizes[i][0]);
        assert_int_equal(h, sizes[i][1]);
        for (uint32_t p = 0; p < n; p++)
            assert_int_equal(back[p], (pixels[p] & 0xffffff) | 0xff000000u);
        fclose(f);
        free(back);
        free(pixels);
    }
}

static void file_by_path(void **state)
{
    char path[] = "/tmp/gtmux-png-XXXXXX", err[128];
    const uint32_t pixels[2] = {0x112233, 0x445566};
    uint32_t w, h, *back;
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(png_write_file(path, pixels, 2, 1, err, sizeof(err)), 0);
    FILE *f = fopen(path, "rb");

    assert_non_null(f);
    back = read_back(f, &w, &h);
    assert_int_equal(back[1], 0xff445566);
    free(back);
    fclose(f);
    unlink(path);
}

static void bad_sizes_are_refused(void **state)
{
    static const uint32_t sizes[][2] = {{0, 1}, {1, 0}, {16385, 1}, {1, 16385}, {UINT32_MAX, UINT32_MAX}};
    const uint32_t pixel = 0;
    char err[128];

    (void)state;
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        err[0] = 0;
        assert_int_equal(png_write_stream(stdout, &pixel, sizes[i][0], sizes[i][1], err, sizeof(err)), -1);
        assert_true(err[0]);
    }
}

static void errors_have_a_message(void **state)
{
    const uint32_t pixel = 0;
    char err[128] = "";

    (void)state;
    assert_int_equal(png_write_file("/nonexistent/x.png", &pixel, 1, 1, err, sizeof(err)), -1);
    assert_non_null(strstr(err, "/nonexistent/x.png"));
    FILE *full = fopen("/dev/full", "wb");

    if (!full) {
        print_message("skipped: no /dev/full\n");
        skip();
    }
    err[0] = 0;
    assert_int_equal(png_write_stream(full, &pixel, 1, 1, err, sizeof(err)), -1);
    assert_true(err[0]);
    fclose(full);
}

static void failed_write_leaves_no_file(void **state)
{
    char path[] = "/tmp/gtmux-png-XXXXXX", err[128] = "";
    const uint32_t pixel = 0;
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(png_write_file(path, &pixel, 0, 1, err, sizeof(err)), -1);
    assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pixel_survives),        cmocka_unit_test(file_by_path),
        cmocka_unit_test(bad_sizes_are_refused),       cmocka_unit_test(errors_have_a_message),
        cmocka_unit_test(failed_write_leaves_no_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
