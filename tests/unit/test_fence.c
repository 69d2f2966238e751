/* The aperture: plain, and through X and Y fences. */
#include "core_fixture.h"

#define PAGES 64u

static void set_fence(struct fixture *f, unsigned i, uint32_t start, uint32_t size, uint32_t pitch, bool tile_y)
{
    fx_wr(f, R_FENCE_LO, 0, i, 0);
    fx_wr(f, R_FENCE_HI, 0, i, (start + size - 4096) | (pitch / 128 - 1));
    fx_wr(f, R_FENCE_LO, 0, i, start | (tile_y ? 2 : 0) | 1);
}

/* GGTT pages 0..PAGES-1 onto guest pages 0x200.. */
static void map_all(struct fixture *f)
{
    for (uint32_t i = 0; i < PAGES; i++)
        fx_map(f, i, 0x200 + i);
}

static uint8_t *ggtt_byte(struct fixture *f, uint32_t addr)
{
    return f->ram + 0x200000 + addr;
}

static void linear_aperture_is_the_ggtt(void **state)
{
    struct fixture *f = *state;

    map_all(f);
    vgpu_aperture_write(f->v, 0x1234, 4, 0xdeadbeef);
    assert_int_equal(*ggtt_byte(f, 0x1234), 0xef);
    assert_int_equal(vgpu_aperture_read(f->v, 0x1236, 2), 0xdead);
    vgpu_aperture_write(f->v, 0x1fff, 8, 0x1122334455667788); /* crosses pages */
    assert_int_equal(vgpu_aperture_read(f->v, 0x1fff, 8), 0x1122334455667788);
    assert_int_equal(*ggtt_byte(f, 0x2000), 0x77);
    assert_int_equal(f->v->stats.aperture_reads, 2);
    assert_int_equal(f->v->stats.aperture_writes, 2);
}

static void unmapped_reads_ones_and_drops_writes(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(vgpu_aperture_read(f->v, 0x1000, 4), 0xffffffff);
    assert_int_equal(vgpu_aperture_read(f->v, 0x1000, 8), UINT64_MAX);
    vgpu_aperture_write(f->v, 0x1000, 4, 0);
    fx_map(f, 0, 0x200);
    f->ram[0x200fff] = 0x12;
    assert_int_equal(vgpu_aperture_read(f->v, 0xfff, 2), 0xff12);
    fx_map(f, 1, RAM_SIZE >> 12); /* mapped, but no memory there */
    assert_int_equal(vgpu_aperture_read(f->v, 0x1000, 4), 0xffffffff);
    vgpu_aperture_write(f->v, 0x1000, 4, 0);
}

/* Attack cases A1 and A2. */
static void out_of_range_and_bad_sizes_are_harmless(void **state)
{
    static const uint64_t offs[] = {VGPU_BAR2_SIZE - 1, VGPU_BAR2_SIZE, VGPU_BAR2_SIZE + 8, UINT64_MAX, UINT64_MAX - 2};
    struct fixture *f = *state;

    for (unsigned i = 0; i < GT_ARRAY_SIZE(offs); i++) {
        assert_int_equal(vgpu_aperture_read(f->v, offs[i], 4), 0);
        vgpu_aperture_write(f->v, offs[i], 4, 1);
    }
    assert_int_equal(vgpu_aperture_read(f->v, 0, 3), 0);
    assert_int_equal(vgpu_aperture_read(f->v, 0, 0), 0);
    assert_int_equal(vgpu_aperture_read(f->v, 0, 1u << 31), 0);
    assert_int_equal(f->v->stats.aperture_reads, 0);
}

/* Where PRM vol 5 puts byte (x, y) of a tiled surface. */
static uint32_t x_tiled(uint32_t pitch, uint32_t x, uint32_t y)
{
    return (y / 8 * (pitch / 512) + x / 512) * 4096 + y % 8 * 512 + x % 512;
}

static uint32_t y_tiled(uint32_t pitch, uint32_t x, uint32_t y)
{
    return (y / 32 * (pitch / 128) + x / 128) * 4096 + x % 128 / 16 * 512 + y % 32 * 16 + x % 16;
}

static void check_tiling(struct fixture *f, uint32_t start, uint32_t pitch, uint32_t rows, bool tile_y)
{
    map_all(f);
    set_fence(f, 3, start, pitch * rows, pitch, tile_y);
    for (uint32_t y = 0; y < rows; y++)
        for (uint32_t x = 0; x < pitch; x += 4) {
            uint32_t at = start + (tile_y ? y_tiled(pitch, x, y) : x_tiled(pitch, x, y));
            uint32_t val = y << 16 | x, stored;

            vgpu_aperture_write(f->v, start + y * pitch + x, 4, val);
            memcpy(&stored, ggtt_byte(f, at), 4);
            assert_int_equal(stored, val);
            assert_int_equal(vgpu_aperture_read(f->v, start + y * pitch + x, 4), val);
        }
}

