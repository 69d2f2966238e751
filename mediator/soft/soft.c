/* The software Gen9: 2D, 3D, compute and media commands are executed, video commands are counted and skipped. */
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "mediator/backend.h"
#include "mediator/soft/blt.h"
#include "mediator/soft/progress.h"
#include "mediator/soft/render.h"
#include "vgpu/base/bits.h"
#include "vgpu/desc/cmds.h"

#define THREADS_DEFAULT_MAX 4

struct soft {
    struct backend base;
    struct soft_render *render;
    _Atomic uint64_t blits, blit_pixels, render_commands, video_commands, skipped;
};

static void count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* Finds or begins the progress of the blit: first nothing, then its owner. */
static void begin_blit(struct soft *s, struct vgpu_exec *x, const uint32_t *dw, unsigned ndw)
{
    uint32_t *scratch = vgpu_exec_scratch(x), key = soft_progress_key(x, dw, ndw);

    if (scratch[BLT_DONE_ROWS] && scratch[BLT_DONE_KEY] == key)
        return;
    __atomic_store_n(&scratch[BLT_DONE_ROWS], 0, __ATOMIC_RELEASE);
    __atomic_store_n(&scratch[BLT_DONE_KEY], key, __ATOMIC_RELEASE);
    count(&s->blits, 1);
}

static enum vgpu_payload run_blit(struct soft *s, struct vgpu_exec *x, int cmd_id, const uint32_t *dw, unsigned ndw)
{
    enum vgpu_payload status;
    uint64_t pixels;
    struct blt b;

    begin_blit(s, x, dw, ndw);
    if (!blt_decode(x, cmd_id, dw, ndw, &b, &status))
        return status;
    status = blt_draw(x, &b, &pixels);
    if (status == VGPU_PAYLOAD_DONE)
        count(&s->blit_pixels, pixels);
    return status;
}

static enum vgpu_payload soft_payload(struct backend *be, struct vgpu_exec *x, int cmd_id, const uint32_t *dw,
                                      unsigned ndw)
{
    struct soft *s = (struct soft *)be;

    if (cmd_id < 0 || cmd_id >= C_COUNT) {
        count(&s->skipped, 1);
        return VGPU_PAYLOAD_DONE;
    }
    switch (cmd_table[cmd_id].klass) {
    case CMD_BLT:
        return run_blit(s, x, cmd_id, dw, ndw);
    case CMD_RENDER:
        count(&s->render_commands, 1);
        return soft_render_command(s->render, x, cmd_id, dw, ndw);
    case CMD_VIDEO:
        count(&s->video_commands, 1);
        break;
    default:
        break;
    }
    count(&s->skipped, 1);
    return VGPU_PAYLOAD_DONE;
}

static void soft_stats(struct backend *be, struct backend_stats *out)
{
    struct soft *s = (struct soft *)be;

    out->blits = atomic_load_explicit(&s->blits, memory_order_relaxed);
    out->blit_pixels = atomic_load_explicit(&s->blit_pixels, memory_order_relaxed);
    out->render_commands = atomic_load_explicit(&s->render_commands, memory_order_relaxed);
    out->video_commands = atomic_load_explicit(&s->video_commands, memory_order_relaxed);
    out->skipped = atomic_load_explicit(&s->skipped, memory_order_relaxed);

    struct soft_render_stats r;

    soft_render_stats(s->render, &r);
    out->draws = r.draws;
    out->dispatches = r.dispatches;
    out->unknown = r.unknown;
    out->faults = r.faults;
    out->instructions = r.instructions;
}

static void soft_destroy(struct backend *be)
{
    soft_render_destroy(((struct soft *)be)->render);
    free(be);
}

static void soft_forked(struct backend *be)
{
    soft_render_forked(((struct soft *)be)->render);
}

static const struct backend_ops soft_ops = {
    .name = "soft",
    .payload = soft_payload,
    .stats = soft_stats,
    .forked = soft_forked,
    .destroy = soft_destroy,
};

struct backend *backend_soft_create(unsigned threads)
{
    struct soft *s = calloc(1, sizeof(*s));
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    if (!s)
        return NULL;
    if (!threads)
        threads = (unsigned)GT_MAX(GT_MIN(processors, THREADS_DEFAULT_MAX), 1);
    s->render = soft_render_create(threads);
    if (!s->render) {
        free(s);
        return NULL;
    }
    s->base.ops = &soft_ops;
    return &s->base;
}
