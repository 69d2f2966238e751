/*
 * The vfio-user server as a transport: the emulator's end of QEMU's vfio-user-pci device.
 *
 * One client at a time. The user polls an epoll descriptor that holds the client's socket, or the listening one while
 * there is no client; a second client waits in the listening socket's queue until the first has gone. The client is
 * QEMU, which a hostile guest may have taken over: every field of every message is checked, and whatever it does costs
 * it no more than its own connection.
 */
#include "ioreq/vfio_user.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "ioreq/vfio_user_internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

/* Reads in one dispatch, so that a busy client cannot keep its user's other work waiting. */
#define DISPATCH_READS 64u

static struct vfio_user *from_transport(struct ioreq_transport *t)
{
    return (struct vfio_user *)t; /* t is its first member */
}

void vu_memory_begin(struct vfio_user *s)
{
    if (s->events.memory_begin)
        s->events.memory_begin(s->cfg.ctx);
}

void vu_memory_end(struct vfio_user *s)
{
    if (s->events.memory_end)
        s->events.memory_end(s->cfg.ctx);
}

static int watch(struct vfio_user *s, int op, int fd)
{
    struct epoll_event e = {.events = EPOLLIN};

    return epoll_ctl(s->epoll, op, fd, &e) ? -errno : 0;
}

int vu_adopt_client(struct vfio_user *s, int fd)
{
    struct ucred peer = {.pid = 0};
    socklen_t len = sizeof(peer);
    int ret = watch(s, EPOLL_CTL_ADD, fd);

    if (ret)
        return ret;
    s->client = fd;
    s->ready = false;
    (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len); /* only for the log */
    gt_info("vfio-user: a client connected (process %d)", (int)peer.pid);
    return 0;
}

