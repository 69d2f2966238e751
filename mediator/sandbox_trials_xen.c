/*
 * What a device process can still do in Xen after xentoolcore_restrict_all: nothing beyond its own guest. The handles
 * are those of a real device, with the others that a mistake could leave open.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xendevicemodel.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xenstore.h>
#include <xentoolcore.h>

#include <xen/sys/evtchn.h>
#include <xen/sys/privcmd.h>

#include "display/kmod/gtmux_xen_export.h"
#include "display/xen_export.h"
#include "mediator/sandbox_internal.h"
#include "mediator/sandbox_trials.h"

#define GUEST_GFN   0x100 /* at 1 MiB an HVM guest has memory */
#define XEN_VERSION 17    /* __HYPERVISOR_xen_version; its command 0 only asks for a number (public/version.h) */
#define DOM0        0

struct handles {
    xendevicemodel_handle *dm;
    xenforeignmemory_handle *fm;
    xenevtchn_handle *evtchn;
    struct xs_handle *xs;
    int privcmd; /* a descriptor inside them, after the restriction: that of libxencall is another device then */
};

static bool can_map(struct handles *h, int domid)
{
    xen_pfn_t gfn = GUEST_GFN;
    int err = 0;
    volatile uint8_t *p = xenforeignmemory_map(h->fm, (uint32_t)domid, PROT_READ, 1, &gfn, &err);

    if (!p || err)
        return false;
    (void)p[0];
    xenforeignmemory_unmap(h->fm, (void *)p, 1);
    return true;
}

static bool can_count(struct handles *h, int domid)
{
    unsigned count = 0;

    return !xendevicemodel_nr_vcpus(h->dm, (domid_t)domid, &count) && count;
}

/* The lowest descriptor on privcmd: the libraries do not tell theirs. */
static int find_privcmd(void)
{
    for (int fd = 0; fd < 64; fd++) {
        char link[32], target[64] = "";

        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        if (readlink(link, target, sizeof(target) - 1) > 0 && !strcmp(target, "/dev/xen/privcmd"))
            return fd;
    }
    return -1;
}

static const char *open_handles(struct stage *st)
{
    static struct handles h;

    st->extra = &h;
    h.xs = xs_open(0);
    h.dm = xendevicemodel_open(NULL, 0);
    h.fm = xenforeignmemory_open(NULL, 0);
    h.evtchn = xenevtchn_open(NULL, 0);
    if (!h.dm || !h.fm || !h.evtchn || !h.xs)
        return stage_why(st, "cannot open Xen's interfaces: %s", strerror(errno));
    return NULL;
}

static const char *restrict_handles(struct stage *st)
{
    struct handles *h = st->extra;

    if (xentoolcore_restrict_all((domid_t)st->domid))
        return stage_why(st, "xentoolcore_restrict_all: %s", strerror(errno));
    h->privcmd = find_privcmd();
    return h->privcmd < 0 ? "no descriptor of privcmd is left" : NULL;
}

static const char *open_restricted(struct stage *st)
{
    const char *why = open_handles(st);

    return why ? why : restrict_handles(st);
}

/* Only what works before can be said to be prevented. */
static const char *reach_other_first(struct stage *st)
{
    const char *why = open_handles(st);
    struct handles *h = st->extra;

    if (why)
        return why;
    if (!can_map(h, st->other_domid) || !can_count(h, st->other_domid))
        return stage_why(st, "domain %d cannot be reached before either", st->other_domid);
    return restrict_handles(st);
}

/* What the kernel refuses because of the restriction, not something else for another reason. */
static const char *refused(struct stage *st, bool done, int error)
{
    if (done)
        return "it worked";
    return errno == error ? NULL : stage_why(st, "it failed for another reason: %s", strerror(errno));
}

static const char *map_own(struct stage *st)
{
    return can_map(st->extra, st->domid) ? NULL : stage_why(st, "cannot map its memory: %s", strerror(errno));
}

static const char *operate_own(struct stage *st)
{
    return can_count(st->extra, st->domid) ? NULL : stage_why(st, "dm_op fails: %s", strerror(errno));
}

static const char *map_dom0(struct stage *st)
{
    return refused(st, can_map(st->extra, DOM0), EPERM);
}

static const char *operate_dom0(struct stage *st)
{
    return refused(st, can_count(st->extra, DOM0), EPERM);
}

static const char *map_other(struct stage *st)
{
    return refused(st, can_map(st->extra, st->other_domid), EPERM);
}

static const char *operate_other(struct stage *st)
{
    return refused(st, can_count(st->extra, st->other_domid), EPERM);
}

static const char *hypercall(struct stage *st)
{
    struct handles *h = st->extra;
    privcmd_hypercall_t call = {.op = XEN_VERSION};

    return refused(st, ioctl(h->privcmd, IOCTL_PRIVCMD_HYPERCALL, &call) >= 0, EPERM);
}

static const char *restrict_to_other(struct stage *st)
{
    struct handles *h = st->extra;
    domid_t dom0 = DOM0;

    return refused(st, !ioctl(h->privcmd, IOCTL_PRIVCMD_RESTRICT, &dom0), EINVAL);
}

static const char *bind_dom0(struct stage *st)
{
    struct handles *h = st->extra;

    return refused(st, xenevtchn_bind_interdomain(h->evtchn, DOM0, 1) >= 0, EACCES);
}

static const char *offer_to_dom0(struct stage *st)
{
    struct handles *h = st->extra;

    return refused(st, xenevtchn_bind_unbound_port(h->evtchn, DOM0) >= 0, EACCES);
}

