/* From a guest's registers to a viewer's pixels, through everything: vfio-user, vgpu, gate, screens, display socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>

#include "display/viewer.h"
#include "mediator/control.h"
#include "mediator/screens.h"
#include "mediator/session.h"
#include "tests/fakes/screen_guest.h"
#include "vgpu/base/clock.h"
#include "vgpu/base/log.h"

#define PATIENCE UINT64_C(20000000000) /* ns: machines are busy */
#define BUFFER   0x2000000u            /* distance of two buffers in the GGTT */

struct fixture {
    char dir[32], socket[64], display[64];
    struct session *s;
    pthread_t thread;
    struct screen_guest g;
    struct display_viewer *v;
    unsigned flips, cursors;
    struct viewer_flip flip;
    struct viewer_cursor cursor;
};

static void on_flip(void *ctx, const struct viewer_flip *f)
{
    struct fixture *x = ctx;

    x->flips++;
    x->flip = *f;
    assert_int_equal(viewer_shown(x->v, f->serial), 0);
}

static void on_cursor(void *ctx, const struct viewer_cursor *c)
{
    struct fixture *x = ctx;

    x->cursors++;
    x->cursor = *c;
}

static const struct viewer_events events = {.flip = on_flip, .cursor = on_cursor};

static void *run(void *arg)
{
    session_run(arg);
    return NULL;
}

static void start(struct fixture *x)
{
    struct session_options o;
    char err[256] = "";

    session_options_default(&o);
    o.name = "g";
    o.vfio_user = x->socket;
    o.run_dir = x->dir;
    if (session_open(&x->s, &o, err, sizeof(err)) || session_start(x->s, err, sizeof(err)))
        fail_msg("%s", err);
    assert_int_equal(pthread_create(&x->thread, NULL, run, x->s), 0);
}

static void stop(struct fixture *x)
{
    session_stop(x->s);
    pthread_join(x->thread, NULL);
    session_close(x->s);
}

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    char err[256] = "";

    strcpy(x->dir, "/tmp/gtmux-screens-XXXXXX");
    assert_non_null(mkdtemp(x->dir));
    snprintf(x->socket, sizeof(x->socket), "%s/s", x->dir);
    snprintf(x->display, sizeof(x->display), "%s/g" DISPLAY_SOCKET_SUFFIX, x->dir);
    start(x);
    sg_connect(&x->g, x->socket, 32);
    if (viewer_connect(&x->v, x->display, 0, &events, x, err, sizeof(err)))
        fail_msg("%s", err);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;

    viewer_close(x->v);
    sg_leave(&x->g);
    stop(x);
    assert_int_equal(access(x->display, F_OK), -1);
    assert_int_equal(rmdir(x->dir), 0); /* nothing is left in it */
    free(x);
    return 0;
}

/* Handles what comes until *counter has reached `count`. */
static void wait_for(struct fixture *x, const unsigned *counter, unsigned count)
{
    uint64_t end = gt_clock_ns() + PATIENCE;

    while (*counter < count) {
        struct pollfd p = {.fd = viewer_fd(x->v), .events = POLLIN};

        if (gt_clock_ns() > end)
            fail_msg("%u of %u came", *counter, count);
        poll(&p, 1, 100);
        assert_int_equal(viewer_dispatch(x->v), 0);
    }
}

static void check_picture(struct fixture *x, const struct sg_buffer *b)
{
    const struct viewer_frame *f = x->flip.frame;

    assert_non_null(f);
    assert_non_null(viewer_map(x->flip.frame));
    assert_int_equal(x->flip.width, b->width);
    assert_int_equal(x->flip.height, b->height);
    for (uint32_t py = 0; py < b->height; py++)
        for (uint32_t px = 0; px < b->width; px++) {
            uint64_t at =
                vgpu_tiled_offset(f->tiling, f->stride, sg_cpp(b), (x->flip.x + px) * sg_cpp(b), x->flip.y + py);
            uint32_t v = 0;

            memcpy(&v, f->map + at, sg_cpp(b));
            if (v != sg_get(&x->g, b, px, py))
                fail_msg("pixel %u,%u is %08x", px, py, v);
        }
}

