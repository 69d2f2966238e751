/* Contexts, their engines and address spaces. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/shim/ioctls.h"
#include "mediator/shim/shim.h"
#include "vgpu/base/bits.h"

#define ADDRESS_SPACE  (UINT64_C(1) << 48)
#define EXTENSIONS_MAX 64u
#define PRIORITY_MAX   I915_CONTEXT_MAX_USER_PRIORITY

/* ---- objects */

struct shim_context *shim_context_new(struct shim_vm *vm)
{
    struct shim_context *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->refs = 1;
    c->recoverable = c->bannable = true;
    if (vm)
        vm->refs++;
    c->vm = vm ? vm : shim_vm_new();
    if (!c->vm) {
        free(c);
        return NULL;
    }
    return c;
}

static void destroy_context(void *object)
{
    struct shim_context *c = object;

    for (unsigned i = 0; i < SHIM_ENGINES_MAX; i++)
        gpu_context_destroy(c->hw[i]);
    shim_vm_unref(c->vm);
    free(c);
}

void shim_context_unref(struct shim_context *c)
{
    if (c && !--c->refs)
        shim_when_idle(destroy_context, c);
}

static int engine_of_class(struct i915_engine_class_instance e)
{
    static const uint8_t engine[] = {[I915_ENGINE_CLASS_RENDER] = VGPU_RCS,
                                     [I915_ENGINE_CLASS_COPY] = VGPU_BCS,
                                     [I915_ENGINE_CLASS_VIDEO] = VGPU_VCS,
                                     [I915_ENGINE_CLASS_VIDEO_ENHANCE] = VGPU_VECS};

    return e.engine_class < GT_ARRAY_SIZE(engine) && e.engine_instance == 0 ? engine[e.engine_class] : -ENOENT;
}

static int legacy_engine(uint64_t flags)
{
    switch (flags & I915_EXEC_RING_MASK) {
    case I915_EXEC_DEFAULT:
    case I915_EXEC_RENDER:
        return VGPU_RCS;
    case I915_EXEC_BLT:
        return VGPU_BCS;
    case I915_EXEC_BSD:
        return VGPU_VCS;
    case I915_EXEC_VEBOX:
        return VGPU_VECS;
    default:
        return -EINVAL;
    }
}

int shim_context_engine(struct shim_context *c, uint64_t flags, unsigned *slot)
{
    int engine;

    *slot = flags & I915_EXEC_RING_MASK;
    if (c->has_map) {
        if (*slot >= c->nengines || c->engine[*slot] == UINT8_MAX)
            return -EINVAL;
        return c->engine[*slot];
    }
    engine = legacy_engine(flags);
    if (engine >= 0)
        *slot = (unsigned)engine;
    return engine;
}

static struct shim_context *find(struct shim_file *f, uint32_t id)
{
    return shim_table_get(&f->contexts, id);
}

/* ---- parameters */

/* Before the first submission only: the map gives the slots their meaning. */
static int set_engines(struct shim_context *c, const struct drm_i915_gem_context_param *p)
{
    const struct i915_context_param_engines *e = SHIM_PTR(p->value);
    uint8_t map[SHIM_ENGINES_MAX];
    uint64_t n;

    for (unsigned i = 0; i < SHIM_ENGINES_MAX; i++)
        if (c->hw[i])
            return -EINVAL;
    if (!p->size) {
        c->has_map = false;
        return 0;
    }
    if (p->size < sizeof(*e))
        return -EINVAL;
    n = (p->size - sizeof(*e)) / sizeof(e->engines[0]);
    if (n > SHIM_ENGINES_MAX || e->extensions)
        return -EINVAL;
    for (uint64_t i = 0; i < n; i++) {
        struct i915_engine_class_instance one = e->engines[i];
        bool none = one.engine_class == (uint16_t)I915_ENGINE_CLASS_INVALID;
        int engine = none ? UINT8_MAX : engine_of_class(one);

        if (engine < 0)
            return engine;
        map[i] = (uint8_t)engine;
    }
    memcpy(c->engine, map, n);
    c->nengines = (unsigned)n;
    c->has_map = true;
    return 0;
}

static int set_vm(struct shim_file *f, struct shim_context *c, uint64_t id)
{
    struct shim_vm *vm = id <= UINT32_MAX ? shim_table_get(&f->vms, (uint32_t)id) : NULL;

    if (!vm)
        return -ENOENT;
    vm->refs++;
    shim_vm_unref(c->vm);
    c->vm = vm;
    return 0;
}

