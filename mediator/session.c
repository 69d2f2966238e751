#include "mediator/session.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ioreq/transport.h"
#include "mediator/control.h"
#include "mediator/workers.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"
#include "vgpu/base/log.h"

struct session {
    struct session_options opt;
    char name[SESSION_NAME_MAX];
    struct ioreq_transport *transport;
    struct gate *gate;
    struct backend *backend;
    struct workers *workers;
    struct control *control;
    int stop_fd; /* eventfd */
    int gtt_fd;  /* memfd behind the GTT half of BAR0, or -1 */
    void *gtt;
    uint8_t rom[VGPU_ROM_SIZE];
    uint64_t start_ns;
    atomic_bool connected;
    _Atomic uint64_t messages;
    unsigned spin_us; /* busy polling now in force: 0 or opt.busy_poll_us */
};

void session_options_default(struct session_options *o)
{
    struct vgpu_config cfg;

    vgpu_config_default(&cfg);
    *o = (struct session_options){
        .heads = 1,
        .pvinfo = cfg.pvinfo,
        .mappable_mb = cfg.mappable_mb,
        .busy_poll_us = 50,
    };
    for (unsigned i = 0; i < VGPU_HEADS; i++)
        o->mode[i] = cfg.modes[0];
}

/* ---- what the transport tells us (trap thread) */

static void rom_access(struct session *s, struct ioreq_access *a)
{
    if (a->write)
        return;
    a->data = 0;
    if (gt_range_ok(a->off, a->size, VGPU_ROM_SIZE))
        memcpy(&a->data, s->rom + a->off, a->size);
}

static void on_access(void *ctx, struct ioreq_access *a)
{
    struct session *s = ctx;

    if (a->region == IOREQ_ROM)
        rom_access(s, a);
    else
        gate_access(s->gate, a);
}

static void on_reset(void *ctx)
{
    gate_reset(((struct session *)ctx)->gate);
}

static void on_memory_begin(void *ctx)
{
    gate_memory_begin(((struct session *)ctx)->gate);
}

static void on_memory_end(void *ctx)
{
    gate_memory_end(((struct session *)ctx)->gate);
}

static void on_connected(void *ctx)
{
    struct session *s = ctx;

    s->connected = true;
    gt_info("a VM is connected");
}

static void on_disconnected(void *ctx)
{
    struct session *s = ctx;

    s->connected = false;
    gate_reset(s->gate);
    gt_info("the VM has gone; waiting for the next one");
}

static const struct ioreq_events session_events = {
    .access = on_access,
    .reset = on_reset,
    .memory_begin = on_memory_begin,
    .memory_end = on_memory_end,
    .connected = on_connected,
    .disconnected = on_disconnected,
};

/* ---- what the gate needs */

static int host_mem_read(void *ctx, uint64_t gpa, void *dst, size_t n)
{
    struct session *s = ctx;
    return s->transport->ops->mem_read(s->transport, gpa, dst, n);
}

static int host_mem_write(void *ctx, uint64_t gpa, const void *src, size_t n)
{
    struct session *s = ctx;
    return s->transport->ops->mem_write(s->transport, gpa, src, n);
}

static int host_mem_cas(void *ctx, uint64_t gpa, unsigned size, uint64_t *expected, uint64_t desired)
{
    struct session *s = ctx;
    return s->transport->ops->mem_cas(s->transport, gpa, size, expected, desired);
}

static uint8_t *host_mem_page(void *ctx, uint64_t gpa, bool write)
{
    struct session *s = ctx;
    return s->transport->ops->mem_page(s->transport, gpa, write);
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
    workers_kick_engine(((struct session *)ctx)->workers, engine);
}

static void host_display_kick(void *ctx)
{
    workers_kick_display(((struct session *)ctx)->workers);
}

/* ---- set-up, in order; session_close unwinds whatever is there */

static int fail(char *err, size_t errsz, const char *what, int code)
{
    snprintf(err, errsz, "%s: %s", what, strerror(-code));
    return code;
}

static int open_gtt(struct session *s, char *err, size_t errsz)
{
    if (!s->opt.map_gtt || s->opt.record)
        return 0;
    s->gtt_fd = memfd_create("gtmux-gtt", MFD_CLOEXEC);
    if (s->gtt_fd < 0 || ftruncate(s->gtt_fd, VGPU_GTT_SIZE))
        return fail(err, errsz, "cannot make the memory of the GTT (memfd)", -errno);
    s->gtt = mmap(NULL, VGPU_GTT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, s->gtt_fd, 0);
    if (s->gtt == MAP_FAILED) {
        s->gtt = NULL;
        return fail(err, errsz, "cannot map the memory of the GTT", -errno);
    }
    return 0;
}

static void device_config(const struct session *s, struct vgpu_config *cfg)
{
    vgpu_config_default(cfg);
    cfg->gtt = s->gtt;
    cfg->pvinfo = s->opt.pvinfo;
    cfg->mappable_mb = s->opt.mappable_mb;
    cfg->heads = s->opt.heads;
    memcpy(cfg->modes, s->opt.mode, sizeof(cfg->modes));
}

static int open_gate(struct session *s, char *err, size_t errsz)
{
    struct vgpu_config cfg;
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
        .backend = s->backend,
    };

    device_config(s, &cfg);
    return gate_create(&s->gate, &cfg, &host, s->opt.record, err, errsz);
}

