/* libc's functions on descriptors. */
#include <drm.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/sync_file.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mediator/shim/real.h"
#include "mediator/shim/shim.h"

/* Built against headers that declare some of these in other ways. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

/* ---- ioctl */

static int drm_ioctl(int fd, unsigned long request, void *arg)
{
    struct shim_file *f;
    int rc;

    shim_lock();
    f = shim_fd_get(fd, SHIM_FD_DRM);
    shim_unlock();
    if (!f) {
        errno = EBADF;
        return -1;
    }
    rc = shim_ioctl(f, request, arg);

    int saved = errno;

    shim_lock();
    shim_file_unref(f);
    shim_unlock();
    errno = saved;
    return rc;
}

/* Jobs finish in order, so the later fence is both. */
static int merge_fences(int fd, struct sync_merge_data *m)
{
    struct shim_fence *a = shim_fence_from_fd(fd), *b = shim_fence_from_fd((int)m->fd2);
    int rc = -EINVAL;

    if (a && b)
        rc = shim_fence_fd(a->job > b->job ? a : b);
    shim_fence_unref(a);
    shim_fence_unref(b);
    m->fence = rc;
    return rc < 0 ? rc : 0;
}

static int fence_info(int fd, struct sync_file_info *info)
{
    struct shim_fence *f = shim_fence_from_fd(fd);
    struct sync_fence_info one = {.obj_name = "gtmux", .driver_name = "i915"};

    if (!f)
        return -EINVAL;
    one.status = info->status = !shim_fence_done(f) ? 0 : f->error ? f->error : 1;
    if (info->num_fences && info->sync_fence_info)
        memcpy(SHIM_PTR(info->sync_fence_info), &one, sizeof(one));
    info->num_fences = 1;
    shim_fence_unref(f);
    return 0;
}

static int sync_ioctl(int fd, unsigned long request, void *arg)
{
    int rc = -ENOTTY;

    shim_lock();
    if (request == SYNC_IOC_MERGE)
        rc = merge_fences(fd, arg);
    else if (request == SYNC_IOC_FILE_INFO)
        rc = fence_info(fd, arg);
    shim_unlock();
    if (rc >= 0)
        return rc;
    errno = -rc;
    return -1;
}

/* A memfd that stands for a dma-buf: access by the CPU waits for the GPU. */
static int dma_buf_ioctl(int fd, unsigned long request, void *arg)
{
    const struct dma_buf_sync *sync = arg;
    struct shim_bo *b;
    int rc = -ENOTTY;

    shim_lock();
    if (shim.gpu && !shim_bo_import(&b, fd)) {
        if (request == DMA_BUF_IOCTL_SYNC && !(sync->flags & DMA_BUF_SYNC_END))
            rc = shim_wait_job(b->job, shim_deadline(-1));
        else if (request == DMA_BUF_IOCTL_SYNC)
            rc = 0;
        shim_bo_unref(b);
    }
    shim_unlock();
    if (rc >= 0)
        return rc;
    errno = -rc;
    return -1;
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
    REAL(int (*)(int, unsigned long, ...), "ioctl");
    va_list ap;

    va_start(ap, request);
    void *arg = va_arg(ap, void *);

    va_end(ap);
    switch (shim_fd_kind(fd)) {
    case SHIM_FD_DRM:
        return drm_ioctl(fd, request, arg);
    case SHIM_FD_FENCE:
        return sync_ioctl(fd, request, arg);
    default:
        break;
    }
    if (_IOC_TYPE(request) == DRM_IOCTL_BASE && shim_node_adopt(fd))
        return drm_ioctl(fd, request, arg);
    if (_IOC_TYPE(request) == DMA_BUF_BASE && shim_path_root())
        return dma_buf_ioctl(fd, request, arg);
    return real(fd, request, arg);
}

/* ---- mmap */

/* The descriptor behind a fake offset, as a duplicate: the object may go while it is being mapped. */
static int object_at(int fd, uint64_t offset, uint64_t *within)
{
    int memfd = -1;

    *within = offset & ((UINT64_C(1) << SHIM_MMAP_SHIFT) - 1);
    shim_lock();
    if (shim_fd_kind(fd) == SHIM_FD_DRM) {
        const struct shim_bo *b = shim_bo_at_offset(offset);

        if (b && b->fd >= 0)
            memfd = fcntl(b->fd, F_DUPFD_CLOEXEC, shim.fd_floor);
    }
    shim_unlock();
    return memfd;
}

typedef void *(*mmap_type)(void *, size_t, int, int, int, off64_t);

