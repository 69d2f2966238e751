/* Xen as a transport: a second ioreq server beside QEMU's for one HVM domain. See xen_internal.h for its parts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xentoolcore.h>

#include "ioreq/xen_internal.h"
#include "vgpu/base/bits.h"

static struct xen *from_transport(struct ioreq_transport *t)
{
    return (struct xen *)t; /* t is its first member */
}

static void xen_wake(struct ioreq_transport *t)
{
    struct xen_server *s = &from_transport(t)->server;

    (void)xenevtchn_notify(s->evtchn, s->wake); /* one system call, which cannot fail on a port that is bound */
}

/* The order matters: dispatch, when the event brings it, has to see the flag. */
void xen_wake_dispatch(void *ctx)
{
    struct xen *x = ctx;

    atomic_store(&x->woken, true);
    xen_wake(&x->t);
}

/* Any thread. What Xen answers when there is nobody left to serve: no such domain, no such server. */
static int xen_result(struct xen *x, int ret)
{
    int code = ret ? -errno : 0;

    if ((code == -ESRCH || code == -ENOENT) && !atomic_exchange(&x->gone, true))
        xen_wake_dispatch(x);
    return code;
}

/* ---- what BARs and interrupts need */

static uint32_t config_read(void *ctx, unsigned off)
{
    struct xen *x = ctx;
    struct ioreq_access a = {.region = IOREQ_CONFIG, .size = 4, .off = off, .vcpu = x->vcpu};

    if (!gt_range_ok(off, 4, x->cfg.region[IOREQ_CONFIG].size))
        return 0;
    x->events.access(x->cfg.ctx, &a);
    return (uint32_t)a.data;
}

static int map_range(void *ctx, bool mmio, uint64_t start, uint64_t end)
{
    struct xen *x = ctx;
    struct xen_server *s = &x->server;

    return xen_result(x, xendevicemodel_map_io_range_to_ioreq_server(s->dm, s->domid, s->id, mmio, start, end));
}

static int unmap_range(void *ctx, bool mmio, uint64_t start, uint64_t end)
{
    struct xen *x = ctx;
    struct xen_server *s = &x->server;

    /* ENOENT may mean the range alone here, so it says nothing about the server. */
    if (!xendevicemodel_unmap_io_range_from_ioreq_server(s->dm, s->domid, s->id, mmio, start, end) || errno == ENOENT)
        return 0;
    return xen_result(x, -1);
}

static int inject_msi(void *ctx, uint64_t addr, uint32_t data)
{
    struct xen *x = ctx;
    int ret = xen_result(x, xendevicemodel_inject_msi(x->server.dm, x->server.domid, addr, data));

    if (ret)
        GT_GUEST_LOG(&x->irq_rl, "domain %u: Xen refuses an MSI to %#llx, data %#x: %s", x->server.domid,
                     (unsigned long long)addr, data, strerror(-ret));
    return ret;
}

static int set_intx(void *ctx, bool level)
{
    struct xen *x = ctx;
    uint8_t slot = (uint8_t)(x->bdf >> 3);

    return xen_result(x, xendevicemodel_set_pci_intx_level(x->server.dm, x->server.domid, 0, 0, slot, 0, level));
}

/* ---- the transport's functions */

static int xen_irq(struct ioreq_transport *t)
{
    return xen_irq_edge(&from_transport(t)->irq);
}

static void xen_line(struct ioreq_transport *t, bool level)
{
    (void)xen_irq_line(&from_transport(t)->irq, level); /* fails only when the domain is gone, which dispatch tells */
}

static int xen_mem_read(struct ioreq_transport *t, uint64_t gpa, void *dst, size_t n)
{
    return xen_mapcache_read(&from_transport(t)->cache, gpa, dst, n);
}

static int xen_mem_write(struct ioreq_transport *t, uint64_t gpa, const void *src, size_t n)
{
    return xen_mapcache_write(&from_transport(t)->cache, gpa, src, n);
}

static int xen_mem_cas(struct ioreq_transport *t, uint64_t gpa, unsigned size, uint64_t *expected, uint64_t desired)
{
    return xen_mapcache_cas(&from_transport(t)->cache, gpa, size, expected, desired);
}

/* All mappings are writable. */
static uint8_t *xen_mem_page(struct ioreq_transport *t, uint64_t gpa, bool write)
{
    (void)write;
    return xen_mapcache_page(&from_transport(t)->cache, gpa);
}

