#include "display/kms.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "display/kms_internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"

#define FIXED(v)   ((uint64_t)(v) << 16) /* source rectangles have 16 fraction bits */
#define REFRESH_NS UINT64_C(33000000)    /* between looks for changes in a picture that is a copy */

static struct kms *kms_of(struct sink *s)
{
    return (struct kms *)s; /* its first member */
}

/* ---- commits */

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

/* The commit of all that is to be changed. 0 or -errno. */
static int submit(struct kms *k, bool cursor, uint32_t flags)
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
    return submit(k, cursor, DRM_MODE_ATOMIC_NONBLOCK | DRM_MODE_PAGE_FLIP_EVENT);
}

static void tell_shown(struct kms *k, uint32_t serial)
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

/* Starts a commit, unless one is under way or nothing has changed. 0; -EBUSY: somebody else's commit is under way, try
 * again; -errno: the picture cannot be shown. */
static int commit(struct kms *k)
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
        tell_shown(k, k->flying_serial);
    }
}

static int handle_events(struct kms *k)
{
    drmEventContext events = {.version = 3, .page_flip_handler2 = on_flip_event};

    if (drmHandleEvent(k->fd, &events))
        return errno == EAGAIN ? 0 : -EIO;
    (void)commit(k); /* what came in the meantime; refresh tries again if it must */
    return 0;
}

/* ---- what is to be shown */

/* Waits for the commit under way, at most some frames. */
static void settle(struct kms *k)
{
    for (unsigned i = 0; k->busy && i < 20; i++) {
        struct pollfd p = {.fd = k->fd, .events = POLLIN};

        if (poll(&p, 1, 100) > 0)
            handle_events(k);
    }
}

