/* Two guests on one monitor: which of them is shown is chosen by command and by hotkey. */
#include <signal.h>

#include <linux/uinput.h>
#include <sys/ioctl.h>

#include "dv.h"
#include "vgpu/base/clock.h"

#define OTHER        "h"
#define OTHER_SOCKET DV_DIR "/s-h"

struct guest {
    const char *name;
    struct screen_guest *g;
    struct sg_buffer b;
    uint32_t seed;
};

static long bad_pixels(struct dv *d, const struct guest *g)
{
    struct dv_capture c = {0};
    const bool ok = dv_capture(d, g->b.width, g->b.height, &c);
    long bad = ok ? 0 : -1;

    for (uint32_t y = 0; ok && y < g->b.height; y++)
        for (uint32_t x = 0; x < g->b.width; x++)
            bad +=
                ((const uint32_t *)(const void *)(c.map + y * c.stride))[x] % (1u << 24) != sg_pattern(x, y, g->seed);
    dv_capture_free(d, &c);
    return bad;
}

/* Waits until a guest is the one that is watched. */
static bool is_watched(const struct guest *g)
{
    uint64_t end = gt_clock_ns() + DV_PATIENCE_NS;

    while (dv_stat_of(g->name, "display/viewers") != 1) {
        if (gt_clock_ns() > end)
            return false;
        usleep(20000);
    }
    return true;
}

/* One guest is on the screen, and the other one is not even looked at. */
static void check_shown(struct dv *d, const struct guest *g, const struct guest *other, const char *how)
{
    uint64_t end = gt_clock_ns() + DV_PATIENCE_NS;
    long bad = is_watched(g) ? -1 : -2;

    dv_settle(g->name);
    while (bad != -2 && (bad = bad_pixels(d, g)) && gt_clock_ns() < end)
        usleep(50000);
    dv_result(d, bad == 0 && dv_stat_of(other->name, "display/viewers") < 1, "%s: guest %s is shown, %ld pixels differ",
              how, g->name, bad);
}

static void paint(struct guest *g)
{
    sg_paint(g->g, &g->b, g->seed);
    sg_show(g->g, 0, &g->b);
    sg_light(g->g, 0, g->b.width, g->b.height);
}

/* ---- a keyboard of the kernel's */

static int make_keyboard(void)
{
    struct uinput_setup setup = {.id = {.bustype = BUS_VIRTUAL, .vendor = 1, .product = 1}, .name = "test keyboard"};
    int fd = open("/dev/uinput", O_WRONLY | O_CLOEXEC);

    if (fd < 0 || ioctl(fd, UI_SET_EVBIT, EV_KEY))
        return -1;
    for (unsigned key = KEY_ESC; key <= KEY_RIGHTMETA; key++)
        ioctl(fd, UI_SET_KEYBIT, key);
    return ioctl(fd, UI_DEV_SETUP, &setup) || ioctl(fd, UI_DEV_CREATE) ? -1 : fd;
}

static void key(int fd, uint16_t code, int32_t value)
{
    const struct input_event e[2] = {{.type = EV_KEY, .code = code, .value = value}, {.type = EV_SYN}};

    sg_check(write(fd, e, sizeof(e)) == (ssize_t)sizeof(e), "write of a key");
}

static void press(int fd, bool modifiers, uint16_t code)
{
    if (modifiers) {
        key(fd, KEY_LEFTCTRL, 1);
        key(fd, KEY_RIGHTALT, 1);
    }
    key(fd, code, 1);
    key(fd, code, 0);
    if (modifiers) {
        key(fd, KEY_RIGHTALT, 0);
        key(fd, KEY_LEFTCTRL, 0);
    }
}

static void by_hotkey(struct dv *d, const struct guest *first, const struct guest *second)
{
    int keyboard = make_keyboard(); /* plugged in while gtmux kms runs */
    uint64_t end = gt_clock_ns() + DV_PATIENCE_NS;

    if (!dv_result(d, keyboard >= 0, "the kernel makes a keyboard: %s", keyboard < 0 ? strerror(errno) : "yes"))
        return;
    do { /* until it is read */
        press(keyboard, true, KEY_1);
        usleep(300000);
    } while (dv_stat_of(first->name, "display/viewers") != 1 && gt_clock_ns() < end);
    check_shown(d, first, second, "Ctrl+Alt+1");
    struct sg_buffer cursor = sg_buffer(first->g, DV_BUFFER, 64, 64, VGPU_FMT_ARGB8888, VGPU_LINEAR);

    for (uint32_t i = 0; i < 64 * 64; i++)
        sg_put(first->g, &cursor, i % 64, i / 64, 0xffff0000u);
    sg_cursor(first->g, 0, &cursor, 20, 20);
    usleep(500000); /* a capture does not outlive its commit */
    while (bad_pixels(d, first) != 64 * 64 && gt_clock_ns() < end)
        usleep(50000);
    dv_result(d, gt_clock_ns() < end, "its cursor is shown");
    press(keyboard, true, KEY_PAGEDOWN);
    check_shown(d, second, first, "Ctrl+Alt+Page Down, and the cursor goes");
    sg_cursor(first->g, 0, NULL, 0, 0);
    press(keyboard, false, KEY_PAGEUP);
    press(keyboard, true, KEY_2);
    press(keyboard, true, KEY_9);
    usleep(500000);
    check_shown(d, second, first, "Page Up alone, the number of the same guest and of none");
    press(keyboard, true, KEY_PAGEUP);
    check_shown(d, first, second, "Ctrl+Alt+Page Up");
    close(keyboard);
}

