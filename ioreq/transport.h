/*
 * Where traps come from. A transport owns guest memory access, interrupt delivery and the stream of accesses; it knows
 * no GPU. One transport object serves one guest; its dispatch function runs on one thread (the trap thread), which is
 * also the only one that changes the guest memory map.
 */
#ifndef GTMUX_IOREQ_TRANSPORT_H
#define GTMUX_IOREQ_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ioreq_region { /* equal to the vfio PCI indexes */
                    IOREQ_BAR0 = 0,
                    IOREQ_BAR2 = 2,
                    IOREQ_BAR4 = 4,
                    IOREQ_ROM = 6,
                    IOREQ_CONFIG = 7,
                    IOREQ_REGIONS = 9,
};

/* One access, already a private copy. `off` and `size` are checked against the region; size is 1, 2, 4 or 8. */
struct ioreq_access {
    uint8_t region; /* enum ioreq_region */
    uint8_t size;
    bool write;
    uint64_t off;
    uint64_t data; /* little endian, low `size` bytes; set by the handler for reads */
    uint16_t vcpu; /* who waits for it, where the transport knows */
    bool again;    /* a killed process had taken it up: it may be done already (mediator/journal.h) */
};

struct ioreq_region_info {
    uint64_t size; /* bytes, 0 = absent */
    bool readable, writable;
    int mmap_fd;          /* -1: all trapped */
    uint64_t mmap_off;    /* window in the region that the guest may map ... */
    uint64_t mmap_size;   /* ... bytes, page aligned */
    uint64_t mmap_fd_off; /* and where it starts in mmap_fd */
};

/* What the transport tells its user. All on the trap thread. */
struct ioreq_events {
    void (*access)(void *ctx, struct ioreq_access *a);
    /* The answer to the accesses since the last call is where the guest finds it, and no other was taken up before.
     * May be NULL. */
    void (*answered)(void *ctx);
    void (*reset)(void *ctx); /* device reset asked for by the other side */
    /* Bracket every change of the guest memory map: after `begin` returns nobody uses pointers into guest memory. */
    void (*memory_begin)(void *ctx);
    void (*memory_end)(void *ctx);
    void (*connected)(void *ctx);
    void (*disconnected)(void *ctx); /* the guest is gone; all its memory has been unmapped */
};

/* Guest memory that lies together in a file. */
struct ioreq_run {
    int fd;            /* the transport's; valid until the memory map changes */
    uint64_t off, len; /* bytes, whole pages */
};

struct ioreq_config {
    struct ioreq_region_info region[IOREQ_REGIONS];
    const struct ioreq_events *events;
    void *ctx;
};

struct ioreq_transport {
    const struct ioreq_transport_ops *ops;
};

/* Guest memory functions may be called on any thread between memory_end and memory_begin. */
struct ioreq_transport_ops {
    const char *name;
    /* File descriptor that becomes readable when dispatch has something to do. NULL: `wait` is there. */
    int (*fd)(struct ioreq_transport *t);
    /* Instead of fd, where a sleep in poll() would be one system call more. Sleeps until dispatch has something to do,
     * a signal was handled or `wake` was called; may return without any of these. 0 or -errno. The trap thread. */
    int (*wait)(struct ioreq_transport *t);
    /* Ends this sleep or the next. Any thread, and async-signal-safe. NULL where wait is. */
    void (*wake)(struct ioreq_transport *t);
    /* Handles what is pending, without blocking for more than `spin_us` microseconds of busy polling after the last
     * message. 0 go on, 1 the other side is gone and the transport is ready for another, -ESHUTDOWN the guest is gone
     * and there cannot be another, -errno broken. */
    int (*dispatch)(struct ioreq_transport *t, unsigned spin_us);
    int (*irq)(struct ioreq_transport *t); /* one edge of the interrupt; any thread. 0 or -errno */
    /* Level of the INTx line, where the transport has a line; NULL: `irq` does for INTx too. Any thread. */
    void (*line)(struct ioreq_transport *t, bool level);
    int (*mem_read)(struct ioreq_transport *t, uint64_t gpa, void *dst, size_t n); /* as vgpu_ops.mem_read */
    int (*mem_write)(struct ioreq_transport *t, uint64_t gpa, const void *src, size_t n);
    int (*mem_cas)(struct ioreq_transport *t, uint64_t gpa, unsigned size, uint64_t *expected, uint64_t desired);
    uint8_t *(*mem_page)(struct ioreq_transport *t, uint64_t gpa, bool write);
    /* Where n pages of guest memory lie in files, for who makes a dma-buf of them: neighbours that follow each other in
     * a file are one run. The number of runs, or -EFAULT: a page is no memory, or is not in a file; -ENOSPC: more than
     * `max` runs. NULL: this transport's guests are not in files. */
    int (*mem_runs)(struct ioreq_transport *t, const uint64_t *gpa, size_t n, struct ioreq_run *out, size_t max);
    void (*close)(struct ioreq_transport *t); /* frees t */
};

