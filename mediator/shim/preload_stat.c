/* libc's functions that tell what is at a path or a descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mediator/shim/real.h"
#include "mediator/shim/shim.h"

#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define DRM_MAJOR    226u
#define RENDER_FIRST 128u
#define NODE_MODE    (S_IFCHR | 0666)

static dev_t node_device(bool primary)
{
    return makedev(DRM_MAJOR, primary ? 0 : RENDER_FIRST);
}

/* Is the descriptor a node of ours? */
static bool fd_node(int fd, bool *primary)
{
    struct shim_file *f;

    if (shim_fd_kind(fd) != SHIM_FD_DRM)
        return false;
    shim_lock();
    f = shim_fd_get(fd, SHIM_FD_DRM);
    *primary = f && f->primary;
    if (f)
        shim_file_unref(f);
    shim_unlock();
    return f;
}

/* struct stat and struct stat64 are the same on 64-bit machines; libc has kept both names. */
_Static_assert(sizeof(struct stat) == sizeof(struct stat64), "64-bit");

static int as_node(int rc, bool node, bool primary, void *out)
{
    struct stat *st = out;

    if (!rc && node) {
        st->st_mode = NODE_MODE;
        st->st_rdev = node_device(primary);
        st->st_size = 0;
    }
    return rc;
}

