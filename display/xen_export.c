#include "display/xen_export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "display/frame.h"
#include "display/kmod/gtmux_xen_export.h"

static int call_device(int fd, unsigned long command, void *arg)
{
    return ioctl(fd, command, arg);
}

static int copied_because(char *msg, size_t msgsz, const char *what, int error, const char *hint)
{
    snprintf(msg, msgsz, "pictures are copied for viewers, because %s (%s): %s", what, strerror(error), hint);
    return -error;
}

int xen_export_bind(const struct xen_export *x, unsigned domid, char *msg, size_t msgsz)
{
    struct gtmux_xen_bind bind = {.domid = domid};

    msg[0] = '\0';
    if (x->call(x->fd, GTMUX_XEN_BIND, &bind) >= 0)
        return 0;
    return copied_because(msg, msgsz, XEN_EXPORT_DEVICE " does not take the guest", errno,
                          errno == EPERM ? "start gtmux-dm as root" : "is the module that of this version of gtmux?");
}

int xen_export_open(struct xen_export *x, unsigned domid, char *msg, size_t msgsz)
{
    *x = (struct xen_export){.fd = open(XEN_EXPORT_DEVICE, O_RDWR | O_CLOEXEC), .call = call_device};
    if (x->fd < 0) {
        int error = errno;

        return copied_because(msg, msgsz, XEN_EXPORT_DEVICE " cannot be opened", error,
                              error == ENOENT || error == ENXIO
                                  ? "load the module gtmux_xen_export (docs/xen.md) and start the guest again"
                                  : "start gtmux-dm as root");
    }
    int ret = xen_export_bind(x, domid, msg, msgsz);

    if (ret)
        xen_export_close(x);
    return ret;
}

void xen_export_close(struct xen_export *x)
{
    if (x->fd >= 0)
        close(x->fd);
    x->fd = -1;
}

static bool continues(const struct gtmux_xen_run *r, uint64_t gfn)
{
    return r->pages < UINT32_MAX && gfn == r->gfn + r->pages;
}

/* Neighbours become one run. The number of runs; out NULL: only that. -EFAULT: a page is no memory. */
static long make_runs(const uint64_t *gpa, size_t n, struct gtmux_xen_run *out)
{
    struct gtmux_xen_run run = {0};
    long count = 0;

    for (size_t i = 0; i < n; i++) {
        if (gpa[i] % DISPLAY_PAGE)
            return -EFAULT; /* FRAME_NO_PAGE too */
        if (run.pages && continues(&run, gpa[i] / DISPLAY_PAGE)) {
            run.pages++;
        } else {
            run = (struct gtmux_xen_run){.gfn = gpa[i] / DISPLAY_PAGE, .pages = 1};
            count++;
        }
        if (out)
            out[count - 1] = run;
    }
    return count;
}

int xen_export_create(const struct xen_export *x, const uint64_t *gpa, size_t n)
{
    if (x->fd < 0)
        return -ENODEV;
    long count = make_runs(gpa, n, NULL);

    if (count <= 0)
        return count ? (int)count : -EINVAL;
    if (count > UINT32_MAX)
        return -E2BIG;
    struct gtmux_xen_run *runs = calloc((size_t)count, sizeof(*runs));

    if (!runs)
        return -ENOMEM;
    make_runs(gpa, n, runs);
    struct gtmux_xen_create create = {.flags = GTMUX_XEN_CLOEXEC, .count = (uint32_t)count, .runs = (uintptr_t)runs};
    int ret = x->call(x->fd, GTMUX_XEN_CREATE, &create);

    if (ret < 0)
        ret = -errno;
    free(runs);
    return ret;
}
