# shellcheck shell=bash
# Debian's own kernels: the boot image and those modules (with all that they
# depend on) that a guest of the lab may need, decompressed.

KERNELS='6.1 6.12 7'
MODULES='i915 vgem evdev uinput virtio_pci virtio_blk virtio_console loop overlay
         squashfs ext4 erofs crc32c_generic crc32c_intel xen-blkfront'
# What a Xen dom0 needs beside its root file system (parts xen-*); a tree of its own.
DOM0_MODULES='virtio_pci virtio_blk virtio_console squashfs overlay 9p 9pnet_virtio
              xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xenfs xen-blkback'

part_tools() { echo depmod:kmod xz:xz-utils zstd:zstd; }

# kernel_pool NAME: apt pool that has the kernel.
kernel_pool() { case $1 in 6.1) echo bookworm ;; *) echo trixie ;; esac; }

# kernel_image NAME: the package that linux-image-amd64 of the wanted series depends on.
kernel_image() {
    apt-cache show linux-image-amd64 | awk -v want="$1." '
        /^Version: / { ok = index($2, want) == 1 }
        ok && /^Depends: / { if (match($0, /linux-image-[0-9][^ ,]*-amd64/)) { print substr($0, RSTART, RLENGTH); exit } }'
}

# kernel_debs IMAGE: the image package, and its parts if it is split (Linux 7).
kernel_debs() {
    local release=${1#linux-image-}
    printf '%s\n' "$1"
    apt-cache show "$1" | awk '/^Depends: /' | grep -oE "linux-(base|binary|modules)-${release//+/\\+}" | sort -u
}

# modules_closure TREE MODULE...: paths of the wanted modules and of all they depend on.
modules_closure() {
    awk -v want="${*:2}" '
        function stem(p) { sub(/.*\//, "", p); sub(/\.ko.*/, "", p); gsub(/-/, "_", p); return p }
        BEGIN { n = split(want, w); for (i = 1; i <= n; i++) { gsub(/-/, "_", w[i]); wanted[w[i]] = 1 } }
        stem($1) in wanted { gsub(/:/, ""); for (i = 1; i <= NF; i++) print $i }' "$1/modules.dep" | sort -u
}

# module_copy FROM TO: decompressed.
module_copy() {
    mkdir -p "$(dirname "$2")"
    case $1 in
        *.xz)  xz -dc "$1" > "${2%.xz}" ;;
        *.zst) zstd -qdc "$1" > "${2%.zst}" ;;
        *)     cp "$1" "$2" ;;
    esac
}

# kernel_build NAME OUT TMP
kernel_build() {
    local name=$1 out=$2/$1 tmp=$3/$1 image release tree module debs
    image=$(kernel_image "$name")
    [ -n "$image" ] || die "kernels: no linux-image-amd64 of version $name found" \
        "Looked in the pool '$(kernel_pool "$name")' of the mirror."
    mapfile -t debs < <(kernel_debs "$image")
    say "kernels: downloading ${debs[*]} (about 70 to 120 MB)"
    debs_only "$tmp/debs" "${debs[@]}"
    say "kernels: unpacking $image"
    debs_unpack "$tmp/debs" "$tmp/tree"
    release=${image#linux-image-}
    mkdir -p "$out" "$tmp/base/lib/modules"
    cp "$tmp"/tree/boot/vmlinuz-* "$out/vmlinuz" 2>/dev/null || cp "$tmp/tree/usr/lib/modules/$release/vmlinuz" "$out/vmlinuz"
    for tree in "$tmp/tree/lib/modules/$release" "$tmp/tree/usr/lib/modules/$release"; do
        [ ! -d "$tree/kernel" ] || mv "$tree" "$tmp/base/lib/modules/"
    done
    depmod -b "$tmp/base" "$release"
    # shellcheck disable=SC2086
    kernel_modules "$tmp/base/lib/modules/$release" "$out/modules" $MODULES
    # shellcheck disable=SC2086
    kernel_modules "$tmp/base/lib/modules/$release" "$out/dom0-modules" $DOM0_MODULES
    printf '%s\n' "$release" > "$out/version"
    rm -rf "$tmp"
}

# kernel_modules FROM TO MODULE...: their closure, decompressed, as a tree for modprobe -d TO.
kernel_modules() {
    local from=$1 tree module
    tree=$2/lib/modules/${1##*/}
    mkdir -p "$tree"
    cp "$from"/modules.builtin* "$from/modules.order" "$tree/" 2>/dev/null || true
    rm -f "$tree/modules.builtin.bin" "$tree/modules.builtin.alias.bin"
    modules_closure "$from" "${@:3}" | while read -r module; do module_copy "$from/$module" "$tree/$module"; done
    depmod -b "$2" "${1##*/}"
}

part_build() {
    local out=$1 tmp=$2 name pool=''
    for name in $KERNELS; do
        [ "$pool" = "$(kernel_pool "$name")" ] || { pool=$(kernel_pool "$name"); pool_open "$pool"; }
        kernel_build "$name" "$out" "$tmp"
        [ -n "$(find "$out/$name" -name i915.ko)" ] || die "kernels: no i915 module in kernel $name"
    done
    cat "$out"/*/version | tr '\n' ' ' > "$out/.versions"
}
