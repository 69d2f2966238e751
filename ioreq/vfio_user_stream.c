/*
 * Messages out of the byte stream. Header and body come with one recvmsg where the client sends them with one sendmsg,
 * and several waiting messages come together.
 *
 * Which message do received descriptors belong to? A Linux unix socket may join queued sends into one recvmsg, but it
 * stops after the first send that carries descriptors (unix_stream_read_generic). So the send that they came with is
 * the last one of the read, and they belong to the message that holds the last byte read: either the last complete one
 * in the buffer, or the incomplete one at its end.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "ioreq/vfio_user_internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

void vu_close_fds(int *fds, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

void vu_rx_reset(struct vu_rx *rx)
{
    vu_close_fds(rx->fds, rx->nfds);
    rx->nfds = 0;
    rx->fds_lost = false;
    rx->fds_end = 0;
    rx->rd = rx->wr = 0;
}

static void keep_fd(struct vu_rx *rx, int fd)
{
    if (rx->nfds < VU_MAX_MSG_FDS) {
        rx->fds[rx->nfds++] = fd;
    } else {
        rx->fds_lost = true;
        close(fd);
    }
}

static void keep_fds(struct vu_rx *rx, struct msghdr *msg)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        for (size_t i = 0; i < n; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
            keep_fd(rx, fd);
        }
        rx->fds_end = rx->wr;
    }
    /* Too many for the control buffer, or we are out of descriptors: the kernel has dropped some. */
    if (msg->msg_flags & MSG_CTRUNC) {
        rx->fds_lost = true;
        rx->fds_end = rx->wr;
    }
}

/* Bytes to ask for: what the message at the end of the buffer lacks, or a chunk when not even its size is known. */
static size_t wanted(struct vu_rx *rx)
{
    size_t have = rx->wr - rx->rd;
    struct vu_header h;

    /* Nothing that follows a piece of a header with descriptors may be read along: they are this message's. */
    if (have < sizeof(h))
        return rx->fds_end ? sizeof(h) - have : VU_READ_CHUNK - have;
    memcpy(&h, rx->buf + rx->rd, sizeof(h));
    return h.size - have; /* vu_next_message has checked the size and found the message incomplete */
}

/* Moves a partial message to the front of the buffer, where the largest message has room. */
static void make_room(struct vu_rx *rx)
{
    if (!rx->rd)
        return;
    memmove(rx->buf, rx->buf + rx->rd, rx->wr - rx->rd);
    rx->fds_end = rx->fds_end > rx->rd ? rx->fds_end - rx->rd : 0;
    rx->wr -= rx->rd;
    rx->rd = 0;
}

ssize_t vu_receive(struct vfio_user *s)
{
    struct vu_rx *rx = &s->rx;
    union {
        struct cmsghdr align;
        char buf[CMSG_SPACE(VU_MAX_MSG_FDS * sizeof(int))];
    } control;

    make_room(rx);
    struct iovec iov = {.iov_base = rx->buf + rx->wr, .iov_len = wanted(rx)};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf)};
    ssize_t n;

    do
        n = s->io.recvmsg(s->client, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EWOULDBLOCK ? -EAGAIN : -errno;
    rx->wr += (size_t)n;
    if (n && (msg.msg_controllen || (msg.msg_flags & MSG_CTRUNC)))
        keep_fds(rx, &msg);
    return n;
}

/* Hands the descriptors over when they belong to the message that ends at `end`. */
static void take_fds(struct vu_rx *rx, size_t end, struct vu_message *m)
{
    m->nfds = 0;
    m->fds_lost = false;
    if (!rx->fds_end || end < rx->fds_end)
        return;
    m->nfds = rx->nfds;
    m->fds_lost = rx->fds_lost;
    rx->nfds = 0;
    rx->fds_lost = false;
    rx->fds_end = 0;
}

int vu_next_message(struct vfio_user *s, struct vu_message *m)
{
    struct vu_rx *rx = &s->rx;
    size_t have = rx->wr - rx->rd;

    if (have < sizeof(m->h))
        return 0;
    memcpy(&m->h, rx->buf + rx->rd, sizeof(m->h));
    if (m->h.size < sizeof(m->h) || m->h.size > VU_MAX_MESSAGE)
        return -EPROTO;
    if (have < m->h.size)
        return 0;
    m->body = rx->buf + rx->rd + sizeof(m->h);
    m->len = m->h.size - sizeof(m->h);
    m->fds = rx->fds;
    rx->rd += m->h.size;
    take_fds(rx, rx->rd, m);
    m->reply = s->tx + sizeof(struct vu_header);
    m->reply_len = 0;
    m->reply_fd = -1;
    return 1;
}

static int64_t now_ms(void)
{
    return (int64_t)(gt_clock_ns() / 1000000);
}

static int wait_writable(int fd, int64_t deadline_ms)
{
    for (;;) {
        int64_t left = deadline_ms - now_ms();
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        int n = left > 0 ? poll(&p, 1, (int)left) : 0;

        if (n > 0)
            return 0;
        if (!n)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

static void attach_fd(struct msghdr *msg, char *control, size_t size, int fd)
{
    msg->msg_control = control;
    msg->msg_controllen = size;
    struct cmsghdr *c = CMSG_FIRSTHDR(msg);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(int));
}

static int send_all(struct vfio_user *s, size_t len, int fd)
{
    union {
        struct cmsghdr align;
        char buf[CMSG_SPACE(sizeof(int))];
    } control = {.buf = {0}};
    struct iovec iov = {.iov_base = s->tx, .iov_len = len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    int64_t deadline = 0;

    if (fd >= 0)
        attach_fd(&msg, control.buf, sizeof(control.buf), fd);
    while (iov.iov_len) {
        ssize_t n = s->io.sendmsg(s->client, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n >= 0) {
            iov.iov_base = (uint8_t *)iov.iov_base + n;
            iov.iov_len -= (size_t)n;
            msg.msg_control = NULL; /* went with the first byte */
            msg.msg_controllen = 0;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!deadline)
                deadline = now_ms() + VU_SEND_TIMEOUT_MS;
            int ret = wait_writable(s->client, deadline);
            if (ret)
                return ret;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

int vu_reply(struct vfio_user *s, const struct vu_message *m, int error)
{
    struct vu_header h = {
        .id = m->h.id,
        .command = m->h.command,
        .size = (uint32_t)(sizeof(h) + (error ? 0 : m->reply_len)),
        .flags = VU_TYPE_REPLY | (error ? VU_ERROR : 0),
        .error = (uint32_t)error,
    };

    memcpy(s->tx, &h, sizeof(h));
    return send_all(s, h.size, error ? -1 : m->reply_fd);
}
