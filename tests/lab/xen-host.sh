# shellcheck shell=bash
# Sourced by parts/xen-*.sh, which say XEN, XEN_SUITE, XEN_KERNEL, XEN_GRUB and XEN_QEMU: the hypervisor, dom0's kernel
# and initramfs, dom0's root file system (a read-only squashfs) and perhaps a GRUB for guests and a QEMU to run it all.
. "$LAB_SRC/parts/qemu.sh"

part_needs()  { echo kernels; }
part_inputs() { printf '%s\n' "$LAB_SRC/parts/qemu.sh" "$LAB_SRC/xen-host.sh" "$LAB_SRC/xen-initramfs" "$LAB_SRC/xen-init"; }
part_tools()  { echo cpio:cpio gensquashfs:squashfs-tools-ng depmod:kmod; }

# xen_packages: of dom0. Nothing of gtmux is in it, but the libraries of gtmux and gtmux-dm are.
xen_packages() {
    local t64=''
    [ "$XEN_SUITE" = bookworm ] || t64=t64
    echo bash dash coreutils util-linux mount busybox-static kmod sed grep gawk procps strace libc-bin \
        "xen-hypervisor-$XEN-amd64" "xen-utils-$XEN" xen-utils-common xenstore-utils qemu-system-xen seabios \
        libxendevicemodel1 libxenforeignmemory1 libxenevtchn1 libxentoolcore1 libxenstore4 \
        libcjson1 libzstd1 "libpng16-16$t64" libseccomp2 libdrm2 libpciaccess0
}

