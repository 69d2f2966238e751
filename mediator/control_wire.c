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

int wire_read_line(int sock, char *line, size_t size, int timeout_ms, int *fd)
{
    size_t used = 0;

    *fd = -1;
    while (used + 1 < size) {
        union {
            char buf[CMSG_SPACE(4 * sizeof(int))];
            struct cmsghdr align;
        } control;
        struct iovec io = {.iov_base = line + used, .iov_len = size - 1 - used};
        struct msghdr m = {
            .msg_iov = &io, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf)};
        struct pollfd pfd = {.fd = sock, .events = POLLIN};
        int ready = poll(&pfd, 1, timeout_ms);
        if (ready <= 0)
            return ready ? -errno : -ETIMEDOUT;
        ssize_t n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
        if (n < 0)
            return -errno;
        take_fds(&m, fd);
        if (n == 0)
            return 0;
        used += (size_t)n;
        line[used] = 0;
        char *end = memchr(line, '\n', used);
        if (end) {
            *end = 0;
            return (int)(end - line);
        }
    }
    return -EMSGSIZE;
}

int wire_send(int sock, const cJSON *json, int fd)
{
    union {
        char buf[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {.buf = {0}};
    char *text = cJSON_PrintUnformatted(json);
    if (!text)
        return -ENOMEM;
    struct iovec io[2] = {{.iov_base = text, .iov_len = strlen(text)}, {.iov_base = (char[]){'\n'}, .iov_len = 1}};
    struct msghdr m = {.msg_iov = io, .msg_iovlen = 2};
    int rc = 0;

    if (fd >= 0) {
        m.msg_control = control.buf;
        m.msg_controllen = sizeof(control.buf);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    }
    /* Lines are far smaller than a socket buffer: a partial send means that the reader is stuck, and is an error. */
    if (sendmsg(sock, &m, MSG_NOSIGNAL) != (ssize_t)(io[0].iov_len + 1))
        rc = errno ? -errno : -EIO;
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
