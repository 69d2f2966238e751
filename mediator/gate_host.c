/* What the device asks its user for, passed on to the gate's host: plain and recorded. */
#include "mediator/gate_internal.h"

#include "vgpu/base/clock.h"

/* ---- what the device asks for */

static uint64_t host_now(struct gate *g)
{
    return g->host.now_ns ? g->host.now_ns(g->host.ctx) : gt_clock_ns();
}

static int plain_mem_read(void *host, uint64_t gpa, void *dst, size_t n)
{
    struct gate *g = host;

    return g->host.mem_read(g->host.ctx, gpa, dst, n);
}

static int plain_mem_write(void *host, uint64_t gpa, const void *src, size_t n)
{
    struct gate *g = host;

    return g->host.mem_write(g->host.ctx, gpa, src, n);
}

static int plain_mem_cas(void *host, uint64_t gpa, unsigned size, uint64_t *expected, uint64_t desired)
{
    struct gate *g = host;

    return g->host.mem_cas(g->host.ctx, gpa, size, expected, desired);
}

static uint8_t *plain_mem_page(void *host, uint64_t gpa, bool write)
{
    struct gate *g = host;

    return g->host.mem_page ? g->host.mem_page(g->host.ctx, gpa, write) : NULL;
}

static uint64_t plain_now_ns(void *host)
{
    return host_now(host);
}

static int recorded_mem_read(void *host, uint64_t gpa, void *dst, size_t n)
{
    return recorder_mem_read(((struct gate *)host)->rec, gpa, dst, n);
}

static int recorded_mem_write(void *host, uint64_t gpa, const void *src, size_t n)
{
    return recorder_mem_write(((struct gate *)host)->rec, gpa, src, n);
}

static int recorded_mem_cas(void *host, uint64_t gpa, unsigned size, uint64_t *expected, uint64_t desired)
{
    return recorder_mem_cas(((struct gate *)host)->rec, gpa, size, expected, desired);
}

static uint64_t recorded_now_ns(void *host)
{
    struct gate *g = host;

    return recorder_now_ns(g->rec, host_now(g));
}

static void pass_irq(void *host)
{
    struct gate *g = host;

    if (g->ready && g->host.irq)
        g->host.irq(g->host.ctx);
}

static void pass_line(void *host, bool level)
{
    struct gate *g = host;

    if (g->ready && g->host.line)
        g->host.line(g->host.ctx, level);
}

static void pass_kick(void *host, unsigned engine)
{
    struct gate *g = host;

    if (g->ready && g->host.kick)
        g->host.kick(g->host.ctx, engine);
}

static void pass_display_kick(void *host)
{
    struct gate *g = host;

    if (g->ready && g->host.display_kick)
        g->host.display_kick(g->host.ctx);
}

static void pass_scanout_changed(void *host, unsigned pipe)
{
    struct gate *g = host;

    if (g->ready && g->host.scanout_changed)
        g->host.scanout_changed(g->host.ctx, pipe);
}

static bool pass_gtt_clear(void *host)
{
    struct gate *g = host;

    return g->host.gtt_clear && g->host.gtt_clear(g->host.ctx);
}

static enum vgpu_payload pass_payload(void *host, struct vgpu_exec *x, int cmd_id, const uint32_t *dw, unsigned ndw)
{
    struct backend *b = ((struct gate *)host)->host.backend;

    return b ? b->ops->payload(b, x, cmd_id, dw, ndw) : VGPU_PAYLOAD_DONE;
}

static void device_lock(void *host)
{
    pthread_mutex_lock(&((struct gate *)host)->lock);
}

static void device_unlock(void *host)
{
    pthread_mutex_unlock(&((struct gate *)host)->lock);
}

const struct vgpu_ops gate_plain_ops = {
    .mem_read = plain_mem_read,
    .mem_write = plain_mem_write,
    .mem_cas = plain_mem_cas,
    .mem_page = plain_mem_page,
    .now_ns = plain_now_ns,
    .irq = pass_irq,
    .line = pass_line,
    .kick = pass_kick,
    .quiesce = gate_quiesce,
    .display_kick = pass_display_kick,
    .scanout_changed = pass_scanout_changed,
    .gtt_clear = pass_gtt_clear,
    .payload = pass_payload,
    .lock = device_lock,
    .unlock = device_unlock,
};

/* No mem_page: each access to memory has to be seen. No lock: entries take turns. */
const struct vgpu_ops gate_recorded_ops = {
    .mem_read = recorded_mem_read,
    .mem_write = recorded_mem_write,
    .mem_cas = recorded_mem_cas,
    .now_ns = recorded_now_ns,
    .irq = pass_irq,
    .line = pass_line,
    .kick = pass_kick,
    .display_kick = pass_display_kick,
    .scanout_changed = pass_scanout_changed,
    .payload = pass_payload,
};
