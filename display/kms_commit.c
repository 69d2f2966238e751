/* Commits: what shall be shown to what is shown. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "display/kms_internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"

#define FIXED(v) ((uint64_t)(v) << 16) /* source rectangles have 16 fraction bits */

static void add_plane(drmModeAtomicReq *req, const struct kms *k, const struct kms_plane *p,
                      const struct kms_picture *pic)
{
    const bool on = pic->buffer != NULL;
    const struct {
        uint32_t property;
        uint64_t value;
    } rows[] = {
        {p->fb, on ? pic->buffer->fb : 0},
        {p->crtc, on ? k->crtc : 0},
        {p->src_x, FIXED(pic->x)},
        {p->src_y, FIXED(pic->y)},
        {p->src_w, FIXED(pic->width)},
        {p->src_h, FIXED(pic->height)},
        {p->crtc_x, (uint64_t)(int64_t)pic->to_x},
        {p->crtc_y, (uint64_t)(int64_t)pic->to_y},
        {p->crtc_w, pic->to_width},
        {p->crtc_h, pic->to_height},
        {p->alpha, pic->alpha * 0x101},
        {p->blend, p->blend_value[pic->blend]},
    };

    for (unsigned i = 0; i < (on ? GT_ARRAY_SIZE(rows) : 2); i++)
        if (rows[i].property && rows[i].value != UINT64_MAX)
            drmModeAtomicAddProperty(req, p->id, rows[i].property, rows[i].value);
}

/* A plane that was never used may show what was left there. */
static void add_layers(drmModeAtomicReq *req, const struct kms *k)
{
    for (unsigned i = 0; i < k->noverlays; i++)
        if (k->want.layer[i].buffer || k->now.layer[i].buffer || k->modeset)
            add_plane(req, k, &k->overlay[i], &k->want.layer[i]);
}

static void add_mode(drmModeAtomicReq *req, const struct kms *k, bool on)
{
    drmModeAtomicAddProperty(req, k->connector, k->connector_crtc, on ? k->crtc : 0);
    drmModeAtomicAddProperty(req, k->crtc, k->crtc_mode, on ? k->mode_blob : 0);
    drmModeAtomicAddProperty(req, k->crtc, k->crtc_active, on);
}

int kms_submit(struct kms *k, bool cursor, uint32_t flags)
{
    drmModeAtomicReq *req = drmModeAtomicAlloc();

    if (!req)
        return -ENOMEM;
    if (k->modeset)
        add_mode(req, k, true);
    if (k->picture_dirty || k->modeset) {
        add_plane(req, k, &k->primary, &k->want.picture);
        add_layers(req, k);
    }
    if (cursor && k->cursor.id)
        add_plane(req, k, &k->cursor, &k->want.cursor);
    int ret = drmModeAtomicCommit(k->fd, req, flags | (k->modeset ? DRM_MODE_ATOMIC_ALLOW_MODESET : 0), k) ? -errno : 0;

    drmModeAtomicFree(req);
    return ret;
}

/* An event tells when it is on the screen. */
static int submit_flip(struct kms *k, bool cursor)
{
    return kms_submit(k, cursor, DRM_MODE_ATOMIC_NONBLOCK | DRM_MODE_PAGE_FLIP_EVENT);
}

void kms_tell_shown(struct kms *k, uint32_t serial)
{
    k->events.shown(k->ctx, serial);
}

/* A cursor that was imported may do as a copy of the size that the device wants; else there is none. */
static void cursor_fails(struct kms *k, int error)
{
    bool imported = k->want.cursor.buffer && !k->want.cursor.buffer->dumb;

    k->cursor_dirty = false;
    kms_picture_clear(k, &k->want.cursor);
    if (imported && !k->cursor_no_import) {
        k->cursor_no_import = true;
        return;
    }
    gt_warn("kms: %s does not show the guest's cursor: %s", k->name, strerror(-error));
    k->cursor.id = 0;
}

static void took_off(struct kms *k, bool cursor)
{
    k->stats.flips += k->picture_dirty;
    k->stats.cursor_moves += cursor;
    k->stats.modesets += k->modeset;
    k->flip_in_flight = k->picture_dirty;
    k->flying_serial = k->serial;
    for (unsigned i = 0; i < KMS_OVERLAYS && k->picture_dirty; i++)
        k->stats.layers += k->want.layer[i].buffer != NULL;
    kms_picture_set(k, &k->flying.picture, &k->want.picture);
    for (unsigned i = 0; i < KMS_OVERLAYS; i++)
        kms_picture_set(k, &k->flying.layer[i], &k->want.layer[i]);
    kms_picture_set(k, &k->flying.cursor, cursor ? &k->want.cursor : &k->now.cursor);
    k->picture_dirty = k->modeset = false;
    k->cursor_dirty &= !cursor;
    k->busy = true;
}

int kms_commit(struct kms *k)
{
    /* The kernel takes no commit that changes nothing on any CRTC and asks for an event. */
    if (!k->busy && !k->want.cursor.buffer && !k->now.cursor.buffer)
        k->cursor_dirty = false;
    bool cursor = k->cursor_dirty;

    if (k->busy || !k->lit || (!k->picture_dirty && !cursor))
        return 0;
    int ret = submit_flip(k, cursor);

    if (ret && ret != -EBUSY && cursor) {
        if (!k->picture_dirty) {
            cursor_fails(k, ret);
            return 0;
        }
        cursor = false; /* it will be tried alone */
        ret = submit_flip(k, false);
    }
    if (!ret)
        took_off(k, cursor);
    return ret;
}

static void on_flip_event(int fd, unsigned sequence, unsigned seconds, unsigned us, unsigned crtc, void *ctx)
{
    struct kms *k = ctx;

    (void)fd;
    (void)sequence;
    (void)seconds;
    (void)us;
    (void)crtc;
    k->busy = false;
    kms_screen_clear(k, &k->now);
    k->now = k->flying; /* and its references */
    k->flying = (struct kms_screen){0};
    if (k->flip_in_flight) {
        k->flip_in_flight = false;
        kms_tell_shown(k, k->flying_serial);
    }
}

int kms_handle_events(struct kms *k)
{
    drmEventContext events = {.version = 3, .page_flip_handler2 = on_flip_event};

    if (drmHandleEvent(k->fd, &events))
        return errno == EAGAIN ? 0 : -EIO;
    (void)kms_commit(k); /* what came in the meantime; refresh tries again if it must */
    return 0;
}

void kms_settle(struct kms *k)
{
    for (unsigned i = 0; k->busy && i < 20; i++) {
        struct pollfd p = {.fd = k->fd, .events = POLLIN};

        if (poll(&p, 1, 100) > 0)
            kms_handle_events(k);
    }
}

void kms_go_dark(struct kms *k)
{
    drmModeAtomicReq *req;

    kms_settle(k);
    kms_screen_clear(k, &k->want);
    req = k->lit ? drmModeAtomicAlloc() : NULL;
    if (req) {
        add_plane(req, k, &k->primary, &k->want.picture);
        add_layers(req, k);
        if (k->cursor.id)
            add_plane(req, k, &k->cursor, &k->want.cursor);
        add_mode(req, k, false);
        if (drmModeAtomicCommit(k->fd, req, DRM_MODE_ATOMIC_ALLOW_MODESET, NULL))
            gt_warn("kms: %s cannot be switched off: %s", k->name, strerror(errno));
        drmModeAtomicFree(req);
    }
    k->lit = k->picture_dirty = k->cursor_dirty = false;
    k->source = NULL;
    kms_screen_clear(k, &k->now);
}
