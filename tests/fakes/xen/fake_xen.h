/*
 * A fake of Xen and its libraries, for programs that run without Xen: linked into a test, its functions stand before
 * those of libxendevicemodel, libxenforeignmemory, libxenevtchn, libxencall and libxentoolcore. It behaves as those and
 * the hypervisor below do as far as the transport can tell; the return codes are from xen/common/ioreq.c,
 * xen/arch/x86/hvm/dm.c, Linux' drivers/xen/privcmd.c and evtchn.c.
 *
 * One domain, whose memory is the first FAKE_PAGES gfns but for the holes that a test makes, and what is populated. A
 * page of it that was not mapped properly faults when it is touched, as a real one does.
 */
#ifndef GTMUX_TESTS_FAKE_XEN_H
#define GTMUX_TESTS_FAKE_XEN_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "ioreq/xen_request.h"

#define FAKE_DOMID   7u
#define FAKE_PAGES   16384u /* 64 MiB */
#define FAKE_SERVERS 8u
#define FAKE_RANGES  256u
#define FAKE_VCPUS   128u
#define FAKE_PORTS   (FAKE_VCPUS * FAKE_SERVERS + 3u)

/* Calls that can be told to fail. */
enum fake_call {
    FAKE_EVTCHN_OPEN,
    FAKE_DM_OPEN,
    FAKE_FM_OPEN,
    FAKE_CREATE,
    FAKE_GET_INFO,
    FAKE_MAP_RESOURCE,
    FAKE_SET_STATE,
    FAKE_BIND,
    FAKE_BIND_SELF,
    FAKE_MAP_PCIDEV,
    FAKE_MAP_RANGE,
    FAKE_UNMAP_RANGE,
    FAKE_MSI,
    FAKE_INTX,
    FAKE_NOTIFY,
    FAKE_MAP_PAGES,
    FAKE_RESTRICT,
    FAKE_RELOCATE,
    FAKE_CALL_OPEN,
    FAKE_POPULATE,
    FAKE_DECREASE,
    FAKE_COUNT,
    FAKE_CALLS
};

#define FAKE_EXTRA  4096u /* frames that the domain can get beside its memory */
#define FAKE_FRAMES (FAKE_PAGES + FAKE_EXTRA)
#define FAKE_GFNS   0x100000u /* of a domain; 4 GiB */

struct fake_range {
    unsigned type; /* XEN_DMOP_IO_RANGE_* */
    uint64_t start, end;
};

struct fake_server {
    bool used, enabled;
    struct xen_slot *page;
    uint64_t gfn;              /* where it is when mapped the old way */
    uint32_t port[FAKE_VCPUS]; /* Xen's ends of the event channels */
    bool bound[FAKE_VCPUS];
    unsigned ranges;
    struct fake_range range[FAKE_RANGES];
};

/* A port of ours. */
struct fake_port {
    bool bound, masked, pending;
    unsigned peer; /* the other end is a port of ours too; 0: it is a vCPU's */
    unsigned server, vcpu;
    unsigned notified; /* how often we notified Xen */
};

struct fake_xen {
    pthread_mutex_t lock;
    bool domain, hvm, privileged; /* the domain exists; is HVM; we may */
    unsigned vcpus;
    int fail[FAKE_CALLS];       /* errno of every call of this kind; 0: works */
    unsigned calls[FAKE_CALLS]; /* made */
    struct fake_server server[FAKE_SERVERS];
    struct fake_port port[FAKE_PORTS]; /* 0 is none */
    unsigned busy_binds;               /* so many bindings find that the other end is bound still */
    int evtchn[2];                     /* the transport's end of /dev/xen/evtchn, and ours; -1: not open */
    unsigned dm_handles, fm_handles, call_handles;
    int restricted; /* domid, or -1 */
    /* memory */
    int ram;          /* memfd */
    uint8_t *ram_ptr; /* all of it, for the test */
    bool hole[FAKE_PAGES];
    unsigned pages, max_pages; /* that the domain has, and may have */
    bool frame_used[FAKE_FRAMES];
    unsigned relocate_stop;                   /* 0, or at which page of a call relocation fails, from 1 */
    unsigned maps;                            /* mappings of memory that are alive */
    unsigned pages_mapped;                    /* in all, ever */
    unsigned resources;                       /* mappings of ioreq pages that are alive */
    struct xen_slot last_page[XEN_MAX_VCPUS]; /* of the server that was destroyed last ... */
    bool last_enabled;                        /* ... and whether it was still on */
    bool killing;
    struct xen_slot saved[FAKE_SERVERS][XEN_MAX_VCPUS];
    /* what the device did */
    unsigned msis;
    uint64_t msi_addr;
    uint32_t msi_data;
    unsigned intx_calls;
    int intx; /* level of INTA of slot intx_slot; -1: never set */
    unsigned intx_slot;
};

extern struct fake_xen fake_xen;

/* A new, empty hypervisor with a domain of two vCPUs. Aborts if something of the old one is still in use. */
void fake_xen_start(void);
void fake_xen_stop(void);

/* What other emulators do. */
unsigned fake_xen_make_server(bool bound); /* enabled; bound: its owner is alive */
/* Between these two the transport is killed, for which a test closes it: what the kernel does at the end of a process
 * happens, and nothing that the transport asks of Xen. */
void fake_xen_kill_begin(void);
void fake_xen_kill_end(void);

/* What the guest does. Request: the slot gets these values and the event is raised; a nil state sends READY. */
void fake_xen_send(unsigned server, unsigned vcpu, const struct xen_slot *req);
/* True when the answer is there and Xen was notified; takes it: the slot is free again. */
bool fake_xen_answered(unsigned server, unsigned vcpu, uint64_t *data);
/* The server that gets an access, as ioreq_server_select finds it; -1: none. */
int fake_xen_select(unsigned type, uint64_t start, uint64_t end);
/* Raises the event of a vCPU without a request. */
void fake_xen_fire(unsigned server, unsigned vcpu);
/* Takes notice of what the transport has unmasked since. */
void fake_xen_collect(void);
/* True when a read of /dev/xen/evtchn would not sleep. */
bool fake_xen_readable(void);
/* Ports that are masked. */
unsigned fake_xen_masked(void);
/* The page behind a gfn, as the guest's accesses find it; NULL: they trap. */
uint8_t *fake_xen_page(uint64_t gfn);
/* The guest gives a page back, or puts one of its own at a gfn. */
void fake_xen_drop_page(uint64_t gfn);
void fake_xen_add_page(uint64_t gfn);
/* The domain ends: its servers are destroyed, dm_ops answer ESRCH. */
void fake_xen_kill_domain(void);

#endif
