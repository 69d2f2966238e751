#include "display/vnc.h"

#include <aml.h>
#include <errno.h>
#include <neatvnc.h>
#include <pixman.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <drm_fourcc.h>

#include "display/pixels.h"
#include "display/unix_path.h"
#include "display/vnc_keys.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"
#include "vgpu/base/log.h"

#define NS_PER_S      UINT64_C(1000000000)
#define QUIET_NS      (NS_PER_S / 10) /* without a flip: from now on changes are looked for */
#define WAITING_NS    (5 * NS_PER_S)  /* without a request: clients wait for a change, or are there no more */
#define WAITING_EVERY NS_PER_S        /* then it is looked so often */
#define HOLD_NS       NS_PER_S        /* so long a flip waits for the encoder */
#define PRIVATE_MAX   3u              /* converted pictures: one shown, one being encoded, one to write to */
#define VNC_SIDE_MAX  UINT16_MAX
#define CURSOR_PIXELS (256u * 256u)

/* Memory with a picture, kept while the encoder may read it, even when gtmux-dm takes its frame back. */
struct vnc_memory {
    unsigned refs;
    uint8_t *map;
    uint64_t bytes;
    bool own; /* from malloc; else mapped */
};

/* One picture handed to neatvnc. */
struct vnc_feed {
    struct vnc *vnc;
    struct vnc_memory *memory;
    uint32_t serial; /* of the flip that waits for its release, or 0 */
};

struct vnc {
    struct sink base;
    struct vnc_options opt;
    struct sink_events events;
    void *ctx;
    struct aml *aml;
    struct nvnc *server;
    struct nvnc_display *display;
    bool open_unix;

    struct viewer_flip flip;                      /* the newest; frame NULL: dark */
    bool dirty;                                   /* it has not been handed over */
    uint64_t flipped, fed;                        /* when */
    uint64_t asked;                               /* when a client asked for an update last */
    uint32_t unanswered;                          /* serial of a flip to be answered, or 0 */
    bool held;                                    /* its answer waits for the encoder */
    struct vnc_feed *last;                        /* what neatvnc has now */
    struct vnc_memory *pool[PRIVATE_MAX], *shown; /* converted pictures; the one that `last` shows */
    uint32_t shown_stride;
    uint32_t announced_width, announced_height;
    struct damage *damage;
    struct pixman_region16 region;
    uint64_t scan_at;

    struct vnc_keys *keys; /* NULL: input goes nowhere */
    unsigned buttons;      /* enum nvnc_button_mask, of all clients */

    struct nvnc_fb *cursor;
    uint64_t cursor_sum;
    struct vnc_stats stats;
};

static struct vnc *vnc_of(struct sink *s)
{
    return (struct vnc *)s; /* its first member */
}

/* ---- memory */

static void memory_put(struct vnc_memory *m)
{
    if (!m || --m->refs)
        return;
    if (m->own)
        free(m->map);
    else
        munmap(m->map, m->bytes);
    free(m);
}

/* Of a frame, for as long as it is needed: the mapping is ours from now on. */
static struct vnc_memory *frame_memory(struct viewer_frame *f)
{
    struct vnc_memory *m = f->user;

    if (m)
        return m;
    m = calloc(1, sizeof(*m));
    if (!m || !viewer_map(f)) {
        free(m);
        return NULL;
    }
    *m = (struct vnc_memory){.refs = 1, .map = (uint8_t *)(uintptr_t)f->map, .bytes = f->bytes};
    f->user = m;
    return m;
}

/* One of ours that nobody reads, with room for so much. */
static struct vnc_memory *private_memory(struct vnc *v, uint64_t bytes)
{
    for (unsigned i = 0; i < PRIVATE_MAX; i++) {
        struct vnc_memory *m = v->pool[i];

        if (m && (m->refs > 1 || m == v->shown))
            continue;
        if (m && m->bytes >= bytes)
            return m;
        memory_put(m);
        v->pool[i] = NULL;
        m = calloc(1, sizeof(*m));
        uint8_t *p = m ? aligned_alloc(4096, gt_align_up(bytes, 4096)) : NULL;

        if (!p) {
            free(m);
            return NULL;
        }
        *m = (struct vnc_memory){.refs = 1, .map = p, .bytes = bytes, .own = true};
        return v->pool[i] = m;
    }
    return NULL;
}

/* ---- pictures to neatvnc */

