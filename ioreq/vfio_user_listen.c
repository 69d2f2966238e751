/* The listening socket and the file that it lives in. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ioreq/vfio_user_internal.h"

static int make_address(const char *path, struct sockaddr_un *a, char *err, size_t errsz)
{
    size_t len = path ? strlen(path) : 0;

    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (!len || len >= sizeof(a->sun_path)) {
        snprintf(err, errsz, "socket path '%s' must have 1 to %zu characters; give a shorter one", path ? path : "",
                 sizeof(a->sun_path) - 1);
        return -EINVAL;
    }
    memcpy(a->sun_path, path, len + 1);
    return 0;
}

/* 0 when the file at the path is a socket that nobody listens on (or is gone), else -errno with a message. */
static int check_stale(const struct sockaddr_un *a, char *err, size_t errsz)
{
    struct stat st;

    if (lstat(a->sun_path, &st))
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode)) {
        snprintf(err, errsz, "%s exists and is not a socket; it is left alone: choose another path or remove it",
                 a->sun_path);
        return -EEXIST;
    }
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (probe < 0)
        return -errno;
    int ret = connect(probe, (const struct sockaddr *)a, sizeof(*a)) ? -errno : 0;

    close(probe);
    if (ret == -ECONNREFUSED || ret == -ENOENT)
        return 0;
    /* 0 and EAGAIN (its queue is full): somebody listens. */
    snprintf(err, errsz, "%s is in use by another process (%s); choose another path or stop that process", a->sun_path,
             ret && ret != -EAGAIN ? strerror(-ret) : "it listens there");
    return ret && ret != -EAGAIN ? ret : -EADDRINUSE;
}

static int bind_path(int fd, const struct sockaddr_un *a, char *err, size_t errsz)
{
    /* On Linux the socket file takes its mode from the socket, so there is no moment at which others may connect. */
    if (fchmod(fd, 0600))
        return -errno;
    if (!bind(fd, (const struct sockaddr *)a, sizeof(*a)))
        return 0;
    if (errno != EADDRINUSE)
        return -errno;
    int ret = check_stale(a, err, errsz);

    if (ret)
        return ret;
    if (unlink(a->sun_path) && errno != ENOENT)
        return -errno;
    gt_info("vfio-user: replaced the stale socket file %s", a->sun_path);
    return bind(fd, (const struct sockaddr *)a, sizeof(*a)) ? -errno : 0;
}

/* Remembers which file is ours, so that another's is never removed later. */
static int adopt_file(struct vu_listener *l, const struct sockaddr_un *a)
{
    struct stat st;

    if (lstat(a->sun_path, &st))
        return -errno;
    l->dev = st.st_dev;
    l->ino = st.st_ino;
    l->path = strdup(a->sun_path);
    return l->path ? 0 : -ENOMEM;
}

int vu_listen(struct vu_listener *l, const char *path, char *err, size_t errsz)
{
    struct sockaddr_un a;
    int ret = make_address(path, &a, err, errsz);

    if (ret)
        return ret;
    if (errsz)
        err[0] = '\0';
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd < 0)
        ret = -errno;
    if (!ret)
        ret = bind_path(l->fd, &a, err, errsz);
    if (!ret)
        ret = adopt_file(l, &a);
    /* One client is served; one more may wait in the queue until that has gone. */
    if (!ret && listen(l->fd, 1))
        ret = -errno;
    if (ret) {
        if (errsz && !err[0])
            snprintf(err, errsz, "cannot listen on %s: %s", path, strerror(-ret));
        vu_unlisten(l);
    }
    return ret;
}

void vu_unlisten(struct vu_listener *l)
{
    struct stat st;

    if (l->path && !lstat(l->path, &st) && st.st_dev == l->dev && st.st_ino == l->ino)
        unlink(l->path);
    free(l->path);
    l->path = NULL;
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}