static void go_dark(struct kms *k)
{
    drmModeAtomicReq *req;

    settle(k);
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

/* Prepares the mode for the flip where it is another one. 0 or -errno. */
static int prepare_mode(struct kms *k, const struct viewer_flip *f)
{
    drmModeModeInfo mode;
    uint32_t blob;

    if (k->lit && k->mode_width == f->width && k->mode_height == f->height && k->mode_mhz == f->mhz)
        return 0;
    if (f->width > UINT16_MAX / 2 || f->height > UINT16_MAX / 2)
        return -EINVAL;
    kms_pick_mode(k, f->width, f->height, f->mhz, &mode);
    if (drmModeCreatePropertyBlob(k->fd, &mode, sizeof(mode), &blob))
        return -errno;
    if (k->mode_blob)
        drmModeDestroyPropertyBlob(k->fd, k->mode_blob);
    k->mode_blob = blob;
    k->mode_width = f->width;
    k->mode_height = f->height;
    k->mode_mhz = f->mhz;
    k->modeset = true;
    return 0;
}

/* Finds or makes the framebuffer. 0 or -errno. */
static int prepare_picture(struct kms *k, const struct viewer_flip *f)
{
    struct kms_picture p = {.buffer = kms_import(k, f->frame, &k->primary),
                            .width = f->width,
                            .height = f->height,
                            .to_width = f->width,
                            .to_height = f->height,
                            .alpha = DISPLAY_ALPHA_MAX};

    if (p.buffer) {
        p.x = f->x;
        p.y = f->y;
        k->source = NULL;
    } else {
        p.buffer = kms_copy(k, f);
    }
    if (!p.buffer)
        return errno ? -errno : -EIO;
    kms_picture_set(k, &k->want.picture, &p);
    k->picture_dirty = true;
    return 0;
}

/* The mode that is set, if one is, is not the one that k->mode_blob has: the next picture sets its own. */
static void forget_mode(struct kms *k)
{
    k->mode_width = k->mode_height = 0;
    k->modeset = false;
}

/* What is shown stays until the next flip. */
static void keep_screen(struct kms *k)
{
    kms_picture_set(k, &k->want.picture, &k->now.picture);
    for (unsigned i = 0; i < KMS_OVERLAYS; i++)
        kms_picture_set(k, &k->want.layer[i], &k->now.layer[i]);
    k->source = NULL;
    k->picture_dirty = false;
    if (k->modeset)
        forget_mode(k);
}

static void cannot_show(struct kms *k, const struct viewer_flip *f, int error)
{
    char text[sizeof(k->told)];

    snprintf(text, sizeof(text),
             "%s cannot show %ux%u at %u.%u Hz: %s. Give the guest another mode: gtmux head NAME N mode=...", k->name,
             f->width, f->height, f->mhz / 1000, f->mhz % 1000 / 100, strerror(-error));
    if (strcmp(text, k->told) != 0)
        gt_warn("kms: %s", text);
    memcpy(k->told, text, sizeof(text));
    keep_screen(k);
    forget_mode(k);
    tell_shown(k, f->serial);
}

/* Does the device take the layers, with all else that the next commit changes? */
static bool takes_layers(struct kms *k, const struct viewer_flip *f)
{
    return kms_prepare_layers(k, f) && (!f->nlayers || !submit(k, false, DRM_MODE_ATOMIC_TEST_ONLY));
}

/* A composed one will come. */
static void refuse(struct kms *k, uint32_t serial, unsigned turn)
{
    keep_screen(k);
    k->turn = turn;
    k->stats.refused++;
    k->events.compose(k->ctx, serial);
}

static void flip(struct sink *s, const struct viewer_flip *f, uint64_t now)
{
    struct kms *k = kms_of(s);

    k->frame = f->frame;
    k->refresh_at = now + REFRESH_NS;
    k->serial = f->serial;
    if (!f->frame) {
        go_dark(k);
        tell_shown(k, f->serial);
        return;
    }
    settle(k); /* of the cursor; a flip never comes before the last one is shown */
    const unsigned turn = k->turn;
    const bool lit = k->lit;
    int ret = prepare_mode(k, f);

    if (!ret)
        ret = prepare_picture(k, f);
    if (!ret && !takes_layers(k, f)) {
        refuse(k, f->serial, turn);
        return;
    }
    if (!ret) {
        k->lit = true;
        ret = commit(k);
    }
    if (ret && ret != -EBUSY) {
        k->lit = lit; /* a commit that fails changes nothing */
        k->turn = turn;
        cannot_show(k, f, ret);
    } else {
        k->told[0] = 0;
    }
}

static void show_cursor(struct sink *s, const struct viewer_cursor *c)
{
    struct kms *k = kms_of(s);
    struct kms_picture p = {.width = c->width,
                            .height = c->height,
                            .to_x = c->x,
                            .to_y = c->y,
                            .blend = DISPLAY_PREMULTIPLIED,
                            .alpha = DISPLAY_ALPHA_MAX};

    if (!k->cursor.id)
        return;
    if (c->frame) {
        p.buffer = k->cursor_no_import ? NULL : kms_import(k, c->frame, &k->cursor);
        if (!p.buffer && (p.buffer = kms_copy_cursor(k, c))) {
            p.width = p.buffer->width;
            p.height = p.buffer->height;
        }
    }
    p.to_width = p.width;
    p.to_height = p.height;
    kms_picture_set(k, &k->want.cursor, &p);
    k->cursor_dirty = true;
    (void)commit(k);
}

/* What is under way is answered or forgotten, the cursor goes, the picture stays until the next flip. */
static void next_guest(struct sink *s)
{
    struct kms *k = kms_of(s);

    settle(k);
    k->flip_in_flight = false; /* the device does not answer */
    keep_screen(k);
    show_cursor(s, &(struct viewer_cursor){0});
}

/* The frame stays on the screen until the next one is there. */
static void gone(struct sink *s, struct viewer_frame *f)
{
    struct kms *k = kms_of(s);

    if (k->frame == f)
        k->frame = NULL;
    if (k->source == f)
        k->source = NULL;
    if (k->cursor_source == f)
        k->cursor_source = NULL;
    kms_buffer_put(k, f->user);
    f->user = NULL;
}

/* Copies what has changed since the last time. */
static void refresh(struct kms *k)
{
    (void)commit(k); /* what somebody else's commit was in the way of */
    if (k->source && !k->busy && !k->picture_dirty && k->now.picture.buffer)
        kms_copy_changes(k, k->now.picture.buffer);
}

/* An imported picture follows the guest's memory by itself, copies only when somebody looks: we at shared frames,
 * gtmux-dm at those that it copies. */
static uint64_t tick(struct sink *s, uint64_t now)
{
    struct kms *k = kms_of(s);

    if (!k->source && !k->picture_dirty && !k->cursor_dirty)
        return UINT64_MAX;
    if (now < k->refresh_at)
        return k->refresh_at;
    if (k->frame && !k->frame->shared)
        k->events.refresh(k->ctx);
    refresh(k);
    return k->refresh_at = now + REFRESH_NS;
}

/* ---- life */

/* Shows what was there before. */
static void close_monitor(struct sink *s)
{
    struct kms *k = kms_of(s);

    if (k->master) {
        settle(k);
        kms_restore(k);
    }
    kms_screen_clear(k, &k->want);
    kms_screen_clear(k, &k->flying);
    kms_screen_clear(k, &k->now);
    kms_buffer_put(k, k->back[0]);
    kms_buffer_put(k, k->back[1]);
    kms_buffer_put(k, k->cursor_copy);
    if (k->mode_blob)
        drmModeDestroyPropertyBlob(k->fd, k->mode_blob);
    if (k->own_fd && k->fd >= 0)
        close(k->fd);
    free(k->primary.format);
    free(k->cursor.format);
    for (unsigned i = 0; i < k->noverlays; i++)
        free(k->overlay[i].format);
    free(k->modes);
    free(k);
}

static int get_fd(const struct sink *s)
{
    return ((const struct kms *)s)->fd;
}

static int dispatch(struct sink *s)
{
    return handle_events(kms_of(s));
}

static const struct sink_ops ops = {
    .lost = "the display device has gone",
    .fd = get_fd,
    .dispatch = dispatch,
    .tick = tick,
    .flip = flip,
    .cursor = show_cursor,
    .gone = gone,
    .next_guest = next_guest,
    .close = close_monitor,
};

int kms_open(struct sink **out, const struct kms_options *o, const struct sink_events *events, void *ctx, char *err,
             size_t errsz)
{
    struct kms *k = calloc(1, sizeof(*k));

    *out = NULL;
    if (!k) {
        snprintf(err, errsz, "no memory");
        return -ENOMEM;
    }
    *k = (struct kms){.base.ops = &ops, .fd = -1, .opt = *o, .events = *events, .ctx = ctx};
    int ret = kms_find(k, err, errsz);

    if (!ret && !drmIsMaster(k->fd) && drmSetMaster(k->fd)) {
        ret = -errno;
        snprintf(err, errsz, "%s is another program's, such as a desktop: stop it, or use another device (%s)", k->name,
                 strerror(errno));
    }
    if (ret) {
        close_monitor(&k->base);
        return ret;
    }
    k->master = true;
    kms_save(k);
    *out = &k->base;
    return 0;
}

const char *kms_name(const struct sink *s)
{
    return ((const struct kms *)s)->name;
}

void kms_get_stats(const struct sink *s, struct kms_stats *out)
{
    *out = ((const struct kms *)s)->stats;
}
