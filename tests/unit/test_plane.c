/* Plane and cursor registers as surfaces. */
#include "display_fixture.h"

static struct vgpu_scanout lit(struct dfx *d)
{
    struct vgpu_scanout s;

    if (vgpu_head_pipe(d->core.v, 0) != 0)
        d_light(d, 0, 0, &mode_xga60);
    d_run_to(d, vgpu_display_tick(d->core.v));
    assert_true(vgpu_scanout(d->core.v, 0, &s));
    return s;
}

static void pipe_size_and_bottom_colour(void **state)
{
    struct dfx *d = *state;

    d_wr(d, R_PIPE_BOTTOM_COLOR, 0, 0, 0x3ffu << 20 | 0x200u << 10 | 0x004);
    struct vgpu_scanout s = lit(d);

    assert_int_equal(s.nplanes, 0);
    assert_int_equal(s.bottom_color, 0xff8001);
}

static void formats_of_plane_ctl(void **state)
{
    static const struct {
        uint32_t ctl;
        enum vgpu_format format;
        bool alpha, straight;
    } rows[] = {
        {0u << 24, VGPU_FMT_YUYV, false, false},
        {0u << 24 | 1u << 16, VGPU_FMT_UYVY, false, false},
        {0u << 24 | 2u << 16, VGPU_FMT_YVYU, false, false},
        {0u << 24 | 3u << 16, VGPU_FMT_VYUY, false, false},
        {1u << 24, VGPU_FMT_NV12, false, false},
        {2u << 24, VGPU_FMT_XRGB2101010, false, false},
        {2u << 24 | GT_BIT(20), VGPU_FMT_XBGR2101010, false, false},
        {4u << 24, VGPU_FMT_XRGB8888, false, false},
        {4u << 24 | GT_BIT(20), VGPU_FMT_XBGR8888, false, false},
        {4u << 24 | 2u << 4, VGPU_FMT_ARGB8888, true, false},
        {4u << 24 | 3u << 4, VGPU_FMT_ARGB8888, true, true},
        {4u << 24 | GT_BIT(20) | 2u << 4, VGPU_FMT_ABGR8888, true, false},
        {6u << 24, VGPU_FMT_XRGB16F, false, false},
        {6u << 24 | GT_BIT(20), VGPU_FMT_XBGR16F, false, false},
        {12u << 24, VGPU_FMT_C8, false, false},
        {14u << 24, VGPU_FMT_RGB565, false, false},
    };
    struct dfx *d = *state;

    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        d_plane(d, 0, 0, 0x100000, 64, 64, 4096);
        d_wr(d, R_PLANE_CTL, 0, 0, PLANE_ON | rows[i].ctl);
        d_wr(d, R_PLANE_SURF, 0, 0, 0x100000);
        struct vgpu_scanout s = lit(d);

        assert_int_equal(s.nplanes, 1);
        assert_int_equal(s.plane[0].format, rows[i].format);
        assert_int_equal(s.plane[0].alpha, rows[i].alpha);
        assert_int_equal(s.plane[0].alpha_straight, rows[i].straight);
    }
}

static void unknown_formats_and_tilings_are_not_shown(void **state)
{
    static const uint32_t rows[] = {3u << 24,
                                    5u << 24,
                                    7u << 24,
                                    8u << 24,
                                    9u << 24,
                                    15u << 24,
                                    13u << 24,
                                    4u << 24 | 2u << 10,
                                    4u << 24 | 3u << 10,
                                    4u << 24 | 6u << 10,
                                    4u << 24 | 7u << 10};
    struct dfx *d = *state;

    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        d_plane(d, 0, 0, 0x100000, 64, 64, 4096);
        d_wr(d, R_PLANE_CTL, 0, 0, PLANE_ON | rows[i]);
        d_wr(d, R_PLANE_SURF, 0, 0, 0x100000);
        assert_int_equal(lit(d).nplanes, 0);
    }
}

static void stride_units_follow_the_tiling(void **state)
{
    static const struct {
        uint32_t ctl;
        enum vgpu_tiling tiling;
        uint32_t bytes; /* of 8 units */
    } rows[] = {
        {4u << 24, VGPU_LINEAR, 512},
        {4u << 24 | 1u << 10, VGPU_TILE_X, 4096},
        {4u << 24 | 4u << 10, VGPU_TILE_Y, 1024},
        {4u << 24 | 5u << 10, VGPU_TILE_YF, 1024},
        {12u << 24 | 5u << 10, VGPU_TILE_YF, 512},
        {6u << 24 | 5u << 10, VGPU_TILE_YF, 2048},
    };
    struct dfx *d = *state;

    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        d_plane(d, 0, 1, 0x100000, 64, 64, 512);
        d_wr(d, R_PLANE_CTL, 0, 1, PLANE_ON | rows[i].ctl);
        d_wr(d, R_PLANE_SURF, 0, 1, 0x100000);
        struct vgpu_scanout s = lit(d);

        assert_int_equal(s.nplanes, 1);
        assert_int_equal(s.plane[0].kind, VGPU_PLANE_SPRITE);
        assert_int_equal(s.plane[0].tiling, rows[i].tiling);
        assert_int_equal(s.plane[0].stride_bytes, rows[i].bytes);
    }
}