/* ---- what was there before */

struct before {
    uint32_t buffer;
    bool lit;
    uint16_t width, height;
};

static struct before crtc_state(struct dv *d)
{
    drmModeCrtc *c = drmModeGetCrtc(d->card, d->crtc);
    struct before b = {c->buffer_id, c->mode_valid, c->mode.hdisplay, c->mode.vdisplay};

    drmModeFreeCrtc(c);
    return b;
}

/* Something lit the screen before: a console of our own, in a dumb buffer. Its capture keeps the buffer. */
static bool light_console(struct dv *d, struct dv_capture *c)
{
    drmModeRes *res = drmModeGetResources(d->card);
    drmModeConnector *con = NULL;
    bool ok = false;

    for (int i = 0; i < res->count_connectors && !ok; i++) {
        con = drmModeGetConnector(d->card, res->connectors[i]);
        if (con->connector_type != DRM_MODE_CONNECTOR_WRITEBACK && con->count_modes)
            ok = dv_make_buffer(d, con->modes[0].hdisplay, con->modes[0].vdisplay, c) &&
                 !drmModeSetCrtc(d->card, d->crtc, c->fb, 0, 0, &con->connector_id, 1, &con->modes[0]);
        drmModeFreeConnector(con);
    }
    drmModeFreeResources(res);
    return ok;
}

void dv_switch(struct dv *d)
{
    static const char *const both[] = {OTHER, NULL};
    static const char *const to_other[] = {"kms", "--run-dir=" DV_DIR, "--switch=" OTHER, NULL};
    static const char *const to_nobody[] = {"kms", "--run-dir=" DV_DIR, "--switch=nobody", NULL};
    struct screen_guest other;
    struct dv_capture console = {0};

    dv_open_card(d);
    dv_result(d, light_console(d, &console), "a console is on the screen");
    const struct before before = crtc_state(d);

    dv_start_dm(d, NULL);
    sg_connect(&d->g, DV_SOCKET, 64);
    pid_t other_dm = dv_start_other(OTHER, OTHER_SOCKET);

    sg_connect(&other, OTHER_SOCKET, 64);
    struct guest g = {"g", &d->g, sg_buffer(&d->g, 0, 1280, 720, VGPU_FMT_XRGB8888, VGPU_LINEAR), 61};
    struct guest h = {OTHER, &other, sg_buffer(&other, 0, 1024, 768, VGPU_FMT_XRGB8888, VGPU_LINEAR), 62};

    paint(&g);
    paint(&h);
    dv_start_sink(d, both);
    check_shown(d, &g, &h, "at first");
    int code = dv_gtmux(to_other);

    check_shown(d, &h, &g, "gtmux kms --switch");
    int refused = dv_gtmux(to_nobody);

    dv_result(d, code == 0 && refused == 1, "exit codes: %d, and %d for a guest that it does not have", code, refused);
    by_hotkey(d, &g, &h);
    dv_gtmux(to_other);
    is_watched(&h);
    dv_end(&other_dm, SIGKILL);
    check_shown(d, &g, &h, "the guest that is shown dies");
    code = dv_end(&d->sink, SIGTERM);
    const struct before after = crtc_state(d);

    dv_result(d, code == 0 && dv_sink_figure(" bytes copied") == 0 && dv_sink_figure(" changes of the guest") == 6,
              "gtmux kms: %.0f changes of the guest, %.0f bytes copied", dv_sink_figure(" changes of the guest"),
              dv_sink_figure(" bytes copied"));
    dv_result(d,
              before.lit && after.lit && before.buffer == after.buffer && before.width == after.width &&
                  before.height == after.height,
              "the console is back: %ux%u, buffer %u; it was %ux%u, buffer %u", after.width, after.height, after.buffer,
              before.width, before.height, before.buffer);
    sg_leave(&other);
    dv_capture_free(d, &console);
    dv_finish(d);
}