static void answer(struct vnc *v)
{
    uint32_t serial = v->unanswered;

    if (!serial || v->held)
        return;
    v->unanswered = 0;
    v->events.shown(v->ctx, serial);
}

/* neatvnc reads the picture no more. */
static void on_release(struct nvnc_fb *fb, void *ctx)
{
    struct vnc_feed *f = ctx;
    struct vnc *v = f->vnc;

    (void)fb;
    if (v->last == f)
        v->last = NULL;
    if (f->serial && f->serial == v->unanswered)
        v->held = false;
    memory_put(f->memory);
    free(f);
}

static bool encodes(uint32_t fourcc)
{
    switch (fourcc) {
    case DRM_FORMAT_XRGB8888:
    case DRM_FORMAT_XBGR8888:
        return true;
    default:
        return false;
    }
}

/* Hands over the picture that starts at `start` of the memory. */
static void feed(struct vnc *v, struct vnc_memory *m, const uint8_t *start, uint32_t fourcc, uint32_t stride)
{
    struct vnc_feed *f = calloc(1, sizeof(*f)), *before = v->last;
    struct nvnc_fb *fb = f ? nvnc_fb_from_buffer((void *)(uintptr_t)start, (uint16_t)v->flip.width,
                                                 (uint16_t)v->flip.height, fourcc, (int32_t)(stride / 4))
                           : NULL;

    if (!fb) {
        free(f);
        return;
    }
    *f = (struct vnc_feed){.vnc = v, .memory = m};
    m->refs++;
    /* The picture before it is free for the guest once no client is being sent it. */
    if (before && v->unanswered) {
        before->serial = v->unanswered;
        v->held = true;
    }
    nvnc_fb_set_release_fn(fb, on_release, f);
    v->last = f;
    nvnc_display_feed_buffer(v->display, fb, &v->region);
    nvnc_fb_unref(fb);
    v->stats.pictures++;
}

static void damage_all(struct vnc *v)
{
    pixman_region_clear(&v->region);
    pixman_region_union_rect(&v->region, &v->region, 0, 0, v->flip.width, v->flip.height);
}

static struct damage_box window(const struct viewer_flip *f)
{
    return (struct damage_box){f->x, f->y, f->x + f->width, f->y + f->height};
}

static bool is_direct(const struct viewer_frame *f)
{
    return f->tiling == VGPU_LINEAR && encodes(pixels_opaque(f->fourcc)) && f->stride % 4 == 0;
}

static bool feed_direct(struct vnc *v)
{
    const struct viewer_frame *f = v->flip.frame;
    struct vnc_memory *m = frame_memory(v->flip.frame);

    if (!m)
        return false;
    v->shown = NULL;
    feed(v, m, m->map + (size_t)v->flip.y * f->stride + (size_t)v->flip.x * 4, pixels_opaque(f->fourcc), f->stride);
    return true;
}

/* False: all our memory is being encoded, or there is none. */
static bool feed_converted(struct vnc *v)
{
    const struct damage_box all = window(&v->flip);
    uint32_t stride = (uint32_t)gt_align_up((uint64_t)v->flip.width * 4, 64);
    struct vnc_memory *m = frame_memory(v->flip.frame) ? private_memory(v, (uint64_t)stride * v->flip.height) : NULL;

    if (!m)
        return false;
    v->stats.bytes_copied += pixels_copy(v->flip.frame, &all, true, m->map, stride);
    v->shown = m;
    v->shown_stride = stride;
    feed(v, m, m->map, DRM_FORMAT_XRGB8888, stride);
    return true;
}

/* Darkness, or what neatvnc must have of the right size to let a client in. Its pages are never touched by us. */
static bool feed_black(struct vnc *v)
{
    const uint64_t bytes = (uint64_t)v->flip.width * v->flip.height * 4;
    struct vnc_memory *m = calloc(1, sizeof(*m));
    void *p = m ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : MAP_FAILED;

    if (p == MAP_FAILED) {
        free(m);
        return false;
    }
    *m = (struct vnc_memory){.refs = 1, .map = p, .bytes = bytes};
    v->shown = NULL;
    feed(v, m, m->map, DRM_FORMAT_XRGB8888, v->flip.width * 4);
    memory_put(m); /* the feed has it */
    return true;
}

/* With no client a picture is only announced: its size, and nothing of it is read. */
static void announce(struct vnc *v)
{
    if (v->announced_width == v->flip.width && v->announced_height == v->flip.height)
        return;
    pixman_region_clear(&v->region);
    if (!feed_black(v))
        return;
    v->announced_width = v->flip.width;
    v->announced_height = v->flip.height;
}

