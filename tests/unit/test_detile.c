/* The copy of pixels out of tilings, against the address of each byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "display/detile.h"
#include "display/format.h"
#include "vgpu/base/bits.h"

#define ROWS 200u

struct pages {
    uint8_t *bytes;
    uint32_t count, hole, asked_last;
};

static const uint8_t *page(void *ctx, uint32_t index)
{
    struct pages *p = ctx;

    assert_true(index < p->count);
    p->asked_last = index;
    return index == p->hole ? NULL : p->bytes + (size_t)index * DISPLAY_PAGE;
}

static uint32_t stride_of(enum vgpu_tiling t, unsigned cpp)
{
    uint32_t w, h;

    vgpu_tile_shape(t, cpp, &w, &h);
    return t == VGPU_LINEAR ? 1000 : w * 5;
}

static struct pages make_pages(enum vgpu_tiling t, unsigned cpp)
{
    uint32_t w, h, stride = stride_of(t, cpp);

    vgpu_tile_shape(t, cpp, &w, &h);
    struct pages p = {.hole = UINT32_MAX};

    p.count = t == VGPU_LINEAR ? (stride * ROWS + DISPLAY_PAGE - 1) / DISPLAY_PAGE : (ROWS + h - 1) / h * (stride / w);
    p.bytes = malloc((size_t)p.count * DISPLAY_PAGE);
    for (size_t i = 0; i < (size_t)p.count * DISPLAY_PAGE; i++)
        p.bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    return p;
}

/* Every byte of the rectangle, and none around it. */
static void check(enum vgpu_tiling t, unsigned cpp, const struct detile_rect *r, uint32_t hole)
{
    struct pages p = make_pages(t, cpp);
    const uint32_t stride = stride_of(t, cpp);
    const size_t pitch = r->width + 24;
    const struct detile_source s = {.tiling = t, .cpp = cpp, .stride_bytes = stride, .page = page, .ctx = &p};
    uint8_t *out = malloc(pitch * (r->rows + 1)), *flat = malloc(pitch * (r->rows + 1));

    p.hole = hole;
    memset(out, 0xa5, pitch * (r->rows + 1));
    memset(flat, 0xa5, pitch * (r->rows + 1));
    detile_copy(&s, r, out, pitch);
    detile_copy_flat(t, cpp, stride, p.bytes, r, flat, pitch);
    for (uint32_t y = 0; y <= r->rows; y++)
        for (uint32_t x = 0; x < pitch; x++) {
            uint8_t want = 0xa5, want_flat = 0xa5;

            if (y < r->rows && x < r->width) {
                uint64_t at = vgpu_tiled_offset(t, stride, cpp, r->x + x, r->y + y);

                want_flat = p.bytes[at];
                want = at / DISPLAY_PAGE == hole ? 0 : want_flat;
            }
            assert_int_equal(out[y * pitch + x], want);
            assert_int_equal(flat[y * pitch + x], want_flat);
        }
    free(out);
    free(flat);
    free(p.bytes);
}

static void each_tiling_and_pixel_size_is_exact(void **state)
{
    static const unsigned sizes[] = {1, 2, 4, 8};

    (void)state;
    for (unsigned t = VGPU_LINEAR; t <= VGPU_TILE_YF; t++)
        for (unsigned i = 0; i < GT_ARRAY_SIZE(sizes); i++) {
            struct detile_rect all = {0, 0, stride_of((enum vgpu_tiling)t, sizes[i]), ROWS};
            struct detile_rect some = {sizes[i] * 3, 5, all.width - sizes[i] * 7, ROWS - 11};

            check((enum vgpu_tiling)t, sizes[i], &all, UINT32_MAX);
            check((enum vgpu_tiling)t, sizes[i], &some, UINT32_MAX);
        }
}