static void *map(mmap_type real, void *addr, size_t n, int prot, int flags, int fd, off64_t offset)
{
    uint64_t within;
    void *at;
    int memfd;

    if (flags & MAP_ANONYMOUS || shim_fd_kind(fd) != SHIM_FD_DRM)
        return real(addr, n, prot, flags, fd, offset);
    memfd = object_at(fd, (uint64_t)offset, &within);
    if (memfd < 0) {
        errno = EINVAL;
        return MAP_FAILED;
    }
    at = real(addr, n, prot, flags, memfd, (off64_t)within);
    close(memfd);
    return at;
}

EXPORT void *mmap(void *addr, size_t n, int prot, int flags, int fd, off_t offset)
{
    REAL(mmap_type, "mmap");
    return map(real, addr, n, prot, flags, fd, offset);
}

EXPORT void *mmap64(void *addr, size_t n, int prot, int flags, int fd, off64_t offset)
{
    REAL(mmap_type, "mmap64");
    return map(real, addr, n, prot, flags, fd, offset);
}

/* ---- close, duplicate, read */

/* The entry goes first: afterwards the number may be another file's at once. */
EXPORT int close(int fd)
{
    REAL(int (*)(int), "close");
    shim_fd_closed(fd);
    return real(fd);
}

EXPORT int close_range(unsigned first, unsigned last, int flags)
{
    REAL(int (*)(unsigned, unsigned, int), "close_range");
    if (!(flags & (int)CLOSE_RANGE_CLOEXEC))
        for (unsigned fd = first; fd <= last && fd < 1u << 20; fd++)
            shim_fd_closed((int)fd);
    return real(first, last, flags);
}

EXPORT void closefrom(int first)
{
    close_range((unsigned)first, ~0u, 0);
}

static int copied(int from, int to)
{
    if (to >= 0)
        shim_fd_copied(from, to);
    return to;
}

EXPORT int dup(int fd)
{
    REAL(int (*)(int), "dup");
    return copied(fd, real(fd));
}

EXPORT int dup2(int fd, int to)
{
    REAL(int (*)(int, int), "dup2");
    int rc = real(fd, to);

    return fd == to ? rc : copied(fd, rc);
}

EXPORT int dup3(int fd, int to, int flags)
{
    REAL(int (*)(int, int, int), "dup3");
    return copied(fd, real(fd, to, flags));
}

typedef int (*fcntl_type)(int, int, ...);

static int control(fcntl_type real, int fd, int command, void *arg)
{
    int rc = real(fd, command, arg);

    return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? copied(fd, rc) : rc;
}

EXPORT int fcntl(int fd, int command, ...)
{
    REAL(fcntl_type, "fcntl");
    va_list ap;

    va_start(ap, command);
    void *arg = va_arg(ap, void *);

    va_end(ap);
    return control(real, fd, command, arg);
}

EXPORT int fcntl64(int fd, int command, ...)
{
    REAL(fcntl_type, "fcntl64");
    va_list ap;

    va_start(ap, command);
    void *arg = va_arg(ap, void *);

    va_end(ap);
    return control(real, fd, command, arg);
}

typedef ssize_t (*read_type)(int, void *, size_t);

/* Events that are there, or -1 when the descriptor is none of ours any more. */
static ssize_t take_events(int fd, void *buf, size_t n, bool *nonblock)
{
    struct shim_file *f;
    ssize_t done = -1;

    shim_lock();
    f = shim_fd_get(fd, SHIM_FD_DRM);
    if (f) {
        done = (ssize_t)shim_events_read(f, buf, n);
        *nonblock = f->nonblock;
        shim_file_unref(f);
    }
    shim_unlock();
    return done;
}

/* Whole events; waits for the first one unless the descriptor does not block. */
static ssize_t read_events(int fd, void *buf, size_t n)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    bool nonblock = true;

    for (;;) {
        ssize_t done = take_events(fd, buf, n, &nonblock);

        if (done > 0)
            return done;
        errno = done < 0 ? EBADF : EAGAIN;
        if (done < 0 || nonblock || poll(&p, 1, -1) < 0)
            return -1;
    }
}

EXPORT ssize_t read(int fd, void *buf, size_t n)
{
    REAL(read_type, "read");
    return shim_fd_kind(fd) == SHIM_FD_DRM ? read_events(fd, buf, n) : real(fd, buf, n);
}

EXPORT ssize_t __read_chk(int fd, void *buf, size_t n, size_t room)
{
    if (n > room)
        abort();
    return read(fd, buf, n);
}
