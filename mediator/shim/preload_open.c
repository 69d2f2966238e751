/* libc's functions that open something by its path. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "mediator/shim/real.h"
#include "mediator/shim/shim.h"

#pragma GCC diagnostic ignored "-Wmissing-prototypes"

/* Makes an eventfd a file of a node. 0 or -ENOMEM. */
static int make_node(int fd, bool primary, bool nonblock)
{
    int own = fcntl(fd, F_DUPFD_CLOEXEC, shim.fd_floor), rc = -ENOMEM;

    shim_lock();
    struct shim_file *f = own >= 0 ? shim_file_new(primary) : NULL;

    if (f) {
        f->event_fd = own;
        f->nonblock = nonblock;
        rc = shim_fd_set(fd, SHIM_FD_DRM, f);
    }
    shim_unlock();
    if (!f && own >= 0)
        close(own);
    return rc;
}

/* The descriptor of a node is an eventfd that is readable while there are events. */
static int open_node(bool primary, int flags)
{
    if (shim_start()) {
        errno = ENODEV;
        return -1;
    }
    int fd = eventfd(0, EFD_NONBLOCK | (flags & O_CLOEXEC ? EFD_CLOEXEC : 0));

    if (fd < 0 || !make_node(fd, primary, flags & O_NONBLOCK))
        return fd;
    close(fd);
    errno = ENOMEM;
    return -1;
}

bool shim_node_adopt(int fd)
{
    static const char eventfd_link[] = "anon_inode:[eventfd]";
    char name[32], link[sizeof(eventfd_link)];

    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(name, link, sizeof(link));

    return n == sizeof(eventfd_link) - 1 && shim_path_root() && !memcmp(link, eventfd_link, (size_t)n) &&
           !shim_start() && !make_node(fd, false, false);
}

typedef int (*open_type)(const char *, int, ...);

static int open_path(open_type real, const char *path, int flags, mode_t mode)
{
    char buf[SHIM_PATH_MAX];
    bool primary;

    if (shim_path_is_node(path, &primary) && !(flags & O_PATH))
        return open_node(primary, flags);
    return real(shim_path(path, buf), flags, mode);
}

#define MODE_OF(last, mode)                                                                                            \
    va_list ap;                                                                                                        \
    va_start(ap, last);                                                                                                \
    mode_t mode = va_arg(ap, mode_t);                                                                                  \
    va_end(ap)

EXPORT int open(const char *path, int flags, ...)
{
    REAL(open_type, "open");
    MODE_OF(flags, mode);
    return open_path(real, path, flags, mode);
}

EXPORT int open64(const char *path, int flags, ...)
{
    REAL(open_type, "open64");
    MODE_OF(flags, mode);
    return open_path(real, path, flags, mode);
}

EXPORT int __open_2(const char *path, int flags)
{
    REAL(open_type, "open");
    return open_path(real, path, flags, 0);
}

EXPORT int __open64_2(const char *path, int flags)
{
    REAL(open_type, "open64");
    return open_path(real, path, flags, 0);
}

typedef int (*openat_type)(int, const char *, int, ...);

static int openat_path(openat_type real, int dir, const char *path, int flags, mode_t mode)
{
    char buf[SHIM_PATH_MAX];
    bool primary;

    if (shim_path_is_node(path, &primary) && !(flags & O_PATH))
        return open_node(primary, flags);
    return real(dir, shim_path_at(dir, path, buf), flags, mode);
}

EXPORT int openat(int dir, const char *path, int flags, ...)
{
    REAL(openat_type, "openat");
    MODE_OF(flags, mode);
    return openat_path(real, dir, path, flags, mode);
}

EXPORT int openat64(int dir, const char *path, int flags, ...)
{
    REAL(openat_type, "openat64");
    MODE_OF(flags, mode);
    return openat_path(real, dir, path, flags, mode);
}

EXPORT int __openat_2(int dir, const char *path, int flags)
{
    REAL(openat_type, "openat");
    return openat_path(real, dir, path, flags, 0);
}

EXPORT int __openat64_2(int dir, const char *path, int flags)
{
    REAL(openat_type, "openat64");
    return openat_path(real, dir, path, flags, 0);
}

EXPORT FILE *fopen(const char *path, const char *mode)
{
    REAL(FILE * (*)(const char *, const char *), "fopen");
    char buf[SHIM_PATH_MAX];

    return real(shim_path(path, buf), mode);
}

EXPORT FILE *fopen64(const char *path, const char *mode)
{
    REAL(FILE * (*)(const char *, const char *), "fopen64");
    char buf[SHIM_PATH_MAX];

    return real(shim_path(path, buf), mode);
}

EXPORT DIR *opendir(const char *path)
{
    REAL(DIR * (*)(const char *), "opendir");
    char buf[SHIM_PATH_MAX];

    return real(shim_path(path, buf));
}

typedef int (*scandir_type)(const char *, struct dirent ***, int (*)(const struct dirent *),
                            int (*)(const struct dirent **, const struct dirent **));

EXPORT int scandir(const char *path, struct dirent ***list, int (*filter)(const struct dirent *),
                   int (*compare)(const struct dirent **, const struct dirent **))
{
    REAL(scandir_type, "scandir");
    char buf[SHIM_PATH_MAX];

    return real(shim_path(path, buf), list, filter, compare);
}
