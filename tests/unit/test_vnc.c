/* The VNC sink, with the client library of libvncserver as the judge of what is on the wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rfb/rfbclient.h>

#include "display/format.h"
#include "display/vnc.h"
#include "sink_fixture.h"
#include "vgpu/base/log.h"

#define PATIENCE UINT64_C(20000000000) /* ns: machines are busy */

/* neatvnc 0.5 loses the encoder's result of a client that hangs up; its own matter. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libneatvnc.so\n";
}

/* ---- a client on a thread of its own */

struct client {
    rfbClient *rfb;
    pthread_t thread;
    atomic_bool stop, failed, done;
    pthread_mutex_t lock; /* of what follows */
    uint32_t *pixels, width, height;
    unsigned updates, cursors;
    uint32_t cursor[64 * 64], cursor_width, cursor_height;
    uint8_t cursor_mask[64 * 64];
};

static rfbBool on_size(rfbClient *c)
{
    c->frameBuffer = realloc(c->frameBuffer, (size_t)c->width * (size_t)c->height * 4);
    return c->frameBuffer != NULL;
}

static void on_update(rfbClient *c)
{
    struct client *me = rfbClientGetClientData(c, NULL);

    pthread_mutex_lock(&me->lock);
    me->width = (uint32_t)c->width;
    me->height = (uint32_t)c->height;
    me->pixels = realloc(me->pixels, (size_t)me->width * me->height * 4);
    memcpy(me->pixels, c->frameBuffer, (size_t)me->width * me->height * 4);
    me->updates++;
    pthread_mutex_unlock(&me->lock);
}

static void on_cursor_shape(rfbClient *c, int x, int y, int width, int height, int bytes)
{
    struct client *me = rfbClientGetClientData(c, NULL);

    (void)x;
    (void)y;
    pthread_mutex_lock(&me->lock);
    me->cursors++;
    me->cursor_width = (uint32_t)width;
    me->cursor_height = (uint32_t)height;
    if (width <= 64 && height <= 64 && bytes == 4 && c->rcSource) {
        memcpy(me->cursor, c->rcSource, (size_t)width * (size_t)height * 4);
        memcpy(me->cursor_mask, c->rcMask, (size_t)width * (size_t)height);
    }
    pthread_mutex_unlock(&me->lock);
}

static void *client_main(void *arg)
{
    struct client *me = arg;

    if (!rfbInitClient(me->rfb, NULL, NULL)) {
        me->rfb = NULL; /* freed by the library */
        me->failed = me->done = true;
        return NULL;
    }
    while (!me->stop) {
        int n = WaitForMessage(me->rfb, 20000);

        if (n < 0 || (n > 0 && !HandleRFBServerMessage(me->rfb)))
            break;
    }
    me->done = true;
    return NULL;
}

static void no_log(const char *format, ...)
{
    (void)format;
}

static void client_start(struct client *me, const char *path)
{
    memset(me, 0, sizeof(*me));
    pthread_mutex_init(&me->lock, NULL);
    rfbClientLog = rfbClientErr = no_log;
    me->rfb = rfbGetClient(8, 3, 4);
    me->rfb->MallocFrameBuffer = on_size;
    me->rfb->FinishedFrameBufferUpdate = on_update;
    me->rfb->GotCursorShape = on_cursor_shape;
    me->rfb->canHandleNewFBSize = TRUE;
    me->rfb->appData.useRemoteCursor = TRUE;
    me->rfb->appData.encodingsString = "zrle raw";
    me->rfb->format.redShift = 16;
    me->rfb->format.greenShift = 8;
    me->rfb->format.blueShift = 0;
    free(me->rfb->serverHost);
    me->rfb->serverHost = strdup(path);
    rfbClientSetClientData(me->rfb, NULL, me);
    assert_int_equal(pthread_create(&me->thread, NULL, client_main, me), 0);
}

static void client_end(struct client *me)
{
    pthread_join(me->thread, NULL);
    if (me->rfb) {
        free(me->rfb->frameBuffer);
        free(me->rfb->rcSource);
        free(me->rfb->rcMask);
        rfbClientCleanup(me->rfb);
    }
    free(me->pixels);
    pthread_mutex_destroy(&me->lock);
}

/* ---- the server */

struct fixture {
    char dir[32], path[48];
    struct sink_test t;
    struct client c;
    struct vnc_stats before;
};

