/*
 * A Wayland compositor as a test double: it says what the test tells it to, on a thread of its own, and remembers what
 * its one client has done. State is read and changed under the lock only (double_lock).
 */
#ifndef GTMUX_TESTS_WAYLAND_DOUBLE_H
#define GTMUX_TESTS_WAYLAND_DOUBLE_H

#include "wayland_double_dmabuf.h"
#include "wayland_double_seat.h"
#include "wayland_double_state.h"

/* ---- surfaces: only the first one is looked at */

static inline void do_attach(struct wl_client *c, struct wl_resource *r, struct wl_resource *buffer, int32_t x,
                             int32_t y)
{
    struct wayland_double *d = of(r);

    (void)c, (void)x, (void)y;
    if (r == d->surface) {
        d->pending = buffer;
        d->has_pending = true;
    }
}

static inline void do_damage(struct wl_client *c, struct wl_resource *r, int32_t x, int32_t y, int32_t w, int32_t h)
{
    struct wayland_double *d = of(r);

    (void)c;
    if (r == d->surface)
        memcpy(d->damage, (int32_t[]){x, y, w, h}, sizeof(d->damage));
}

static inline void on_callback_gone(struct wl_resource *r)
{
    if (of(r)->callback == r)
        of(r)->callback = NULL;
}

static inline void do_frame(struct wl_client *c, struct wl_resource *r, uint32_t id)
{
    struct wl_resource *callback = wl_resource_create(c, &wl_callback_interface, 1, id);

    wl_resource_set_implementation(callback, NULL, of(r), on_callback_gone);
    if (r == of(r)->surface)
        of(r)->callback = callback;
}

static inline void do_region(struct wl_client *c, struct wl_resource *r, struct wl_resource *region)
{
    (void)c, (void)r, (void)region;
}

static inline void double_configure(struct wayland_double *d, int32_t width, int32_t height, uint32_t state)
{
    struct wl_array states;

    wl_array_init(&states);
    if (state)
        *(uint32_t *)wl_array_add(&states, sizeof(state)) = state;
    xdg_toplevel_send_configure(d->toplevel, width, height, &states);
    xdg_surface_send_configure(d->xdg, 1);
    wl_array_release(&states);
    d->configured = true;
}

static inline void do_commit(struct wl_client *c, struct wl_resource *r)
{
    struct wayland_double *d = of(r);

    (void)c;
    if (r != d->surface)
        return;
    if (!d->configured && d->toplevel)
        double_configure(d, 0, 0, 0);
    if (d->has_pending) {
        d->current = d->pending;
        d->has_pending = false;
        d->commits++;
    }
}

static inline void do_number(struct wl_client *c, struct wl_resource *r, int32_t n)
{
    (void)c, (void)r, (void)n;
}

static const struct wl_surface_interface double_surface = {.destroy = do_destroy,
                                                           .attach = do_attach,
                                                           .damage = do_damage,
                                                           .frame = do_frame,
                                                           .set_opaque_region = do_region,
                                                           .set_input_region = do_region,
                                                           .commit = do_commit,
                                                           .set_buffer_transform = do_number,
                                                           .set_buffer_scale = do_number,
                                                           .damage_buffer = do_damage};

static inline void do_create_surface(struct wl_client *c, struct wl_resource *r, uint32_t id)
{
    struct wl_resource *s = make(c, &wl_surface_interface, 4, id, &double_surface, of(r));

    if (!of(r)->surface)
        of(r)->surface = s;
}

static inline void do_box(struct wl_client *c, struct wl_resource *r, int32_t x, int32_t y, int32_t w, int32_t h)
{
    (void)c, (void)r, (void)x, (void)y, (void)w, (void)h;
}

static const struct wl_region_interface double_region = {.destroy = do_destroy, .add = do_box, .subtract = do_box};

static inline void do_create_region(struct wl_client *c, struct wl_resource *r, uint32_t id)
{
    make(c, &wl_region_interface, 1, id, &double_region, of(r));
}

static const struct wl_compositor_interface double_compositor = {.create_surface = do_create_surface,
                                                                 .create_region = do_create_region};

/* ---- windows */

static inline void do_text(struct wl_client *c, struct wl_resource *r, const char *text)
{
    (void)c, (void)r, (void)text;
}

static inline void do_serial(struct wl_client *c, struct wl_resource *r, uint32_t serial)
{
    (void)c, (void)r, (void)serial;
}

static inline void do_fullscreen(struct wl_client *c, struct wl_resource *r, struct wl_resource *output)
{
    (void)c, (void)r, (void)output;
}

static const struct xdg_toplevel_interface double_toplevel = {
    .destroy = do_destroy, .set_title = do_text, .set_app_id = do_text, .set_fullscreen = do_fullscreen};

