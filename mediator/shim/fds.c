/*
 * Which descriptors are ours. Each of libc's functions on descriptors asks here first, so the question "is it ours"
 * takes no lock: one table of all descriptors that a process can have, of which only the used part exists in memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include "mediator/shim/shim.h"

#define FDS (1u << 20)

/* An object and, in the lowest bits of its address, its kind; 0: none. One word, so that whoever looks sees both. */
static _Atomic uintptr_t entries[FDS];

#define KIND_MASK ((uintptr_t)3)
_Static_assert(SHIM_FD_SYNCOBJ <= KIND_MASK && _Alignof(max_align_t) > KIND_MASK, "malloc leaves the bits free");

static uintptr_t entry_of(int fd)
{
    return fd >= 0 && (unsigned)fd < FDS ? atomic_load_explicit(&entries[fd], memory_order_acquire) : 0;
}

static enum shim_fd_kind kind_of(uintptr_t entry)
{
    return (enum shim_fd_kind)(entry & KIND_MASK);
}

static void *object_of(uintptr_t entry)
{
    return (void *)(entry & ~KIND_MASK);
}

static void *ref(enum shim_fd_kind kind, void *object)
{
    if (kind == SHIM_FD_DRM)
        ((struct shim_file *)object)->refs++;
    else if (kind == SHIM_FD_FENCE)
        shim_fence_ref(object);
    else
        shim_syncobj_ref(object);
    return object;
}

void shim_fd_put(enum shim_fd_kind kind, void *object)
{
    if (kind == SHIM_FD_DRM)
        shim_file_unref(object);
    else if (kind == SHIM_FD_FENCE)
        shim_fence_unref(object);
    else
        shim_syncobj_unref(object);
}

enum shim_fd_kind shim_fd_kind(int fd)
{
    return kind_of(entry_of(fd));
}

/* With the lock. */
static void replace(int fd, uintptr_t entry)
{
    uintptr_t old = atomic_exchange(&entries[fd], entry);

    if (old)
        shim_fd_put(kind_of(old), object_of(old));
}

int shim_fd_set(int fd, enum shim_fd_kind kind, void *object)
{
    if (fd < 0 || (unsigned)fd >= FDS) {
        shim_fd_put(kind, object);
        return -ENOMEM;
    }
    replace(fd, (uintptr_t)object | kind);
    return 0;
}

/* With the lock: only so is an object that was found not freed meanwhile. */
void *shim_fd_get(int fd, enum shim_fd_kind kind)
{
    uintptr_t e = entry_of(fd);

    return e && kind_of(e) == kind ? ref(kind, object_of(e)) : NULL;
}

/* A child of vfork has descriptors of its own, but our memory: what it closes and copies is none of the parent's. */
static bool borrowed(void)
{
    return getpid() != shim.pid;
}

void shim_fd_closed(int fd)
{
    if (!entry_of(fd) || borrowed())
        return;
    shim_lock();
    replace(fd, 0);
    shim_unlock();
}

void shim_fd_copied(int from, int to)
{
    if ((!entry_of(from) && !entry_of(to)) || borrowed())
        return;
    shim_lock();
    uintptr_t e = entry_of(from);

    if (e)
        shim_fd_set(to, kind_of(e), ref(kind_of(e), object_of(e)));
    else if (entry_of(to))
        replace(to, 0);
    shim_unlock();
}

int shim_fd_move(int fd)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, shim.fd_floor);

    if (moved < 0)
        moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    int rc = moved < 0 ? -errno : moved;

    close(fd);
    return rc;
}
