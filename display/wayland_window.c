/* The window: its size, its states, and the mode that its user wants by them. */
#include <errno.h>

#include "display/wayland_internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

static struct size picture(const struct wayland *w)
{
    return (struct size){w->flip.width, w->flip.height};
}

/* The surface's size: without scaling it is the picture's. */
static void set_size(struct wayland *w, struct size s)
{
    if (!w->viewport)
        s = picture(w);
    if (s.width == w->window.width && s.height == w->window.height)
        return;
    w->window = s;
    wpicture_redraw(w);
    wcursor_place(w);
}

/* A window that may be smaller than its room keeps the picture's shape, once no better picture is to be expected. */
static void fill_room(struct wayland *w)
{
    if (!w->room.width || !w->room.height)
        set_size(w, picture(w));
    else if (w->opt.fixed && (w->floating || w->is_fullscreen))
        set_size(w, size_fit(picture(w), w->room));
    else
        set_size(w, w->room);
}

void wwindow_follow(struct wayland *w)
{
    /* The guest has changed its mode, and not because an edge is being dragged: the window goes along where it may. */
    if (w->floating && !w->resizing)
        w->room = (struct size){0, 0};
    fill_room(w);
    wcursor_place(w); /* also in a window that stays as large: the scale is another one */
}

uint64_t wwindow_tick(struct wayland *w, uint64_t now)
{
    struct size ask;

    if (resize_due(&w->resize, picture(w), now, &ask)) {
        w->stats.resizes++;
        w->events.resize(w->ctx, ask.width, ask.height);
    }
    return w->resize.at ? w->resize.at : UINT64_MAX;
}

/* ---- what the compositor says */

static void on_ping(void *ctx, struct xdg_wm_base *wm, uint32_t serial)
{
    (void)ctx;
    xdg_wm_base_pong(wm, serial);
}

const struct xdg_wm_base_listener wwindow_wm_listener = {.ping = on_ping};

static void on_toplevel_configure(void *ctx, struct xdg_toplevel *t, int32_t width, int32_t height,
                                  struct wl_array *states)
{
    struct wayland *w = ctx;
    const uint32_t *state;

    (void)t;
    w->next.size = (struct size){width > 0 ? (uint32_t)width : 0, height > 0 ? (uint32_t)height : 0};
    w->next.floating = true;
    w->next.resizing = w->next.fullscreen = false;
    wl_array_for_each(state, states)
    {
        switch (*state) {
        case XDG_TOPLEVEL_STATE_RESIZING:
            w->next.resizing = true;
            break;
        case XDG_TOPLEVEL_STATE_FULLSCREEN:
            w->next.fullscreen = true;
            w->next.floating = false;
            break;
        case XDG_TOPLEVEL_STATE_MAXIMIZED:
        case XDG_TOPLEVEL_STATE_TILED_LEFT:
        case XDG_TOPLEVEL_STATE_TILED_RIGHT:
        case XDG_TOPLEVEL_STATE_TILED_TOP:
        case XDG_TOPLEVEL_STATE_TILED_BOTTOM:
            w->next.floating = false;
            break;
        default:
            break;
        }
    }
}

static void on_toplevel_close(void *ctx, struct xdg_toplevel *t)
{
    (void)t;
    ((struct wayland *)ctx)->closed = true;
}

static const struct xdg_toplevel_listener toplevel_listener = {.configure = on_toplevel_configure,
                                                               .close = on_toplevel_close};

static void on_configure(void *ctx, struct xdg_surface *s, uint32_t serial)
{
    struct wayland *w = ctx;
    const struct resize_limits limits = {w->opt.min_side, w->opt.max_width, w->opt.max_height};
    const struct size size = w->next.size;

    xdg_surface_ack_configure(s, serial);
    w->floating = w->next.floating;
    w->resizing = w->next.resizing;
    w->is_fullscreen = w->next.fullscreen;
    w->room = size;
    fill_room(w);
    if (size.width && size.height && !w->opt.fixed)
        resize_want(&w->resize, &limits, size, gt_clock_ns());
    w->configured = true;
    wpicture_redraw(w); /* the answer to a configure is a commit */
}

static const struct xdg_surface_listener surface_listener = {.configure = on_configure};

/* ---- life */

int wwindow_open(struct wayland *w)
{
    w->surface = wl_compositor_create_surface(w->compositor);
    w->xdg = w->surface ? xdg_wm_base_get_xdg_surface(w->wm, w->surface) : NULL;
    w->toplevel = w->xdg ? xdg_surface_get_toplevel(w->xdg) : NULL;
    if (!w->toplevel)
        return -ENOMEM;
    xdg_surface_add_listener(w->xdg, &surface_listener, w);
    xdg_toplevel_add_listener(w->toplevel, &toplevel_listener, w);
    xdg_toplevel_set_title(w->toplevel, w->opt.title);
    xdg_toplevel_set_app_id(w->toplevel, "gtmux");
    if (w->opt.fullscreen)
        xdg_toplevel_set_fullscreen(w->toplevel, NULL);
    if (w->viewporter)
        w->viewport = wp_viewporter_get_viewport(w->viewporter, w->surface);
    if (w->decorations) {
        w->decoration = zxdg_decoration_manager_v1_get_toplevel_decoration(w->decorations, w->toplevel);
        zxdg_toplevel_decoration_v1_set_mode(w->decoration, ZXDG_TOPLEVEL_DECORATION_V1_MODE_SERVER_SIDE);
    }
    w->window = picture(w);
    wl_surface_commit(w->surface); /* without a buffer: asks to be configured */
    return 0;
}

void wwindow_close(struct wayland *w)
{
    if (w->callback)
        wl_callback_destroy(w->callback);
    if (w->decoration)
        zxdg_toplevel_decoration_v1_destroy(w->decoration);
    if (w->viewport)
        wp_viewport_destroy(w->viewport);
    if (w->toplevel)
        xdg_toplevel_destroy(w->toplevel);
    if (w->xdg)
        xdg_surface_destroy(w->xdg);
    if (w->surface)
        wl_surface_destroy(w->surface);
}
