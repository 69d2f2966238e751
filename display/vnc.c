#include "display/vnc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <drm_fourcc.h>

#include "display/unix_path.h"
#include "display/vnc_internal.h"
#include "vgpu/base/log.h"

#define CURSOR_PIXELS (256u * 256u)

/* ---- cursor */

static void set_cursor(struct vnc *v, struct nvnc_fb *fb, uint32_t width, uint32_t height)
{
    nvnc_set_cursor(v->server, fb, (uint16_t)width, (uint16_t)height, 0, 0, true);
    if (v->cursor)
        nvnc_fb_unref(v->cursor);
    v->cursor = fb;
}

/* A cursor is small and clients keep it: it is sent as a copy, when its pixels are others. */
static void show_cursor(struct sink *s, const struct viewer_cursor *c)
{
    struct vnc *v = vnc_of(s);
    const uint8_t *from = c->frame && c->width * c->height <= CURSOR_PIXELS ? viewer_map(c->frame) : NULL;

    if (!from || !vnc_frame_memory(c->frame)) {
        if (v->cursor)
            set_cursor(v, NULL, 0, 0);
        v->cursor_sum = 0;
        return;
    }
    uint64_t sum = damage_sum(from, (size_t)c->frame->stride * c->height) ^ ((uint64_t)c->width << 32 | c->height);

    if (v->cursor && sum == v->cursor_sum)
        return;
    struct nvnc_fb *fb = nvnc_fb_new((uint16_t)c->width, (uint16_t)c->height, DRM_FORMAT_ARGB8888, (uint16_t)c->width);

    if (!fb)
        return;
    for (uint32_t y = 0; y < c->height; y++)
        memcpy((uint8_t *)nvnc_fb_get_addr(fb) + (size_t)y * c->width * 4, from + (size_t)y * c->frame->stride,
               (size_t)c->width * 4);
    set_cursor(v, fb, c->width, c->height);
    v->cursor_sum = sum;
}

/* ---- life */

static bool on_password(const char *user, const char *password, void *ctx)
{
    struct vnc *v = ctx;
    bool ok = v->opt.allows(v->opt.allows_ctx, user, password);

    if (!ok)
        gt_warn("vnc: a client gave a wrong user or password");
    return ok;
}

/* neatvnc 0.7 has split the call in two. */
static int require_password(struct vnc *v, char *err, size_t errsz)
{
    if (!v->opt.allows)
        return 0;
#ifdef GTMUX_NEATVNC_AUTH_FLAGS
    int ret = nvnc_set_tls_creds(v->server, v->opt.tls_key, v->opt.tls_cert) ||
              nvnc_enable_auth(v->server, NVNC_AUTH_REQUIRE_AUTH | NVNC_AUTH_REQUIRE_ENCRYPTION, on_password, v);
#else
    int ret = nvnc_enable_auth(v->server, v->opt.tls_key, v->opt.tls_cert, on_password, v);
#endif
    if (!nvnc_has_auth() || ret) {
        snprintf(err, errsz, "neatvnc does not take the certificate %s and the key %s", v->opt.tls_cert,
                 v->opt.tls_key);
        return -EINVAL;
    }
    return 0;
}

static void quiet(const struct nvnc_log_data *data, const char *message)
{
    if (data->level <= NVNC_LOG_WARNING)
        gt_warn("neatvnc: %s", message);
    else
        gt_debug("neatvnc: %s", message);
}

/* For our user alone, from the first moment on: neatvnc listens at once. */
static int listen_at_path(struct vnc *v, char *err, size_t errsz)
{
    int ret = unix_path_clear(v->opt.unix_path, err, errsz);

    if (ret)
        return ret;
    mode_t before = umask(0177);

    errno = 0;
    v->server = nvnc_open_unix(v->opt.unix_path);
    ret = errno ? -errno : -EADDRINUSE;
    umask(before);
    v->open_unix = v->server != NULL;
    if (v->server)
        return 0;
    snprintf(err, errsz, "cannot listen on %s: %s", v->opt.unix_path, strerror(-ret));
    return ret;
}

static int listen_at(struct vnc *v, char *err, size_t errsz)
{
    if (v->opt.unix_path)
        return listen_at_path(v, err, errsz);
    errno = 0;
    v->server = nvnc_open(v->opt.address, v->opt.port);
    if (v->server)
        return 0;
    int ret = errno ? -errno : -EADDRINUSE;

    snprintf(err, errsz, "cannot listen on %s port %u: %s", v->opt.address, v->opt.port, strerror(-ret));
    return ret;
}

static void close_server(struct sink *s)
{
    struct vnc *v = vnc_of(s);

    if (v->server) {
        nvnc_set_cursor(v->server, NULL, 0, 0, 0, 0, false);
        nvnc_close(v->server);
    }
    if (v->cursor)
        nvnc_fb_unref(v->cursor);
    if (v->display)
        nvnc_display_unref(v->display);
    if (v->aml)
        aml_unref(v->aml);
    if (v->open_unix)
        unlink(v->opt.unix_path);
    for (unsigned i = 0; i < VNC_PRIVATE_MAX; i++)
        vnc_memory_put(v->pool[i]);
    vnc_keys_destroy(v->keys);
    damage_destroy(v->damage);
    pixman_region_fini(&v->region);
    free(v);
}

static int get_fd(const struct sink *s)
{
    return aml_get_fd(((const struct vnc *)s)->aml);
}

static int dispatch(struct sink *s)
{
    struct vnc *v = vnc_of(s);

    aml_poll(v->aml, 0);
    aml_dispatch(v->aml);
    return 0;
}

static const struct sink_ops ops = {
    .lost = "the VNC server broke",
    .fd = get_fd,
    .dispatch = dispatch,
    .tick = vnc_tick,
    .flip = vnc_flip,
    .cursor = show_cursor,
    .damage = vnc_damage,
    .gone = vnc_gone,
    .close = close_server,
};

int vnc_open(struct sink **out, const struct vnc_options *o, const struct sink_events *events, void *ctx, char *err,
             size_t errsz)
{
    struct vnc *v = calloc(1, sizeof(*v));

    *out = NULL;
    nvnc_set_log_fn(quiet);
    if (!v || !(v->aml = aml_new())) {
        free(v);
        snprintf(err, errsz, "no memory");
        return -ENOMEM;
    }
    v->base.ops = &ops;
    v->opt = *o;
    v->events = *events;
    v->ctx = ctx;
    pixman_region_init(&v->region);
    aml_set_default(v->aml);
    int ret = listen_at(v, err, errsz);

    if (!ret)
        ret = require_password(v, err, errsz);
    if (!ret)
        ret = vnc_hear_input(v, err, errsz);
    if (!ret && !(v->display = nvnc_display_new(0, 0))) {
        snprintf(err, errsz, "no memory");
        ret = -ENOMEM;
    }
    if (ret) {
        close_server(&v->base);
        return ret;
    }
    nvnc_add_display(v->server, v->display);
    nvnc_set_userdata(v->server, v, NULL);
    nvnc_set_name(v->server, o->title);
    vnc_hear_clients(v);
    v->flip.width = 640; /* until the guest shows something */
    v->flip.height = 480;
    v->dirty = true;
    vnc_announce(v);
    *out = &v->base;
    return 0;
}

void vnc_get_stats(const struct sink *s, struct vnc_stats *out)
{
    *out = ((const struct vnc *)s)->stats;
}
