/* Composition of picture rows from planes in a piece of memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vgpu/base/bits.h"
#include "vgpu/surface.h"

#define MEMORY_BYTES (8u << 20)
#define GUARD        0x5a5a5a5au

struct fixture {
    uint8_t *memory;
    uint64_t hole_start, hole_end; /* unmapped */
    unsigned reads;
    struct vgpu_scanout s;
    uint64_t scratch[VGPU_COMPOSE_SCRATCH / 8];
    uint32_t row[VGPU_WIDTH_MAX + 1];
};

static int read_memory(void *opaque, uint64_t ggtt, void *dst, size_t n)
{
    struct fixture *f = opaque;

    f->reads++;
    if (!gt_range_ok(ggtt, n, MEMORY_BYTES) || (ggtt < f->hole_end && ggtt + n > f->hole_start)) {
        memset(dst, 0, n);
        return -EFAULT;
    }
    memcpy(dst, f->memory + ggtt, n);
    return 0;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->memory = calloc(1, MEMORY_BYTES);
    assert_non_null(f->memory);
    f->s = (struct vgpu_scanout){.width = 64, .height = 64};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    free(f->memory);
    free(f);
    return 0;
}

static struct vgpu_surface *add_plane(struct fixture *f, enum vgpu_format format, uint32_t ggtt, uint32_t w, uint32_t h)
{
    struct vgpu_surface *p = &f->s.plane[f->s.nplanes++];

    *p = (struct vgpu_surface){.format = format, .tiling = VGPU_LINEAR, .ggtt = ggtt, .width = w, .height = h};
    p->stride_bytes = (uint32_t)gt_align_up(w * vgpu_format_cpp(format), 64);
    return p;
}

static unsigned compose(struct fixture *f, uint32_t y)
{
    f->row[f->s.width] = GUARD;
    unsigned holes = vgpu_compose_row(&f->s, y, read_memory, f, f->row, f->scratch);

    assert_int_equal(f->row[f->s.width], GUARD);
    return holes;
}

static void put32(struct fixture *f, uint32_t at, uint32_t v)
{
    memcpy(f->memory + at, &v, sizeof(v));
}

/* A colour that tells which pixel it is. */
static uint32_t mark(uint32_t x, uint32_t y)
{
    return (y << 12 | x) & 0xffffff;
}

/* Draws w x h marks into a surface without rotation. */
static void draw_marks(struct fixture *f, const struct vgpu_surface *p, uint32_t w, uint32_t h)
{
    for (uint32_t y = 0; y < h; y++)
        for (uint32_t x = 0; x < w; x++)
            put32(f, (uint32_t)(p->ggtt + vgpu_tiled_offset(p->tiling, p->stride_bytes, 4, x * 4, y)),
                  mark(x, y) | 0xab000000u);
}

static void empty_pipe_shows_the_bottom_colour(void **state)
{
    struct fixture *f = *state;

    f->s.bottom_color = 0xff123456;
    assert_int_equal(compose(f, 0), 0);
    for (unsigned x = 0; x < 64; x++)
        assert_int_equal(f->row[x], 0x123456);
}

static void linear_row_takes_one_read(void **state)
{
    struct fixture *f = *state;
    struct vgpu_surface *p = add_plane(f, VGPU_FMT_XRGB8888, 0, 64, 64);

    draw_marks(f, p, 64, 64);
    assert_int_equal(compose(f, 5), 0);
    assert_int_equal(f->reads, 1);
    for (unsigned x = 0; x < 64; x++)
        assert_int_equal(f->row[x], mark(x, 5));
}

static void x_tiled_row_takes_one_read_a_tile(void **state)
{
    struct fixture *f = *state;
    struct vgpu_surface *p = add_plane(f, VGPU_FMT_XRGB8888, 0, 512, 16);

    f->s.width = 512;
    p->tiling = VGPU_TILE_X;
    draw_marks(f, p, 512, 16);
    compose(f, 11);
    assert_int_equal(f->reads, 4);
    for (unsigned x = 0; x < 512; x++)
        assert_int_equal(f->row[x], mark(x, 11));
}

static void all_tilings_with_offset_and_180_degrees(void **state)
{
    struct fixture *f = *state;

    for (enum vgpu_tiling t = VGPU_LINEAR; t <= VGPU_TILE_YF; t++) {
        for (unsigned turn = 0; turn <= 2; turn += 2) {
            f->s.nplanes = 0;
            struct vgpu_surface *p = add_plane(f, VGPU_FMT_XRGB8888, 0x4000, 50, 40);

            p->tiling = t;
            p->stride_bytes = 512;
            draw_marks(f, p, 64, 64);
            p->src_x = 13;
            p->src_y = 17;
            p->rotation = (uint8_t)turn;
            for (uint32_t y = 0; y < 40; y++) {
                compose(f, y);
                for (unsigned x = 0; x < 50; x++)
                    assert_int_equal(f->row[x], turn ? mark(13 + 49 - x, 17 + 39 - y) : mark(13 + x, 17 + y));
                assert_int_equal(f->row[50], 0);
            }
        }
    }
}

