/* The sink with QEMU's D-Bus interface, seen by a viewer that is made as QEMU's are: it registers a listener. */
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
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>

#include "display/qemu_dbus.h"
#include "sink_fixture.h"
#include "vgpu/base/clock.h"
#include "vgpu/base/log.h"

#define PATIENCE    UINT64_C(20000000000) /* ns: machines are busy */
#define X8R8G8B8    0x20020888u           /* pixman.h */
#define VM_PATH     "/org/qemu/Display1/VM"
#define CONSOLE     "/org/qemu/Display1/Console_0"
#define MAP         "org.qemu.Display1.Listener.Unix.Map"
#define PIXELS_ROOM (640u * 480u * 4u)

/* ---- a viewer on a thread of its own */

struct watcher {
    const char *path;
    bool has_map, refuses_dmabuf, silent, types;
    pthread_t thread;
    atomic_bool stop, ready;
    pthread_mutex_t lock; /* of what follows */
    char name[64], type[16];
    uint32_t console, width;
    bool ui_ok, absolute, has_input;
    unsigned refused; /* calls about input */
    unsigned dmabufs, maps, scanouts, updates, disables, cursors, moves;
    struct stat dmabuf; /* of the descriptor that came last */
    uint32_t w, h, stride, format, offset;
    uint64_t modifier;
    int32_t box[4], cursor[4], mouse[3];
    uint8_t pixels[PIXELS_ROOM], shape[64 * 64 * 4];
};

static int on_dmabuf(sd_bus_message *m, void *ctx, sd_bus_error *e)
{
    struct watcher *w = ctx;
    int fd, top;

    if (w->refuses_dmabuf)
        return sd_bus_error_set(e, SD_BUS_ERROR_NOT_SUPPORTED, "no GL here");
    pthread_mutex_lock(&w->lock);
    sd_bus_message_read(m, "huuuutb", &fd, &w->w, &w->h, &w->stride, &w->format, &w->modifier, &top);
    fstat(fd, &w->dmabuf);
    w->dmabufs++;
    pthread_mutex_unlock(&w->lock);
    return w->silent ? 1 : sd_bus_reply_method_return(m, NULL);
}

static int on_map(sd_bus_message *m, void *ctx, sd_bus_error *e)
{
    struct watcher *w = ctx;
    int fd;

    (void)e;
    pthread_mutex_lock(&w->lock);
    sd_bus_message_read(m, "huuuuu", &fd, &w->offset, &w->w, &w->h, &w->stride, &w->format);
    fstat(fd, &w->dmabuf);
    w->maps++;
    pthread_mutex_unlock(&w->lock);
    return sd_bus_reply_method_return(m, NULL);
}

static int on_scanout(sd_bus_message *m, void *ctx, sd_bus_error *e)
{
    struct watcher *w = ctx;
    const void *data;
    size_t n;

    (void)e;
    pthread_mutex_lock(&w->lock);
    sd_bus_message_read(m, "uuuu", &w->w, &w->h, &w->stride, &w->format);
    sd_bus_message_read_array(m, 'y', &data, &n);
    memcpy(w->pixels, data, GT_MIN(n, sizeof(w->pixels)));
    w->scanouts++;
    pthread_mutex_unlock(&w->lock);
    return sd_bus_reply_method_return(m, NULL);
}

/* Update, UpdateDMABUF and UpdateMap begin alike. */
static int on_update(sd_bus_message *m, void *ctx, sd_bus_error *e)
{
    struct watcher *w = ctx;

    (void)e;
    pthread_mutex_lock(&w->lock);
    sd_bus_message_read(m, "iiii", &w->box[0], &w->box[1], &w->box[2], &w->box[3]);
    if (!strcmp(sd_bus_message_get_member(m), "Update")) {
        const uint8_t *data;
        uint32_t stride, format;
        size_t n;

        sd_bus_message_read(m, "uu", &stride, &format);
        sd_bus_message_read_array(m, 'y', (const void **)&data, &n);
        for (int32_t y = 0; y < w->box[3]; y++)
            memcpy(w->pixels + (size_t)(w->box[1] + y) * w->stride + (size_t)w->box[0] * 4, data + (size_t)y * stride,
                   (size_t)w->box[2] * 4);
    }
    w->updates++;
    pthread_mutex_unlock(&w->lock);
    return sd_bus_reply_method_return(m, NULL);
}

