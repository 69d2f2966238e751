/* Pictures to the compositor: when, in which way, and when the guest may go on. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "display/pixels.h"
#include "display/wayland_internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

#define HOLD_NS  NS_PER_S        /* so long a flip waits for a compositor that does not show the window */
#define QUIET_NS (NS_PER_S / 10) /* without a flip: from now on changes are looked for */

/* Rows [first, end) of the picture are to be drawn, and are old in our copies. */
static void changed(struct wayland *w, uint32_t first, uint32_t end)
{
    if (!w->end)
        w->first = first;
    w->first = GT_MIN(w->first, first);
    w->end = GT_MAX(w->end, end);
    for (unsigned i = 0; i < POOL; i++) {
        struct wbuffer *b = &w->pool[i];

        if (!b->end)
            b->first = first;
        b->first = GT_MIN(b->first, first);
        b->end = GT_MAX(b->end, end);
    }
}

void wpicture_redraw(struct wayland *w)
{
    w->first = 0;
    w->end = w->flip.height;
}

/* ---- the guest goes on */

static void answer(struct wayland *w, uint64_t now)
{
    uint32_t serial = w->unanswered;
    bool shown = w->committed && !w->callback && !(w->before && w->before->busy);

    if (!serial || (!shown && now < w->flipped + HOLD_NS))
        return;
    struct wbuffer *before = w->before;

    w->before = NULL;
    wbuffer_drop(before);
    w->unanswered = 0;
    w->events.shown(w->ctx, serial);
}

void wpicture_released(struct wayland *w, struct wbuffer *b)
{
    bool waited = b == w->before;

    answer(w, gt_clock_ns());
    if (!waited)
        wbuffer_drop(b);
}

static void on_frame(void *ctx, struct wl_callback *c, uint32_t ms)
{
    struct wayland *w = ctx;

    (void)ms;
    wl_callback_destroy(c);
    w->callback = NULL;
    answer(w, gt_clock_ns());
}

static const struct wl_callback_listener frame_listener = {.done = on_frame};

/* ---- a picture */

/* Brings a buffer of ours up to date. */
static void copy(struct wayland *w, struct wbuffer *b)
{
    struct viewer_frame *f = w->flip.frame;
    const uint32_t end = GT_MIN(b->end, b->size.height), first = GT_MIN(b->first, end);
    const struct damage_box box = {w->flip.x, w->flip.y + first, w->flip.x + w->flip.width, w->flip.y + end};
    uint8_t *to = b->map + (size_t)first * b->stride;

    if (first < end && f && viewer_map(f))
        w->stats.bytes_copied += pixels_copy(f, &box, true, to, b->stride);
    else if (first < end)
        memset(to, 0, (size_t)(end - first) * b->stride);
    b->first = b->end = 0;
}

/* The part of the buffer that is the picture, at the window's size. */
static void set_view(struct wayland *w, const struct wbuffer *b)
{
    const bool part = b->frame && b->frame->shared;
    const bool scaled = w->window.width != w->flip.width || w->window.height != w->flip.height;

    if (!w->viewport)
        return;
    if (part)
        wp_viewport_set_source(w->viewport, wl_fixed_from_int((int)w->flip.x), wl_fixed_from_int((int)w->flip.y),
                               wl_fixed_from_int((int)w->flip.width), wl_fixed_from_int((int)w->flip.height));
    else
        wp_viewport_set_source(w->viewport, wl_fixed_from_int(-1), wl_fixed_from_int(-1), wl_fixed_from_int(-1),
                               wl_fixed_from_int(-1));
    if (scaled)
        wp_viewport_set_destination(w->viewport, (int32_t)w->window.width, (int32_t)w->window.height);
    else
        wp_viewport_set_destination(w->viewport, -1, -1);
}

static void commit(struct wayland *w, struct wbuffer *b)
{
    const uint32_t y = b->frame && b->frame->shared ? w->flip.y : 0;
    struct wbuffer *old = w->shown;

    set_view(w, b);
    wl_surface_attach(w->surface, b->buffer, 0, 0);
    wl_surface_damage_buffer(w->surface, 0, (int32_t)(y + w->first), INT32_MAX, (int32_t)(w->end - w->first));
    if (w->callback)
        wl_callback_destroy(w->callback); /* of a window that nobody sees */
    w->callback = wl_surface_frame(w->surface);
    wl_callback_add_listener(w->callback, &frame_listener, w);
    wl_surface_commit(w->surface);
    b->busy = true;
    w->shown = b;
    w->first = w->end = 0;
    w->stats.commits++;
    if (old != b)
        wbuffer_drop(old);
}

