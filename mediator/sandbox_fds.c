/* Which descriptors stay. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "display/xen_export.h"
#include "mediator/sandbox_internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"

static int null_stdin(struct sandbox *s)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (fd < 0 || dup2(fd, STDIN_FILENO) < 0)
        return sandbox_fail(s, errno, "cannot take /dev/null for standard input", "is /dev mounted?");
    if (fd > STDERR_FILENO)
        close(fd);
    return 0;
}

/*
 * The kind of Xen device behind a descriptor, or NULL. The libraries do not tell the descriptors that they hold, and
 * privcmd has no other mark than its name; the second one is where libraries look when there is no first.
 */
static struct sandbox_handles *xen_kind(struct sandbox *s, const char *target)
{
    if (!strcmp(target, "/dev/xen/privcmd") || !strcmp(target, "/proc/xen/privcmd"))
        return &s->privcmd;
    return !strcmp(target, "/dev/xen/evtchn") ? &s->evtchn : NULL;
}

static int keep_device(struct sandbox *s, struct sandbox_handles *h, int fd)
{
    if (h->count == GT_ARRAY_SIZE(h->fd))
        return sandbox_fail(s, EMFILE, "too many handles on one device", "this is a mistake in gtmux, report it");
    h->fd[h->count++] = fd;
    return 0;
}

static bool wanted(const struct sandbox_options *o, int fd, const char *target)
{
    if (fd <= STDERR_FILENO)
        return true;
    /* xentoolcore puts it in the place of a handle that cannot be restricted; the library will still close that. */
    if (o->xen && !strcmp(target, "/dev/null"))
        return true;
    for (unsigned i = 0; o->fds && i < o->fd_count; i++)
        if (o->fds[i] == fd)
            return true;
    return !o->fds && (fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static int sort_out(struct sandbox *s, int fd, const char *target)
{
    struct sandbox_handles *h = s->opt->xen ? xen_kind(s, target) : NULL;
    struct stat st;

    if (!strcmp(target, "/dev/udmabuf") && wanted(s->opt, fd, target))
        h = &s->udmabuf;
    if (!strcmp(target, XEN_EXPORT_DEVICE) && wanted(s->opt, fd, target))
        h = &s->xen_export;
    if (h)
        return keep_device(s, h, fd);
    if (!wanted(s->opt, fd, target)) {
        gt_debug("sandbox: descriptor %d (%s) is closed", fd, target);
        close(fd);
        return 0;
    }
    if (!fstat(fd, &st) && S_ISDIR(st.st_mode)) {
        char what[64];

        snprintf(what, sizeof(what), "descriptor %d is a directory", fd);
        return sandbox_fail(s, EISDIR, what, "close it before");
    }
    return 0;
}

static int sort_out_all(struct sandbox *s, DIR *dir)
{
    const struct dirent *e;
    int ret = 0;

    while (!ret && (e = readdir(dir))) {
        char target[256], *end;
        int fd = (int)strtol(e->d_name, &end, 10);
        ssize_t n = readlinkat(dirfd(dir), e->d_name, target, sizeof(target) - 1);

        if (*end || fd == dirfd(dir) || n < 0)
            continue;
        target[n] = '\0';
        ret = sort_out(s, fd, target);
    }
    return ret;
}

int sandbox_close_fds(struct sandbox *s)
{
    int ret = null_stdin(s);

    if (ret)
        return ret;
    DIR *dir = opendir("/proc/self/fd");

    if (!dir)
        return sandbox_fail(s, errno, "cannot list the open descriptors in /proc/self/fd", "mount /proc");
    ret = sort_out_all(s, dir);
    closedir(dir);
    return ret;
}
