/*
 * Dispatch of the Xen transport.
 *
 * Xen puts the access of each vCPU into that vCPU's slot of a page that it shares with us, sets the slot's state to
 * READY and notifies an event channel; the vCPU waits until the state is RESP_READY and it is notified in turn. The
 * state is the truth, the event a hint: each dispatch looks at all slots.
 *
 * System calls. In a PV dom0 each is two trips through Xen, so a request makes do with three: a blocking read that is
 * also the sleep (which ports fired), an ioctl (notify the vCPU), and only when the vCPU can run again, a write (unmask
 * the ports). A port that has fired stays masked until it is written back, so while dispatch polls the slots busily,
 * further requests raise no interrupt and cost the notify alone. What fired meanwhile comes out as one event after the
 * unmask; the dispatch that it causes finds nothing to do, and ends without polling. Other threads end the sleep by an
 * event channel of our domain with itself.
 *
 * The domain is hostile, Xen is not; still, nothing that is read from the page is trusted further than needed.
 */
#include <errno.h>
#include <sys/types.h>
#include <unistd.h>

#include "ioreq/xen_internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

/* Looks at the slots that find something, in one dispatch: a busy guest must not keep its user's other work waiting. */
#define DISPATCH_ROUNDS 256u
#define SPINS_PER_CLOCK 16u

/* ---- what a request reaches */

static bool access_config(struct xen *x, bool write, uint64_t addr, unsigned size, uint64_t *data)
{
    uint32_t off = (uint32_t)addr;
    struct ioreq_access a = {.region = IOREQ_CONFIG,
                             .size = (uint8_t)size,
                             .write = write,
                             .off = off,
                             .data = *data,
                             .vcpu = x->vcpu,
                             .again = x->again};

    if (addr >> 32 != x->bdf || !gt_range_ok(off, size, x->cfg.region[IOREQ_CONFIG].size))
        return false;
    x->events.access(x->cfg.ctx, &a);
    *data = a.data;
    if (write) {
        /* What Xen refuses is logged where it is known what it was; the write has been done anyway. */
        (void)xen_bars_written(&x->bars, off, size, (uint32_t)*data);
        if (x->backing)
            xen_backing_follow(x->backing, &x->bars.bar[IOREQ_BAR0]);
        (void)xen_irq_written(&x->irq, off, size);
    }
    return true;
}

static bool in_window(const struct xen *x, const struct ioreq_access *a)
{
    const struct ioreq_region_info *r = &x->cfg.region[IOREQ_BAR0];

    return a->region == IOREQ_BAR0 && a->off - r->mmap_off < r->mmap_size; /* an offset below wraps */
}

static bool access_device(void *ctx, enum xen_type type, bool write, uint64_t addr, unsigned size, uint64_t *data)
{
    struct xen *x = ctx;
    struct ioreq_access a = {.size = (uint8_t)size, .write = write, .data = *data, .vcpu = x->vcpu, .again = x->again};

    if (type == XEN_TYPE_PCI_CONFIG)
        return access_config(x, write, addr, size, data);
    if (!xen_bars_find(&x->bars, type == XEN_TYPE_COPY, addr, size, &a))
        return false;
    x->events.access(x->cfg.ctx, &a);
    *data = a.data;
    if (x->backing && in_window(x, &a))
        xen_backing_touch(x->backing, x->bars.bar[IOREQ_BAR0].start);
    return true;
}

static int sink_mem_read(void *ctx, uint64_t gpa, void *dst, size_t n)
{
    return xen_mapcache_read(&((struct xen *)ctx)->cache, gpa, dst, n);
}

static int sink_mem_write(void *ctx, uint64_t gpa, const void *src, size_t n)
{
    return xen_mapcache_write(&((struct xen *)ctx)->cache, gpa, src, n);
}

static void change_memory(struct xen *x, void (*change)(struct xen_mapcache *c))
{
    if (x->events.memory_begin)
        x->events.memory_begin(x->cfg.ctx);
    change(&x->cache);
    if (x->events.memory_end)
        x->events.memory_end(x->cfg.ctx);
}

/* The guest gave memory back. Our mappings would keep those pages alive, and show the guest's old memory. */
static void invalidate(void *ctx)
{
    change_memory(ctx, xen_mapcache_drop);
}

/* ---- requests */

static void log_request(struct xen *x, const struct xen_request *r, const char *wrong)
{
    GT_GUEST_LOG(&x->log_rl, "domain %u vCPU %u: %s: %s of type %u, address %#llx, size %u, count %u, flags %#x",
                 x->server.domid, x->vcpu, wrong, r->flags & XEN_SLOT_READ ? "read" : "write", r->type,
                 (unsigned long long)r->addr, r->size, r->count, r->flags);
}