static int accept_client(struct vfio_user *s)
{
    if (s->listener.fd < 0)
        return -ENOTCONN;
    int fd = accept4(s->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED ? 0 : -errno;
    int ret = watch(s, EPOLL_CTL_DEL, s->listener.fd);

    if (!ret)
        ret = vu_adopt_client(s, fd);
    if (ret)
        close(fd);
    return ret;
}

/* Forgets the client and all that came from it: connection, guest memory, eventfds, unread messages. */
static void drop_client(struct vfio_user *s)
{
    close(s->client); /* leaves the epoll set too */
    s->client = -1;
    s->ready = false;
    vu_rx_reset(&s->rx);
    vu_irqs_release(&s->irqs);
    dma_clear(&s->map);
}

/* The client is gone, or is sent away. What dispatch returns: 1; 0 when it was a mere visitor that never spoke. */
static int end_connection(struct vfio_user *s, int why)
{
    bool was_ready = s->ready, counts = was_ready || s->listener.fd < 0;

    if (!why || why == -ECONNRESET || why == -EPIPE)
        gt_info("vfio-user: the client has gone");
    else
        gt_warn("vfio-user: the client is disconnected: %s", strerror(-why));
    vu_memory_begin(s);
    drop_client(s);
    vu_memory_end(s);
    if (was_ready && s->events.disconnected)
        s->events.disconnected(s->cfg.ctx);
    if (s->listener.fd >= 0) {
        int ret = watch(s, EPOLL_CTL_ADD, s->listener.fd);
        if (ret)
            return ret;
    }
    return counts ? 1 : 0;
}

/* Carries out one message and answers it. 0, or -errno: the connection cannot go on. */
static int handle(struct vfio_user *s, struct vu_message *m)
{
    uint32_t type = m->h.flags & VU_TYPE_MASK;
    bool was_ready = s->ready;
    int ret = type == VU_TYPE_COMMAND ? vu_command(s, m) : -EINVAL;

    vu_close_fds(m->fds, m->nfds);
    if (ret)
        GT_GUEST_LOG(&s->log_rl, "vfio-user: message type %u, command %u, size %u refused: %s", type, m->h.command,
                     m->h.size, strerror(-ret));
    if (s->ready && !was_ready && s->events.connected)
        s->events.connected(s->cfg.ctx);
    /* We send no commands, so a reply answers nothing and is not answered itself. */
    if ((m->h.flags & VU_NO_REPLY) || type == VU_TYPE_REPLY)
        return 0;
    return vu_reply(s, m, -ret);
}

/* All complete messages of the buffer. */
static int handle_buffer(struct vfio_user *s)
{
    struct vu_message m;
    int ret;

    while ((ret = vu_next_message(s, &m)) > 0) {
        ret = handle(s, &m);
        if (ret)
            return ret;
    }
    if (ret == -EPROTO) {
        GT_GUEST_LOG(&s->log_rl, "vfio-user: a message of %u bytes; %zu to %zu are possible", m.h.size, sizeof(m.h),
                     VU_MAX_MESSAGE);
        (void)vu_reply(s, &m, EINVAL); /* a courtesy: the connection ends anyway */
    }
    return ret;
}

/* Serves the client until nothing comes for spin_us. 0 go on; 1 it has gone; -errno it has to go. */
static int serve(struct vfio_user *s, unsigned spin_us)
{
    uint64_t spin_until = 0;

    for (unsigned reads = 0; reads < DISPATCH_READS;) {
        ssize_t n = vu_receive(s);

        if (n == -EAGAIN) {
            if (!spin_until || gt_clock_ns() >= spin_until)
                return 0;
            /* Waking the client for its reply, the kernel expects us to sleep and so may have put it on our CPU. */
            sched_yield();
            continue;
        }
        if (n <= 0)
            return n ? (int)n : 1;
        reads++;
        int ret = handle_buffer(s);

        if (ret)
            return ret;
        /* Without polling there is no point in one more read: epoll tells of what has come in the meantime. */
        if (!spin_us && s->rx.rd == s->rx.wr)
            return 0;
        spin_until = gt_clock_ns() + (uint64_t)spin_us * 1000;
    }
    return 0;
}

static int vu_dispatch(struct ioreq_transport *t, unsigned spin_us)
{
    struct vfio_user *s = from_transport(t);

    if (s->client < 0)
        return accept_client(s);
    int ret = serve(s, spin_us);

    return ret ? end_connection(s, ret > 0 ? 0 : ret) : 0;
}

static int vu_fd(struct ioreq_transport *t)
{
    return from_transport(t)->epoll;
}

static int vu_irq(struct ioreq_transport *t)
{
    return vu_irq_raise(&from_transport(t)->irqs);
}

static int vu_mem_read(struct ioreq_transport *t, uint64_t gpa, void *dst, size_t n)
{
    return dma_read(&from_transport(t)->map, gpa, dst, n);
}

static int vu_mem_write(struct ioreq_transport *t, uint64_t gpa, const void *src, size_t n)
{
    return dma_write(&from_transport(t)->map, gpa, src, n);
}

static int vu_mem_cas(struct ioreq_transport *t, uint64_t gpa, unsigned size, uint64_t *expected, uint64_t desired)
{
    return dma_cas(&from_transport(t)->map, gpa, size, expected, desired);
}

static uint8_t *vu_mem_page(struct ioreq_transport *t, uint64_t gpa, bool write)
{
    return dma_page(&from_transport(t)->map, gpa, write);
}

static int vu_mem_runs(struct ioreq_transport *t, const uint64_t *gpa, size_t n, struct ioreq_run *out, size_t max)
{
    return dma_runs(&from_transport(t)->map, gpa, n, out, max);
}

/* No events any more: its user has stopped all threads that could use the transport. */
static void vu_close(struct ioreq_transport *t)
{
    struct vfio_user *s = from_transport(t);

    if (!t)
        return;
    if (s->client >= 0)
        drop_client(s);
    vu_unlisten(&s->listener);
    if (s->epoll >= 0)
        close(s->epoll);
    pthread_mutex_destroy(&s->irqs.lock);
    free(s->rx.buf);
    free(s->tx);
    free(s);
}

static const struct ioreq_transport_ops vfio_user_ops = {
    .name = "vfio-user",
    .fd = vu_fd,
    .dispatch = vu_dispatch,
    .irq = vu_irq,
    .mem_read = vu_mem_read,
    .mem_write = vu_mem_write,
    .mem_cas = vu_mem_cas,
    .mem_page = vu_mem_page,
    .mem_runs = vu_mem_runs,
    .close = vu_close,
};

/* Our own user's mistakes, found before any client sees them. */
static int check_config(const struct ioreq_config *cfg, char *err, size_t errsz)
{
    if (!cfg->events || !cfg->events->access) {
        snprintf(err, errsz, "the transport needs an access handler");
        return -EINVAL;
    }
    for (unsigned i = 0; i < IOREQ_REGIONS; i++) {
        const struct ioreq_region_info *r = &cfg->region[i];

        if (!r->size || r->mmap_fd < 0 || !r->mmap_size)
            continue;
        if ((r->mmap_off | r->mmap_size | r->mmap_fd_off) % VU_PAGE_SIZE ||
            !gt_range_ok(r->mmap_off, r->mmap_size, r->size)) {
            snprintf(err, errsz, "region %u: the window for mmap must be page aligned and inside the region", i);
            return -EINVAL;
        }
    }
    return 0;
}

static const struct vu_io socket_io = {recvmsg, sendmsg};

/* A transport without listener and client. NULL: *ret is -errno, with a message. */
static struct vfio_user *create(const struct ioreq_config *cfg, char *err, size_t errsz, int *ret)
{
    *ret = check_config(cfg, err, errsz);
    if (*ret)
        return NULL;
    struct vfio_user *s = calloc(1, sizeof(*s));

    if (!s)
        goto no_memory;
    s->t.ops = &vfio_user_ops;
    s->cfg = *cfg;
    s->events = *cfg->events;
    s->cfg.events = &s->events;
    s->io = socket_io;
    s->client = s->listener.fd = -1;
    vu_irqs_init(&s->irqs);
    dma_init(&s->map);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->rx.buf = malloc(VU_MAX_MESSAGE + VU_READ_CHUNK);
    s->tx = malloc(VU_MAX_MESSAGE);
    if (!s->rx.buf || !s->tx)
        goto no_memory;
    if (s->epoll < 0) {
        *ret = -errno;
        snprintf(err, errsz, "cannot create an epoll descriptor: %s", strerror(errno));
        vu_close(&s->t);
        return NULL;
    }
    return s;
no_memory:
    *ret = -ENOMEM;
    snprintf(err, errsz, "out of memory");
    if (s)
        vu_close(&s->t);
    return NULL;
}

int vu_from_fd(struct ioreq_transport **out, const struct ioreq_config *cfg, int fd, const struct vu_io *io, char *err,
               size_t errsz)
{
    int ret;
    struct vfio_user *s = create(cfg, err, errsz, &ret);

    if (!s) {
        close(fd);
        return ret;
    }
    s->io = *io;
    ret = vu_adopt_client(s, fd);
    if (ret) {
        snprintf(err, errsz, "cannot serve descriptor %d: %s", fd, strerror(-ret));
        close(fd);
        vu_close(&s->t);
        return ret;
    }
    *out = &s->t;
    return 0;
}

int ioreq_vfio_user_from_fd(struct ioreq_transport **out, const struct ioreq_config *cfg, int fd, char *err,
                            size_t errsz)
{
    return vu_from_fd(out, cfg, fd, &socket_io, err, errsz);
}

int ioreq_vfio_user_open(struct ioreq_transport **out, const struct ioreq_config *cfg,
                         const struct ioreq_vfio_user_options *opt, char *err, size_t errsz)
{
    int ret;
    struct vfio_user *s = create(cfg, err, errsz, &ret);

    if (!s)
        return ret;
    ret = vu_listen(&s->listener, opt->path, err, errsz);
    if (!ret) {
        ret = watch(s, EPOLL_CTL_ADD, s->listener.fd);
        if (ret)
            snprintf(err, errsz, "cannot watch %s: %s", opt->path, strerror(-ret));
    }
    if (ret) {
        vu_close(&s->t);
        return ret;
    }
    *out = &s->t;
    return 0;
}
