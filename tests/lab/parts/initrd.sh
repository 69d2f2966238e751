# shellcheck shell=bash
# A base initramfs for each kernel: static busybox, the lab's init, modules.

part_needs()  { echo kernels; }
part_inputs() { echo "$LAB_SRC/init"; }
part_tools()  { echo cpio:cpio depmod:kmod; }

# Modules loaded by init before i915, and those that only gt.root needs.
BOOT_MODULES='virtio_pci'
ROOT_MODULES='virtio_blk xen-blkfront squashfs overlay'

# load_order TREE MODULE...: paths in the order of loading, each once.
load_order() {
    local tree=$1
    shift
    awk -v want="$*" '
        function stem(p) { sub(/.*\//, "", p); sub(/\.ko.*/, "", p); gsub(/-/, "_", p); return p }
        { path[stem($1)] = $0 }
        END {
            n = split(want, w)
            for (i = 1; i <= n; i++) if (stem(w[i]) in path) {
                m = split(path[stem(w[i])], p)
                for (j = m; j >= 1; j--) { sub(/:$/, "", p[j]); if (!done[p[j]]++) print p[j] }
            }
        }' "$tree/modules.dep"
}

# initrd_tree KERNEL_DIR BUSYBOX ROOT
initrd_tree() {
    local release tree r=$3 applet
    release=$(cat "$1/version")
    mkdir -p "$r"/{bin,sbin,etc,dev,proc,sys,tmp,run,t,ro,rw,root-fs,root,lib}
    cp "$2" "$r/bin/busybox"
    "$2" --list | grep -vx busybox | while read -r applet; do ln -s busybox "$r/bin/$applet"; done
    ln -s ../bin/modprobe "$r/sbin/modprobe"    # for the kernel's own requests
    cp -a "$1/modules/lib/modules" "$r/lib/"
    tree=$r/lib/modules/$release
    rm -f "$tree"/modules.{order,builtin,builtin.modinfo,symbols,alias.bin,symbols.bin,dep.bin,softdep,devname}
    load_order "$tree" $BOOT_MODULES > "$r/lib/order.boot"
    load_order "$tree" $ROOT_MODULES > "$r/lib/order.root"
    load_order "$tree" i915 > "$r/lib/order.i915"
    grep -q '/i915\.ko$' "$r/lib/order.i915" || die "initrd: i915 is not among the modules of $release"
    cp "$LAB_SRC/init" "$r/init"
    chmod 755 "$r/init"
}

part_build() {
    local out=$1 tmp=$2 kernels dir name
    kernels=$(part_dir kernels)
    pool_open trixie
    debs_only "$tmp/debs" busybox-static
    debs_unpack "$tmp/debs" "$tmp/busybox"
    for dir in "$kernels"/*/; do
        name=$(basename "$dir")
        say "initrd: packing $name"
        initrd_tree "$dir" "$tmp/busybox/usr/bin/busybox" "$tmp/$name"
        (cd "$tmp/$name" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet | gzip -n1) > "$out/$name.cpio.gz"
    done
    "$tmp/busybox/usr/bin/busybox" 2>&1 | sed -n '1s/\(BusyBox [^ ]*\).*/\1/p' > "$out/.versions"
}
