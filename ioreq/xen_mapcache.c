#include "ioreq/xen_mapcache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ioreq/guest_copy.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

#define PAGE         4096u
#define PAGE_SHIFT   12u
#define CHUNKS       GT_BIT(XEN_GPA_BITS - XEN_CHUNK_SHIFT)
#define DIR_SIZE     (CHUNKS * sizeof(uintptr_t)) /* 4 MiB of address space, of which pages come with use */
#define RETRY_NS     UINT64_C(10000000)           /* a page that is not there is asked for at most this often */
#define TRIM_DIVISOR 16u

int xen_mapcache_init(struct xen_mapcache *c, xenforeignmemory_handle *fm, uint32_t domid, unsigned chunks,
                      void (*wake)(void *ctx), void *ctx)
{
    *c = (struct xen_mapcache){.fm = fm, .domid = domid, .max = chunks, .wake = wake, .ctx = ctx};
    c->start_ns = gt_clock_ns();
    c->list = calloc(chunks, sizeof(*c->list));
    if (!c->list || pthread_mutex_init(&c->lock, NULL)) {
        free(c->list);
        return -ENOMEM;
    }
    void *dir = mmap(NULL, DIR_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (dir == MAP_FAILED) {
        pthread_mutex_destroy(&c->lock);
        free(c->list);
        return -ENOMEM;
    }
    c->dir = dir;
    return 0;
}

void xen_mapcache_destroy(struct xen_mapcache *c)
{
    if (!c->dir)
        return;
    xen_mapcache_drop(c);
    munmap(c->dir, DIR_SIZE);
    pthread_mutex_destroy(&c->lock);
    free(c->list);
    c->dir = NULL;
}

static void want(struct xen_mapcache *c, unsigned what)
{
    if (!(atomic_fetch_or(&c->wants, what) & what))
        c->wake(c->ctx);
}

unsigned xen_mapcache_wants(struct xen_mapcache *c)
{
    return atomic_exchange(&c->wants, 0);
}

static uint64_t now_ns(const struct xen_mapcache *c)
{
    return gt_clock_ns() - c->start_ns;
}

/*
 * Maps pages; err[i] is 0 where there is one. NULL: none at all. The library waits as long as a page is being paged in
 * by xenpaging, as every user of foreign memory does.
 */
static uint8_t *map_pages(struct xen_mapcache *c, uint64_t gfn, unsigned pages, int *err)
{
    xen_pfn_t gfns[XEN_CHUNK_PAGES];
    unsigned bad = 0;

    for (unsigned i = 0; i < pages; i++)
        gfns[i] = gfn + i;
    uint8_t *ptr = xenforeignmemory_map(c->fm, c->domid, PROT_READ | PROT_WRITE, pages, gfns, err);

    if (!ptr) {
        if (errno == ESRCH)
            want(c, XEN_CACHE_GONE);
        return NULL;
    }
    for (unsigned i = 0; i < pages; i++)
        bad += err[i] != 0;
    if (bad < pages)
        return ptr;
    if (err[0] == -ESRCH)
        want(c, XEN_CACHE_GONE);
    xenforeignmemory_unmap(c->fm, ptr, pages);
    return NULL;
}

/* ---- chunks */

static bool has_page(const struct xen_chunk *k, uint64_t gpa)
{
    unsigned page = (unsigned)(gpa >> PAGE_SHIFT) % XEN_CHUNK_PAGES;

    return k->present[page / 64] >> (page % 64) & 1;
}

static struct xen_chunk *as_chunk(uintptr_t entry)
{
    return entry & 1 ? NULL : (struct xen_chunk *)entry;
}

/* Maps a chunk and publishes it. NULL: it holds no memory, which is remembered for a while. Locked; not full. */
static struct xen_chunk *map_chunk(struct xen_mapcache *c, uint32_t index)
{
    int err[XEN_CHUNK_PAGES];
    struct xen_chunk *k = calloc(1, sizeof(*k));

    if (k)
        k->ptr = map_pages(c, (uint64_t)index << (XEN_CHUNK_SHIFT - PAGE_SHIFT), XEN_CHUNK_PAGES, err);
    if (!k || !k->ptr) {
        free(k);
        atomic_store_explicit(&c->dir[index], (uintptr_t)(now_ns(c) + RETRY_NS) << 1 | 1, memory_order_relaxed);
        return NULL;
    }
    k->index = index;
    for (unsigned i = 0; i < XEN_CHUNK_PAGES; i++)
        if (!err[i])
            k->present[i / 64] |= GT_BIT64(i % 64);
    c->list[c->count++] = k;
    atomic_store_explicit(&c->dir[index], (uintptr_t)k, memory_order_release);
    return k;
}

enum chunk_state { CHUNK_HERE, CHUNK_EMPTY, CHUNK_NO_ROOM };

static enum chunk_state miss(struct xen_mapcache *c, uint32_t index, uintptr_t entry, struct xen_chunk **out)
{
    if (entry && now_ns(c) < entry >> 1)
        return CHUNK_EMPTY;
    pthread_mutex_lock(&c->lock);
    entry = atomic_load_explicit(&c->dir[index], memory_order_relaxed);
    *out = as_chunk(entry);
    bool full = c->count == c->max, again = entry && !*out && now_ns(c) < entry >> 1;

    if (!*out && !full && !again)
        *out = map_chunk(c, index);
    pthread_mutex_unlock(&c->lock);
    if (*out)
        return CHUNK_HERE;
    if (!full || again)
        return CHUNK_EMPTY;
    want(c, XEN_CACHE_TRIM);
    return CHUNK_NO_ROOM;
}

static enum chunk_state find_chunk(struct xen_mapcache *c, uint64_t gpa, struct xen_chunk **out)
{
    *out = NULL;
    if (gpa >> XEN_GPA_BITS)
        return CHUNK_EMPTY;
    uint32_t index = (uint32_t)(gpa >> XEN_CHUNK_SHIFT);
    uintptr_t entry = atomic_load_explicit(&c->dir[index], memory_order_acquire);

    *out = as_chunk(entry);
    if (!*out)
        return miss(c, index, entry, out);
    return CHUNK_HERE;
}

/* Address of a byte in its chunk. NULL: not there; *window says whether a window may have it. */
static uint8_t *lookup(struct xen_mapcache *c, uint64_t gpa, bool *window)
{
    struct xen_chunk *k;
    enum chunk_state state = find_chunk(c, gpa, &k);

    *window = state != CHUNK_EMPTY;
    if (state != CHUNK_HERE || !has_page(k, gpa))
        return NULL;
    if (!atomic_load_explicit(&k->used, memory_order_relaxed))
        atomic_store_explicit(&k->used, true, memory_order_relaxed); /* only then: the line stays shared */
    return k->ptr + (gpa & (GT_BIT(XEN_CHUNK_SHIFT) - 1));
}

/* ---- windows; all locked */

static void close_window(struct xen_mapcache *c, struct xen_window *w)
{
    if (w->ptr)
        xenforeignmemory_unmap(c->fm, w->ptr, 1);
    *w = (struct xen_window){.gfn = 0};
}

static struct xen_window *find_window(struct xen_mapcache *c, uint64_t gfn)
{
    for (unsigned i = 0; i < XEN_WINDOWS; i++)
        if ((c->window[i].ptr || c->window[i].retry_ns) && c->window[i].gfn == gfn)
            return &c->window[i];
    return NULL;
}

/* A chunk was mapped without a page that has come since (the guest's balloon): the next bracket drops it. */
static void page_appeared(struct xen_mapcache *c, uint64_t gfn)
{
    struct xen_chunk *k = as_chunk(atomic_load(&c->dir[gfn >> (XEN_CHUNK_SHIFT - PAGE_SHIFT)]));

    if (!k)
        return;
    atomic_store(&k->stale, true);
    want(c, XEN_CACHE_TRIM);
}

static uint8_t *window_at(struct xen_mapcache *c, uint64_t gpa)
{
    uint64_t gfn = gpa >> PAGE_SHIFT;
    struct xen_window *w = find_window(c, gfn);
    int err;

    if (w && !w->ptr && now_ns(c) < w->retry_ns)
        return NULL;
    if (!w) {
        w = &c->window[c->next_window];
        c->next_window = (c->next_window + 1) % XEN_WINDOWS;
        close_window(c, w);
    }
    if (!w->ptr) {
        w->gfn = gfn;
        w->ptr = map_pages(c, gfn, 1, &err);
        w->retry_ns = w->ptr ? 0 : now_ns(c) + RETRY_NS;
        if (w->ptr)
            page_appeared(c, gfn);
    }
    return w->ptr ? w->ptr + (gpa & (PAGE - 1)) : NULL;
}

/* ---- accesses */

enum op { OP_PROBE, OP_READ, OP_WRITE };

static void copy(enum op op, uint8_t *guest, uint8_t *ours, size_t n)
{
    if (op == OP_READ)
        guest_copy_in(ours, guest, n);
    else if (op == OP_WRITE)
        guest_copy_out(guest, ours, n);
}

/* One access inside a page. */
static int access_page(struct xen_mapcache *c, enum op op, uint64_t gpa, uint8_t *ours, size_t n)
{
    bool window;
    uint8_t *p = lookup(c, gpa, &window);

    if (p) {
        copy(op, p, ours, n);
        return 0;
    }
    if (!window)
        return -EFAULT;
    pthread_mutex_lock(&c->lock);
    p = window_at(c, gpa);
    if (p)
        copy(op, p, ours, n);
    pthread_mutex_unlock(&c->lock);
    return p ? 0 : -EFAULT;
}

static int access_pages(struct xen_mapcache *c, enum op op, uint64_t gpa, uint8_t *ours, size_t n)
{
    while (n) {
        size_t part = GT_MIN(n, PAGE - (size_t)(gpa & (PAGE - 1)));
        int ret = access_page(c, op, gpa, ours, part);

        if (ret)
            return ret;
        gpa += part;
        ours += part;
        n -= part;
    }
    return 0;
}

static int access_memory(struct xen_mapcache *c, enum op op, uint64_t gpa, uint8_t *ours, size_t n)
{
    if (!gt_range_ok(gpa, n, GT_BIT64(XEN_GPA_BITS)))
        return -EFAULT;
    bool one_page = (gpa & (PAGE - 1)) + n <= PAGE;

    if (!one_page && access_pages(c, OP_PROBE, gpa, ours, n))
        return -EFAULT;
    return access_pages(c, op, gpa, ours, n);
}

int xen_mapcache_read(struct xen_mapcache *c, uint64_t gpa, void *dst, size_t n)
{
    return access_memory(c, OP_READ, gpa, dst, n);
}

int xen_mapcache_write(struct xen_mapcache *c, uint64_t gpa, const void *src, size_t n)
{
    return access_memory(c, OP_WRITE, gpa, (uint8_t *)(uintptr_t)src, n); /* only read */
}

int xen_mapcache_cas(struct xen_mapcache *c, uint64_t gpa, unsigned size, uint64_t *expected, uint64_t desired)
{
    bool window;

    if ((size != 4 && size != 8) || gpa % size)
        return -EFAULT;
    uint8_t *p = lookup(c, gpa, &window);

    if (p)
        return guest_cas(p, size, expected, desired);
    if (!window)
        return -EFAULT;
    pthread_mutex_lock(&c->lock);
    p = window_at(c, gpa);
    int ret = p ? guest_cas(p, size, expected, desired) : -EFAULT;

    pthread_mutex_unlock(&c->lock);
    return ret;
}

uint8_t *xen_mapcache_page(struct xen_mapcache *c, uint64_t gpa)
{
    bool window;

    return gpa % PAGE ? NULL : lookup(c, gpa, &window);
}

/* ---- brackets */

static void drop_chunk(struct xen_mapcache *c, unsigned i)
{
    struct xen_chunk *k = c->list[i];

    atomic_store(&c->dir[k->index], 0);
    xenforeignmemory_unmap(c->fm, k->ptr, XEN_CHUNK_PAGES);
    free(k);
    c->list[i] = c->list[--c->count];
}

static void close_windows(struct xen_mapcache *c)
{
    for (unsigned i = 0; i < XEN_WINDOWS; i++)
        close_window(c, &c->window[i]);
}

void xen_mapcache_drop(struct xen_mapcache *c)
{
    close_windows(c);
    while (c->count)
        drop_chunk(c, c->count - 1);
}

/* Second chance: a chunk goes when the hand finds it unused since it passed last. */
static void make_room(struct xen_mapcache *c)
{
    unsigned victims = GT_MAX(c->max / TRIM_DIVISOR, 1u);

    while (victims && c->count) {
        c->hand = c->hand >= c->count ? 0 : c->hand;
        if (atomic_exchange(&c->list[c->hand]->used, false)) {
            c->hand++;
        } else {
            drop_chunk(c, c->hand);
            victims--;
        }
    }
}

void xen_mapcache_trim(struct xen_mapcache *c)
{
    bool full = c->count == c->max;

    close_windows(c);
    for (unsigned i = c->count; i-- > 0;)
        if (atomic_load(&c->list[i]->stale))
            drop_chunk(c, i);
    if (full && c->count == c->max)
        make_room(c);
}
