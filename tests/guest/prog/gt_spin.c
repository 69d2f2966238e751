/*
 * Spin batches that only the CPU ends. Work of the same context queued behind a spinner is a lite restore, work of
 * another context a second ELSP element or a preemption. BCS is left out: on Gen9 the kernel copies user batches of
 * the blitter for its command parser, so the CPU cannot end them there.
 */
#include <stdio.h>
#include <unistd.h>

#include "gt.h"

#define FOLLOWERS 8

static void spin_start(struct gt_bo *spin)
{
    volatile uint32_t *p = spin->cpu;

    p[0] = MI_NOOP;
    p[1] = MI_ARB_CHECK;
    p[2] = MI_BATCH_BUFFER_START;
    p[3] = (uint32_t)spin->addr;
    p[4] = (uint32_t)(spin->addr >> 32);
}

static void spin_end(struct gt_bo *spin)
{
    *(volatile uint32_t *)spin->cpu = MI_BATCH_BUFFER_END;
    __sync_synchronize();
}

static void spin_case(enum gt_engine e, bool same_context)
{
    struct gt_bo spin = gt_bo_new(4096), batch = gt_bo_new(4096), target = gt_bo_new(4096);
    const struct gt_bo *used[] = {&target};
    uint32_t first = gt_context_new(), second = gt_context_new();
    char name[48];
    unsigned good = 0;

    spin_start(&spin);
    int rc = gt_exec(e, first, &spin, 0, NULL, 0);
    usleep(20000);
    bool ran = gt_busy(&spin);
    for (uint32_t i = 0; i < FOLLOWERS; i++) {
        uint32_t *p = gt_store(batch.cpu + i * 16, &target, i * 4, 0xabc0 + i);
        *p++ = MI_BATCH_BUFFER_END;
        rc |= gt_exec(e, same_context ? first : second, &batch, i * 64, used, 1);
    }
    usleep(50000);
    bool still = gt_busy(&spin);
    spin_end(&spin);
    double start = gt_now();
    int waited = gt_wait(&batch, 8);
    for (uint32_t i = 0; i < FOLLOWERS; i++)
        good += target.cpu[i] == 0xabc0 + i;
    snprintf(name, sizeof(name), "spin-%s-%s", gt_engine_name[e], same_context ? "same" : "other");
    gt_check(!rc && ran && still && !waited && good == FOLLOWERS, name,
             "exec %d busy %d/%d wait %d after %.1f ms, %u of %u", rc, ran, still, waited, (gt_now() - start) * 1e3,
             good, FOLLOWERS);
    gt_context_free(first);
    gt_context_free(second);
}

/* A context of higher priority overtakes a spinner, where the kernel preempts at all (not as a vGPU guest). */
static void preemption(bool expected)
{
    struct gt_bo spin = gt_bo_new(4096), batch = gt_bo_new(4096), target = gt_bo_new(4096);
    const struct gt_bo *used[] = {&target};
    uint32_t low = gt_context_new(), high = gt_context_new();
    struct drm_i915_gem_context_param prio = {
        .ctx_id = high, .param = I915_CONTEXT_PARAM_PRIORITY, .value = I915_CONTEXT_MAX_USER_PRIORITY};

    int rc = gt_ioctl(DRM_IOCTL_I915_GEM_CONTEXT_SETPARAM, &prio);
    spin_start(&spin);
    rc |= gt_exec(GT_RCS, low, &spin, 0, NULL, 0);
    usleep(20000);
    uint32_t *p = gt_store(batch.cpu, &target, 0, 0x9999);
    *p++ = MI_BATCH_BUFFER_END;
    rc |= gt_exec(GT_RCS, high, &batch, 0, used, 1);
    int waited = gt_wait(&batch, 2);
    bool spinning = gt_busy(&spin);
    bool overtook = !waited && spinning && target.cpu[0] == 0x9999;
    spin_end(&spin);
    int ended = gt_wait(&spin, 8);
    gt_check(!rc && !ended && overtook == expected, "preemption", "exec %d, %s (%s), spinner ended %d", rc,
             overtook ? "overtook the spinner" : "waited for the spinner",
             expected ? "must overtake" : "vGPU guests do not preempt", ended);
}

static bool kernel_preempts(void)
{
    int value = 0;
    struct drm_i915_getparam arg = {.param = I915_PARAM_HAS_SCHEDULER, .value = &value};

    return !gt_ioctl(DRM_IOCTL_I915_GETPARAM, &arg) && (value & I915_SCHEDULER_CAP_PREEMPTION);
}

int main(void)
{
    gt_open();
    for (int same = 1; same >= 0; same--) {
        spin_case(GT_RCS, same);
        spin_case(GT_VCS, same);
        spin_case(GT_VECS, same);
    }
    preemption(kernel_preempts());
    return gt_done();
}
