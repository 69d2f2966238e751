#include "ioreq/dma.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ioreq/guest_copy.h"
#include "ioreq/transport.h"
#include "vgpu/base/bits.h"

/*
 * Each thread remembers which range it used last. A generation is given out once in the life of the process, so a
 * hint can never be taken for one of another map or of an earlier state of this one.
 */
static _Atomic uint64_t next_generation = 1;
static _Thread_local struct {
    uint64_t generation;
    unsigned index;
} hint;

static void changed(struct dma_map *m)
{
    m->generation = atomic_fetch_add(&next_generation, 1);
}

void dma_init(struct dma_map *m)
{
    m->count = 0;
    for (unsigned i = 0; i < DMA_MAX_FILES; i++)
        m->file[i] = (struct dma_file){.fd = -1};
    changed(m);
}

/* Index of the first range that ends above gpa: the one that holds gpa, if any does. */
static unsigned lower_bound(const struct dma_map *m, uint64_t gpa)
{
    unsigned lo = 0, hi = m->count;

    while (lo < hi) {
        unsigned mid = lo + (hi - lo) / 2;

        if (m->range[mid].gpa + (m->range[mid].size - 1) < gpa)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* The range that holds gpa and allows the access, or NULL. */
static const struct dma_range *find(const struct dma_map *m, uint64_t gpa, bool read, bool write)
{
    const struct dma_range *r;

    if (hint.generation == m->generation && gpa - m->range[hint.index].gpa < m->range[hint.index].size) {
        r = &m->range[hint.index];
    } else {
        unsigned i = lower_bound(m, gpa);

        if (i == m->count || gpa < m->range[i].gpa)
            return NULL;
        hint.generation = m->generation;
        hint.index = i;
        r = &m->range[i];
    }
    if (!r->ptr || (read && !r->readable) || (write && !r->writable))
        return NULL;
    return r;
}

int dma_check(const struct dma_map *m, uint64_t gpa, uint64_t size)
{
    if (!size || (gpa | size) % DMA_PAGE || gpa + size < gpa)
        return -EINVAL;
    if (m->count == DMA_MAX_RANGES)
        return -ENOSPC;
    unsigned i = lower_bound(m, gpa);

    if (i < m->count && m->range[i].gpa < gpa + size)
        return -EEXIST;
    return 0;
}

/* hugetlbfs maps whole huge pages only, and reports their size as the block size. */
static uint64_t file_granule(const struct stat *st)
{
    uint64_t b = (uint64_t)st->st_blksize;

    return b > DMA_PAGE && b <= GT_BIT64(30) && !(b & (b - 1)) ? b : DMA_PAGE;
}

int dma_map_file(struct dma_range *r, int fd, uint64_t offset)
{
    struct stat st;
    int prot = (r->readable ? PROT_READ : 0) | (r->writable ? PROT_WRITE : 0);

    if (!r->size || (offset | r->size) % DMA_PAGE)
        return -EINVAL;
    if (fstat(fd, &st))
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    /* A touch beyond the end of the file would kill us with SIGBUS. */
    if (!gt_range_ok(offset, r->size, (uint64_t)st.st_size))
        return -ERANGE;
    uint64_t granule = file_granule(&st), start = offset & ~(granule - 1);
    size_t len = (size_t)(gt_align_up(offset + r->size, granule) - start);
    void *p = mmap(NULL, len, prot, MAP_SHARED, fd, (off_t)start);

    if (p == MAP_FAILED)
        return -errno;
    /* Keeps guests' memory out of our core dumps; a kernel without it only makes larger dumps. */
    (void)madvise(p, len, MADV_DONTDUMP);
    r->map = p;
    r->map_len = len;
    r->ptr = (uint8_t *)p + (offset - start);
    r->file_off = offset;
    return 0;
}

void dma_unmap_file(struct dma_range *r)
{
    if (r->map)
        munmap(r->map, r->map_len);
    r->map = NULL;
    r->ptr = NULL;
}

int dma_add(struct dma_map *m, const struct dma_range *r)
{
    int ret = dma_check(m, r->gpa, r->size);

    if (ret)
        return ret;
    unsigned i = lower_bound(m, r->gpa);

    memmove(&m->range[i + 1], &m->range[i], (m->count - i) * sizeof(m->range[0]));
    m->range[i] = *r;
    m->range[i].file = -1;
    m->count++;
    changed(m);
    return 0;
}

/* ---- files */

/* Index of the entry of the file behind fd, made if need be; -1: none. */
static int file_entry(struct dma_map *m, int fd)
{
    struct stat st;
    int unused = -1;

    if (fstat(fd, &st))
        return -1;
    for (unsigned i = 0; i < DMA_MAX_FILES; i++) {
        if (m->file[i].fd < 0)
            unused = unused < 0 ? (int)i : unused;
        else if (m->file[i].dev == st.st_dev && m->file[i].ino == st.st_ino)
            return (int)i;
    }
    if (unused < 0)
        return -1;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (copy < 0)
        return -1;
    m->file[unused] = (struct dma_file){.fd = copy, .dev = st.st_dev, .ino = st.st_ino};
    return unused;
}

static void file_put(struct dma_map *m, int index)
{
    if (index < 0 || --m->file[index].ranges)
        return;
    close(m->file[index].fd);
    m->file[index].fd = -1;
}

int dma_add_file(struct dma_map *m, const struct dma_range *r, int fd)
{
    int ret = dma_add(m, r);

    if (ret)
        return ret;
    int file = file_entry(m, fd);

    m->range[lower_bound(m, r->gpa)].file = file;
    if (file >= 0)
        m->file[file].ranges++;
    return 0;
}

static void unmap_ranges(struct dma_map *m, unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++) {
        file_put(m, m->range[i].file);
        dma_unmap_file(&m->range[i]);
    }
    memmove(&m->range[first], &m->range[end], (m->count - end) * sizeof(m->range[0]));
    m->count -= end - first;
    changed(m);
}

int dma_remove(struct dma_map *m, uint64_t gpa, uint64_t size)
{
    if (!size || gpa + size < gpa)
        return -EINVAL;
    unsigned first = lower_bound(m, gpa), end = lower_bound(m, gpa + size);

    /* `end` is the first range that reaches beyond; it may start before the limit, `first` before gpa. */
    if (end < m->count && m->range[end].gpa < gpa + size)
        return -EINVAL;
    if (first == end)
        return -ENOENT;
    if (m->range[first].gpa < gpa)
        return -EINVAL;
    unmap_ranges(m, first, end);
    return 0;
}

void dma_clear(struct dma_map *m)
{
    unmap_ranges(m, 0, m->count);
}

/* True when all of [gpa, gpa + n) can be accessed. Bounded by the number of ranges. */
static bool covered(const struct dma_map *m, uint64_t gpa, size_t n, bool write)
{
    while (n) {
        const struct dma_range *r = find(m, gpa, !write, write);

        if (!r)
            return false;
        uint64_t left = r->size - (gpa - r->gpa);

        if (n <= left)
            return true;
        n -= (size_t)left;
        gpa += left;
    }
    return true;
}

int dma_read(const struct dma_map *m, uint64_t gpa, void *dst, size_t n)
{
    uint8_t *p = dst;

    if (!covered(m, gpa, n, false))
        return -EFAULT;
    while (n) {
        const struct dma_range *r = find(m, gpa, true, false);
        uint64_t off = gpa - r->gpa;
        size_t chunk = (size_t)GT_MIN((uint64_t)n, r->size - off);

        guest_copy_in(p, r->ptr + off, chunk);
        p += chunk;
        gpa += chunk;
        n -= chunk;
    }
    return 0;
}

int dma_write(const struct dma_map *m, uint64_t gpa, const void *src, size_t n)
{
    const uint8_t *p = src;

    if (!covered(m, gpa, n, true))
        return -EFAULT;
    while (n) {
        const struct dma_range *r = find(m, gpa, false, true);
        uint64_t off = gpa - r->gpa;
        size_t chunk = (size_t)GT_MIN((uint64_t)n, r->size - off);

        guest_copy_out(r->ptr + off, p, chunk);
        p += chunk;
        gpa += chunk;
        n -= chunk;
    }
    return 0;
}

int dma_cas(const struct dma_map *m, uint64_t gpa, unsigned size, uint64_t *expected, uint64_t desired)
{
    if ((size != 4 && size != 8) || gpa % size)
        return -EFAULT;
    /* Pages are whole, so an aligned word never crosses ranges. */
    const struct dma_range *r = find(m, gpa, true, true);

    if (!r)
        return -EFAULT;
    uint8_t *p = r->ptr + (gpa - r->gpa);

    return guest_cas(p, size, expected, desired);
}

uint8_t *dma_page(const struct dma_map *m, uint64_t gpa, bool write)
{
    if (gpa % DMA_PAGE)
        return NULL;
    const struct dma_range *r = find(m, gpa, true, write);

    return r ? r->ptr + (gpa - r->gpa) : NULL;
}

int dma_runs(const struct dma_map *m, const uint64_t *gpa, size_t n, struct ioreq_run *out, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        const struct dma_range *r = gpa[i] % DMA_PAGE ? NULL : find(m, gpa[i], true, true);

        if (!r || r->file < 0)
            return -EFAULT;
        uint64_t off = r->file_off + (gpa[i] - r->gpa);
        int fd = m->file[r->file].fd;
        struct ioreq_run *last = count ? &out[count - 1] : NULL;

        if (last && last->fd == fd && last->off + last->len == off) {
            last->len += DMA_PAGE;
            continue;
        }
        if (count == max)
            return -ENOSPC;
        out[count++] = (struct ioreq_run){.fd = fd, .off = off, .len = DMA_PAGE};
    }
    return (int)count;
}
