#include "mediator/session_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "mediator/control.h"
#include "mediator/workers.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"
#include "vgpu/base/log.h"

void session_options_default(struct session_options *o)
{
    struct vgpu_config cfg;

    vgpu_config_default(&cfg);
    *o = (struct session_options){
        .heads = 1,
        .xen_domid = -1,
        .pvinfo = cfg.pvinfo,
        .map_gtt = true,
        .mappable_mb = cfg.mappable_mb,
        .busy_poll_us = 50,
        .flip_wait_ms = (unsigned)(DISPLAY_FLIP_WAIT_NS / 1000000),
        .arbiter = true,
    };
    for (unsigned i = 0; i < VGPU_HEADS; i++)
        o->mode[i] = cfg.modes[0];
}

/* ---- what the gate needs */

static int host_mem_read(void *ctx, uint64_t gpa, void *dst, size_t n)
{
    struct session *s = ctx;

    if (!account_reach_word(s->account, gpa))
        return session_over_quota(s);
    return s->transport->ops->mem_read(s->transport, gpa, dst, n);
}

static int host_mem_write(void *ctx, uint64_t gpa, const void *src, size_t n)
{
    struct session *s = ctx;

    if (!account_reach_word(s->account, gpa))
        return session_over_quota(s);
    return s->transport->ops->mem_write(s->transport, gpa, src, n);
}

static int host_mem_cas(void *ctx, uint64_t gpa, unsigned size, uint64_t *expected, uint64_t desired)
{
    struct session *s = ctx;

    if (!account_reach_word(s->account, gpa))
        return session_over_quota(s);
    return s->transport->ops->mem_cas(s->transport, gpa, size, expected, desired);
}

static uint8_t *host_mem_page(void *ctx, uint64_t gpa, bool write)
{
    struct session *s = ctx;
    uint8_t *page = s->transport->ops->mem_page(s->transport, gpa, write);

    if (!page || account_reach(s->account, gpa))
        return page;
    session_over_quota(s);
    return NULL;
}

static void host_irq(void *ctx)
{
    struct session *s = ctx;
    s->transport->ops->irq(s->transport);
}

static void host_line(void *ctx, bool level)
{
    struct session *s = ctx;

    if (s->transport->ops->line)
        s->transport->ops->line(s->transport, level);
}

static void host_kick(void *ctx, unsigned engine)
{
    session_note_work(ctx);
    workers_kick_engine(((struct session *)ctx)->workers, engine);
}

static void host_display_kick(void *ctx)
{
    workers_kick_display(((struct session *)ctx)->workers);
}

static void host_scanout_changed(void *ctx, unsigned pipe)
{
    (void)pipe;
    screens_changed(((struct session *)ctx)->screens);
}

/* ---- set-up, in order; session_close unwinds whatever is there */

static int open_journal(struct session *s, char *err, size_t errsz)
{
    struct journal_identity who = {.domid = (unsigned)s->opt.xen_domid};

    if (!s->opt.state_path)
        return 0;
    snprintf(who.handle, sizeof(who.handle), "%s", s->opt.xen_uuid ? s->opt.xen_uuid : "");
    return journal_open(&s->journal, s->opt.state_path, &who, err, errsz);
}

int session_fail(char *err, size_t errsz, const char *what, int code)
{
    snprintf(err, errsz, "%s: %s", what, strerror(-code));
    return code;
}

/* How the device is built, unless a journal has one to go on with. */
static void device_config(struct session *s)
{
    struct vgpu_config *cfg = &s->device;

    vgpu_config_default(cfg);
    cfg->gtt = s->gtt;
    cfg->pvinfo = s->opt.pvinfo;
    cfg->mappable_mb = s->opt.mappable_mb;
    cfg->heads = s->opt.heads;
    memcpy(cfg->modes, s->opt.mode, sizeof(cfg->modes));
}

static void journaled_config(struct session *s)
{
    journal_config(s->journal, &s->device);
    if (s->gtt)
        s->device.gtt = s->gtt;
}

