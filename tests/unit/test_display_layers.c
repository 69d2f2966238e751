/* Sprite planes on the display socket: apart for viewers that take them, composed for the others. */
#include "server_fixture.h"

static const struct viewer_events layer_events = {
    .flip = on_flip, .cursor = on_cursor, .damage = on_damage, .gone = on_gone, .paced = true, .layers = true};

/* Two sprites over the picture: the lower one opaque, the upper one blended. */
static void add_sprites(void)
{
    struct vgpu_scanout *sc = &ff.scanout[0];

    sc->nplanes = 3;
    sc->plane[1] = ff_plane(BUFFER, 64, 32, VGPU_LINEAR);
    sc->plane[1].kind = VGPU_PLANE_SPRITE;
    sc->plane[1].dst_x = 100;
    sc->plane[1].dst_y = 50;
    sc->plane[2] = ff_plane(2 * BUFFER, 64, 64, VGPU_TILE_X);
    sc->plane[2].kind = VGPU_PLANE_SPRITE;
    sc->plane[2].format = VGPU_FMT_ARGB8888;
    sc->plane[2].alpha = true;
    sc->plane[2].fade = 55;
    sc->plane[2].width = 32;
    sc->plane[2].src_x = 8;
    sc->plane[2].dst_x = 120;
    sc->plane[2].dst_width = 64;
    sc->plane[2].dst_height = 128;
}

static struct display_stats stats(void)
{
    struct display_stats st;

    display_server_stats(srv, &st);
    return st;
}

static void sprites_are_layers_for_who_takes_them(void **state)
{
    struct watcher w = {0};

    (void)state;
    add_sprites();
    watch_with(&w, 0, &layer_events);
    assert_int_equal(w.flips, 1);
    assert_true(w.flip.frame->shared);
    assert_int_equal(w.flip.nlayers, 2);
    const struct viewer_layer *low = &w.flip.layer[0], *high = &w.flip.layer[1];

    assert_true(low->frame->shared && high->frame->shared);
    assert_int_equal(low->frame->format, VGPU_FMT_XRGB8888);
    assert_int_equal(low->blend, DISPLAY_OPAQUE);
    assert_int_equal(low->alpha, DISPLAY_ALPHA_MAX);
    assert_int_equal(low->to_x, 100);
    assert_int_equal(low->to_y, 50);
    assert_int_equal(low->to_width, 64);
    assert_int_equal(low->to_height, 32);
    assert_int_equal(high->frame->tiling, VGPU_TILE_X);
    assert_int_equal(high->blend, DISPLAY_PREMULTIPLIED);
    assert_int_equal(high->alpha, 200);
    assert_int_equal(high->x, 8);
    assert_int_equal(high->width, 32);
    assert_int_equal(high->to_width, 64);
    assert_int_equal(high->to_height, 128);
    assert_int_equal(stats().frames.bytes_copied, 0);
    assert_int_equal(stats().layers, 2);
    viewer_close(w.v);
    pump();
    for (unsigned i = 0; i < FRAMES_MAX; i++)
        assert_int_equal(srv->frames.slot[i].id, 0);
}

static void flips_and_moves_of_a_sprite_copy_nothing(void **state)
{
    struct watcher w = {0};

    (void)state;
    add_sprites();
    watch_with(&w, 0, &layer_events);
    for (unsigned i = 1; i <= 100; i++) {
        ff.scanout[0].plane[1].ggtt = BUFFER + i % 2 * BUFFER / 2;
        ff.scanout[0].plane[2].dst_x = (int32_t)i;
        change();
        look(&w);
        assert_int_equal(w.flips, 1 + i);
        assert_int_equal(w.flip.layer[1].to_x, i);
    }
    assert_int_equal(stats().frames.shared, 4);
    assert_int_equal(stats().frames.bytes_copied, 0);
    ff.lit[0] = false;
    change();
    look(&w);
    assert_null(w.flip.frame);
    assert_int_equal(w.flip.nlayers, 0);
    viewer_close(w.v);
}

static void others_get_the_composed_picture_at_the_same_time(void **state)
{
    struct watcher apart = {0}, flat = {0};

    (void)state;
    add_sprites();
    watch_with(&apart, 0, &layer_events);
    watch(&flat, 0);
    change();
    look(&apart);
    look(&flat);
    assert_int_equal(apart.flip.nlayers, 2);
    assert_int_equal(flat.flip.nlayers, 0);
    assert_false(flat.flip.frame->shared);
    assert_int_equal(stats().frames.bytes_copied, 640 * 480 * 4);
    const uint32_t *row = (const uint32_t *)(const void *)(viewer_map(flat.flip.frame) + 50 * flat.flip.frame->stride);

    assert_int_equal(row[99], ff_pixel(&ff.scanout[0].plane[0], 99, 50) & 0xffffff);
    assert_int_equal(row[101], ff_pixel(&ff.scanout[0].plane[1], 1, 0) & 0xffffff);
    viewer_close(flat.v);
    change(); /* the composed picture is not needed any more */
    pump();
    look(&apart);
    assert_null(srv->head[0].flat.frame);
    viewer_close(apart.v);
}

