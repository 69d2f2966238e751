/* From what a head scans out to the frames that viewers get. */
#include <string.h>

#include "display/server_internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

/* Takes the cursor out of the planes, where it is one that viewers can show as such: the topmost plane, as it is. */
static bool take_cursor(struct vgpu_scanout *sc, struct vgpu_surface *out)
{
    const struct vgpu_surface *top = sc->nplanes ? &sc->plane[sc->nplanes - 1] : NULL;

    memset(out, 0, sizeof(*out));
    if (!top || top->kind != VGPU_PLANE_CURSOR || top->format != VGPU_FMT_ARGB8888 || top->tiling != VGPU_LINEAR ||
        top->rotation || top->dst_width || top->alpha_straight || top->fade)
        return false;
    *out = *top;
    sc->nplanes--;
    return true;
}

/* The same picture: what may differ are frame counter, refresh and palette entries of no use. */
static bool same_picture(const struct vgpu_scanout *a, const struct vgpu_scanout *b)
{
    return a->width == b->width && a->height == b->height && a->nplanes == b->nplanes &&
           a->bottom_color == b->bottom_color && !memcmp(a->plane, b->plane, sizeof(a->plane[0]) * a->nplanes) &&
           !memcmp(a->palette, b->palette, sizeof(a->palette));
}

void head_next_serial(struct head *h)
{
    h->serial = h->serial == UINT32_MAX ? 1 : h->serial + 1;
}

/* Takes over the references of `from`. */
static void set_picture(struct display_server *s, struct head *h, struct picture *to, const struct picture *from)
{
    struct picture old = *to;

    if (memcmp(to, from, sizeof(*to)) != 0)
        head_next_serial(h);
    memcpy(to, from, sizeof(*to));
    picture_clear(s, &old);
}

static void set_frame(struct display_server *s, struct head *h, struct frame *f, uint32_t x, uint32_t y)
{
    struct picture p;

    memset(&p, 0, sizeof(p)); /* it is compared as bytes */
    p.frame = f;
    p.x = x;
    p.y = y;
    set_picture(s, h, &h->flat, &p);
    if (!h->serial)
        head_next_serial(h);
}

/* What viewers of a head want. */
struct wish {
    bool flat, apart;
};

static struct wish head_wish(const struct display_server *s, unsigned head, uint64_t arrangement)
{
    struct wish w = {0};

    for (unsigned i = 0; i < DISPLAY_VIEWERS; i++) {
        const struct viewer *v = &s->viewer[i];

        if (v->fd < 0 || !v->attached || v->head != head)
            continue;
        const bool apart = v->layers && v->refused != arrangement;

        w.apart |= apart;
        w.flat |= !apart;
    }
    return w;
}

/* False: no frame could be made; the old one stays. */
static bool look_at_flat(struct display_server *s, struct head *h, const struct vgpu_scanout *sc)
{
    const bool direct = sc->nplanes == 1 && surface_is_direct(sc, &sc->plane[0]),
               same = h->flat.frame && h->direct == direct && same_picture(sc, &h->scanout);
    uint32_t x = 0, y = 0;
    struct frame *f = direct ? frames_share(&s->frames, &sc->plane[0], true, &x, &y) : NULL;

    if (!f && same && h->flat.frame->kind != FRAME_SHARED)
        return true; /* the copy that is there does; REFRESH keeps it up to date */
    if (!f)
        f = direct ? frames_copy(&s->frames, &sc->plane[0], true) : frames_compose(&s->frames, sc);
    if (!f)
        return false;
    if (f->kind != FRAME_SHARED)
        x = y = 0;
    h->direct = direct;
    set_frame(s, h, f, x, y);
    return true;
}

/* Makes what viewers want of it; the flat picture also where planes cannot be told apart. False: no frame could be
 * made; the old one stays. */
static bool look_at_picture(struct display_server *s, unsigned head, const struct vgpu_scanout *sc)
{
    struct head *h = &s->head[head];
    const uint32_t serial = h->serial;
    const bool lit = h->flat.frame || h->apart.frame;

    h->arrangement = layers_arrangement(sc);
    const struct wish wish = head_wish(s, head, h->arrangement);
    struct picture apart;
    const bool has_apart = wish.apart && layers_possible(sc) && layers_share(s, sc, &apart);

    if (!has_apart)
        memset(&apart, 0, sizeof(apart));
    set_picture(s, h, &h->apart, &apart);
    if (has_apart && !wish.flat)
        picture_clear(s, &h->flat);
    else if (!look_at_flat(s, h, sc))
        return false;
    if (lit && (h->scanout.width != sc->width || h->scanout.height != sc->height || h->scanout.mhz != sc->mhz))
        head_next_serial(h);
    h->scanout = *sc;
    h->flip = sc->flip;
    if (h->serial != serial)
        h->picture_ns = sc->flip_ns ? sc->flip_ns : h->changed_ns;
    return true;
}

