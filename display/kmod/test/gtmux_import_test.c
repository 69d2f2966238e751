// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A dma-buf importer that only tells what it was given, for the tests: no part
 * of what is installed.
 *
 * A process writes the number of a dma-buf's descriptor to debugfs'
 * gtmux-import-test/list; then it reads lines "ADDRESS LENGTH" (hexadecimal),
 * the DMA addresses of a device that reaches all of memory. In list-24bit they
 * are those of a device that reaches 16 MiB. The import ends when the file is
 * closed.
 */
#include <linux/debugfs.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define dma_buf_map_attachment_unlocked	dma_buf_map_attachment
#define dma_buf_unmap_attachment_unlocked	dma_buf_unmap_attachment
#endif

struct import {
	struct mutex lock;
	struct device *dev;
	struct dma_buf_attachment *at;
	struct sg_table *sgt;
};

static struct platform_device *wide, *narrow;
static struct dentry *dir;

static int import_show(struct seq_file *s, void *unused)
{
	struct import *im = s->private;
	struct scatterlist *sg;
	unsigned int i;

	mutex_lock(&im->lock);
	if (im->sgt)
		for_each_sgtable_dma_sg(im->sgt, sg, i)
			seq_printf(s, "%llx %x\n", (u64)sg_dma_address(sg),
				   sg_dma_len(sg));
	mutex_unlock(&im->lock);
	return 0;
}

static int import_begin(struct import *im, int fd)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);
	int rc = 0;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	im->at = dma_buf_attach(dmabuf, im->dev);
	if (IS_ERR(im->at)) {
		rc = PTR_ERR(im->at);
		im->at = NULL;
		dma_buf_put(dmabuf);
		return rc;
	}
	im->sgt = dma_buf_map_attachment_unlocked(im->at, DMA_BIDIRECTIONAL);
	if (IS_ERR(im->sgt)) {
		rc = PTR_ERR(im->sgt);
		im->sgt = NULL;
		dma_buf_detach(dmabuf, im->at);
		im->at = NULL;
		dma_buf_put(dmabuf);
	}
	return rc;
}

static ssize_t import_write(struct file *file, const char __user *user,
			    size_t n, loff_t *pos)
{
	struct import *im = ((struct seq_file *)file->private_data)->private;
	int fd, rc = kstrtoint_from_user(user, n, 10, &fd);

	if (rc)
		return rc;
	mutex_lock(&im->lock);
	rc = im->at ? -EBUSY : import_begin(im, fd);
	mutex_unlock(&im->lock);
	return rc ? rc : n;
}

static int import_open(struct inode *inode, struct file *file)
{
	struct import *im = kzalloc(sizeof(*im), GFP_KERNEL);
	int rc;

	if (!im)
		return -ENOMEM;
	mutex_init(&im->lock);
	im->dev = inode->i_private;
	rc = single_open(file, import_show, im);
	if (rc)
		kfree(im);
	return rc;
}

static int import_release(struct inode *inode, struct file *file)
{
	struct import *im = ((struct seq_file *)file->private_data)->private;
	struct dma_buf *dmabuf;

	if (im->at) {
		dmabuf = im->at->dmabuf;
		dma_buf_unmap_attachment_unlocked(im->at, im->sgt,
						  DMA_BIDIRECTIONAL);
		dma_buf_detach(dmabuf, im->at);
		dma_buf_put(dmabuf);
	}
	kfree(im);
	return single_release(inode, file);
}

static const struct file_operations import_fops = {
	.owner = THIS_MODULE,
	.open = import_open,
	.read = seq_read,
	.write = import_write,
	.llseek = seq_lseek,
	.release = import_release,
};

/* Not by dma_set_mask(), which asks whether anybody has memory for such one. */
static struct platform_device *device_new(int id, u64 mask)
{
	struct platform_device *p;

	p = platform_device_register_simple("gtmux-import-test", id, NULL, 0);
	if (IS_ERR(p))
		return p;
	dma_set_max_seg_size(&p->dev, UINT_MAX);
	p->dev.dma_mask = &p->dev.coherent_dma_mask;
	p->dev.coherent_dma_mask = mask;
	return p;
}

static int __init import_init(void)
{
	wide = device_new(0, DMA_BIT_MASK(64));
	if (IS_ERR(wide))
		return PTR_ERR(wide);
	narrow = device_new(1, DMA_BIT_MASK(24));
	if (IS_ERR(narrow)) {
		platform_device_unregister(wide);
		return PTR_ERR(narrow);
	}
	dir = debugfs_create_dir("gtmux-import-test", NULL);
	debugfs_create_file("list", 0600, dir, &wide->dev, &import_fops);
	debugfs_create_file("list-24bit", 0600, dir, &narrow->dev,
			    &import_fops);
	return 0;
}

static void __exit import_exit(void)
{
	debugfs_remove(dir);
	platform_device_unregister(narrow);
	platform_device_unregister(wide);
}

module_init(import_init);
module_exit(import_exit);

MODULE_DESCRIPTION("dma-buf importer for the tests of gtmux");
MODULE_LICENSE("GPL");
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
MODULE_IMPORT_NS("DMA_BUF");
#else
MODULE_IMPORT_NS(DMA_BUF);
#endif