static int open_transport(struct session *s, char *err, size_t errsz)
{
    struct ioreq_config cfg = {.events = &session_events, .ctx = s};
    struct ioreq_vfio_user_options opt = {.path = s->opt.vfio_user};
    struct vgpu_config device;
    device_config(s, &device);
    const struct {
        enum ioreq_region region;
        uint64_t size;
        bool writable;
    } rows[] = {
        {IOREQ_BAR0, VGPU_BAR0_SIZE, true},  {IOREQ_BAR2, vgpu_bar2_size(&device), true},
        {IOREQ_BAR4, VGPU_BAR4_SIZE, true},  {IOREQ_ROM, VGPU_ROM_SIZE, false},
        {IOREQ_CONFIG, VGPU_CFG_SIZE, true},
    };

    for (unsigned i = 0; i < IOREQ_REGIONS; i++)
        cfg.region[i].mmap_fd = -1;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        struct ioreq_region_info *r = &cfg.region[rows[i].region];
        *r = (struct ioreq_region_info){
            .size = rows[i].size, .readable = true, .writable = rows[i].writable, .mmap_fd = -1};
    }
    if (s->gtt) {
        cfg.region[IOREQ_BAR0].mmap_fd = s->gtt_fd;
        cfg.region[IOREQ_BAR0].mmap_off = VGPU_GTT_OFFSET;
        cfg.region[IOREQ_BAR0].mmap_size = VGPU_GTT_SIZE;
    }
    return ioreq_vfio_user_open(&s->transport, &cfg, &opt, err, errsz);
}

static int open_all(struct session *s, char *err, size_t errsz)
{
    int rc;

    s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->stop_fd < 0)
        return fail(err, errsz, "cannot make an eventfd", -errno);
    s->backend = backend_soft_create();
    if (!s->backend)
        return fail(err, errsz, "cannot make the soft backend", -ENOMEM);
    s->workers = workers_create();
    if (!s->workers)
        return fail(err, errsz, "cannot prepare the engine threads", -ENOMEM);
    if ((rc = open_gtt(s, err, errsz)) || (rc = open_gate(s, err, errsz)))
        return rc;
    vgpu_vbt_rom(s->rom, sizeof(s->rom));
    if ((rc = control_open(&s->control, s, s->opt.run_dir, err, errsz)))
        return rc;
    return open_transport(s, err, errsz);
    /* From here on the guest can speak: nothing below this line asks for new rights. */
}

int session_open(struct session **out, const struct session_options *o, char *err, size_t errsz)
{
    struct session *s = calloc(1, sizeof(*s));

    *out = NULL;
    if (!s)
        return fail(err, errsz, "cannot start", -ENOMEM);
    s->opt = *o;
    snprintf(s->name, sizeof(s->name), "%s", o->name);
    s->stop_fd = s->gtt_fd = -1;
    s->start_ns = gt_clock_ns();
    int rc = open_all(s, err, errsz);
    if (rc) {
        session_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

int session_start(struct session *s, char *err, size_t errsz)
{
    int rc = workers_start(s->workers, s->gate);

    if (rc)
        return fail(err, errsz, "cannot start the engine threads", rc);
    rc = control_start(s->control);
    return rc ? fail(err, errsz, "cannot start the control thread", rc) : 0;
}

/*
 * Busy polling pays only while the guest talks: a wake-up from poll() costs 40-60 us on an idle core, a message that
 * follows its predecessor at once would pay it each time. So poll busily as long as sleeps turn out shorter than
 * twice the polling time, and sleep at once when they get longer.
 */
static void adapt_spin(struct session *s, uint64_t slept_ns)
{
    uint64_t limit_ns = 2000ull * s->opt.busy_poll_us;

    s->spin_us = slept_ns <= limit_ns ? s->opt.busy_poll_us : 0;
}

int session_run(struct session *s)
{
    struct pollfd fds[2] = {{.fd = s->stop_fd, .events = POLLIN}, {.events = POLLIN}};

    for (;;) {
        fds[1].fd = s->transport->ops->fd(s->transport);
        uint64_t before = gt_clock_ns();
        if (poll(fds, 2, -1) < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        if (fds[0].revents)
            return 0;
        adapt_spin(s, gt_clock_ns() - before);
        s->messages++;
        int rc = s->transport->ops->dispatch(s->transport, s->spin_us);
        if (rc == -ESHUTDOWN) {
            gt_info("the guest is gone");
            return 0;
        }
        if (rc < 0) {
            gt_err("the transport broke: %s", strerror(-rc));
            return rc;
        }
    }
}

void session_stop(struct session *s)
{
    uint64_t one = 1;
    ssize_t n = write(s->stop_fd, &one, sizeof(one));

    (void)n; /* a full counter means that it is readable already */
}

void session_close(struct session *s)
{
    if (!s)
        return;
    control_close(s->control);
    workers_stop(s->workers);
    if (s->gate && s->opt.record)
        printf("gtmux-dm: recorded %s, final state %016llx\n", s->opt.record, (unsigned long long)gate_finish(s->gate));
    if (s->transport)
        s->transport->ops->close(s->transport);
    gate_destroy(s->gate);
    if (s->backend)
        s->backend->ops->destroy(s->backend);
    if (s->gtt)
        munmap(s->gtt, VGPU_GTT_SIZE);
    if (s->gtt_fd >= 0)
        close(s->gtt_fd);
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

struct backend *session_backend(struct session *s)
{
    return s->backend;
}
