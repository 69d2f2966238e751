/*
 * A guest of gtmux-dm that submits work: a vfio-user client with memory, and ring_guest.h's one context. For tests and
 * benchmarks, which end on any failure.
 */
#ifndef GTMUX_TESTS_DM_GUEST_H
#define GTMUX_TESTS_DM_GUEST_H

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "ioreq/transport.h"
#include "tests/fakes/ring_guest.h"
#include "tests/unit/vfio_user_client.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

#define DG_DONE 0x600du /* what rg_call_batch leaves in the status page */

struct dm_guest {
    int sock;
    uint8_t *ram;
    uint64_t size;
    struct ring_guest ring;
};

static inline void dg_check(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "dm_guest: %s failed\n", what);
    exit(1);
}

static inline void dg_write(void *ctx, uint64_t off, unsigned size, uint64_t val)
{
    dg_check(!client_region_write(((struct dm_guest *)ctx)->sock, IOREQ_BAR0, off, size, &val), "a write to BAR0");
}

static inline uint32_t dg_read(struct dm_guest *g, uint64_t off)
{
    uint32_t val;

    dg_check(!client_region_read(g->sock, IOREQ_BAR0, off, 4, &val), "a read of BAR0");
    return val;
}

static inline void dg_store(void *ctx, uint64_t gpa, const void *src, size_t n)
{
    struct dm_guest *g = ctx;

    dg_check(gt_range_ok(gpa, n, g->size), "a store to memory");
    memcpy(g->ram + gpa, src, n);
}

/* A guest with memory from address 0 on, of which only what is used is there. Waits for the socket for 10 s. */
static inline void dg_connect(struct dm_guest *g, const char *socket, uint64_t size)
{
    struct client_reply r;

    *g = (struct dm_guest){.sock = -1, .size = size};
    g->ring = (struct ring_guest){.ctx = g, .write = dg_write, .store = dg_store};
    for (unsigned i = 0; g->sock < 0 && i < 1000; i++) {
        g->sock = client_connect(socket);
        if (g->sock < 0)
            usleep(10000);
    }
    dg_check(g->sock >= 0, "connecting");
    int memfd = memfd_create("guest-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    dg_check(memfd >= 0 && !ftruncate(memfd, (off_t)size) &&
                 !fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL),
             "making memory");
    g->ram = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
    dg_check(g->ram != MAP_FAILED && !client_version(g->sock, NULL, &r), "the first packet");
    dg_check(!client_dma_map(g->sock, 0, size, 0, VU_DMA_MAP_READ | VU_DMA_MAP_WRITE, memfd), "handing out memory");
    close(memfd);
}

static inline void dg_leave(struct dm_guest *g)
{
    close(g->sock);
    munmap(g->ram, g->size);
}

/* What a driver does before its first request. */
static inline void dg_start(struct dm_guest *g, unsigned engine)
{
    rg_map(&g->ring);
    rg_start_engine(&g->ring, engine);
}

/* Submits what is in the batch. */
static inline void dg_submit(struct dm_guest *g, unsigned engine)
{
    uint32_t page[1024];
    uint32_t tail = rg_call_batch((uint32_t *)(g->ram + RG_RING));

    rg_image(page, engine, tail);
    memcpy(g->ram + RG_REGISTERS, page, sizeof(page));
    __atomic_store_n((uint32_t *)(g->ram + RG_HWSP + 0xc0), 0, __ATOMIC_RELEASE);
    rg_submit(&g->ring, engine);
}

static inline bool dg_done(const struct dm_guest *g)
{
    return __atomic_load_n((const uint32_t *)(g->ram + RG_HWSP + 0xc0), __ATOMIC_ACQUIRE) == DG_DONE;
}

/* Until the engine has nothing left: bit 18 of the status says that a list is active (PRM SKL vol 2c). */
static inline bool dg_wait_idle(struct dm_guest *g, unsigned engine, uint64_t ns)
{
    for (uint64_t end = gt_clock_ns() + ns; gt_clock_ns() < end; usleep(500))
        if (!(dg_read(g, reg_off(R_EXECLIST_STATUS_LO, engine, 0)) & GT_BIT(18)))
            return true;
    return false;
}

/* Waits for the result, then for the end of the context. */
static inline bool dg_wait(struct dm_guest *g, unsigned engine, uint64_t ns)
{
    for (uint64_t end = gt_clock_ns() + ns; !dg_done(g); usleep(500))
        if (gt_clock_ns() > end)
            return false;
    return dg_wait_idle(g, engine, ns);
}

#endif