static int on_disable(sd_bus_message *m, void *ctx, sd_bus_error *e)
{
    (void)e;
    ((struct watcher *)ctx)->disables++;
    return sd_bus_reply_method_return(m, NULL);
}

static int on_cursor(sd_bus_message *m, void *ctx, sd_bus_error *e)
{
    struct watcher *w = ctx;
    const void *data;
    size_t n;

    (void)e;
    pthread_mutex_lock(&w->lock);
    sd_bus_message_read(m, "iiii", &w->cursor[0], &w->cursor[1], &w->cursor[2], &w->cursor[3]);
    sd_bus_message_read_array(m, 'y', &data, &n);
    memcpy(w->shape, data, GT_MIN(n, sizeof(w->shape)));
    w->cursors++;
    pthread_mutex_unlock(&w->lock);
    return sd_bus_reply_method_return(m, NULL);
}

static int on_mouse(sd_bus_message *m, void *ctx, sd_bus_error *e)
{
    struct watcher *w = ctx;

    (void)e;
    pthread_mutex_lock(&w->lock);
    sd_bus_message_read(m, "iii", &w->mouse[0], &w->mouse[1], &w->mouse[2]);
    w->moves++;
    pthread_mutex_unlock(&w->lock);
    return sd_bus_reply_method_return(m, NULL);
}

static int get_interfaces(sd_bus *bus, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *ctx, sd_bus_error *e)
{
    (void)bus, (void)path, (void)interface, (void)property, (void)e;
    if (((struct watcher *)ctx)->has_map)
        return sd_bus_message_append(reply, "as", 1, MAP);
    return sd_bus_message_append(reply, "as", 0);
}