static void x_fence_detiles(void **state)
{
    check_tiling(*state, 0x2000, 1536, 16, false);
}

static void y_fence_detiles(void **state)
{
    check_tiling(*state, 0x3000, 384, 64, true);
}

static void unaligned_access_crosses_columns_and_rows(void **state)
{
    struct fixture *f = *state;

    map_all(f);
    set_fence(f, 0, 0, 128 * 64, 128, true);
    vgpu_aperture_write(f->v, 13, 8, 0x0807060504030201);
    assert_int_equal(*ggtt_byte(f, y_tiled(128, 15, 0)), 3);
    assert_int_equal(*ggtt_byte(f, y_tiled(128, 16, 0)), 4);
    vgpu_aperture_write(f->v, 126, 4, 0x0d0c0b0a);
    assert_int_equal(*ggtt_byte(f, y_tiled(128, 127, 0)), 0x0b);
    assert_int_equal(*ggtt_byte(f, y_tiled(128, 0, 1)), 0x0c);
    assert_int_equal(vgpu_aperture_read(f->v, 13, 8), 0x0807060504030201);
}

static void outside_of_the_fence_is_linear(void **state)
{
    struct fixture *f = *state;

    map_all(f);
    set_fence(f, 31, 0x4000, 0x2000, 512, false);
    vgpu_aperture_write(f->v, 0x3ffc, 4, 0x11111111);
    vgpu_aperture_write(f->v, 0x6000, 4, 0x22222222);
    assert_int_equal(*ggtt_byte(f, 0x3ffc), 0x11);
    assert_int_equal(*ggtt_byte(f, 0x6000), 0x22);
    fx_wr(f, R_FENCE_LO, 0, 31, 0);
    vgpu_aperture_write(f->v, 0x4600, 4, 0x33333333);
    assert_int_equal(*ggtt_byte(f, 0x4600), 0x33);
}

static void lowest_of_overlapping_fences_wins(void **state)
{
    struct fixture *f = *state;

    map_all(f);
    set_fence(f, 5, 0, 0x8000, 512, false);
    set_fence(f, 2, 0, 0x8000, 1024, false);
    vgpu_aperture_write(f->v, 1024 + 512, 4, 0x44);
    assert_int_equal(*ggtt_byte(f, x_tiled(1024, 512, 1)), 0x44);
}

static void odd_fences_are_harmless(void **state)
{
    static const struct {
        uint32_t lo, hi;
    } bad[] = {
        {0xfffff001, 0x00000000}, /* end before start */
        {0x00000001, 0xffffffff}, /* all of the GGTT, pitch 512 KiB */
        {0x00000003, 0xfffff000}, /* Y with the smallest pitch */
        {0x00000001, 0x0ffff000}, /* X with a pitch below the tile width */
        {0x00000001, 0x0ffff004}, /* X with a pitch of 5 * 128 */
        {0xffffffff, 0xffffffff},
    };
    struct fixture *f = *state;

    map_all(f);
    for (unsigned i = 0; i < GT_ARRAY_SIZE(bad); i++) {
        fx_wr(f, R_FENCE_HI, 0, 0, bad[i].hi);
        fx_wr(f, R_FENCE_LO, 0, 0, bad[i].lo);
        for (uint64_t off = 0; off < VGPU_BAR2_SIZE; off += 0x1fffd) {
            vgpu_aperture_write(f->v, off, 8, off);
            vgpu_aperture_read(f->v, off, 8);
        }
        vgpu_aperture_write(f->v, VGPU_BAR2_SIZE - 8, 8, 0);
    }
}

static void reset_forgets_fences(void **state)
{
    struct fixture *f = *state;

    set_fence(f, 0, 0, 0x8000, 512, true);
    vgpu_reset(f->v);
    map_all(f);
    vgpu_aperture_write(f->v, 0x1010, 4, 0x55);
    assert_int_equal(*ggtt_byte(f, 0x1010), 0x55);
    assert_int_equal(fx_rd(f, R_FENCE_LO, 0, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(linear_aperture_is_the_ggtt),
        FX_TEST(unmapped_reads_ones_and_drops_writes),
        FX_TEST(out_of_range_and_bad_sizes_are_harmless),
        FX_TEST(x_fence_detiles),
        FX_TEST(y_fence_detiles),
        FX_TEST(unaligned_access_crosses_columns_and_rows),
        FX_TEST(outside_of_the_fence_is_linear),
        FX_TEST(lowest_of_overlapping_fences_wins),
        FX_TEST(odd_fences_are_harmless),
        FX_TEST(reset_forgets_fences),
    };

    return cmocka_run_group_tests_name("fence", tests, NULL, NULL);
}
