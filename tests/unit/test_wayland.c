/* The Wayland sink on a compositor that is a test double, which is slow, hidden or choosy as the test wants it. */
#include <errno.h>
#include <linux/input-event-codes.h>
#include <sys/stat.h>

#include "wayland_double.h"

#include <drm_fourcc.h>

#include "display/wayland.h"
#include "sink_fixture.h"
#include "vgpu/base/log.h"

#define PATIENCE UINT64_C(10000000000) /* ns: machines are busy */
#define S        UINT64_C(1000000000)

struct fixture {
    struct wayland_double d;
    struct sink_test t;
};

static void serve(struct fixture *x)
{
    usleep(1000);
    sink_serve(&x->t, 0);
}

/* Serves until the compositor has so many commits with a buffer. */
static void wait_commits(struct fixture *x, unsigned n)
{
    uint64_t end = gt_clock_ns() + PATIENCE;
    unsigned have;

    do {
        serve(x);
        double_lock(&x->d);
        have = x->d.commits;
        double_unlock(&x->d);
        if (gt_clock_ns() > end)
            fail_msg("%u of %u commits", have, n);
    } while (have < n);
}

static void wait_shown(struct fixture *x, uint32_t serial)
{
    sink_wait_shown(&x->t, serial, PATIENCE);
}

static void some_time(struct fixture *x)
{
    for (unsigned i = 0; i < 40; i++)
        serve(x);
}

/* Each of these is what the compositor does next. */
static void repaint(struct fixture *x)
{
    double_lock(&x->d);
    double_repaint(&x->d);
    double_unlock(&x->d);
}

static void import(struct fixture *x)
{
    uint64_t end = gt_clock_ns() + PATIENCE;
    bool done = false;

    while (!done && gt_clock_ns() < end) {
        serve(x);
        double_lock(&x->d);
        if (x->d.params) {
            double_import(&x->d);
            done = true;
        }
        double_unlock(&x->d);
    }
    assert_true(done);
}

static struct wl_resource *current(struct fixture *x)
{
    double_lock(&x->d);
    struct wl_resource *r = x->d.current;
    double_unlock(&x->d);
    return r;
}

static void release(struct fixture *x, struct wl_resource *buffer)
{
    double_lock(&x->d);
    wl_buffer_send_release(buffer);
    double_unlock(&x->d);
}

static int setup_version(void **state, unsigned version, bool refuse)
{
    const struct wayland_options o = {
        .title = "test", .fps = 200, .min_side = 64, .max_width = 4096, .max_height = 2304};
    struct fixture *x = calloc(1, sizeof(*x));
    char err[256] = "";

    x->d.dmabuf_version = version;
    x->d.refuse = refuse;
    x->d.formats[0] = (struct double_format){DRM_FORMAT_XRGB8888, 0, DRM_FORMAT_MOD_LINEAR};
    x->d.formats[1] = (struct double_format){DRM_FORMAT_XRGB8888, 0, I915_FORMAT_MOD_Y_TILED};
    x->d.formats[2] = (struct double_format){DRM_FORMAT_RGB565, 0, DRM_FORMAT_MOD_INVALID};
    x->d.nformats = 3;
    double_start(&x->d);
    if (wayland_open(&x->t.sink, &o, &sink_test_events, &x->t, err, sizeof(err)))
        fail_msg("%s", err);
    wait_commits(x, 1); /* black, until there is a picture */
    repaint(x);
    some_time(x);
    *state = x;
    return 0;
}

static int setup(void **state)
{
    return setup_version(state, 4, false);
}

static int setup_old(void **state)
{
    return setup_version(state, 3, false);
}

static int setup_refusing(void **state)
{
    return setup_version(state, 4, true);
}

static int setup_without(void **state)
{
    return setup_version(state, 0, false);
}

static int teardown(void **state)
{
    struct fixture *x = *state;

    sink_close(&x->t);
    double_stop(&x->d);
    free(x);
    return 0;
}

