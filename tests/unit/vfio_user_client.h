/* A vfio-user client for tests: sends any bytes, with any descriptors, and reads replies. */
#ifndef GTMUX_TESTS_VFIO_USER_CLIENT_H
#define GTMUX_TESTS_VFIO_USER_CLIENT_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ioreq/wire.h"

struct client_reply {
    struct vu_header h;
    uint8_t *body; /* VU_MAX_BODY bytes, one buffer for all replies */
    size_t len;
    int fd; /* that came with it, or -1 */
};

static inline int client_connect(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strncpy(a.sun_path, path, sizeof(a.sun_path) - 1);
    if (fd < 0 || !connect(fd, (struct sockaddr *)&a, sizeof(a)))
        return fd;
    close(fd);
    return -1;
}

/* False when not all could be sent. */
static inline bool client_send(int sock, const void *buf, size_t n, const int *fds, unsigned nfds)
{
    char control[CMSG_SPACE(64 * sizeof(int))] __attribute__((aligned(8)));
    struct iovec iov = {.iov_base = (void *)(uintptr_t)buf, .iov_len = n};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

    if (nfds) {
        memset(control, 0, sizeof(control));
        m.msg_control = control;
        m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
        memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
    }
    return sendmsg(sock, &m, MSG_NOSIGNAL) == (ssize_t)n;
}

static inline bool client_read(int sock, void *buf, size_t n, int *fd)
{
    for (size_t got = 0; got < n;) {
        char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
        struct iovec iov = {.iov_base = (uint8_t *)buf + got, .iov_len = n - got};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
        ssize_t r = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);

        if (r <= 0)
            return false;
        got += (size_t)r;
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        if (c && c->cmsg_type == SCM_RIGHTS)
            memcpy(fd, CMSG_DATA(c), sizeof(*fd));
    }
    return true;
}

/* Reads one reply. False when the server has closed the connection. */
static inline bool client_recv(int sock, struct client_reply *r)
{
    static uint8_t body[VU_MAX_BODY];

    r->fd = -1;
    r->body = body;
    if (!client_read(sock, &r->h, sizeof(r->h), &r->fd) || r->h.size < sizeof(r->h) || r->h.size > VU_MAX_MESSAGE)
        return false;
    r->len = r->h.size - sizeof(r->h);
    return client_read(sock, body, r->len, &r->fd);
}

static inline bool client_command(int sock, uint16_t id, uint16_t command, uint32_t flags, const void *body, size_t len,
                                  const int *fds, unsigned nfds)
{
    struct vu_header h = {.id = id, .command = command, .size = (uint32_t)(sizeof(h) + len), .flags = flags};
    uint8_t *m = malloc(sizeof(h) + len);

    memcpy(m, &h, sizeof(h));
    if (len)
        memcpy(m + sizeof(h), body, len);
    bool ok = client_send(sock, m, sizeof(h) + len, fds, nfds);

    free(m);
    return ok;
}

/* One command and its reply. 0, or the errno that the server replied; -1: the connection is closed, or the reply is not
 * one to this command. */
static inline int client_call(int sock, uint16_t command, const void *body, size_t len, const int *fds, unsigned nfds,
                              struct client_reply *r)
{
    static uint16_t id;

    id++;
    if (!client_command(sock, id, command, VU_TYPE_COMMAND, body, len, fds, nfds) || !client_recv(sock, r))
        return -1;
    if (r->h.id != id || r->h.command != command || (r->h.flags & VU_TYPE_MASK) != VU_TYPE_REPLY)
        return -1;
    return r->h.flags & VU_ERROR ? (int)r->h.error : 0;
}

/* As client_call, with QEMU's handshake when json is NULL. */
static inline int client_version(int sock, const char *json, struct client_reply *r)
{
    static const char qemu[] = "{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576,"
                               "\"pgsizes\":4096,\"write_multiple\":true}}";
    char body[512] = {0};

    json = json ? json : qemu;
    strncpy(body + sizeof(struct vu_version), json, sizeof(body) - sizeof(struct vu_version) - 1);
    return client_call(sock, VU_VERSION, body, sizeof(struct vu_version) + strlen(json) + 1, NULL, 0, r);
}

/* Reads `count` bytes of a region into dst. As client_call. */
static inline int client_region_read(int sock, uint32_t region, uint64_t off, uint32_t count, void *dst)
{
    struct vu_region_access a = {.offset = off, .region = region, .count = count};
    struct client_reply r;
    int ret = client_call(sock, VU_REGION_READ, &a, sizeof(a), NULL, 0, &r);

    if (ret)
        return ret;
    if (r.len != sizeof(a) + count || memcmp(r.body, &a, sizeof(a)))
        return -1;
    memcpy(dst, r.body + sizeof(a), count);
    return 0;
}

static inline int client_region_write(int sock, uint32_t region, uint64_t off, uint32_t count, const void *src)
{
    struct vu_region_access a = {.offset = off, .region = region, .count = count};
    uint8_t *body = malloc(sizeof(a) + count);
    struct client_reply r;

    memcpy(body, &a, sizeof(a));
    memcpy(body + sizeof(a), src, count);
    int ret = client_call(sock, VU_REGION_WRITE, body, sizeof(a) + count, NULL, 0, &r);

    free(body);
    return ret ? ret : (r.len == sizeof(a) && !memcmp(r.body, &a, sizeof(a)) ? 0 : -1);
}

static inline int client_dma_map(int sock, uint64_t addr, uint64_t size, uint64_t offset, uint32_t flags, int fd)
{
    struct vu_dma_map d = {.argsz = sizeof(d), .flags = flags, .offset = offset, .addr = addr, .size = size};
    struct client_reply r;

    return client_call(sock, VU_DMA_MAP, &d, sizeof(d), &fd, fd >= 0 ? 1 : 0, &r);
}

static inline int client_dma_unmap(int sock, uint64_t addr, uint64_t size, uint32_t flags)
{
    struct vu_dma_unmap d = {.argsz = sizeof(d), .flags = flags, .addr = addr, .size = size};
    struct client_reply r;

    return client_call(sock, VU_DMA_UNMAP, &d, sizeof(d), NULL, 0, &r);
}

static inline int client_set_irqs(int sock, uint32_t index, uint32_t flags, uint32_t count, int fd)
{
    struct vu_irq_set i = {.argsz = sizeof(i), .flags = flags, .index = index, .count = count};
    struct client_reply r;

    return client_call(sock, VU_DEVICE_SET_IRQS, &i, sizeof(i), &fd, fd >= 0 ? 1 : 0, &r);
}

#endif
