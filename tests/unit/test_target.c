/* Render target writes: places, formats, masks, blending in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mediator/soft/pixel.h"
#include "pixel_fixture.h"

enum { LINEAR, W, X, Y };

static struct soft_surface s;
static struct raster_blend blend;
static const float constant[4];
static float color[4][16];
static uint16_t px[16], py[16];
static struct target_write w;

static int start(void **state)
{
    (void)state;
    fixture_start();
    memset(&w, 0, sizeof(w));
    blend = (struct raster_blend){.write_mask = 0xf, .src_color = 1, .src_alpha = 1, .dst_color = 17, .dst_alpha = 17};
    s = fixture_surface((struct fixture_surface){SOFT_FORMAT_R8G8B8A8_UNORM, Y, 64, 64, 256, 0, 0});
    w.s = &s;
    w.blend = &blend;
    w.constant = constant;
    w.mask = 0xffff;
    w.color = (const float(*)[16])color;
    w.x = px;
    w.y = py;
    for (unsigned c = 0; c < 4; c++) {
        for (unsigned i = 0; i < 16; i++)
            color[c][i] = (float)(c * 16 + i) / 255;
    }
    for (unsigned i = 0; i < 16; i++) { /* four quads in a row */
        px[i] = (uint16_t)(8 + i / 4 * 2 + i % 2);
        py[i] = (uint16_t)(6 + i / 2 % 2);
    }
    return 0;
}

static void read(uint32_t x, uint32_t y, unsigned sample, void *out)
{
    soft_mem_read(&fixture_mem, soft_surface_address(&s, x, y, 0, 0, sample), out, s.element_bytes);
}

static uint32_t pixel(uint32_t x, uint32_t y)
{
    uint32_t v = 0;

    read(x, y, 0, &v);
    return v;
}

static uint32_t want(unsigned i)
{
    return i | (16 + i) << 8 | (32 + i) << 16 | (48 + i) << 24;
}

static void pixels_get_their_channels_in_every_tiling(void **state)
{
    static const unsigned mode[] = {LINEAR, X, Y};

    (void)state;
    for (unsigned m = 0; m < 3; m++) {
        memset(fixture_ram, 0, sizeof(fixture_ram));
        s = fixture_surface((struct fixture_surface){SOFT_FORMAT_R8G8B8A8_UNORM, mode[m], 128, 64, 512, 0, 0});
        target_write(&fixture_mem, &w);
        for (unsigned i = 0; i < 16; i++)
            assert_int_equal(pixel(w.x[i], w.y[i]), want(i));
        assert_int_equal(pixel(7, 6), 0);
        assert_int_equal(pixel(16, 6), 0);
        assert_int_equal(pixel(8, 8), 0);
    }
}

static void only_the_masks_channels_are_written(void **state)
{
    (void)state;
    w.mask = 0x8421;
    target_write(&fixture_mem, &w);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(pixel(w.x[i], w.y[i]), w.mask >> i & 1 ? want(i) : 0);
}

static void nothing_is_written_beyond_the_surface(void **state)
{
    static uint8_t before[FIXTURE_SIZE];

    (void)state;
    memcpy(before, fixture_ram, sizeof(before));
    for (unsigned i = 0; i < 16; i++)
        px[i] = (uint16_t)(px[i] + 60);
    target_write(&fixture_mem, &w); /* 68.. of 64 */
    w.layer = 1;
    for (unsigned i = 0; i < 16; i++)
        px[i] = (uint16_t)(px[i] - 60);
    target_write(&fixture_mem, &w);
    w.layer = 0;
    w.sample = 3;
    target_write(&fixture_mem, &w);
    assert_memory_equal(before, fixture_ram, sizeof(before));
}

/* An odd size: the last column and row are half quads. */
static void quads_are_cut_at_the_edge(void **state)
{
    (void)state;
    s = fixture_surface((struct fixture_surface){SOFT_FORMAT_R8G8B8A8_UNORM, LINEAR, 11, 7, 64, 0, 0});
    target_write(&fixture_mem, &w);
    assert_int_equal(pixel(8, 6), want(0));
    assert_int_equal(pixel(10, 6), want(4));
    for (unsigned i = 6 * 64 + 44; i < 8 * 64; i++)
        assert_int_equal(fixture_ram[i], 0);
}

