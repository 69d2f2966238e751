#include "ioreq/xen_server.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/hvm/ioreq.h>
#include <xen/memory.h>

#include "vgpu/base/log.h"

/* The shape of a slot is Xen's. */
_Static_assert(sizeof(struct xen_slot) == sizeof(ioreq_t) && sizeof(ioreq_t) == 32, "public/hvm/ioreq.h");
_Static_assert(offsetof(struct xen_slot, data) == offsetof(ioreq_t, data), "public/hvm/ioreq.h");
_Static_assert(offsetof(struct xen_slot, count) == offsetof(ioreq_t, count), "public/hvm/ioreq.h");
_Static_assert(offsetof(struct xen_slot, size) == offsetof(ioreq_t, size), "public/hvm/ioreq.h");
_Static_assert(offsetof(struct xen_slot, vp_eport) == offsetof(ioreq_t, vp_eport), "public/hvm/ioreq.h");
_Static_assert(offsetof(struct xen_slot, type) == offsetof(ioreq_t, type), "public/hvm/ioreq.h");
_Static_assert(XEN_READY == STATE_IOREQ_READY && XEN_RESP_READY == STATE_IORESP_READY, "public/hvm/ioreq.h");
_Static_assert(XEN_TYPE_COPY == IOREQ_TYPE_COPY && XEN_TYPE_PCI_CONFIG == IOREQ_TYPE_PCI_CONFIG &&
                   XEN_TYPE_INVALIDATE == IOREQ_TYPE_INVALIDATE && XEN_TYPE_TIMEOFFSET == IOREQ_TYPE_TIMEOFFSET,
               "public/hvm/ioreq.h");

/* No ring for requests that may wait: its addresses have 20 bits, and it must be asked for at creation. */
#define NO_BUFFERED_REQUESTS 0 /* HVM_IOREQSRV_BUFIOREQ_OFF */

#define BIND_TRIES    50u
#define BIND_PAUSE_US 5000u

struct message {
    char *text;
    size_t size;
};

