/*
 * Synchronisation objects. One holds points with fences, in ascending order; a binary one uses point 0 only. A timeline
 * point counts as signalled when the fences of it and of all before it are; jobs finish in order, so that is when its
 * own one is.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "mediator/shim/ioctls.h"
#include "mediator/shim/shim.h"
#include "vgpu/base/bits.h"

#define WAIT_HANDLES_MAX 65536u

struct point {
    uint64_t value;
    struct shim_fence *fence;
};

struct shim_syncobj {
    unsigned refs;
    uint64_t passed; /* last point that was signalled and forgotten */
    struct point *point;
    unsigned npoints;
};

/* ---- objects */

static void drop_points(struct shim_syncobj *s)
{
    for (unsigned i = 0; i < s->npoints; i++)
        shim_fence_unref(s->point[i].fence);
    s->npoints = 0;
}

struct shim_syncobj *shim_syncobj_ref(struct shim_syncobj *s)
{
    s->refs++;
    return s;
}

void shim_syncobj_unref(struct shim_syncobj *s)
{
    if (--s->refs)
        return;
    drop_points(s);
    free(s->point);
    free(s);
}

/* Points that are done need no fence any more. The binary one keeps its fence: that it has one matters. */
static void forget_done(struct shim_syncobj *s)
{
    unsigned n = 0;

    while (n < s->npoints && s->point[n].value && shim_fence_done(s->point[n].fence)) {
        s->passed = GT_MAX(s->passed, s->point[n].value);
        shim_fence_unref(s->point[n++].fence);
    }
    s->npoints -= n;
    memmove(s->point, s->point + n, s->npoints * sizeof(*s->point));
}

int shim_syncobj_set(struct shim_syncobj *s, uint64_t value, struct shim_fence *f)
{
    struct point *list;

    if (!value) {
        drop_points(s);
        s->passed = 0;
    }
    forget_done(s);
    list = realloc(s->point, (s->npoints + 1) * sizeof(*list));
    if (!list)
        return -ENOMEM;
    s->point = list;
    list[s->npoints++] = (struct point){value, shim_fence_ref(f)};
    pthread_cond_broadcast(&shim.changed);
    return 0;
}

/* The fence that stands for a point: the first one at or behind it. NULL: none, or forgotten because it is done. */
static struct shim_fence *fence_of(const struct shim_syncobj *s, uint64_t value)
{
    for (unsigned i = 0; i < s->npoints; i++)
        if (s->point[i].value >= value)
            return s->point[i].fence;
    return NULL;
}

bool shim_syncobj_has(const struct shim_syncobj *s, uint64_t value)
{
    return (value && value <= s->passed) || fence_of(s, value);
}

static bool is_done(const struct shim_syncobj *s, uint64_t value)
{
    const struct shim_fence *f = fence_of(s, value);

    return (value && value <= s->passed) || (f && shim_fence_done(f));
}

static struct shim_syncobj *find(struct shim_file *f, uint32_t handle)
{
    return shim_table_get(&f->syncobjs, handle);
}

static int signal_now(struct shim_syncobj *s, uint64_t value)
{
    struct shim_fence *f = shim_fence_new(0);
    int rc = f ? shim_syncobj_set(s, value, f) : -ENOMEM;

    shim_fence_unref(f);
    return rc;
}

/* ---- life */

int drm_syncobj_create(struct shim_file *f, void *arg)
{
    struct drm_syncobj_create *a = arg;
    struct shim_syncobj *s;
    int rc;

    if (a->flags & ~DRM_SYNCOBJ_CREATE_SIGNALED)
        return -EINVAL;
    s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->refs = 1;
    rc = a->flags & DRM_SYNCOBJ_CREATE_SIGNALED ? signal_now(s, 0) : 0;
    if (!rc)
        rc = shim_table_add(&f->syncobjs, s, 1, &a->handle);
    if (rc)
        shim_syncobj_unref(s);
    return rc;
}

int drm_syncobj_destroy(struct shim_file *f, void *arg)
{
    struct drm_syncobj_destroy *a = arg;
    struct shim_syncobj *s = a->pad ? NULL : shim_table_take(&f->syncobjs, a->handle);

    if (!s)
        return -EINVAL;
    shim_syncobj_unref(s);
    return 0;
}

static int export_object(struct shim_syncobj *s)
{
    int fd = eventfd(0, EFD_CLOEXEC), rc;

    if (fd < 0)
        return -errno;
    rc = shim_fd_set(fd, SHIM_FD_SYNCOBJ, shim_syncobj_ref(s));
    if (rc)
        close(fd);
    return rc ? rc : fd;
}

static int export_fence(struct shim_syncobj *s)
{
    struct shim_fence *f = fence_of(s, 0);

    return f ? shim_fence_fd(f) : -EINVAL;
}

int drm_syncobj_handle_to_fd(struct shim_file *f, void *arg)
{
    struct drm_syncobj_handle *a = arg;
    struct shim_syncobj *s = find(f, a->handle);

    if (!s)
        return -EINVAL;
    a->fd = a->flags & DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE ? export_fence(s) : export_object(s);
    return a->fd < 0 ? a->fd : 0;
}

static int import_fence(struct shim_syncobj *s, int fd)
{
    struct shim_fence *fence = shim_fence_from_fd(fd);

    if (!fence)
        return -EINVAL;
    int rc = shim_syncobj_set(s, 0, fence);

    shim_fence_unref(fence);
    return rc;
}

