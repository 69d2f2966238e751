#include "mediator/screens.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "display/udmabuf.h"
#include "display/wire.h"
#include "display/xen_export.h"
#include "mediator/control_wire.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"
#include "vgpu/base/log.h"

#define BACKLOG 8

struct screens {
    struct gate *gate;
    struct ioreq_transport *transport;
    struct vgpu *visited; /* between enter and leave */
    struct display_host host;
    struct display_server *server;
    struct udmabuf udmabuf;       /* of these two the one of the transport, if any, */
    struct xen_export xen_export; /* is open */
    struct sockaddr_un address;
    int listener, wake;
    bool listening, running;
    pthread_t thread;
    atomic_bool stop, watched, changed, memory_changed;
    _Atomic uint64_t changed_ns;
    struct ioreq_run *runs; /* UDMABUF_RUNS_WANTED */
    pthread_mutex_t lock;   /* of stats */
    struct display_stats stats;
};

/* ---- what the display asks for */

static bool host_scanout(void *ctx, unsigned head, struct vgpu_scanout *out)
{
    return gate_scanout(((struct screens *)ctx)->gate, head, out);
}

static bool host_enter(void *ctx)
{
    struct screens *s = ctx;

    s->visited = gate_visit(s->gate);
    return s->visited != NULL;
}

static void host_leave(void *ctx)
{
    struct screens *s = ctx;

    s->visited = NULL;
    gate_visit_end(s->gate);
}

_Static_assert(VGPU_NO_PAGE == FRAME_NO_PAGE, "one mark for holes");

static void host_pages(void *ctx, uint64_t ggtt, size_t n, uint64_t *gpa)
{
    vgpu_ggtt_pages(((struct screens *)ctx)->visited, ggtt, n, gpa);
}

static int host_runs(void *ctx, const uint64_t *gpa, size_t n, struct display_run *out, size_t max)
{
    struct screens *s = ctx;

    if (!s->transport->ops->mem_runs)
        return -EOPNOTSUPP;
    int count = s->transport->ops->mem_runs(s->transport, gpa, n, s->runs, GT_MIN(max, (size_t)UDMABUF_RUNS_WANTED));

    for (int i = 0; i < count; i++)
        out[i] = (struct display_run){.fd = s->runs[i].fd, .off = s->runs[i].off, .len = s->runs[i].len};
    return count;
}

static int host_dmabuf(void *ctx, const uint64_t *gpa, size_t n)
{
    return xen_export_create(&((struct screens *)ctx)->xen_export, gpa, n);
}

static const uint8_t *host_page(void *ctx, uint64_t gpa, uint8_t *room)
{
    struct screens *s = ctx;
    const uint8_t *p = s->transport->ops->mem_page(s->transport, gpa, false);

    if (p)
        return p;
    return s->transport->ops->mem_read(s->transport, gpa, room, DISPLAY_PAGE) ? NULL : room;
}

static int host_read(void *ctx, uint64_t ggtt, void *dst, size_t n)
{
    return vgpu_ggtt_read(((struct screens *)ctx)->visited, ggtt, dst, n);
}

static void host_flip_wait(void *ctx, unsigned head, uint64_t ns)
{
    gate_flip_wait(((struct screens *)ctx)->gate, head, ns);
}

static void host_flip_shown(void *ctx, unsigned head, uint32_t flip)
{
    gate_flip_shown(((struct screens *)ctx)->gate, head, flip);
}

/* ---- the thread */

static void wake(struct screens *s)
{
    uint64_t one = 1;
    ssize_t n = write(s->wake, &one, sizeof(one));

    (void)n; /* a full counter means that it is readable already */
}

static void publish(struct screens *s)
{
    pthread_mutex_lock(&s->lock);
    display_server_stats(s->server, &s->stats);
    pthread_mutex_unlock(&s->lock);
}

/* What other threads have told. */
static void take_news(struct screens *s, bool woken)
{
    uint64_t count;

    if (woken) {
        ssize_t n = read(s->wake, &count, sizeof(count));
        (void)n;
    }
    if (atomic_exchange(&s->memory_changed, false))
        display_server_memory_changed(s->server);
    if (atomic_exchange(&s->changed, false))
        display_server_changed(s->server, s->changed_ns);
}

static int sleep_ms(uint64_t until)
{
    uint64_t now = gt_clock_ns();

    if (until == UINT64_MAX)
        return -1;
    return until <= now ? 0 : (int)GT_MIN((until - now + 999999) / 1000000, UINT64_C(60000));
}

