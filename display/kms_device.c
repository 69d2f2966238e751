/* Finding a monitor and the parts of the display engine that drive it; what they did before. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <drm_fourcc.h>

#include "display/kms_internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"

#define CARDS_MAX 16

/* ---- properties */

/* The id of a property of an object, and its value; 0: it has none of this name. */
static uint32_t find_property(int fd, uint32_t object, uint32_t type, const char *name, uint64_t *value)
{
    drmModeObjectProperties *all = drmModeObjectGetProperties(fd, object, type);
    uint32_t id = 0;

    for (uint32_t i = 0; all && i < all->count_props && !id; i++) {
        drmModePropertyRes *p = drmModeGetProperty(fd, all->props[i]);

        if (p && !strcmp(p->name, name)) {
            id = p->prop_id;
            if (value)
                *value = all->prop_values[i];
        }
        drmModeFreeProperty(p);
    }
    drmModeFreeObjectProperties(all);
    return id;
}

/* The value of an enum property by its name; UINT64_MAX: it has none. */
static uint64_t enum_value(int fd, uint32_t property, const char *name)
{
    drmModePropertyRes *p = property ? drmModeGetProperty(fd, property) : NULL;
    uint64_t value = UINT64_MAX;

    for (int i = 0; p && i < p->count_enums; i++)
        if (!strcmp(p->enums[i].name, name))
            value = p->enums[i].value;
    drmModeFreeProperty(p);
    return value;
}

/* ---- planes */

static bool add_format(struct kms_plane *p, uint32_t fourcc, uint64_t modifier)
{
    struct kms_format *more = realloc(p->format, (p->nformats + 1) * sizeof(*more));

    if (!more)
        return false;
    p->format = more;
    p->format[p->nformats++] = (struct kms_format){fourcc, modifier};
    return true;
}

/* The blob of property IN_FORMATS: each modifier has a bit mask over 64 formats. */
static void add_blob_formats(struct kms_plane *p, const drmModePropertyBlobRes *blob)
{
    const struct drm_format_modifier_blob *h = blob->data;
    const uint32_t *fourcc = (const uint32_t *)(const void *)((const char *)blob->data + h->formats_offset);
    const struct drm_format_modifier *m =
        (const struct drm_format_modifier *)(const void *)((const char *)blob->data + h->modifiers_offset);

    for (uint32_t i = 0; i < h->count_modifiers; i++)
        for (uint32_t bit = 0; bit < 64; bit++)
            if (m[i].formats >> bit & 1 && m[i].offset + bit < h->count_formats)
                add_format(p, fourcc[m[i].offset + bit], m[i].modifier);
}

static void read_formats(struct kms *k, struct kms_plane *p, const drmModePlane *plane)
{
    uint64_t value = 0;
    drmModePropertyBlobRes *blob = NULL;

    if (k->addfb_modifiers && find_property(k->fd, p->id, DRM_MODE_OBJECT_PLANE, "IN_FORMATS", &value))
        blob = drmModeGetPropertyBlob(k->fd, (uint32_t)value);
    if (blob)
        add_blob_formats(p, blob);
    for (uint32_t i = 0; !blob && i < plane->count_formats; i++)
        add_format(p, plane->formats[i], DRM_FORMAT_MOD_LINEAR);
    drmModeFreePropertyBlob(blob);
}

bool kms_plane_takes(const struct kms_plane *p, uint32_t fourcc, uint64_t modifier)
{
    for (size_t i = 0; i < p->nformats; i++)
        if (p->format[i].fourcc == fourcc && p->format[i].modifier == modifier)
            return true;
    return false;
}

static void take_plane(struct kms *k, struct kms_plane *p, const drmModePlane *plane)
{
    const struct {
        const char *name;
        uint32_t *id;
    } rows[] = {
        {"FB_ID", &p->fb},      {"CRTC_ID", &p->crtc},  {"SRC_X", &p->src_x},   {"SRC_Y", &p->src_y},
        {"SRC_W", &p->src_w},   {"SRC_H", &p->src_h},   {"CRTC_X", &p->crtc_x}, {"CRTC_Y", &p->crtc_y},
        {"CRTC_W", &p->crtc_w}, {"CRTC_H", &p->crtc_h}, {"alpha", &p->alpha},   {"pixel blend mode", &p->blend},
    };
    static const char *const modes[] = {
        [DISPLAY_OPAQUE] = "None", [DISPLAY_PREMULTIPLIED] = "Pre-multiplied", [DISPLAY_COVERAGE] = "Coverage"};

    p->id = plane->plane_id;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++)
        *rows[i].id = find_property(k->fd, p->id, DRM_MODE_OBJECT_PLANE, rows[i].name, NULL);
    for (unsigned i = 0; i < GT_ARRAY_SIZE(modes); i++)
        p->blend_value[i] = enum_value(k->fd, p->blend, modes[i]);
    find_property(k->fd, p->id, DRM_MODE_OBJECT_PLANE, "zpos", &p->zpos);
    read_formats(k, p, plane);
}