static int fail(const struct message *m, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int fail(const struct message *m, int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(m->text, m->size, fmt, ap);
    va_end(ap);
    return code;
}

/* ---- handles */

static int no_handle(const struct message *m, const char *device)
{
    int code = errno ? -errno : -ENODEV;

    if (code == -ENOENT || code == -ENODEV || code == -ENXIO)
        return fail(
            m, code,
            "no /dev/xen/%s: this is not a Xen dom0 or driver domain, or its modules are not loaded; run gtmux-dm "
            "in dom0 and try: modprobe xen-evtchn xen-privcmd",
            device);
    return fail(m, code, "cannot open /dev/xen/%s: %s; gtmux-dm has to be started as root in dom0", device,
                strerror(-code));
}

/* The event channels first: that library alone fails without printing anything itself. */
static int open_handles(struct xen_server *s, const struct message *m)
{
    errno = 0;
    s->evtchn = xenevtchn_open(NULL, 0);
    if (!s->evtchn)
        return no_handle(m, "evtchn");
    errno = 0;
    s->dm = xendevicemodel_open(NULL, 0);
    if (!s->dm)
        return no_handle(m, "privcmd");
    errno = 0;
    s->fm = xenforeignmemory_open(NULL, 0);
    return s->fm ? 0 : no_handle(m, "privcmd");
}

/* Our own domain's, so it must be there before the handles are restricted to the guest. */
static int make_wake_channel(struct xen_server *s, const struct message *m)
{
    int far = xenevtchn_bind_unbound_port(s->evtchn, DOMID_SELF);
    int port = far < 0 ? -1 : xenevtchn_bind_interdomain(s->evtchn, DOMID_SELF, (evtchn_port_t)far);

    if (port < 0)
        return fail(m, -errno, "cannot make an event channel: %s", strerror(errno));
    s->wake = (evtchn_port_t)port;
    return 0;
}

/* ---- the server */

static int create_failed(const struct xen_server *s, const struct message *m, int code)
{
    switch (code) {
    case -ESRCH:
        return fail(m, code, "there is no domain %u; `xl list` shows those that run", s->domid);
    case -EINVAL:
        return fail(m, code, "domain %u is not an HVM guest, and only those can have an emulated GPU (type=\"hvm\")",
                    s->domid);
    case -EPERM:
    case -EACCES:
        return fail(m, code, "Xen does not let this domain emulate devices for domain %u; run gtmux-dm as root in dom0",
                    s->domid);
    case -ENOSPC:
        return fail(
            m, code,
            "domain %u has 8 ioreq servers, and Xen allows no more; emulators that died may have left some behind: "
            "restart the guest",
            s->domid);
    default:
        return fail(m, code, "cannot make an ioreq server for domain %u: %s", s->domid, strerror(-code));
    }
}

static int create(struct xen_server *s, const struct message *m)
{
    if (xendevicemodel_create_ioreq_server(s->dm, s->domid, NO_BUFFERED_REQUESTS, &s->id))
        return create_failed(s, m, -errno);
    s->ours = true;
    return 0;
}

static int enable(struct xen_server *s, bool on)
{
    return xendevicemodel_set_ioreq_server_state(s->dm, s->domid, s->id, on) ? -errno : 0;
}

/* Linux before 4.18 and Xen before 4.11 cannot hand out the page itself; it is in the guest's memory then, but only
 * while the server is off. Turning the server off clears the page: an access that waits in it reads ones. */
static int map_page_by_gfn(struct xen_server *s, const struct message *m)
{
    xen_pfn_t gfn;
    int ret = enable(s, false);

    if (ret)
        return fail(m, ret, "domain %u has no ioreq server %u of ours: %s", s->domid, s->id, strerror(-ret));
    if (xendevicemodel_get_ioreq_server_info(s->dm, s->domid, s->id, &gfn, NULL, NULL))
        return fail(m, -errno, "Xen does not tell where the page of ioreq server %u is: %s", s->id, strerror(errno));
    s->slots = xenforeignmemory_map(s->fm, s->domid, PROT_READ | PROT_WRITE, 1, &gfn, NULL);
    if (!s->slots)
        return fail(m, -errno, "cannot map the page of ioreq server %u: %s", s->id, strerror(errno));
    return 0;
}

static int map_page(struct xen_server *s, const struct message *m)
{
    void *page = NULL;

    s->resource =
        xenforeignmemory_map_resource(s->fm, s->domid, XENMEM_resource_ioreq_server, s->id,
                                      XENMEM_resource_ioreq_server_frame_ioreq(0), 1, &page, PROT_READ | PROT_WRITE, 0);
    if (s->resource) {
        s->slots = page;
        return 0;
    }
    if (errno == EOPNOTSUPP || errno == ENOSYS)
        return map_page_by_gfn(s, m);
    if (errno == ESRCH || errno == ENOENT)
        return fail(m, -errno, "domain %u has no ioreq server %u: the domain or the server is gone", s->domid, s->id);
    return fail(m, -errno, "cannot map the page of ioreq server %u of domain %u: %s", s->id, s->domid, strerror(errno));
}

/* The kernel closes the descriptors of a killed process one after another, so it may be known to be dead (its locks are
 * free) when its event channels are still bound. */
static int bind_channel(struct xen_server *s, uint32_t remote, unsigned *tries)
{
    for (;;) {
        int port = xenevtchn_bind_interdomain(s->evtchn, s->domid, remote);

        if (port >= 0 || errno != EINVAL || !*tries)
            return port >= 0 ? port : -errno;
        (*tries)--;
        usleep(BIND_PAUSE_US);
    }
}

/* The channels of vCPUs 0, 1, ... are in the page as long as the server is on. */
static int bind_channels(struct xen_server *s, const struct message *m)
{
    unsigned tries = s->ours ? 0 : BIND_TRIES;

    for (unsigned i = 0; i < XEN_MAX_VCPUS; i++) {
        uint32_t remote = __atomic_load_n(&s->slots[i].vp_eport, __ATOMIC_ACQUIRE);

        if (!remote)
            break;
        int port = bind_channel(s, remote, &tries);

        if (port < 0)
            return fail(m, port,
                        "cannot bind event channel %u of domain %u: %s; ioreq server %u belongs to another emulator "
                        "that still runs",
                        remote, s->domid, strerror(-port), s->id);
        s->port[s->vcpus++] = (evtchn_port_t)port;
    }
    if (!s->vcpus)
        return fail(m, -EPROTO, "ioreq server %u of domain %u names no vCPU; is this a supported Xen (4.17 or later)?",
                    s->id, s->domid);
    return 0;
}

/* The newest server that claims a device gets it, whoever else has. */
static int claim(struct xen_server *s, unsigned slot, const struct message *m)
{
    if (!xendevicemodel_map_pcidev_to_ioreq_server(s->dm, s->domid, s->id, 0, 0, (uint8_t)slot, 0) || errno == EEXIST)
        return 0;
    return fail(m, -errno, "Xen refuses PCI slot %u of domain %u: %s", slot, s->domid, strerror(errno));
}

int xen_server_open(struct xen_server *s, const struct ioreq_xen_options *opt, char *err, size_t errsz)
{
    const struct message m = {err, errsz};

    *s = (struct xen_server){.domid = (domid_t)opt->domid};
    /* Beyond are Xen's special domains. */
    if (opt->domid == 0 || opt->domid >= DOMID_FIRST_RESERVED)
        return fail(&m, -EINVAL, "%u is not the number of a guest; `xl list` shows them", opt->domid);
    if (opt->slot > 31 || opt->adopt > UINT16_MAX)
        return fail(&m, -EINVAL, "PCI slots go from 0 to 31, ioreq servers from 0 to 7");
    int ret = open_handles(s, &m);

    if (!ret)
        ret = make_wake_channel(s, &m);
    if (!ret && opt->adopt < 0)
        ret = create(s, &m);
    else if (!ret)
        s->id = (ioservid_t)opt->adopt;
    if (!ret)
        ret = map_page(s, &m);
    if (ret)
        return ret;
    ret = enable(s, true); /* also what an adopted one may lack, if its maker died early */
    if (ret)
        return fail(&m, ret, "cannot start ioreq server %u of domain %u: %s", s->id, s->domid, strerror(-ret));
    ret = bind_channels(s, &m);
    if (!ret)
        ret = claim(s, opt->slot, &m);
    s->ours = s->ours || !ret;
    return ret;
}

/* Nobody will carry these out any more; a vCPU that waits must not wait forever. */
static void answer_rest(struct xen_server *s)
{
    for (unsigned i = 0; i < s->vcpus; i++) {
        unsigned state = xen_slot_state(&s->slots[i]);
        struct xen_request r;

        if (state != XEN_READY && state != XEN_INPROCESS)
            continue;
        xen_slot_take(&s->slots[i], &r);
        xen_request_refuse(&r);
        xen_slot_answer(&s->slots[i], &r);
        (void)xenevtchn_notify(s->evtchn, s->port[i]);
    }
}

/* Errors are of no interest: the domain may be gone, which is as good. */
void xen_server_close(struct xen_server *s)
{
    if (s->ours)
        (void)enable(s, false);
    if (s->ours && s->slots && s->resource)
        answer_rest(s);
    if (s->resource)
        (void)xenforeignmemory_unmap_resource(s->fm, s->resource);
    else if (s->slots)
        (void)xenforeignmemory_unmap(s->fm, s->slots, 1);
    if (s->ours)
        (void)xendevicemodel_destroy_ioreq_server(s->dm, s->domid, s->id);
    (void)xenforeignmemory_close(s->fm);
    (void)xendevicemodel_close(s->dm);
    (void)xenevtchn_close(s->evtchn);
    *s = (struct xen_server){.domid = s->domid};
}
