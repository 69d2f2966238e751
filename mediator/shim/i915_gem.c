/* Objects: create, map, read and write, wait. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/shim/ioctls.h"
#include "mediator/shim/shim.h"
#include "vgpu/base/bits.h"

#define EXTENSIONS_MAX 64u

/* Gives the object a handle; takes the reference over. */
int shim_handle_new(struct shim_file *f, struct shim_bo *b, uint32_t *handle)
{
    int rc = shim_table_add(&f->bos, b, 1, handle);

    if (rc)
        shim_bo_unref(b);
    return rc;
}

int i915_gem_create(struct shim_file *f, void *arg)
{
    struct drm_i915_gem_create *a = arg;
    struct shim_bo *b;
    int rc = shim_bo_create(&b, a->size);

    if (rc)
        return rc;
    a->size = b->memory.size;
    return shim_handle_new(f, b, &a->handle);
}

/* Of the extensions, Gen9 has memory regions (there is one), and none of the others. */
static int check_extensions(uint64_t at)
{
    for (unsigned n = 0; at; n++) {
        const struct i915_user_extension *e = SHIM_PTR(at);

        if (n == EXTENSIONS_MAX || e->name != I915_GEM_CREATE_EXT_MEMORY_REGIONS)
            return -EINVAL;
        at = e->next_extension;
    }
    return 0;
}

int i915_gem_create_ext(struct shim_file *f, void *arg)
{
    struct drm_i915_gem_create_ext *a = arg;
    struct shim_bo *b;
    int rc = a->flags ? -EINVAL : check_extensions(a->extensions);

    if (!rc)
        rc = shim_bo_create(&b, a->size);
    if (rc)
        return rc;
    a->size = b->memory.size;
    return shim_handle_new(f, b, &a->handle);
}

/* Probing, as the kernel does on request, is left to the first access. */
int i915_gem_userptr(struct shim_file *f, void *arg)
{
    struct drm_i915_gem_userptr *a = arg;
    struct shim_bo *b;
    int rc;

    if (a->flags & ~(I915_USERPTR_READ_ONLY | I915_USERPTR_PROBE | I915_USERPTR_UNSYNCHRONIZED))
        return -EINVAL;
    rc = shim_bo_wrap(&b, SHIM_PTR(a->user_ptr), a->user_size);
    return rc ? rc : shim_handle_new(f, b, &a->handle);
}

int i915_gem_mmap_offset(struct shim_file *f, void *arg)
{
    struct drm_i915_gem_mmap_offset *a = arg;
    const struct shim_bo *b = shim_file_bo(f, a->handle);

    if (!b)
        return -ENOENT;
    if (a->extensions || a->flags > I915_MMAP_OFFSET_FIXED || b->fd < 0)
        return -EINVAL;
    if (a->flags == I915_MMAP_OFFSET_FIXED || (a->flags == I915_MMAP_OFFSET_GTT && b->tiling != I915_TILING_NONE))
        return -ENODEV; /* there is no aperture whose fences detile */
    a->offset = (uint64_t)b->index << SHIM_MMAP_SHIFT;
    return 0;
}

int i915_gem_get_aperture(struct shim_file *f, void *arg)
{
    struct drm_i915_gem_get_aperture *a = arg;

    (void)f;
    a->aper_size = a->aper_available_size = UINT64_C(4) << 30;
    return 0;
}

/* ---- access by the CPU */

static int find_range(struct shim_file *f, uint32_t handle, uint64_t offset, uint64_t size, uint8_t **at)
{
    struct shim_bo *b = shim_file_bo(f, handle);
    int rc;

    if (!b)
        return -ENOENT;
    if (!gt_range_ok(offset, size, b->memory.size))
        return -EINVAL;
    rc = shim_wait_job(b->job, shim_deadline(-1));
    if (rc || shim_file_bo(f, handle) != b)
        return rc ? rc : -ENOENT;
    *at = b->memory.host + offset;
    return 0;
}

int i915_gem_pread(struct shim_file *f, void *arg)
{
    const struct drm_i915_gem_pread *a = arg;
    uint8_t *at;
    int rc = find_range(f, a->handle, a->offset, a->size, &at);

    if (!rc)
        memcpy(SHIM_PTR(a->data_ptr), at, a->size);
    return rc;
}