static struct wayland_stats stats(struct fixture *x)
{
    struct wayland_stats st;

    wayland_get_stats(x->t.sink, &st);
    return st;
}

/* The window's buffer, which is shared memory, has the picture. */
static bool has(struct fixture *x, uint32_t width, uint32_t height, uint32_t seed)
{
    double_lock(&x->d);
    struct wl_shm_buffer *b = x->d.current ? wl_shm_buffer_get(x->d.current) : NULL;
    bool ok = b && wl_shm_buffer_get_width(b) == (int32_t)width && wl_shm_buffer_get_height(b) == (int32_t)height;

    for (uint32_t y = 0; ok && y < height; y++) {
        const uint32_t *row = (const uint32_t *)(const void *)((const uint8_t *)wl_shm_buffer_get_data(b) +
                                                               (size_t)y * (size_t)wl_shm_buffer_get_stride(b));

        for (uint32_t i = 0; ok && i < width; i++)
            ok = (row[i] & 0xffffff) == pattern(i, y, seed);
    }
    double_unlock(&x->d);
    return ok;
}

/* ---- the guest's memory */

static void the_guests_memory_is_imported(void **state)
{
    struct fixture *x = *state;
    struct viewer_frame f = make_frame(1, 320, 200, VGPU_FMT_XRGB8888, VGPU_TILE_Y);
    struct stat st;

    sink_flip(&x->t, &f, 1);
    import(x);
    wait_commits(x, 2);
    assert_int_equal(x->t.shown, 0); /* not before it is on the screen */
    repaint(x);
    wait_shown(x, 1);
    assert_int_equal(fstat(f.fd, &st), 0);
    assert_int_equal(x->d.memory.st_ino, st.st_ino);
    assert_int_equal(x->d.stride, f.stride);
    assert_int_equal(x->d.modifier, f.modifier);
    assert_int_equal(x->d.fourcc, DRM_FORMAT_XRGB8888);
    assert_int_equal(stats(x).imported, 1);
    assert_int_equal(stats(x).bytes_copied, 0);
    sink_gone(&x->t, &f);
}

/* The fence of the frame protocol: the guest may draw into A when the compositor reads it no more. */
static void a_flip_is_answered_when_the_frame_before_is_released(void **state)
{
    struct fixture *x = *state;
    struct viewer_frame a = make_frame(1, 320, 200, VGPU_FMT_XRGB8888, VGPU_LINEAR),
                        b = make_frame(2, 320, 200, VGPU_FMT_XRGB8888, VGPU_LINEAR);

    sink_flip(&x->t, &a, 1);
    import(x);
    wait_commits(x, 2);
    struct wl_resource *old = current(x);

    repaint(x);
    wait_shown(x, 1);
    sink_flip(&x->t, &b, 2);
    import(x);
    wait_commits(x, 3);
    repaint(x);
    some_time(x);
    assert_int_equal(x->t.shown, 1); /* it is on the screen, but A is still read */
    release(x, old);
    wait_shown(x, 2);
    sink_flip(&x->t, &a, 3);
    wait_commits(x, 4);
    assert_ptr_equal(current(x), old); /* the same buffer: no second import */
    assert_int_equal(x->d.imports, 2);
    sink_gone(&x->t, &a);
    sink_gone(&x->t, &b);
}

static void a_hidden_window_does_not_stop_the_guest(void **state)
{
    struct fixture *x = *state;
    struct viewer_frame f = make_frame(1, 320, 200, VGPU_FMT_XRGB8888, VGPU_LINEAR);

    sink_flip(&x->t, &f, 1);
    import(x);
    wait_commits(x, 2);
    some_time(x);
    assert_int_equal(x->t.shown, 0);
    x->t.ahead += 2 * S;
    serve(x);
    assert_int_equal(x->t.shown, 1);
    sink_flip(&x->t, &f, 2);
    x->t.ahead += 2 * S;
    serve(x);
    assert_int_equal(x->t.shown, 2);
    sink_gone(&x->t, &f);
}

