/* Tilings and the limits of surfaces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "vgpu/base/bits.h"
#include "vgpu/surface.h"

static void formats_have_names_and_sizes(void **state)
{
    (void)state;
    for (enum vgpu_format f = VGPU_FMT_NONE; f <= VGPU_FMT_NV12; f++) {
        assert_non_null(vgpu_format_name(f));
        assert_true(f == VGPU_FMT_NONE || vgpu_format_cpp(f));
    }
    assert_int_equal(vgpu_format_cpp((enum vgpu_format)999), 0);
    assert_string_equal(vgpu_format_name((enum vgpu_format)999), "?");
    assert_string_equal(vgpu_tiling_name(VGPU_TILE_YF), "Yf");
    assert_string_equal(vgpu_tiling_name((enum vgpu_tiling)9), "?");
}

/* PRM SKL vol 5, Mesa isl: known places of known bytes. */
static void known_offsets(void **state)
{
    static const struct {
        enum vgpu_tiling tiling;
        uint32_t stride, cpp, xb, y;
        uint64_t offset;
    } rows[] = {
        {VGPU_LINEAR, 1024, 4, 20, 3, 3 * 1024 + 20},
        {VGPU_TILE_X, 4096, 4, 511, 0, 511},
        {VGPU_TILE_X, 4096, 4, 512, 0, 4096},
        {VGPU_TILE_X, 4096, 4, 0, 1, 512},
        {VGPU_TILE_X, 4096, 4, 0, 8, 8 * 4096},
        {VGPU_TILE_X, 4096, 4, 1030, 9, 8 * 4096 + 2 * 4096 + 512 + 6},
        {VGPU_TILE_Y, 512, 4, 15, 0, 15},
        {VGPU_TILE_Y, 512, 4, 16, 0, 512},
        {VGPU_TILE_Y, 512, 4, 0, 1, 16},
        {VGPU_TILE_Y, 512, 4, 127, 31, 4095},
        {VGPU_TILE_Y, 512, 4, 128, 0, 4096},
        {VGPU_TILE_Y, 512, 4, 0, 32, 4 * 4096},
        {VGPU_TILE_YF, 512, 4, 16, 0, 128},
        {VGPU_TILE_YF, 512, 4, 0, 1, 16},
        {VGPU_TILE_YF, 512, 4, 0, 4, 64},
        {VGPU_TILE_YF, 512, 4, 0, 8, 256},
        {VGPU_TILE_YF, 512, 4, 32, 0, 512},
        {VGPU_TILE_YF, 512, 4, 0, 16, 1024},
        {VGPU_TILE_YF, 512, 4, 64, 0, 2048},
        {VGPU_TILE_YF, 512, 4, 128, 0, 4096},
        {VGPU_TILE_YF, 512, 1, 0, 4, 64},
        {VGPU_TILE_YF, 512, 1, 16, 0, 512},
        {VGPU_TILE_YF, 512, 1, 0, 64, 8 * 4096},
        {VGPU_TILE_YF, 512, 8, 16, 0, 64},
        {VGPU_TILE_YF, 512, 8, 64, 0, 512},
        {VGPU_TILE_YF, 512, 8, 0, 4, 256},
        {VGPU_TILE_YF, 512, 8, 0, 16, 2 * 4096},
    };

    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++)
        assert_int_equal(vgpu_tiled_offset(rows[i].tiling, rows[i].stride, rows[i].cpp, rows[i].xb, rows[i].y),
                         rows[i].offset);
}

/* Each byte of a few tiles has its own place, and 16 bytes stay together. */
static void tilings_are_one_to_one(void **state)
{
    static const unsigned cpps[] = {1, 2, 4, 8};
    static uint8_t seen[4 * 4096];

    (void)state;
    for (enum vgpu_tiling t = VGPU_TILE_X; t <= VGPU_TILE_YF; t++) {
        for (unsigned c = 0; c < GT_ARRAY_SIZE(cpps); c++) {
            uint32_t w, h;

            vgpu_tile_shape(t, cpps[c], &w, &h);
            assert_int_equal(w * h, 4096);
            memset(seen, 0, sizeof(seen));
            for (uint32_t y = 0; y < 2 * h; y++) {
                for (uint32_t x = 0; x < 2 * w; x++) {
                    uint64_t off = vgpu_tiled_offset(t, 2 * w, cpps[c], x, y);

                    assert_in_range(off, 0, sizeof(seen) - 1);
                    assert_int_equal(seen[off]++, 0);
                    assert_int_equal(off % 16, x % 16);
                }
            }
        }
    }
}

