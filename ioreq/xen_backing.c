#include "ioreq/xen_backing.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

#define PAGE_SHIFT 12u
#define GFN_BITS   36u /* Xen's maps have four levels */

static int relocate(struct ioreq_xen_backing *b, uint64_t from, uint64_t to, uint32_t pages)
{
    return xendevicemodel_relocate_memory(b->dm, b->domid, pages, from, to) ? -errno : 0;
}

/*
 * Xen stops at the first page that it cannot move, and does not say which that was. That is the guest's doing: it has
 * given pages back, or put something in the way.
 */
static void move_singly(struct ioreq_xen_backing *b, uint64_t from, uint64_t to)
{
    for (uint32_t i = 0; i < XEN_BACKING_PAGES; i++)
        (void)relocate(b, from + i, to + i, 1);
    b->broken = true;
}

/* Memory of the guest that is in the way would be freed by Xen, while it is mapped here and the guest counts on it. */
static bool place_is_free(struct ioreq_xen_backing *b, uint64_t gfn)
{
    for (unsigned i = 0; i < XEN_BACKING_PAGES; i++)
        b->probe[i] = gfn + i;
    void *p = xenforeignmemory_map(b->fm, b->domid, PROT_READ, XEN_BACKING_PAGES, b->probe, b->probe_err);

    if (!p)
        return true;
    (void)xenforeignmemory_unmap(b->fm, p, XEN_BACKING_PAGES);
    for (unsigned i = 0; i < XEN_BACKING_PAGES; i++)
        if (!b->probe_err[i])
            return false;
    return true;
}

static void refuse(struct ioreq_xen_backing *b, uint64_t gfn, const char *why)
{
    b->refused = gfn;
    GT_GUEST_LOG(&b->log_rl, "domain %u: accesses to BAR0 at %#llx go on to trap: %s", b->domid,
                 (unsigned long long)gfn << PAGE_SHIFT, why);
}

/* The successor of a process that is killed half-way looks at the new place and at the parking place. */
static void bring(struct ioreq_xen_backing *b, uint64_t gfn)
{
    uint64_t before = gt_clock_ns();

    if (!place_is_free(b, gfn)) {
        refuse(b, gfn, "memory of the guest is there");
        return;
    }
    b->moved(b->ctx, gfn);
    int ret = relocate(b, XEN_BACKING_PARK, gfn, XEN_BACKING_PAGES);

    if (ret) {
        move_singly(b, gfn, XEN_BACKING_PARK);
        b->moved(b->ctx, XEN_BACKING_PARK);
        refuse(b, gfn, strerror(-ret));
        return;
    }
    b->gfn = gfn;
    if (!b->told)
        gt_debug("domain %u: pages behind BAR0 at %#llx after %llu us", b->domid, (unsigned long long)gfn << PAGE_SHIFT,
                 (unsigned long long)(gt_clock_ns() - before) / 1000);
    b->told = true;
}

void xen_backing_touch(struct ioreq_xen_backing *b, uint64_t bar)
{
    uint64_t gfn = (bar + b->window_off) >> PAGE_SHIFT;

    if (b->broken || gfn == b->refused || b->gfn != XEN_BACKING_PARK)
        return;
    if (gfn >> GFN_BITS)
        refuse(b, gfn, "no memory can be there");
    else if (gfn < XEN_BACKING_PARK + XEN_BACKING_PAGES && XEN_BACKING_PARK < gfn + XEN_BACKING_PAGES)
        refuse(b, gfn, "it overlaps the place where the pages come from");
    else
        bring(b, gfn);
}

void xen_backing_park(struct ioreq_xen_backing *b)
{
    if (b->gfn == XEN_BACKING_PARK)
        return;
    int ret = relocate(b, b->gfn, XEN_BACKING_PARK, XEN_BACKING_PAGES);

    if (ret == -ESRCH) /* there is no domain any more */
        return;
    if (ret) {
        GT_GUEST_LOG(&b->log_rl, "domain %u: the pages behind BAR0 do not move: %s", b->domid, strerror(-ret));
        move_singly(b, b->gfn, XEN_BACKING_PARK);
    }
    b->gfn = XEN_BACKING_PARK;
    b->moved(b->ctx, b->gfn);
}

void xen_backing_follow(struct ioreq_xen_backing *b, const struct xen_bar *bar0)
{
    uint64_t gfn = (bar0->start + b->window_off) >> PAGE_SHIFT;

    if (bar0->mapped && gfn == b->gfn)
        return;
    xen_backing_park(b);
    if (!bar0->mapped || gfn != b->refused)
        b->refused = 0;
}
