/*
 * Interrupts of the device: MSI and INTx, as the guest has set them up in config space. Called by any thread, also
 * under the device lock, so nothing here reads config space: xen_irq_config is told what is in it. Its own lock is held
 * over the hypercall, or a level could overtake the next.
 */
#ifndef GTMUX_IOREQ_XEN_IRQ_H
#define GTMUX_IOREQ_XEN_IRQ_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct xen_irq_host {
    void *ctx;
    uint32_t (*config_read)(void *ctx,
                            unsigned off); /* the 4 bytes at off; only from xen_irq_find_msi, _sync, _written */
    int (*msi)(void *ctx, uint64_t addr, uint32_t data); /* 0 or -errno */
    int (*intx)(void *ctx, bool level);
};

struct xen_irq {
    pthread_mutex_t lock;
    const struct xen_irq_host *host;
    unsigned cap; /* offset of the MSI capability; 0: none */
    bool msi_on, bus_master, intx_off;
    uint64_t msi_addr;
    uint32_t msi_data;
    int8_t line, level; /* of the device, and what Xen knows: 0, 1, or -1 not known */
};

/* Finds the MSI capability and takes over what config space says. `fresh`: Xen's line is known to be low. 0 or -errno
 */
int xen_irq_init(struct xen_irq *q, const struct xen_irq_host *host, bool fresh);
void xen_irq_destroy(struct xen_irq *q);

/* Trap thread: the guest wrote to config space. 0 or -errno of the hypercall. */
int xen_irq_written(struct xen_irq *q, unsigned off, unsigned size);

/* Any thread. 0 or -errno. */
int xen_irq_edge(struct xen_irq *q);             /* an MSI if the guest wants them, else nothing */
int xen_irq_line(struct xen_irq *q, bool level); /* the INTx line, unless the guest uses MSI or turned it off */

#endif
