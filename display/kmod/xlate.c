// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * In a PVH (or HVM) domain the frames appear at physical addresses where there
 * was no memory, and Xen puts them into the IOMMU's table too. From there on
 * they are pages like others. xen-privcmd does the same for a process.
 */
#include <linux/dma-mapping.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <asm/xen/hypercall.h>
#include <asm/xen/page.h>
#include <xen/interface/memory.h>
#include <xen/page.h>
#include <xen/xen.h>

#include "internal.h"

#define BATCH	256

struct xlate_batch {
	xen_ulong_t gfn[BATCH];
	xen_pfn_t at[BATCH];
	int err[BATCH];
};

/* Xen's answers to a frame that is none are EINVAL and EPERM. */
static int xlate_error(int rc)
{
	return rc == -ESRCH || rc == -ENOENT || rc == -ENOMEM ? rc : -EFAULT;
}

/* True: all n pages are empty again. */
static bool xlate_remove(struct page **pages, unsigned long n, const int *err)
{
	struct xen_remove_from_physmap arg = { .domid = DOMID_SELF };
	bool ok = true;
	unsigned long i;

	for (i = 0; i < n; i++) {
		if (err && err[i])
			continue;	/* was never filled */
		arg.gpfn = page_to_xen_pfn(pages[i]);
		if (HYPERVISOR_memory_op(XENMEM_remove_from_physmap, &arg))
			ok = false;
		if (i % BATCH == 0)
			cond_resched();
	}
	return ok;
}

/* Gives the pages back, which must be empty: else they would be reused. */
static void xlate_free(struct gtx_buffer *b, bool empty)
{
	if (empty)
		xen_free_unpopulated_pages(b->npages, b->pages);
	else
		pr_crit("gtmux-xen-export: Xen does not take back frames of domain %u: %lu pages are lost\n",
			b->domid, b->npages);
	kvfree(b->pages);
}

/* All n, or none and an error; *empty says whether "none" is sure. */
static int xlate_add(struct gtx_buffer *b, const xen_pfn_t *gfn,
		     unsigned long first, unsigned int n,
		     struct xlate_batch *batch, bool *empty)
{
	struct xen_add_to_physmap_range arg = {
		.domid = DOMID_SELF,
		.space = XENMAPSPACE_gmfn_foreign,
		.size = n,
		.foreign_domid = b->domid,
	};
	unsigned int i;
	int rc;

	for (i = 0; i < n; i++) {
		batch->gfn[i] = gfn[first + i];
		batch->at[i] = page_to_xen_pfn(b->pages[first + i]);
		batch->err[i] = -EFAULT;
	}
	set_xen_guest_handle(arg.idxs, batch->gfn);
	set_xen_guest_handle(arg.gpfns, batch->at);
	set_xen_guest_handle(arg.errs, batch->err);
	rc = HYPERVISOR_memory_op(XENMEM_add_to_physmap_range, &arg);
	for (i = 0; i < n && !rc; i++)
		rc = batch->err[i];
	if (!rc)
		return 0;
	if (!xlate_remove(b->pages + first, n, batch->err))
		*empty = false;
	return xlate_error(rc);
}

static int xlate_fill(struct gtx_buffer *b, const xen_pfn_t *gfn)
{
	struct xlate_batch *batch = kmalloc(sizeof(*batch), GFP_KERNEL);
	bool empty = true;
	unsigned long i, n;
	int rc = batch ? 0 : -ENOMEM;

	for (i = 0; i < b->npages && !rc; i += n) {
		n = min_t(unsigned long, b->npages - i, BATCH);
		rc = xlate_add(b, gfn, i, n, batch, &empty);
		if (rc)
			break;
		cond_resched();
	}
	kfree(batch);
	if (!rc)
		return 0;
	if (!xlate_remove(b->pages, i, NULL))
		empty = false;
	xlate_free(b, empty);
	return rc;
}

static int xlate_hold(struct gtx_buffer *b, const xen_pfn_t *gfn)
{
	int rc;

	b->pages = kvmalloc_array(b->npages, sizeof(*b->pages),
				  GFP_KERNEL_ACCOUNT);
	if (!b->pages)
		return -ENOMEM;
	rc = xen_alloc_unpopulated_pages(b->npages, b->pages);
	if (rc) {
		kvfree(b->pages);
		return rc;
	}
	return xlate_fill(b, gfn);
}

static void xlate_drop(struct gtx_buffer *b)
{
	xlate_free(b, xlate_remove(b->pages, b->npages, NULL));
}

static void xlate_unmap_sg(struct device *dev, struct sg_table *sgt,
			   enum dma_data_direction dir)
{
	dma_unmap_sgtable(dev, sgt, dir, DMA_ATTR_SKIP_CPU_SYNC);
	sg_free_table(sgt);
}

static bool xlate_reachable(const struct gtx_buffer *b, struct device *dev)
{
	unsigned long i;

	for (i = 0; i < b->npages; i++)
		if (!gtx_reaches(dev, page_to_phys(b->pages[i])))
			return false;
	return true;
}

/* A bounce buffer would show what was there once, not what the guest draws. */
static bool xlate_bounced(const struct sg_table *sgt)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_dma_sg(sgt, sg, i)
		if (sg_dma_address(sg) != sg_phys(sg))
			return true;
	return false;
}

static int xlate_map_sg(struct gtx_buffer *b, struct device *dev,
			struct sg_table *sgt, enum dma_data_direction dir)
{
	int rc;

	if (!xlate_reachable(b, dev))
		return -ERANGE;
	rc = sg_alloc_table_from_pages_segment(sgt, b->pages, b->npages, 0,
					       b->npages << PAGE_SHIFT,
					       dma_get_max_seg_size(dev),
					       GFP_KERNEL);
	if (rc)
		return rc;
	rc = dma_map_sgtable(dev, sgt, dir, 0);
	if (rc) {
		sg_free_table(sgt);
		return rc;
	}
	if (!xlate_bounced(sgt))
		return 0;
	xlate_unmap_sg(dev, sgt, dir);
	return -ERANGE;
}

struct xlate_cursor {
	struct gtx_buffer *b;
	unsigned long next;
	struct vm_area_struct *vma;
};

static int xlate_set_pte(pte_t *pte, unsigned long addr, void *data)
{
	struct xlate_cursor *c = data;
	unsigned long pfn = page_to_pfn(c->b->pages[c->next++]);

	set_pte_at(c->vma->vm_mm, addr, pte,
		   pte_mkspecial(pfn_pte(pfn, c->vma->vm_page_prot)));
	return 0;
}

/*
 * Not by remap_pfn_range(): what x86 knows of these addresses is that they are
 * no RAM, and it would map them uncached.
 */
static int xlate_mmap(struct gtx_buffer *b, struct vm_area_struct *vma,
		      unsigned long first)
{
	struct xlate_cursor c = { .b = b, .next = first, .vma = vma };

	return apply_to_page_range(vma->vm_mm, vma->vm_start,
				   vma->vm_end - vma->vm_start, xlate_set_pte,
				   &c);
}

static void *xlate_vmap(struct gtx_buffer *b)
{
	return vmap(b->pages, b->npages, VM_MAP, PAGE_KERNEL);
}

static void xlate_vunmap(struct gtx_buffer *b, void *vaddr)
{
	vunmap(vaddr);
}

const struct gtx_kind gtx_xlate = {
	.hold = xlate_hold,
	.drop = xlate_drop,
	.map_sg = xlate_map_sg,
	.unmap_sg = xlate_unmap_sg,
	.mmap = xlate_mmap,
	.vmap = xlate_vmap,
	.vunmap = xlate_vunmap,
};