static const sd_bus_vtable listener_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("ScanoutDMABUF", "huuuutb", "", on_dmabuf, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("UpdateDMABUF", "iiii", "", on_update, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Scanout", "uuuuay", "", on_scanout, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Update", "iiiiuuay", "", on_update, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Disable", "", "", on_disable, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("MouseSet", "iii", "", on_mouse, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("CursorDefine", "iiiiay", "", on_cursor, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY("Interfaces", "as", get_interfaces, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_VTABLE_END,
};

static const sd_bus_vtable map_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("ScanoutMap", "huuuuu", "", on_map, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("UpdateMap", "iiii", "", on_update, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static void read_properties(struct watcher *w, sd_bus *bus)
{
    sd_bus_message *reply = NULL;
    char *text = NULL;

    if (sd_bus_get_property_string(bus, NULL, VM_PATH, "org.qemu.Display1.VM", "Name", NULL, &text) >= 0)
        snprintf(w->name, sizeof(w->name), "%s", text);
    free(text);
    text = NULL;
    if (sd_bus_get_property_string(bus, NULL, CONSOLE, "org.qemu.Display1.Console", "Type", NULL, &text) >= 0)
        snprintf(w->type, sizeof(w->type), "%s", text);
    free(text);
    w->console = UINT32_MAX;
    if (sd_bus_get_property(bus, NULL, VM_PATH, "org.qemu.Display1.VM", "ConsoleIDs", NULL, &reply, "au") >= 0 &&
        sd_bus_message_enter_container(reply, 'a', "u") > 0)
        sd_bus_message_read(reply, "u", &w->console);
    sd_bus_message_unref(reply);
    sd_bus_get_property_trivial(bus, NULL, CONSOLE, "org.qemu.Display1.Console", "Width", NULL, 'u', &w->width);
    w->ui_ok = sd_bus_call_method(bus, NULL, CONSOLE, "org.qemu.Display1.Console", "SetUIInfo", NULL, NULL, "qqiiuu", 0,
                                  0, 0, 0, 1280, 720) >= 0;
}

static void ask_input(struct watcher *w, sd_bus *bus, const char *interface, const char *method, const char *types,
                      int a, int b)
{
    if (sd_bus_call_method(bus, NULL, CONSOLE, interface, method, NULL, NULL, types, a, b) < 0)
        w->refused++;
}

/* What a viewer says when somebody types A, points to the middle and clicks; then what is wrong. */
static void type(struct watcher *w, sd_bus *bus)
{
    static const char *const keyboard = "org.qemu.Display1.Keyboard", *const mouse = "org.qemu.Display1.Mouse";
    char **names = NULL;
    int yes = 0;

    if (sd_bus_get_property_strv(bus, NULL, CONSOLE, "org.qemu.Display1.Console", "Interfaces", NULL, &names) >= 0)
        w->has_input = names && names[0] && !strcmp(names[0], keyboard) && names[1] && !strcmp(names[1], mouse);
    for (char **n = names; n && *n; n++)
        free(*n);
    free(names);
    sd_bus_get_property_trivial(bus, NULL, CONSOLE, mouse, "IsAbsolute", NULL, 'b', &yes);
    w->absolute = yes;
    ask_input(w, bus, keyboard, "Press", "u", 30, 0);
    ask_input(w, bus, keyboard, "Release", "u", 30, 0);
    ask_input(w, bus, mouse, "SetAbsPosition", "uu", 160, 100);
    ask_input(w, bus, mouse, "Press", "u", 0, 0);
    ask_input(w, bus, mouse, "Release", "u", 0, 0);
    ask_input(w, bus, keyboard, "Press", "u", 256, 0); /* no key: nothing happens */
    ask_input(w, bus, keyboard, "Press", "u", 0xb7, 0);
    ask_input(w, bus, mouse, "Press", "u", 7, 0);
    ask_input(w, bus, mouse, "SetAbsPosition", "uu", 320, 0);
    ask_input(w, bus, mouse, "RelMotion", "ii", 1, 1);
}

static sd_bus *open_bus(const char *address, int fd)
{
    sd_bus *bus = NULL;

    if (sd_bus_new(&bus) < 0 || (address ? sd_bus_set_address(bus, address) : sd_bus_set_fd(bus, fd, fd)) < 0 ||
        sd_bus_negotiate_fds(bus, 1) < 0 || sd_bus_start(bus) < 0)
        abort();
    return bus;
}

static void *watcher_main(void *arg)
{
    struct watcher *w = arg;
    char address[128];
    int s[2];

    snprintf(address, sizeof(address), "unix:path=%s", w->path);
    sd_bus *bus = open_bus(address, -1);

    read_properties(w, bus);
    if (w->types)
        type(w, bus);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) ||
        sd_bus_call_method(bus, NULL, CONSOLE, "org.qemu.Display1.Console", "RegisterListener", NULL, NULL, "h", s[1]) <
            0)
        abort();
    close(s[1]);
    sd_bus *listener = open_bus(NULL, s[0]);

    sd_bus_add_object_vtable(listener, NULL, "/org/qemu/Display1/Listener", "org.qemu.Display1.Listener",
                             listener_vtable, w);
    sd_bus_add_object_vtable(listener, NULL, "/org/qemu/Display1/Listener", MAP, map_vtable, w);
    w->ready = true;
    while (!w->stop) {
        int n = sd_bus_process(listener, NULL);

        if (n < 0)
            break;
        if (!n)
            sd_bus_wait(listener, 10000);
    }
    sd_bus_close_unref(listener);
    sd_bus_close_unref(bus);
    return NULL;
}

/* ---- the sink */

struct fixture {
    char dir[32], path[48];
    struct sink_test t;
    struct watcher w;
    bool watched;
};

static int setup_with(void **state, bool input)
{
    struct fixture *x = calloc(1, sizeof(*x));
    char err[256] = "";

    strcpy(x->dir, "/tmp/gtmux-dbus-XXXXXX");
    assert_non_null(mkdtemp(x->dir));
    snprintf(x->path, sizeof(x->path), "%s/s", x->dir);
    const struct qdbus_options o = {.path = x->path, .name = "guest", .fps = 50, .input = input};

    if (qdbus_open(&x->t.sink, &o, &sink_test_events, &x->t, err, sizeof(err)))
        fail_msg("%s", err);
    x->w.path = x->path;
    pthread_mutex_init(&x->w.lock, NULL);
    *state = x;
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, false);
}

static int setup_input(void **state)
{
    return setup_with(state, true);
}

static void watch(struct fixture *x)
{
    x->watched = true;
    assert_int_equal(pthread_create(&x->w.thread, NULL, watcher_main, &x->w), 0);
    while (!x->w.ready)
        sink_serve(&x->t, 5);
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    struct qdbus_stats st;

    if (x->watched) {
        x->w.stop = true;
        pthread_join(x->w.thread, NULL);
        for (unsigned i = 0; i < 100; i++)
            sink_serve(&x->t, 1);
        qdbus_get_stats(x->t.sink, &st);
        assert_int_equal(st.listeners, 0);
        assert_int_equal(st.connections, 0);
    }
    sink_close(&x->t);
    assert_int_equal(rmdir(x->dir), 0);
    pthread_mutex_destroy(&x->w.lock);
    free(x);
    return 0;
}

