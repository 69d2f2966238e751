/* Fences and sync files. A sync file is an eventfd that becomes readable when the fence is done. */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "mediator/shim/shim.h"

struct shim_fence *shim_fence_new(uint64_t job)
{
    struct shim_fence *f = calloc(1, sizeof(*f));

    if (!f)
        return NULL;
    f->refs = 1;
    f->job = job;
    return f;
}

struct shim_fence *shim_fence_ref(struct shim_fence *f)
{
    f->refs++;
    return f;
}

void shim_fence_unref(struct shim_fence *f)
{
    if (!f || --f->refs)
        return;
    for (unsigned i = 0; i < f->nevents; i++)
        close(f->event[i]);
    free(f->event);
    free(f);
}

bool shim_fence_done(const struct shim_fence *f)
{
    return f->job <= shim.done;
}

void shim_fence_signal(struct shim_fence *f, int error)
{
    const uint64_t one = 1;

    f->error = error;
    for (unsigned i = 0; i < f->nevents; i++) {
        if (write(f->event[i], &one, sizeof(one)) != sizeof(one))
            f->error = error ? error : -EIO;
        close(f->event[i]);
    }
    f->nevents = 0;
}

/* The fence keeps a descriptor of its own, as the program may close the other one first. */
static int add_event(struct shim_fence *f, int fd)
{
    int *list = realloc(f->event, (f->nevents + 1) * sizeof(*list)), own;

    if (!list)
        return -ENOMEM;
    f->event = list;
    own = dup(fd);
    if (own < 0)
        return -errno;
    own = shim_fd_move(own);
    if (own < 0)
        return own;
    f->event[f->nevents++] = own;
    return 0;
}

int shim_fence_fd(struct shim_fence *f)
{
    bool done = shim_fence_done(f);
    int fd = eventfd(done, EFD_CLOEXEC | EFD_NONBLOCK), rc;

    if (fd < 0)
        return -errno;
    rc = done ? 0 : add_event(f, fd);
    if (!rc)
        rc = shim_fd_set(fd, SHIM_FD_FENCE, shim_fence_ref(f));
    if (rc) {
        close(fd);
        return rc;
    }
    return fd;
}

struct shim_fence *shim_fence_from_fd(int fd)
{
    return shim_fd_get(fd, SHIM_FD_FENCE);
}
