/*
 * Where the guest has put the device's BARs, and keeping Xen's idea of it the same. Learns everything from config space
 * as the guest sees it. Used by the trap thread alone.
 */
#ifndef GTMUX_IOREQ_XEN_BARS_H
#define GTMUX_IOREQ_XEN_BARS_H

#include <stdbool.h>
#include <stdint.h>

#include "ioreq/transport.h"
#include "vgpu/base/log.h"

#define XEN_BARS 7u /* six BARs and the ROM */

struct xen_bars_host {
    void *ctx;
    uint32_t (*config_read)(void *ctx, unsigned off); /* the 4 bytes at off */
    /* Tell Xen to send us the accesses to [start, end], memory or ports, or not to. 0 or -errno; to unmap what Xen has
     * not got is no error. */
    int (*map)(void *ctx, bool mmio, uint64_t start, uint64_t end);
    int (*unmap)(void *ctx, bool mmio, uint64_t start, uint64_t end);
};

struct xen_bar {
    uint64_t size;  /* 0: the device has no such BAR */
    uint64_t start; /* where it is mapped, while it is */
    bool mapped, mmio;
    bool complained; /* once about the present place */
};

struct xen_bars {
    struct xen_bar bar[XEN_BARS]; /* by region number */
    uint32_t sizing; /* config dwords into which the guest wrote ones to learn the size, bit = offset / 4 */
    bool adopted;    /* Xen may know ranges of an earlier process */
    unsigned domid;
    const struct xen_bars_host *host;
    struct gt_ratelimit log_rl;
};

/* `adopted`: in xen_bars_sync Xen may say that it has a range already. */
void xen_bars_init(struct xen_bars *b, const struct ioreq_config *cfg, const struct xen_bars_host *host, unsigned domid,
                   bool adopted);

/* Makes Xen agree with config space. 0, or -errno of Xen's last refusal (the BAR then stays out of reach). */
int xen_bars_sync(struct xen_bars *b);

/* After the guest wrote `size` bytes at `off` of config space: as xen_bars_sync where that can move a BAR, else 0. */
int xen_bars_written(struct xen_bars *b, unsigned off, unsigned size, uint32_t data);

/* Fills in region and offset of an access that lies wholly in one mapped BAR. False: there is none. */
bool xen_bars_find(const struct xen_bars *b, bool mmio, uint64_t addr, unsigned size, struct ioreq_access *a);

#endif