static void *screens_main(void *arg)
{
    struct screens *s = arg;
    uint64_t next = UINT64_MAX;

    pthread_setname_np(pthread_self(), "screens");
    while (!atomic_load(&s->stop)) {
        struct pollfd fds[DISPLAY_FDS + 1] = {{.fd = s->wake, .events = POLLIN}};
        unsigned n = display_server_poll(s->server, fds + 1);

        if (poll(fds, n + 1, sleep_ms(next)) < 0)
            n = 0; /* interrupted: nothing is known of the descriptors */
        take_news(s, n && fds[0].revents);
        next = display_server_step(s->server, fds + 1, n, gt_clock_ns());
        bool watched = display_server_watched(s->server);

        /* Changes that came while nobody watched were not told; a new viewer makes its head be looked at anyway. */
        atomic_store(&s->watched, watched);
        publish(s);
    }
    return NULL;
}

/* ---- life */

static int listen_here(struct screens *s, const char *run_dir, const char *name)
{
    int rc = wire_address(&s->address, run_dir, name, DISPLAY_SOCKET_SUFFIX);

    if (rc)
        return rc;
    /* Whoever lives holds NAME.ctl, too, and that was looked at before: this one is stale. */
    unlink(s->address.sun_path);
    s->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&s->address, sizeof(s->address)))
        return -errno;
    s->listening = true;
    return chmod(s->address.sun_path, 0600) || listen(s->listener, BACKLOG) ? -errno : 0;
}

static void open_udmabuf(struct screens *s)
{
    char message[512] = "";

    if (udmabuf_open(&s->udmabuf, message, sizeof(message)))
        gt_info("display: %s", message);
    else if (message[0])
        gt_warn("display: %s", message);
}

static void open_xen_export(struct screens *s, unsigned domid)
{
    char message[512];

    if (xen_export_open(&s->xen_export, domid, message, sizeof(message)))
        gt_info("display: %s", message);
    else
        s->host.dmabuf = host_dmabuf;
}

int screens_open(struct screens **out, const char *run_dir, const char *name, int xen_domid, char *err, size_t errsz)
{
    struct screens *s = calloc(1, sizeof(*s));

    *out = NULL;
    if (!s) {
        snprintf(err, errsz, "no memory");
        return -ENOMEM;
    }
    *s = (struct screens){.listener = -1, .wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    s->udmabuf.fd = s->xen_export.fd = -1;
    pthread_mutex_init(&s->lock, NULL);
    s->host = (struct display_host){.ctx = s,
                                    .scanout = host_scanout,
                                    .enter = host_enter,
                                    .leave = host_leave,
                                    .pages = host_pages,
                                    .runs = host_runs,
                                    .page = host_page,
                                    .read = host_read,
                                    .flip_wait = host_flip_wait,
                                    .flip_shown = host_flip_shown};
    s->runs = calloc(UDMABUF_RUNS_WANTED, sizeof(*s->runs));
    int rc = s->wake < 0 ? -errno : !s->runs ? -ENOMEM : listen_here(s, run_dir, name);

    if (!rc) {
        if (xen_domid >= 0)
            open_xen_export(s, (unsigned)xen_domid);
        else
            open_udmabuf(s);
        s->server = display_server_create(&s->host, &s->udmabuf, s->listener, name);
        rc = s->server ? 0 : -ENOMEM;
    }
    if (rc) {
        snprintf(err, errsz, "cannot open the display socket %s: %s", s->address.sun_path, strerror(-rc));
        screens_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

void screens_flip_wait(struct screens *s, uint64_t ns)
{
    display_server_flip_wait(s->server, ns);
}

int screens_start(struct screens *s, struct gate *g, struct ioreq_transport *t)
{
    s->gate = g;
    s->transport = t;
    int rc = -pthread_create(&s->thread, NULL, screens_main, s);

    s->running = !rc;
    return rc;
}

void screens_close(struct screens *s)
{
    if (!s)
        return;
    if (s->running) {
        atomic_store(&s->stop, true);
        wake(s);
        pthread_join(s->thread, NULL);
    }
    display_server_destroy(s->server);
    udmabuf_close(&s->udmabuf);
    xen_export_close(&s->xen_export);
    if (s->listening)
        unlink(s->address.sun_path);
    if (s->listener >= 0)
        close(s->listener);
    if (s->wake >= 0)
        close(s->wake);
    pthread_mutex_destroy(&s->lock);
    free(s->runs);
    free(s);
}

/* ---- any thread */

void screens_changed(struct screens *s)
{
    if (!s || !atomic_load(&s->watched))
        return;
    s->changed_ns = gt_clock_ns();
    if (!atomic_exchange(&s->changed, true))
        wake(s);
}

void screens_memory_changed(struct screens *s)
{
    if (!s)
        return;
    atomic_store(&s->memory_changed, true);
    wake(s);
}

void screens_stats(struct screens *s, struct display_stats *out)
{
    pthread_mutex_lock(&s->lock);
    *out = s->stats;
    pthread_mutex_unlock(&s->lock);
}
