/* Submission: DRM_IOCTL_I915_GEM_EXECBUFFER2. Everything is looked up and checked before anything changes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/shim/ioctls.h"
#include "mediator/shim/shim.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"

#define ADDRESS        ((UINT64_C(1) << 48) - 1)
#define OBJECTS_MAX    (1u << 20)
#define RELOCS_MAX     (1u << 20)
#define FENCES_MAX     4096u
#define EXTENSIONS_MAX 64u

#define NOT_SUPPORTED (I915_EXEC_SECURE | I915_EXEC_RESOURCE_STREAMER)

struct exec {
    struct shim_file *file;
    struct drm_i915_gem_execbuffer2 *args;
    struct drm_i915_gem_exec_object2 *object;
    const struct drm_i915_gem_exec_fence *fence;
    const uint64_t *point; /* one for each fence; NULL: binary */
    uint64_t nfences;
    struct shim_job *job;
    unsigned batch; /* object index */
};

/* Bit 47 repeats in the bits above. */
static uint64_t canonical(uint64_t addr)
{
    return (uint64_t)((int64_t)(addr << 16) >> 16);
}

/* ---- objects */

static int place_object(struct exec *x, unsigned i)
{
    struct drm_i915_gem_exec_object2 *o = &x->object[i];
    struct shim_bo *b = shim_file_bo(x->file, o->handle);
    uint64_t addr;

    if (!b)
        return -ENOENT;
    if (o->flags & EXEC_OBJECT_PINNED) {
        addr = o->offset & ADDRESS;
        if (canonical(addr) != o->offset || addr % GPU_PAGE || b->memory.size > ADDRESS + 1 - addr)
            return -EINVAL;
    } else {
        int rc = shim_vm_place(x->job->context->vm, b, &addr);

        if (rc)
            return rc;
        o->offset = canonical(addr);
    }
    x->job->bo[i].bo = shim_bo_ref(b);
    x->job->bo[i].addr = addr;
    x->job->nbos = i + 1;
    return 0;
}

static int place_objects(struct exec *x)
{
    for (unsigned i = 0; i < x->args->buffer_count; i++) {
        int rc = place_object(x, i);

        if (rc)
            return rc;
    }
    return 0;
}

/* ---- relocations */

static int target_of(const struct exec *x, uint32_t handle)
{
    if (x->args->flags & I915_EXEC_HANDLE_LUT)
        return handle < x->job->nbos ? (int)handle : -ENOENT;
    for (unsigned i = 0; i < x->job->nbos; i++)
        if (x->object[i].handle == handle)
            return (int)i;
    return -ENOENT;
}

static int relocate(struct exec *x, struct shim_bo *b, struct drm_i915_gem_relocation_entry *r)
{
    int target = target_of(x, r->target_handle);
    uint64_t value;

    if (target < 0)
        return target;
    if (r->offset % 4 || !gt_range_ok(r->offset, sizeof(value), b->memory.size))
        return -EINVAL;
    value = canonical(x->job->bo[target].addr + r->delta);
    memcpy(b->memory.host + r->offset, &value, sizeof(value));
    r->presumed_offset = x->object[target].offset;
    return 0;
}

/* An object that the GPU still reads is not changed under it. */
static int relocate_object(struct exec *x, unsigned i)
{
    struct drm_i915_gem_exec_object2 *o = &x->object[i];
    struct drm_i915_gem_relocation_entry *r = SHIM_PTR(o->relocs_ptr);
    int rc = 0;

    if (!o->relocation_count)
        return 0;
    if (o->relocation_count > RELOCS_MAX)
        return -EINVAL;
    rc = shim_wait_job(x->job->bo[i].bo->job, shim_deadline(-1));
    for (uint32_t n = 0; n < o->relocation_count && !rc; n++)
        rc = relocate(x, x->job->bo[i].bo, &r[n]);
    return rc;
}

/* Addresses never change here, so those that the program presumes right are right. */
static int relocate_objects(struct exec *x)
{
    for (unsigned i = 0; i < x->job->nbos; i++) {
        int rc = relocate_object(x, i);

        if (rc)
            return rc;
    }
    return 0;
}

/* ---- fences */

static int take_extension(struct exec *x, const struct i915_user_extension *base)
{
    const struct drm_i915_gem_execbuffer_ext_timeline_fences *t = (const void *)base;

    if (base->name != DRM_I915_GEM_EXECBUFFER_EXT_TIMELINE_FENCES || x->fence)
        return -EINVAL;
    x->fence = SHIM_PTR(t->handles_ptr);
    x->point = SHIM_PTR(t->values_ptr);
    x->nfences = t->fence_count;
    return 0;
}

static int find_fences(struct exec *x)
{
    uint64_t at = x->args->cliprects_ptr;
    int rc = 0;

    if (x->args->flags & I915_EXEC_FENCE_ARRAY) {
        x->fence = SHIM_PTR(at);
        x->nfences = x->args->num_cliprects;
    } else if (x->args->flags & I915_EXEC_USE_EXTENSIONS) {
        for (unsigned n = 0; at && !rc; n++) {
            const struct i915_user_extension *e = SHIM_PTR(at);

            rc = n < EXTENSIONS_MAX ? take_extension(x, e) : -EINVAL;
            at = e->next_extension;
        }
    } else if (x->args->num_cliprects) {
        return -EINVAL;
    }
    return rc || x->nfences <= FENCES_MAX ? rc : -EINVAL;
}

static struct shim_syncobj *syncobj_of(const struct exec *x, uint64_t i)
{
    return shim_table_get(&x->file->syncobjs, x->fence[i].handle);
}

