/* ioctl(2) on our descriptors: finds the function, copies the argument in and out. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "mediator/shim/ioctls.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"

#define ARGUMENT_MAX 256u
#define NUMBERS      256u

struct entry {
    const char *name;
    uint16_t size;
    int (*fn)(struct shim_file *f, void *arg);
};

static const struct entry entries[NUMBERS] = {
#define CORE(number, type, function) [_IOC_NR(number)] = {#number, sizeof(type), function},
#define I915(number, type, function) [DRM_COMMAND_BASE + number] = {#number, sizeof(type), function},
#include "mediator/shim/ioctls.def"
#undef CORE
#undef I915
};

#define CORE(number, type, function) _Static_assert(sizeof(type) <= ARGUMENT_MAX, #number);
#define I915(number, type, function) _Static_assert(sizeof(type) <= ARGUMENT_MAX, #number);
#include "mediator/shim/ioctls.def"
#undef CORE
#undef I915

static int call(struct shim_file *f, const struct entry *e, unsigned long request, void *arg)
{
    _Alignas(16) uint8_t copy[ARGUMENT_MAX] = {0};
    size_t size = GT_MIN((size_t)_IOC_SIZE(request), (size_t)e->size);
    int rc;

    if (_IOC_DIR(request) & _IOC_WRITE)
        memcpy(copy, arg, size);
    shim_lock();
    rc = e->fn(f, copy);
    shim_unlock();
    if (_IOC_DIR(request) & _IOC_READ)
        memcpy(arg, copy, size);
    return rc;
}

int shim_ioctl(struct shim_file *f, unsigned long request, void *arg)
{
    const struct entry *e = &entries[_IOC_NR(request)];
    int rc = -EINVAL;

    if (_IOC_TYPE(request) == DRM_IOCTL_BASE && e->fn)
        rc = call(f, e, request, arg);
    gt_debug("ioctl 0x%02lx %s (%lu bytes): %d", _IOC_NR(request), e->name ? e->name : "?", _IOC_SIZE(request), rc);
    if (rc >= 0)
        return rc;
    errno = -rc;
    return -1;
}