/* A 64 x 96 picture in whole tiles, seen through i915's rotated view. 90 degrees clockwise shows the source's left
 * bottom corner left top; 270 shows its right top corner there. */
static void rotation_by_90_and_270(void **state)
{
    struct fixture *f = *state;

    for (enum vgpu_tiling t = VGPU_TILE_Y; t <= VGPU_TILE_YF; t++) {
        for (uint8_t turn = 1; turn <= 3; turn += 2) {
            f->s = (struct vgpu_scanout){.width = 96, .height = 64};
            struct vgpu_surface *p = add_plane(f, VGPU_FMT_XRGB8888, 0x10000, 96, 64);

            p->tiling = t;
            p->stride_bytes = 3 * 128;
            p->rotation = turn;
            for (uint32_t y = 0; y < 96; y++)
                for (uint32_t x = 0; x < 64; x++)
                    put32(f, (uint32_t)(p->ggtt + vgpu_rotated_offset(t, p->stride_bytes, 4, 95 - y, x)), mark(x, y));
            for (uint32_t y = 0; y < 64; y++) {
                compose(f, y);
                for (uint32_t x = 0; x < 96; x++)
                    assert_int_equal(f->row[x], turn == 1 ? mark(y, 95 - x) : mark(63 - y, x));
            }
        }
    }
}

static void formats_convert(void **state)
{
    static const struct {
        enum vgpu_format format;
        uint8_t raw[8];
        uint32_t pixel;
    } rows[] = {
        {VGPU_FMT_C8, {7}, 0x0a0b0c},
        {VGPU_FMT_RGB565, {0x00, 0xf8}, 0xff0000},
        {VGPU_FMT_RGB565, {0xe0, 0x07}, 0x00ff00},
        {VGPU_FMT_RGB565, {0x1f, 0x00}, 0x0000ff},
        {VGPU_FMT_RGB565, {0x10, 0x84}, 0x848284},
        {VGPU_FMT_XRGB8888, {1, 2, 3, 0xff}, 0x030201},
        {VGPU_FMT_XBGR8888, {1, 2, 3, 0xff}, 0x010203},
        {VGPU_FMT_XRGB2101010, {0xff, 0x03, 0x00, 0x00}, 0x0000ff},
        {VGPU_FMT_XRGB2101010, {0x00, 0x00, 0xf0, 0x3f}, 0xff0000},
        {VGPU_FMT_XBGR2101010, {0xff, 0x03, 0x00, 0x00}, 0xff0000},
        {VGPU_FMT_XRGB16F, {0x00, 0x3c, 0x00, 0x38, 0x00, 0x00, 0x00, 0x3c}, 0x0080ff}, /* b 1.0, g 0.5, r 0 */
        {VGPU_FMT_XBGR16F, {0x00, 0x3c, 0x00, 0x38, 0x00, 0x00, 0x00, 0x3c}, 0xff8000},
        {VGPU_FMT_XRGB16F, {0x00, 0x7c, 0x00, 0xbc, 0x00, 0x7e, 0, 0}, 0x0000ff}, /* infinite, -1.0, NaN */
        {VGPU_FMT_XRGB16F, {0xff, 0x03, 0x00, 0x40, 0x00, 0x34, 0, 0}, 0x40ff00}, /* denormal, 2.0, 0.25 */
        {VGPU_FMT_YUYV, {235, 128, 235, 128}, 0xffffff},
        {VGPU_FMT_YUYV, {16, 128, 16, 128}, 0x000000},
        {VGPU_FMT_YUYV, {81, 90, 81, 240}, 0xff0000},
        {VGPU_FMT_UYVY, {90, 81, 240, 81}, 0xff0000},
        {VGPU_FMT_YVYU, {81, 240, 81, 90}, 0xff0000},
        {VGPU_FMT_VYUY, {240, 81, 90, 81}, 0xff0000},
        {VGPU_FMT_NV12, {235}, 0xffffff},
    };
    struct fixture *f = *state;

    f->s.palette[7] = 0xff0a0b0c;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        f->s.nplanes = 0;
        add_plane(f, rows[i].format, 0, 2, 1);
        memcpy(f->memory, rows[i].raw, 8);
        compose(f, 0);
        for (unsigned shift = 0; shift < 24; shift += 8) {
            int got = f->row[0] >> shift & 0xff, wanted = rows[i].pixel >> shift & 0xff;

            if (abs(got - wanted) > 1)
                fail_msg("%s: 0x%06x, expected 0x%06x", vgpu_format_name(rows[i].format), f->row[0], rows[i].pixel);
        }
        assert_int_equal(f->row[0] >> 24, 0);
    }
}

