# shellcheck shell=bash
# A Xen 4.20 host with Linux 6.12 in its dom0: Debian 13.

XEN=4.20 XEN_SUITE=trixie XEN_KERNEL=6.12 XEN_GRUB='' XEN_QEMU=''
. "$LAB_SRC/xen-host.sh"
