/* Frames: what is shared, what is copied, and when either is made anew. */
#include "frame_fixture.h"

#define BUFFER (512u * DISPLAY_PAGE) /* distance of two surfaces in the GGTT */

static struct frame *plane(const struct vgpu_surface *s)
{
    uint32_t x, y;
    struct frame *f = frames_share(&ff.fs, s, true, &x, &y);

    return f ? f : frames_copy(&ff.fs, s, true);
}

static void check_pixels(const struct frame *f, const struct vgpu_surface *s)
{
    assert_int_equal(f->image.width, s->width);
    assert_int_equal(f->image.height, s->height);
    for (uint32_t y = 0; y < s->height; y++)
        for (uint32_t x = 0; x < s->width; x++)
            if (((const uint32_t *)(const void *)(f->map + y * f->image.stride))[x] != ff_pixel(s, x, y))
                fail_msg("pixel %u,%u differs", x, y);
}

static void a_thousand_flips_of_two_buffers_make_two_dmabufs(void **state)
{
    struct vgpu_surface s = ff_plane(0, 640, 480, VGPU_LINEAR);
    struct frame *shown = NULL, *f;
    uint32_t id[2] = {0, 0};

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        s.ggtt = (i % 2) * BUFFER;
        f = plane(&s);
        assert_non_null(f);
        assert_true(!id[i % 2] || id[i % 2] == f->id);
        id[i % 2] = f->id;
        frame_unref(&ff.fs, shown);
        shown = f;
    }
    assert_int_equal(ff.creates, 2);
    assert_int_equal(ff.fs.stats.shared, 2);
    assert_int_equal(ff.fs.stats.hits, 998);
    assert_int_equal(ff.fs.stats.bytes_copied, 0);
    assert_int_equal(shown->image.fourcc, display_fourcc(VGPU_FMT_XRGB8888));
    assert_int_equal(shown->image.bytes, 640 * 4 * 480);
    assert_true(shown->image.modifier == 0);
    frame_unref(&ff.fs, shown);
    frames_trim(&ff.fs);
    assert_int_equal(ff.gone, 2);
}

/* The guest points one entry of a buffer on screen elsewhere. The old pages stay with who still shows them. */
static void a_new_page_makes_a_new_frame(void **state)
{
    const struct vgpu_surface s = ff_plane(0, 640, 480, VGPU_TILE_X);
    struct frame *old = plane(&s), *now;

    (void)state;
    ff.map[17] = 4000;
    now = plane(&s);
    assert_int_not_equal(now->id, old->id);
    assert_int_equal(now->pages[17], 4000 * DISPLAY_PAGE);
    assert_int_equal(ff.gone, 0);
    frame_unref(&ff.fs, old);
    assert_int_equal(ff.gone, 1);
    assert_ptr_equal(plane(&s), now);
    assert_int_equal(ff.creates, 2);
    frame_unref(&ff.fs, now);
    ff.map[17] = 4001; /* nobody shows it: it goes at once */
    frame_unref(&ff.fs, now);
    now = plane(&s);
    assert_int_equal(ff.gone, 2);
    frame_unref(&ff.fs, now);
}

static void each_part_of_the_key_counts(void **state)
{
    struct vgpu_surface s = ff_plane(0, 512, 64, VGPU_LINEAR);
    struct frame *f[6];
    unsigned n = 0;

    (void)state;
    f[n++] = plane(&s);
    s.format = VGPU_FMT_XBGR8888;
    f[n++] = plane(&s);
    s.width = 510;
    f[n++] = plane(&s);
    s.height = 63;
    f[n++] = plane(&s);
    s.stride_bytes += 64;
    f[n++] = plane(&s);
    s.ggtt += DISPLAY_PAGE;
    f[n++] = plane(&s);
    assert_int_equal(ff.creates, n);
    while (n)
        frame_unref(&ff.fs, f[--n]);
}

static void a_tiled_surface_is_shared_in_whole_tiles(void **state)
{
    struct vgpu_surface s = ff_plane(0, 640, 100, VGPU_TILE_X);
    uint32_t x, y;

    (void)state;
    s.src_x = 128;
    s.src_y = 5;
    s.stride_bytes = 4096;
    struct frame *f = frames_share(&ff.fs, &s, true, &x, &y);

    assert_int_equal(x, 128);
    assert_int_equal(y, 5);
    assert_int_equal(f->image.width, 768);
    assert_int_equal(f->image.height, 105);
    assert_int_equal(f->image.bytes, 4096 * 112);
    assert_true(f->image.modifier == display_modifier(VGPU_TILE_X));
    frame_unref(&ff.fs, f);
}

