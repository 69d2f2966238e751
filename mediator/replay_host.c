/* The replayed device's outside: memory and time as the trace has them, and what to say when the two disagree. */
#include "mediator/replay_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "vgpu/base/bits.h"
#include "vgpu/desc/regs.h"

void replay_fail(struct replay *p, int error, const char *fmt, ...)
{
    char text[160];
    va_list ap;

    if (p->error)
        return;
    p->error = error;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    snprintf(p->err, p->errsz, "event %" PRIu64 ": %s", p->res->events, text);
}

/* ---- divergences */

static void name_access(const struct ioreq_access *a, char *buf, size_t size)
{
    static const char *const regions[IOREQ_REGIONS] = {"BAR0", [2] = "BAR2", [4] = "BAR4", [6] = "ROM", [7] = "config"};
    char reg[64];

    if (a->region == IOREQ_BAR0 && a->off < VGPU_MMIO_SIZE)
        snprintf(buf, size, "%s (0x%" PRIx64 ")", reg_name((uint32_t)a->off, reg, sizeof(reg)), a->off);
    else
        snprintf(buf, size, "%s+0x%" PRIx64, regions[a->region] ? regions[a->region] : "region", a->off);
}

void replay_diverge(struct replay *p, const char *fmt, ...)
{
    char text[120], where[96] = "";
    va_list ap;

    if (p->free_running || p->res->divergences++)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (p->access.size)
        name_access(&p->access, where, sizeof(where));
    snprintf(p->res->first, sizeof(p->res->first), "event %" PRIu64 ", %s%s%s: %s", p->res->events, p->what,
             where[0] ? " of " : "", where, text);
}

/* ---- the record stream, one record ahead */

const struct trace_record *replay_peek(struct replay *p)
{
    if (!p->have && p->status == TRACE_OK && !p->error) {
        p->status = trace_read(p->trace, &p->next);
        p->have = p->status == TRACE_OK;
        if (p->status == TRACE_DAMAGED)
            replay_fail(p, -EINVAL, "damaged trace: %s", trace_reader_error(p->trace));
    }
    return p->have ? &p->next : NULL;
}

void replay_consume(struct replay *p)
{
    p->have = false;
}

/* The record of this type that belongs to the call out of the device under way, or NULL. */
static const struct trace_record *due(struct replay *p, enum trace_type type)
{
    const struct trace_record *next = p->free_running ? NULL : replay_peek(p);

    if (!next || next->type != type || next->arg[0] != p->calls)
        return NULL;
    p->calls = 0;
    return next;
}

static void store(struct replay *p, uint64_t gpa, const void *src, size_t n)
{
    if (shadow_write(p->memory, gpa, src, n) == -ENOMEM)
        replay_fail(p, -ENOMEM, "the trace needs more guest memory than allowed");
}

void replay_apply_mem(struct replay *p, const struct trace_record *rec)
{
    if (rec->arg[1] % SHADOW_PAGE + rec->len > SHADOW_PAGE)
        replay_fail(p, -EINVAL, "malformed memory contents");
    else
        store(p, rec->arg[1], rec->data, rec->len);
    replay_consume(p);
}

void replay_step_clock(struct replay *p, uint64_t ns)
{
    p->now += GT_MIN(ns, p->opt->max_step_ns);
}

/* ---- what the device asks for */

/* Opens a memory call: contents as they were then. False: it failed. */
static bool memory_call(struct replay *p)
{
    const struct trace_record *rec;

    p->calls++;
    while ((rec = due(p, TRACE_MEM)))
        replay_apply_mem(p, rec);
    if (p->error)
        return false;
    if (!due(p, TRACE_FAULT))
        return true;
    replay_consume(p);
    return false;
}

static int replay_mem_read(void *host, uint64_t gpa, void *dst, size_t n)
{
    struct replay *p = host;

    return memory_call(p) ? shadow_read(p->memory, gpa, dst, n) : -EFAULT;
}

static int replay_mem_write(void *host, uint64_t gpa, const void *src, size_t n)
{
    struct replay *p = host;

    if (!memory_call(p))
        return -EFAULT;
    int ret = shadow_write(p->memory, gpa, src, n);
    if (ret == -ENOMEM)
        replay_fail(p, -ENOMEM, "the trace needs more guest memory than allowed");
    return ret ? -EFAULT : 0;
}

static int replay_mem_cas(void *host, uint64_t gpa, unsigned size, uint64_t *expected, uint64_t desired)
{
    struct replay *p = host;

    if (!memory_call(p))
        return -EFAULT;
    int ret = shadow_cas(p->memory, gpa, size, expected, desired);
    if (ret == -ENOMEM)
        replay_fail(p, -ENOMEM, "the trace needs more guest memory than allowed");
    return ret < 0 ? -EFAULT : ret;
}

static uint64_t replay_now_ns(void *host)
{
    struct replay *p = host;
    const struct trace_record *rec;

    p->calls++;
    rec = due(p, TRACE_TIME);
    if (rec) {
        replay_step_clock(p, rec->arg[1]);
        replay_consume(p);
    } else {
        if (!p->free_running && replay_peek(p)) /* the last event of a truncated trace may lack results */
            replay_diverge(p, "asks for the time");
        p->now += 1000;
    }
    return p->now;
}

static void replay_irq(void *host)
{
    (void)host;
}

static void replay_kick(void *host, unsigned engine)
{
    (void)host;
    (void)engine;
}

static enum vgpu_payload replay_payload(void *host, struct vgpu_exec *x, int cmd_id, const uint32_t *dw, unsigned ndw)
{
    struct backend *b = ((struct replay *)host)->backend;

    return b ? b->ops->payload(b, x, cmd_id, dw, ndw) : VGPU_PAYLOAD_DONE;
}

const struct vgpu_ops replay_ops = {
    .mem_read = replay_mem_read,
    .mem_write = replay_mem_write,
    .mem_cas = replay_mem_cas,
    .now_ns = replay_now_ns,
    .irq = replay_irq,
    .kick = replay_kick,
    .payload = replay_payload,
};