static void tell_damage(struct display_server *s, struct frame *f, const struct frame_damage *d)
{
    for (unsigned i = 0; d->first != d->end && i < DISPLAY_VIEWERS; i++)
        viewer_damage(s, &s->viewer[i], f, d);
}

static void look_at_cursor(struct display_server *s, struct head *h, const struct vgpu_surface *c)
{
    struct vgpu_surface here = *c, before = h->cursor_surface;
    struct cursor now = {.x = c->dst_x, .y = c->dst_y, .width = c->width, .height = c->height};
    struct frame_damage d;

    here.dst_x = here.dst_y = before.dst_x = before.dst_y = 0;
    now.frame = frames_share(&s->frames, c, false, &now.src_x, &now.src_y);
    if (!now.frame && h->cursor.frame && h->cursor.frame->kind == FRAME_COPIED &&
        !memcmp(&here, &before, sizeof(here))) {
        now.frame = h->cursor.frame;
        frame_ref(now.frame);
        frames_refresh_plane(&s->frames, now.frame, c, &d);
        tell_damage(s, now.frame, &d);
    }
    if (!now.frame)
        now.frame = frames_copy(&s->frames, c, false);
    h->cursor_surface = *c;
    frame_unref(&s->frames, h->cursor.frame);
    h->cursor = now;
}

static void look_at_dark(struct display_server *s, struct head *h)
{
    struct picture none;

    memset(&none, 0, sizeof(none));
    h->picture_ns = h->changed_ns;
    set_picture(s, h, &h->apart, &none);
    set_frame(s, h, NULL, 0, 0);
    frame_unref(&s->frames, h->cursor.frame);
    h->cursor = (struct cursor){0};
}

void head_look(struct display_server *s, unsigned head, uint64_t now)
{
    struct head *h = &s->head[head];
    struct vgpu_surface cursor;
    struct vgpu_scanout sc;
    bool done = true;

    h->lit = s->host->scanout(s->host->ctx, head, &sc);
    if (!h->lit) {
        look_at_dark(s, h);
    } else {
        bool has_cursor = take_cursor(&sc, &cursor);

        done = look_at_picture(s, head, &sc);
        if (has_cursor) {
            look_at_cursor(s, h, &cursor);
        } else {
            frame_unref(&s->frames, h->cursor.frame);
            h->cursor = (struct cursor){0};
        }
    }
    s->stats.missed += !done;
    h->dirty = !done;
    h->look_at = now + (done ? LOOK_EVERY_NS : RETRY_NS);
    h->check_at = now + CHECK_EVERY_NS;
}

void head_refresh(struct display_server *s, unsigned head, uint64_t now)
{
    struct head *h = &s->head[head];
    struct frame_damage d = {0};

    h->refresh = false;
    h->refresh_at = now + REFRESH_EVERY_NS;
    if (!h->flat.frame || h->flat.frame->kind == FRAME_SHARED)
        return;
    const uint64_t start = gt_clock_ns();

    if (h->flat.frame->kind == FRAME_COPIED)
        frames_refresh_plane(&s->frames, h->flat.frame, &h->scanout.plane[0], &d);
    else
        frames_refresh_composed(&s->frames, h->flat.frame, &h->scanout, &d);
    h->refresh_at = now + GT_MAX(REFRESH_EVERY_NS, REFRESH_SHARE * (gt_clock_ns() - start));
    tell_damage(s, h->flat.frame, &d);
}

bool head_has_frames(const struct head *h)
{
    return h->flat.frame || h->apart.frame || h->cursor.frame;
}

void head_drop(struct display_server *s, unsigned head)
{
    struct head *h = &s->head[head];

    picture_clear(s, &h->flat);
    picture_clear(s, &h->apart);
    frame_unref(&s->frames, h->cursor.frame);
    *h = (struct head){.dirty = true,
                       .changed_ns = h->changed_ns,
                       .serial = h->serial,
                       .flip = h->flip,
                       .flip_told = h->flip_told,
                       .flips_wait = h->flips_wait};
}
