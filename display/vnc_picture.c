/* Pictures to neatvnc: when, in which way, and when the guest may go on. */
#include <stdlib.h>
#include <sys/mman.h>

#include <drm_fourcc.h>

#include "display/pixels.h"
#include "display/vnc_internal.h"
#include "vgpu/base/bits.h"

#define NS_PER_S      UINT64_C(1000000000)
#define QUIET_NS      (NS_PER_S / 10) /* without a flip: from now on changes are looked for */
#define WAITING_NS    (5 * NS_PER_S)  /* without a request: clients wait for a change, or are there no more */
#define WAITING_EVERY NS_PER_S        /* then it is looked so often */
#define HOLD_NS       NS_PER_S        /* so long a flip waits for the encoder */
#define VNC_SIDE_MAX  UINT16_MAX

/* ---- memory */

void vnc_memory_put(struct vnc_memory *m)
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
struct vnc_memory *vnc_frame_memory(struct viewer_frame *f)
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
    for (unsigned i = 0; i < VNC_PRIVATE_MAX; i++) {
        struct vnc_memory *m = v->pool[i];

        if (m && (m->refs > 1 || m == v->shown))
            continue;
        if (m && m->bytes >= bytes)
            return m;
        vnc_memory_put(m);
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
    vnc_memory_put(f->memory);
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
    struct vnc_memory *m = vnc_frame_memory(v->flip.frame);

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
    struct vnc_memory *m =
        vnc_frame_memory(v->flip.frame) ? private_memory(v, (uint64_t)stride * v->flip.height) : NULL;

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
    vnc_memory_put(m); /* the feed has it */
    return true;
}

/* With no client a picture is only announced: its size, and nothing of it is read. */
void vnc_announce(struct vnc *v)
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
        vnc_announce(v);
        return;
    }
    if (now < v->fed + period(v, now))
        return;
    damage_all(v);
    if (!(f ? is_direct(f) ? feed_direct(v) : feed_converted(v) : feed_black(v)))
        return;
    v->dirty = v->told = false;
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

static void feed_changes(struct vnc *v)
{
    if (v->shown)
        feed(v, v->shown, v->shown->map, DRM_FORMAT_XRGB8888, v->shown_stride);
    else
        feed_direct(v);
}

/* Sums find changes of the guest's memory. Of its own copies gtmux-dm tells what has changed, when it is asked. */
static void scan(struct vnc *v)
{
    struct viewer_frame *f = v->flip.frame;
    const struct damage_box all = window(&v->flip);

    v->stats.scans++;
    if (!f->shared) {
        v->events.refresh(v->ctx);
        return;
    }
    if (!v->damage)
        v->damage = damage_create(f->bytes);
    if (!v->damage || !vnc_frame_memory(f))
        return;
    const struct damage_frame frame = pixels_damage_frame(f);

    pixman_region_clear(&v->region);
    if (damage_scan(v->damage, &frame, &all, on_change, v))
        feed_changes(v);
}

void vnc_damage(struct sink *s, struct viewer_frame *f, uint32_t first, uint32_t end)
{
    struct vnc *v = vnc_of(s);
    struct damage_box box = window(&v->flip);

    if (f != v->flip.frame || v->dirty || !v->stats.clients)
        return; /* it is not what clients have: they get all of it */
    box.y = GT_MAX(box.y, first);
    box.y_end = GT_MIN(box.y_end, end);
    if (box.y >= box.y_end)
        return;
    if (!v->told)
        pixman_region_clear(&v->region);
    on_change(v, &box);
    v->told = true;
}

static bool may_scan(const struct vnc *v)
{
    return v->stats.clients && !v->dirty && !v->held && v->flip.frame;
}

uint64_t vnc_tick(struct sink *s, uint64_t now)
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
    if (v->told) {
        v->told = false;
        feed_changes(v);
    }
    v->scan_at = GT_MAX(v->scan_at, v->flipped + QUIET_NS);
    if (now >= v->scan_at) {
        scan(v);
        v->scan_at = now + frame;
    }
    return GT_MIN(next, v->scan_at);
}

void vnc_flip(struct sink *s, const struct viewer_flip *f, uint64_t now)
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
    vnc_tick(s, now);
}

/* What clients still read of it is kept for them. */
void vnc_gone(struct sink *s, struct viewer_frame *f)
{
    struct vnc *v = vnc_of(s);

    if (v->flip.frame == f) {
        v->flip.frame = NULL;
        v->dirty = true;
    }
    if (f->user)
        f->map = NULL; /* the mapping is ours */
    vnc_memory_put(f->user);
    f->user = NULL;
}