/* Goes on with the device of a killed predecessor, or makes a new one. */
static int open_journaled_gate(struct session *s, const struct gate_host *host, char *err, size_t errsz)
{
    int rc = -ESTALE;

    journaled_config(s);
    void *old = journal_old_state(s->journal);
    if (old) {
        rc = gate_adopt(&s->gate, &s->device, host, old, err, errsz);
        free(old);
        if (rc == -ESTALE) {
            gt_warn("the device of the last gtmux-dm cannot be continued: %s; the guest gets a new one", err);
            journal_discard(s->journal);
            journaled_config(s);
            if (s->gtt)
                memset(s->gtt, 0, VGPU_GTT_SIZE);
        }
    }
    s->adopted = !rc;
    if (rc == -ESTALE)
        rc = gate_create(&s->gate, &s->device, host, s->opt.record, err, errsz);
    if (rc)
        return rc;
    s->adopt_server = journal_server(s->journal);
    return 0;
}

static int open_gate(struct session *s, char *err, size_t errsz)
{
    struct gate_host host = {
        .ctx = s,
        .mem_read = host_mem_read,
        .mem_write = host_mem_write,
        .mem_cas = host_mem_cas,
        .mem_page = host_mem_page,
        .irq = host_irq,
        .line = host_line,
        .kick = host_kick,
        .display_kick = host_display_kick,
        .scanout_changed = host_scanout_changed,
        .gtt_clear = session_clear_gtt,
        .backend = s->backend,
    };

    if (!s->journal)
        return gate_create(&s->gate, &s->device, &host, s->opt.record, err, errsz);
    return open_journaled_gate(s, &host, err, errsz);
}

static int open_all(struct session *s, char *err, size_t errsz)
{
    int rc;

    s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->stop_fd < 0)
        return session_fail(err, errsz, "cannot make an eventfd", -errno);
    s->backend = backend_soft_create(0);
    if (!s->backend)
        return session_fail(err, errsz, "cannot make the soft backend", -ENOMEM);
    s->account = account_create();
    if (!s->account)
        return session_fail(err, errsz, "cannot keep an account of memory", -ENOMEM);
    s->workers = workers_create();
    if (!s->workers)
        return session_fail(err, errsz, "cannot prepare the engine threads", -ENOMEM);
    if ((rc = open_journal(s, err, errsz)) || (rc = session_open_gtt(s, err, errsz)))
        return rc;
    device_config(s);
    if ((rc = open_gate(s, err, errsz)))
        return rc;
    vgpu_vbt_rom(s->rom, sizeof(s->rom));
    if ((rc = control_open(&s->control, s, s->opt.run_dir, err, errsz)) ||
        (rc = screens_open(&s->screens, s->opt.run_dir, s->name, s->opt.xen_domid, err, errsz)))
        return rc;
    screens_flip_wait(s->screens, s->opt.flip_wait_ms * UINT64_C(1000000));
    if ((rc = session_open_arbiter(s, err, errsz)))
        return rc;
    rc = session_open_transport(s, err, errsz);
    if (!rc && s->journal)
        journal_set_server(s->journal, (int)session_xen_server(s));
    return rc;
    /* From here on the guest can speak: nothing below this line asks for new rights. */
}

