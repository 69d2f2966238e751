/* Framebuffers: of frames as they are, and of dumb buffers that frames are copied to. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <drm_fourcc.h>

#include "display/format.h"
#include "display/kms_internal.h"
#include "display/pixels.h"
#include "vgpu/base/bits.h"

/* In a frame's `user`: the device does not take it. */
static struct kms_buffer refused;

/* ---- life */

static void destroy_dumb(struct kms *k, struct kms_buffer *b)
{
    struct drm_mode_destroy_dumb d = {.handle = b->handle};

    damage_destroy(b->damage);
    if (b->map)
        munmap(b->map, b->bytes);
    if (b->handle)
        drmIoctl(k->fd, DRM_IOCTL_MODE_DESTROY_DUMB, &d);
}

void kms_buffer_put(struct kms *k, struct kms_buffer *b)
{
    if (!b || b == &refused || --b->refs)
        return;
    if (b->fb)
        drmModeRmFB(k->fd, b->fb);
    if (b->dumb)
        destroy_dumb(k, b);
    free(b);
}

static int add_framebuffer(struct kms *k, struct kms_buffer *b, uint32_t stride, uint64_t modifier)
{
    const uint32_t handles[4] = {b->handle}, strides[4] = {stride}, offsets[4] = {0};
    const uint64_t modifiers[4] = {modifier};

    if (!k->addfb_modifiers && modifier != DRM_FORMAT_MOD_LINEAR)
        return -EINVAL;
    int ret = k->addfb_modifiers
                  ? drmModeAddFB2WithModifiers(k->fd, b->width, b->height, b->fourcc, handles, strides, offsets,
                                               modifiers, &b->fb, DRM_MODE_FB_MODIFIERS)
                  : drmModeAddFB2(k->fd, b->width, b->height, b->fourcc, handles, strides, offsets, &b->fb, 0);

    return ret ? -errno : 0;
}

/* ---- imported */

static struct kms_buffer *import(struct kms *k, const struct viewer_frame *f)
{
    struct kms_buffer *b = calloc(1, sizeof(*b));

    if (!b)
        return NULL;
    *b = (struct kms_buffer){.refs = 1, .width = f->width, .height = f->height, .fourcc = f->fourcc};
    if (drmPrimeFDToHandle(k->fd, f->fd, &b->handle)) {
        free(b);
        return NULL;
    }
    int ret = add_framebuffer(k, b, f->stride, f->modifier);

    drmCloseBufferHandle(k->fd, b->handle); /* the framebuffer keeps the memory */
    b->handle = 0;
    if (!ret) {
        k->stats.imports++;
        return b;
    }
    free(b);
    return NULL;
}

struct kms_buffer *kms_import(struct kms *k, struct viewer_frame *f, const struct kms_plane *plane)
{
    if (!f->shared || k->opt.copy || !kms_plane_takes(plane, f->fourcc, f->modifier))
        return NULL;
    if (!f->user) {
        f->user = import(k, f);
        if (!f->user)
            f->user = &refused;
    }
    return f->user == &refused ? NULL : f->user;
}

/* ---- dumb buffers */

static int make_dumb(struct kms *k, struct kms_buffer *b, unsigned cpp)
{
    struct drm_mode_create_dumb create = {.width = b->width, .height = b->height, .bpp = cpp * 8};
    struct drm_mode_map_dumb map = {0};

    if (drmIoctl(k->fd, DRM_IOCTL_MODE_CREATE_DUMB, &create))
        return -errno;
    map.handle = b->handle = create.handle;
    b->stride = create.pitch;
    b->bytes = create.size;
    if (drmIoctl(k->fd, DRM_IOCTL_MODE_MAP_DUMB, &map))
        return -errno;
    void *p = mmap(NULL, b->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, k->fd, (off_t)map.offset);

    if (p == MAP_FAILED)
        return -errno;
    b->map = p;
    return add_framebuffer(k, b, b->stride, DRM_FORMAT_MOD_LINEAR);
}

struct kms_buffer *kms_dumb(struct kms *k, uint32_t width, uint32_t height, uint32_t fourcc)
{
    struct kms_buffer *b = calloc(1, sizeof(*b));
    enum vgpu_format format;

    if (!b || !display_from_fourcc(fourcc, &format)) {
        free(b);
        errno = ENOMEM;
        return NULL;
    }
    *b = (struct kms_buffer){.refs = 1, .width = width, .height = height, .fourcc = fourcc, .dumb = true};
    int ret = make_dumb(k, b, vgpu_format_cpp(format));

    if (!ret)
        return b;
    kms_buffer_put(k, b);
    errno = -ret;
    return NULL;
}

