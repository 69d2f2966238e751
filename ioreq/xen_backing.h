/*
 * Guest pages behind a window of BAR0, so that the guest's accesses to it do not trap. To Xen they are memory of the
 * guest like any other, which counts in its allowance; what makes them the device's is only the place where they lie.
 *
 *   xen_pages.c     getting them from Xen, which needs rights that the process gives up afterwards
 *   xen_backing.c   keeping them where the guest has put the BAR; the trap thread alone
 *
 * The ioreq server has the whole BAR all the time: Xen asks it only where there is no memory. So the window may lack
 * its pages at any moment (moving, refused, given back by the guest), and its accesses trap, to the same bytes.
 *
 * The pages go to the window when it is first touched, not when the BAR is set: firmware and kernel move the BAR and
 * switch it on and off a dozen times to learn its size, and touch nothing. They leave as soon as the BAR is off or
 * elsewhere, because other devices may be put there, for a parking place that is nobody's.
 */
#ifndef GTMUX_IOREQ_XEN_BACKING_H
#define GTMUX_IOREQ_XEN_BACKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xendevicemodel.h>
#include <xenforeignmemory.h>

#include "ioreq/transport.h"
#include "ioreq/xen_bars.h"
#include "vgpu/base/log.h"

#define XEN_BACKING_PAGES 2048u

/*
 * Where the pages lie while the window is not in use: from 0xfe000000 to the I/O APIC. hvmloader tells the guest that
 * all from 0xfc000000 on is reserved, and uses what is below 0xfe000000 itself (its config.h,
 * RESERVED_MEMORY_DYNAMIC_END).
 */
#define XEN_BACKING_PARK UINT64_C(0xfe000)

struct ioreq_xen_backing {
    domid_t domid;
    xenforeignmemory_handle *fm;
    void *memory; /* our mapping of the pages, wherever they lie */
    bool kept;    /* they hold what a predecessor's device left in them */
    uint64_t gfn; /* of the first */
    /* From here on set by the transport. */
    xendevicemodel_handle *dm; /* not owned */
    uint64_t window_off;       /* in BAR0 */
    void (*moved)(void *ctx, uint64_t gfn);
    void *ctx;
    uint64_t refused; /* the gfn where they cannot go; 0: none */
    bool broken;      /* Xen refused once half-way: they are not moved any more */
    bool told;        /* how long the first move took */
    struct gt_ratelimit log_rl;
    xen_pfn_t probe[XEN_BACKING_PAGES];
    int probe_err[XEN_BACKING_PAGES];
};

/* The guest has accessed the window of a BAR0 that is at bar: brings the pages there if they are not. */
void xen_backing_touch(struct ioreq_xen_backing *b, uint64_t bar);
/* The guest may have moved BAR0: takes the pages away from where it no longer is. */
void xen_backing_follow(struct ioreq_xen_backing *b, const struct xen_bar *bar0);
/* The device leaves: so do the pages. */
void xen_backing_park(struct ioreq_xen_backing *b);

#endif
