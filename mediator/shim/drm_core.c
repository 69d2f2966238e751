/* DRM core: who we are, what we can do, sharing of buffers. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "mediator/shim/ioctls.h"
#include "vgpu/base/bits.h"

#define UNIQUE "pci:0000:00:02.0"

int drm_nothing(struct shim_file *f, void *arg)
{
    (void)f;
    (void)arg;
    return 0;
}

/* As the kernel: as much of the text as there is room for, and how long it is. */
static void put_text(char *to, size_t *room, const char *text)
{
    size_t n = strlen(text);

    if (to && *room)
        memcpy(to, text, GT_MIN(n, *room));
    *room = n;
}

int drm_version(struct shim_file *f, void *arg)
{
    struct drm_version *a = arg;
    size_t name = a->name_len, date = a->date_len, desc = a->desc_len;

    (void)f;
    a->version_major = 1;
    a->version_minor = 6;
    a->version_patchlevel = 0;
    put_text(a->name, &name, "i915");
    put_text(a->date, &date, "20201103");
    put_text(a->desc, &desc, "Intel Graphics");
    a->name_len = name;
    a->date_len = date;
    a->desc_len = desc;
    return 0;
}

int drm_get_unique(struct shim_file *f, void *arg)
{
    struct drm_unique *a = arg;
    size_t n = a->unique_len;

    put_text(a->unique, &n, f->named ? UNIQUE : ""); /* libdrm's drmOpenByName passes over devices with a name */
    a->unique_len = n;
    return 0;
}

int drm_get_magic(struct shim_file *f, void *arg)
{
    (void)f;
    ((struct drm_auth *)arg)->magic = 1;
    return 0;
}

int drm_set_version(struct shim_file *f, void *arg)
{
    struct drm_set_version *a = arg;

    f->named = true;
    *a = (struct drm_set_version){.drm_di_major = 1, .drm_di_minor = 4, .drm_dd_major = 1, .drm_dd_minor = 6};
    return 0;
}

int drm_get_cap(struct shim_file *f, void *arg)
{
    struct drm_get_cap *a = arg;

    (void)f;
    switch (a->capability) {
    case DRM_CAP_PRIME:
        a->value = DRM_PRIME_CAP_IMPORT | DRM_PRIME_CAP_EXPORT;
        return 0;
    case DRM_CAP_DUMB_BUFFER:
    case DRM_CAP_TIMESTAMP_MONOTONIC:
    case DRM_CAP_ADDFB2_MODIFIERS:
    case DRM_CAP_ASYNC_PAGE_FLIP:
    case DRM_CAP_CRTC_IN_VBLANK_EVENT:
    case DRM_CAP_SYNCOBJ:
    case DRM_CAP_SYNCOBJ_TIMELINE:
        a->value = 1;
        return 0;
    case DRM_CAP_DUMB_PREFERRED_DEPTH:
        a->value = 24;
        return 0;
    case DRM_CAP_CURSOR_WIDTH:
    case DRM_CAP_CURSOR_HEIGHT:
        a->value = 256;
        return 0;
    default:
        a->value = 0;
        return 0;
    }
}

int drm_set_client_cap(struct shim_file *f, void *arg)
{
    const struct drm_set_client_cap *a = arg;

    switch (a->capability) {
    case DRM_CLIENT_CAP_UNIVERSAL_PLANES:
    case DRM_CLIENT_CAP_ATOMIC:
        if (!f->primary || a->value > 2)
            return -EINVAL;
        f->universal_planes = a->value;
        return 0;
    case DRM_CLIENT_CAP_ASPECT_RATIO:
        return 0;
    default:
        return -EOPNOTSUPP;
    }
}

int drm_gem_close(struct shim_file *f, void *arg)
{
    struct shim_bo *b = shim_table_take(&f->bos, ((const struct drm_gem_close *)arg)->handle);

    if (!b)
        return -EINVAL;
    shim_bo_unref(b);
    return 0;
}

/* The memfd itself plays the dma-buf. */
int drm_prime_handle_to_fd(struct shim_file *f, void *arg)
{
    struct drm_prime_handle *a = arg;
    struct shim_bo *b = shim_file_bo(f, a->handle);

    if (!b)
        return -ENOENT;
    if (b->fd < 0 || (a->flags & ~(uint32_t)(DRM_CLOEXEC | DRM_RDWR)))
        return -EINVAL;
    b->shared = true;
    a->fd = fcntl(b->fd, a->flags & DRM_CLOEXEC ? F_DUPFD_CLOEXEC : F_DUPFD, 3);
    return a->fd < 0 ? -errno : 0;
}

/* An object has one handle in a file, however often it is imported. */
int drm_prime_fd_to_handle(struct shim_file *f, void *arg)
{
    struct drm_prime_handle *a = arg;
    struct shim_bo *b;
    int rc = shim_bo_import(&b, a->fd);

    if (rc)
        return rc;
    b->shared = true;
    for (uint32_t i = 1; i < f->bos.size; i++) {
        if (f->bos.slot[i] == b) {
            shim_bo_unref(b);
            a->handle = i;
            return 0;
        }
    }
    return shim_handle_new(f, b, &a->handle);
}