static inline void do_get_toplevel(struct wl_client *c, struct wl_resource *r, uint32_t id)
{
    of(r)->toplevel = make(c, &xdg_toplevel_interface, 2, id, &double_toplevel, of(r));
}

static const struct xdg_surface_interface double_xdg = {
    .destroy = do_destroy, .get_toplevel = do_get_toplevel, .ack_configure = do_serial};

static inline void do_get_xdg(struct wl_client *c, struct wl_resource *r, uint32_t id, struct wl_resource *surface)
{
    (void)surface;
    of(r)->xdg = make(c, &xdg_surface_interface, 2, id, &double_xdg, of(r));
}

static inline void do_pong(struct wl_client *c, struct wl_resource *r, uint32_t serial)
{
    (void)c, (void)serial;
    of(r)->pings++;
}

static const struct xdg_wm_base_interface double_wm = {
    .destroy = do_destroy, .get_xdg_surface = do_get_xdg, .pong = do_pong};

/* ---- viewports: the first one is the window's */

static inline void do_source(struct wl_client *c, struct wl_resource *r, wl_fixed_t x, wl_fixed_t y, wl_fixed_t w,
                             wl_fixed_t h)
{
    const int32_t v[] = {wl_fixed_to_int(x), wl_fixed_to_int(y), wl_fixed_to_int(w), wl_fixed_to_int(h)};

    (void)c;
    memcpy(of(r)->source, v, sizeof(v));
}

static inline void do_destination(struct wl_client *c, struct wl_resource *r, int32_t w, int32_t h)
{
    (void)c;
    of(r)->destination[0] = w;
    of(r)->destination[1] = h;
}

static const struct wp_viewport_interface double_viewport = {
    .destroy = do_destroy, .set_source = do_source, .set_destination = do_destination};

static inline void do_get_viewport(struct wl_client *c, struct wl_resource *r, uint32_t id, struct wl_resource *surface)
{
    (void)surface;
    make(c, &wp_viewport_interface, 1, id, &double_viewport, of(r));
}

static const struct wp_viewporter_interface double_viewporter = {.destroy = do_destroy,
                                                                 .get_viewport = do_get_viewport};

/* ---- globals and life */

static inline void bind_compositor(struct wl_client *c, void *data, uint32_t version, uint32_t id)
{
    make(c, &wl_compositor_interface, version, id, &double_compositor, data);
}

static inline void bind_wm(struct wl_client *c, void *data, uint32_t version, uint32_t id)
{
    ((struct wayland_double *)data)->wm = make(c, &xdg_wm_base_interface, version, id, &double_wm, data);
}

static inline void bind_viewporter(struct wl_client *c, void *data, uint32_t version, uint32_t id)
{
    make(c, &wp_viewporter_interface, version, id, &double_viewporter, data);
}

static inline void *double_main(void *arg)
{
    struct wayland_double *d = arg;

    while (!d->stop) {
        double_lock(d);
        wl_event_loop_dispatch(wl_display_get_event_loop(d->display), 0);
        double_unlock(d);
        usleep(500);
    }
    return NULL;
}

/* Starts it; the next wl_display_connect of this process is its client. */
static inline void double_start(struct wayland_double *d)
{
    char number[16];
    int s[2];

    pthread_mutex_init(&d->lock, NULL);
    d->display = wl_display_create();
    wl_display_init_shm(d->display);
    wl_global_create(d->display, &wl_compositor_interface, d->compositor_version ? d->compositor_version : 4, d,
                     bind_compositor);
    wl_global_create(d->display, &xdg_wm_base_interface, 2, d, bind_wm);
    wl_global_create(d->display, &wp_viewporter_interface, 1, d, bind_viewporter);
    wl_global_create(d->display, &wl_subcompositor_interface, 1, d, bind_subcompositor);
    wl_global_create(d->display, &wl_seat_interface, 5, d, bind_seat);
    if (d->dmabuf_version)
        wl_global_create(d->display, &zwp_linux_dmabuf_v1_interface, (int)d->dmabuf_version, d, bind_dmabuf);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s))
        abort();
    d->client = wl_client_create(d->display, s[0]);
    snprintf(number, sizeof(number), "%d", s[1]);
    setenv("WAYLAND_SOCKET", number, 1);
    if (pthread_create(&d->thread, NULL, double_main, d))
        abort();
}

static inline void double_stop(struct wayland_double *d)
{
    d->stop = true;
    pthread_join(d->thread, NULL);
    wl_display_destroy_clients(d->display);
    wl_display_destroy(d->display);
    pthread_mutex_destroy(&d->lock);
}

/* The compositor shows what it has. */
static inline void double_repaint(struct wayland_double *d)
{
    struct wl_resource *callback = d->callback;

    if (!callback)
        return;
    wl_callback_send_done(callback, 0);
    wl_resource_destroy(callback);
}

#endif
