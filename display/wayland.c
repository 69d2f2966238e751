/* The connection to the compositor, and what it offers. */
#include "display/wayland.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "display/wayland_internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

#define PATIENCE_NS        (5 * NS_PER_S)    /* for a compositor's answer at the start */
#define FLUSH_NS           UINT64_C(5000000) /* until a full socket is tried again */
#define DMABUF_VERSION     4u
#define COMPOSITOR_VERSION 4u   /* the first with damage_buffer */
#define FIRST_WIDTH        640u /* of the window until the guest shows something */
#define FIRST_HEIGHT       480u

/* ---- what the compositor offers */

/* Binds what is of use; the first of each kind. */
static void on_global(void *ctx, struct wl_registry *r, uint32_t name, const char *interface, uint32_t version)
{
    struct wayland *w = ctx;
    struct {
        const struct wl_interface *interface;
        uint32_t least, most; /* versions */
        void **to;
    } rows[] = {
        {&wl_compositor_interface, COMPOSITOR_VERSION, COMPOSITOR_VERSION, (void **)&w->compositor},
        {&wl_subcompositor_interface, 1, 1, (void **)&w->subcompositor},
        {&wl_shm_interface, 1, 1, (void **)&w->shm},
        {&xdg_wm_base_interface, 1, 2, (void **)&w->wm},
        {&wp_viewporter_interface, 1, 1, (void **)&w->viewporter},
        {&zwp_linux_dmabuf_v1_interface, 1, DMABUF_VERSION, (void **)&w->dmabuf},
        {&zxdg_decoration_manager_v1_interface, 1, 1, (void **)&w->decorations},
    };

    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++)
        if (!*rows[i].to && version >= rows[i].least && !strcmp(interface, rows[i].interface->name))
            *rows[i].to = wl_registry_bind(r, name, rows[i].interface, GT_MIN(version, rows[i].most));
    if (!strcmp(interface, wl_seat_interface.name))
        winput_add_seat(w, name, version);
}

static void on_global_remove(void *ctx, struct wl_registry *r, uint32_t name)
{
    struct wayland *w = ctx;

    (void)r;
    if (w->input.seat && w->input.seat_name == name)
        winput_remove_seat(w);
}

static const struct wl_registry_listener registry_listener = {.global = on_global, .global_remove = on_global_remove};

/* ---- the socket */

static int get_fd(const struct sink *s)
{
    return wl_display_get_fd(((const struct wayland *)s)->display);
}

/* Reads and handles what has come; waits for it until `end`, 0: not at all. */
static int wait_for_events(struct wayland *w, uint64_t end)
{
    struct pollfd p = {.fd = wl_display_get_fd(w->display), .events = POLLIN};
    uint64_t now = gt_clock_ns();

    while (wl_display_prepare_read(w->display))
        if (wl_display_dispatch_pending(w->display) < 0)
            return -errno;
    wl_display_flush(w->display);
    if (poll(&p, 1, end > now ? (int)((end - now) / 1000000 + 1) : 0) > 0) {
        if (wl_display_read_events(w->display))
            return -errno;
    } else {
        wl_display_cancel_read(w->display);
    }
    return wl_display_dispatch_pending(w->display) < 0 ? -errno : 0;
}

static int dispatch(struct sink *s)
{
    struct wayland *w = wayland_of(s);
    int ret = wait_for_events(w, 0);

    return ret ? ret : w->closed;
}

static void on_done(void *ctx, struct wl_callback *c, uint32_t data)
{
    (void)c, (void)data;
    *(bool *)ctx = true;
}

/* As wl_display_roundtrip, but not for ever: signals that end the program are looked at by its loop only. */
static int roundtrip(struct wayland *w)
{
    static const struct wl_callback_listener listener = {.done = on_done};
    const uint64_t end = gt_clock_ns() + PATIENCE_NS;
    struct wl_callback *c = wl_display_sync(w->display);
    bool done = false;
    int ret = c ? 0 : -ENOMEM;

    if (c)
        wl_callback_add_listener(c, &listener, &done);
    while (!ret && !done)
        ret = gt_clock_ns() < end ? wait_for_events(w, end) : -ETIMEDOUT;
    if (c)
        wl_callback_destroy(c);
    return ret;
}

/* ---- life */

