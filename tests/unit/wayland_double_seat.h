/* A seat with a pointer, and subsurfaces, of the compositor that is a test double. */
#ifndef GTMUX_TESTS_WAYLAND_DOUBLE_SEAT_H
#define GTMUX_TESTS_WAYLAND_DOUBLE_SEAT_H

#include "wayland_double_state.h"

/* ---- seat */

static inline void do_set_cursor(struct wl_client *c, struct wl_resource *r, uint32_t serial,
                                 struct wl_resource *surface, int32_t x, int32_t y)
{
    (void)c, (void)r, (void)serial, (void)surface, (void)x, (void)y;
}

static const struct wl_pointer_interface double_pointer = {.set_cursor = do_set_cursor, .release = do_destroy};

static inline void on_pointer_gone(struct wl_resource *r)
{
    of(r)->pointer = NULL;
}

static inline void do_get_pointer(struct wl_client *c, struct wl_resource *r, uint32_t id)
{
    struct wl_resource *p = wl_resource_create(c, &wl_pointer_interface, wl_resource_get_version(r), id);

    wl_resource_set_implementation(p, &double_pointer, of(r), on_pointer_gone);
    of(r)->pointer = p;
}

static const struct wl_seat_interface double_seat = {.get_pointer = do_get_pointer, .release = do_destroy};

static inline void bind_seat(struct wl_client *c, void *data, uint32_t version, uint32_t id)
{
    struct wayland_double *d = data;

    d->seat = make(c, &wl_seat_interface, version, id, &double_seat, d);
    wl_seat_send_capabilities(d->seat, WL_SEAT_CAPABILITY_POINTER);
}

/* ---- subsurfaces: there is one */

static inline void do_set_position(struct wl_client *c, struct wl_resource *r, int32_t x, int32_t y)
{
    (void)c;
    of(r)->cursor[0] = x;
    of(r)->cursor[1] = y;
}

static inline void do_set_sync(struct wl_client *c, struct wl_resource *r)
{
    (void)c, (void)r;
}

static const struct wl_subsurface_interface double_subsurface = {
    .destroy = do_destroy, .set_position = do_set_position, .set_sync = do_set_sync, .set_desync = do_set_sync};

static inline void do_get_subsurface(struct wl_client *c, struct wl_resource *r, uint32_t id,
                                     struct wl_resource *surface, struct wl_resource *parent)
{
    (void)surface, (void)parent;
    make(c, &wl_subsurface_interface, 1, id, &double_subsurface, of(r));
}

static const struct wl_subcompositor_interface double_subcompositor = {.destroy = do_destroy,
                                                                       .get_subsurface = do_get_subsurface};

static inline void bind_subcompositor(struct wl_client *c, void *data, uint32_t version, uint32_t id)
{
    make(c, &wl_subcompositor_interface, version, id, &double_subcompositor, data);
}

#endif
