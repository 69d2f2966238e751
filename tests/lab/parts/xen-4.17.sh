# shellcheck shell=bash
# A Xen 4.17 host with Linux 6.1 in its dom0: Debian 12.

# QEMU 7.2 gives a Xen guest its -kernel byte by byte through an I/O port (hw/i386/pc.c xen_load_linux: fw_cfg without
# DMA), which takes 40 s here; GRUB reads a disk in 2 s.
XEN=4.17 XEN_SUITE=bookworm XEN_KERNEL=6.1 XEN_GRUB=1
. "$LAB_SRC/xen-host.sh"
