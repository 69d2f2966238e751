/* Properties of the screen's objects, blobs, and atomic commits. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/shim/ioctls.h"
#include "mediator/shim/kms_objects.h"
#include "vgpu/base/bits.h"

#define BLOB_MAX    65536u
#define OBJECTS_MAX 64u
#define PROPS_MAX   256u

enum {
    PROP_CRTC_ID = 60,
    PROP_DPMS,
    PROP_MODE_ID,
    PROP_ACTIVE,
    PROP_OUT_FENCE_PTR,
    PROP_TYPE,
    PROP_FB_ID,
    PROP_IN_FENCE_FD,
    PROP_CRTC_X,
    PROP_CRTC_Y,
    PROP_CRTC_W,
    PROP_CRTC_H,
    PROP_SRC_X,
    PROP_SRC_Y,
    PROP_SRC_W,
    PROP_SRC_H,
    PROP_IN_FORMATS,
};

static const struct prop {
    uint32_t id, object, flags;
    const char *name;
    uint64_t min, max; /* of ranges; of object properties min is the type */
} props[] = {
    {PROP_CRTC_ID, KMS_CONNECTOR, DRM_MODE_PROP_ATOMIC | DRM_MODE_PROP_OBJECT, "CRTC_ID", DRM_MODE_OBJECT_CRTC, 0},
    {PROP_DPMS, KMS_CONNECTOR, DRM_MODE_PROP_RANGE, "DPMS", 0, 3},
    {PROP_MODE_ID, KMS_CRTC, DRM_MODE_PROP_ATOMIC | DRM_MODE_PROP_BLOB, "MODE_ID", 0, 0},
    {PROP_ACTIVE, KMS_CRTC, DRM_MODE_PROP_ATOMIC | DRM_MODE_PROP_RANGE, "ACTIVE", 0, 1},
    {PROP_OUT_FENCE_PTR, KMS_CRTC, DRM_MODE_PROP_ATOMIC | DRM_MODE_PROP_RANGE, "OUT_FENCE_PTR", 0, UINT64_MAX},
    {PROP_TYPE, KMS_PLANE, DRM_MODE_PROP_IMMUTABLE | DRM_MODE_PROP_ENUM, "type", 0, 2},
    {PROP_FB_ID, KMS_PLANE, DRM_MODE_PROP_ATOMIC | DRM_MODE_PROP_OBJECT, "FB_ID", DRM_MODE_OBJECT_FB, 0},
    {PROP_IN_FENCE_FD, KMS_PLANE, DRM_MODE_PROP_ATOMIC | DRM_MODE_PROP_SIGNED_RANGE, "IN_FENCE_FD", UINT64_MAX,
     INT32_MAX},
    {PROP_CRTC_ID, KMS_PLANE, DRM_MODE_PROP_ATOMIC | DRM_MODE_PROP_OBJECT, "CRTC_ID", DRM_MODE_OBJECT_CRTC, 0},
    {PROP_CRTC_X, KMS_PLANE, DRM_MODE_PROP_ATOMIC | DRM_MODE_PROP_SIGNED_RANGE, "CRTC_X", (uint64_t)INT32_MIN,
     INT32_MAX},
    {PROP_CRTC_Y, KMS_PLANE, DRM_MODE_PROP_ATOMIC | DRM_MODE_PROP_SIGNED_RANGE, "CRTC_Y", (uint64_t)INT32_MIN,
     INT32_MAX},
    {PROP_CRTC_W, KMS_PLANE, DRM_MODE_PROP_ATOMIC | DRM_MODE_PROP_RANGE, "CRTC_W", 0, INT32_MAX},
    {PROP_CRTC_H, KMS_PLANE, DRM_MODE_PROP_ATOMIC | DRM_MODE_PROP_RANGE, "CRTC_H", 0, INT32_MAX},
    {PROP_SRC_X, KMS_PLANE, DRM_MODE_PROP_ATOMIC | DRM_MODE_PROP_RANGE, "SRC_X", 0, UINT32_MAX},
    {PROP_SRC_Y, KMS_PLANE, DRM_MODE_PROP_ATOMIC | DRM_MODE_PROP_RANGE, "SRC_Y", 0, UINT32_MAX},
    {PROP_SRC_W, KMS_PLANE, DRM_MODE_PROP_ATOMIC | DRM_MODE_PROP_RANGE, "SRC_W", 0, UINT32_MAX},
    {PROP_SRC_H, KMS_PLANE, DRM_MODE_PROP_ATOMIC | DRM_MODE_PROP_RANGE, "SRC_H", 0, UINT32_MAX},
    {PROP_IN_FORMATS, KMS_PLANE, DRM_MODE_PROP_IMMUTABLE | DRM_MODE_PROP_BLOB, "IN_FORMATS", 0, 0},
};

/* ---- blobs */

struct blob {
    uint32_t size;
    uint8_t data[];
};