# xen_prune ROOT: what dom0 does without: its services, scripts in Python and Perl, firmware for other machines.
xen_prune() {
    local r=$1 l=$1/usr/lib/x86_64-linux-gnu
    rm -rf "${r:?}"/{boot,media,opt,srv,usr/include,usr/games,usr/lib/debug,usr/lib/systemd,usr/lib/udev,lib/systemd,lib/udev} \
        "$r"/usr/share/{doc,man,locale,info,lintian,bug,perl,perl5,zoneinfo,bash-completion,icons,applications,xml,i18n} \
        "$r"/usr/lib/{python3*,ipxe,valgrind,locale} "$r"/usr/share/{python3*,gcc,gdb} "$r"/usr/bin/{perl*,python3*} \
        "$r"/var/{cache,lib/apt,lib/dpkg} "$l"/{perl*,gconv,systemd} "$r"/usr/share/seabios/{vgabios-[!sc]*,bios-microvm.bin} \
        "$r"/usr/lib/xen-*/boot/*shim*
    find "$r/usr/share/qemu" -maxdepth 1 -type f ! -name '*.bin' ! -name 'efi-e1000.rom' -delete
    find "$r/usr/share/qemu" -maxdepth 1 -type f -size +1M -delete
}

# xen_root DEBS ROOT KERNEL_DIR
xen_root() {
    local r=$2
    debs_unpack "$1" "$r"
    xen_merge_usr "$r"
    gzip -dc "$r"/boot/xen-*-amd64.gz > "$r/../xen"
    xen_prune "$r"
    mkdir -p "$r"/{proc,sys,dev,run,tmp,mnt/share,mnt/parts,root,etc/xen} "$r"/var/{log/xen,lib/xen,lock}
    rm -rf "$r/var/run" "$r/lib/modules" "$r/usr/lib/modules"
    ln -s ../run "$r/var/run"
    cp -a "$3/dom0-modules/lib/modules" "$r/usr/lib/"
    echo 'root:x:0:0:root:/root:/bin/bash' > "$r/etc/passwd"
    echo 'root:x:0:' > "$r/etc/group"
    echo dom0 > "$r/etc/hostname"
    install -m 755 "$LAB_SRC/xen-init" "$r/usr/sbin/xen-init"
    ldconfig -r "$r"
}

# xen_merge_usr ROOT: packages of Debian 12 still ship /bin, /sbin and /lib.
xen_merge_usr() {
    local r=$1 dir
    for dir in bin sbin lib lib64; do
        if [ -d "$r/$dir" ] && [ ! -L "$r/$dir" ]; then
            mkdir -p "$r/usr/$dir"
            cp -a "$r/$dir/." "$r/usr/$dir/"
            rm -rf "${r:?}/$dir"
        fi
        mkdir -p "$r/usr/$dir"
        ln -sfn "usr/$dir" "$r/$dir"
    done
}

# xen_initramfs BUSYBOX KERNEL_DIR ROOT: finds dom0's disk and changes to it.
xen_initramfs() {
    local r=$3 tree release module n=0
    release=$(cat "$2/version")
    mkdir -p "$r"/{bin,dev,proc,sys,ro,rw,new,modules}
    install -m 755 "$1" "$r/bin/busybox"
    ln -s busybox "$r/bin/sh"
    install -m 755 "$LAB_SRC/xen-initramfs" "$r/init"
    tree=$2/dom0-modules
    modprobe -d "$tree" -S "$release" --show-depends -a virtio_pci virtio_blk squashfs overlay |
        awk '$1 == "insmod" && !seen[$2]++ { print $2 }' > "$r/../order"
    while read -r module; do
        n=$((n + 1))
        cp "$module" "$r/modules/$(printf '%02d' $n)-$(basename "$module")"
    done < "$r/../order"
    [ $n -gt 0 ] || die "xen-$XEN: no modules for dom0's initramfs" "Looked in $tree."
}

# xen_grub TMP OUT: boot sector and core image, which read /grub.cfg of a tar archive in the first partition.
xen_grub() {
    local r=$1/grub l
    debs_closure "$1/grub-debs" "$XEN_SUITE" grub-common grub-pc-bin
    debs_unpack "$1/grub-debs" "$r"
    xen_merge_usr "$r"
    l=$r/usr/lib/x86_64-linux-gnu
    echo 'configfile (hd0,msdos1)/grub.cfg' > "$1/early.cfg"
    "$l/ld-linux-x86-64.so.2" --inhibit-cache --library-path "$l" "$r/usr/bin/grub-mkimage" -O i386-pc \
        -d "$r/usr/lib/grub/i386-pc" -c "$1/early.cfg" -p / -o "$1/core" biosdisk part_msdos tar linux normal configfile
    cat "$r/usr/lib/grub/i386-pc/boot.img" "$1/core" > "$2/grub.bin"
}

# xen_qemu TMP OUT: QEMU of the same suite.
xen_qemu() {
    say "xen-$XEN: downloading QEMU of $XEN_SUITE (about 40 MB)"
    debs_closure "$1/qemu-debs" "$XEN_SUITE" qemu-system-x86 qemu-utils
    debs_unpack "$1/qemu-debs" "$2"
    xen_merge_usr "$2"
    qemu_prune "$2"
    qemu_install "$2" qemu-system-x86_64 '-L "$d/usr/share/qemu" -L "$d/usr/share/seabios" -L "$d/usr/lib/ipxe/qemu" '
    "$2/qemu-system-x86_64" --version
}

part_build() {
    local out=$1 tmp=$2 kernel
    kernel=$(part_dir kernels)/$XEN_KERNEL
    pool_open "$XEN_SUITE"
    say "xen-$XEN: downloading dom0's packages from $XEN_SUITE (about 60 MB)"
    # shellcheck disable=SC2046
    debs_closure "$tmp/debs" "$XEN_SUITE" $(xen_packages)
    say "xen-$XEN: unpacking $(find "$tmp/debs" -name '*.deb' | wc -l) packages"
    xen_root "$tmp/debs" "$tmp/root" "$kernel"
    mv "$tmp/xen" "$out/xen"
    cp "$kernel/vmlinuz" "$out/vmlinuz"
    xen_initramfs "$tmp/root/usr/bin/busybox" "$kernel" "$tmp/initramfs"
    (cd "$tmp/initramfs" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet | gzip -n1) > "$out/initrd.gz"
    say "xen-$XEN: packing dom0's file system, $(du -sh "$tmp/root" | cut -f1)"
    # --all-root: a plain user may make it. 4 KiB blocks' worth of waste buys the quick start: lz4, as in part root.
    gensquashfs -q -f -c lz4 -X hc -j 2 --all-root -D "$tmp/root" "$out/dom0.img" ||
        die "xen-$XEN: gensquashfs failed" "Its messages are above."
    (cd "$tmp/debs" && find . -name "xen-hypervisor-$XEN*.deb" -o -name 'qemu-system-xen_*.deb') |
        sed -E 's|^\./||; s|_amd64\.deb||; s|%3a|:|; s|_| |' | sort | tr '\n' ' ' > "$out/.versions"
    cat "$kernel/version" >> "$out/.versions"
    [ -z "$XEN_GRUB" ] || xen_grub "$tmp" "$out"
    [ -z "$XEN_QEMU" ] || xen_qemu "$tmp" "$out/qemu"
}
