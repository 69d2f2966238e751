/*
 * Kernel mode setting for programs that draw on a screen without a window system. Nothing is shown: a flip is done as
 * soon as its picture is drawn, so programs run as fast as they can; frames can be written as files (kms_frame.c).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mediator/shim/ioctls.h"
#include "mediator/shim/kms_objects.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

#define SIDE_MAX 8192u
#define HZ       60u

struct kms kms;

/* Reduced blanking (CVT 1.2): 160 pixels, at least 460 us. The numbers only have to make sense together. */
void kms_mode(struct drm_mode_modeinfo *m)
{
    const uint32_t w = shim.width, h = shim.height, htotal = w + 160, vtotal = h + GT_MAX(h / 24, 23u);

    *m = (struct drm_mode_modeinfo){
        .clock = htotal * vtotal / 1000 * HZ,
        .hdisplay = (uint16_t)w,
        .hsync_start = (uint16_t)(w + 48),
        .hsync_end = (uint16_t)(w + 80),
        .htotal = (uint16_t)htotal,
        .vdisplay = (uint16_t)h,
        .vsync_start = (uint16_t)(h + 3),
        .vsync_end = (uint16_t)(h + 8),
        .vtotal = (uint16_t)vtotal,
        .vrefresh = HZ,
        .type = DRM_MODE_TYPE_PREFERRED | DRM_MODE_TYPE_DRIVER,
    };
    snprintf(m->name, sizeof(m->name), "%ux%u", w, h);
}

/* ---- what there is */

/* One number, if there is room. */
static void put_one(uint64_t ptr, uint32_t *count, uint32_t id)
{
    if (ptr && *count)
        *(uint32_t *)SHIM_PTR(ptr) = id;
    *count = 1;
}

int kms_get_resources(struct shim_file *f, void *arg)
{
    struct drm_mode_card_res *a = arg;

    if (!f->primary)
        return -EOPNOTSUPP;
    put_one(a->crtc_id_ptr, &a->count_crtcs, KMS_CRTC);
    put_one(a->connector_id_ptr, &a->count_connectors, KMS_CONNECTOR);
    put_one(a->encoder_id_ptr, &a->count_encoders, KMS_ENCODER);
    a->count_fbs = 0;
    a->min_width = a->min_height = 0;
    a->max_width = a->max_height = SIDE_MAX;
    return 0;
}

int kms_get_crtc(struct shim_file *f, void *arg)
{
    struct drm_mode_crtc *a = arg;

    (void)f;
    if (a->crtc_id != KMS_CRTC)
        return -ENOENT;
    a->fb_id = kms.fb;
    a->x = a->y = 0;
    a->gamma_size = 256;
    a->mode_valid = 1;
    kms_mode(&a->mode);
    return 0;
}

int kms_get_encoder(struct shim_file *f, void *arg)
{
    struct drm_mode_get_encoder *a = arg;

    (void)f;
    if (a->encoder_id != KMS_ENCODER)
        return -ENOENT;
    a->encoder_type = DRM_MODE_ENCODER_TMDS;
    a->crtc_id = KMS_CRTC;
    a->possible_crtcs = 1;
    a->possible_clones = 0;
    return 0;
}

int kms_get_connector(struct shim_file *f, void *arg)
{
    struct drm_mode_get_connector *a = arg;
    struct drm_mode_obj_get_properties p = {.props_ptr = a->props_ptr,
                                            .prop_values_ptr = a->prop_values_ptr,
                                            .count_props = a->count_props,
                                            .obj_id = KMS_CONNECTOR,
                                            .obj_type = DRM_MODE_OBJECT_CONNECTOR};
    int rc;

    if (a->connector_id != KMS_CONNECTOR)
        return -ENOENT;
    rc = kms_get_properties(f, &p);
    if (rc)
        return rc;
    a->count_props = p.count_props;
    put_one(a->encoders_ptr, &a->count_encoders, KMS_ENCODER);
    if (a->modes_ptr && a->count_modes)
        kms_mode(SHIM_PTR(a->modes_ptr));
    a->count_modes = 1;
    a->encoder_id = KMS_ENCODER;
    a->connector_type = DRM_MODE_CONNECTOR_HDMIA;
    a->connector_type_id = 1;
    a->connection = 1;                    /* connected */
    a->mm_width = shim.width * 254 / 960; /* 96 dpi */
    a->mm_height = shim.height * 254 / 960;
    a->subpixel = 1; /* unknown */
    return 0;
}

int kms_get_planes(struct shim_file *f, void *arg)
{
    struct drm_mode_get_plane_res *a = arg;

    if (!f->universal_planes)
        a->count_planes = 0; /* overlays only, for those who do not know of others */
    else
        put_one(a->plane_id_ptr, &a->count_planes, KMS_PLANE);
    return 0;
}