static const char *bind_virq(struct stage *st)
{
    struct handles *h = st->extra;

    return refused(st, xenevtchn_bind_virq(h->evtchn, VIRQ_TIMER) >= 0, EACCES);
}

static const char *write_xenstore(struct stage *st)
{
    struct handles *h = st->extra;

    return xs_write(h->xs, XBT_NULL, "/tool/gtmux-selftest", "x", 1) ? "it worked" : NULL;
}

static const char *read_xenstore(struct stage *st)
{
    struct handles *h = st->extra;
    unsigned n;

    return xs_read(h->xs, XBT_NULL, "/local/domain/0/name", &n) ? "it worked" : NULL;
}

/* ---- the module of display/kmod */

static const char *open_export(struct stage *st)
{
    static int fd;

    fd = open(XEN_EXPORT_DEVICE, O_RDWR | O_CLOEXEC);
    st->extra = &fd;
    st->skip = fd < 0;
    return fd < 0 ? "the module gtmux_xen_export is not loaded" : NULL;
}

static int bind_export(struct stage *st, int domid)
{
    struct gtmux_xen_bind bind = {.domid = (uint32_t)domid};

    return ioctl(*(int *)st->extra, GTMUX_XEN_BIND, &bind);
}

static const char *open_bound_export(struct stage *st)
{
    const char *why = open_export(st);

    if (!why && bind_export(st, st->domid))
        return stage_why(st, "cannot bind it: %s", strerror(errno));
    return why;
}

static int export_one(struct stage *st)
{
    struct gtmux_xen_run run = {.gfn = GUEST_GFN, .pages = 1};
    struct gtmux_xen_create create = {.flags = GTMUX_XEN_CLOEXEC, .count = 1, .runs = (uintptr_t)&run};

    return ioctl(*(int *)st->extra, GTMUX_XEN_CREATE, &create);
}

static const char *export_own(struct stage *st)
{
    return export_one(st) >= 0 ? NULL : stage_why(st, "cannot export its memory: %s", strerror(errno));
}

static const char *export_unbound(struct stage *st)
{
    return refused(st, export_one(st) >= 0, ENOTCONN);
}

static const char *bind_to_other(struct stage *st)
{
    return refused(st, !bind_export(st, st->domid + 1), EPERM);
}

static const char *bind_to_own(struct stage *st)
{
    return refused(st, !bind_export(st, st->domid), EPERM);
}

int trial_xen_other(int domid)
{
    struct stage st;
    unsigned count = 0;
    int found = -1;

    if (domid < 0 || open_handles(&st))
        return -1;
    struct handles *h = st.extra;
    char **names = xs_directory(h->xs, XBT_NULL, "/local/domain", &count);

    for (unsigned i = 0; names && i < count && found < 0; i++) {
        int id = atoi(names[i]);
        if (id > 0 && id != domid && can_map(h, id) && can_count(h, id))
            found = id;
    }
    free(names);
    xs_close(h->xs);
    xendevicemodel_close(h->dm);
    xenforeignmemory_close(h->fm);
    xenevtchn_close(h->evtchn);
    return found;
}

#define EXPORT(title, open, function) .name = (title), .run = (function), .prepare = (open), .xen = true
#define XEN(title, function)          .name = (title), .run = (function), .prepare = open_restricted, .xen = true

const struct trial trial_xen[] = {
    {XEN("Xen: mapping memory of its guest", map_own)},
    {XEN("Xen: dm_op on its guest", operate_own)},
    {XEN("Xen: mapping memory of dom0", map_dom0)},
    {XEN("Xen: mapping memory of dom0", map_dom0), .no_filter = true},
    {XEN("Xen: dm_op on dom0", operate_dom0)},
    {XEN("Xen: dm_op on dom0", operate_dom0), .no_filter = true},
    {.name = "Xen: mapping memory of another guest",
     .run = map_other,
     .prepare = reach_other_first,
     .xen = true,
     .other_guest = true},
    {.name = "Xen: dm_op on another guest",
     .run = operate_other,
     .prepare = reach_other_first,
     .xen = true,
     .other_guest = true},
    {XEN("Xen: a raw hypercall", hypercall), .end = TRIAL_KILLED},
    {XEN("Xen: a raw hypercall", hypercall), .no_filter = true},
    {XEN("Xen: restriction to another domain", restrict_to_other), .end = TRIAL_KILLED},
    {XEN("Xen: restriction to another domain", restrict_to_other), .no_filter = true},
    {XEN("Xen: binding an event channel of dom0", bind_dom0), .end = TRIAL_KILLED},
    {XEN("Xen: binding an event channel of dom0", bind_dom0), .no_filter = true},
    {XEN("Xen: offering an event channel to dom0", offer_to_dom0), .end = TRIAL_KILLED},
    {XEN("Xen: offering an event channel to dom0", offer_to_dom0), .no_filter = true},
    {XEN("Xen: binding a VIRQ", bind_virq), .no_filter = true},
    {XEN("Xen: writing xenstore", write_xenstore)},
    {XEN("Xen: writing xenstore", write_xenstore), .no_filter = true},
    {XEN("Xen: reading xenstore", read_xenstore), .no_filter = true},
    {EXPORT("Xen: a dma-buf of its guest", open_bound_export, export_own)},
    {EXPORT("Xen: a dma-buf of no guest", open_export, export_unbound)},
    {EXPORT("Xen: binding the exporter to another", open_bound_export, bind_to_other), .end = TRIAL_KILLED},
    {EXPORT("Xen: binding the exporter to another", open_bound_export, bind_to_other), .no_filter = true},
    {EXPORT("Xen: binding a fresh exporter", open_export, bind_to_own), .no_filter = true},
    {0},
};
