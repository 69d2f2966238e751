#include "ioreq/xen_request.h"

#include <string.h>

void xen_slot_take(struct xen_slot *s, struct xen_request *r)
{
    r->flags = __atomic_load_n(&s->flags, __ATOMIC_ACQUIRE); /* the rest was written before the state */
    r->addr = __atomic_load_n(&s->addr, __ATOMIC_RELAXED);
    r->data = __atomic_load_n(&s->data, __ATOMIC_RELAXED);
    r->count = __atomic_load_n(&s->count, __ATOMIC_RELAXED);
    r->size = __atomic_load_n(&s->size, __ATOMIC_RELAXED);
    r->type = __atomic_load_n(&s->type, __ATOMIC_RELAXED);
    __atomic_store_n(&s->flags, (uint8_t)((r->flags & ~XEN_SLOT_STATE) | XEN_INPROCESS), __ATOMIC_RELAXED);
}

void xen_slot_answer(struct xen_slot *s, const struct xen_request *r)
{
    if ((r->flags & XEN_SLOT_READ) && !(r->flags & XEN_SLOT_DATA_IS_PTR))
        __atomic_store_n(&s->data, r->data, __ATOMIC_RELAXED);
    __atomic_store_n(&s->flags, (uint8_t)((r->flags & ~XEN_SLOT_STATE) | XEN_RESP_READY), __ATOMIC_RELEASE);
}

void xen_request_refuse(struct xen_request *r)
{
    if ((r->flags & XEN_SLOT_READ) && !(r->flags & XEN_SLOT_DATA_IS_PTR))
        r->data = UINT64_MAX;
}

static uint64_t low_bytes(uint64_t v, unsigned size)
{
    return size < 8 ? v & ((UINT64_C(1) << (8 * size)) - 1) : v;
}

/* One access at addr; reads of nothing are ones. False: nothing there. */
static bool one_access(const struct xen_request *r, const struct xen_sink *k, uint64_t addr, uint64_t *data)
{
    bool write = !(r->flags & XEN_SLOT_READ);

    *data = low_bytes(write ? *data : 0, r->size);
    bool ok = k->access(k->ctx, (enum xen_type)r->type, write, addr, r->size, data);

    if (!write)
        *data = low_bytes(ok ? *data : UINT64_MAX, r->size);
    return ok;
}

/* The same through guest memory: data comes from, or goes to, gpa. 0 done; 1 nothing at addr; -1 no memory. */
static int one_transfer(const struct xen_request *r, const struct xen_sink *k, uint64_t addr, uint64_t gpa)
{
    uint64_t data = 0; /* little endian, as the guest's memory */

    if (!(r->flags & XEN_SLOT_READ) && k->mem_read(k->ctx, gpa, &data, r->size))
        return -1;
    bool ok = one_access(r, k, addr, &data);

    if ((r->flags & XEN_SLOT_READ) && k->mem_write(k->ctx, gpa, &data, r->size))
        return -1;
    return ok ? 0 : 1;
}

static const char *run_accesses(struct xen_request *r, const struct xen_sink *k)
{
    /* Only memory addresses move with the repetitions; a port, and the config data port, stays. */
    uint64_t step = r->flags & XEN_SLOT_DF ? 0 - (uint64_t)r->size : r->size;
    uint64_t addr_step = r->type == XEN_TYPE_COPY ? step : 0;
    const char *wrong = NULL;

    for (uint32_t i = 0; i < r->count; i++) {
        uint64_t addr = r->addr + i * addr_step;

        if (r->flags & XEN_SLOT_DATA_IS_PTR) {
            int ret = one_transfer(r, k, addr, r->data + i * step);
            if (ret < 0)
                return "the memory of a string instruction cannot be reached";
            if (ret)
                wrong = "nothing of ours at this address";
            continue;
        }
        uint64_t data = r->data;

        if (!one_access(r, k, addr, &data))
            wrong = "nothing of ours at this address";
        if (r->flags & XEN_SLOT_READ && i + 1 == r->count)
            r->data = data;
    }
    return wrong;
}

static bool size_ok(const struct xen_request *r)
{
    return r->size == 1 || r->size == 2 || r->size == 4 || (r->size == 8 && r->type == XEN_TYPE_COPY);
}

const char *xen_request_run(struct xen_request *r, const struct xen_sink *sink)
{
    switch (r->type) {
    case XEN_TYPE_INVALIDATE: /* comes with count 0 */
        sink->invalidate(sink->ctx);
        return NULL;
    case XEN_TYPE_TIMEOFFSET: /* the guest set its clock: QEMU's business */
        return NULL;
    case XEN_TYPE_PIO:
    case XEN_TYPE_COPY:
    case XEN_TYPE_PCI_CONFIG:
        break;
    default:
        xen_request_refuse(r);
        return "unknown type of request";
    }
    if (!size_ok(r) || !r->count || r->count > XEN_MAX_REPS) {
        xen_request_refuse(r);
        return "impossible size or count";
    }
    return run_accesses(r, sink);
}