uint32_t kms_blob_new(const void *data, uint32_t size)
{
    struct blob *b = malloc(sizeof(*b) + size);
    uint32_t id;

    if (!b)
        return 0;
    b->size = size;
    memcpy(b->data, data, size);
    if (shim_table_add(&kms.blobs, b, KMS_FIRST_FREE, &id)) {
        free(b);
        return 0;
    }
    return id;
}

int kms_get_blob(struct shim_file *f, void *arg)
{
    struct drm_mode_get_blob *a = arg;
    const struct blob *b = shim_table_get(&kms.blobs, a->blob_id);

    (void)f;
    if (!b)
        return -ENOENT;
    if (a->data && a->length)
        memcpy(SHIM_PTR(a->data), b->data, GT_MIN(a->length, b->size));
    a->length = b->size;
    return 0;
}

int kms_create_blob(struct shim_file *f, void *arg)
{
    struct drm_mode_create_blob *a = arg;

    (void)f;
    if (!a->length || a->length > BLOB_MAX)
        return -EINVAL;
    a->blob_id = kms_blob_new(SHIM_PTR(a->data), a->length);
    return a->blob_id ? 0 : -ENOMEM;
}

int kms_destroy_blob(struct shim_file *f, void *arg)
{
    struct blob *b = shim_table_take(&kms.blobs, ((const struct drm_mode_destroy_blob *)arg)->blob_id);

    (void)f;
    free(b);
    return b ? 0 : -ENOENT;
}

/* struct drm_format_modifier_blob with every format in every tiling that frames can be read in. */
static uint32_t formats_blob(void)
{
    static const uint32_t format[] = {DRM_FORMAT_XRGB8888, DRM_FORMAT_ARGB8888, DRM_FORMAT_XBGR8888,
                                      DRM_FORMAT_ABGR8888};
    static const uint64_t modifier[] = {DRM_FORMAT_MOD_LINEAR, I915_FORMAT_MOD_X_TILED, I915_FORMAT_MOD_Y_TILED};
    struct {
        struct drm_format_modifier_blob head;
        uint32_t format[GT_ARRAY_SIZE(format)];
        struct drm_format_modifier modifier[GT_ARRAY_SIZE(modifier)];
    } b = {.head = {.version = FORMAT_BLOB_CURRENT, .count_formats = GT_ARRAY_SIZE(format)}};

    b.head.formats_offset = (uint32_t)((uint8_t *)b.format - (uint8_t *)&b);
    b.head.count_modifiers = GT_ARRAY_SIZE(modifier);
    b.head.modifiers_offset = (uint32_t)((uint8_t *)b.modifier - (uint8_t *)&b);
    memcpy(b.format, format, sizeof(format));
    for (size_t i = 0; i < GT_ARRAY_SIZE(modifier); i++)
        b.modifier[i] =
            (struct drm_format_modifier){.formats = GT_BIT(GT_ARRAY_SIZE(format)) - 1, .modifier = modifier[i]};
    if (!kms.formats_blob)
        kms.formats_blob = kms_blob_new(&b, sizeof(b));
    return kms.formats_blob;
}

static uint32_t mode_blob(void)
{
    struct drm_mode_modeinfo m;

    kms_mode(&m);
    if (!kms.mode_blob)
        kms.mode_blob = kms_blob_new(&m, sizeof(m));
    return kms.mode_blob;
}

/* ---- values */

static uint64_t value_of(const struct prop *p)
{
    switch (p->id) {
    case PROP_CRTC_ID:
        return kms.fb || p->object == KMS_CONNECTOR ? KMS_CRTC : 0;
    case PROP_MODE_ID:
        return mode_blob();
    case PROP_ACTIVE:
        return kms.active;
    case PROP_TYPE:
        return 1; /* index in plane_types */
    case PROP_FB_ID:
        return kms.fb;
    case PROP_IN_FENCE_FD:
        return UINT64_MAX;
    case PROP_CRTC_W:
        return shim.width;
    case PROP_CRTC_H:
        return shim.height;
    case PROP_SRC_W:
        return (uint64_t)shim.width << 16;
    case PROP_SRC_H:
        return (uint64_t)shim.height << 16;
    case PROP_IN_FORMATS:
        return formats_blob();
    default:
        return 0;
    }
}

int kms_get_properties(struct shim_file *f, void *arg)
{
    struct drm_mode_obj_get_properties *a = arg;
    uint32_t *id = SHIM_PTR(a->props_ptr), room = a->count_props;
    uint64_t *value = SHIM_PTR(a->prop_values_ptr);

    (void)f;
    a->count_props = 0;
    for (size_t i = 0; i < GT_ARRAY_SIZE(props); i++) {
        if (props[i].object != a->obj_id)
            continue;
        if (id && value && a->count_props < room) {
            id[a->count_props] = props[i].id;
            value[a->count_props] = value_of(&props[i]);
        }
        a->count_props++;
    }
    return 0;
}