/* Between pictures. neatvnc 0.5 keeps clients that hung up at the wrong moment for ever: they must not cost much. */
static uint64_t period(const struct vnc *v, uint64_t now)
{
    return now < v->asked + WAITING_NS ? NS_PER_S / v->opt.fps : WAITING_EVERY;
}

/* Hands the newest flip over, if somebody watches. */
static void hand_over(struct vnc *v, uint64_t now)
{
    const struct viewer_frame *f = v->flip.frame;

    if (!v->dirty || v->held)
        return;
    if (!v->stats.clients) {
        announce(v);
        return;
    }
    if (now < v->fed + period(v, now))
        return;
    damage_all(v);
    if (!(f ? is_direct(f) ? feed_direct(v) : feed_converted(v) : feed_black(v)))
        return;
    v->dirty = false;
    v->fed = now;
    v->announced_width = v->announced_height = 0;
    damage_destroy(v->damage);
    v->damage = NULL;
}

/* ---- changes without a flip */

static void on_change(void *ctx, const struct damage_box *box)
{
    struct vnc *v = ctx;
    uint32_t x = box->x - v->flip.x, y = box->y - v->flip.y;

    pixman_region_union_rect(&v->region, &v->region, (int)x, (int)y, box->x_end - box->x, box->y_end - box->y);
    if (v->shown)
        v->stats.bytes_copied += pixels_copy(
            v->flip.frame, box, true, v->shown->map + (size_t)y * v->shown_stride + (size_t)x * 4, v->shown_stride);
}

static void scan(struct vnc *v)
{
    struct viewer_frame *f = v->flip.frame;
    const struct damage_box all = window(&v->flip);

    if (!v->damage)
        v->damage = damage_create(f->bytes);
    if (!v->damage || !frame_memory(f))
        return;
    if (!f->shared)
        v->events.refresh(v->ctx); /* what comes of it is seen by the next scan */
    const struct damage_frame frame = pixels_damage_frame(f);

    pixman_region_clear(&v->region);
    v->stats.scans++;
    if (!damage_scan(v->damage, &frame, &all, on_change, v))
        return;
    if (v->shown)
        feed(v, v->shown, v->shown->map, DRM_FORMAT_XRGB8888, v->shown_stride);
    else
        feed_direct(v);
}

static bool may_scan(const struct vnc *v)
{
    return v->stats.clients && !v->dirty && !v->held && v->flip.frame;
}

static uint64_t tick(struct sink *s, uint64_t now)
{
    struct vnc *v = vnc_of(s);
    uint64_t frame = period(v, now), next = UINT64_MAX;

    if (v->held && now >= v->flipped + HOLD_NS)
        v->held = false;
    hand_over(v, now);
    if (!v->stats.clients || !v->dirty)
        answer(v);
    else if (!v->held)
        next = GT_MAX(v->fed + frame, now + NS_PER_S / 1000);
    if (v->held)
        next = GT_MIN(next, v->flipped + HOLD_NS);
    if (!may_scan(v))
        return next;
    v->scan_at = GT_MAX(v->scan_at, v->flipped + QUIET_NS);
    if (now >= v->scan_at) {
        scan(v);
        v->scan_at = now + frame;
    }
    return GT_MIN(next, v->scan_at);
}

static void flip(struct sink *s, const struct viewer_flip *f, uint64_t now)
{
    struct vnc *v = vnc_of(s);
    const uint32_t width = v->flip.width, height = v->flip.height;

    v->flip = *f;
    v->flipped = now;
    v->unanswered = f->serial;
    v->held = false;
    v->dirty = true;
    if (f->frame && (f->width > VNC_SIDE_MAX || f->height > VNC_SIDE_MAX))
        v->flip.frame = NULL;
    if (!v->flip.frame) { /* darkness has the size of what was there */
        v->flip.width = width;
        v->flip.height = height;
    }
    tick(s, now);
}