static void write_masks_keep_the_other_channels(void **state)
{
    (void)state;
    memset(fixture_ram, 0xaa, sizeof(fixture_ram));
    blend.write_mask = 0x5; /* red, blue */
    target_write(&fixture_mem, &w);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(pixel(w.x[i], w.y[i]), (want(i) & 0x00ff00ff) | 0xaa00aa00);
    blend.write_mask = 0;
    memset(fixture_ram, 0xbb, sizeof(fixture_ram));
    target_write(&fixture_mem, &w);
    assert_int_equal(pixel(8, 6), 0xbbbbbbbb);
}

static void formats_swap_and_narrow(void **state)
{
    (void)state;
    s = fixture_surface((struct fixture_surface){SOFT_FORMAT_B8G8R8A8_UNORM, Y, 64, 64, 256, 0, 0});
    target_write(&fixture_mem, &w);
    assert_int_equal(pixel(8, 6), 0x30001020);
    s = fixture_surface((struct fixture_surface){SOFT_FORMAT_R8_UNORM, Y, 64, 64, 128, 0, 0});
    target_write(&fixture_mem, &w);
    assert_int_equal(pixel(9, 7), 3);
    for (unsigned i = 0; i < 16; i++)
        color[0][i] = 1;
    s = fixture_surface((struct fixture_surface){SOFT_FORMAT_B5G6R5_UNORM, X, 256, 8, 512, 0, 0});
    target_write(&fixture_mem, &w);
    assert_int_equal(pixel(8, 6) >> 11, 31);
}

static void wide_pixels_use_more_columns(void **state)
{
    float got[4];

    (void)state;
    s = fixture_surface((struct fixture_surface){SOFT_FORMAT_R32G32B32A32_FLOAT, Y, 32, 64, 512, 0, 0});
    target_write(&fixture_mem, &w);
    for (unsigned i = 0; i < 16; i++) {
        read(w.x[i], w.y[i], 0, got);
        for (unsigned c = 0; c < 4; c++)
            assert_float_equal(got[c], color[c][i], 0);
    }
}

static void integers_go_through_as_bits(void **state)
{
    uint32_t in = 0xdeadbeef, got[4];

    (void)state;
    blend.enable = true; /* integer targets do not blend */
    blend.src_color = 17;
    w.alpha_to_one = true;
    for (unsigned c = 0; c < 4; c++)
        for (unsigned i = 0; i < 16; i++)
            memcpy(&color[c][i], &in, 4);
    s = fixture_surface((struct fixture_surface){SOFT_FORMAT_R32G32B32A32_UINT, LINEAR, 32, 32, 512, 0, 0});
    target_write(&fixture_mem, &w);
    read(9, 7, 0, got);
    for (unsigned c = 0; c < 4; c++)
        assert_int_equal(got[c], in);
}

static void blending_reads_what_is_there(void **state)
{
    (void)state;
    memset(fixture_ram, 0x80, sizeof(fixture_ram));
    blend = (struct raster_blend){
        .enable = true, .write_mask = 0xf, .src_color = 3, .dst_color = 19, .src_alpha = 3, .dst_alpha = 19};
    for (unsigned i = 0; i < 16; i++) {
        color[0][i] = 1;
        color[3][i] = i % 2 ? 1 : 0;
    }
    target_write(&fixture_mem, &w);
    assert_int_equal(pixel(8, 6), 0x80808080);
    assert_int_equal(pixel(9, 6) & 0xff, 0xff);
    assert_int_equal(pixel(9, 6) >> 24, 0xff);
}

static void logic_operations_work_on_bits(void **state)
{
    (void)state;
    memset(fixture_ram, 0xf0, sizeof(fixture_ram));
    blend.logic_enable = true;
    blend.logic_op = 6; /* XOR */
    target_write(&fixture_mem, &w);
    assert_int_equal(pixel(8, 6), want(0) ^ 0xf0f0f0f0);
    assert_int_equal(pixel(10, 7), want(6) ^ 0xf0f0f0f0);
}

static void alpha_can_be_one(void **state)
{
    (void)state;
    w.alpha_to_one = true;
    target_write(&fixture_mem, &w);
    assert_int_equal(pixel(8, 6) >> 24, 0xff);
}

static void each_sample_has_its_slice(void **state)
{
    uint32_t v;

    (void)state;
    s = fixture_surface((struct fixture_surface){SOFT_FORMAT_R8G8B8A8_UNORM, Y, 64, 32, 256, 2, 0});
    w.sample = 2;
    target_write(&fixture_mem, &w);
    read(8, 6, 2, &v);
    assert_int_equal(v, want(0));
    read(8, 6, 1, &v);
    assert_int_equal(v, 0);
}

