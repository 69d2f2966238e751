/* The ioreq server in Xen, its page and its event channels; and the handles on Xen that the transport works with. */
#ifndef GTMUX_IOREQ_XEN_SERVER_H
#define GTMUX_IOREQ_XEN_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xendevicemodel.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>

#include "ioreq/transport.h"
#include "ioreq/xen_request.h"

#define XEN_WAKE_PORTS 2u /* its two ends */

struct xen_server {
    xendevicemodel_handle *dm;
    xenforeignmemory_handle *fm;
    xenevtchn_handle *evtchn;
    domid_t domid;
    ioservid_t id;
    bool ours;              /* made by us, or ours since an adoption succeeded: to be destroyed at the end */
    struct xen_slot *slots; /* the page, XEN_MAX_VCPUS of them; Xen and we write to it */
    xenforeignmemory_resource_handle *resource; /* NULL: the page was mapped the old way */
    unsigned vcpus;
    evtchn_port_t port[XEN_MAX_VCPUS]; /* our ends, by vCPU */
    evtchn_port_t wake;                /* of a channel to ourselves: notifying it ends a read of the others */
};

/* Opens the handles, makes or adopts the server, maps its page, lets it get requests and binds all event channels; last
 * claims the device. 0 or -errno with a message; *s is to be closed in any case. */
int xen_server_open(struct xen_server *s, const struct ioreq_xen_options *opt, char *err, size_t errsz);

/* Stops requests, answers those that wait with ones, destroys the server if it is ours, and closes the handles. */
void xen_server_close(struct xen_server *s);

#endif