static void packed_yuv_from_an_odd_column(void **state)
{
    static const uint8_t raw[] = {16, 128, 60, 128, 100, 90, 140, 240, 180, 128, 235, 128};
    struct fixture *f = *state;
    struct vgpu_surface *p = add_plane(f, VGPU_FMT_YUYV, 0, 6, 1);
    uint32_t all[6];

    memcpy(f->memory, raw, sizeof(raw));
    compose(f, 0);
    memcpy(all, f->row, sizeof(all));
    p->src_x = 1;
    p->width = 4;
    compose(f, 0);
    assert_memory_equal(f->row, all + 1, 4 * sizeof(uint32_t));
    p->rotation = 2;
    compose(f, 0);
    for (unsigned x = 0; x < 4; x++)
        assert_int_equal(f->row[x], all[4 - x]);
}

static void alpha_blends(void **state)
{
    static const struct {
        bool straight;
        uint8_t fade;
        uint32_t src, result;
    } rows[] = {
        {false, 0, 0xff112233, 0x112233},   {false, 0, 0x00000000, 0x80a0c0},   {false, 0, 0x80402010, 0x807070},
        {true, 0, 0xff112233, 0x112233},    {true, 0, 0x00ffffff, 0x80a0c0},    {true, 0, 0x80ffffff, 0xc0d0e0},
        {false, 255, 0xffffffff, 0x80a0c0}, {false, 127, 0xffffffff, 0xc0d0e0}, {false, 0, 0x00ffffff, 0xffffff},
    };
    struct fixture *f = *state;

    f->s.bottom_color = 0x80a0c0;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        f->s.nplanes = 0;
        struct vgpu_surface *p = add_plane(f, VGPU_FMT_ARGB8888, 0, 1, 1);

        p->alpha = true;
        p->alpha_straight = rows[i].straight;
        p->fade = rows[i].fade;
        put32(f, 0, rows[i].src);
        compose(f, 0);
        for (unsigned shift = 0; shift < 24; shift += 8)
            assert_in_range(f->row[0] >> shift & 0xff, GT_MAX(rows[i].result >> shift & 0xff, 1u) - 1,
                            (rows[i].result >> shift & 0xff) + 1);
    }
}

static void opaque_plane_with_fade(void **state)
{
    struct fixture *f = *state;
    struct vgpu_surface *p = add_plane(f, VGPU_FMT_XRGB8888, 0, 1, 1);

    p->fade = 128;
    put32(f, 0, 0x00ffffff);
    compose(f, 0);
    assert_int_equal(f->row[0], 0x7f7f7f);
}

static void destination_key(void **state)
{
    struct fixture *f = *state;

    add_plane(f, VGPU_FMT_XRGB8888, 0, 4, 1);
    struct vgpu_surface *top = add_plane(f, VGPU_FMT_XRGB8888, 0x1000, 4, 1);

    put32(f, 0, 0x00ff00ff);
    put32(f, 4, 0x00ff00fe);
    put32(f, 8, 0x12ff00ff);
    for (unsigned x = 0; x < 4; x++)
        put32(f, 0x1000 + x * 4, 0x111111);
    top->keyed = true;
    top->key = 0xff00ff;
    top->key_mask = 0xffffff;
    compose(f, 0);
    assert_int_equal(f->row[0], 0x111111);
    assert_int_equal(f->row[1], 0xff00fe);
    assert_int_equal(f->row[2], 0x111111);
    assert_int_equal(f->row[3], 0);
}

static void source_key(void **state)
{
    struct fixture *f = *state;

    f->s.bottom_color = 0x777777;
    struct vgpu_surface *p = add_plane(f, VGPU_FMT_XRGB8888, 0, 3, 1);

    put32(f, 0, 0x102030);
    put32(f, 4, 0x112030);
    put32(f, 8, 0x122030);
    p->src_keyed = true;
    p->key = 0x100000;
    p->key_max = 0x110000;
    p->key_mask = 0xff0000; /* red only */
    compose(f, 0);
    assert_int_equal(f->row[0], 0x777777);
    assert_int_equal(f->row[1], 0x777777);
    assert_int_equal(f->row[2], 0x122030);
}