/* i915 rotate_pages: the view's rows of tiles are the source's columns, read from the bottom up; inside a tile nothing
 * moves. */
static void rotated_view_is_the_source_turned_clockwise(void **state)
{
    const uint32_t cols = 3, rows = 2, cpp = 4, w = 128 / 4, h = 32; /* tiles, pixels */

    (void)state;
    for (uint32_t sy = 0; sy < rows * h; sy++) {
        for (uint32_t sx = 0; sx < cols * w; sx++) {
            uint64_t plain = vgpu_tiled_offset(VGPU_TILE_Y, cols * 128, cpp, sx * cpp, sy);
            uint64_t column = plain / 4096 % cols, row = plain / 4096 / cols;
            uint64_t view_page = column * rows + (rows - 1 - row);

            assert_int_equal(vgpu_rotated_offset(VGPU_TILE_Y, rows * 128, cpp, rows * h - 1 - sy, sx),
                             view_page * 4096 + plain % 4096);
        }
    }
}

static struct vgpu_surface good(void)
{
    return (struct vgpu_surface){.format = VGPU_FMT_XRGB8888,
                                 .tiling = VGPU_LINEAR,
                                 .ggtt = 0x1000,
                                 .stride_bytes = 4096,
                                 .width = 1024,
                                 .height = 768};
}

static void valid_surfaces(void **state)
{
    struct vgpu_surface s = good();

    (void)state;
    assert_true(vgpu_surface_valid(&s));
    s.ggtt = (UINT64_C(1) << 32) - 4096 * 768;
    assert_true(vgpu_surface_valid(&s));
    s.dst_x = -4000;
    s.dst_y = 9000;
    assert_true(vgpu_surface_valid(&s));
    s = good();
    s.tiling = VGPU_TILE_Y;
    s.rotation = 1;
    s.stride_bytes = 128 * 32; /* 32 tiles of 32 pixels */
    assert_true(vgpu_surface_valid(&s));
    s.stride_bytes = 128 * 31;
    assert_false(vgpu_surface_valid(&s));
}

#define BAD(field, value)                                                                                              \
    do {                                                                                                               \
        struct vgpu_surface bad = good();                                                                              \
        bad.field = value;                                                                                             \
        assert_false(vgpu_surface_valid(&bad));                                                                        \
    } while (0)

static void each_bad_field_is_refused(void **state)
{
    (void)state;
    BAD(format, VGPU_FMT_NONE);
    BAD(format, (enum vgpu_format)77);
    BAD(tiling, (enum vgpu_tiling)4);
    BAD(tiling, (enum vgpu_tiling) - 1);
    BAD(width, 0);
    BAD(width, 8193);
    BAD(width, 1025); /* wider than the stride */
    BAD(height, 0);
    BAD(height, 8193);
    BAD(height, UINT32_MAX);
    BAD(src_x, 1);
    BAD(src_x, UINT32_MAX);
    BAD(src_y, 8192);
    BAD(src_y, UINT32_MAX);
    BAD(stride_bytes, 0);
    BAD(stride_bytes, (256 << 10) + 64);
    BAD(stride_bytes, UINT32_MAX);
    BAD(stride_bytes, 4097);
    BAD(ggtt, (UINT64_C(1) << 32) - 4096 * 768 + 4096);
    BAD(ggtt, UINT64_C(1) << 32);
    BAD(ggtt, UINT64_MAX);
    BAD(dst_x, INT32_MIN);
    BAD(dst_x, INT32_MAX);
    BAD(dst_y, INT32_MIN);
    BAD(dst_y, INT32_MAX);
    BAD(dst_width, 100); /* without a height */
    BAD(dst_height, 100);
    BAD(rotation, 4);
    BAD(rotation, 1); /* linear by 90 degrees */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_have_names_and_sizes),
        cmocka_unit_test(known_offsets),
        cmocka_unit_test(tilings_are_one_to_one),
        cmocka_unit_test(rotated_view_is_the_source_turned_clockwise),
        cmocka_unit_test(valid_surfaces),
        cmocka_unit_test(each_bad_field_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
