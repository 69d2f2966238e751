/*
 * GPU address spaces. The GGTT is one table in the device's own storage (which the guest may write at any moment); a
 * PPGTT is four levels in guest memory. Each entry is read once, as one 64-bit copy, and the copy is what is used.
 */
#include "vgpu/mem.h"

#include <errno.h>
#include <string.h>

#include "vgpu/device.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096u
#define PAGE_MASK  (PAGE_SIZE - 1)

/* i915 intel_gtt.h GEN8_PAGE_*, GEN8_PDE_*; PRM SKL vol 5, "Per-process GTT entries". Skylake has 39-bit addresses. */
#define PTE_PRESENT GT_BIT64(0)
#define PTE_WRITE   GT_BIT64(1)
#define PDE_LEAF    GT_BIT64(7)  /* PDPE: 1 GiB page; PDE: 2 MiB page */
#define PDE_IPS_64K GT_BIT64(11) /* the page table holds 64 KiB pages: hardware reads each 16th entry */
#define PTE_ADDRESS UINT64_C(0x7ffffff000)

#define PPGTT_BITS   48
#define LEVELS       4
#define LEVEL_BITS   9
#define LEVEL_MASK   ((1u << LEVEL_BITS) - 1)
#define PDE_SHIFT    21
#define TAG_SHIFT    40 /* above page numbers of 36 bits and one more */
#define LEVEL_PTE    0
#define LEVEL_PDE    1
#define LEVEL_PDPE   2
#define PTES_PER_64K 16u

uint64_t vgpu_ggtt_pte(const struct vgpu *v, uint32_t page)
{
    return __atomic_load_n(&v->gtt[page % (VGPU_GTT_SIZE / 8)], __ATOMIC_ACQUIRE);
}

static void clear_caches(struct vgpu_as *as)
{
    for (unsigned i = 0; i < VGPU_TLB_ENTRIES; i++)
        as->tlb[i].tag = 0;
    for (unsigned i = 0; i < VGPU_PDE_ENTRIES; i++)
        as->pde[i].tag = 0;
    as->generation = 1;
}

void vgpu_as_init_ggtt(struct vgpu_as *as, struct vgpu *v)
{
    as->v = v;
    as->pml4 = 0;
    as->ggtt = true;
    clear_caches(as);
}

void vgpu_as_init_ppgtt(struct vgpu_as *as, struct vgpu *v, uint64_t pml4_gpa)
{
    as->v = v;
    as->pml4 = pml4_gpa & PTE_ADDRESS;
    as->ggtt = false;
    clear_caches(as);
}

void vgpu_as_switch(struct vgpu_as *as, uint64_t pml4_gpa)
{
    as->pml4 = pml4_gpa & PTE_ADDRESS;
    vgpu_as_flush(as);
}

/* Often, so it is one store: what has another generation in its tag is empty. */
void vgpu_as_flush(struct vgpu_as *as)
{
    if (as->generation < VGPU_AS_GENERATIONS)
        as->generation++;
    else
        clear_caches(as);
}

static uint64_t tag_of(const struct vgpu_as *as, uint64_t low)
{
    return (uint64_t)as->generation << TAG_SHIFT | low;
}

static int read_entry(struct vgpu *v, uint64_t table, unsigned index, uint64_t *entry)
{
    return v->ops->mem_read(v->host, table + 8u * index, entry, sizeof(*entry)) ? -EFAULT : 0;
}

/* Where a walk begins: at the top, or at a table that was found before. */
static int walk_start(const struct vgpu_as *as, uint64_t addr, uint64_t *table, bool *writable, bool *ips)
{
    const struct vgpu_pde_entry *e = &as->pde[(addr >> PDE_SHIFT) % VGPU_PDE_ENTRIES];

    if (e->tag != tag_of(as, addr >> PDE_SHIFT)) {
        *table = as->pml4;
        *writable = true;
        *ips = false;
        return LEVELS - 1;
    }
    *table = e->table;
    *writable = e->writable;
    *ips = e->ips;
    return LEVEL_PTE;
}