static void cursor_is_clipped_at_every_edge(void **state)
{
    static const int32_t at[] = {-64, -63, -10, 0, 10, 63, 64, -1000, 1000};
    struct fixture *f = *state;
    struct vgpu_surface *p = add_plane(f, VGPU_FMT_ARGB8888, 0, 64, 64);

    p->alpha = true;
    p->kind = VGPU_PLANE_CURSOR;
    for (uint32_t y = 0; y < 64; y++)
        for (uint32_t x = 0; x < 64; x++)
            put32(f, y * 256 + x * 4, 0xff000000u | mark(x + 1, y));
    for (unsigned i = 0; i < GT_ARRAY_SIZE(at) * GT_ARRAY_SIZE(at); i++) {
        p->dst_x = at[i % GT_ARRAY_SIZE(at)];
        p->dst_y = at[i / GT_ARRAY_SIZE(at)];
        for (int32_t y = 0; y < 64; y++) {
            compose(f, (uint32_t)y);
            for (int32_t x = 0; x < 64; x++) {
                bool inside = x >= p->dst_x && x < p->dst_x + 64 && y >= p->dst_y && y < p->dst_y + 64;

                assert_int_equal(f->row[x], inside ? mark((uint32_t)(x - p->dst_x) + 1, (uint32_t)(y - p->dst_y)) : 0);
            }
        }
    }
}

static void scaled_plane_takes_the_nearest_pixel(void **state)
{
    struct fixture *f = *state;
    struct vgpu_surface *p = add_plane(f, VGPU_FMT_XRGB8888, 0, 16, 16);

    draw_marks(f, p, 16, 16);
    p->dst_width = 48;
    p->dst_height = 32;
    p->dst_x = -3;
    p->dst_y = 8;
    compose(f, 8 + 9);
    for (unsigned x = 0; x < 45; x++)
        assert_int_equal(f->row[x], mark((x + 3) / 3, 4));
    assert_int_equal(f->row[45], 0);
    p->dst_width = p->dst_height = 4;
    p->dst_x = p->dst_y = 0;
    compose(f, 3);
    for (unsigned x = 0; x < 4; x++)
        assert_int_equal(f->row[x], mark(x * 4, 12));
}

static void unmapped_pages_are_black_and_counted(void **state)
{
    struct fixture *f = *state;
    struct vgpu_surface *p = add_plane(f, VGPU_FMT_XRGB8888, 0, 64, 64);

    add_plane(f, VGPU_FMT_RGB565, 0x100000, 8, 64)->dst_x = 56;
    p->tiling = VGPU_TILE_Y;
    draw_marks(f, p, 64, 64);
    f->hole_start = 4096;
    f->hole_end = 8192;
    assert_int_equal(compose(f, 3), 1);
    assert_int_equal(f->row[31], mark(31, 3));
    assert_int_equal(f->row[32], 0);
    f->hole_end = MEMORY_BYTES;
    assert_int_equal(compose(f, 3), 2);
}

static void widest_row_of_the_widest_format_stays_inside(void **state)
{
    struct fixture *f = *state;
    struct vgpu_surface *p = add_plane(f, VGPU_FMT_XRGB16F, 0, 8192, 8);

    assert_int_equal(p->stride_bytes, 65536);
    f->s.width = VGPU_WIDTH_MAX;
    compose(f, 7);
    f->s.nplanes = 0;
    p = add_plane(f, VGPU_FMT_YUYV, 0, 8191, 8);
    p->src_x = 1;
    compose(f, 0);
    f->s.nplanes = 0;
    p = add_plane(f, VGPU_FMT_XRGB16F, 0, 8192, 8);
    p->tiling = VGPU_TILE_YF;
    p->rotation = 2;
    compose(f, 0);
}

static void invalid_planes_are_passed_over(void **state)
{
    struct fixture *f = *state;
    struct vgpu_surface *p = add_plane(f, VGPU_FMT_XRGB8888, 0, 64, 64);

    p->stride_bytes = 0;
    f->s.nplanes = 1000;
    assert_int_equal(compose(f, 0), 0);
    assert_int_equal(f->reads, 0);
}

#define COMPOSE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        COMPOSE_TEST(empty_pipe_shows_the_bottom_colour),
        COMPOSE_TEST(linear_row_takes_one_read),
        COMPOSE_TEST(x_tiled_row_takes_one_read_a_tile),
        COMPOSE_TEST(all_tilings_with_offset_and_180_degrees),
        COMPOSE_TEST(rotation_by_90_and_270),
        COMPOSE_TEST(formats_convert),
        COMPOSE_TEST(packed_yuv_from_an_odd_column),
        COMPOSE_TEST(alpha_blends),
        COMPOSE_TEST(opaque_plane_with_fade),
        COMPOSE_TEST(destination_key),
        COMPOSE_TEST(source_key),
        COMPOSE_TEST(cursor_is_clipped_at_every_edge),
        COMPOSE_TEST(scaled_plane_takes_the_nearest_pixel),
        COMPOSE_TEST(unmapped_pages_are_black_and_counted),
        COMPOSE_TEST(widest_row_of_the_widest_format_stays_inside),
        COMPOSE_TEST(invalid_planes_are_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
