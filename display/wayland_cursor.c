/* The guest's cursor, which is no part of its picture. */
#include <errno.h>

#include "display/wayland_internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

#define ARROW_SIZE 24
#define SETTLE_NS  UINT64_C(150000000) /* so long after a motion the guest's cursor has followed */

/* True while the pointer over the window moves the guest's cursor. */
static bool is_pointer(const struct wayland *w)
{
    return w->opt.input && w->input.inside && w->cursor.buffer;
}

static void show(struct wl_surface *s, struct wl_buffer *b)
{
    wl_surface_attach(s, b, 0, 0);
    wl_surface_damage_buffer(s, 0, 0, INT32_MAX, INT32_MAX);
    wl_surface_commit(s);
}

static void show_arrow(struct wayland *w)
{
    struct wl_cursor_image *image = w->cursor.arrow ? w->cursor.arrow->images[0] : NULL;

    if (!image) {
        wl_pointer_set_cursor(w->input.pointer, w->input.enter_serial, NULL, 0, 0);
        return;
    }
    wl_pointer_set_cursor(w->input.pointer, w->input.enter_serial, w->cursor.instead, (int32_t)image->hotspot_x,
                          (int32_t)image->hotspot_y);
    show(w->cursor.instead, wl_cursor_image_get_buffer(image));
}

static void show_as_pointer(struct wayland *w)
{
    struct wcursor *c = &w->cursor;

    wl_pointer_set_cursor(w->input.pointer, w->input.enter_serial, c->instead, c->hot_x, c->hot_y);
    show(c->instead, c->buffer);
}

void wcursor_choose(struct wayland *w)
{
    struct wcursor *c = &w->cursor;
    bool pointer = is_pointer(w);

    if (c->over)
        show(c->over, pointer ? NULL : c->buffer);
    if (pointer)
        show_as_pointer(w);
    else if (w->input.inside)
        show_arrow(w);
}

/* A subsurface takes its place when its parent is committed. */
void wcursor_place(struct wayland *w)
{
    struct wcursor *c = &w->cursor;

    if (!c->sub || !c->buffer || !w->shown)
        return;
    wl_subsurface_set_position(c->sub, (int32_t)((int64_t)c->x * w->window.width / w->flip.width),
                               (int32_t)((int64_t)c->y * w->window.height / w->flip.height));
    if (c->viewport) {
        wp_viewport_set_destination(c->viewport,
                                    (int32_t)GT_MAX((uint64_t)c->size.width * w->window.width / w->flip.width, 1u),
                                    (int32_t)GT_MAX((uint64_t)c->size.height * w->window.height / w->flip.height, 1u));
        wl_surface_commit(c->over);
    }
    wl_surface_commit(w->surface);
}

void wcursor_moved(struct wayland *w, uint64_t now)
{
    w->cursor.settle_at = now + SETTLE_NS;
}

/* The guest does not tell which pixel of its cursor points. Once both are still, it is the one under the pointer. */
uint64_t wcursor_tick(struct wayland *w, uint64_t now)
{
    struct wcursor *c = &w->cursor;

    if (!c->settle_at || !is_pointer(w))
        return UINT64_MAX;
    if (now < c->settle_at)
        return c->settle_at;
    c->settle_at = 0;
    int64_t x = (int64_t)w->input.x - c->x, y = (int64_t)w->input.y - c->y;

    if (x < 0 || y < 0 || x >= c->size.width || y >= c->size.height || (x == c->hot_x && y == c->hot_y))
        return UINT64_MAX;
    c->hot_x = (int32_t)x;
    c->hot_y = (int32_t)y;
    show_as_pointer(w);
    return UINT64_MAX;
}

/* Takes a copy of the pixels. True: they are others. */
static bool take_pixels(struct wayland *w, const struct viewer_cursor *now)
{
    struct wcursor *c = &w->cursor;
    const uint8_t *from =
        now->frame && now->width <= CURSOR_SIDE && now->height <= CURSOR_SIDE ? viewer_map(now->frame) : NULL;
    uint64_t sum = from ? damage_sum(from, (size_t)now->frame->stride * now->height) : 0;
    struct wl_buffer *old = c->buffer;

    if (from && old && sum == c->sum && c->size.width == now->width && c->size.height == now->height)
        return false;
    c->size = (struct size){now->width, now->height};
    c->sum = sum;
    c->buffer = from ? wbuffer_of_pixels(w, from, now->frame->stride, c->size) : NULL;
    if (!old && !c->buffer)
        return false;
    wcursor_choose(w); /* before the old one goes: a surface may lose what its buffer had */
    if (old)
        wl_buffer_destroy(old);
    return true;
}

void wcursor_show(struct sink *s, const struct viewer_cursor *now)
{
    struct wayland *w = wayland_of(s);
    struct wcursor *c = &w->cursor;
    bool moved = now->frame && (now->x != c->x || now->y != c->y);

    if (now->frame) {
        c->x = now->x;
        c->y = now->y;
    }
    bool other = take_pixels(w, now);

    if (other || (moved && !is_pointer(w)))
        wcursor_place(w);
    if (is_pointer(w))
        wcursor_moved(w, gt_clock_ns());
}

int wcursor_open(struct wayland *w)
{
    struct wcursor *c = &w->cursor;
    struct wl_region *nothing = wl_compositor_create_region(w->compositor);

    c->over = w->subcompositor ? wl_compositor_create_surface(w->compositor) : NULL;
    c->instead = wl_compositor_create_surface(w->compositor);
    if (!nothing || !c->instead)
        return -ENOMEM;
    if (c->over) {
        c->sub = wl_subcompositor_get_subsurface(w->subcompositor, c->over, w->surface);
        wl_subsurface_set_desync(c->sub);
        wl_surface_set_input_region(c->over, nothing); /* the pointer is the window's */
        c->viewport = w->viewporter ? wp_viewporter_get_viewport(w->viewporter, c->over) : NULL;
    }
    wl_region_destroy(nothing);
    c->theme = wl_cursor_theme_load(NULL, ARROW_SIZE, w->shm);
    c->arrow = c->theme ? wl_cursor_theme_get_cursor(c->theme, "left_ptr") : NULL;
    return 0;
}

void wcursor_close(struct wayland *w)
{
    struct wcursor *c = &w->cursor;

    if (c->viewport)
        wp_viewport_destroy(c->viewport);
    if (c->sub)
        wl_subsurface_destroy(c->sub);
    if (c->over)
        wl_surface_destroy(c->over);
    if (c->instead)
        wl_surface_destroy(c->instead);
    if (c->buffer)
        wl_buffer_destroy(c->buffer);
    if (c->theme)
        wl_cursor_theme_destroy(c->theme);
}