static const uint32_t formats[] = {DRM_FORMAT_XRGB8888, DRM_FORMAT_ARGB8888, DRM_FORMAT_XBGR8888, DRM_FORMAT_ABGR8888,
                                   DRM_FORMAT_RGB565};

int kms_get_plane(struct shim_file *f, void *arg)
{
    struct drm_mode_get_plane *a = arg;

    (void)f;
    if (a->plane_id != KMS_PLANE)
        return -ENOENT;
    if (a->format_type_ptr && a->count_format_types)
        memcpy(SHIM_PTR(a->format_type_ptr), formats,
               sizeof(formats[0]) * GT_MIN((size_t)a->count_format_types, GT_ARRAY_SIZE(formats)));
    a->count_format_types = GT_ARRAY_SIZE(formats);
    a->crtc_id = kms.fb ? KMS_CRTC : 0;
    a->fb_id = kms.fb;
    a->possible_crtcs = 1;
    a->gamma_size = 0;
    return 0;
}

/* ---- framebuffers */

static int add_fb(struct shim_file *f, struct shim_fb fb, uint32_t handle, uint32_t *id)
{
    struct shim_bo *b = shim_file_bo(f, handle);
    struct shim_fb *copy;
    int rc;

    if (!b)
        return -ENOENT;
    if (!fb.width || !fb.height || fb.width > SIDE_MAX || fb.height > SIDE_MAX || !fb.pitch ||
        !gt_range_ok(fb.offset, (uint64_t)fb.pitch * fb.height, b->memory.size))
        return -EINVAL;
    copy = malloc(sizeof(*copy));
    if (!copy)
        return -ENOMEM;
    *copy = fb;
    copy->bo = shim_bo_ref(b);
    rc = shim_table_add(&kms.fbs, copy, KMS_FIRST_FREE, id);
    if (rc) {
        shim_bo_unref(b);
        free(copy);
    }
    return rc;
}

/* Without a modifier the object's own tiling counts. */
static uint64_t implied_modifier(struct shim_file *f, uint32_t handle)
{
    static const uint64_t modifier[] = {[I915_TILING_NONE] = DRM_FORMAT_MOD_LINEAR,
                                        [I915_TILING_X] = I915_FORMAT_MOD_X_TILED,
                                        [I915_TILING_Y] = I915_FORMAT_MOD_Y_TILED};
    const struct shim_bo *b = shim_file_bo(f, handle);

    return b ? modifier[b->tiling] : DRM_FORMAT_MOD_LINEAR;
}

int kms_add_fb(struct shim_file *f, void *arg)
{
    struct drm_mode_fb_cmd *a = arg;
    uint32_t format = a->bpp == 16 ? DRM_FORMAT_RGB565 : a->depth == 32 ? DRM_FORMAT_ARGB8888 : DRM_FORMAT_XRGB8888;

    if (a->bpp != 16 && a->bpp != 32)
        return -EINVAL;
    return add_fb(f,
                  (struct shim_fb){.width = a->width,
                                   .height = a->height,
                                   .pitch = a->pitch,
                                   .format = format,
                                   .modifier = implied_modifier(f, a->handle)},
                  a->handle, &a->fb_id);
}

static bool known_modifier(uint64_t m)
{
    return m == DRM_FORMAT_MOD_LINEAR || m == I915_FORMAT_MOD_X_TILED || m == I915_FORMAT_MOD_Y_TILED ||
           m == I915_FORMAT_MOD_Y_TILED_CCS;
}

int kms_add_fb2(struct shim_file *f, void *arg)
{
    struct drm_mode_fb_cmd2 *a = arg;
    bool explicit = a->flags & DRM_MODE_FB_MODIFIERS;

    if (explicit && !known_modifier(a->modifier[0]))
        return -EINVAL;
    return add_fb(f,
                  (struct shim_fb){.width = a->width,
                                   .height = a->height,
                                   .pitch = a->pitches[0],
                                   .offset = a->offsets[0],
                                   .format = a->pixel_format,
                                   .modifier = explicit ? a->modifier[0] : implied_modifier(f, a->handles[0])},
                  a->handles[0], &a->fb_id);
}

int kms_remove_fb(struct shim_file *f, void *arg)
{
    uint32_t id = *(uint32_t *)arg;
    struct shim_fb *fb = shim_table_take(&kms.fbs, id);

    (void)f;
    if (!fb)
        return -ENOENT;
    if (kms.fb == id)
        kms.fb = 0;
    shim_bo_unref(fb->bo);
    free(fb);
    return 0;
}

/* ---- showing them */

/* Waits until the frame limit lets one more be shown. */
static void wait_for_frame(void)
{
    uint64_t now = gt_clock_ns(), due = shim_frame_due(now);

    while (now < due) {
        shim_wait_change((int64_t)due);
        now = gt_clock_ns();
    }
}