/* ---- copies */

/* Copies a part of the frame to its place in the buffer. */
static void copy_box(struct kms *k, const struct viewer_flip *f, const struct damage_box *box, struct kms_buffer *b)
{
    const size_t cpp = vgpu_format_cpp(b->fourcc == DRM_FORMAT_XRGB8888 ? VGPU_FMT_XRGB8888 : f->frame->format);
    uint8_t *to = b->map + (size_t)(box->y - f->y) * b->stride + (box->x - f->x) * cpp;

    k->stats.bytes_copied += pixels_copy(f->frame, box, b->fourcc == DRM_FORMAT_XRGB8888, to, b->stride);
}

static struct damage_box whole(const struct viewer_flip *f)
{
    return (struct damage_box){f->x, f->y, f->x + f->width, f->y + f->height};
}

/* The buffer that is not shown, of the right size and format. */
static struct kms_buffer *back_buffer(struct kms *k, uint32_t width, uint32_t height, uint32_t fourcc)
{
    struct kms_buffer **slot = &k->back[k->turn ^= 1];
    struct kms_buffer *b = *slot;

    if (b && b->width == width && b->height == height && b->fourcc == fourcc)
        return b;
    kms_buffer_put(k, b);
    return *slot = kms_dumb(k, width, height, fourcc);
}

struct update {
    struct kms *k;
    struct kms_buffer *b;
};

static void on_change(void *ctx, const struct damage_box *box)
{
    struct update *u = ctx;

    copy_box(u->k, &u->k->source_flip, box, u->b);
}

/* Everything counts as changed when the buffer has no picture of this layout. */
static void expect_layout(struct kms_buffer *b, const struct viewer_flip *f)
{
    struct kms_layout now;

    memset(&now, 0, sizeof(now)); /* it is compared as bytes */
    now.format = f->frame->format;
    now.tiling = f->frame->tiling;
    now.stride = f->frame->stride;
    now.x = f->x;
    now.y = f->y;
    now.width = f->frame->width;
    now.height = f->frame->height;
    now.bytes = f->frame->bytes;
    if (b->damage && !memcmp(&b->layout, &now, sizeof(now)))
        return;
    damage_destroy(b->damage);
    b->damage = damage_create(f->frame->bytes);
    b->layout = now;
}

void kms_copy_changes(struct kms *k, struct kms_buffer *b)
{
    const struct viewer_flip *f = &k->source_flip;
    struct update u = {k, b};
    const struct damage_box window = whole(f);

    if (!k->source || b->width != f->width || b->height != f->height)
        return; /* it has another picture */
    expect_layout(b, f);
    if (!b->damage) {
        copy_box(k, f, &window, b); /* no memory to know better */
        return;
    }
    const struct damage_frame frame = pixels_damage_frame(f->frame);

    damage_scan(b->damage, &frame, &window, on_change, &u);
}

struct kms_buffer *kms_copy(struct kms *k, const struct viewer_flip *f)
{
    uint32_t fourcc = pixels_opaque(f->frame->fourcc);

    if (!viewer_map(f->frame))
        return NULL;
    if (!kms_plane_takes(&k->primary, fourcc, DRM_FORMAT_MOD_LINEAR))
        fourcc = DRM_FORMAT_XRGB8888;
    struct kms_buffer *b = back_buffer(k, f->width, f->height, fourcc);

    if (!b)
        return NULL;
    k->source = f->frame;
    k->source_flip = *f;
    kms_copy_changes(k, b);
    return b;
}

/* ---- cursor */

struct kms_buffer *kms_copy_cursor(struct kms *k, const struct viewer_cursor *c)
{
    const uint8_t *from = viewer_map(c->frame);

    if (!from)
        return NULL;
    uint64_t sum = damage_sum(from, (size_t)c->frame->stride * c->height);

    if (k->cursor_copy && k->cursor_source == c->frame && k->cursor_sum == sum)
        return k->cursor_copy;
    if (!k->cursor_copy)
        k->cursor_copy = kms_dumb(k, k->cursor_width, k->cursor_height, DRM_FORMAT_ARGB8888);
    struct kms_buffer *b = k->cursor_copy;

    if (!b)
        return NULL;
    size_t row = GT_MIN(c->width, b->width) * sizeof(uint32_t);

    memset(b->map, 0, (size_t)b->stride * b->height);
    for (uint32_t y = 0; y < GT_MIN(c->height, b->height); y++)
        memcpy(b->map + (size_t)y * b->stride, from + (size_t)y * c->frame->stride, row);
    k->stats.bytes_copied += row * c->height;
    k->cursor_source = c->frame;
    k->cursor_sum = sum;
    return b;
}