/* Walks the tables for the page that holds addr. 0 with its address and rights, or -EFAULT. */
static int walk_ppgtt(struct vgpu_as *as, uint64_t addr, uint64_t *gpa, bool *writable)
{
    uint64_t table, entry;
    bool ips;

    for (int level = walk_start(as, addr, &table, writable, &ips); level >= 0; level--) {
        unsigned shift = PAGE_SHIFT + (unsigned)level * LEVEL_BITS;
        unsigned index = (unsigned)(addr >> shift) & LEVEL_MASK;

        if (level == LEVEL_PTE && ips)
            index &= ~(PTES_PER_64K - 1);
        if (read_entry(as->v, table, index, &entry) || !(entry & PTE_PRESENT))
            return -EFAULT;
        *writable &= (entry & PTE_WRITE) != 0;
        table = entry & PTE_ADDRESS;

        bool leaf = level == LEVEL_PTE || ((level == LEVEL_PDE || level == LEVEL_PDPE) && (entry & PDE_LEAF));

        if (leaf) {
            uint64_t span = level == LEVEL_PTE && ips ? PTES_PER_64K * PAGE_SIZE : GT_BIT64(shift);

            *gpa = (table & ~(span - 1)) | (addr & (span - 1) & ~(uint64_t)PAGE_MASK);
            return 0;
        }
        ips = level == LEVEL_PDE && (entry & PDE_IPS_64K);
        if (level == LEVEL_PDE)
            as->pde[(addr >> PDE_SHIFT) % VGPU_PDE_ENTRIES] =
                (struct vgpu_pde_entry){tag_of(as, addr >> PDE_SHIFT), table, *writable, ips};
    }
    return -EFAULT;
}

int vgpu_ggtt_translate(const struct vgpu *v, uint32_t addr, uint64_t *gpa)
{
    uint64_t pte = vgpu_ggtt_pte(v, addr >> PAGE_SHIFT);

    if (!(pte & PTE_PRESENT))
        return -EFAULT;
    *gpa = (pte & PTE_ADDRESS) | (addr & PAGE_MASK);
    return 0;
}

static int walk_ggtt(struct vgpu_as *as, uint64_t addr, uint64_t *gpa, bool *writable)
{
    *writable = true;
    return vgpu_ggtt_translate(as->v, (uint32_t)addr, gpa);
}

/* The translation of the page that holds addr, from the TLB or by a walk. NULL: unmapped, or read-only for writes.
 * A page that was only read so far is walked again for its first write, because mem_page must know. */
static const struct vgpu_tlb_entry *lookup(struct vgpu_as *as, uint64_t addr, bool write)
{
    const struct vgpu_ops *ops = as->v->ops;
    uint64_t page = as->ggtt ? (uint32_t)addr >> PAGE_SHIFT : (addr & (GT_BIT64(PPGTT_BITS) - 1)) >> PAGE_SHIFT;
    struct vgpu_tlb_entry *e = &as->tlb[page % VGPU_TLB_ENTRIES];
    uint64_t gpa;
    bool writable;

    if (e->tag == tag_of(as, page << 1 | 1) || (e->tag == tag_of(as, page << 1) && !write))
        return e;
    if (as->ggtt ? walk_ggtt(as, page << PAGE_SHIFT, &gpa, &writable)
                 : walk_ppgtt(as, page << PAGE_SHIFT, &gpa, &writable))
        return NULL;
    if (write && !writable)
        return NULL;
    e->gpa = gpa;
    e->ptr = ops->mem_page ? ops->mem_page(as->v->host, gpa, write) : NULL;
    e->tag = tag_of(as, page << 1 | (write ? 1 : 0));
    return e;
}

int vgpu_as_translate(struct vgpu_as *as, uint64_t addr, bool write, uint64_t *gpa)
{
    const struct vgpu_tlb_entry *e = lookup(as, addr, write);

    if (!e)
        return -EFAULT;
    *gpa = e->gpa | (addr & PAGE_MASK);
    return 0;
}

uint8_t *vgpu_as_ptr(struct vgpu_as *as, uint64_t addr, bool write)
{
    const struct vgpu_tlb_entry *e = lookup(as, addr, write);

    return e && e->ptr ? e->ptr + (addr & PAGE_MASK) : NULL;
}

/* Guest memory is shared with running guest CPUs: naturally aligned dwords and qwords move as one, in order. */
static void copy_in(void *dst, const uint8_t *src, size_t n)
{
    if (n == 4 && (uintptr_t)src % 4 == 0) {
        uint32_t val = __atomic_load_n((const uint32_t *)src, __ATOMIC_ACQUIRE);

        memcpy(dst, &val, sizeof(val));
    } else if (n == 8 && (uintptr_t)src % 8 == 0) {
        uint64_t val = __atomic_load_n((const uint64_t *)src, __ATOMIC_ACQUIRE);

        memcpy(dst, &val, sizeof(val));
    } else {
        memcpy(dst, src, n);
    }
}