int drm_syncobj_fd_to_handle(struct shim_file *f, void *arg)
{
    struct drm_syncobj_handle *a = arg;
    struct shim_syncobj *s;
    int rc;

    if (a->flags & DRM_SYNCOBJ_FD_TO_HANDLE_FLAGS_IMPORT_SYNC_FILE) {
        s = find(f, a->handle);
        return s ? import_fence(s, a->fd) : -EINVAL;
    }
    s = shim_fd_get(a->fd, SHIM_FD_SYNCOBJ);
    if (!s)
        return -EINVAL;
    rc = shim_table_add(&f->syncobjs, s, 1, &a->handle);
    if (rc)
        shim_syncobj_unref(s);
    return rc;
}

/* ---- waits */

struct wait {
    const uint32_t *handle;
    const uint64_t *point; /* NULL: binary */
    uint32_t count, flags, first;
};

static bool satisfied(const struct wait *w, const struct shim_syncobj *s, uint64_t point)
{
    return w->flags & DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE ? shim_syncobj_has(s, point) : is_done(s, point);
}

/* 1: done, 0: not yet, -errno. */
static int look(struct shim_file *f, struct wait *w)
{
    uint32_t ready = 0;

    for (uint32_t i = 0; i < w->count; i++) {
        const struct shim_syncobj *s = find(f, w->handle[i]);
        uint64_t point = w->point ? w->point[i] : 0;

        if (!s)
            return -ENOENT;
        if (satisfied(w, s, point)) {
            if (!ready++)
                w->first = i;
        } else if (!(w->flags & (DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT | DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE)) &&
                   !shim_syncobj_has(s, point)) {
            return -EINVAL;
        }
    }
    return w->flags & DRM_SYNCOBJ_WAIT_FLAGS_WAIT_ALL ? ready == w->count : ready > 0;
}

static int wait_for(struct shim_file *f, struct wait *w, int64_t deadline)
{
    if (!w->count || w->count > WAIT_HANDLES_MAX)
        return -EINVAL;
    for (;;) {
        int rc = look(f, w);

        if (rc)
            return rc < 0 ? rc : 0;
        rc = shim_wait_change(deadline);
        if (rc)
            return look(f, w) == 1 ? 0 : rc;
    }
}

int drm_syncobj_wait(struct shim_file *f, void *arg)
{
    struct drm_syncobj_wait *a = arg;
    struct wait w = {.handle = SHIM_PTR(a->handles), .count = a->count_handles, .flags = a->flags};
    int rc = wait_for(f, &w, a->timeout_nsec);

    a->first_signaled = w.first;
    return rc;
}

int drm_syncobj_timeline_wait(struct shim_file *f, void *arg)
{
    struct drm_syncobj_timeline_wait *a = arg;
    struct wait w = {
        .handle = SHIM_PTR(a->handles), .point = SHIM_PTR(a->points), .count = a->count_handles, .flags = a->flags};
    int rc = wait_for(f, &w, a->timeout_nsec);

    a->first_signaled = w.first;
    return rc;
}

/* ---- by the CPU */

int drm_syncobj_reset(struct shim_file *f, void *arg)
{
    const struct drm_syncobj_array *a = arg;
    const uint32_t *handle = SHIM_PTR(a->handles);

    for (uint32_t i = 0; i < a->count_handles; i++) {
        struct shim_syncobj *s = find(f, handle[i]);

        if (!s)
            return -ENOENT;
        drop_points(s);
        s->passed = 0;
    }
    return 0;
}

static int signal_all(struct shim_file *f, const uint32_t *handle, const uint64_t *point, uint32_t count)
{
    int rc = 0;

    for (uint32_t i = 0; i < count && !rc; i++) {
        struct shim_syncobj *s = find(f, handle[i]);

        rc = s ? signal_now(s, point ? point[i] : 0) : -ENOENT;
    }
    return rc;
}

int drm_syncobj_signal(struct shim_file *f, void *arg)
{
    const struct drm_syncobj_array *a = arg;

    return signal_all(f, SHIM_PTR(a->handles), NULL, a->count_handles);
}

int drm_syncobj_timeline_signal(struct shim_file *f, void *arg)
{
    const struct drm_syncobj_timeline_array *a = arg;

    return signal_all(f, SHIM_PTR(a->handles), SHIM_PTR(a->points), a->count_handles);
}

int drm_syncobj_query(struct shim_file *f, void *arg)
{
    const struct drm_syncobj_timeline_array *a = arg;
    const uint32_t *handle = SHIM_PTR(a->handles);
    uint64_t *point = SHIM_PTR(a->points);

    for (uint32_t i = 0; i < a->count_handles; i++) {
        struct shim_syncobj *s = find(f, handle[i]);

        if (!s)
            return -ENOENT;
        forget_done(s);
        point[i] = s->passed;
        if ((a->flags & DRM_SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED) && s->npoints)
            point[i] = s->point[s->npoints - 1].value;
    }
    return 0;
}

int drm_syncobj_transfer(struct shim_file *f, void *arg)
{
    const struct drm_syncobj_transfer *a = arg;
    struct shim_syncobj *from = find(f, a->src_handle), *to = find(f, a->dst_handle);

    if (!from || !to)
        return -ENOENT;
    while (!shim_syncobj_has(from, a->src_point)) {
        if (!(a->flags & DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT))
            return -EINVAL;
        int rc = shim_wait_change(shim_deadline(-1));

        if (rc)
            return rc;
        if (find(f, a->src_handle) != from || find(f, a->dst_handle) != to)
            return -ENOENT;
    }
    struct shim_fence *fence = fence_of(from, a->src_point);

    return fence ? shim_syncobj_set(to, a->dst_point, fence) : signal_now(to, a->dst_point);
}
