/*
 * Guest memory of a Xen domain: a bounded cache of foreign mappings.
 *
 * Memory is mapped in aligned chunks of 2 MiB, all pages of a chunk by one call: Linux' privcmd maps foreign memory by
 * single 4 KiB page table entries only, so batches are as large as pages get. Look-ups take no lock; a miss takes the
 * cache's mutex and a few system calls. A mapping once published stays until a bracket (xen_mapcache_drop,
 * xen_mapcache_trim), in which no other function of the cache may run. When the cache is full, accesses go through a
 * few single page mappings under the mutex, and a bracket is asked for.
 *
 * Not every page of a domain can be mapped: holes, devices, pages that the guest gave back or got by grant. Touching
 * them would be SIGBUS; each chunk knows which pages it has, and what is missing is tried again, but not too often.
 * HVMMEM_ram_ro is no obstacle: Xen lets a privileged domain map such pages writable too. In a domain that populates on
 * demand (maxmem above memory) mapping a page gives it memory, as QEMU's mappings do.
 */
#ifndef GTMUX_IOREQ_XEN_MAPCACHE_H
#define GTMUX_IOREQ_XEN_MAPCACHE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xenforeignmemory.h>

#define XEN_CHUNK_PAGES    512u
#define XEN_CHUNK_SHIFT    21u
#define XEN_GPA_BITS       40u  /* beyond what the device can address (39 bits) and domains have */
#define XEN_CHUNKS_DEFAULT 512u /* 1 GiB mapped */
#define XEN_WINDOWS        16u

struct xen_chunk {
    uint8_t *ptr;
    uint32_t index;                         /* gpa >> XEN_CHUNK_SHIFT */
    atomic_bool used;                       /* since the last look of xen_mapcache_trim */
    atomic_bool stale;                      /* a page that it lacks exists by now */
    uint64_t present[XEN_CHUNK_PAGES / 64]; /* constant once published */
};

/* One page, mapped for a moment; or that it cannot be mapped. */
struct xen_window {
    uint64_t gfn;
    uint8_t *ptr;      /* NULL: none */
    uint64_t retry_ns; /* not mappable: not to be tried before; 0: the window is free */
};

/* What a bracket is for; bits. */
enum { XEN_CACHE_TRIM = 1, XEN_CACHE_GONE = 2 };

struct xen_mapcache {
    xenforeignmemory_handle *fm; /* not owned */
    uint32_t domid;
    unsigned max;            /* chunks */
    _Atomic uintptr_t *dir;  /* per chunk: 0, struct xen_chunk *, or when to try again << 1 | 1 */
    pthread_mutex_t lock;    /* misses and windows */
    struct xen_chunk **list; /* the `count` chunks, in no order */
    unsigned count, hand;
    struct xen_window window[XEN_WINDOWS];
    unsigned next_window;
    uint64_t start_ns;
    atomic_uint wants;       /* XEN_CACHE_*: what the trap thread should do */
    void (*wake)(void *ctx); /* called once per want; any thread */
    void *ctx;
};

/* `chunks`: the bound. 0 or -ENOMEM. */
int xen_mapcache_init(struct xen_mapcache *c, xenforeignmemory_handle *fm, uint32_t domid, unsigned chunks,
                      void (*wake)(void *ctx), void *ctx);
void xen_mapcache_destroy(struct xen_mapcache *c);

/* Any thread, outside brackets; as ioreq_transport_ops. An access over several pages is all or nothing unless Xen takes
 * a page away in its midst. */
int xen_mapcache_read(struct xen_mapcache *c, uint64_t gpa, void *dst, size_t n);
int xen_mapcache_write(struct xen_mapcache *c, uint64_t gpa, const void *src, size_t n);
int xen_mapcache_cas(struct xen_mapcache *c, uint64_t gpa, unsigned size, uint64_t *expected, uint64_t desired);
uint8_t *xen_mapcache_page(struct xen_mapcache *c, uint64_t gpa);

/* What is wanted, and no longer is: XEN_CACHE_TRIM a bracket with xen_mapcache_trim; XEN_CACHE_GONE the domain is gone.
 */
unsigned xen_mapcache_wants(struct xen_mapcache *c);

/* In a bracket. */
void xen_mapcache_drop(struct xen_mapcache *c); /* everything */
void xen_mapcache_trim(struct xen_mapcache *c); /* stale chunks, and if full a sixteenth of what was not used lately */

#endif