static void what_is_refused_is_copied(void **state)
{
    struct fixture *x = *state;
    struct viewer_frame f = make_frame(1, 320, 200, VGPU_FMT_XRGB8888, VGPU_TILE_Y);

    paint(&f, 7);
    sink_flip(&x->t, &f, 1);
    wait_commits(x, 2);
    repaint(x);
    wait_shown(x, 1);
    assert_true(has(x, 320, 200, 7));
    assert_int_equal(stats(x).refused, 1);
    assert_int_equal(stats(x).copied, 1);
    sink_flip(&x->t, &f, 2); /* and not asked for again */
    wait_commits(x, 3);
    assert_int_equal(x->d.imports, 1);
    sink_gone(&x->t, &f);
}

static void layouts_that_are_not_listed_are_copied(void **state)
{
    struct fixture *x = *state;
    struct viewer_frame f = make_frame(1, 320, 200, VGPU_FMT_XRGB8888, VGPU_TILE_X),
                        g = make_frame(2, 320, 200, VGPU_FMT_RGB565, VGPU_LINEAR);

    paint(&f, 8);
    sink_flip(&x->t, &f, 1);
    wait_commits(x, 2);
    assert_true(has(x, 320, 200, 8));
    repaint(x);
    wait_shown(x, 1);
    sink_flip(&x->t, &g, 2); /* listed without a layout that both would know */
    wait_commits(x, 3);
    assert_int_equal(x->d.imports, 0);
    sink_gone(&x->t, &f);
    sink_gone(&x->t, &g);
}

static void an_older_protocol_lists_layouts_too(void **state)
{
    the_guests_memory_is_imported(state);
}

static void a_part_of_a_frame_is_a_viewports_source(void **state)
{
    struct fixture *x = *state;
    struct viewer_frame f = make_frame(1, 640, 400, VGPU_FMT_XRGB8888, VGPU_LINEAR);
    const struct viewer_flip m = {.frame = &f, .x = 32, .y = 16, .width = 320, .height = 200, .serial = 1};

    x->t.sink->ops->flip(x->t.sink, &m, gt_clock_ns());
    import(x);
    wait_commits(x, 2);
    assert_int_equal(x->d.source[0], 32);
    assert_int_equal(x->d.source[1], 16);
    assert_int_equal(x->d.source[2], 320);
    assert_int_equal(x->d.source[3], 200);
    sink_gone(&x->t, &f);
}

/* gtmux-dm takes a frame back that the compositor reads: the buffer stays until it does not. */
static void a_frame_that_goes_stays_until_it_is_released(void **state)
{
    struct fixture *x = *state;
    struct viewer_frame a = make_frame(1, 320, 200, VGPU_FMT_XRGB8888, VGPU_LINEAR),
                        b = make_frame(2, 320, 200, VGPU_FMT_XRGB8888, VGPU_LINEAR);

    sink_flip(&x->t, &a, 1);
    import(x);
    wait_commits(x, 2);
    struct wl_resource *old = current(x);

    repaint(x);
    wait_shown(x, 1);
    sink_gone(&x->t, &a);
    sink_flip(&x->t, &b, 2);
    import(x);
    wait_commits(x, 3);
    repaint(x);
    some_time(x);
    assert_int_equal(x->d.buffers_destroyed, 0);
    release(x, old);
    wait_shown(x, 2);
    some_time(x);
    assert_int_equal(x->d.buffers_destroyed, 1);
    sink_flip(&x->t, &b, 3);
    sink_gone(&x->t, &b); /* before it was drawn */
    some_time(x);
}

/* The answer, which makes an object of the compositor's, must find whoever asked: libwayland ends a connection on which
 * the numbers of such objects have gaps. */
