// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A PV domain has no physical addresses of its own for foreign frames, only
 * page table entries, which Xen checks and counts. So one kernel mapping holds
 * the frames of a buffer. It also tells, in its entries, which machine frames
 * they are: those are the DMA addresses, as a PV dom0's IOMMU mapping of RAM is
 * one to one (unless Xen runs with iommu=dom0-strict). Linux has no struct page
 * of them.
 */
#include <linux/dma-mapping.h>
#include <linux/pgtable.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <asm/xen/hypercall.h>
#include <asm/xen/page.h>
#include <xen/xen-ops.h>

#include "internal.h"

#ifdef CONFIG_XEN_PV

#define BATCH	32

/* A range of kernel addresses with page table entries that can be replaced. */
static void *pv_reserve(unsigned long npages)
{
	struct page **zero = kvmalloc_array(npages, sizeof(*zero), GFP_KERNEL);
	unsigned long i;
	void *vaddr;

	if (!zero)
		return NULL;
	for (i = 0; i < npages; i++)
		zero[i] = ZERO_PAGE(0);
	vaddr = vmap(zero, npages, VM_MAP, PAGE_KERNEL_RO);
	kvfree(zero);
	return vaddr;
}

static pte_t *pv_pte(struct gtx_buffer *b, unsigned long i)
{
	unsigned int level;
	pte_t *pte = lookup_address((unsigned long)b->vaddr + i * PAGE_SIZE,
				    &level);

	return pte && level == PG_LEVEL_4K ? pte : NULL;
}

/* Xen's answers to a frame that is none are EINVAL and EPERM. */
static int pv_error(int rc)
{
	return rc == -ESRCH || rc == -ENOENT || rc == -ENOMEM ? rc : -EFAULT;
}

static int pv_set_batch(struct gtx_buffer *b, const xen_pfn_t *gfn,
			unsigned long first, unsigned int n)
{
	struct mmu_update update[BATCH];
	unsigned int i;
	int rc;

	for (i = 0; i < n; i++) {
		pte_t *pte = pv_pte(b, first + i);

		if (WARN_ON_ONCE(!pte))
			return -ENOMEM;
		update[i].ptr = arbitrary_virt_to_machine(pte).maddr |
				MMU_NORMAL_PT_UPDATE;
		update[i].val = pte_val_ma(mfn_pte(gfn[first + i],
						   PAGE_KERNEL));
	}
	rc = HYPERVISOR_mmu_update(update, n, NULL, b->domid);
	return rc ? pv_error(rc) : 0;
}

/* The entries were those of the zero page, which a processor may remember. */
static void pv_flush(void)
{
	struct mmuext_op op = { .cmd = MMUEXT_TLB_FLUSH_ALL };

	if (HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF))
		WARN_ON_ONCE(1);
}

static void pv_drop(struct gtx_buffer *b)
{
	vunmap(b->vaddr);	/* clears the entries, present or not */
	kvfree(b->mfn);
}

static int pv_hold(struct gtx_buffer *b, const xen_pfn_t *gfn)
{
	unsigned long i, n;
	int rc = 0;

	b->mfn = kvmalloc_array(b->npages, sizeof(*b->mfn),
				GFP_KERNEL_ACCOUNT);
	b->vaddr = b->mfn ? pv_reserve(b->npages) : NULL;
	if (!b->vaddr) {
		kvfree(b->mfn);
		return -ENOMEM;
	}
	for (i = 0; i < b->npages && !rc; i += n) {
		n = min_t(unsigned long, b->npages - i, BATCH);
		rc = pv_set_batch(b, gfn, i, n);
		cond_resched();
	}
	pv_flush();
	for (i = 0; i < b->npages && !rc; i++)
		b->mfn[i] = pte_mfn(*pv_pte(b, i));
	if (rc)
		pv_drop(b);
	return rc;
}

/* The number of pages from first on that lie together, `most` at most. */
static unsigned long pv_run(const struct gtx_buffer *b, unsigned long first,
			    unsigned long most)
{
	unsigned long n = 1;

	while (n < most && first + n < b->npages &&
	       b->mfn[first + n] == b->mfn[first] + n)
		n++;
	return n;
}

static bool pv_reachable(const struct gtx_buffer *b, struct device *dev)
{
	unsigned long i;

	for (i = 0; i < b->npages; i++)
		if (!gtx_reaches(dev, PFN_PHYS(b->mfn[i])))
			return false;
	return true;
}

static int pv_map_sg(struct gtx_buffer *b, struct device *dev,
		     struct sg_table *sgt, enum dma_data_direction dir)
{
	unsigned long most = max(dma_get_max_seg_size(dev) >> PAGE_SHIFT, 1U);
	unsigned long i, n;
	unsigned int runs = 0;
	struct scatterlist *sg;
	int rc;

	if (!pv_reachable(b, dev))
		return -ERANGE;	/* nobody could keep a bounce buffer up to date */
	for (i = 0; i < b->npages; i += pv_run(b, i, most))
		runs++;
	rc = sg_alloc_table(sgt, runs, GFP_KERNEL);
	if (rc)
		return rc;
	sg = sgt->sgl;
	for (i = 0; i < b->npages; i += n) {
		n = pv_run(b, i, most);
		sg_set_page(sg, NULL, n << PAGE_SHIFT, 0);
		sg_dma_address(sg) = PFN_PHYS(b->mfn[i]);
		sg_dma_len(sg) = n << PAGE_SHIFT;
		sg = sg_next(sg);
	}
	return 0;
}

static void pv_unmap_sg(struct device *dev, struct sg_table *sgt,
			enum dma_data_direction dir)
{
	sg_free_table(sgt);
}

/* By machine frame: the guest may have another frame at that gfn by now. */
static int pv_mmap(struct gtx_buffer *b, struct vm_area_struct *vma,
		   unsigned long first)
{
	unsigned long npages = vma_pages(vma), i, n;
	int err[BATCH];
	int rc;

	for (i = 0; i < npages; i += n) {
		n = min_t(unsigned long, npages - i, BATCH);
		rc = xen_remap_domain_mfn_array(vma,
						vma->vm_start + i * PAGE_SIZE,
						b->mfn + first + i, n, err,
						vma->vm_page_prot, b->domid);
		if (rc != n)
			return rc < 0 ? rc : -EFAULT;
		cond_resched();
	}
	return 0;
}

static void *pv_vmap(struct gtx_buffer *b)
{
	return b->vaddr;
}

static void pv_vunmap(struct gtx_buffer *b, void *vaddr)
{
}

const struct gtx_kind gtx_pv = {
	.hold = pv_hold,
	.drop = pv_drop,
	.map_sg = pv_map_sg,
	.unmap_sg = pv_unmap_sg,
	.mmap = pv_mmap,
	.vmap = pv_vmap,
	.vunmap = pv_vunmap,
};

#endif
