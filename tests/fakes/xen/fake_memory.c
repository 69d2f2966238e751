/* The domain's memory map, and what changes it: libxencall, and one call of libxendevicemodel. */
#define __XEN_INTERFACE_VERSION__ 0x00030209

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <xen/memory.h>

#include "tests/fakes/xen/fake_internal.h"
#include <xencall.h>

#define LEAF 1024u

static uint32_t p2m[FAKE_GFNS]; /* frame + 1, 0: none */
static bool leaf_used[FAKE_GFNS / LEAF];
static uint32_t next_frame; /* where to look for a free one */

static void set_frame(uint64_t gfn, uint32_t entry)
{
    p2m[gfn] = entry;
    leaf_used[gfn / LEAF] = true;
}

void fake_memory_start(void)
{
    for (unsigned i = 0; i < FAKE_GFNS / LEAF; i++)
        if (leaf_used[i])
            memset(p2m + i * LEAF, 0, LEAF * sizeof(*p2m));
    next_frame = FAKE_PAGES;
    memset(f->frame_used, 0, sizeof(f->frame_used));
    for (uint32_t i = 0; i < FAKE_PAGES; i++) {
        set_frame(i, i + 1);
        f->frame_used[i] = true;
    }
    f->pages = FAKE_PAGES;
    f->max_pages = FAKE_FRAMES;
}

int fake_frame(uint64_t gfn)
{
    if (gfn >= FAKE_GFNS || (gfn < FAKE_PAGES && f->hole[gfn]))
        return -1;
    return (int)p2m[gfn] - 1;
}

uint8_t *fake_xen_page(uint64_t gfn)
{
    int frame = fake_frame(gfn);

    return frame < 0 ? NULL : f->ram_ptr + (size_t)frame * PAGE;
}

/* guest_remove_page. The frame keeps what is in it, as one does that is still mapped. */
static int remove_page(uint64_t gfn)
{
    int frame = fake_frame(gfn);

    if (frame < 0)
        return -1;
    set_frame(gfn, 0);
    f->frame_used[frame] = false;
    f->pages--;
    return 0;
}

static int add_page(uint64_t gfn)
{
    if (gfn >= FAKE_GFNS || f->pages >= f->max_pages)
        return -1;
    uint32_t frame = next_frame, tries = 0;

    while (tries++ < FAKE_FRAMES && f->frame_used[frame])
        frame = (frame + 1) % FAKE_FRAMES;
    if (f->frame_used[frame])
        return -1;
    next_frame = (frame + 1) % FAKE_FRAMES;
    fake_require(!p2m[gfn], "memory is populated over memory, which is lost");
    set_frame(gfn, frame + 1);
    f->frame_used[frame] = true;
    f->pages++;
    return 0;
}

void fake_xen_drop_page(uint64_t gfn)
{
    fake_require(!remove_page(gfn), "there is no page to give back");
}

void fake_xen_add_page(uint64_t gfn)
{
    fake_require(!add_page(gfn), "there is no room for a page");
}

/* xenmem_add_to_physmap_one: what is at the new place is freed. */
int xendevicemodel_relocate_memory(xendevicemodel_handle *dmod, domid_t domid, uint32_t size, uint64_t src_gfn,
                                   uint64_t dst_gfn)
{
    (void)dmod;
    if (f->killing)
        return 0;
    if (fake_dm_op(FAKE_RELOCATE, domid))
        return -1;
    for (uint32_t i = 0; i < size; i++) {
        if (f->relocate_stop && size > 1 && i + 1 == f->relocate_stop)
            return fake_fail(ENOMEM);
        if (fake_frame(src_gfn + i) < 0 || dst_gfn + i >= FAKE_GFNS)
            return fake_fail(EINVAL);
        (void)remove_page(dst_gfn + i);
        set_frame(dst_gfn + i, p2m[src_gfn + i]);
        set_frame(src_gfn + i, 0);
    }
    return 0;
}

/* ---- libxencall */

struct xencall_handle {
    int unused;
};
static struct xencall_handle call_handle;

xencall_handle *xencall_open(struct xentoollog_logger *logger, unsigned open_flags)
{
    (void)logger;
    (void)open_flags;
    if (fake_told_to_fail(FAKE_CALL_OPEN))
        return NULL;
    f->call_handles++;
    return &call_handle;
}

int xencall_close(xencall_handle *xcall)
{
    if (xcall)
        f->call_handles--;
    return 0;
}

void *xencall_alloc_buffer(xencall_handle *xcall, size_t size)
{
    (void)xcall;
    return calloc(1, size);
}

void xencall_free_buffer(xencall_handle *xcall, void *p)
{
    (void)xcall;
    free(p);
}

static int count_pages(uint64_t op, const domid_t *domid)
{
    if (fake_dm_op(FAKE_COUNT, *domid))
        return -1;
    return (int)(op == XENMEM_maximum_reservation ? f->max_pages : f->pages);
}

int xencall2(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2)
{
    const struct xen_memory_reservation *r = (const void *)(uintptr_t)arg2;
    bool populate = arg1 == XENMEM_populate_physmap;
    unsigned done = 0;

    (void)xcall;
    fake_require(f->restricted < 0, "a hypercall by who gave up the right to it");
    if (op == __HYPERVISOR_memory_op && (arg1 == XENMEM_maximum_reservation || arg1 == XENMEM_current_reservation))
        return count_pages(arg1, (const void *)(uintptr_t)arg2);
    fake_require(op == __HYPERVISOR_memory_op && (populate || arg1 == XENMEM_decrease_reservation),
                 "another hypercall");
    fake_require(!r->extent_order && !r->mem_flags, "not single pages");
    if (fake_dm_op(populate ? FAKE_POPULATE : FAKE_DECREASE, r->domid))
        return -1;
    while (done < r->nr_extents && !(populate ? add_page : remove_page)(r->extent_start.p[done]))
        done++;
    return (int)done;
}
