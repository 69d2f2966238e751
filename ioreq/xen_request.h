/*
 * One I/O request of Xen (public/hvm/ioreq.h): taken out of the page that Xen shares with us, carried out, answered.
 * Knows neither Xen's libraries nor the device.
 */
#ifndef GTMUX_IOREQ_XEN_REQUEST_H
#define GTMUX_IOREQ_XEN_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * struct ioreq as it lies in the page, without its bit fields: a compiler may write those by read-modify-write of
 * whatever width it likes. xen_server.c checks it against the public header.
 */
struct xen_slot {
    uint64_t addr;
    uint64_t data;
    uint32_t count;
    uint32_t size;
    uint32_t vp_eport;
    uint16_t pad;
    uint8_t flags; /* XEN_SLOT_*; state in bits 3:0 */
    uint8_t type;  /* enum xen_type */
};

#define XEN_SLOT_STATE       0x0fu
#define XEN_SLOT_DATA_IS_PTR 0x10u
#define XEN_SLOT_READ        0x20u
#define XEN_SLOT_DF          0x40u

enum xen_state { XEN_NONE, XEN_READY, XEN_INPROCESS, XEN_RESP_READY };

enum xen_type {
    XEN_TYPE_PIO = 0,
    XEN_TYPE_COPY = 1, /* memory mapped I/O */
    XEN_TYPE_PCI_CONFIG = 2,
    XEN_TYPE_TIMEOFFSET = 7,
    XEN_TYPE_INVALIDATE = 8,
};

#define XEN_PAGE      4096u
#define XEN_MAX_VCPUS (XEN_PAGE / sizeof(struct xen_slot)) /* in one page: 128, HVM's limit too */

/*
 * Repetitions in one request. Xen cuts repeated MMIO at the end of the page (xen/arch/x86/hvm/emulate.c,
 * hvmemul_do_io) and repeated port I/O at the end of the page of memory (hvmemul_do_io_addr), so that one page of
 * single bytes is the most that can come.
 */
#define XEN_MAX_REPS 4096u

/* The private copy of a slot. */
struct xen_request {
    uint64_t addr, data;
    uint32_t count, size;
    uint8_t flags, type;
};

/* What a request can touch. `addr` of config space is as Xen has it: segment:bus:device.function << 32 | offset. */
struct xen_sink {
    void *ctx;
    /* One access of a type below 3; size is 1, 2, 4, and for XEN_TYPE_COPY 8 too. *data holds `size` bytes. False:
     * there is nothing at this address, or not that much. */
    bool (*access)(void *ctx, enum xen_type type, bool write, uint64_t addr, unsigned size, uint64_t *data);
    int (*mem_read)(void *ctx, uint64_t gpa, void *dst, size_t n); /* guest memory: 0 or -errno */
    int (*mem_write)(void *ctx, uint64_t gpa, const void *src, size_t n);
    void (*invalidate)(void *ctx); /* Xen's wish that all mappings of guest memory be dropped */
};

/* State of a slot; one load. */
static inline unsigned xen_slot_state(const struct xen_slot *s)
{
    return __atomic_load_n(&s->flags, __ATOMIC_ACQUIRE) & XEN_SLOT_STATE;
}

/* Copies a request whose state is XEN_READY or XEN_INPROCESS, each field read once, and marks it XEN_INPROCESS. */
void xen_slot_take(struct xen_slot *s, struct xen_request *r);
/* Stores the result and hands the slot back to Xen, which then may write to it at once. */
void xen_slot_answer(struct xen_slot *s, const struct xen_request *r);

/*
 * Carries out a request; r->data becomes the result of reads. Always ends, after at most XEN_MAX_REPS accesses. What
 * cannot be done reads as ones and writes nothing. NULL, or a few words for the log that say what was wrong.
 */
const char *xen_request_run(struct xen_request *r, const struct xen_sink *sink);
/* The answer to a request that nobody carries out: reads as ones. */
void xen_request_refuse(struct xen_request *r);

#endif