/* No events any more: its user has stopped all threads that could use the transport. */
static void xen_close(struct ioreq_transport *t)
{
    struct xen *x = from_transport(t);

    if (!t)
        return;
    xen_mapcache_destroy(&x->cache);
    if (x->backing && x->server.ours)
        xen_backing_park(x->backing);
    xen_server_close(&x->server);
    xen_irq_destroy(&x->irq);
    free(x);
}

static const struct ioreq_transport_ops xen_ops = {
    .name = "xen",
    .wait = xen_wait,
    .wake = xen_wake,
    .dispatch = xen_dispatch,
    .irq = xen_irq,
    .line = xen_line,
    .mem_read = xen_mem_read,
    .mem_write = xen_mem_write,
    .mem_cas = xen_mem_cas,
    .mem_page = xen_mem_page,
    .close = xen_close,
};

/* ---- set-up */

static void wire(struct xen *x)
{
    xen_serve_init(x);
    x->bars_host = (struct xen_bars_host){x, config_read, map_range, unmap_range};
    x->irq_host = (struct xen_irq_host){x, config_read, inject_msi, set_intx};
}

/* Where a killed process left the pages, the guest may have moved the BAR meanwhile. */
static void take_backing(struct xen *x, const struct ioreq_xen_options *opt)
{
    struct ioreq_xen_backing *b = opt->backing;

    if (!b)
        return;
    b->dm = x->server.dm;
    b->window_off = x->cfg.region[IOREQ_BAR0].mmap_off;
    b->moved = opt->backing_moved;
    b->ctx = x->cfg.ctx;
    x->backing = b;
    xen_backing_follow(b, &x->bars.bar[IOREQ_BAR0]);
}

/* All after the server is there. */
static int open_rest(struct xen *x, const struct ioreq_xen_options *opt)
{
    bool adopt = opt->adopt >= 0;
    int ret = xen_mapcache_init(&x->cache, x->server.fm, opt->domid, XEN_CHUNKS_DEFAULT, xen_wake_dispatch, x);

    if (!ret)
        ret = xen_irq_init(&x->irq, &x->irq_host, !adopt);
    if (ret)
        return ret;
    xen_bars_init(&x->bars, &x->cfg, &x->bars_host, opt->domid, adopt);
    ret = xen_bars_sync(&x->bars);
    if (atomic_load(&x->gone))
        return ret;
    take_backing(x, opt);
    x->adopting = adopt;
    xen_wake_dispatch(x); /* the first dispatch looks at all slots, whatever events came */
    return 0;
}

int ioreq_xen_open(struct ioreq_transport **out, const struct ioreq_config *cfg, const struct ioreq_xen_options *opt,
                   char *err, size_t errsz)
{
    struct xen *x = calloc(1, sizeof(*x));

    if (!x || !cfg->events || !cfg->events->access) {
        snprintf(err, errsz, x ? "the transport needs an access handler" : "out of memory");
        free(x);
        return x ? -EINVAL : -ENOMEM;
    }
    x->t.ops = &xen_ops;
    x->cfg = *cfg;
    x->events = *cfg->events;
    x->cfg.events = &x->events;
    x->bdf = opt->slot << 3;
    wire(x);
    int ret = xen_server_open(&x->server, opt, err, errsz);

    if (!ret) {
        ret = open_rest(x, opt);
        if (ret)
            snprintf(err, errsz, "cannot serve domain %u: %s", opt->domid, strerror(-ret));
    }
    if (ret) {
        xen_close(&x->t);
        return ret;
    }
    gt_info("domain %u: ioreq server %u, %u vCPUs, device 0000:00:%02x.0%s", opt->domid, x->server.id, x->server.vcpus,
            opt->slot, opt->adopt >= 0 ? ", adopted" : "");
    *out = &x->t;
    return 0;
}

unsigned ioreq_xen_server(const struct ioreq_transport *t)
{
    return ((const struct xen *)t)->server.id;
}

/*
 * Afterwards, by what Linux' drivers do: /dev/xen/privcmd does dm_ops, foreign mappings and resources of this domain
 * only, and no other hypercall; /dev/xen/evtchn binds channels of this domain only; what is bound goes on.
 */
int ioreq_xen_restrict(struct ioreq_transport *t)
{
    errno = 0;
    if (!xentoolcore_restrict_all(from_transport(t)->server.domid))
        return 0;
    return errno ? -errno : -EPERM;
}