/* Jobs run in order, so a wait is fulfilled by there being a fence at all. */
static int check_fences(struct exec *x)
{
    struct shim_fence *in = NULL;

    for (uint64_t i = 0; i < x->nfences; i++) {
        struct shim_syncobj *s = syncobj_of(x, i);

        if (!s)
            return -ENOENT;
        if ((x->fence[i].flags & I915_EXEC_FENCE_WAIT) && !shim_syncobj_has(s, x->point ? x->point[i] : 0))
            return -EINVAL;
    }
    if (x->args->flags & (I915_EXEC_FENCE_IN | I915_EXEC_FENCE_SUBMIT)) {
        in = shim_fence_from_fd((int)(uint32_t)x->args->rsvd2);
        if (!in)
            return -EINVAL;
        shim_fence_unref(in);
    }
    return 0;
}

static void signal_fences(struct exec *x)
{
    for (uint64_t i = 0; i < x->nfences; i++)
        if (x->fence[i].flags & I915_EXEC_FENCE_SIGNAL)
            shim_syncobj_set(syncobj_of(x, i), x->point ? x->point[i] : 0, x->job->fence);
}

static int out_fence(struct exec *x)
{
    int fd;

    if (!(x->args->flags & I915_EXEC_FENCE_OUT))
        return 0;
    fd = shim_fence_fd(x->job->fence);
    if (fd < 0)
        return fd;
    x->args->rsvd2 = (x->args->rsvd2 & UINT32_MAX) | (uint64_t)(uint32_t)fd << 32;
    return 0;
}

/* ---- the whole */

static int find_batch(struct exec *x)
{
    const struct drm_i915_gem_execbuffer2 *a = x->args;
    unsigned i = a->flags & I915_EXEC_BATCH_FIRST ? 0 : a->buffer_count - 1;
    const struct shim_bo *b = x->job->bo[i].bo;

    if ((a->batch_start_offset | a->batch_len) & 7 || !gt_range_ok(a->batch_start_offset, a->batch_len, b->memory.size))
        return -EINVAL;
    x->job->batch = x->job->bo[i].addr + a->batch_start_offset;
    return 0;
}

static int prepare(struct exec *x)
{
    struct shim_context *c = shim_table_get(&x->file->contexts, (uint32_t)x->args->rsvd1);
    int engine, rc;

    if (!c)
        return -ENOENT;
    if (c->banned)
        return -EIO;
    engine = shim_context_engine(c, x->args->flags, &x->job->slot);
    if (engine < 0)
        return engine;
    x->job->engine = (unsigned)engine;
    x->job->context = c;
    c->refs++;
    rc = place_objects(x);
    if (!rc)
        rc = find_batch(x);
    if (!rc)
        rc = find_fences(x);
    if (!rc)
        rc = check_fences(x);
    return rc ? rc : relocate_objects(x);
}

static void drop_job(struct shim_job *job)
{
    for (unsigned i = 0; i < job->nbos; i++)
        shim_bo_unref(job->bo[i].bo);
    shim_fence_unref(job->fence);
    shim_context_unref(job->context);
    free(job);
}

/* Memory of other processes' GPUs too: a dma-buf has fences that all drivers wait for, our memfds have none. So such a
 * job is over before its caller can tell anybody of it. */
static bool is_shared(const struct shim_job *job)
{
    bool shared = false;

    for (unsigned i = 0; i < job->nbos; i++)
        shared |= job->bo[i].bo->shared;
    return shared;
}

static int commit(struct exec *x)
{
    struct shim_job *job = x->job;
    const bool wait = is_shared(job);
    int rc;

    job->number = shim.submitted + 1;
    job->fence = shim_fence_new(job->number);
    rc = job->fence ? out_fence(x) : -ENOMEM;
    if (rc)
        return rc;
    shim.submitted++;
    gt_debug("job %llu: context %llu engine %u batch 0x%llx of %u objects", (unsigned long long)job->number,
             (unsigned long long)x->args->rsvd1, job->engine, (unsigned long long)job->batch, job->nbos);
    for (unsigned i = 0; i < job->nbos; i++)
        gt_debug("  object %u at 0x%llx, flags 0x%llx, %u relocations", x->object[i].handle,
                 (unsigned long long)job->bo[i].addr, (unsigned long long)x->object[i].flags,
                 x->object[i].relocation_count);
    signal_fences(x);
    for (unsigned i = 0; i < job->nbos; i++) {
        job->bo[i].bo->job = job->number;
        if (x->object[i].flags & EXEC_OBJECT_WRITE)
            job->bo[i].bo->write_job = job->number;
    }
    shim_submit(job);
    if (wait)
        shim_wait_job(shim.submitted, shim_deadline(-1));
    return 0;
}

int i915_execbuffer2(struct shim_file *f, void *arg)
{
    struct drm_i915_gem_execbuffer2 *a = arg;
    struct exec x = {.file = f, .args = a, .object = SHIM_PTR(a->buffers_ptr)};
    int rc;

    if (!a->buffer_count || a->buffer_count > OBJECTS_MAX || (a->flags & __I915_EXEC_UNKNOWN_FLAGS))
        return -EINVAL;
    if (a->flags & NOT_SUPPORTED)
        return -EPERM;
    x.job = calloc(1, sizeof(*x.job) + a->buffer_count * sizeof(x.job->bo[0]));
    if (!x.job)
        return -ENOMEM;
    rc = prepare(&x);
    if (!rc)
        rc = commit(&x);
    if (rc)
        drop_job(x.job);
    return rc;
}