static void every_layout_reaches_the_viewer(void **state)
{
    static const struct {
        enum vgpu_format format;
        enum vgpu_tiling tiling;
    } rows[] = {
        {VGPU_FMT_XRGB8888, VGPU_LINEAR},    {VGPU_FMT_XRGB8888, VGPU_TILE_X}, {VGPU_FMT_XRGB8888, VGPU_TILE_Y},
        {VGPU_FMT_XRGB8888, VGPU_TILE_YF},   {VGPU_FMT_RGB565, VGPU_LINEAR},   {VGPU_FMT_RGB565, VGPU_TILE_X},
        {VGPU_FMT_XRGB2101010, VGPU_LINEAR},
    };
    struct fixture *x = *state;

    wait_for(x, &x->flips, 1); /* dark */
    assert_null(x->flip.frame);
    sg_light(&x->g, 0, 640, 480);
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        struct sg_buffer b = sg_buffer(&x->g, i * BUFFER, 640, 480, rows[i].format, rows[i].tiling);

        sg_paint(&x->g, &b, i);
        sg_show(&x->g, 0, &b);
        uint64_t end = gt_clock_ns() + PATIENCE;

        do {
            wait_for(x, &x->flips, x->flips + 1);
        } while ((!x->flip.frame || x->flip.frame->format != rows[i].format) && gt_clock_ns() < end);
        usleep(50000); /* a vblank for the plane */
        viewer_dispatch(x->v);
        check_picture(x, &b);
    }
}

static void flips_and_cursor_moves_are_told(void **state)
{
    struct fixture *x = *state;
    struct display_stats st;

    struct sg_buffer a = sg_buffer(&x->g, 0, 640, 480, VGPU_FMT_XRGB8888, VGPU_LINEAR);
    struct sg_buffer b = sg_buffer(&x->g, BUFFER, 640, 480, VGPU_FMT_XRGB8888, VGPU_LINEAR);
    struct sg_buffer c = sg_buffer(&x->g, 2 * BUFFER, 64, 64, VGPU_FMT_ARGB8888, VGPU_LINEAR);

    sg_paint(&x->g, &a, 1);
    sg_paint(&x->g, &b, 2);
    wait_for(x, &x->flips, 1);
    sg_show(&x->g, 0, &a);
    sg_light(&x->g, 0, 640, 480);
    wait_for(x, &x->flips, 2);
    for (unsigned i = 0; i < 10; i++) {
        unsigned before = x->flips;

        sg_show(&x->g, 0, i % 2 ? &a : &b);
        wait_for(x, &x->flips, before + 1);
    }
    check_picture(x, &a);
    unsigned flips = x->flips, cursors = x->cursors;

    sg_cursor(&x->g, 0, &c, 100, 50);
    wait_for(x, &x->cursors, cursors + 1);
    assert_non_null(x->cursor.frame);
    assert_int_equal(x->cursor.x, 100);
    sg_cursor(&x->g, 0, &c, 0x8000 | 5, 70); /* 5 beyond the left edge */
    wait_for(x, &x->cursors, cursors + 2);
    assert_int_equal(x->cursor.x, -5);
    assert_int_equal(x->cursor.y, 70);
    assert_int_equal(x->flips, flips);
    sg_cursor(&x->g, 0, NULL, 0, 0);
    wait_for(x, &x->cursors, cursors + 3);
    assert_null(x->cursor.frame);
    sg_dark(&x->g, 0);
    wait_for(x, &x->flips, flips + 1);
    assert_null(x->flip.frame);
    screens_stats(session_screens(x->s), &st);
    assert_int_equal(st.viewers, 1);
    assert_in_range(st.shown, flips, flips + 1);
    assert_int_equal(st.missed, 0);
}

/* The guest goes away with its memory while a viewer shows it, and another one comes. */
static void the_screen_goes_dark_with_the_guest_and_lights_again(void **state)
{
    struct fixture *x = *state;

    wait_for(x, &x->flips, 1);
    for (unsigned i = 0; i < 3; i++) {
        struct sg_buffer a = sg_buffer(&x->g, 0, 320, 200, VGPU_FMT_XRGB8888, VGPU_TILE_X);
        unsigned before = x->flips;

        sg_paint(&x->g, &a, i);
        sg_show(&x->g, 0, &a);
        sg_light(&x->g, 0, 320, 200);
        wait_for(x, &x->flips, before + 1);
        check_picture(x, &a);
        sg_leave(&x->g);
        wait_for(x, &x->flips, before + 2);
        assert_null(x->flip.frame);
        sg_connect(&x->g, x->socket, 16);
    }
}

static void gtmux_stats_counts(void **state)
{
    struct fixture *x = *state;
    int fd = -1;

    wait_for(x, &x->flips, 1);
    usleep(20000);
    cJSON *a = control_handle(x->s, "{\"cmd\":\"stats\"}", &fd);
    const cJSON *display = cJSON_GetObjectItem(a, "display");

    assert_int_equal(cJSON_GetObjectItem(display, "viewers")->valueint, 1);
    assert_int_equal(cJSON_GetObjectItem(display, "flips")->valueint, 1);
    assert_int_equal(cJSON_GetObjectItem(display, "bytes_copied")->valueint, 0);
    cJSON_Delete(a);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(every_layout_reaches_the_viewer),
        CASE(flips_and_cursor_moves_are_told),
        CASE(the_screen_goes_dark_with_the_guest_and_lights_again),
        CASE(gtmux_stats_counts),
    };

    gt_log_set_level(GT_LOG_WARN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