/* What clients still read of it is kept for them. */
static void gone(struct sink *s, struct viewer_frame *f)
{
    struct vnc *v = vnc_of(s);

    if (v->flip.frame == f) {
        v->flip.frame = NULL;
        v->dirty = true;
    }
    if (f->user)
        f->map = NULL; /* the mapping is ours */
    memory_put(f->user);
    f->user = NULL;
}

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

    if (!from || !frame_memory(c->frame)) {
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

/* ---- clients */

static void on_client_left(struct nvnc_client *client)
{
    struct vnc *v = nvnc_get_userdata(nvnc_client_get_server(client));

    v->stats.clients--;
    v->buttons = 0; /* also those that others hold: they tell again */
    if (v->keys)
        v->events.input(v->ctx, &(struct input_event){.kind = INPUT_LIFT});
    gt_info("vnc: a client has left, %u are there", v->stats.clients);
}

static void on_request(struct nvnc_client *client, bool incremental, uint16_t x, uint16_t y, uint16_t width,
                       uint16_t height)
{
    struct vnc *v = nvnc_get_userdata(nvnc_client_get_server(client));

    (void)incremental;
    (void)x;
    (void)y;
    (void)width;
    (void)height;
    v->asked = gt_clock_ns();
}

static void on_client(struct nvnc_client *client)
{
    struct vnc *v = nvnc_get_userdata(nvnc_client_get_server(client));

    nvnc_set_client_cleanup_fn(client, on_client_left);
    v->stats.clients++;
    v->dirty = true; /* it wants what is there now */
    gt_info("vnc: a client has come, %u are there", v->stats.clients);
}

/* ---- input */

static struct vnc *of_client(struct nvnc_client *client)
{
    return nvnc_get_userdata(nvnc_client_get_server(client));
}

/* A key by its place: neatvnc has turned QEMU's number into one of linux/input-event-codes.h. */
static void on_key_code(struct nvnc_client *client, uint32_t key, bool down)
{
    struct vnc *v = of_client(client);
    const struct input_event e = {.kind = INPUT_KEY, .code = input_number(key), .down = down};

    if (e.code)
        v->events.input(v->ctx, &e);
}

static void on_key(struct nvnc_client *client, uint32_t keysym, bool down)
{
    on_key_code(client, vnc_keys_find(of_client(client)->keys, keysym), down);
}

static void on_pointer(struct nvnc_client *client, uint16_t x, uint16_t y, enum nvnc_button_mask mask)
{
    static const struct {
        unsigned bit;
        enum input_button button;
    } rows[] = {{NVNC_BUTTON_LEFT, INPUT_LEFT}, {NVNC_BUTTON_MIDDLE, INPUT_MIDDLE}, {NVNC_BUTTON_RIGHT, INPUT_RIGHT}};
    struct vnc *v = of_client(client);
    const unsigned pressed = (unsigned)mask & ~v->buttons, changed = (unsigned)mask ^ v->buttons;

    v->buttons = (unsigned)mask;
    v->events.input(v->ctx, &(struct input_event){.kind = INPUT_MOVE,
                                                  .x = input_position(x, v->flip.width),
                                                  .y = input_position(y, v->flip.height)});
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++)
        if (changed & rows[i].bit)
            v->events.input(v->ctx, &(struct input_event){.kind = INPUT_BUTTON,
                                                          .code = (uint8_t)rows[i].button,
                                                          .down = (pressed & rows[i].bit) != 0});
    if (pressed & NVNC_SCROLL_UP)
        input_wheel(v->events.input, v->ctx, INPUT_WHEEL_UP, 1);
    if (pressed & NVNC_SCROLL_DOWN)
        input_wheel(v->events.input, v->ctx, INPUT_WHEEL_DOWN, 1);
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

static int take_input(struct vnc *v, char *err, size_t errsz)
{
    if (!v->opt.keymap)
        return 0;
    v->keys = vnc_keys_create(v->opt.keymap);
    if (!v->keys) {
        snprintf(err, errsz, "there is no keyboard layout '%s'", v->opt.keymap);
        return -EINVAL;
    }
    nvnc_set_key_fn(v->server, on_key);
    nvnc_set_key_code_fn(v->server, on_key_code);
    nvnc_set_pointer_fn(v->server, on_pointer);
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
    for (unsigned i = 0; i < PRIVATE_MAX; i++)
        memory_put(v->pool[i]);
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
    .tick = tick,
    .flip = flip,
    .cursor = show_cursor,
    .gone = gone,
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
        ret = take_input(v, err, errsz);
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
    nvnc_set_new_client_fn(v->server, on_client);
    nvnc_set_fb_req_fn(v->server, on_request);
    v->flip.width = 640; /* until the guest shows something */
    v->flip.height = 480;
    v->dirty = true;
    announce(v);
    *out = &v->base;
    return 0;
}

void vnc_get_stats(const struct sink *s, struct vnc_stats *out)
{
    *out = ((const struct vnc *)s)->stats;
}