static void a_frame_may_go_while_it_is_imported(void **state)
{
    struct fixture *x = *state;
    struct viewer_frame f = make_frame(1, 320, 200, VGPU_FMT_XRGB8888, VGPU_LINEAR),
                        g = make_frame(2, 320, 200, VGPU_FMT_XRGB8888, VGPU_LINEAR);

    sink_flip(&x->t, &f, 1);
    some_time(x);
    assert_int_equal(x->d.imports, 1);
    double_lock(&x->d);
    sink_gone(&x->t, &f);
    serve(x);
    double_import(&x->d);
    double_unlock(&x->d);
    some_time(x);
    assert_int_equal(x->d.buffers_destroyed, 1);
    repaint(x); /* darkness */
    sink_flip(&x->t, &g, 2);
    import(x);
    wait_commits(x, 3);
    sink_gone(&x->t, &g);
}

/* ---- copies */

static void gtmux_dms_copies_are_passed_on(void **state)
{
    struct fixture *x = *state;
    struct viewer_frame f = make_frame(1, 320, 200, VGPU_FMT_XRGB8888, VGPU_LINEAR);

    f.shared = false;
    paint(&f, 9);
    sink_flip(&x->t, &f, 1);
    wait_commits(x, 2);
    repaint(x);
    wait_shown(x, 1);
    assert_true(has(x, 320, 200, 9));
    assert_int_equal(stats(x).passed, 1);
    assert_int_equal(stats(x).bytes_copied, 0);
    for (unsigned i = 0; i < 200 && !x->t.refreshes; i++)
        serve(x);
    assert_true(x->t.refreshes > 0);
    x->t.sink->ops->damage(x->t.sink, &f, 50, 60);
    wait_commits(x, 3);
    assert_int_equal(x->d.damage[1], 50);
    assert_int_equal(x->d.damage[3], 10);
    sink_gone(&x->t, &f);
}

static void changes_in_shared_memory_are_found(void **state)
{
    struct fixture *x = *state;
    struct viewer_frame f = make_frame(1, 320, 200, VGPU_FMT_XRGB8888, VGPU_LINEAR);

    paint(&f, 10);
    sink_flip(&x->t, &f, 1);
    wait_commits(x, 2);
    repaint(x);
    wait_shown(x, 1);
    wait_commits(x, 3); /* the first look finds everything new */
    release(x, current(x));
    repaint(x);
    some_time(x);
    uint64_t before = stats(x).bytes_copied;

    paint(&f, 11); /* of which a look may see the beginning first */
    uint64_t end = gt_clock_ns() + PATIENCE;
    while (!has(x, 320, 200, 11) && gt_clock_ns() < end) {
        release(x, current(x));
        repaint(x);
        some_time(x);
    }
    assert_true(has(x, 320, 200, 11));
    assert_true(stats(x).bytes_copied > before);
    sink_gone(&x->t, &f);
}

/* ---- the window */

static void a_size_becomes_a_mode(void **state)
{
    struct fixture *x = *state;
    struct viewer_frame f = make_frame(1, 320, 200, VGPU_FMT_XRGB8888, VGPU_LINEAR);

    f.shared = false;
    sink_flip(&x->t, &f, 1);
    wait_commits(x, 2);
    repaint(x);
    double_lock(&x->d);
    double_configure(&x->d, 800, 500, XDG_TOPLEVEL_STATE_RESIZING);
    double_unlock(&x->d);
    wait_commits(x, 3);
    assert_int_equal(x->d.destination[0], 800); /* the picture fills it at once */
    assert_int_equal(x->d.destination[1], 500);
    assert_int_equal(x->t.width, 0);
    x->t.ahead += S;
    serve(x);
    assert_int_equal(x->t.width, 800);
    assert_int_equal(x->t.height, 500);
    sink_gone(&x->t, &f);
}