static void position_size_and_offset(void **state)
{
    struct dfx *d = *state;

    d_plane(d, 0, 1, 0x100000, 300, 200, 8192);
    d_wr(d, R_PLANE_POS, 0, 1, 50u << 16 | 40);
    d_wr(d, R_PLANE_OFFSET, 0, 1, 7u << 16 | 5);
    d_wr(d, R_PLANE_CTL, 0, 1, PLANE_ON | PLANE_XRGB | 2);
    d_wr(d, R_PLANE_SURF, 0, 1, 0x23456fff);
    const struct vgpu_surface p = lit(d).plane[0];

    assert_int_equal(p.ggtt, 0x23456000);
    assert_int_equal(p.width, 300);
    assert_int_equal(p.height, 200);
    assert_int_equal(p.dst_x, 40);
    assert_int_equal(p.dst_y, 50);
    assert_int_equal(p.src_x, 5);
    assert_int_equal(p.src_y, 7);
    assert_int_equal(p.rotation, 2);
}

static void planes_come_in_z_order(void **state)
{
    struct dfx *d = *state;

    for (unsigned plane = 0; plane < 3; plane++)
        d_plane(d, 0, plane, 0x100000 * (plane + 1), 64, 64, 256);
    d_wr(d, R_CURCNTR, 0, 0, 0x27);
    d_wr(d, R_CURBASE, 0, 0, 0x900000);
    struct vgpu_scanout s = lit(d);

    assert_int_equal(s.nplanes, 4);
    for (unsigned plane = 0; plane < 3; plane++)
        assert_int_equal(s.plane[plane].ggtt, 0x100000 * (plane + 1));
    assert_int_equal(s.plane[0].kind, VGPU_PLANE_PRIMARY);
    assert_int_equal(s.plane[3].kind, VGPU_PLANE_CURSOR);
    assert_int_equal(s.plane[3].ggtt, 0x900000);
}

static void colour_keys(void **state)
{
    struct dfx *d = *state;

    d_plane(d, 0, 1, 0x100000, 64, 64, 256);
    d_wr(d, R_PLANE_KEYVAL, 0, 1, 0x102030);
    d_wr(d, R_PLANE_KEYMAX, 0, 1, 0x80405060);
    d_wr(d, R_PLANE_KEYMSK, 0, 1, GT_BIT(31) | 5u << 24 | 0xf0f0f0);
    d_wr(d, R_PLANE_CTL, 0, 1, PLANE_ON | PLANE_XRGB | 1u << 21);
    d_wr(d, R_PLANE_SURF, 0, 1, 0x100000);
    struct vgpu_surface p = lit(d).plane[0];

    assert_true(p.src_keyed && !p.keyed);
    assert_int_equal(p.key, 0x102030);
    assert_int_equal(p.key_max, 0x405060);
    assert_int_equal(p.key_mask, 0xff00ff);
    assert_int_equal(p.fade, 0x7f);
    d_wr(d, R_PLANE_CTL, 0, 1, PLANE_ON | PLANE_XRGB | 2u << 21);
    d_wr(d, R_PLANE_SURF, 0, 1, 0x100000);
    p = lit(d).plane[0];
    assert_true(p.keyed && !p.src_keyed);
    assert_int_equal(p.key_mask, 0xf0f0f0);
}

static void plane_scaler_gives_the_size_on_the_pipe(void **state)
{
    struct dfx *d = *state;

    d_wr(d, R_PS2_CTRL, 0, 0, GT_BIT(31) | 2u << 25);
    d_wr(d, R_PS2_WIN_POS, 0, 0, 100u << 16 | 200);
    d_wr(d, R_PS2_WIN_SZ, 0, 0, 640u << 16 | 480);
    d_plane(d, 0, 0, 0x100000, 64, 64, 256);
    d_plane(d, 0, 1, 0x100000, 64, 64, 256);
    struct vgpu_scanout s = lit(d);

    assert_int_equal(s.plane[0].dst_width, 0);
    assert_int_equal(s.plane[1].dst_width, 640);
    assert_int_equal(s.plane[1].dst_height, 480);
    assert_int_equal(s.plane[1].dst_x, 100);
    assert_int_equal(s.plane[1].dst_y, 200);
}