/* Keeps the overlay planes in the order in which they are shown: by zpos, and those of one zpos by their ids
 * (drm_blend.c). */
static void take_overlay(struct kms *k, const drmModePlane *plane)
{
    struct kms_plane p = {0};
    unsigned i = k->noverlays;

    if (k->noverlays == KMS_OVERLAYS || (plane->crtc_id && plane->crtc_id != k->crtc))
        return;
    take_plane(k, &p, plane);
    for (; i && (k->overlay[i - 1].zpos > p.zpos || (k->overlay[i - 1].zpos == p.zpos && k->overlay[i - 1].id > p.id));
         i--)
        k->overlay[i] = k->overlay[i - 1];
    k->overlay[i] = p;
    k->noverlays++;
}

/* The first primary and the first cursor plane that the CRTC can have, and overlay planes. */
static int find_planes(struct kms *k, unsigned crtc_index)
{
    drmModePlaneRes *all = drmModeGetPlaneResources(k->fd);

    for (uint32_t i = 0; all && i < all->count_planes; i++) {
        drmModePlane *plane = drmModeGetPlane(k->fd, all->planes[i]);
        uint64_t type = UINT64_MAX;

        if (plane && (plane->possible_crtcs >> crtc_index & 1))
            find_property(k->fd, plane->plane_id, DRM_MODE_OBJECT_PLANE, "type", &type);
        if (type == DRM_PLANE_TYPE_PRIMARY && !k->primary.id)
            take_plane(k, &k->primary, plane);
        else if (type == DRM_PLANE_TYPE_CURSOR && !k->cursor.id)
            take_plane(k, &k->cursor, plane);
        else if (type == DRM_PLANE_TYPE_OVERLAY)
            take_overlay(k, plane);
        drmModeFreePlane(plane);
    }
    drmModeFreePlaneResources(all);
    return k->primary.id ? 0 : -ENODEV;
}

/* ---- connector and CRTC */

static void connector_name(const drmModeConnector *c, char *out, size_t size)
{
    const char *type = drmModeGetConnectorTypeName(c->connector_type);

    snprintf(out, size, "%s-%u", type ? type : "Unknown", c->connector_type_id);
}

static bool connector_wanted(const struct kms *k, const drmModeConnector *c)
{
    char name[48];

    connector_name(c, name, sizeof(name));
    if (k->opt.connector)
        return !strcmp(k->opt.connector, name);
    return c->connection == DRM_MODE_CONNECTED && c->connector_type != DRM_MODE_CONNECTOR_WRITEBACK;
}

/* The CRTC that drives the connector, else one that can and drives nothing. Its index, or -1. */
static int find_crtc(struct kms *k, const drmModeRes *res, const drmModeConnector *c)
{
    drmModeEncoder *now = c->encoder_id ? drmModeGetEncoder(k->fd, c->encoder_id) : NULL;
    uint32_t current = now ? now->crtc_id : 0, possible = 0;

    drmModeFreeEncoder(now);
    for (int i = 0; i < c->count_encoders; i++) {
        drmModeEncoder *e = drmModeGetEncoder(k->fd, c->encoders[i]);

        possible |= e ? e->possible_crtcs : 0;
        drmModeFreeEncoder(e);
    }
    for (int i = 0; current && i < res->count_crtcs; i++)
        if (res->crtcs[i] == current)
            return i;
    for (int i = 0; i < res->count_crtcs; i++) {
        uint64_t active = 0;

        if (!(possible >> i & 1))
            continue;
        find_property(k->fd, res->crtcs[i], DRM_MODE_OBJECT_CRTC, "ACTIVE", &active);
        if (!active)
            return i;
    }
    return -1;
}

static int take_connector(struct kms *k, const drmModeRes *res, const drmModeConnector *c)
{
    int index = find_crtc(k, res, c);
    size_t used = strlen(k->name);

    if (index < 0)
        return -EBUSY;
    k->connector = c->connector_id;
    k->crtc = res->crtcs[index];
    k->connector_crtc = find_property(k->fd, k->connector, DRM_MODE_OBJECT_CONNECTOR, "CRTC_ID", NULL);
    k->crtc_mode = find_property(k->fd, k->crtc, DRM_MODE_OBJECT_CRTC, "MODE_ID", NULL);
    k->crtc_active = find_property(k->fd, k->crtc, DRM_MODE_OBJECT_CRTC, "ACTIVE", NULL);
    k->modes = calloc((size_t)c->count_modes + 1, sizeof(*k->modes));
    if (!k->modes)
        return -ENOMEM;
    k->nmodes = c->count_modes;
    memcpy(k->modes, c->modes, (size_t)c->count_modes * sizeof(*k->modes));
    connector_name(c, k->name + used, sizeof(k->name) - used);
    return find_planes(k, (unsigned)index);
}

