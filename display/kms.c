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

#define REFRESH_NS UINT64_C(33000000) /* between looks for changes in a picture that is a copy */

static struct kms *kms_of(struct sink *s)
{
    return (struct kms *)s; /* its first member */
}

/* ---- what is to be shown */

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
    kms_tell_shown(k, f->serial);
}

/* Does the device take the layers, with all else that the next commit changes? */
static bool takes_layers(struct kms *k, const struct viewer_flip *f)
{
    return kms_prepare_layers(k, f) && (!f->nlayers || !kms_submit(k, false, DRM_MODE_ATOMIC_TEST_ONLY));
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
        kms_go_dark(k);
        kms_tell_shown(k, f->serial);
        return;
    }
    kms_settle(k); /* of the cursor; a flip never comes before the last one is shown */
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
        ret = kms_commit(k);
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
    (void)kms_commit(k);
}

/* What is under way is answered or forgotten, the cursor goes, the picture stays until the next flip. */
static void next_guest(struct sink *s)
{
    struct kms *k = kms_of(s);

    kms_settle(k);
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
    (void)kms_commit(k); /* what somebody else's commit was in the way of */
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
        kms_settle(k);
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
    return kms_handle_events(kms_of(s));
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
