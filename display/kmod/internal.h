/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef GTMUX_XEN_EXPORT_INTERNAL_H
#define GTMUX_XEN_EXPORT_INTERNAL_H

#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/iosys-map.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/version.h>
#include <xen/interface/xen.h>

/* An open file. Its dma-bufs hold it too, for their share of its limit. */
struct gtx_file {
	struct kref ref;
	int domid;		/* -1: not bound; set once */
	atomic_long_t pages;	/* of all its dma-bufs */
};

/* What is behind one dma-buf. */
struct gtx_buffer {
	struct gtx_file *file;
	domid_t domid;
	unsigned long npages;
	const struct gtx_kind *kind;

	/* PV: where the frames are mapped, and which machine frames they are */
	void *vaddr;
	xen_pfn_t *mfn;

	/* auto-translated: our physical addresses in which they appear */
	struct page **pages;
};

/*
 * The two ways in which Xen lets a domain have another's frames. `hold` makes
 * Xen take a reference on each frame, so that none goes to somebody else while
 * a device may still read it; `drop` gives the references back.
 */
struct gtx_kind {
	int (*hold)(struct gtx_buffer *b, const xen_pfn_t *gfn);
	void (*drop)(struct gtx_buffer *b);
	/* Fills in an empty table, mapped for the device. */
	int (*map_sg)(struct gtx_buffer *b, struct device *dev,
		      struct sg_table *sgt, enum dma_data_direction dir);
	void (*unmap_sg)(struct device *dev, struct sg_table *sgt,
			 enum dma_data_direction dir);
	/* All of a vma whose flags are set; first: page of the buffer. */
	int (*mmap)(struct gtx_buffer *b, struct vm_area_struct *vma,
		    unsigned long first);
	void *(*vmap)(struct gtx_buffer *b);
	void (*vunmap)(struct gtx_buffer *b, void *vaddr);
};

/* True when a device can address a page. */
static inline bool gtx_reaches(struct device *dev, u64 address)
{
	u64 limit = min_not_zero(dma_get_mask(dev), dev->bus_dma_limit);

	return address + PAGE_SIZE - 1 <= limit;
}

extern const struct gtx_kind gtx_pv, gtx_xlate;

#endif