static void copy_out(uint8_t *dst, const void *src, size_t n)
{
    if (n == 4 && (uintptr_t)dst % 4 == 0) {
        uint32_t val;

        memcpy(&val, src, sizeof(val));
        __atomic_store_n((uint32_t *)dst, val, __ATOMIC_RELEASE);
    } else if (n == 8 && (uintptr_t)dst % 8 == 0) {
        uint64_t val;

        memcpy(&val, src, sizeof(val));
        __atomic_store_n((uint64_t *)dst, val, __ATOMIC_RELEASE);
    } else {
        memcpy(dst, src, n);
    }
}

static size_t to_page_end(uint64_t addr, size_t n)
{
    size_t rest = PAGE_SIZE - (addr & PAGE_MASK);

    return GT_MIN(n, rest);
}

static int read_chunk(struct vgpu_as *as, uint64_t addr, void *dst, size_t n)
{
    const struct vgpu_tlb_entry *e = lookup(as, addr, false);

    if (!e)
        return -EFAULT;
    if (!e->ptr)
        return as->v->ops->mem_read(as->v->host, e->gpa | (addr & PAGE_MASK), dst, n) ? -EFAULT : 0;
    copy_in(dst, e->ptr + (addr & PAGE_MASK), n);
    return 0;
}

static int write_chunk(struct vgpu_as *as, uint64_t addr, const void *src, size_t n)
{
    const struct vgpu_tlb_entry *e = lookup(as, addr, true);

    if (!e)
        return -EFAULT;
    if (!e->ptr)
        return as->v->ops->mem_write(as->v->host, e->gpa | (addr & PAGE_MASK), src, n) ? -EFAULT : 0;
    copy_out(e->ptr + (addr & PAGE_MASK), src, n);
    return 0;
}

int vgpu_as_read(struct vgpu_as *as, uint64_t addr, void *dst, size_t n)
{
    for (size_t done = 0, chunk; done < n; done += chunk) {
        chunk = to_page_end(addr + done, n - done);
        if (read_chunk(as, addr + done, (uint8_t *)dst + done, chunk))
            return -EFAULT;
    }
    return 0;
}

int vgpu_as_write(struct vgpu_as *as, uint64_t addr, const void *src, size_t n)
{
    for (size_t done = 0, chunk; done < n; done += chunk) {
        chunk = to_page_end(addr + done, n - done);
        if (write_chunk(as, addr + done, (const uint8_t *)src + done, chunk))
            return -EFAULT;
    }
    return 0;
}

int vgpu_as_cas(struct vgpu_as *as, uint64_t addr, unsigned size, uint64_t *expected, uint64_t desired)
{
    const struct vgpu_tlb_entry *e;

    if ((size != 4 && size != 8) || addr % size)
        return -EFAULT;
    e = lookup(as, addr, true);
    if (!e)
        return -EFAULT;
    return as->v->ops->mem_cas(as->v->host, e->gpa | (addr & PAGE_MASK), size, expected, desired);
}

/* No TLB: callers (screens) run beside the guest, whose map of memory may change between two calls. */
int vgpu_ggtt_read(struct vgpu *v, uint64_t addr, void *dst, size_t n)
{
    int ret = 0;

    for (size_t done = 0, chunk; done < n; done += chunk) {
        uint8_t *to = (uint8_t *)dst + done;
        uint64_t gpa;

        chunk = to_page_end(addr + done, n - done);
        if (vgpu_ggtt_translate(v, (uint32_t)(addr + done), &gpa) || v->ops->mem_read(v->host, gpa, to, chunk)) {
            memset(to, 0, chunk);
            ret = -EFAULT;
        }
    }
    return ret;
}

void vgpu_ggtt_pages(struct vgpu *v, uint64_t addr, size_t n, uint64_t *gpa)
{
    for (size_t i = 0; i < n; i++)
        if (vgpu_ggtt_translate(v, (uint32_t)(addr + i * PAGE_SIZE), &gpa[i]))
            gpa[i] = VGPU_NO_PAGE;
}

uint64_t vgpu_gtt_read(struct vgpu *v, uint32_t off, unsigned size)
{
    uint8_t *bytes = (uint8_t *)v->gtt + off;
    uint64_t val = 0;

    copy_in(&val, bytes, size);
    return val;
}

void vgpu_gtt_write(struct vgpu *v, uint32_t off, unsigned size, uint64_t val)
{
    copy_out((uint8_t *)v->gtt + off, &val, size);
}
