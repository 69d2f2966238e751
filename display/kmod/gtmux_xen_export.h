/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note */
/*
 * /dev/gtmux-xen-export: dma-bufs of the memory of one Xen domain.
 *
 * Open the device, bind the file to a domain, then create dma-bufs. A file
 * that is not bound can do nothing, and what it is bound to never changes:
 * whoever gets a bound file can export frames of that domain and of no other.
 */
#ifndef GTMUX_XEN_EXPORT_H
#define GTMUX_XEN_EXPORT_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define GTMUX_XEN_EXPORT_MAGIC	0xe7

struct gtmux_xen_bind {
	__u32 domid;
	__u32 flags;		/* 0 */
};

/*
 * Binds the file to a domain. The caller needs CAP_SYS_ADMIN: it chooses among
 * all domains.
 *
 * EPERM:  no CAP_SYS_ADMIN
 * EINVAL: no domain that can be exported (0, or one of Xen's special numbers),
 *	   or flags is not 0
 * EBUSY:  the file is bound already
 */
#define GTMUX_XEN_BIND \
	_IOW(GTMUX_XEN_EXPORT_MAGIC, 1, struct gtmux_xen_bind)

/* Guest frames gfn to gfn + pages - 1. */
struct gtmux_xen_run {
	__u64 gfn;
	__u32 pages;		/* 1 or more */
	__u32 reserved;		/* 0 */
};

#define GTMUX_XEN_CLOEXEC	0x01	/* as O_CLOEXEC, for the new descriptor */

struct gtmux_xen_create {
	__u32 flags;		/* GTMUX_XEN_CLOEXEC or 0 */
	__u32 count;		/* of runs, 1 or more */
	__u64 runs;		/* address of an array of struct gtmux_xen_run */
};

/*
 * Returns the descriptor of a new dma-buf of these frames, in this order. A
 * frame may occur more than once. The frames stay allocated, with what the
 * guest writes into them, until the last user of the dma-buf lets go of it.
 *
 * ENOTCONN: the file is not bound
 * EINVAL:   flags, count, a run's pages or reserved is not as said above, or a
 *	     gfn is beyond what any domain can have
 * E2BIG:    more pages than one dma-buf may have (module parameter max_mb)
 * ENOSPC:   more pages than all dma-bufs of this file together may have
 *	     (module parameter total_mb)
 * EFAULT:   the array cannot be read, or a frame is none of the domain's memory
 * ENOENT:   a frame is paged out (xenpaging)
 * ESRCH:    there is no such domain
 */
#define GTMUX_XEN_CREATE \
	_IOW(GTMUX_XEN_EXPORT_MAGIC, 2, struct gtmux_xen_create)

#endif
