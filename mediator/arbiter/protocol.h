/*
 * What gtmuxd and a tenant tell each other: packets over a seqpacket socket for what is rare, and one page of shared
 * memory for what is frequent.
 *
 * Each engine has a word in the page. The tenant's thread executes on an engine only while its word has GRANTED and
 * BUSY; it sets and clears BUSY by itself, without a system call, as long as gtmuxd lets it keep the engine:
 *
 *   gtmuxd: GRANTED  the engine is the tenant's          KEEP   it may keep it between two workloads: nobody waits
 *           YIELD    give it back at the next preemption point
 *   tenant: BUSY     executes now                        WANT   waits for it (futex on the word)
 *
 * Giving back is to clear GRANTED, BUSY, KEEP and YIELD in one store, with WANT set when there is more to do, and to
 * send ARBITER_LOOK. A tenant does that by itself when its slice ends; YIELD is for slices that end sooner than they
 * were given, and for who looks at no clock. gtmuxd takes an idle engine back by itself: a compare-and-swap of
 * GRANTED|KEEP against 0.
 *
 * gtmuxd believes nothing of the page: who holds an engine, and for how long, it knows itself. A tenant that lies there
 * can give away its own engine, wait for nothing, or be stopped. Packets are of one size and checked as a whole; a bad
 * one ends the tenancy.
 */
#ifndef GTMUX_ARBITER_PROTOCOL_H
#define GTMUX_ARBITER_PROTOCOL_H

#include <stdint.h>

#define ARBITER_VERSION   1u
#define ARBITER_ENGINES   8u /* at most; vgpu's numbers */
#define ARBITER_HEADS     3u
#define ARBITER_NAME_MAX  48u
#define ARBITER_TEXT_MAX  160u
#define ARBITER_PAGE_SIZE 4096u
#define ARBITER_SOCKET    "gtmuxd.sock"  /* in the run directory: tenants */
#define ARBITER_ADMIN     "gtmuxd.admin" /* gtmux(1); one JSON object a line */

enum arbiter_word {
    ARBITER_GRANTED = 1 << 0,
    ARBITER_BUSY = 1 << 1,
    ARBITER_WANT = 1 << 2,
    ARBITER_YIELD = 1 << 3,
    ARBITER_KEEP = 1 << 4,
    ARBITER_GONE = 1 << 5, /* the tenant's own: this page is out of use */
};

/* 64 bytes, so that engines do not share cache lines. */
struct arbiter_engine_page {
    _Atomic uint32_t word;
    uint32_t pad;
    /* What the tenant says of itself; shown, and used to tell a workload that goes on from one that stands still. */
    _Atomic uint64_t busy_ns, progress;
    _Atomic uint64_t until_ns; /* gtmuxd's: CLOCK_MONOTONIC at which the slice ends; UINT64_MAX: not yet known */
    uint64_t reserved[4];
};

struct arbiter_page {
    struct arbiter_engine_page engine[ARBITER_ENGINES];
    /* gtmuxd's */
    _Atomic uint32_t frame_hz;             /* frames a second of each head, 0: no limit */
    _Atomic uint32_t quota_mb;             /* of GPU-visible memory, 0: none */
    _Atomic uint32_t heads, width, height; /* that the profile allows; width 0: not said */
    uint32_t pad;
    /* the tenant's */
    _Atomic uint64_t memory, flips;
    _Atomic uint64_t refusals; /* of memory beyond the quota */
    _Atomic uint64_t heap;     /* what its process has allocated for it: caches, queues, copies of pictures */
};

enum arbiter_kind { ARBITER_DM, ARBITER_EXEC, ARBITER_KINDS };

enum arbiter_packet_type {
    ARBITER_HELLO = 1, /* tenant: who it is. First, once */
    ARBITER_WELCOME,   /* gtmuxd: admitted; with the page's memfd */
    ARBITER_REFUSED,   /* gtmuxd: not admitted, or not any more; text says why. The socket closes */
    ARBITER_LOOK,      /* tenant: my words changed; gtmuxd: so did yours; arg 1: and the frame limit or the quota */
    ARBITER_RESET,     /* gtmuxd: reset the workload of the engine `arg` */
};

struct arbiter_packet {
    uint32_t type, version;
    uint32_t arg;
    uint32_t kind; /* HELLO: enum arbiter_kind */
    uint32_t heads, width, height;
    uint32_t reserved;
    char name[ARBITER_NAME_MAX];
    char profile[ARBITER_NAME_MAX]; /* HELLO: wish, empty: the default one; WELCOME: what it got */
    char text[ARBITER_TEXT_MAX];
};

#endif