/* 0; -ENOENT: no such connector here; -errno. */
static int find_on_device(struct kms *k)
{
    drmModeRes *res = drmModeGetResources(k->fd);
    uint64_t value = 0;
    int ret = -ENOENT;

    k->addfb_modifiers = !drmGetCap(k->fd, DRM_CAP_ADDFB2_MODIFIERS, &value) && value;
    k->cursor_width = drmGetCap(k->fd, DRM_CAP_CURSOR_WIDTH, &value) ? 64 : (uint32_t)value;
    k->cursor_height = drmGetCap(k->fd, DRM_CAP_CURSOR_HEIGHT, &value) ? 64 : (uint32_t)value;
    for (int i = 0; res && i < res->count_connectors && ret == -ENOENT; i++) {
        drmModeConnector *c = drmModeGetConnector(k->fd, res->connectors[i]);

        if (c && connector_wanted(k, c))
            ret = take_connector(k, res, c);
        drmModeFreeConnector(c);
    }
    drmModeFreeResources(res);
    return ret;
}

/* ---- device */

static int prepare_device(struct kms *k, const char *path)
{
    const char *base = path ? strrchr(path, '/') : NULL;

    snprintf(k->name, sizeof(k->name), "%.20s ", base ? base + 1 : "DRM device");
    if (drmSetClientCap(k->fd, DRM_CLIENT_CAP_UNIVERSAL_PLANES, 1) || drmSetClientCap(k->fd, DRM_CLIENT_CAP_ATOMIC, 1))
        return -EOPNOTSUPP;
    return find_on_device(k);
}

static int open_device(struct kms *k, const char *path)
{
    k->fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (k->fd < 0)
        return -errno;
    k->own_fd = true;
    int ret = prepare_device(k, path);

    if (!ret)
        return 0;
    close(k->fd);
    k->fd = -1;
    return ret;
}

static int open_first(struct kms *k)
{
    int ret = -ENOENT;

    for (unsigned i = 0; i < CARDS_MAX; i++) {
        char path[32];

        snprintf(path, sizeof(path), "/dev/dri/card%u", i);
        int now = open_device(k, path);

        if (!now)
            return 0;
        ret = now == -ENOENT ? ret : now;
    }
    return ret;
}

static const char *advice(int error)
{
    switch (error) {
    case ENOENT:
        return "no connected monitor was found; --connector=NAME takes one by name, /sys/class/drm lists them";
    case EACCES:
    case EPERM:
        return "the right to use the device is missing: run as root, or as a user of group video";
    case EBUSY:
        return "every display pipe that could drive it is in use";
    case EOPNOTSUPP:
        return "its driver has no atomic modesetting";
    default:
        return strerror(error);
    }
}

int kms_find(struct kms *k, char *err, size_t errsz)
{
    int ret;

    if (k->opt.fd >= 0) {
        k->fd = k->opt.fd;
        ret = prepare_device(k, NULL);
    } else {
        ret = k->opt.device ? open_device(k, k->opt.device) : open_first(k);
    }
    if (ret)
        snprintf(err, errsz, "cannot use %s: %s", k->opt.device ? k->opt.device : "a monitor", advice(-ret));
    return ret;
}

/* ---- modes */

/* Timings as of CVT with reduced blanking, where the monitor lists no such mode: virtual ones and many real ones take
 * them. */
static void make_mode(uint32_t width, uint32_t height, uint32_t mhz, drmModeModeInfo *m)
{
    *m = (drmModeModeInfo){
        .hdisplay = (uint16_t)width,
        .hsync_start = (uint16_t)(width + 48),
        .hsync_end = (uint16_t)(width + 80),
        .htotal = (uint16_t)(width + 160),
        .vdisplay = (uint16_t)height,
        .vsync_start = (uint16_t)(height + 3),
        .vsync_end = (uint16_t)(height + 8),
        .vtotal = (uint16_t)(height + 40),
        .vrefresh = (mhz + 500) / 1000,
        .flags = DRM_MODE_FLAG_PHSYNC | DRM_MODE_FLAG_NVSYNC,
        .type = DRM_MODE_TYPE_USERDEF,
    };
    m->clock = (uint32_t)((uint64_t)m->htotal * m->vtotal * mhz / 1000000);
    snprintf(m->name, sizeof(m->name), "%ux%u", width, height);
}

