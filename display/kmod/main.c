// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dma-bufs of a Xen domain's memory, for a process that emulates a display
 * for that domain. See gtmux_xen_export.h for what it offers and README.md for
 * why it is safe.
 */
#define pr_fmt(fmt) "gtmux-xen-export: " fmt

#include <linux/capability.h>
#include <linux/dma-buf.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <xen/features.h>
#include <xen/xen.h>

#include "gtmux_xen_export.h"
#include "internal.h"

/* A machine address has 52 bits at most: more would be the entry's flags. */
#define GFN_BITS	(52 - PAGE_SHIFT)
#define MB_PAGES(mb)	((unsigned long)(mb) << (20 - PAGE_SHIFT))
#define MB_MOST		4096U

static unsigned int max_mb = 128;
module_param(max_mb, uint, 0644);
MODULE_PARM_DESC(max_mb, "MiB in one dma-buf, 4096 at most (default 128)");

static unsigned int total_mb = 1024;
module_param(total_mb, uint, 0644);
MODULE_PARM_DESC(total_mb, "MiB in all dma-bufs of one open file (default 1024)");

static const struct gtx_kind *kind;

/* ---- files */

static void file_free(struct kref *ref)
{
	kfree(container_of(ref, struct gtx_file, ref));
}

static void file_put(struct gtx_file *f)
{
	kref_put(&f->ref, file_free);
}

static int file_charge(struct gtx_file *f, unsigned long npages)
{
	if (atomic_long_add_return(npages, &f->pages) <= MB_PAGES(total_mb))
		return 0;
	atomic_long_sub(npages, &f->pages);
	return -ENOSPC;
}

/* ---- the dma-buf */

static struct sg_table *gtx_map(struct dma_buf_attachment *at,
				enum dma_data_direction dir)
{
	struct gtx_buffer *b = at->dmabuf->priv;
	struct sg_table *sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	int rc;

	if (!sgt)
		return ERR_PTR(-ENOMEM);
	rc = b->kind->map_sg(b, at->dev, sgt, dir);
	if (!rc)
		return sgt;
	kfree(sgt);
	return ERR_PTR(rc);
}

static void gtx_unmap(struct dma_buf_attachment *at, struct sg_table *sgt,
		      enum dma_data_direction dir)
{
	struct gtx_buffer *b = at->dmabuf->priv;

	b->kind->unmap_sg(at->dev, sgt, dir);
	kfree(sgt);
}

/* A PV kernel could not write such entries anew. */
static int gtx_mprotect(struct vm_area_struct *vma, unsigned long start,
			unsigned long end, unsigned long flags)
{
	return -EACCES;
}

static const struct vm_operations_struct gtx_vm_ops = {
	.mprotect = gtx_mprotect,
};

static void vma_set(struct vm_area_struct *vma, unsigned long flags)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_set(vma, flags);
#else
	vma->vm_flags |= flags;
#endif
}

static int gtx_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct gtx_buffer *b = dmabuf->priv;

	/* dma-buf has checked the range, but this is what we rely on. */
	if (vma->vm_pgoff > b->npages ||
	    vma_pages(vma) > b->npages - vma->vm_pgoff)
		return -EINVAL;
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	/* Such pages cannot be pinned, copied at fork or dumped. */
	vma_set(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP |
		     VM_DONTCOPY);
	vma->vm_ops = &gtx_vm_ops;
	return b->kind->mmap(b, vma, vma->vm_pgoff);
}

static int gtx_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct gtx_buffer *b = dmabuf->priv;
	void *vaddr = b->kind->vmap(b);

	if (!vaddr)
		return -ENOMEM;
	iosys_map_set_vaddr(map, vaddr);
	return 0;
}

static void gtx_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct gtx_buffer *b = dmabuf->priv;

	b->kind->vunmap(b, map->vaddr);
}

static void buffer_free(struct gtx_buffer *b)
{
	b->kind->drop(b);
	atomic_long_sub(b->npages, &b->file->pages);
	file_put(b->file);
	kfree(b);
}

static void gtx_release(struct dma_buf *dmabuf)
{
	buffer_free(dmabuf->priv);
}

/* No begin and end of CPU access: x86 caches are coherent with DMA. */
static const struct dma_buf_ops gtx_ops = {
	.map_dma_buf = gtx_map,
	.unmap_dma_buf = gtx_unmap,
	.mmap = gtx_mmap,
	.vmap = gtx_vmap,
	.vunmap = gtx_vunmap,
	.release = gtx_release,
};

/* ---- create */

/* The pages of all runs, or an error. */
static long count_pages(const struct gtmux_xen_run *run, unsigned int n)
{
	unsigned long most = MB_PAGES(min(max_mb, MB_MOST)), pages = 0;
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (!run[i].pages || run[i].reserved ||
		    run[i].gfn >> GFN_BITS ||
		    (run[i].gfn + run[i].pages - 1) >> GFN_BITS)
			return -EINVAL;
		if (run[i].pages > most - pages)
			return -E2BIG;
		pages += run[i].pages;
	}
	return pages;
}

static xen_pfn_t *list_frames(const struct gtmux_xen_run *run, unsigned int n,
			      unsigned long npages)
{
	xen_pfn_t *gfn = kvmalloc_array(npages, sizeof(*gfn),
					GFP_KERNEL_ACCOUNT);
	unsigned long at = 0;
	unsigned int i, k;

	if (!gfn)
		return NULL;
	for (i = 0; i < n; i++)
		for (k = 0; k < run[i].pages; k++)
			gfn[at++] = run[i].gfn + k;
	return gfn;
}