static void who_refuses_gets_it_composed_until_the_planes_are_others(void **state)
{
    struct watcher w = {.lazy = true};

    (void)state;
    add_sprites();
    watch_with(&w, 0, &layer_events);
    assert_int_equal(w.flip.nlayers, 2);
    assert_int_equal(viewer_compose(w.v, w.flip.serial), 0);
    pump();
    now += 10 * MS;
    pump();
    look(&w);
    assert_int_equal(w.flips, 2);
    assert_int_equal(w.flip.nlayers, 0);
    assert_false(w.flip.frame->shared);
    assert_int_equal(stats().refused, 1);
    assert_int_equal(viewer_shown(w.v, w.flip.serial), 0);
    ff.scanout[0].plane[1].dst_x++; /* another place is not another arrangement */
    change();
    look(&w);
    assert_int_equal(w.flip.nlayers, 0);
    assert_int_equal(viewer_shown(w.v, w.flip.serial), 0);
    ff.scanout[0].plane[2].dst_width = ff.scanout[0].plane[2].dst_height = 0;
    change();
    look(&w);
    assert_int_equal(w.flip.nlayers, 2);
    assert_int_equal(viewer_shown(w.v, w.flip.serial), 0);
    viewer_close(w.v);
}

static void what_overlays_cannot_do_is_composed(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        struct watcher w = {0};
        struct vgpu_surface *s = &ff.scanout[0].plane[1];

        add_sprites();
        s->keyed = i == 0;
        s->src_keyed = i == 1;
        s->rotation = i == 2 ? 2 : 0;
        s->format = i == 3 ? VGPU_FMT_YUYV : VGPU_FMT_XRGB8888;
        ff.scanout[0].plane[0].dst_x = i == 4;
        ff.create_error = i == 5 ? ENOSPC : 0; /* nothing is shared */
        watch_with(&w, 0, &layer_events);
        assert_int_equal(w.flips, 1);
        assert_int_equal(w.flip.nlayers, 0);
        assert_false(w.flip.frame->shared);
        viewer_close(w.v);
        pump();
        display_server_memory_changed(srv);
        now += 10 * MS;
    }
}

static void only_a_flip_with_layers_can_be_refused(void **state)
{
    struct watcher w = {.lazy = true};

    (void)state;
    watch_with(&w, 0, &layer_events);
    assert_int_equal(w.flip.nlayers, 0);
    assert_int_equal(viewer_compose(w.v, w.flip.serial), 0);
    pump();
    assert_int_equal(viewer_dispatch(w.v), -ECONNRESET);
    assert_int_equal(stats().sent_away, 1);
    viewer_close(w.v);
    add_sprites();
    watch_with(&w, 0, &layer_events);
    assert_int_equal(viewer_compose(w.v, w.flip.serial + 1), 0);
    pump();
    assert_int_equal(viewer_dispatch(w.v), -ECONNRESET);
    viewer_close(w.v);
}

static void a_layer_stays_exported_until_the_next_flip_is_shown(void **state)
{
    struct watcher w = {.lazy = true};

    (void)state;
    add_sprites();
    watch_with(&w, 0, &layer_events);
    const uint32_t id = w.flip.layer[0].frame->id;
    struct frame *f = srv->head[0].apart.layer[0].frame;

    assert_int_equal(f->id, id);
    viewer_shown(w.v, w.flip.serial);
    pump();
    ff.scanout[0].nplanes = 1;
    change();
    look(&w);
    assert_int_equal(w.flip.nlayers, 0);
    assert_int_equal(f->id, id);
    assert_int_equal(f->refs, 1); /* the monitor may read it */
    viewer_shown(w.v, w.flip.serial);
    pump();
    assert_int_equal(f->refs, 0);
    viewer_close(w.v);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(sprites_are_layers_for_who_takes_them),
        CASE(flips_and_moves_of_a_sprite_copy_nothing),
        CASE(others_get_the_composed_picture_at_the_same_time),
        CASE(who_refuses_gets_it_composed_until_the_planes_are_others),
        CASE(what_overlays_cannot_do_is_composed),
        CASE(only_a_flip_with_layers_can_be_refused),
        CASE(a_layer_stays_exported_until_the_next_flip_is_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