int kms_show(uint32_t id)
{
    struct shim_fb *fb = shim_table_get(&kms.fbs, id);
    int rc;

    if (!fb)
        return -ENOENT;
    rc = shim_wait_job(fb->bo->job, shim_deadline(-1));
    if (!rc)
        wait_for_frame();
    if (rc || shim_table_get(&kms.fbs, id) != fb)
        return rc ? rc : -ENOENT;
    kms.fb = id;
    kms.sequence++;
    if (shim.png && shim.png_left) {
        shim.png_left--;
        shim_frame_write(fb);
    }
    return 0;
}

int kms_set_crtc(struct shim_file *f, void *arg)
{
    const struct drm_mode_crtc *a = arg;

    (void)f;
    if (a->crtc_id != KMS_CRTC)
        return -ENOENT;
    kms.active = a->mode_valid;
    if (!a->mode_valid || !a->fb_id) {
        kms.fb = 0;
        return 0;
    }
    return a->fb_id == UINT32_MAX ? 0 : kms_show(a->fb_id);
}

int kms_event(struct shim_file *f, uint32_t type, uint64_t user_data)
{
    struct shim_event *e = calloc(1, sizeof(*e));
    uint64_t now = gt_clock_ns();
    const uint64_t one = 1;

    if (!e)
        return -ENOMEM;
    e->event = (struct drm_event_vblank){
        .base = {.type = type, .length = sizeof(e->event)},
        .user_data = user_data,
        .tv_sec = (uint32_t)(now / 1000000000),
        .tv_usec = (uint32_t)(now / 1000 % 1000000),
        .sequence = kms.sequence,
        .crtc_id = KMS_CRTC,
    };
    *f->events_end = e;
    f->events_end = &e->next;
    return write(f->event_fd, &one, sizeof(one)) == sizeof(one) ? 0 : -EIO;
}

int kms_page_flip(struct shim_file *f, void *arg)
{
    const struct drm_mode_crtc_page_flip *a = arg;
    int rc;

    if (a->crtc_id != KMS_CRTC)
        return -ENOENT;
    rc = kms_show(a->fb_id);
    if (!rc && (a->flags & DRM_MODE_PAGE_FLIP_EVENT))
        rc = kms_event(f, DRM_EVENT_FLIP_COMPLETE, a->user_data);
    return rc;
}

/* The next vertical blank is now. */
int kms_wait_vblank(struct shim_file *f, void *arg)
{
    union drm_wait_vblank *a = arg;
    bool event = a->request.type & _DRM_VBLANK_EVENT;
    uint64_t now = gt_clock_ns();
    int rc;

    kms.sequence++;
    rc = event ? kms_event(f, DRM_EVENT_VBLANK, a->request.signal) : 0;
    a->reply.sequence = kms.sequence;
    a->reply.tval_sec = (long)(now / 1000000000);
    a->reply.tval_usec = (long)(now / 1000 % 1000000);
    return rc;
}

size_t shim_events_read(struct shim_file *f, void *buf, size_t n)
{
    size_t done = 0;
    uint64_t count;

    while (f->events && n - done >= sizeof(f->events->event)) {
        struct shim_event *e = f->events;

        memcpy((uint8_t *)buf + done, &e->event, sizeof(e->event));
        done += sizeof(e->event);
        f->events = e->next;
        free(e);
    }
    if (f->events)
        return done;
    f->events_end = &f->events;
    if (read(f->event_fd, &count, sizeof(count)) < 0)
        return done; /* was not readable: nothing to take back */
    return done;
}

/* ---- dumb buffers */

int kms_create_dumb(struct shim_file *f, void *arg)
{
    struct drm_mode_create_dumb *a = arg;
    struct shim_bo *b;
    int rc;

    if (!a->width || !a->height || !a->bpp || a->width > 65536 || a->height > 65536 || a->bpp > 128)
        return -EINVAL;
    a->pitch = (a->width * ((a->bpp + 7) / 8) + 63) & ~63u;
    rc = shim_bo_create(&b, (uint64_t)a->pitch * a->height);
    if (rc)
        return rc;
    a->size = b->memory.size;
    return shim_handle_new(f, b, &a->handle);
}

int kms_map_dumb(struct shim_file *f, void *arg)
{
    struct drm_mode_map_dumb *a = arg;
    const struct shim_bo *b = shim_file_bo(f, a->handle);

    if (!b || b->fd < 0)
        return -ENOENT;
    a->offset = (uint64_t)b->index << SHIM_MMAP_SHIFT;
    return 0;
}

int kms_destroy_dumb(struct shim_file *f, void *arg)
{
    struct drm_gem_close close = {.handle = ((const struct drm_mode_destroy_dumb *)arg)->handle};

    return drm_gem_close(f, &close);
}
