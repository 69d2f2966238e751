/* What the compositor that is a test double knows (wayland_double.h). */
#ifndef GTMUX_TESTS_WAYLAND_DOUBLE_STATE_H
#define GTMUX_TESTS_WAYLAND_DOUBLE_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux-dmabuf-server-protocol.h>
#include <viewporter-server-protocol.h>
#include <wayland-server.h>
#include <xdg-shell-server-protocol.h>

struct double_format {
    uint32_t fourcc, padding;
    uint64_t modifier;
};

struct wayland_double {
    struct wl_display *display;
    struct wl_client *client;
    pthread_t thread;
    pthread_mutex_t lock;
    atomic_bool stop;

    /* as the test wants it */
    int compositor_version;  /* 0: 4 */
    unsigned dmabuf_version; /* 0: none */
    struct double_format formats[4];
    unsigned nformats;
    bool refuse; /* imports fail */

    /* the window */
    struct wl_resource *surface, *wm, *xdg, *toplevel, *pending, *current, *callback, *params;
    bool has_pending, configured;
    unsigned commits, pings /* answered */, imports, buffers_destroyed;
    int32_t damage[4], source[4], destination[2]; /* source in pixels */
    struct stat memory;                           /* of the descriptor imported last */
    uint32_t stride, fourcc, width, height;
    uint64_t modifier;

    struct wl_resource *seat, *pointer;
    int32_t cursor[2]; /* place of the subsurface */
};

static inline struct wayland_double *of(struct wl_resource *r)
{
    return wl_resource_get_user_data(r);
}

static inline void double_lock(struct wayland_double *d)
{
    pthread_mutex_lock(&d->lock);
}

static inline void double_unlock(struct wayland_double *d)
{
    wl_display_flush_clients(d->display);
    pthread_mutex_unlock(&d->lock);
}

static inline void do_destroy(struct wl_client *c, struct wl_resource *r)
{
    (void)c;
    wl_resource_destroy(r);
}

static inline struct wl_resource *make(struct wl_client *c, const struct wl_interface *i, uint32_t version, uint32_t id,
                                       const void *implementation, void *data)
{
    struct wl_resource *r = wl_resource_create(c, i, (int)version, id);

    wl_resource_set_implementation(r, implementation, data, NULL);
    return r;
}

#endif