static void cursor_modes_sizes_and_signs(void **state)
{
    static const struct {
        uint32_t ctl, fbc, w, h;
    } rows[] = {
        {0x27, 0, 64, 64},
        {0x22, 0, 128, 128},
        {0x23, 0, 256, 256},
        {0x23 | GT_BIT(15), 0, 256, 256},
        {0x22, GT_BIT(31) | 99, 128, 100},
        {0x27, GT_BIT(31) | 255, 64, 64},
        {0x27, GT_BIT(31), 64, 8},
        {0, 0, 0, 0},
        {0x07, 0, 0, 0},
        {0x20, 0, 0, 0},
    };
    struct dfx *d = *state;

    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        d_wr(d, R_CURCNTR, 0, 0, rows[i].ctl);
        d_wr(d, R_CUR_FBC_CTL, 0, 0, rows[i].fbc);
        d_wr(d, R_CURPOS, 0, 0, 20u << 16 | GT_BIT(15) | 10);
        d_wr(d, R_CURBASE, 0, 0, 0x100000);
        struct vgpu_scanout s = lit(d);

        assert_int_equal(s.nplanes, rows[i].w ? 1 : 0);
        if (!rows[i].w)
            continue;
        assert_int_equal(s.plane[0].width, rows[i].w);
        assert_int_equal(s.plane[0].height, rows[i].h);
        assert_int_equal(s.plane[0].stride_bytes, rows[i].w * 4);
        assert_int_equal(s.plane[0].dst_x, -10);
        assert_int_equal(s.plane[0].dst_y, 20);
        assert_int_equal(s.plane[0].rotation, rows[i].ctl & GT_BIT(15) ? 2 : 0);
    }
}

static void cursor_moves_at_the_vblank(void **state)
{
    struct dfx *d = *state;
    struct vgpu_scanout s;

    d_wr(d, R_CURCNTR, 0, 0, 0x27);
    d_wr(d, R_CURBASE, 0, 0, 0x100000);
    lit(d);
    d_wr(d, R_CURPOS, 0, 0, 99);
    d_wr(d, R_CURBASE, 0, 0, 0x100000);
    assert_true(vgpu_scanout(d->core.v, 0, &s));
    assert_int_equal(s.plane[0].dst_x, 0);
    assert_int_equal(lit(d).plane[0].dst_x, 99);
}

static void each_pipe_has_its_palette(void **state)
{
    struct dfx *d = *state;
    struct vgpu_scanout s;

    d_light(d, 1, 1, &mode_xga60);
    for (unsigned i = 0; i < 256; i++)
        d_wr(d, R_LGC_PALETTE_B, 0, i, 0xff000000u | i * 0x010203);
    assert_true(vgpu_scanout(d->core.v, 1, &s));
    for (unsigned i = 0; i < 256; i++)
        assert_int_equal(s.palette[i], i * 0x010203 & 0xffffff);
    assert_int_equal(lit(d).palette[5], 0);
}

static void surfaces_that_cannot_be_fetched_are_not_shown(void **state)
{
    static const struct {
        uint32_t size, stride, offset, surf, ctl;
    } rows[] = {
        {0x003f003f, 0, 0, 0x100000, PLANE_XRGB},                /* no stride */
        {0x003f003f, 3, 0, 0x100000, PLANE_XRGB},                /* stride < width */
        {0x003f1fff, 4, 0, 0x100000, PLANE_XRGB},                /* width 8192 */
        {0x003f003f, 4, 1, 0x100000, PLANE_XRGB},                /* offset pushes it out */
        {0x1fff003f, 0xfff, 0, 0xfffff000, PLANE_XRGB},          /* leaves 4 GiB */
        {0x003f003f, 0xfff, 0, 0x100000, PLANE_XRGB | 1u << 10}, /* 2 MiB a row */
        {0x003f003f, 8, 0, 0x100000, PLANE_XRGB | 1},            /* linear by 90 degrees */
        {0x003f003f, 8, 0, 0x100000, PLANE_XRGB | 1u << 10 | 3}, /* X by 270 degrees */
    };
    struct dfx *d = *state;

    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        d_wr(d, R_PLANE_SIZE, 0, 0, rows[i].size);
        d_wr(d, R_PLANE_STRIDE, 0, 0, rows[i].stride);
        d_wr(d, R_PLANE_OFFSET, 0, 0, rows[i].offset);
        d_wr(d, R_PLANE_CTL, 0, 0, PLANE_ON | rows[i].ctl);
        d_wr(d, R_PLANE_SURF, 0, 0, rows[i].surf);
        assert_int_equal(lit(d).nplanes, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DFX_TEST(pipe_size_and_bottom_colour),
        DFX_TEST(formats_of_plane_ctl),
        DFX_TEST(unknown_formats_and_tilings_are_not_shown),
        DFX_TEST(stride_units_follow_the_tiling),
        DFX_TEST(position_size_and_offset),
        DFX_TEST(planes_come_in_z_order),
        DFX_TEST(colour_keys),
        DFX_TEST(plane_scaler_gives_the_size_on_the_pipe),
        DFX_TEST(cursor_modes_sizes_and_signs),
        DFX_TEST(cursor_moves_at_the_vblank),
        DFX_TEST(each_pipe_has_its_palette),
        DFX_TEST(surfaces_that_cannot_be_fetched_are_not_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