struct ioreq_vfio_user_options {
    const char *path; /* unix socket to listen on; a stale socket file is replaced, anything else refused */
};
/* Listens. 0 or -errno with a message in err. The config is copied. */
int ioreq_vfio_user_open(struct ioreq_transport **out, const struct ioreq_config *cfg,
                         const struct ioreq_vfio_user_options *opt, char *err, size_t errsz);

/*
 * Memory of the guest that lies behind the window of BAR0 (mmap_off, mmap_size: 8 MiB), so that accesses to it do not
 * trap. `at`: where a killed process had it last (ioreq_xen_backing_gfn), 0: there was none. leave_mb: so much of what
 * the guest may still have is left to others. Needs rights that ioreq_xen_restrict takes. 0, or -errno with a message;
 * -ENOSPC: the guest may not have that much memory.
 */
struct ioreq_xen_backing;
int ioreq_xen_backing_open(struct ioreq_xen_backing **out, unsigned domid, uint64_t at, unsigned leave_mb, char *err,
                           size_t errsz);
/* The bytes of the window. *kept: they are what the killed process left in them; else zero. */
void *ioreq_xen_backing_memory(const struct ioreq_xen_backing *b, bool *kept);
/* Guest page number of its first page, which changes while a transport has it. */
uint64_t ioreq_xen_backing_gfn(const struct ioreq_xen_backing *b);
/* After the transport is closed and nobody uses the memory: it stays with the guest. NULL is fine. */
void ioreq_xen_backing_close(struct ioreq_xen_backing *b);

struct ioreq_xen_options {
    unsigned domid; /* an HVM guest */
    unsigned slot;  /* the device is 0000:00:SLOT.0 */
    int adopt;      /* id of an ioreq server that a killed process left behind, to be taken over; -1: make one */
    struct ioreq_xen_backing *backing; /* NULL: all of BAR0 traps */
    /* Trap thread, ctx of the config: the backing is at gfn, or about to go there from where it is parked. */
    void (*backing_moved)(void *ctx, uint64_t gfn);
};
/* Claims the device in Xen: the guest can speak from now on (nothing is answered before dispatch). All handles that the
 * transport will ever need are open when it returns. A config access before the first dispatch tells where the BARs
 * are, so `access` must work already. 0 or -errno with a message that says what to do. */
int ioreq_xen_open(struct ioreq_transport **out, const struct ioreq_config *cfg, const struct ioreq_xen_options *opt,
                   char *err, size_t errsz);
/* Id of the transport's ioreq server, for who may have to adopt it. */
unsigned ioreq_xen_server(const struct ioreq_transport *t);
/* Gives up every right over other domains than the guest (xentoolcore_restrict_all). 0 or -errno. */
int ioreq_xen_restrict(struct ioreq_transport *t);

#endif
