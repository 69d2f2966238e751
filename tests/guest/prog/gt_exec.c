/* All four engines complete requests; a second context and relocations work. */
#include "gt.h"

#define ROUNDS 100

static void engine_completes(enum gt_engine e)
{
    struct gt_bo target = gt_bo_new(4096), batch = gt_bo_new(4096);
    const struct gt_bo *used[] = {&target};
    unsigned good = 0;
    double start = gt_now();

    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t value = 0xc0de0000u + i;
        uint32_t *p = gt_store(batch.cpu, &target, 64, value);
        *p++ = MI_BATCH_BUFFER_END;
        if (gt_exec(e, 0, &batch, 0, used, 1) || gt_wait(&batch, 5))
            break;
        good += target.cpu[16] == value;
    }
    gt_check(good == ROUNDS, gt_engine_name[e], "%u of %u batches, %.0f us each", good, ROUNDS,
             (gt_now() - start) / ROUNDS * 1e6);
    gt_bo_free(&target);
    gt_bo_free(&batch);
}

/* Many batches in flight on every engine at once, all of them checked. */
static void burst(void)
{
    enum { PER_ENGINE = 200 };
    struct gt_bo target = gt_bo_new(GT_ENGINES * PER_ENGINE * 4), batch = gt_bo_new(GT_ENGINES * PER_ENGINE * 64);
    const struct gt_bo *used[] = {&target};
    unsigned good = 0;

    for (uint32_t i = 0; i < GT_ENGINES * PER_ENGINE; i++) {
        uint32_t *p = gt_store(batch.cpu + i * 16, &target, i * 4, i + 1);
        *p++ = MI_BATCH_BUFFER_END;
    }
    for (uint32_t i = 0; i < GT_ENGINES * PER_ENGINE; i++) {
        if (gt_exec(i % GT_ENGINES, 0, &batch, i * 64, used, 1))
            break;
    }
    int rc = gt_wait(&batch, 60); /* two emulated machines on one processor take their time */
    for (uint32_t i = 0; i < GT_ENGINES * PER_ENGINE; i++)
        good += target.cpu[i] == i + 1;
    gt_check(!rc && good == GT_ENGINES * PER_ENGINE, "burst", "%u of %u stores", good, GT_ENGINES * PER_ENGINE);
    gt_bo_free(&target);
    gt_bo_free(&batch);
}

static void relocation_in_new_context(void)
{
    struct gt_bo target = gt_bo_new(4096), batch = gt_bo_new(4096);
    uint32_t ctx = gt_context_new();
    const uint32_t code[] = {MI_STORE_DATA_IMM, 0, 0, 0x5151, MI_BATCH_BUFFER_END, MI_NOOP};
    struct drm_i915_gem_relocation_entry reloc = {
        .target_handle = target.handle,
        .offset = 4,
        .delta = 256,
        .presumed_offset = UINT64_MAX,
        .read_domains = I915_GEM_DOMAIN_RENDER,
        .write_domain = I915_GEM_DOMAIN_RENDER,
    };
    struct drm_i915_gem_exec_object2 objects[2] = {
        {.handle = target.handle},
        {.handle = batch.handle, .relocation_count = 1, .relocs_ptr = (uintptr_t)&reloc},
    };
    struct drm_i915_gem_execbuffer2 arg = {
        .buffers_ptr = (uintptr_t)objects,
        .buffer_count = 2,
        .batch_len = sizeof(code),
        .flags = I915_EXEC_RENDER,
        .rsvd1 = ctx,
    };

    __builtin_memcpy(batch.cpu, code, sizeof(code));
    int rc = gt_ioctl(DRM_IOCTL_I915_GEM_EXECBUFFER2, &arg);
    int waited = gt_wait(&batch, 5);
    gt_check(!rc && !waited && target.cpu[64] == 0x5151, "relocation", "exec %d wait %d value %x", rc, waited,
             target.cpu[64]);
    gt_context_free(ctx);
}

int main(void)
{
    gt_open();
    for (unsigned e = 0; e < GT_ENGINES; e++)
        engine_completes(e);
    burst();
    relocation_in_new_context();
    return gt_done();
}
