/*
 * An endless batch that nobody ends is reset; the guilty context is named; everybody else goes on. "gt_hang busy": one
 * that does something all the time, so that it keeps the engine as long as it is let.
 */
#include <stdio.h>
#include <string.h>

#include "gt.h"

static struct drm_i915_reset_stats stats_of(uint32_t ctx)
{
    struct drm_i915_reset_stats arg = {.ctx_id = ctx};

    gt_ioctl(DRM_IOCTL_I915_GET_RESET_STATS, &arg);
    return arg;
}

static void works_after(uint32_t ctx, enum gt_engine e)
{
    struct gt_bo batch = gt_bo_new(4096), target = gt_bo_new(4096);
    const struct gt_bo *used[] = {&target};
    char name[32];
    unsigned good = 0;

    for (uint32_t i = 0; i < 5; i++) {
        uint32_t *p = gt_store(batch.cpu, &target, 0, 0x7700 + i);
        *p++ = MI_BATCH_BUFFER_END;
        int rc = gt_exec(e, ctx, &batch, 0, used, 1);
        int waited = gt_wait(&batch, 5);
        good += !rc && !waited && target.cpu[0] == 0x7700 + i;
    }
    snprintf(name, sizeof(name), "after-%s", gt_engine_name[e]);
    gt_check(good == 5, name, "%u of 5 batches", good);
}

static void endless(struct gt_bo *spin, bool busy)
{
    uint32_t *p = spin->cpu;

    if (busy)
        p = gt_store(p, spin, 2048, 1);
    *p++ = MI_BATCH_BUFFER_START;
    *p++ = (uint32_t)spin->addr;
    *p++ = (uint32_t)(spin->addr >> 32);
}

int main(int argc, char **argv)
{
    gt_open();
    struct gt_bo spin = gt_bo_new(4096);
    uint32_t guilty = gt_context_new(), innocent = gt_context_new();

    endless(&spin, argc > 1 && !strcmp(argv[1], "busy"));
    double start = gt_now();
    int rc = gt_exec(GT_RCS, guilty, &spin, 0, NULL, 0);
    int waited = gt_wait(&spin, 60);
    gt_check(!rc && !waited, "reset", "exec %d, the batch was gone after %.1f s", rc, gt_now() - start);
    struct drm_i915_reset_stats g = stats_of(guilty), i = stats_of(innocent);
    gt_check(g.batch_active == 1, "guilty", "batch_active %u of the hanging context", g.batch_active);
    gt_check(i.batch_active == 0, "innocent", "batch_active %u of the other context", i.batch_active);
    for (unsigned e = 0; e < GT_ENGINES; e++)
        works_after(innocent, e);
    return gt_done();
}