#define PATH_STAT(name, type)                                                                                          \
    EXPORT int name(const char *restrict path, type *restrict st)                                                      \
    {                                                                                                                  \
        REAL(int (*)(const char *, type *), #name);                                                                    \
        char buf[SHIM_PATH_MAX];                                                                                       \
        bool primary = false, node = shim_path_is_node(path, &primary);                                                \
        return as_node(real(shim_path(path, buf), st), node, primary, st);                                             \
    }

#define VERSIONED_STAT(name, type)                                                                                     \
    EXPORT int name(int version, const char *path, type *st)                                                           \
    {                                                                                                                  \
        REAL(int (*)(int, const char *, type *), #name);                                                               \
        char buf[SHIM_PATH_MAX];                                                                                       \
        bool primary = false, node = shim_path_is_node(path, &primary);                                                \
        return as_node(real(version, shim_path(path, buf), st), node, primary, st);                                    \
    }

#define FD_STAT(name, type)                                                                                            \
    EXPORT int name(int fd, type *st)                                                                                  \
    {                                                                                                                  \
        REAL(int (*)(int, type *), #name);                                                                             \
        bool primary = false, node = fd_node(fd, &primary);                                                            \
        return as_node(real(fd, st), node, primary, st);                                                               \
    }

#define VERSIONED_FD_STAT(name, type)                                                                                  \
    EXPORT int name(int version, int fd, type *st)                                                                     \
    {                                                                                                                  \
        REAL(int (*)(int, int, type *), #name);                                                                        \
        bool primary = false, node = fd_node(fd, &primary);                                                            \
        return as_node(real(version, fd, st), node, primary, st);                                                      \
    }

#define AT_STAT(name, type)                                                                                            \
    EXPORT int name(int dir, const char *restrict path, type *restrict st, int flags)                                  \
    {                                                                                                                  \
        REAL(int (*)(int, const char *, type *, int), #name);                                                          \
        char buf[SHIM_PATH_MAX];                                                                                       \
        bool primary = false, node = shim_path_is_node(path, &primary);                                                \
        if (!node && !*path && (flags & AT_EMPTY_PATH))                                                                \
            node = fd_node(dir, &primary);                                                                             \
        return as_node(real(dir, shim_path_at(dir, path, buf), st, flags), node, primary, st);                         \
    }

PATH_STAT(stat, struct stat)
PATH_STAT(lstat, struct stat)
PATH_STAT(stat64, struct stat64)
PATH_STAT(lstat64, struct stat64)
FD_STAT(fstat, struct stat)
FD_STAT(fstat64, struct stat64)
AT_STAT(fstatat, struct stat)
AT_STAT(fstatat64, struct stat64)
VERSIONED_STAT(__xstat, struct stat)
VERSIONED_STAT(__lxstat, struct stat)
VERSIONED_STAT(__xstat64, struct stat64)
VERSIONED_STAT(__lxstat64, struct stat64)
VERSIONED_FD_STAT(__fxstat, struct stat)
VERSIONED_FD_STAT(__fxstat64, struct stat64)

typedef int (*statx_type)(int, const char *, int, unsigned, struct statx *);

EXPORT int statx(int dir, const char *restrict path, int flags, unsigned mask, struct statx *restrict st)
{
    REAL(statx_type, "statx");
    char buf[SHIM_PATH_MAX];
    bool primary = false, node = shim_path_is_node(path, &primary);

    if (!node && !*path && (flags & AT_EMPTY_PATH))
        node = fd_node(dir, &primary);
    int rc = real(dir, shim_path_at(dir, path, buf), flags, mask, st);

    if (!rc && node) {
        st->stx_mode = NODE_MODE;
        st->stx_rdev_major = DRM_MAJOR;
        st->stx_rdev_minor = minor(node_device(primary));
    }
    return rc;
}

/* libudev takes folders for sysfs only when the file system says so. */
static int as_sysfs(int rc, int fd, long *type)
{
    char link[32], path[SHIM_PATH_MAX];
    const char *root = shim_path_root();
    size_t n = root ? strlen(root) : 0;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    if (rc || !n)
        return rc;
    ssize_t got = readlink(link, path, sizeof(path));

    if (got > 0 && (size_t)got > n && !strncmp(path, root, n) && !strncmp(path + n, "/sys", 4))
        *type = SYSFS_MAGIC;
    return rc;
}

EXPORT int fstatfs(int fd, struct statfs *st)
{
    REAL(int (*)(int, struct statfs *), "fstatfs");
    return as_sysfs(real(fd, st), fd, &st->f_type);
}

EXPORT int fstatfs64(int fd, struct statfs64 *st)
{
    REAL(int (*)(int, struct statfs64 *), "fstatfs64");
    return as_sysfs(real(fd, st), fd, &st->f_type);
}

EXPORT int access(const char *path, int mode)
{
    REAL(int (*)(const char *, int), "access");
    char buf[SHIM_PATH_MAX];

    return real(shim_path(path, buf), mode);
}

EXPORT int faccessat(int dir, const char *path, int mode, int flags)
{
    REAL(int (*)(int, const char *, int, int), "faccessat");
    char buf[SHIM_PATH_MAX];

    return real(dir, shim_path_at(dir, path, buf), mode, flags);
}

EXPORT ssize_t readlink(const char *restrict path, char *restrict out, size_t n)
{
    REAL(ssize_t(*)(const char *, char *, size_t), "readlink");
    char buf[SHIM_PATH_MAX];

    return real(shim_path(path, buf), out, n);
}

EXPORT ssize_t __readlink_chk(const char *path, char *out, size_t n, size_t room)
{
    if (n > room)
        abort();
    return readlink(path, out, n);
}

EXPORT ssize_t readlinkat(int dir, const char *restrict path, char *restrict out, size_t n)
{
    REAL(ssize_t(*)(int, const char *, char *, size_t), "readlinkat");
    char buf[SHIM_PATH_MAX];

    return real(dir, shim_path_at(dir, path, buf), out, n);
}

/* The tree's root is not a part of what programs see. */
static char *without_root(char *resolved)
{
    const char *root = shim_path_root();
    size_t n = root ? strlen(root) : 0;

    if (resolved && n && !strncmp(resolved, root, n) && resolved[n] == '/')
        memmove(resolved, resolved + n, strlen(resolved + n) + 1);
    return resolved;
}

EXPORT char *realpath(const char *restrict path, char *restrict out)
{
    REAL(char *(*)(const char *, char *), "realpath");
    char buf[SHIM_PATH_MAX];

    return without_root(real(shim_path(path, buf), out));
}

EXPORT char *__realpath_chk(const char *path, char *out, size_t room)
{
    if (room < PATH_MAX)
        abort();
    return realpath(path, out);
}

EXPORT char *canonicalize_file_name(const char *path)
{
    return realpath(path, NULL);
}