/* A window that stays as large shows another mode at another scale: the cursor goes along. */
static void the_cursor_follows_the_scale(void **state)
{
    struct fixture *x = *state;
    struct viewer_frame f = make_frame(1, 320, 200, VGPU_FMT_XRGB8888, VGPU_LINEAR),
                        g = make_frame(2, 640, 400, VGPU_FMT_XRGB8888, VGPU_LINEAR),
                        c = make_frame(3, 64, 64, VGPU_FMT_ARGB8888, VGPU_LINEAR);
    const struct viewer_cursor cursor = {.frame = &c, .x = 100, .y = 50, .width = 64, .height = 64};

    f.shared = g.shared = false;
    double_lock(&x->d);
    double_configure(&x->d, 640, 400, XDG_TOPLEVEL_STATE_MAXIMIZED);
    double_unlock(&x->d);
    sink_flip(&x->t, &f, 1);
    wait_commits(x, 2);
    x->t.sink->ops->cursor(x->t.sink, &cursor);
    some_time(x);
    assert_int_equal(x->d.cursor[0], 200);
    assert_int_equal(x->d.cursor[1], 100);
    sink_flip(&x->t, &g, 2);
    some_time(x);
    assert_int_equal(x->d.cursor[0], 100);
    assert_int_equal(x->d.cursor[1], 50);
    sink_gone(&x->t, &f);
    sink_gone(&x->t, &g);
    sink_gone(&x->t, &c);
}

/* ---- the pointer */

/* Presses a button over the window. */
static void press(struct fixture *x)
{
    double_lock(&x->d);
    wl_pointer_send_enter(x->d.pointer, 1, x->d.surface, wl_fixed_from_int(5), wl_fixed_from_int(5));
    wl_pointer_send_frame(x->d.pointer);
    wl_pointer_send_button(x->d.pointer, 2, 0, BTN_LEFT, WL_POINTER_BUTTON_STATE_PRESSED);
    wl_pointer_send_frame(x->d.pointer);
    double_unlock(&x->d);
    some_time(x);
    assert_int_equal(x->t.nevents, 2);
    assert_true(x->t.event[1].down);
}

static void check_released(struct fixture *x)
{
    some_time(x);
    assert_int_equal(x->t.nevents, 3);
    assert_int_equal(x->t.event[2].kind, INPUT_BUTTON);
    assert_int_equal(x->t.event[2].code, INPUT_LEFT);
    assert_false(x->t.event[2].down);
}

static void a_button_goes_up_when_the_pointer_leaves(void **state)
{
    struct fixture *x = *state;

    press(x);
    double_lock(&x->d);
    wl_pointer_send_leave(x->d.pointer, 3, x->d.surface);
    wl_pointer_send_frame(x->d.pointer);
    double_unlock(&x->d);
    check_released(x);
}

static void a_button_goes_up_when_the_pointer_is_unplugged(void **state)
{
    struct fixture *x = *state;

    press(x);
    double_lock(&x->d);
    wl_seat_send_capabilities(x->d.seat, 0);
    double_unlock(&x->d);
    check_released(x);
}

static void any_way_of_a_wheel_is_taken(void **state)
{
    struct fixture *x = *state;

    double_lock(&x->d);
    for (unsigned i = 0; i < 100; i++)
        wl_pointer_send_axis(x->d.pointer, 0, WL_POINTER_AXIS_VERTICAL_SCROLL, INT32_MAX);
    wl_pointer_send_axis_discrete(x->d.pointer, WL_POINTER_AXIS_HORIZONTAL_SCROLL, INT32_MIN);
    wl_pointer_send_axis(x->d.pointer, 0, WL_POINTER_AXIS_HORIZONTAL_SCROLL, INT32_MIN);
    wl_pointer_send_axis(x->d.pointer, 0, 77, 1);
    wl_pointer_send_frame(x->d.pointer);
    double_unlock(&x->d);
    some_time(x);
    assert_int_equal(x->t.nevents, 64); /* 16 clicks each way, at most */
    assert_int_equal(x->t.event[0].code, INPUT_WHEEL_LEFT);
}

