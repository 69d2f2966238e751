/* libxenforeignmemory. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <xen/memory.h>

#include "tests/fakes/xen/fake_internal.h"
#include <xenforeignmemory.h>

struct xenforeignmemory_resource_handle {
    int unused;
};

struct xenforeignmemory_handle {
    int unused;
};
static struct xenforeignmemory_handle fm_handle;

xenforeignmemory_handle *xenforeignmemory_open(struct xentoollog_logger *logger, unsigned open_flags)
{
    (void)logger;
    (void)open_flags;
    if (fake_told_to_fail(FAKE_FM_OPEN))
        return NULL;
    f->fm_handles++;
    return &fm_handle;
}

int xenforeignmemory_close(xenforeignmemory_handle *fmem)
{
    if (fmem)
        f->fm_handles--;
    return 0;
}

static int page_error(uint32_t dom, xen_pfn_t gfn)
{
    if (!f->domain || dom != FAKE_DOMID)
        return -ESRCH;
    return fake_frame(gfn) < 0 ? -EINVAL : 0;
}

/* Maps what can be; neighbours by one call, or a chunk would take half a thousand. */
static void map_pages(uint8_t *at, uint32_t dom, size_t pages, const xen_pfn_t arr[], int prot, int err[])
{
    for (size_t i = 0, n; i < pages; i += n) {
        int code = page_error(dom, arr[i]);

        n = 1;
        while (i + n < pages && page_error(dom, arr[i + n]) == code &&
               (code || fake_frame(arr[i + n]) == fake_frame(arr[i]) + (int)n))
            n++;
        for (size_t k = 0; k < n; k++)
            err[i + k] = code;
        if (code)
            continue;
        f->pages_mapped += (unsigned)n;
        void *p = mmap(at + i * PAGE, n * PAGE, prot, MAP_SHARED | MAP_FIXED, f->ram, (off_t)fake_frame(arr[i]) * PAGE);
        fake_require(p != MAP_FAILED, "mmap");
    }
}

/* The page of a server is in the guest's memory only while the server is off. */
static void *map_server_page(xen_pfn_t gfn)
{
    for (unsigned i = 0; i < FAKE_SERVERS; i++)
        if (f->server[i].used && f->server[i].gfn == gfn && !f->server[i].enabled) {
            f->resources++;
            return f->server[i].page;
        }
    return NULL;
}

void *xenforeignmemory_map(xenforeignmemory_handle *fmem, uint32_t dom, int prot, size_t pages, const xen_pfn_t arr[],
                           int err[])
{
    (void)fmem;
    pthread_mutex_lock(&f->lock);
    int told = fake_told_to_fail(FAKE_MAP_PAGES);
    void *special = !told && pages == 1 ? map_server_page(arr[0]) : NULL;
    uint8_t *p = MAP_FAILED;

    if (!told && !special)
        p = mmap(NULL, pages * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p != MAP_FAILED) {
        fake_require(err, "pages without a place for their errors");
        map_pages(p, dom, pages, arr, prot, err);
        f->maps++;
    }
    pthread_mutex_unlock(&f->lock);
    if (special)
        return special;
    return p == MAP_FAILED ? NULL : p;
}

int xenforeignmemory_unmap(xenforeignmemory_handle *fmem, void *addr, size_t pages)
{
    (void)fmem;
    for (unsigned i = 0; i < FAKE_SERVERS; i++)
        if (addr == f->server[i].page) {
            f->resources--;
            return 0;
        }
    pthread_mutex_lock(&f->lock);
    f->maps--;
    pthread_mutex_unlock(&f->lock);
    return munmap(addr, pages * PAGE);
}

xenforeignmemory_resource_handle *xenforeignmemory_map_resource(xenforeignmemory_handle *fmem, domid_t domid,
                                                                unsigned int type, unsigned int id, unsigned long frame,
                                                                unsigned long nr_frames, void **paddr, int prot,
                                                                int flags)
{
    (void)fmem;
    (void)prot;
    (void)flags;
    if (fake_dm_op(FAKE_MAP_RESOURCE, domid))
        return NULL;
    fake_require(type == XENMEM_resource_ioreq_server && frame == XENMEM_resource_ioreq_server_frame_ioreq(0) &&
                     nr_frames == 1,
                 "not the page of an ioreq server");
    struct fake_server *s = fake_find_server((ioservid_t)id);

    if (!s)
        return NULL;
    struct xenforeignmemory_resource_handle *h = calloc(1, sizeof(*h));

    fake_require(h, "no memory");
    f->resources++;
    *paddr = s->page;
    return h;
}

int xenforeignmemory_unmap_resource(xenforeignmemory_handle *fmem, xenforeignmemory_resource_handle *fres)
{
    (void)fmem;
    if (fres)
        f->resources--;
    free(fres);
    return 0;
}