static int start(struct wayland *w, char *err, size_t errsz)
{
    int ret;

    w->registry = wl_display_get_registry(w->display);
    wl_registry_add_listener(w->registry, &registry_listener, w);
    if ((ret = roundtrip(w))) {
        snprintf(err, errsz, "the Wayland compositor does not answer: %s", strerror(-ret));
        return ret;
    }
    if (!w->compositor || !w->shm || !w->wm) {
        snprintf(err, errsz, "the Wayland compositor is too old: wl_compositor 4, wl_shm and xdg-shell are needed");
        return -EOPNOTSUPP;
    }
    wl_shm_add_listener(w->shm, &wbuffer_shm_listener, w);
    xdg_wm_base_add_listener(w->wm, &wwindow_wm_listener, w);
    if (w->dmabuf && !w->opt.copy)
        wbuffer_listen_dmabuf(w);
    ret = roundtrip(w); /* formats */
    if (!ret)
        ret = wwindow_open(w);
    if (!ret)
        ret = wcursor_open(w);
    if (ret)
        snprintf(err, errsz, "cannot open a window: %s", strerror(-ret));
    return ret;
}

static void destroy_globals(struct wayland *w)
{
    wbuffer_forget_formats(w);
    if (w->dmabuf)
        zwp_linux_dmabuf_v1_destroy(w->dmabuf);
    if (w->decorations)
        zxdg_decoration_manager_v1_destroy(w->decorations);
    if (w->viewporter)
        wp_viewporter_destroy(w->viewporter);
    if (w->wm)
        xdg_wm_base_destroy(w->wm);
    if (w->shm)
        wl_shm_destroy(w->shm);
    if (w->subcompositor)
        wl_subcompositor_destroy(w->subcompositor);
    if (w->compositor)
        wl_compositor_destroy(w->compositor);
    if (w->registry)
        wl_registry_destroy(w->registry);
}

static void destroy_buffers(struct wayland *w)
{
    struct wbuffer *b, *next;

    wl_list_for_each_safe(b, next, &w->buffers, link) wbuffer_destroy(b);
    for (unsigned i = 0; i < POOL; i++) {
        w->pool[i].own = true;
        wbuffer_destroy(&w->pool[i]);
    }
}

static void close_window(struct sink *s)
{
    struct wayland *w = wayland_of(s);

    if (w->display) {
        winput_remove_seat(w);
        wcursor_close(w);
        wwindow_close(w);
        destroy_buffers(w);
        destroy_globals(w);
        wl_display_flush(w->display);
        wl_display_disconnect(w->display);
    }
    damage_destroy(w->damage);
    free(w);
}

static uint64_t tick(struct sink *s, uint64_t now)
{
    struct wayland *w = wayland_of(s);
    uint64_t next = wpicture_tick(w, now);

    next = GT_MIN(next, wwindow_tick(w, now));
    next = GT_MIN(next, wcursor_tick(w, now));
    next = GT_MIN(next, winput_tick(w, now));
    if (wl_display_flush(w->display) < 0 && errno == EAGAIN)
        next = GT_MIN(next, now + FLUSH_NS);
    return next;
}

static const struct sink_ops ops = {
    .lost = "the Wayland compositor has gone, or has sent us away",
    .fd = get_fd,
    .dispatch = dispatch,
    .tick = tick,
    .flip = wpicture_flip,
    .cursor = wcursor_show,
    .damage = wpicture_damage,
    .gone = wpicture_gone,
    .close = close_window,
};

int wayland_open(struct sink **out, const struct wayland_options *o, const struct sink_events *events, void *ctx,
                 char *err, size_t errsz)
{
    struct wayland *w = calloc(1, sizeof(*w));
    int ret;

    *out = NULL;
    if (!w) {
        snprintf(err, errsz, "no memory");
        return -ENOMEM;
    }
    *w = (struct wayland){.base.ops = &ops, .opt = *o, .events = *events, .ctx = ctx, .floating = true};
    wl_list_init(&w->buffers);
    w->flip.width = FIRST_WIDTH;
    w->flip.height = FIRST_HEIGHT;
    errno = 0;
    w->display = wl_display_connect(NULL);
    if (!w->display) {
        ret = errno ? -errno : -ECONNREFUSED;
        snprintf(err, errsz, "cannot reach a Wayland compositor (WAYLAND_DISPLAY, XDG_RUNTIME_DIR): %s",
                 strerror(-ret));
    } else {
        ret = start(w, err, errsz);
    }
    if (ret) {
        close_window(&w->base);
        return ret;
    }
    *out = &w->base;
    return 0;
}

void wayland_get_stats(const struct sink *s, struct wayland_stats *out)
{
    *out = ((const struct wayland *)s)->stats;
}
