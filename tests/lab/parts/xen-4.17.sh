# shellcheck shell=bash
# A Xen 4.17 host with Linux 6.1 in its dom0: Debian 12.

# XEN_GRUB: QEMU 7.2 gives a Xen guest its -kernel byte by byte through an I/O port (hw/i386/pc.c xen_load_linux: fw_cfg
# without DMA), which takes 40 s here; GRUB reads a disk in 2 s.
# XEN_QEMU: QEMU 10 and 11 (TCG) take a guest's read of CR2 for one of CR0, which Xen intercepts. Xen emulates it, but 4.17
# does not have a guest's CR2 under nested paging: Linux dies in its first page fault. QEMU 7.2 does it right.
XEN=4.17 XEN_SUITE=bookworm XEN_KERNEL=6.1 XEN_GRUB=1 XEN_QEMU=1
. "$LAB_SRC/xen-host.sh"