/* A charged buffer that holds the frames. */
static struct gtx_buffer *buffer_new(struct gtx_file *f, const xen_pfn_t *gfn,
				     unsigned long npages)
{
	struct gtx_buffer *b = kzalloc(sizeof(*b), GFP_KERNEL_ACCOUNT);
	int rc;

	if (!b)
		return ERR_PTR(-ENOMEM);
	b->file = f;
	b->domid = f->domid;
	b->npages = npages;
	b->kind = kind;
	rc = file_charge(f, npages);
	if (rc)
		goto fail;
	rc = kind->hold(b, gfn);
	if (rc)
		goto uncharge;
	kref_get(&f->ref);
	return b;
uncharge:
	atomic_long_sub(npages, &f->pages);
fail:
	kfree(b);
	return ERR_PTR(rc);
}

static struct gtx_buffer *buffer_of_runs(struct gtx_file *f,
					 const struct gtmux_xen_run *run,
					 unsigned int n)
{
	long npages = count_pages(run, n);
	struct gtx_buffer *b;
	xen_pfn_t *gfn;

	if (npages < 0)
		return ERR_PTR(npages);
	gfn = list_frames(run, n, npages);
	if (!gfn)
		return ERR_PTR(-ENOMEM);
	b = buffer_new(f, gfn, npages);
	kvfree(gfn);
	return b;
}

static struct gtx_buffer *buffer_create(struct gtx_file *f,
					const struct gtmux_xen_create *arg)
{
	struct gtmux_xen_run *run;
	struct gtx_buffer *b;

	if (!arg->count)
		return ERR_PTR(-EINVAL);
	/* A run has a page at least, so this bounds what is read. */
	if (arg->count > MB_PAGES(min(max_mb, MB_MOST)))
		return ERR_PTR(-E2BIG);
	run = vmemdup_user(u64_to_user_ptr(arg->runs),
			   array_size(arg->count, sizeof(*run)));
	if (IS_ERR(run))
		return ERR_CAST(run);
	b = buffer_of_runs(f, run, arg->count);
	kvfree(run);
	return b;
}

/* The buffer is the dma-buf's from here on, or gone. */
static int export(struct gtx_buffer *b, int flags)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;
	int fd;

	info.ops = &gtx_ops;
	info.size = b->npages << PAGE_SHIFT;
	info.flags = O_RDWR;
	info.priv = b;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		buffer_free(b);
		return PTR_ERR(dmabuf);
	}
	fd = dma_buf_fd(dmabuf, flags);
	if (fd < 0)
		dma_buf_put(dmabuf);
	return fd;
}

static long create(struct gtx_file *f, const void __user *user)
{
	struct gtmux_xen_create arg;
	struct gtx_buffer *b;

	if (READ_ONCE(f->domid) < 0)
		return -ENOTCONN;
	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	if (arg.flags & ~GTMUX_XEN_CLOEXEC)
		return -EINVAL;
	b = buffer_create(f, &arg);
	if (IS_ERR(b))
		return PTR_ERR(b);
	return export(b, arg.flags & GTMUX_XEN_CLOEXEC ? O_CLOEXEC : 0);
}

/* ---- the device */

static long bind(struct gtx_file *f, const void __user *user)
{
	struct gtmux_xen_bind arg;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	/*
	 * DOMID_IO and DOMID_XEN are names for memory of devices and of Xen.
	 * Of itself no domain exports: Xen would refuse, and so do we.
	 */
	if (arg.flags || !arg.domid || arg.domid >= DOMID_FIRST_RESERVED)
		return -EINVAL;
	return cmpxchg(&f->domid, -1, arg.domid) == -1 ? 0 : -EBUSY;
}

static long gtx_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct gtx_file *f = file->private_data;
	const void __user *user = (const void __user *)arg;

	switch (cmd) {
	case GTMUX_XEN_BIND:
		return bind(f, user);
	case GTMUX_XEN_CREATE:
		return create(f, user);
	default:
		return -ENOTTY;
	}
}

static int gtx_open(struct inode *inode, struct file *file)
{
	struct gtx_file *f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);

	if (!f)
		return -ENOMEM;
	kref_init(&f->ref);
	f->domid = -1;
	file->private_data = f;
	return nonseekable_open(inode, file);
}

static int gtx_close(struct inode *inode, struct file *file)
{
	file_put(file->private_data);
	return 0;
}

static const struct file_operations gtx_fops = {
	.owner = THIS_MODULE,
	.open = gtx_open,
	.release = gtx_close,
	.unlocked_ioctl = gtx_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice gtx_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "gtmux-xen-export",
	.mode = 0600,
	.fops = &gtx_fops,
};

static int __init gtx_init(void)
{
	if (!xen_domain())
		return -ENODEV;
	if (xen_feature(XENFEAT_auto_translated_physmap))
		kind = &gtx_xlate;
#ifdef CONFIG_XEN_PV
	else
		kind = &gtx_pv;
#endif
	return kind ? misc_register(&gtx_device) : -ENODEV;
}

static void __exit gtx_exit(void)
{
	misc_deregister(&gtx_device);
}

module_init(gtx_init);
module_exit(gtx_exit);

MODULE_DESCRIPTION("dma-bufs of a Xen domain's memory for gtmux");
MODULE_AUTHOR("The gtmux authors");
MODULE_LICENSE("GPL");
MODULE_VERSION("1.0");
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
MODULE_IMPORT_NS("DMA_BUF");
#else
MODULE_IMPORT_NS(DMA_BUF);
#endif