static int set_param(struct shim_file *f, struct shim_context *c, const struct drm_i915_gem_context_param *p)
{
    switch (p->param) {
    case I915_CONTEXT_PARAM_ENGINES:
        return set_engines(c, p);
    case I915_CONTEXT_PARAM_VM:
        return set_vm(f, c, p->value);
    case I915_CONTEXT_PARAM_PRIORITY:
        if ((int64_t)p->value > PRIORITY_MAX || (int64_t)p->value < I915_CONTEXT_MIN_USER_PRIORITY)
            return -EINVAL;
        c->priority = (int64_t)p->value;
        return 0;
    case I915_CONTEXT_PARAM_RECOVERABLE:
        c->recoverable = p->value;
        return 0;
    case I915_CONTEXT_PARAM_BANNABLE:
        c->bannable = p->value;
        return 0;
    case I915_CONTEXT_PARAM_NO_ERROR_CAPTURE:
    case I915_CONTEXT_PARAM_NO_ZEROMAP:
    case I915_CONTEXT_PARAM_PERSISTENCE:
    case I915_CONTEXT_PARAM_SSEU: /* the same results with fewer slices or EUs */
        return 0;
    default:
        return -EINVAL;
    }
}

static int get_vm(struct shim_file *f, struct shim_context *c, struct drm_i915_gem_context_param *p)
{
    uint32_t handle;
    int rc = shim_table_add(&f->vms, c->vm, 1, &handle);

    if (rc)
        return rc;
    c->vm->refs++;
    p->value = handle;
    return 0;
}

int i915_context_getparam(struct shim_file *f, void *arg)
{
    struct drm_i915_gem_context_param *p = arg;
    struct shim_context *c = find(f, p->ctx_id);

    if (!c)
        return -ENOENT;
    p->size = 0;
    switch (p->param) {
    case I915_CONTEXT_PARAM_GTT_SIZE:
        p->value = ADDRESS_SPACE;
        return 0;
    case I915_CONTEXT_PARAM_PRIORITY:
        p->value = (uint64_t)c->priority;
        return 0;
    case I915_CONTEXT_PARAM_RECOVERABLE:
        p->value = c->recoverable;
        return 0;
    case I915_CONTEXT_PARAM_BANNABLE:
        p->value = c->bannable;
        return 0;
    case I915_CONTEXT_PARAM_PERSISTENCE:
        p->value = 1;
        return 0;
    case I915_CONTEXT_PARAM_NO_ERROR_CAPTURE:
    case I915_CONTEXT_PARAM_NO_ZEROMAP:
        p->value = 0;
        return 0;
    case I915_CONTEXT_PARAM_VM:
        return get_vm(f, c, p);
    default:
        return -EINVAL;
    }
}

int i915_context_setparam(struct shim_file *f, void *arg)
{
    const struct drm_i915_gem_context_param *p = arg;
    struct shim_context *c = find(f, p->ctx_id);

    return c ? set_param(f, c, p) : -ENOENT;
}

/* ---- life */

static int apply_extensions(struct shim_file *f, struct shim_context *c, uint64_t at)
{
    for (unsigned n = 0; at; n++) {
        const struct drm_i915_gem_context_create_ext_setparam *e = SHIM_PTR(at);
        int rc;

        if (n == EXTENSIONS_MAX || e->base.name != I915_CONTEXT_CREATE_EXT_SETPARAM || e->param.ctx_id)
            return -EINVAL;
        rc = set_param(f, c, &e->param);
        if (rc)
            return rc;
        at = e->base.next_extension;
    }
    return 0;
}

int i915_context_create(struct shim_file *f, void *arg)
{
    struct drm_i915_gem_context_create_ext *a = arg;
    struct shim_context *c;
    int rc = 0;

    if (a->flags & I915_CONTEXT_CREATE_FLAGS_UNKNOWN)
        return -EINVAL;
    c = shim_context_new(NULL);
    if (!c)
        return -ENOMEM;
    if (a->flags & I915_CONTEXT_CREATE_FLAGS_USE_EXTENSIONS)
        rc = apply_extensions(f, c, a->extensions);
    if (!rc)
        rc = shim_table_add(&f->contexts, c, 1, &a->ctx_id);
    if (rc)
        shim_context_unref(c);
    return rc;
}

int i915_context_destroy(struct shim_file *f, void *arg)
{
    const struct drm_i915_gem_context_destroy *a = arg;
    struct shim_context *c = a->ctx_id && !a->pad ? shim_table_take(&f->contexts, a->ctx_id) : NULL;

    if (!c)
        return -ENOENT;
    shim_context_unref(c);
    return 0;
}

int i915_reset_stats(struct shim_file *f, void *arg)
{
    struct drm_i915_reset_stats *a = arg;
    const struct shim_context *c = find(f, a->ctx_id);

    if (!c)
        return -ENOENT;
    a->reset_count = 0;
    a->batch_active = c->hangs;
    a->batch_pending = 0;
    return 0;
}

int i915_vm_create(struct shim_file *f, void *arg)
{
    struct drm_i915_gem_vm_control *a = arg;
    struct shim_vm *vm = a->flags || a->extensions ? NULL : shim_vm_new();
    int rc = vm ? shim_table_add(&f->vms, vm, 1, &a->vm_id) : -EINVAL;

    if (rc)
        shim_vm_unref(vm);
    return rc;
}

int i915_vm_destroy(struct shim_file *f, void *arg)
{
    const struct drm_i915_gem_vm_control *a = arg;
    struct shim_vm *vm = shim_table_take(&f->vms, a->vm_id);

    if (!vm)
        return -ENOENT;
    shim_vm_unref(vm);
    return 0;
}