/* One server for all tests: neatvnc's main loop and its threads are the process's. */
static int setup_server(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    char err[256] = "";
    struct stat st;

    strcpy(x->dir, "/tmp/gtmux-vnc-XXXXXX");
    assert_non_null(mkdtemp(x->dir));
    snprintf(x->path, sizeof(x->path), "%s/s", x->dir);
    const struct vnc_options o = {.unix_path = x->path, .title = "test", .fps = 50};

    if (vnc_open(&x->t.sink, &o, &sink_test_events, &x->t, err, sizeof(err)))
        fail_msg("%s", err);
    assert_int_equal(stat(x->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600); /* no password is asked for on it */
    *state = x;
    return 0;
}

static int teardown_server(void **state)
{
    struct fixture *x = *state;

    sink_close(&x->t);
    assert_int_equal(rmdir(x->dir), 0); /* the socket is gone */
    free(x);
    return 0;
}

static int setup(void **state)
{
    struct fixture *x = *state;

    x->t.shown = x->t.refreshes = 0;
    vnc_get_stats(x->t.sink, &x->before);
    client_start(&x->c, x->path);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    struct vnc_stats st;

    sink_flip(&x->t, NULL, UINT32_MAX); /* a test that failed has left its frame, which is gone */
    x->c.stop = true;
    while (!x->c.done) /* it may wait for the rest of a message */
        sink_serve(&x->t, 10);
    client_end(&x->c);
    vnc_get_stats(x->t.sink, &st);
    for (unsigned i = 0; st.clients && i < 50; i++) { /* neatvnc 0.5 does not tell of each that hangs up */
        sink_serve(&x->t, 10);
        vnc_get_stats(x->t.sink, &st);
    }
    return 0;
}

/* ---- pictures */

/* What a client gets of a pixel of 16 bits. */
static uint32_t wide(uint32_t v)
{
    uint32_t r = v >> 11 & 31, g = v >> 5 & 63, b = v & 31;

    return (r << 3 | r >> 2) << 16 | (g << 2 | g >> 4) << 8 | (b << 3 | b >> 2);
}

/* Serves until the client has the picture, with `value` at px, py. */
static bool client_has(struct fixture *x, const struct viewer_frame *f, uint32_t seed, uint32_t px, uint32_t py,
                       uint32_t value)
{
    uint64_t end = gt_clock_ns() + PATIENCE;
    bool same = false;

    while (!same && gt_clock_ns() < end && !x->c.failed) {
        sink_serve(&x->t, 10);
        pthread_mutex_lock(&x->c.lock);
        same = x->c.pixels && x->c.width == f->width && x->c.height == f->height;
        for (uint32_t y = 0; same && y < f->height; y++)
            for (uint32_t i = 0; same && i < f->width; i++) {
                uint32_t want = pattern(i, y, seed);

                if (f->format == VGPU_FMT_RGB565)
                    want = wide(want);
                if (i == px && y == py)
                    want = value;
                same = (x->c.pixels[y * f->width + i] & 0xffffff) == want;
            }
        pthread_mutex_unlock(&x->c.lock);
    }
    return same;
}

#define NOWHERE UINT32_MAX

static struct vnc_stats stats(struct fixture *x)
{
    struct vnc_stats st;

    vnc_get_stats(x->t.sink, &st);
    st.pictures -= x->before.pictures;
    st.bytes_copied -= x->before.bytes_copied;
    st.scans -= x->before.scans;
    return st;
}

/* ---- tests: since the client began */

static void a_linear_picture_is_sent_without_a_copy(void **state)
{
    struct fixture *x = *state;
    struct viewer_frame f = make_frame(1, 320, 200, VGPU_FMT_XRGB8888, VGPU_LINEAR);

    paint(&f, 1);
    sink_flip(&x->t, &f, 1);
    assert_true(client_has(x, &f, 1, NOWHERE, 0, 0));
    assert_int_equal(x->t.shown, 1);
    assert_int_equal(stats(x).bytes_copied, 0);
    assert_in_range(stats(x).clients, 1, 8);
    sink_gone(&x->t, &f);
}

static void other_layouts_are_converted(void **state)
{
    static const struct {
        enum vgpu_format format;
        enum vgpu_tiling tiling;
    } rows[] = {{VGPU_FMT_XRGB8888, VGPU_TILE_X},
                {VGPU_FMT_XRGB8888, VGPU_TILE_Y},
                {VGPU_FMT_RGB565, VGPU_LINEAR},
                {VGPU_FMT_RGB565, VGPU_TILE_X}};
    struct fixture *x = *state;

    for (uint32_t i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        struct viewer_frame f = make_frame(i + 1, 300, 150, rows[i].format, rows[i].tiling);

        paint(&f, i);
        sink_flip(&x->t, &f, i + 1);
        if (!client_has(x, &f, i, NOWHERE, 0, 0))
            fail_msg("layout %u", i);
        assert_true(stats(x).bytes_copied >= (i + 1) * 300 * 150 * 4);
        sink_gone(&x->t, &f);
    }
}

static void flips_sizes_and_darkness_reach_the_client(void **state)
{
    struct fixture *x = *state;
    struct viewer_frame a = make_frame(1, 320, 200, VGPU_FMT_XRGB8888, VGPU_LINEAR),
                        b = make_frame(2, 400, 300, VGPU_FMT_XRGB8888, VGPU_LINEAR);

    paint(&a, 1);
    paint(&b, 2);
    for (uint32_t i = 1; i < 7; i++) {
        sink_flip(&x->t, i % 2 ? &a : &b, i);
        assert_true(client_has(x, i % 2 ? &a : &b, i % 2 ? 1 : 2, NOWHERE, 0, 0));
        for (uint64_t end = gt_clock_ns() + PATIENCE; gt_clock_ns() < end && x->t.shown != i;)
            sink_serve(&x->t, 10);
        assert_int_equal(x->t.shown, i);
    }
    sink_flip(&x->t, NULL, 7);
    uint64_t end = gt_clock_ns() + PATIENCE;
    bool black = false;

    while (!black && gt_clock_ns() < end) {
        sink_serve(&x->t, 10);
        pthread_mutex_lock(&x->c.lock);
        black = !((x->c.pixels[12345] | x->c.pixels[54321]) & 0xffffff);
        pthread_mutex_unlock(&x->c.lock);
    }
    assert_true(black);
    sink_gone(&x->t, &a);
    sink_gone(&x->t, &b);
}

static void changes_without_a_flip_are_sent(void **state)
{
    struct fixture *x = *state;

    for (uint32_t i = 0; i < 2; i++) {
        struct viewer_frame f = make_frame(i + 1, 320, 200, VGPU_FMT_XRGB8888, i ? VGPU_TILE_X : VGPU_LINEAR);

        paint(&f, i);
        sink_flip(&x->t, &f, i + 1);
        assert_true(client_has(x, &f, i, NOWHERE, 0, 0));
        put(&f, 77, 99, 0xabcdef);
        assert_true(client_has(x, &f, i, 77, 99, 0xabcdef));
        assert_int_equal(x->t.refreshes, 0);
        sink_gone(&x->t, &f);
    }
}

static void gtmux_dm_is_asked_to_look_at_its_copies(void **state)
{
    struct fixture *x = *state;
    struct viewer_frame f = make_frame(1, 320, 200, VGPU_FMT_XRGB8888, VGPU_LINEAR);

    f.shared = false;
    paint(&f, 3);
    sink_flip(&x->t, &f, 1);
    assert_true(client_has(x, &f, 3, NOWHERE, 0, 0));
    for (unsigned i = 0; i < 100 && !x->t.refreshes; i++)
        sink_serve(&x->t, 10);
    assert_true(x->t.refreshes > 0);
    put(&f, 77, 99, 0xabcdef); /* it has looked */
    x->t.sink->ops->damage(x->t.sink, &f, 90, 110);
    assert_true(client_has(x, &f, 3, 77, 99, 0xabcdef));
    x->t.sink->ops->damage(x->t.sink, &f, 0, 1000); /* more rows than there are */
    sink_serve(&x->t, 10);
    sink_gone(&x->t, &f);
}

static void without_clients_nothing_is_read(void **state)
{
    struct fixture *x = *state;
    struct viewer_frame f = make_frame(1, 320, 200, VGPU_FMT_XRGB8888, VGPU_TILE_X);

    vnc_get_stats(x->t.sink, &x->before);
    for (uint32_t i = 1; i < 20; i++) {
        sink_flip(&x->t, &f, i);
        assert_int_equal(x->t.shown, i); /* at once: the guest is not held up */
    }
    for (unsigned i = 0; i < 20; i++)
        sink_serve(&x->t, 10);
    assert_int_equal(stats(x).scans, 0);
    assert_int_equal(stats(x).pictures, 1); /* its size */
    assert_int_equal(stats(x).bytes_copied, 0);
    assert_null(f.map);
    sink_gone(&x->t, &f);
}

static void a_cursor_is_sent_as_a_cursor(void **state)
{
    struct fixture *x = *state;
    struct viewer_frame f = make_frame(1, 320, 200, VGPU_FMT_XRGB8888, VGPU_LINEAR),
                        c = make_frame(2, 64, 64, VGPU_FMT_ARGB8888, VGPU_LINEAR);
    struct viewer_cursor cursor = {.frame = &c, .x = 5, .y = 6, .width = 64, .height = 64};
    uint64_t end = gt_clock_ns() + PATIENCE;

    paint(&f, 1);
    for (uint32_t y = 10; y < 20; y++)
        for (uint32_t i = 20; i < 40; i++)
            put(&c, i, y, 0xff102030);
    sink_flip(&x->t, &f, 1);
    assert_true(client_has(x, &f, 1, NOWHERE, 0, 0));
    x->t.sink->ops->cursor(x->t.sink, &cursor);
    bool there = false;

    while (!there && gt_clock_ns() < end) {
        sink_serve(&x->t, 10);
        pthread_mutex_lock(&x->c.lock);
        there = x->c.cursors > 0 && x->c.cursor_width == 64;
        pthread_mutex_unlock(&x->c.lock);
    }
    assert_true(there);
    assert_int_equal(x->c.cursor[15 * 64 + 30] & 0xffffff, 0x102030);
    assert_int_equal(x->c.cursor_mask[15 * 64 + 30], 1);
    assert_int_equal(x->c.cursor_mask[5 * 64 + 5], 0);
    unsigned before = x->c.cursors;

    for (int32_t i = 0; i < 50; i++) { /* moves send nothing */
        cursor.x = i;
        x->t.sink->ops->cursor(x->t.sink, &cursor);
        sink_serve(&x->t, 1);
    }
    assert_int_equal(x->c.cursors, before);
    assert_true(client_has(x, &f, 1, NOWHERE, 0, 0)); /* and the picture has no cursor in it */
    sink_gone(&x->t, &f);
    sink_gone(&x->t, &c);
}

/* gtmux-dm takes back what is being encoded. */
static void a_frame_that_is_taken_back_stays_readable(void **state)
{
    struct fixture *x = *state;

    for (uint32_t i = 1; i < 40; i++) {
        struct viewer_frame f = make_frame(i, 640, 480, VGPU_FMT_XRGB8888, VGPU_LINEAR);

        put(&f, i, i, 0xffffff);
        sink_flip(&x->t, &f, i);
        sink_serve(&x->t, 1);
        sink_gone(&x->t, &f);
        sink_serve(&x->t, 1);
    }
    struct viewer_frame f = make_frame(99, 320, 200, VGPU_FMT_XRGB8888, VGPU_LINEAR);

    paint(&f, 4);
    sink_flip(&x->t, &f, 100);
    assert_true(client_has(x, &f, 4, NOWHERE, 0, 0));
    sink_gone(&x->t, &f);
}

static int open_badly(void)
{
    const struct vnc_options o = {.unix_path = "/nonexistent/s", .fps = 1};
    char err[256] = "";
    struct sink *s;

    return vnc_open(&s, &o, &sink_test_events, NULL, err, sizeof(err)) < 0 && strstr(err, "/nonexistent/s") ? 0 : 1;
}

/* In a process of its own, see setup_server. */
static void a_bad_address_is_told(void **state)
{
    int status;

    (void)state;
    pid_t pid = fork();

    if (!pid)
        _exit(open_badly());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_clients_nothing_is_read),
        CASE(a_linear_picture_is_sent_without_a_copy),
        CASE(other_layouts_are_converted),
        CASE(flips_sizes_and_darkness_reach_the_client),
        CASE(changes_without_a_flip_are_sent),
        CASE(gtmux_dm_is_asked_to_look_at_its_copies),
        CASE(a_cursor_is_sent_as_a_cursor),
        CASE(a_frame_that_is_taken_back_stays_readable),
        cmocka_unit_test(a_bad_address_is_told),
    };

    gt_log_set_level(GT_LOG_WARN);
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, setup_server, teardown_server);
}