static void what_cannot_be_shared_is_copied(void **state)
{
    static const enum vgpu_tiling tilings[] = {VGPU_LINEAR, VGPU_TILE_X, VGPU_TILE_Y, VGPU_TILE_YF};
    uint32_t x, y;

    (void)state;
    ff.create_error = EINVAL;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(tilings); i++) {
        struct vgpu_surface s = ff_plane(DISPLAY_PAGE, 600, 201, tilings[i]);

        s.src_x = 40;
        s.src_y = 70;
        s.stride_bytes = 4096;
        assert_null(frames_share(&ff.fs, &s, true, &x, &y));
        struct frame *f = frames_copy(&ff.fs, &s, true);

        assert_true(f->image.modifier == 0);
        check_pixels(f, &s);
        frame_unref(&ff.fs, f);
    }
    assert_int_equal(ff.fs.stats.copies, 4);
    assert_int_equal(ff.fs.stats.bytes_copied, 4 * 2560 * 201);
}

static void a_copy_is_not_written_while_somebody_shows_it(void **state)
{
    const struct vgpu_surface s = ff_plane(0, 64, 64, VGPU_LINEAR);

    (void)state;
    ff.create_error = EINVAL;
    struct frame *a = plane(&s), *b = plane(&s);

    assert_ptr_not_equal(a, b);
    uint32_t id = a->id;

    frame_unref(&ff.fs, a);
    a = plane(&s);
    assert_int_equal(a->id, id); /* the memory is used again */
    frame_unref(&ff.fs, a);
    frame_unref(&ff.fs, b);
}

static void holes_are_black(void **state)
{
    const struct vgpu_surface s = ff_plane(0, 640, 480, VGPU_LINEAR);

    (void)state;
    ff.map[3] = UINT32_MAX;
    ff.map[4] = FF_PAGES + 5; /* an address without memory */
    struct frame *f = plane(&s);

    assert_int_equal(f->kind, FRAME_COPIED);
    assert_int_equal(ff.creates, 0);
    for (size_t i = 3 * DISPLAY_PAGE; i < 5 * DISPLAY_PAGE; i++)
        assert_int_equal(f->map[i], 0);
    assert_memory_equal(f->map, ff.ram, 64);
    frame_unref(&ff.fs, f);
}

static void a_surface_of_too_many_pages_is_copied(void **state)
{
    struct vgpu_surface s = ff_plane(0, 64, 8192, VGPU_LINEAR);

    (void)state;
    s.stride_bytes = 256u << 10; /* 2 GiB */
    struct frame *f = plane(&s);

    assert_int_equal(f->kind, FRAME_COPIED);
    assert_int_equal(ff.creates, 0);
    frame_unref(&ff.fs, f);
}

static void a_guest_that_is_away_gives_no_shared_frame(void **state)
{
    const struct vgpu_surface s = ff_plane(0, 64, 64, VGPU_LINEAR);

    (void)state;
    ff.away = true;
    struct frame *f = plane(&s);

    assert_int_equal(f->kind, FRAME_COPIED);
    for (unsigned i = 0; i < 64 * 64 * 4; i++)
        assert_int_equal(f->map[i], 0);
    frame_unref(&ff.fs, f);
}