static const char *const plane_types[] = {"Overlay", "Primary", "Cursor"};

static void put_enums(struct drm_mode_get_property *a)
{
    struct drm_mode_property_enum *out = SHIM_PTR(a->enum_blob_ptr);

    for (uint32_t i = 0; out && i < GT_MIN((size_t)a->count_enum_blobs, GT_ARRAY_SIZE(plane_types)); i++) {
        out[i] = (struct drm_mode_property_enum){.value = i};
        strncpy(out[i].name, plane_types[i], sizeof(out[i].name) - 1);
    }
    a->count_enum_blobs = GT_ARRAY_SIZE(plane_types);
}

static void put_limits(struct drm_mode_get_property *a, const struct prop *p, uint32_t count)
{
    uint64_t *out = SHIM_PTR(a->values_ptr);

    if (out && a->count_values >= count && count) {
        out[0] = p->min;
        if (count > 1)
            out[1] = p->max;
    }
    a->count_values = count;
}

int kms_get_property(struct shim_file *f, void *arg)
{
    struct drm_mode_get_property *a = arg;
    const struct prop *p = NULL;

    (void)f;
    for (size_t i = 0; i < GT_ARRAY_SIZE(props) && !p; i++)
        if (props[i].id == a->prop_id)
            p = &props[i];
    if (!p)
        return -ENOENT;
    memset(a->name, 0, sizeof(a->name));
    strncpy(a->name, p->name, sizeof(a->name) - 1);
    a->flags = p->flags;
    if (p->flags & DRM_MODE_PROP_ENUM)
        put_enums(a);
    else
        a->count_enum_blobs = 0;
    put_limits(a, p,
               p->flags & DRM_MODE_PROP_BLOB                               ? 0
               : (p->flags & DRM_MODE_PROP_OBJECT) == DRM_MODE_PROP_OBJECT ? 1
                                                                           : 2);
    return 0;
}

/* ---- atomic commits */

struct commit {
    uint32_t fb;
    bool has_fb, has_active, active;
    int32_t *out_fence;
};

static int take_value(struct commit *c, uint32_t object, uint32_t prop, uint64_t value)
{
    bool known = false;

    for (size_t i = 0; i < GT_ARRAY_SIZE(props); i++)
        known |= props[i].object == object && props[i].id == prop;
    if (!known)
        return -ENOENT;
    if (prop == PROP_FB_ID) {
        c->has_fb = true;
        c->fb = (uint32_t)value;
        if (value && !shim_table_get(&kms.fbs, c->fb))
            return -EINVAL;
    } else if (prop == PROP_ACTIVE) {
        c->has_active = true;
        c->active = value;
    } else if (prop == PROP_OUT_FENCE_PTR) {
        c->out_fence = SHIM_PTR(value);
    } else if (prop == PROP_MODE_ID && value && !shim_table_get(&kms.blobs, (uint32_t)value)) {
        return -EINVAL;
    }
    return 0;
}

static int take_all(struct commit *c, const struct drm_mode_atomic *a)
{
    const uint32_t *object = SHIM_PTR(a->objs_ptr), *count = SHIM_PTR(a->count_props_ptr),
                   *prop = SHIM_PTR(a->props_ptr);
    const uint64_t *value = SHIM_PTR(a->prop_values_ptr);
    int rc = 0;

    for (uint32_t i = 0, at = 0; i < a->count_objs && !rc; i++) {
        if (count[i] > PROPS_MAX)
            return -EINVAL;
        for (uint32_t k = 0; k < count[i] && !rc; k++, at++)
            rc = take_value(c, object[i], prop[at], value[at]);
    }
    return rc;
}

/* The picture is shown when this returns, so its fence is done. */
static int give_fence(int32_t *out)
{
    struct shim_fence *f = shim_fence_new(0);

    if (!f)
        return -ENOMEM;
    *out = shim_fence_fd(f);
    shim_fence_unref(f);
    return *out < 0 ? *out : 0;
}

int kms_atomic(struct shim_file *f, void *arg)
{
    const struct drm_mode_atomic *a = arg;
    struct commit c = {0};
    int rc;

    if (a->count_objs > OBJECTS_MAX)
        return -EINVAL;
    rc = take_all(&c, a);
    if (rc || (a->flags & DRM_MODE_ATOMIC_TEST_ONLY))
        return rc;
    if (c.has_active)
        kms.active = c.active;
    if (c.has_fb && c.fb)
        rc = kms_show(c.fb);
    else if (c.has_fb)
        kms.fb = 0;
    if (!rc && c.out_fence)
        rc = give_fence(c.out_fence);
    if (!rc && (a->flags & DRM_MODE_PAGE_FLIP_EVENT))
        rc = kms_event(f, DRM_EVENT_FLIP_COMPLETE, a->user_data);
    return rc;
}