/* False: not now. */
static bool draw(struct wayland *w)
{
    struct viewer_frame *f = w->flip.frame;
    bool wait = false;
    struct wbuffer *b = f ? wbuffer_of_frame(w, f, &wait) : NULL;

    if (wait)
        return false;
    bool own = !b;

    if (own && !(b = wbuffer_own(w)))
        return false;
    if (own)
        copy(w, b);
    if (!w->committed) {
        uint64_t *count = own ? &w->stats.copied : f->shared ? &w->stats.imported : &w->stats.passed;

        *count += f != NULL;
        /* The frame that was shown until now is free once the compositor is done with it. */
        if (w->shown && w->shown != b && !w->shown->own)
            w->before = w->shown;
    }
    commit(w, b);
    w->committed = true;
    return true;
}

void wpicture_flip(struct sink *s, const struct viewer_flip *f, uint64_t now)
{
    struct wayland *w = wayland_of(s);
    const struct size old = {w->flip.width, w->flip.height};
    struct wbuffer *before = w->before;

    w->flip = *f;
    if (!f->frame || f->width > SIDE_MAX || f->height > SIDE_MAX) {
        w->flip.frame = NULL; /* darkness has the size of what was there */
        w->flip.x = w->flip.y = 0;
        w->flip.width = old.width;
        w->flip.height = old.height;
    }
    w->before = NULL;
    wbuffer_drop(before);
    w->unanswered = f->serial;
    w->committed = false;
    w->flipped = now;
    damage_destroy(w->damage);
    w->damage = NULL;
    if (w->flip.width != old.width || w->flip.height != old.height)
        wwindow_follow(w);
    changed(w, 0, w->flip.height);
}

void wpicture_gone(struct sink *s, struct viewer_frame *f)
{
    struct wayland *w = wayland_of(s);
    struct wbuffer *b = f->user;

    if (w->flip.frame == f) {
        w->flip.frame = NULL;
        w->flip.x = w->flip.y = 0;
    }
    f->user = NULL;
    if (!b)
        return;
    b->frame = NULL; /* the compositor has a descriptor of its own: it may go on reading */
    wbuffer_drop(b);
}

/* ---- changes without a flip */

void wpicture_damage(struct sink *s, struct viewer_frame *f, uint32_t first, uint32_t end)
{
    struct wayland *w = wayland_of(s);

    if (w->flip.frame != f || end <= w->flip.y || first >= w->flip.y + w->flip.height)
        return;
    changed(w, GT_MAX(first, w->flip.y) - w->flip.y, GT_MIN(end - w->flip.y, w->flip.height));
}

static void on_change(void *ctx, const struct damage_box *box)
{
    struct wayland *w = ctx;

    changed(w, box->y - w->flip.y, box->y_end - w->flip.y);
}

static void scan(struct wayland *w)
{
    const struct damage_box all = {w->flip.x, w->flip.y, w->flip.x + w->flip.width, w->flip.y + w->flip.height};
    struct viewer_frame *f = w->flip.frame;

    w->stats.scans++;
    if (!f->shared) {
        w->events.refresh(w->ctx); /* gtmux-dm tells which rows: wpicture_damage */
        return;
    }
    if (!w->damage)
        w->damage = damage_create(f->bytes);
    if (!w->damage || !viewer_map(f))
        return;
    const struct damage_frame frame = pixels_damage_frame(f);

    damage_scan(w->damage, &frame, &all, on_change, w);
}

/* When to look again. */
static uint64_t look(struct wayland *w, uint64_t now)
{
    if (!w->flip.frame || w->callback || !w->committed)
        return UINT64_MAX;
    w->scan_at = GT_MAX(w->scan_at, w->flipped + QUIET_NS);
    if (now >= w->scan_at) {
        scan(w);
        w->scan_at = now + NS_PER_S / w->opt.fps;
    }
    return w->scan_at;
}

uint64_t wpicture_tick(struct wayland *w, uint64_t now)
{
    uint64_t next = look(w, now);

    /* One picture at a time; but a compositor that does not show the window must not stop the guest. */
    if (w->configured && w->end && (!w->callback || now >= w->drawn + HOLD_NS) && draw(w))
        w->drawn = now;
    answer(w, now);
    if (w->unanswered)
        next = GT_MIN(next, w->flipped + HOLD_NS);
    if (w->end && w->callback)
        next = GT_MIN(next, w->drawn + HOLD_NS);
    return next;
}