int session_open(struct session **out, const struct session_options *o, char *err, size_t errsz)
{
    struct session *s = calloc(1, sizeof(*s));

    *out = NULL;
    if (!s)
        return session_fail(err, errsz, "cannot start", -ENOMEM);
    s->opt = *o;
    snprintf(s->name, sizeof(s->name), "%s", o->name);
    s->stop_fd = s->gtt_fd = s->adopt_server = -1;
    s->start_ns = gt_clock_ns();
    s->over_quota = (struct gt_ratelimit){.burst = 3, .refill_ns = UINT64_C(10000000000)};
    spin_init(&s->spin, o->busy_poll_us);
    int rc = open_all(s, err, errsz);
    if (rc) {
        session_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

unsigned session_xen_server(const struct session *s)
{
    return s->opt.xen_domid >= 0 ? ioreq_xen_server(s->transport) : 0;
}

int session_confine(struct session *s, const struct sandbox_options *o, char *err, size_t errsz)
{
    int rc = s->opt.xen_domid >= 0 ? ioreq_xen_restrict(s->transport) : 0;

    if (rc)
        return session_fail(err, errsz, "cannot give up the rights over other domains", rc);
    return sandbox_enter(o, err, errsz);
}

int session_start(struct session *s, char *err, size_t errsz)
{
    int rc = s->tenant ? tenant_start(s->tenant) : 0;

    if (rc)
        return session_fail(err, errsz, "cannot start the thread that hears gtmuxd", rc);
    rc = workers_start(s->workers, s->gate, s->tenant);
    if (rc)
        return session_fail(err, errsz, "cannot start the engine threads", rc);
    rc = screens_start(s->screens, s->gate, s->transport);
    if (rc)
        return session_fail(err, errsz, "cannot start the thread of the screens", rc);
    rc = control_start(s->control);
    if (!rc && s->journal)
        journal_commit(s->journal, &s->device); /* not before all that can fail: until now the old device is kept */
    if (!rc && s->adopted)
        gate_resume(s->gate);
    return rc ? session_fail(err, errsz, "cannot start the control thread", rc) : 0;
}

/* Sleeps until the transport has something to do or session_stop was called. 0 or -errno. */
static int sleep_for_work(struct session *s)
{
    const struct ioreq_transport_ops *ops = s->transport->ops;

    if (ops->wait)
        return ops->wait(s->transport);
    struct pollfd fds[2] = {{.fd = s->stop_fd, .events = POLLIN}, {.fd = ops->fd(s->transport), .events = POLLIN}};

    return poll(fds, 2, -1) < 0 && errno != EINTR ? -errno : 0;
}

/* Serves what woke us, and what busy polling finds after it. As the transport's dispatch. */
static int serve(struct session *s, uint64_t slept_ns)
{
    uint64_t before = s->accesses;

    s->messages++;
    int rc = s->transport->ops->dispatch(s->transport, spin_slept(&s->spin, slept_ns));
    if (s->accesses != before)
        spin_polled(&s->spin, s->accesses - before > 1);
    return rc;
}

int session_run(struct session *s)
{
    while (!atomic_load(&s->stopping)) {
        uint64_t before = gt_clock_ns();
        int rc = sleep_for_work(s);
        if (!rc && !atomic_load(&s->stopping))
            rc = serve(s, gt_clock_ns() - before);
        if (rc == -ESHUTDOWN) {
            gt_info("the guest is gone");
            return 0;
        }
        if (rc < 0) {
            gt_err("the transport broke: %s", strerror(-rc));
            return rc;
        }
    }
    return 0;
}

/* A signal handler calls this, in the midst of anything. */
void session_stop(struct session *s)
{
    const struct ioreq_transport_ops *ops = s->transport->ops;
    int saved = errno;
    uint64_t one = 1;

    atomic_store(&s->stopping, true);
    if (ops->wake)
        ops->wake(s->transport);
    ssize_t n = write(s->stop_fd, &one, sizeof(one));

    (void)n; /* a full counter means that it is readable already */
    errno = saved;
}

void session_close(struct session *s)
{
    if (!s)
        return;
    control_close(s->control);
    tenant_stop(s->tenant);
    workers_stop(s->workers);
    tenant_destroy(s->tenant);
    screens_close(s->screens); /* after those who tell it of changes */
    s->screens = NULL;
    if (s->gate && s->opt.record)
        printf("gtmux-dm: recorded %s, final state %016llx\n", s->opt.record, (unsigned long long)gate_finish(s->gate));
    if (s->transport)
        s->transport->ops->close(s->transport);
    gate_destroy(s->gate);
    account_destroy(s->account);
    journal_close(s->journal, true);
    if (s->backend)
        s->backend->ops->destroy(s->backend);
    session_close_gtt(s);
    if (s->stop_fd >= 0)
        close(s->stop_fd);
    free(s);
}

void session_get_info(struct session *s, struct session_info *out)
{
    *out = (struct session_info){
        .name = s->name,
        .connected = s->connected,
        .uptime_ns = gt_clock_ns() - s->start_ns,
        .messages = s->messages,
    };
}

struct gate *session_gate(struct session *s)
{
    return s->gate;
}

struct screens *session_screens(struct session *s)
{
    return s->screens;
}

struct backend *session_backend(struct session *s)
{
    return s->backend;
}

struct tenant *session_tenant(struct session *s)
{
    return s->tenant;
}