int i915_gem_pwrite(struct shim_file *f, void *arg)
{
    const struct drm_i915_gem_pwrite *a = arg;
    uint8_t *at;
    int rc = find_range(f, a->handle, a->offset, a->size, &at);

    if (!rc)
        memcpy(at, SHIM_PTR(a->data_ptr), a->size);
    return rc;
}

/* Readers wait for writers, writers for all. */
int i915_gem_set_domain(struct shim_file *f, void *arg)
{
    const struct drm_i915_gem_set_domain *a = arg;
    const struct shim_bo *b = shim_file_bo(f, a->handle);

    if (!b)
        return -ENOENT;
    return shim_wait_job(a->write_domain ? b->job : b->write_job, shim_deadline(-1));
}

int i915_gem_sw_finish(struct shim_file *f, void *arg)
{
    return shim_file_bo(f, ((const struct drm_i915_gem_sw_finish *)arg)->handle) ? 0 : -ENOENT;
}

int i915_gem_busy(struct shim_file *f, void *arg)
{
    struct drm_i915_gem_busy *a = arg;
    const struct shim_bo *b = shim_file_bo(f, a->handle);

    if (!b)
        return -ENOENT;
    /* 31:16: classes that read (here all work counts as the render engine's), 15:0: class that writes, + 1 */
    a->busy = b->job > shim.done ? 1u << 16 : 0;
    a->busy |= b->write_job > shim.done;
    return 0;
}

int i915_gem_wait(struct shim_file *f, void *arg)
{
    struct drm_i915_gem_wait *a = arg;
    const struct shim_bo *b = shim_file_bo(f, a->bo_handle);
    int64_t deadline = shim_deadline(a->timeout_ns);
    int rc;

    if (a->flags)
        return -EINVAL;
    if (!b)
        return -ENOENT;
    rc = shim_wait_job(b->job, deadline);
    if (a->timeout_ns >= 0) {
        int64_t left = deadline - shim_deadline(0);

        a->timeout_ns = rc || left < 0 ? 0 : left;
    }
    return rc;
}

/* Nothing is ever purged. */
int i915_gem_madvise(struct shim_file *f, void *arg)
{
    struct drm_i915_gem_madvise *a = arg;

    a->retained = 1;
    return shim_file_bo(f, a->handle) ? 0 : -ENOENT;
}

/* ---- attributes */

int i915_gem_set_tiling(struct shim_file *f, void *arg)
{
    struct drm_i915_gem_set_tiling *a = arg;
    struct shim_bo *b = shim_file_bo(f, a->handle);

    if (!b)
        return -ENOENT;
    if (a->tiling_mode > I915_TILING_Y || (a->tiling_mode != I915_TILING_NONE && (!a->stride || a->stride % 128)))
        return -EINVAL;
    b->tiling = a->tiling_mode;
    b->stride = a->tiling_mode == I915_TILING_NONE ? 0 : a->stride;
    a->stride = b->stride;
    a->swizzle_mode = I915_BIT_6_SWIZZLE_NONE;
    return 0;
}

int i915_gem_get_tiling(struct shim_file *f, void *arg)
{
    struct drm_i915_gem_get_tiling *a = arg;
    const struct shim_bo *b = shim_file_bo(f, a->handle);

    if (!b)
        return -ENOENT;
    a->tiling_mode = b->tiling;
    a->swizzle_mode = a->phys_swizzle_mode = I915_BIT_6_SWIZZLE_NONE;
    return 0;
}

/* All memory is coherent. */
int i915_gem_set_caching(struct shim_file *f, void *arg)
{
    return shim_file_bo(f, ((const struct drm_i915_gem_caching *)arg)->handle) ? 0 : -ENOENT;
}

int i915_gem_get_caching(struct shim_file *f, void *arg)
{
    struct drm_i915_gem_caching *a = arg;

    a->caching = I915_CACHING_CACHED;
    return shim_file_bo(f, a->handle) ? 0 : -ENOENT;
}
