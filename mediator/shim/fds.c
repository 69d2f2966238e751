/*
 * Which descriptors are ours. Each of libc's functions on descriptors asks here first, so the question "is it ours"
 * takes no lock: one table of all descriptors that a process can have, of which only the used part exists in memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "mediator/shim/shim.h"

#define FDS (1u << 20)

struct entry {
    enum shim_fd_kind kind;
    void *object;
};

static _Atomic(struct entry *) entries[FDS];

static struct entry *entry_of(int fd)
{
    return fd >= 0 && (unsigned)fd < FDS ? atomic_load_explicit(&entries[fd], memory_order_acquire) : NULL;
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
    const struct entry *e = entry_of(fd);

    return e ? e->kind : SHIM_FD_NONE;
}

/* With the lock. */
static void drop(int fd)
{
    struct entry *e = atomic_exchange(&entries[fd], NULL);

    if (e)
        shim_fd_put(e->kind, e->object);
    free(e);
}

int shim_fd_set(int fd, enum shim_fd_kind kind, void *object)
{
    struct entry *e = malloc(sizeof(*e));

    if (!e || (unsigned)fd >= FDS) {
        free(e);
        shim_fd_put(kind, object);
        return -ENOMEM;
    }
    *e = (struct entry){kind, object};
    drop(fd);
    atomic_store_explicit(&entries[fd], e, memory_order_release);
    return 0;
}

/* With the lock: only so is an entry that was found not freed meanwhile. */
void *shim_fd_get(int fd, enum shim_fd_kind kind)
{
    struct entry *e = entry_of(fd);

    return e && e->kind == kind ? ref(kind, e->object) : NULL;
}

void shim_fd_closed(int fd)
{
    if (!entry_of(fd))
        return;
    shim_lock();
    drop(fd);
    shim_unlock();
}

void shim_fd_copied(int from, int to)
{
    if (!entry_of(from) && !entry_of(to))
        return;
    shim_lock();
    struct entry *e = entry_of(from);

    if (e)
        shim_fd_set(to, e->kind, ref(e->kind, e->object));
    else if (to >= 0)
        drop(to);
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
