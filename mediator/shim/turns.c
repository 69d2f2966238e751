/* The program as a tenant of gtmuxd, where gtmux exec found one to register with. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/arbiter/tenant.h"
#include "mediator/shim/shim.h"
#include "vgpu/base/clock.h"
#include "vgpu/base/log.h"

static struct tenant *tenant;

/* ---- what the GPU asks */

static bool begin(void *ctx, unsigned engine)
{
    (void)ctx;
    return tenant_acquire(tenant, engine);
}

static bool pressed(void *ctx, unsigned engine)
{
    (void)ctx;
    return tenant_pressed(tenant, engine);
}

static void end(void *ctx, unsigned engine, bool more)
{
    (void)ctx;
    /* One job after the other: the number of those that are done tells a long one from one that hangs. */
    tenant_release(tenant, engine, more, shim.done + 1);
}

static const struct gpu_turns turns = {.begin = begin, .pressed = pressed, .end = end};

/* ---- what gtmuxd asks (the tenant's thread) */

static void preempt(void *ctx, unsigned engine)
{
    (void)ctx;
    gpu_leave(shim.gpu, engine);
}

/* The job that runs now fails; device.c takes the stop back with the next one. */
static void reset(void *ctx, unsigned engine)
{
    (void)ctx;
    (void)engine;
    shim_lock();
    if (shim.running)
        gpu_stop(shim.gpu, true);
    shim_unlock();
}

/* ---- frames */

uint64_t shim_frame_due(uint64_t now)
{
    static uint64_t state;

    tenant_count_flip(tenant);
    return tenant_frame_due(tenant_frame_hz(tenant), &state, now);
}

/* ---- memory */

int shim_memory_take(int64_t bytes)
{
    return tenant_memory(tenant, bytes) ? -ENOMEM : 0;
}

/* ---- life */

static const char *setting(const char *name)
{
    const char *text = getenv(name);

    return text && *text ? text : NULL;
}

int shim_turns_start(void)
{
    const char *socket = setting("GTMUX_SHIM_ARBITER");
    struct tenant_options o = {.kind = ARBITER_EXEC,
                               .name = setting("GTMUX_SHIM_NAME"),
                               .profile = setting("GTMUX_SHIM_PROFILE"),
                               .heads = 1,
                               .width = shim.width,
                               .height = shim.height,
                               .reconnect = socket,
                               .preempt = preempt,
                               .reset = reset};
    char err[ARBITER_TEXT_MAX] = "";

    if (!socket || !o.name)
        return 0;
    tenant = tenant_create(&o);
    if (!tenant)
        return -ENOMEM;
    gpu_set_turns(shim.gpu, &turns);
    int rc = tenant_connect(tenant, socket, err, sizeof(err));

    if (rc == -EPERM) {
        fprintf(stderr, "gtmux: gtmuxd refuses this program: %s\n", err);
        return rc;
    }
    if (rc && rc != -ENOENT && rc != -ECONNREFUSED)
        gt_warn("gtmuxd cannot be reached: %s", strerror(-rc));
    return tenant_start(tenant);
}

void shim_turns_forked(void)
{
    tenant_forked(tenant);
}
