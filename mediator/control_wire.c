#include "mediator/control_wire.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mediator/control.h"
#include "mediator/session.h"
#include "vgpu/base/clock.h"

#define SEND_TIMEOUT_MS 1000 /* in all: who does not read is stuck, or means harm */

static void take_fds(struct msghdr *m, int *fd)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int got;
            memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof(got));
            if (*fd < 0)
                *fd = got;
            else
                close(got);
        }
    }
}

/* Waits until the socket is ready; end: by gt_clock_ns. 0 or -errno. */
static int wait_ready(int sock, short events, uint64_t end)
{
    struct pollfd p = {.fd = sock, .events = events};

    for (;;) {
        uint64_t now = gt_clock_ns();
        int n = now < end ? poll(&p, 1, (int)((end - now) / 1000000 + 1)) : 0;

        if (n > 0)
            return 0;
        if (!n)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

/* Receives what is there. Bytes, 0 at end of file, or -errno. */
static ssize_t receive(int sock, void *to, size_t size, int *fd)
{
    union {
        char buf[CMSG_SPACE(4 * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec io = {.iov_base = to, .iov_len = size};
    struct msghdr m = {
        .msg_iov = &io, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf)};
    ssize_t n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

    if (n < 0)
        return -errno;
    take_fds(&m, fd);
    return n;
}

int wire_read_line(int sock, char *line, size_t size, int timeout_ms, int *fd)
{
    const uint64_t end = gt_clock_ns() + (uint64_t)timeout_ms * 1000000;
    size_t used = 0;

    *fd = -1;
    while (used + 1 < size) {
        int rc = wait_ready(sock, POLLIN, end);

        if (rc)
            return rc;
        ssize_t n = receive(sock, line + used, size - 1 - used, fd);

        if (n == -EAGAIN || n == -EINTR)
            continue;
        if (n <= 0)
            return (int)n;
        char *newline = memchr(line + used, '\n', (size_t)n);

        used += (size_t)n;
        if (newline) {
            *newline = 0;
            return (int)(newline - line);
        }
    }
    return -EMSGSIZE;
}

static void attach_fd(struct msghdr *m, void *control, size_t room, int fd)
{
    m->msg_control = control;
    m->msg_controllen = room;
    struct cmsghdr *c = CMSG_FIRSTHDR(m);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(fd));
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
}

/* The descriptor goes with the first part. */
static int send_all(int sock, const char *text, size_t n, int fd)
{
    const uint64_t end = gt_clock_ns() + SEND_TIMEOUT_MS * UINT64_C(1000000);

    while (n) {
        union {
            char buf[CMSG_SPACE(sizeof(int))];
            struct cmsghdr align;
        } control = {.buf = {0}};
        struct iovec io = {.iov_base = (void *)(uintptr_t)text, .iov_len = n};
        struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};

        if (fd >= 0)
            attach_fd(&m, control.buf, sizeof(control.buf), fd);
        ssize_t done = sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (done > 0) {
            text += done;
            n -= (size_t)done;
            fd = -1;
            continue;
        }
        int rc = errno == EAGAIN ? wait_ready(sock, POLLOUT, end) : errno == EINTR ? 0 : -errno;

        if (rc)
            return rc;
    }
    return 0;
}

int wire_send(int sock, const cJSON *json, int fd)
{
    char *text = cJSON_PrintUnformatted(json);

    if (!text)
        return -ENOMEM;
    size_t n = strlen(text);

    text[n] = '\n'; /* in the place of the 0 */
    int rc = send_all(sock, text, n + 1, fd);

    cJSON_free(text);
    return rc;
}

int wire_address(struct sockaddr_un *sa, const char *run_dir, const char *name, const char *suffix)
{
    char dir[sizeof(sa->sun_path)];

    if (!run_dir) {
        int rc = run_dir_default(dir, sizeof(dir));
        if (rc)
            return rc;
        run_dir = dir;
    }
    memset(sa, 0, sizeof(*sa));
    sa->sun_family = AF_UNIX;
    int n = snprintf(sa->sun_path, sizeof(sa->sun_path), "%s/%s%s", run_dir, name, suffix);
    return n < 0 || (size_t)n >= sizeof(sa->sun_path) ? -ENAMETOOLONG : 0;
}