/* Large enough, and aligned, for the copy past the cache. */
static void a_large_picture_is_exact(void **state)
{
    (void)state;
    for (unsigned t = VGPU_TILE_X; t <= VGPU_TILE_YF; t++)
        for (unsigned cpp = 1; cpp <= 8; cpp *= 2) {
            uint32_t w, h;

            vgpu_tile_shape((enum vgpu_tiling)t, cpp, &w, &h);
            const uint32_t stride = w * (2048 / w), rows = 300;
            const size_t bytes = (size_t)stride * gt_align_up(rows, 64);
            uint8_t *src = aligned_alloc(DISPLAY_PAGE, bytes), *dst = aligned_alloc(DISPLAY_PAGE, bytes);
            const struct detile_rect r = {0, 3, stride, rows - 3};

            for (size_t i = 0; i < bytes; i++)
                src[i] = (uint8_t)(i * 2654435761u >> 13);
            detile_copy_flat((enum vgpu_tiling)t, cpp, stride, src, &r, dst, stride);
            for (uint32_t y = 0; y < r.rows; y++)
                for (uint32_t x = 0; x < stride; x++)
                    if (dst[y * stride + x] != src[vgpu_tiled_offset((enum vgpu_tiling)t, stride, cpp, x, y + 3)])
                        fail_msg("tiling %u, %u bytes a pixel: byte %u of row %u", t, cpp, x, y);
            free(src);
            free(dst);
        }
}

static void one_pixel_of_a_tiles_middle_is_exact(void **state)
{
    const struct detile_rect r = {132, 77, 4, 1};

    (void)state;
    for (unsigned t = VGPU_LINEAR; t <= VGPU_TILE_YF; t++)
        check((enum vgpu_tiling)t, 4, &r, UINT32_MAX);
}

static void a_hole_reads_as_black(void **state)
{
    (void)state;
    for (unsigned t = VGPU_LINEAR; t <= VGPU_TILE_YF; t++) {
        struct detile_rect all = {0, 0, stride_of((enum vgpu_tiling)t, 4), ROWS};
        struct detile_rect some = {20, 3, all.width - 40, ROWS - 9};

        check((enum vgpu_tiling)t, 4, &all, 6);
        check((enum vgpu_tiling)t, 4, &some, 6);
    }
}

static void formats_and_tilings_have_names_of_the_kernel(void **state)
{
    enum vgpu_format f;
    enum vgpu_tiling t;

    (void)state;
    assert_int_equal(display_fourcc(VGPU_FMT_XRGB8888), 0x34325258); /* "XR24" */
    assert_int_equal(display_fourcc(VGPU_FMT_RGB565), 0x36314752);   /* "RG16" */
    assert_int_equal(display_fourcc(VGPU_FMT_C8), 0);
    assert_int_equal(display_fourcc(VGPU_FMT_NV12), 0);
    assert_int_equal(display_fourcc((enum vgpu_format)1000), 0);
    assert_true(display_modifier(VGPU_LINEAR) == 0);
    assert_true(display_modifier(VGPU_TILE_X) == (UINT64_C(1) << 56 | 1));
    for (unsigned i = VGPU_LINEAR; i <= VGPU_TILE_YF; i++) {
        assert_true(display_from_modifier(display_modifier((enum vgpu_tiling)i), &t));
        assert_int_equal(t, i);
    }
    assert_true(display_from_fourcc(0x36314752, &f));
    assert_int_equal(f, VGPU_FMT_RGB565);
    assert_false(display_from_fourcc(0, &f));
    assert_false(display_from_modifier(UINT64_C(1) << 56 | 4, &t)); /* Y_TILED_CCS */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_tiling_and_pixel_size_is_exact),          cmocka_unit_test(a_large_picture_is_exact),
        cmocka_unit_test(one_pixel_of_a_tiles_middle_is_exact),         cmocka_unit_test(a_hole_reads_as_black),
        cmocka_unit_test(formats_and_tilings_have_names_of_the_kernel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
