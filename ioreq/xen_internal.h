/*
 * Shared by xen.c and xen_serve.c only. The other parts of the transport stand for themselves:
 *
 *   xen.c           the transport object: open, close, memory and interrupts
 *   xen_serve.c     dispatch: events in, requests carried out, answers out
 *   xen_server.c    the ioreq server in Xen, its page and event channels
 *   xen_request.c   one request: taken, carried out, answered
 *   xen_bars.c      where the BARs are
 *   xen_backing.c   guest pages behind a window of BAR0
 *   xen_irq.c       MSI and INTx
 *   xen_mapcache.c  guest memory
 */
#ifndef GTMUX_IOREQ_XEN_INTERNAL_H
#define GTMUX_IOREQ_XEN_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ioreq/transport.h"
#include "ioreq/xen_backing.h"
#include "ioreq/xen_bars.h"
#include "ioreq/xen_irq.h"
#include "ioreq/xen_mapcache.h"
#include "ioreq/xen_request.h"
#include "ioreq/xen_server.h"
#include "vgpu/base/log.h"

struct xen {
    struct ioreq_transport t; /* first */
    struct ioreq_config cfg;
    struct ioreq_events events;
    struct xen_server server;
    struct xen_mapcache cache;
    struct xen_bars bars;
    struct ioreq_xen_backing *backing; /* not owned; NULL: none */
    struct xen_irq irq;
    struct xen_sink sink;
    struct xen_bars_host bars_host;
    struct xen_irq_host irq_host;
    /* The ports that made the last xen_wait return; masked until dispatch has looked at the slots. */
    evtchn_port_t fired[XEN_MAX_VCPUS + XEN_WAKE_PORTS];
    size_t fired_bytes;
    uint32_t bdf;      /* segment, bus, device, function as in requests */
    atomic_bool woken; /* something other than a request wants dispatch */
    atomic_bool gone;  /* Xen says that the domain or the server is no more */
    bool adopting;     /* the first look also takes requests that a killed process had begun */
    uint16_t vcpu;     /* of the request being served */
    bool again;        /* it is one of those */
    bool connected, left;
    struct gt_ratelimit log_rl; /* for lines that the guest can cause: of the trap thread ... */
    struct gt_ratelimit irq_rl; /* ... and of interrupts, under irq.lock */
};

/* xen.c. Makes dispatch run soon; any thread. ctx is a struct xen. */
void xen_wake_dispatch(void *ctx);

/* xen_serve.c */
void xen_serve_init(struct xen *x); /* fills in x->sink */
int xen_wait(struct ioreq_transport *t);
int xen_dispatch(struct ioreq_transport *t, unsigned spin_us);

#endif