static void serve(struct xen *x, unsigned vcpu)
{
    struct xen_server *s = &x->server;
    struct xen_request r;

    xen_slot_take(&s->slots[vcpu], &r);
    x->vcpu = (uint16_t)vcpu;
    x->again = (r.flags & XEN_SLOT_STATE) == XEN_INPROCESS;
    const char *wrong = xen_request_run(&r, &x->sink);

    xen_slot_answer(&s->slots[vcpu], &r);
    if (xenevtchn_notify(s->evtchn, s->port[vcpu]))
        wrong = "its event channel is closed";
    if (x->events.answered)
        x->events.answered(x->cfg.ctx);
    if (wrong)
        log_request(x, &r, wrong);
}

/* The first look after an adoption: the killed process may have begun a request, or answered without notifying. */
static bool adopt_slot(struct xen *x, unsigned vcpu, unsigned state)
{
    if (state == XEN_RESP_READY)
        (void)xenevtchn_notify(x->server.evtchn, x->server.port[vcpu]);
    return state == XEN_INPROCESS;
}

/* Looks at each vCPU's slot once. Returns how many had a request. */
static unsigned serve_slots(struct xen *x)
{
    unsigned served = 0;

    for (unsigned i = 0; i < x->server.vcpus; i++) {
        unsigned state = xen_slot_state(&x->server.slots[i]);

        if (state == XEN_READY || (x->adopting && adopt_slot(x, i, state))) {
            serve(x, i);
            served++;
        } else if (state == XEN_INPROCESS || state > XEN_RESP_READY) {
            /* Neither Xen nor we leave such a state. Xen ends a domain whose slot steps back (wait_for_io), so leave it
             * alone. */
            GT_GUEST_LOG(&x->log_rl, "domain %u vCPU %u: a request in the impossible state %u", x->server.domid, i,
                         state);
        }
    }
    x->adopting = false;
    return served;
}

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* Serves until no request comes for spin_us. */
static void serve_all(struct xen *x, unsigned spin_us)
{
    uint64_t until = 0; /* long past: a look that finds nothing is the last */

    for (unsigned rounds = 0, spins = 0;
         rounds < DISPATCH_ROUNDS && !atomic_load_explicit(&x->gone, memory_order_relaxed); spins++) {
        if (serve_slots(x)) {
            rounds++;
            if (!spin_us)
                return;
            until = gt_clock_ns() + (uint64_t)spin_us * 1000;
        } else if (spins % SPINS_PER_CLOCK == 0 && gt_clock_ns() >= until) {
            return;
        }
        relax();
    }
}

/* ---- dispatch */

/* Forgets the domain. No page of it may stay mapped, or Xen cannot free it. */
static int leave(struct xen *x)
{
    if (x->left)
        return -ESHUTDOWN;
    x->left = true;
    gt_info("domain %u is gone", x->server.domid);
    change_memory(x, xen_mapcache_drop);
    if (x->connected && x->events.disconnected)
        x->events.disconnected(x->cfg.ctx);
    return -ESHUTDOWN;
}

static void handle_wake(struct xen *x)
{
    unsigned wants = xen_mapcache_wants(&x->cache);

    if (wants & XEN_CACHE_GONE)
        atomic_store(&x->gone, true);
    else if (wants & XEN_CACHE_TRIM)
        change_memory(x, xen_mapcache_trim);
    if (!x->connected && x->events.connected)
        x->events.connected(x->cfg.ctx);
    x->connected = true;
}

int xen_wait(struct ioreq_transport *t)
{
    struct xen *x = (struct xen *)t;

    if (x->fired_bytes)
        return 0; /* dispatch has not seen to these yet */
    ssize_t n = read(xenevtchn_fd(x->server.evtchn), x->fired, sizeof(x->fired));

    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    x->fired_bytes = (size_t)n;
    return 0;
}

/* Lets the ports fire again that made the last xen_wait return. */
static int unmask(struct xen *x)
{
    size_t n = x->fired_bytes;

    x->fired_bytes = 0;
    return n && write(xenevtchn_fd(x->server.evtchn), x->fired, n) < 0 ? -errno : 0;
}

int xen_dispatch(struct ioreq_transport *t, unsigned spin_us)
{
    struct xen *x = (struct xen *)t;

    if (atomic_exchange(&x->woken, false))
        handle_wake(x);
    if (atomic_load(&x->gone))
        return leave(x);
    serve_all(x, spin_us);
    int ret = unmask(x);

    if (ret)
        return ret;
    return atomic_load(&x->gone) ? leave(x) : 0;
}

void xen_serve_init(struct xen *x)
{
    x->sink = (struct xen_sink){x, access_device, sink_mem_read, sink_mem_write, invalidate};
}