static uint32_t mode_mhz(const drmModeModeInfo *m)
{
    return m->htotal && m->vtotal ? (uint32_t)((uint64_t)m->clock * 1000000 / ((uint64_t)m->htotal * m->vtotal)) : 0;
}

bool kms_pick_mode(const struct kms *k, uint32_t width, uint32_t height, uint32_t mhz, drmModeModeInfo *out)
{
    const drmModeModeInfo *best = NULL;
    uint32_t best_off = UINT32_MAX;

    mhz = mhz >= 1000 && mhz <= 1000000 ? mhz : 60000;
    for (int i = 0; i < k->nmodes; i++) {
        const drmModeModeInfo *m = &k->modes[i];
        uint32_t rate = mode_mhz(m), off = rate > mhz ? rate - mhz : mhz - rate;

        if (m->hdisplay != width || m->vdisplay != height || (m->flags & DRM_MODE_FLAG_INTERLACE) || off >= best_off)
            continue;
        best = m;
        best_off = off;
    }
    if (best)
        *out = *best;
    else
        make_mode(width, height, mhz, out);
    return best != NULL;
}

/* ---- before and after */

static void save_property(struct kms *k, uint32_t object, uint32_t type, const char *name)
{
    struct kms_saved *s = &k->saved[k->nsaved];

    if (k->nsaved == KMS_SAVED_MAX)
        return;
    s->object = object;
    s->property = find_property(k->fd, object, type, name, &s->value);
    k->nsaved += s->property != 0;
}

static void save_plane(struct kms *k, const struct kms_plane *p)
{
    static const char *const names[] = {"FB_ID",  "CRTC_ID", "SRC_X",  "SRC_Y",  "SRC_W", "SRC_H",
                                        "CRTC_X", "CRTC_Y",  "CRTC_W", "CRTC_H", "alpha", "pixel blend mode"};

    for (unsigned i = 0; p->id && i < GT_ARRAY_SIZE(names); i++)
        save_property(k, p->id, DRM_MODE_OBJECT_PLANE, names[i]);
}

/* The mode's blob is gone once another mode is set, unless somebody holds it. */
static void keep_mode(struct kms *k)
{
    uint64_t id = 0;

    find_property(k->fd, k->crtc, DRM_MODE_OBJECT_CRTC, "MODE_ID", &id);
    drmModePropertyBlobRes *blob = id ? drmModeGetPropertyBlob(k->fd, (uint32_t)id) : NULL;

    if (blob && !drmModeCreatePropertyBlob(k->fd, blob->data, blob->length, &k->saved_blob))
        for (unsigned i = 0; i < k->nsaved; i++)
            if (k->saved[i].property == k->crtc_mode)
                k->saved[i].value = k->saved_blob;
    drmModeFreePropertyBlob(blob);
}

void kms_save(struct kms *k)
{
    save_property(k, k->connector, DRM_MODE_OBJECT_CONNECTOR, "CRTC_ID");
    save_property(k, k->crtc, DRM_MODE_OBJECT_CRTC, "MODE_ID");
    save_property(k, k->crtc, DRM_MODE_OBJECT_CRTC, "ACTIVE");
    save_plane(k, &k->primary);
    save_plane(k, &k->cursor);
    for (unsigned i = 0; i < k->noverlays; i++)
        save_plane(k, &k->overlay[i]);
    keep_mode(k);
}

static int commit_saved(struct kms *k, bool with_values)
{
    drmModeAtomicReq *req = drmModeAtomicAlloc();
    int ret = req ? 0 : -ENOMEM;

    for (unsigned i = 0; req && i < k->nsaved; i++)
        drmModeAtomicAddProperty(req, k->saved[i].object, k->saved[i].property, with_values ? k->saved[i].value : 0);
    if (req && drmModeAtomicCommit(k->fd, req, DRM_MODE_ATOMIC_ALLOW_MODESET, NULL))
        ret = -errno;
    drmModeAtomicFree(req);
    return ret;
}

/* A framebuffer of somebody who has gone cannot be shown again: then all is switched off, and the kernel's console, if
 * that was there, lights the screen when the device is closed. */
void kms_restore(struct kms *k)
{
    int ret = k->nsaved ? commit_saved(k, true) : 0;

    if (ret)
        ret = commit_saved(k, false);
    if (ret)
        gt_warn("kms: the screen cannot be put back: %s", strerror(-ret));
    if (k->saved_blob)
        drmModeDestroyPropertyBlob(k->fd, k->saved_blob);
}
