/* What the device is: parameters and queries of a Skylake GT2 (8086:1912, revision 6). */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

#include "mediator/shim/ioctls.h"
#include "vgpu/base/bits.h"

#define REVISION      6
#define SLICES_MAX    3u /* of the generation: i915 gen9_sseu_info_init */
#define SUBSLICES_MAX 4u
#define EUS_MAX       8u
#define SUBSLICES     3u /* of GT2 */
#define TICKS_HZ      12000000
#define JOBS_AHEAD    4u

/* Parameters, and the value of each: i915_drm.h, i915_getparam.c. */
static const struct {
    int param, value;
} params[] = {
    {I915_PARAM_CHIPSET_ID, VGPU_PCI_DEVICE},
    {I915_PARAM_REVISION, REVISION},
    {I915_PARAM_NUM_FENCES_AVAIL, 32},
    {I915_PARAM_HAS_GEM, 1},
    {I915_PARAM_HAS_PAGEFLIPPING, 1},
    {I915_PARAM_HAS_EXECBUF2, 1},
    {I915_PARAM_HAS_BSD, 1},
    {I915_PARAM_HAS_BLT, 1},
    {I915_PARAM_HAS_RELAXED_FENCING, 1},
    {I915_PARAM_HAS_COHERENT_RINGS, 1},
    {I915_PARAM_HAS_EXEC_CONSTANTS, 0},
    {I915_PARAM_HAS_RELAXED_DELTA, 1},
    {I915_PARAM_HAS_GEN7_SOL_RESET, 1},
    {I915_PARAM_HAS_LLC, 1},
    {I915_PARAM_HAS_ALIASING_PPGTT, 3}, /* full, 48 bits */
    {I915_PARAM_HAS_WAIT_TIMEOUT, 1},
    {I915_PARAM_HAS_SEMAPHORES, 1},
    {I915_PARAM_HAS_PRIME_VMAP_FLUSH, 1},
    {I915_PARAM_HAS_VEBOX, 1},
    {I915_PARAM_HAS_SECURE_BATCHES, 0},
    {I915_PARAM_HAS_PINNED_BATCHES, 1},
    {I915_PARAM_HAS_EXEC_NO_RELOC, 1},
    {I915_PARAM_HAS_EXEC_HANDLE_LUT, 1},
    {I915_PARAM_HAS_WT, 1},
    {I915_PARAM_CMD_PARSER_VERSION, 0},
    {I915_PARAM_HAS_COHERENT_PHYS_GTT, 1},
    {I915_PARAM_MMAP_VERSION, 1},
    {I915_PARAM_HAS_BSD2, 0},
    {I915_PARAM_SUBSLICE_TOTAL, SUBSLICES},
    {I915_PARAM_EU_TOTAL, SUBSLICES *EUS_MAX},
    {I915_PARAM_HAS_GPU_RESET, 2}, /* of single engines */
    {I915_PARAM_HAS_RESOURCE_STREAMER, 0},
    {I915_PARAM_HAS_EXEC_SOFTPIN, 1},
    {I915_PARAM_HAS_POOLED_EU, 0},
    {I915_PARAM_MIN_EU_IN_POOL, 0},
    {I915_PARAM_MMAP_GTT_VERSION, 4}, /* with MMAP_OFFSET */
    {I915_PARAM_HAS_SCHEDULER, I915_SCHEDULER_CAP_ENABLED | I915_SCHEDULER_CAP_PRIORITY},
    {I915_PARAM_HAS_EXEC_ASYNC, 1},
    {I915_PARAM_HAS_EXEC_FENCE, 1},
    {I915_PARAM_HAS_EXEC_CAPTURE, 1},
    {I915_PARAM_SLICE_MASK, 1},
    {I915_PARAM_SUBSLICE_MASK, (1 << SUBSLICES) - 1},
    {I915_PARAM_HAS_EXEC_BATCH_FIRST, 1},
    {I915_PARAM_HAS_EXEC_FENCE_ARRAY, 1},
    {I915_PARAM_HAS_CONTEXT_ISOLATION, 1},
    {I915_PARAM_CS_TIMESTAMP_FREQUENCY, TICKS_HZ},
    {I915_PARAM_MMAP_GTT_COHERENT, 1},
    {I915_PARAM_HAS_EXEC_SUBMIT_FENCE, 1},
    {I915_PARAM_PERF_REVISION, 0},
    {I915_PARAM_HAS_EXEC_TIMELINE_FENCES, 1},
    {I915_PARAM_HAS_USERPTR_PROBE, 1},
};

int i915_getparam(struct shim_file *f, void *arg)
{
    const struct drm_i915_getparam *a = arg;

    (void)f;
    for (size_t i = 0; i < GT_ARRAY_SIZE(params); i++) {
        if (params[i].param == a->param) {
            *a->value = params[i].value;
            return 0;
        }
    }
    return -EINVAL;
}