/* A new surface of iris: memory is anything, the MCS is all ones: every sample has the clear colour until it is
 * written. */
static void new_multisampled_surfaces_are_clear(void **state)
{
    uint32_t v;

    (void)state;
    memset(fixture_ram, 0xaa, sizeof(fixture_ram));
    memset(fixture_ram + 32 * SOFT_PAGE, 0xff, 4 * SOFT_PAGE);
    s = fixture_surface((struct fixture_surface){SOFT_FORMAT_R8G8B8A8_UNORM, Y, 64, 32, 256, 2, 0});
    s.aux = 1;
    s.aux_address = FIXTURE_BASE + 32 * SOFT_PAGE;
    s.aux_pitch_tiles = 1;
    w.sample = 2;
    target_write(&fixture_mem, &w);
    read(8, 6, 2, &v);
    assert_int_equal(v, want(0));
    read(8, 6, 1, &v);
    assert_int_equal(v, 0);
    read(20, 6, 1, &v);
    assert_int_equal(v, 0xaaaaaaaa); /* not looked at */
    assert_int_equal(fixture_ram[32 * SOFT_PAGE + 6 * 16 + 8], 0xe4);
    assert_int_equal(fixture_ram[32 * SOFT_PAGE + 6 * 16 + 7], 0xff);
    w.sample = 1;
    target_write(&fixture_mem, &w);
    read(8, 6, 2, &v);
    assert_int_equal(v, want(0));
}

static void reads_give_back_what_was_written(void **state)
{
    float out[4][16];

    (void)state;
    target_write(&fixture_mem, &w);
    w.mask = 0x7fff;
    target_read(&fixture_mem, &w, out);
    for (unsigned c = 0; c < 4; c++)
        for (unsigned i = 0; i < 15; i++)
            assert_float_equal(out[c][i], color[c][i], 1e-7);
    s.type = SOFT_SURF_NULL;
    target_read(&fixture_mem, &w, out);
    assert_float_equal(out[0][5], 0, 0);
    target_write(&fixture_mem, &w);
}

/* Pages without pointers, memory that is not there: slow, or nothing. */
static void hostile_places_are_survived(void **state)
{
    (void)state;
    fixture_exec.no_ptr = true;
    soft_space_begin(&fixture_space, &fixture_exec);
    soft_mem_begin(&fixture_mem, &fixture_space);
    target_write(&fixture_mem, &w);
    assert_int_equal(pixel(8, 6), want(0));
    s.address += FIXTURE_SIZE - 7 * 16 - 6 * 16; /* not aligned, over the end */
    blend.write_mask = 7;
    target_write(&fixture_mem, &w);
    s.address = 0xfffffffff000;
    target_write(&fixture_mem, &w);
    s.pitch_bytes = 0x3ffff;
    for (unsigned i = 0; i < 16; i++)
        py[i] = 16383;
    target_write(&fixture_mem, &w);
}

static void clear_rectangles_are_scaled_by_blocks(void **state)
{
    /* bytes of a pixel, samples, scale */
    static const unsigned want_scale[][4] = {{4, 1, 64, 32}, {2, 1, 64, 32}, {8, 1, 32, 32}, {16, 1, 16, 32},
                                             {4, 2, 8, 2},   {4, 4, 8, 2},   {4, 8, 2, 2},   {4, 16, 1, 2}};

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        unsigned x, y;

        s.element_bytes = (uint8_t)want_scale[i][0];
        s.samples = (uint8_t)want_scale[i][1];
        target_clear_scale(&s, &x, &y);
        assert_int_equal(x, want_scale[i][2]);
        assert_int_equal(y, want_scale[i][3]);
    }
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, start, fixture_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(pixels_get_their_channels_in_every_tiling),
        CASE(only_the_masks_channels_are_written),
        CASE(nothing_is_written_beyond_the_surface),
        CASE(quads_are_cut_at_the_edge),
        CASE(write_masks_keep_the_other_channels),
        CASE(formats_swap_and_narrow),
        CASE(wide_pixels_use_more_columns),
        CASE(integers_go_through_as_bits),
        CASE(blending_reads_what_is_there),
        CASE(logic_operations_work_on_bits),
        CASE(alpha_can_be_one),
        CASE(each_sample_has_its_slice),
        CASE(new_multisampled_surfaces_are_clear),
        CASE(reads_give_back_what_was_written),
        CASE(hostile_places_are_survived),
        CASE(clear_rectangles_are_scaled_by_blocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