/* Serves until a counter of the watcher has reached n. */
static void wait_for(struct fixture *x, const unsigned *counter, unsigned n)
{
    uint64_t end = gt_clock_ns() + PATIENCE;
    unsigned now;

    do {
        sink_serve(&x->t, 5);
        pthread_mutex_lock(&x->w.lock);
        now = *counter;
        pthread_mutex_unlock(&x->w.lock);
        if (gt_clock_ns() > end)
            fail_msg("%u of %u came", now, n);
    } while (now < n);
}

static void wait_shown(struct fixture *x, uint32_t serial)
{
    sink_wait_shown(&x->t, serial, PATIENCE);
}

static void check_same_file(struct fixture *x, const struct viewer_frame *f)
{
    struct stat st;

    assert_int_equal(fstat(f->fd, &st), 0);
    assert_int_equal(st.st_ino, x->w.dmabuf.st_ino);
}

/* ---- tests */

static void the_objects_are_those_of_qemu(void **state)
{
    struct fixture *x = *state;
    struct viewer_frame f = make_frame(1, 320, 200, VGPU_FMT_XRGB8888, VGPU_LINEAR);

    sink_flip(&x->t, &f, 1);
    assert_int_equal(x->t.shown, 1); /* nobody to wait for */
    watch(x);
    assert_string_equal(x->w.name, "guest");
    assert_string_equal(x->w.type, "Graphic");
    assert_int_equal(x->w.console, 0);
    assert_int_equal(x->w.width, 320);
    assert_true(x->w.ui_ok);
    assert_int_equal(x->t.width, 1280);
    assert_int_equal(x->t.height, 720);
    sink_gone(&x->t, &f);
}

static void keys_and_pointer_are_handed_on(void **state)
{
    const struct input_event want[] = {
        {.kind = INPUT_KEY, .code = 30, .down = true},
        {.kind = INPUT_KEY, .code = 30},
        {.kind = INPUT_MOVE, .x = input_position(160, 320), .y = input_position(100, 200)},
        {.kind = INPUT_BUTTON, .code = INPUT_LEFT, .down = true},
        {.kind = INPUT_BUTTON, .code = INPUT_LEFT},
        {.kind = INPUT_KEY, .code = 0x54, .down = true},
    };
    struct fixture *x = *state;
    struct viewer_frame f = make_frame(1, 320, 200, VGPU_FMT_XRGB8888, VGPU_LINEAR);

    sink_flip(&x->t, &f, 1);
    x->w.types = true;
    watch(x);
    assert_true(x->w.has_input);
    assert_true(x->w.absolute);
    assert_int_equal(x->w.refused, 3);
    assert_int_equal(x->t.nevents, GT_ARRAY_SIZE(want));
    for (unsigned i = 0; i < GT_ARRAY_SIZE(want); i++) {
        assert_int_equal(x->t.event[i].kind, want[i].kind);
        assert_int_equal(x->t.event[i].code, want[i].code);
        assert_int_equal(x->t.event[i].down, want[i].down);
        assert_int_equal(x->t.event[i].x, want[i].x);
        assert_int_equal(x->t.event[i].y, want[i].y);
    }
    sink_gone(&x->t, &f);
}

/* The key that it holds goes up when it goes. */
static void a_viewer_that_leaves_lets_go_of_its_keys(void **state)
{
    struct fixture *x = *state;
    uint64_t end = gt_clock_ns() + PATIENCE;

    x->w.types = true;
    watch(x);
    x->t.nevents = 0;
    x->w.stop = true;
    while (!x->t.nevents && gt_clock_ns() < end)
        sink_serve(&x->t, 5);
    assert_int_equal(x->t.event[0].kind, INPUT_LIFT);
}

static void without_a_way_there_is_no_keyboard(void **state)
{
    struct fixture *x = *state;

    x->w.types = true;
    watch(x);
    assert_false(x->w.has_input);
    assert_int_equal(x->w.refused, 10);
    assert_int_equal(x->t.nevents, 0);
}