static void a_ping_is_answered_and_a_closed_window_ends_it(void **state)
{
    struct fixture *x = *state;
    uint64_t end = gt_clock_ns() + PATIENCE;
    int rc = 0;

    double_lock(&x->d);
    xdg_wm_base_send_ping(x->d.wm, 1);
    double_unlock(&x->d);
    some_time(x);
    double_lock(&x->d);
    assert_int_equal(x->d.pings, 1);
    xdg_toplevel_send_close(x->d.toplevel);
    double_unlock(&x->d);
    while (!rc && gt_clock_ns() < end)
        rc = x->t.sink->ops->dispatch(x->t.sink);
    assert_int_equal(rc, 1);
}

static void a_compositor_that_goes_is_an_error(void **state)
{
    struct fixture *x = *state;
    uint64_t end = gt_clock_ns() + PATIENCE;
    int rc = 0;

    double_lock(&x->d);
    wl_client_destroy(x->d.client);
    double_unlock(&x->d);
    while (rc >= 0 && gt_clock_ns() < end)
        rc = x->t.sink->ops->dispatch(x->t.sink);
    assert_true(rc < 0);
}

static void an_old_compositor_is_told(void **state)
{
    const struct wayland_options o = {.title = "test", .fps = 30};
    struct fixture *x = calloc(1, sizeof(*x));
    char err[256] = "";

    (void)state;
    x->d.compositor_version = 3; /* without damage in pixels of the buffer */
    double_start(&x->d);
    assert_int_equal(wayland_open(&x->t.sink, &o, &sink_test_events, &x->t, err, sizeof(err)), -EOPNOTSUPP);
    assert_non_null(strstr(err, "too old"));
    double_stop(&x->d);
    free(x);
}

static void no_compositor_is_told(void **state)
{
    const struct wayland_options o = {.title = "test", .fps = 30};
    char err[256] = "";
    struct sink *w;

    (void)state;
    unsetenv("WAYLAND_SOCKET");
    setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
    assert_true(wayland_open(&w, &o, &sink_test_events, NULL, err, sizeof(err)) < 0);
    assert_null(w);
    assert_non_null(strstr(err, "WAYLAND_DISPLAY"));
}

int main(void)
{
#define CASE(name, with) cmocka_unit_test_setup_teardown(name, with, teardown)
    const struct CMUnitTest tests[] = {
        CASE(the_guests_memory_is_imported, setup),
        CASE(an_older_protocol_lists_layouts_too, setup_old),
        CASE(a_flip_is_answered_when_the_frame_before_is_released, setup),
        CASE(a_hidden_window_does_not_stop_the_guest, setup),
        CASE(what_is_refused_is_copied, setup_refusing),
        CASE(layouts_that_are_not_listed_are_copied, setup),
        CASE(a_part_of_a_frame_is_a_viewports_source, setup),
        CASE(a_frame_that_goes_stays_until_it_is_released, setup),
        CASE(a_frame_may_go_while_it_is_imported, setup),
        CASE(gtmux_dms_copies_are_passed_on, setup),
        CASE(changes_in_shared_memory_are_found, setup_without),
        CASE(a_size_becomes_a_mode, setup),
        CASE(the_cursor_follows_the_scale, setup),
        CASE(a_button_goes_up_when_the_pointer_leaves, setup),
        CASE(a_button_goes_up_when_the_pointer_is_unplugged, setup),
        CASE(any_way_of_a_wheel_is_taken, setup),
        CASE(a_ping_is_answered_and_a_closed_window_ends_it, setup),
        CASE(a_compositor_that_goes_is_an_error, setup),
        cmocka_unit_test(an_old_compositor_is_told),
        cmocka_unit_test(no_compositor_is_told),
    };

    gt_log_set_level(GT_LOG_WARN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