static void slots_and_memory_are_bounded(void **state)
{
    struct vgpu_surface s = ff_plane(0, 64, 64, VGPU_LINEAR);
    struct frame *f[FRAMES_MAX];
    uint32_t x, y;

    (void)state;
    for (unsigned i = 0; i < FRAMES_MAX; i++) {
        s.ggtt = i * 16 * DISPLAY_PAGE;
        f[i] = plane(&s);
        assert_non_null(f[i]);
    }
    s.ggtt += 16 * DISPLAY_PAGE;
    assert_null(frames_share(&ff.fs, &s, true, &x, &y));
    assert_null(frames_copy(&ff.fs, &s, true));
    frame_unref(&ff.fs, f[5]);
    uint32_t old = f[5]->id;

    f[5] = plane(&s); /* in the place of the unused one */
    assert_non_null(f[5]);
    assert_int_not_equal(f[5]->id, old);
    assert_int_equal(ff.gone, 1);
    for (unsigned i = 0; i < FRAMES_MAX; i++)
        frame_unref(&ff.fs, f[i]);
    frames_trim(&ff.fs);
    ff.create_error = EINVAL;
    s = ff_plane(0, 4096, 2304, VGPU_LINEAR); /* 36 MiB each: seven fit */
    unsigned n = 0;

    while (n < FRAMES_MAX && (f[n] = plane(&s)))
        n++;
    assert_int_equal(n, FRAME_BYTES_MAX / (4096 * 4 * 2304));
    while (n)
        frame_unref(&ff.fs, f[--n]);
    s.height = 2000; /* another size: room is made */
    f[0] = plane(&s);
    assert_non_null(f[0]);
    frame_unref(&ff.fs, f[0]);
}

static void refresh_finds_the_rows_that_changed(void **state)
{
    const struct vgpu_surface s = ff_plane(0, 600, 200, VGPU_TILE_Y);
    struct frame_damage d;

    (void)state;
    ff.create_error = EINVAL;
    struct frame *f = plane(&s);

    frames_refresh_plane(&ff.fs, f, &s, &d);
    assert_int_equal(d.first, d.end);
    ff_set_pixel(&s, 599, 77, 0x123456);
    ff_set_pixel(&s, 0, 130, 0x654321);
    frames_refresh_plane(&ff.fs, f, &s, &d);
    assert_int_equal(d.first, 77);
    assert_int_equal(d.end, 131);
    check_pixels(f, &s);
    frames_refresh_plane(&ff.fs, f, &s, &d);
    assert_int_equal(d.first, d.end);
    frame_unref(&ff.fs, f);
}

static void composed_frames_hold_all_planes(void **state)
{
    struct vgpu_scanout sc = {.width = 300, .height = 100, .nplanes = 2, .bottom_color = 0x102030};
    struct frame_damage d;

    (void)state;
    sc.plane[0] = ff_plane(0, 200, 100, VGPU_LINEAR);
    sc.plane[1] = ff_plane(BUFFER, 50, 20, VGPU_TILE_X);
    sc.plane[1].dst_x = 10;
    sc.plane[1].dst_y = 30;
    struct frame *f = frames_compose(&ff.fs, &sc);
    const uint32_t *row = (const uint32_t *)(const void *)(f->map + 30 * f->image.stride);

    assert_int_equal(f->kind, FRAME_COMPOSED);
    assert_int_equal(row[9], ff_pixel(&sc.plane[0], 9, 30) & 0xffffff);
    assert_int_equal(row[10], ff_pixel(&sc.plane[1], 0, 0) & 0xffffff);
    assert_int_equal(row[250], 0x102030);
    ff_set_pixel(&sc.plane[1], 3, 4, ~ff_pixel(&sc.plane[1], 3, 4));
    frames_refresh_composed(&ff.fs, f, &sc, &d);
    assert_int_equal(d.first, 34);
    assert_int_equal(d.end, 35);
    frame_unref(&ff.fs, f);
}

/* No viewer can be made to crash by a file that gets shorter below its mapping. */
static void copies_are_sealed(void **state)
{
    const struct vgpu_surface s = ff_plane(0, 64, 64, VGPU_LINEAR);

    (void)state;
    ff.create_error = EINVAL;
    struct frame *f = plane(&s);

    assert_int_equal(ftruncate(f->fd, 100), -1);
    assert_int_equal(errno, EPERM);
    frame_unref(&ff.fs, f);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, ff_setup, ff_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_thousand_flips_of_two_buffers_make_two_dmabufs),
        CASE(a_new_page_makes_a_new_frame),
        CASE(each_part_of_the_key_counts),
        CASE(a_tiled_surface_is_shared_in_whole_tiles),
        CASE(what_cannot_be_shared_is_copied),
        CASE(a_copy_is_not_written_while_somebody_shows_it),
        CASE(holes_are_black),
        CASE(a_surface_of_too_many_pages_is_copied),
        CASE(a_guest_that_is_away_gives_no_shared_frame),
        CASE(slots_and_memory_are_bounded),
        CASE(refresh_finds_the_rows_that_changed),
        CASE(composed_frames_hold_all_planes),
        CASE(copies_are_sealed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