static void the_guests_memory_is_given_as_a_dmabuf(void **state)
{
    struct fixture *x = *state;
    struct viewer_frame a = make_frame(1, 320, 200, VGPU_FMT_XRGB8888, VGPU_TILE_X),
                        b = make_frame(2, 320, 200, VGPU_FMT_XRGB8888, VGPU_LINEAR);
    struct qdbus_stats st;

    sink_flip(&x->t, &a, 1);
    watch(x);
    wait_for(x, &x->w.updates, 1);
    check_same_file(x, &a);
    assert_int_equal(x->w.w, 320);
    assert_int_equal(x->w.h, 200);
    assert_int_equal(x->w.stride, a.stride);
    assert_int_equal(x->w.format, a.fourcc);
    assert_true(x->w.modifier == display_modifier(VGPU_TILE_X));
    assert_int_equal(x->w.box[2], 320);
    for (uint32_t i = 2; i < 20; i++) {
        sink_flip(&x->t, i % 2 ? &a : &b, i);
        wait_shown(x, i);
        check_same_file(x, i % 2 ? &a : &b);
    }
    qdbus_get_stats(x->t.sink, &st);
    assert_int_equal(st.bytes_copied, 0);
    assert_int_equal(x->w.scanouts + x->w.maps, 0);
    sink_flip(&x->t, NULL, 20);
    wait_shown(x, 20);
    assert_int_equal(x->w.disables, 1);
    sink_gone(&x->t, &a);
    sink_gone(&x->t, &b);
}

static void who_has_no_gl_is_given_a_map(void **state)
{
    struct fixture *x = *state;
    struct viewer_frame f = make_frame(1, 320, 200, VGPU_FMT_XRGB8888, VGPU_LINEAR);
    const struct viewer_flip part = {.frame = &f, .x = 16, .y = 10, .width = 100, .height = 50, .serial = 2};

    x->w.has_map = x->w.refuses_dmabuf = true;
    sink_flip(&x->t, &f, 1);
    watch(x);
    wait_for(x, &x->w.updates, 1);
    assert_int_equal(x->w.maps, 1);
    check_same_file(x, &f);
    assert_int_equal(x->w.format, X8R8G8B8);
    assert_int_equal(x->w.offset, 0);
    x->t.sink->ops->flip(x->t.sink, &part, gt_clock_ns());
    wait_shown(x, 2);
    assert_int_equal(x->w.offset, 10 * f.stride + 16 * 4);
    assert_int_equal(x->w.w, 100);
    assert_int_equal(x->w.scanouts, 0);
    sink_gone(&x->t, &f);
}

static void who_has_neither_is_given_pixels(void **state)
{
    struct fixture *x = *state;
    struct viewer_frame f = make_frame(1, 320, 200, VGPU_FMT_XRGB8888, VGPU_TILE_Y);

    x->w.refuses_dmabuf = true;
    paint(&f, 7);
    sink_flip(&x->t, &f, 1);
    watch(x);
    wait_for(x, &x->w.scanouts, 1);
    wait_for(x, &x->w.updates, 1); /* the first look for changes */
    put(&f, 33, 44, 0xabcdef);
    uint64_t end = gt_clock_ns() + PATIENCE;
    uint32_t got = 0;

    while (got != 0xabcdef && gt_clock_ns() < end) {
        sink_serve(&x->t, 5);
        pthread_mutex_lock(&x->w.lock);
        memcpy(&got, x->w.pixels + (44 * 320 + 33) * 4, 4);
        pthread_mutex_unlock(&x->w.lock);
    }
    pthread_mutex_lock(&x->w.lock);
    for (uint32_t y = 0; y < 200; y++)
        for (uint32_t i = 0; i < 320; i++) {
            uint32_t want = i == 33 && y == 44 ? 0xabcdef : pattern(i, y, 7), v;

            memcpy(&v, x->w.pixels + (y * 320 + i) * 4, 4);
            assert_int_equal(v & 0xffffff, want);
        }
    pthread_mutex_unlock(&x->w.lock);
    sink_gone(&x->t, &f);
}

static void changes_without_a_flip_are_told(void **state)
{
    struct fixture *x = *state;
    struct viewer_frame f = make_frame(1, 320, 200, VGPU_FMT_XRGB8888, VGPU_LINEAR);

    sink_flip(&x->t, &f, 1);
    watch(x);
    wait_for(x, &x->w.updates, 2); /* of the flip, and of the first look */
    for (unsigned i = 0; i < 20; i++)
        sink_serve(&x->t, 5);
    unsigned before = x->w.updates;

    put(&f, 200, 150, 1);
    wait_for(x, &x->w.updates, before + 1);
    assert_in_range(150, x->w.box[1], x->w.box[1] + x->w.box[3] - 1);
    assert_in_range(x->w.box[3], 1, 40);
    assert_int_equal(x->t.refreshes, 0);
    sink_gone(&x->t, &f);
}

