/* The session as a tenant of gtmuxd. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mediator/session_internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"
#include "vgpu/base/log.h"

static void on_preempt(void *ctx, unsigned engine)
{
    gate_engine_leave(((struct session *)ctx)->gate, engine);
}

static void on_reset(void *ctx, unsigned engine)
{
    gate_engine_give_up(((struct session *)ctx)->gate, engine);
}

/* The frame limit holds for each head by itself. */
static void on_values(void *ctx)
{
    struct session *s = ctx;
    unsigned hz = tenant_frame_hz(s->tenant);

    for (unsigned head = 0; head < VGPU_HEADS; head++)
        gate_flip_pace(s->gate, head, hz ? UINT64_C(1000000000) / hz : 0);
    account_limit(s->account, tenant_quota(s->tenant));
    account_switch(s->account, tenant_attached(s->tenant));
}

static void report_memory(struct session *s)
{
    tenant_set_memory(s->tenant, account_bytes(s->account), account_refusals(s->account));
}

/* A driver does not look for pages that are missing all of a sudden. It knows what to do about an engine that hangs. */
int session_over_quota(struct session *s)
{
    report_memory(s);
    if (!atomic_flag_test_and_set(&s->telling)) {
        GT_GUEST_LOG(&s->over_quota, "GPU work needs more than the quota of %llu MiB of memory: it is stopped",
                     (unsigned long long)(tenant_quota(s->tenant) >> 20));
        atomic_flag_clear(&s->telling);
    }
    for (unsigned i = 0; i < VGPU_ENGINES; i++)
        gate_engine_give_up(s->gate, i);
    return -EFAULT;
}

void session_note_work(struct session *s)
{
    uint64_t now = gt_clock_ns();

    account_work(s->account, now);
    report_memory(s);
    tenant_note_heap(s->tenant, now);
}

static int socket_path(const struct session *s, char *path, size_t size)
{
    char dir[4096];
    int rc = s->opt.run_dir ? 0 : run_dir_default(dir, sizeof(dir));

    if (rc)
        return rc;
    int n = snprintf(path, size, "%s/" ARBITER_SOCKET, s->opt.run_dir ? s->opt.run_dir : dir);

    return n < (int)size ? 0 : -ENAMETOOLONG;
}

int session_open_arbiter(struct session *s, char *err, size_t errsz)
{
    struct tenant_options o = {.kind = ARBITER_DM,
                               .name = s->name,
                               .profile = s->opt.profile,
                               .heads = s->opt.heads,
                               .ctx = s,
                               .preempt = on_preempt,
                               .reset = on_reset,
                               .values = on_values};
    char path[4096], why[ARBITER_TEXT_MAX] = "";

    if (!s->opt.arbiter)
        return 0;
    for (unsigned i = 0; i < s->opt.heads; i++) {
        o.width = GT_MAX(o.width, s->opt.mode[i].width);
        o.height = GT_MAX(o.height, s->opt.mode[i].height);
    }
    s->tenant = tenant_create(&o);
    if (!s->tenant)
        return session_fail(err, errsz, "cannot prepare for gtmuxd", -ENOMEM);
    int rc = socket_path(s, path, sizeof(path));

    if (!rc)
        rc = tenant_connect(s->tenant, path, why, sizeof(why));
    if (rc == -EPERM) {
        snprintf(err, errsz, "gtmuxd refuses this guest: %s", why);
        return rc;
    }
    if (!rc)
        gt_info("registered with gtmuxd");
    else if (rc != -ENOENT && rc != -ECONNREFUSED)
        gt_warn("gtmuxd cannot be reached, going on without it: %s", strerror(-rc));
    return 0;
}

bool session_may_plug(struct session *s, unsigned head, const struct vgpu_mode *mode)
{
    unsigned heads = 1;

    for (unsigned i = 0; i < VGPU_HEADS; i++)
        heads += i != head && gate_head_get(s->gate, i, NULL);
    return tenant_may_show(s->tenant, heads, mode->width, mode->height);
}
