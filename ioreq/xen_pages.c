/*
 * Where the pages behind BAR0 come from (xen_backing.h). Xen's hypercall memory_op is of its stable interface, and so
 * is libxencall, whose handle is closed again before the process gives up its rights.
 */
#define __XEN_INTERFACE_VERSION__ 0x00030209 /* of xen/xen-compat.h: what the headers below mean to a caller */

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xen/memory.h>
#include <xen/xen.h>
#include <xencall.h>

#include "ioreq/xen_backing.h"
#include "vgpu/base/log.h"

#define PAGES     XEN_BACKING_PAGES
#define PAGE_SIZE 4096u

struct source {
    xencall_handle *call;
    xenforeignmemory_handle *fm;
    struct arguments *arg; /* memory that Xen can read */
    domid_t domid;
    unsigned leave; /* pages of the allowance that others will take */
    struct {
        char *text;
        size_t size;
    } err;
};

/* Of a hypercall. */
struct arguments {
    domid_t domid;
    struct xen_memory_reservation reservation;
    xen_pfn_t gfn[PAGES];
};

static int fail(const struct source *s, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int fail(const struct source *s, int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(s->err.text, s->err.size, fmt, ap);
    va_end(ap);
    return code;
}

/* ---- hypercalls */

/* Pages first ... PAGES-1 of those at gfn. How many it did, or -errno. */
static int memory_op(struct source *s, unsigned op, uint64_t gfn, unsigned first)
{
    struct arguments *a = s->arg;

    for (unsigned i = first; i < PAGES; i++)
        a->gfn[i] = gfn + i;
    a->reservation = (struct xen_memory_reservation){.nr_extents = PAGES - first, .domid = s->domid};
    set_xen_guest_handle(a->reservation.extent_start, a->gfn + first);
    errno = 0;
    int done = xencall2(s->call, __HYPERVISOR_memory_op, op, (uintptr_t)&a->reservation);

    return done >= 0 ? done : errno ? -errno : -EIO;
}

/* Xen stops at each gfn without memory: the next call begins behind it. */
static void give_back(struct source *s, uint64_t gfn)
{
    for (unsigned i = 0; i < PAGES; i++) {
        int done = memory_op(s, XENMEM_decrease_reservation, gfn, i);

        i += done > 0 ? (unsigned)done : 0;
    }
}

static int no_allowance(const struct source *s)
{
    return fail(s, -ENOSPC,
                "domain %u may not have the 8 MiB that the GTT takes, or the host has no memory left: reserve them by "
                "videoram=8 beside vga=\"none\", or 8 more than a power of two beside another VGA, in the guest's "
                "configuration",
                s->domid);
}

/* Pages that the guest has or may have. */
static int count_pages(struct source *s, unsigned op)
{
    s->arg->domid = s->domid;
    return xencall2(s->call, __HYPERVISOR_memory_op, op, (uintptr_t)&s->arg->domid);
}

/* Where Xen does not tell, populate() tries. */
static bool allowed(struct source *s)
{
    int may = count_pages(s, XENMEM_maximum_reservation), has = count_pages(s, XENMEM_current_reservation);

    return may < 0 || has < 0 || (int64_t)may - has >= (int64_t)PAGES + s->leave;
}

static int populate(struct source *s)
{
    if (!allowed(s))
        return no_allowance(s);
    int done = memory_op(s, XENMEM_populate_physmap, XEN_BACKING_PARK, 0);

    if (done == (int)PAGES)
        return 0;
    if (done > 0)
        give_back(s, XEN_BACKING_PARK);
    if (done < 0)
        return fail(s, done, "Xen gives domain %u no pages for the GTT: %s", s->domid, strerror(-done));
    return no_allowance(s);
}

/* ---- mapping */

/* Maps the pages at gfn. PAGES: all are there, and *out is their mapping; else how many there are; or -errno. */
static int map_at(struct source *s, uint64_t gfn, void **out)
{
    int *errs = calloc(PAGES, sizeof(*errs));
    unsigned found = 0;

    if (!errs)
        return fail(s, -ENOMEM, "no memory");
    for (unsigned i = 0; i < PAGES; i++)
        s->arg->gfn[i] = gfn + i;
    void *p = xenforeignmemory_map(s->fm, s->domid, PROT_READ | PROT_WRITE, PAGES, s->arg->gfn, errs);
    int code = p ? 0 : -errno;

    for (unsigned i = 0; p && i < PAGES; i++)
        found += !errs[i];
    free(errs);
    if (p && found < PAGES)
        (void)xenforeignmemory_unmap(s->fm, p, PAGES);
    if (found == PAGES)
        *out = p;
    return p ? (int)found
             : fail(s, code, "cannot map the pages of the GTT of domain %u: %s", s->domid, strerror(-code));
}

static int open_source(struct source *s)
{
    errno = 0;
    s->call = xencall_open(NULL, 0);
    if (s->call)
        s->fm = xenforeignmemory_open(NULL, 0);
    if (!s->fm)
        return fail(s, errno ? -errno : -ENODEV, "cannot open /dev/xen/privcmd: %s", strerror(errno));
    s->arg = xencall_alloc_buffer(s->call, sizeof(*s->arg));
    return s->arg ? 0 : fail(s, -ENOMEM, "no memory for hypercalls");
}

static void close_source(struct source *s)
{
    if (s->arg)
        xencall_free_buffer(s->call, s->arg);
    (void)xencall_close(s->call);
}

/* What is left of them, if anything, makes room for new ones. */
static int make(struct source *s, struct ioreq_xen_backing *b, uint64_t at)
{
    if (at) {
        gt_warn("domain %u has lost pages of its GTT, which starts empty again", s->domid);
        give_back(s, at);
        give_back(s, XEN_BACKING_PARK);
    }
    int ret = populate(s);

    if (ret)
        return ret;
    b->gfn = XEN_BACKING_PARK;
    ret = map_at(s, XEN_BACKING_PARK, &b->memory);
    if (ret == (int)PAGES)
        return 0;
    give_back(s, XEN_BACKING_PARK);
    return ret < 0 ? ret : fail(s, -EFAULT, "domain %u lets go of the pages of its GTT", s->domid);
}

/* Those that an earlier process left, where its journal says or parked; else new ones. */
static int find_or_make(struct source *s, struct ioreq_xen_backing *b, uint64_t at)
{
    const uint64_t places[] = {at, XEN_BACKING_PARK};
    int there = 0;

    for (unsigned i = 0; i < 2; i++) {
        if (!places[i])
            continue;
        there = map_at(s, places[i], &b->memory);
        if (there < 0)
            return there;
        if (there < (int)PAGES)
            continue;
        b->gfn = places[i];
        b->kept = at != 0;
        return 0;
    }
    if (there && !at)
        return fail(s, -EEXIST, "memory of domain %u is at %#llx, where the pages of the GTT go", s->domid,
                    (unsigned long long)XEN_BACKING_PARK * PAGE_SIZE);
    return make(s, b, at);
}

int ioreq_xen_backing_open(struct ioreq_xen_backing **out, unsigned domid, uint64_t at, unsigned leave_mb, char *err,
                           size_t errsz)
{
    struct ioreq_xen_backing *b = calloc(1, sizeof(*b));
    struct source s = {.domid = (domid_t)domid, .leave = leave_mb * (1048576 / PAGE_SIZE), .err = {err, errsz}};

    *out = NULL;
    if (!b)
        return fail(&s, -ENOMEM, "no memory");
    b->domid = (domid_t)domid;
    int ret = open_source(&s);

    if (!ret)
        ret = find_or_make(&s, b, at);
    close_source(&s);
    if (ret) {
        (void)xenforeignmemory_close(s.fm);
        free(b);
        return ret;
    }
    b->fm = s.fm;
    if (!b->kept)
        memset(b->memory, 0, (size_t)PAGES * PAGE_SIZE);
    *out = b;
    return 0;
}

void *ioreq_xen_backing_memory(const struct ioreq_xen_backing *b, bool *kept)
{
    *kept = b->kept;
    return b->memory;
}

uint64_t ioreq_xen_backing_gfn(const struct ioreq_xen_backing *b)
{
    return b->gfn;
}

void ioreq_xen_backing_close(struct ioreq_xen_backing *b)
{
    if (!b)
        return;
    (void)xenforeignmemory_unmap(b->fm, b->memory, PAGES);
    (void)xenforeignmemory_close(b->fm);
    free(b);
}
