#include "display/unix_path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int fail(char *err, size_t errsz, const char *path, int code, const char *why)
{
    snprintf(err, errsz, "cannot listen on %s: %s", path, why ? why : strerror(-code));
    return code;
}

/* 0: nobody listens there. -errno: somebody does, or that cannot be found out. */
static int knock(const struct sockaddr_un *a)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    int ret = connect(fd, (const struct sockaddr *)a, sizeof(*a)) ? -errno : -EADDRINUSE;

    close(fd);
    if (ret == -ECONNREFUSED || ret == -ENOENT)
        return 0;
    return ret == -EAGAIN || ret == -EPROTOTYPE ? -EADDRINUSE : ret; /* its queue is full; it is of another type */
}

int unix_path_clear(const char *path, char *err, size_t errsz)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct stat st;

    if (strlen(path) >= sizeof(a.sun_path))
        return fail(err, errsz, path, -ENAMETOOLONG, "the path is too long for a socket");
    memcpy(a.sun_path, path, strlen(path));
    if (lstat(path, &st))
        return errno == ENOENT ? 0 : fail(err, errsz, path, -errno, NULL);
    if (!S_ISSOCK(st.st_mode))
        return fail(err, errsz, path, -EEXIST, "there is a file that is no socket; remove it, or use another path");
    int ret = knock(&a);

    if (ret == -EADDRINUSE)
        return fail(err, errsz, path, ret, "another program listens there; end it, or use another path");
    if (!ret && unlink(path) && errno != ENOENT)
        ret = -errno;
    return ret ? fail(err, errsz, path, ret, NULL) : 0;
}