/* Lengths of the masks: i915 intel_sseu.h GEN_SSEU_STRIDE. */
static int query_topology(uint8_t *out)
{
    struct drm_i915_query_topology_info t = {
        .max_slices = SLICES_MAX,
        .max_subslices = SUBSLICES_MAX,
        .max_eus_per_subslice = EUS_MAX,
        .subslice_offset = 1,
        .subslice_stride = 1,
        .eu_offset = 1 + SLICES_MAX,
        .eu_stride = 1,
    };
    const size_t bytes = 1 + SLICES_MAX + SLICES_MAX * SUBSLICES_MAX;

    if (out) {
        memset(out + sizeof(t), 0, bytes);
        memcpy(out, &t, sizeof(t));
        out += sizeof(t);
        out[0] = 1;
        out[t.subslice_offset] = (1 << SUBSLICES) - 1;
        memset(out + t.eu_offset, 0xff, SUBSLICES);
    }
    return (int)(sizeof(t) + bytes);
}

static int query_engines(uint8_t *out)
{
    static const uint16_t classes[] = {I915_ENGINE_CLASS_RENDER, I915_ENGINE_CLASS_COPY, I915_ENGINE_CLASS_VIDEO,
                                       I915_ENGINE_CLASS_VIDEO_ENHANCE};
    struct drm_i915_query_engine_info head = {.num_engines = GT_ARRAY_SIZE(classes)};

    if (out) {
        memcpy(out, &head, sizeof(head));
        for (size_t i = 0; i < GT_ARRAY_SIZE(classes); i++) {
            struct drm_i915_engine_info e = {.engine.engine_class = classes[i]};

            memcpy(out + sizeof(head) + i * sizeof(e), &e, sizeof(e));
        }
    }
    return (int)(sizeof(head) + GT_ARRAY_SIZE(classes) * sizeof(struct drm_i915_engine_info));
}

static int query_memory(uint8_t *out)
{
    struct drm_i915_query_memory_regions head = {.num_regions = 1};
    struct drm_i915_memory_region_info r = {.region.memory_class = I915_MEMORY_CLASS_SYSTEM};
    struct sysinfo info;

    if (out) {
        if (sysinfo(&info))
            return -EIO;
        r.probed_size = r.unallocated_size = (uint64_t)info.totalram * info.mem_unit;
        memcpy(out, &head, sizeof(head));
        memcpy(out + sizeof(head), &r, sizeof(r));
    }
    return (int)(sizeof(head) + sizeof(r));
}

static int query_item(const struct drm_i915_query_item *item, uint8_t *out)
{
    switch (item->query_id) {
    case DRM_I915_QUERY_TOPOLOGY_INFO:
        return query_topology(out);
    case DRM_I915_QUERY_ENGINE_INFO:
        return query_engines(out);
    case DRM_I915_QUERY_MEMORY_REGIONS:
        return query_memory(out);
    default: /* of other generations, or of OA counters that do not count */
        return -ENODEV;
    }
}

/* Length 0 asks for the length. */
int i915_query(struct shim_file *f, void *arg)
{
    const struct drm_i915_query *a = arg;
    struct drm_i915_query_item *item = SHIM_PTR(a->items_ptr);

    (void)f;
    if (a->flags)
        return -EINVAL;
    for (uint32_t i = 0; i < a->num_items; i++) {
        int need = query_item(&item[i], NULL);

        if (need > 0 && item[i].length)
            need = item[i].length < need ? -EINVAL : query_item(&item[i], SHIM_PTR(item[i].data_ptr));
        item[i].length = need;
    }
    return 0;
}

/* The timestamp is the only register that programs may read. Its low bits say how: i915_drm.h. */
int i915_reg_read(struct shim_file *f, void *arg)
{
    struct drm_i915_reg_read *a = arg;

    (void)f;
    if ((a->offset & ~(uint64_t)I915_REG_READ_8B_WA) != reg_off(R_TIMESTAMP, VGPU_RCS, 0))
        return -EINVAL;
    a->val = gpu_timestamp(shim.gpu);
    return 0;
}

/* Keeps a program from running far ahead of the GPU. */
int i915_gem_throttle(struct shim_file *f, void *arg)
{
    (void)f;
    (void)arg;
    return shim.submitted > JOBS_AHEAD ? shim_wait_job(shim.submitted - JOBS_AHEAD, shim_deadline(-1)) : 0;
}

int i915_gem_mmap(struct shim_file *f, void *arg)
{
    struct drm_i915_gem_mmap *a = arg;
    const struct shim_bo *b = shim_file_bo(f, a->handle);
    void *at;

    if (!b)
        return -ENOENT;
    if (b->fd < 0 || a->flags & ~(uint64_t)I915_MMAP_WC || !gt_range_ok(a->offset, a->size, b->memory.size))
        return -EINVAL;
    at = mmap(NULL, a->size, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, (off_t)a->offset);
    if (at == MAP_FAILED)
        return -errno;
    a->addr_ptr = (uintptr_t)at;
    return 0;
}