static void the_cursor_is_defined_once_and_moved(void **state)
{
    struct fixture *x = *state;
    struct viewer_frame c = make_frame(2, 64, 64, VGPU_FMT_ARGB8888, VGPU_LINEAR);
    struct viewer_cursor cursor = {.frame = &c, .x = -3, .y = 9, .width = 64, .height = 64};

    put(&c, 5, 6, 0x80402010);
    watch(x);
    x->t.sink->ops->cursor(x->t.sink, &cursor);
    wait_for(x, &x->w.moves, 1);
    wait_for(x, &x->w.cursors, 1);
    uint32_t v;

    memcpy(&v, x->w.shape + (6 * 64 + 5) * 4, 4);
    assert_int_equal(v, 0x80402010);
    for (int32_t i = 0; i < 20; i++) {
        cursor.x = i;
        x->t.sink->ops->cursor(x->t.sink, &cursor);
        sink_serve(&x->t, 5);
    }
    uint64_t end = gt_clock_ns() + PATIENCE;

    while (x->w.mouse[0] != 19 && gt_clock_ns() < end)
        sink_serve(&x->t, 5);
    assert_int_equal(x->w.mouse[0], 19);
    assert_int_equal(x->w.mouse[1], 9);
    assert_int_equal(x->w.mouse[2], 1);
    assert_int_equal(x->w.cursors, 1);
    x->t.sink->ops->cursor(x->t.sink, &(struct viewer_cursor){0});
    end = gt_clock_ns() + PATIENCE;
    while (x->w.mouse[2] && gt_clock_ns() < end)
        sink_serve(&x->t, 5);
    assert_int_equal(x->w.mouse[2], 0);
    sink_gone(&x->t, &c);
}

static void who_never_answers_does_not_hold_up_the_guest(void **state)
{
    struct fixture *x = *state;
    struct viewer_frame f = make_frame(1, 320, 200, VGPU_FMT_XRGB8888, VGPU_LINEAR);

    x->w.silent = true;
    sink_flip(&x->t, &f, 1);
    watch(x);
    wait_for(x, &x->w.dmabufs, 1);
    sink_flip(&x->t, &f, 2);
    assert_int_not_equal(x->t.shown, 2);
    wait_shown(x, 2); /* after a second */
    assert_int_equal(x->w.dmabufs, 1);
    sink_gone(&x->t, &f);
}

static void garbage_ends_only_its_own_connection(void **state)
{
    struct fixture *x = *state;
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    static const char garbage[] = "\0GARBAGE\r\nl\1\0\1\377\377\377\377";
    struct qdbus_stats st;
    int fd[12];

    strcpy(a.sun_path, x->path);
    for (unsigned i = 0; i < GT_ARRAY_SIZE(fd); i++) {
        fd[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fd[i], (struct sockaddr *)&a, sizeof(a)), 0);
        assert_true(send(fd[i], garbage, sizeof(garbage), MSG_NOSIGNAL) > 0);
        sink_serve(&x->t, 5);
    }
    for (unsigned i = 0; i < 20; i++)
        sink_serve(&x->t, 5);
    qdbus_get_stats(x->t.sink, &st);
    assert_in_range(st.connections, 0, 8);
    for (unsigned i = 0; i < GT_ARRAY_SIZE(fd); i++)
        close(fd[i]);
    for (unsigned i = 0; i < 20; i++)
        sink_serve(&x->t, 5);
    qdbus_get_stats(x->t.sink, &st);
    assert_int_equal(st.connections, 0);
    watch(x); /* and a good one is served */
    assert_string_equal(x->w.name, "guest");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(the_objects_are_those_of_qemu),
        cmocka_unit_test_setup_teardown(keys_and_pointer_are_handed_on, setup_input, teardown),
        cmocka_unit_test_setup_teardown(a_viewer_that_leaves_lets_go_of_its_keys, setup_input, teardown),
        CASE(without_a_way_there_is_no_keyboard),
        CASE(the_guests_memory_is_given_as_a_dmabuf),
        CASE(who_has_no_gl_is_given_a_map),
        CASE(who_has_neither_is_given_pixels),
        CASE(changes_without_a_flip_are_told),
        CASE(the_cursor_is_defined_once_and_moved),
        CASE(who_never_answers_does_not_hold_up_the_guest),
        CASE(garbage_ends_only_its_own_connection),
    };

    gt_log_set_level(GT_LOG_WARN);
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
