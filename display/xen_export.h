/* A dma-buf of memory of a Xen guest, made by the module of display/kmod: nothing is copied, the pages stay where they
 * are. */
#ifndef GTMUX_DISPLAY_XEN_EXPORT_H
#define GTMUX_DISPLAY_XEN_EXPORT_H

#include <stddef.h>
#include <stdint.h>

#define XEN_EXPORT_DEVICE "/dev/gtmux-xen-export"

struct xen_export {
    int fd; /* of the device, bound to the guest for good; -1: none */
    /* ioctl(2), but for tests: 0 or more, or -1 with errno. */
    int (*call)(int fd, unsigned long command, void *arg);
};

/* Opens the device and binds it to a guest, which needs root. 0, or -errno with a message that says what to do; then
 * x->fd is -1 and xen_export_create fails. */
int xen_export_open(struct xen_export *x, unsigned domid, char *msg, size_t msgsz);
/* The second half of it: binds x->fd. As above; x->fd stays as it is. */
int xen_export_bind(const struct xen_export *x, unsigned domid, char *msg, size_t msgsz);
void xen_export_close(struct xen_export *x);
/* A descriptor of a new dma-buf of n pages of the guest, in this order, or -errno: -EFAULT: one of them is no memory
 * (FRAME_NO_PAGE among them); -E2BIG, -ENOSPC: above the module's limits. */
int xen_export_create(const struct xen_export *x, const uint64_t *gpa, size_t n);

#endif
