# shellcheck shell=bash
# vkms, the kernel's virtual display, for the lab's 6.12 kernel: Debian does not build it. From Debian's kernel source of
# the same version, against Debian's headers, with Debian's compiler for that kernel, in a root directory of its own.

VKMS_KERNEL=6.12

part_needs() { echo kernels; }
part_tools() { echo xz:xz-utils; }

# vkms_chroot ROOT COMMAND...: as root, or in a user namespace.
vkms_chroot() {
    local r=$1
    shift
    if [ "$(id -u)" = 0 ]; then chroot "$r" "$@"; else unshare --map-root-user chroot "$r" "$@"; fi
}

# vkms_merge_usr ROOT: no package script makes these links here.
vkms_merge_usr() {
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
    ln -sf bash "$r/usr/bin/sh"
    ln -sf gawk "$r/usr/bin/awk"
    mkdir -p "$r"/{proc,dev,tmp,build}
}

# vkms_mend DIR: the core refuses since 6.12.9 that its writeback connector runs beside its monitor, because vkms does
# not declare the two as clones.
vkms_mend() {
    sed -i 's/^\tdrm_mode_config_reset(dev);/\tif (vkmsdev->config->writeback)\n\t\tencoder->possible_clones = \
\t\tvkmsdev->output.wb_connector.encoder.possible_clones = 0x3;\n&/' "$1/vkms_output.c"
    grep -q 'possible_clones' "$1/vkms_output.c" || die "vkms: vkms_output.c is not as expected"
}

part_build() {
    local out=$1 tmp=$2 release series r=$2/root src
    release=$(cat "$(part_dir kernels)/$VKMS_KERNEL/version")
    series=${release%%+*}
    series=${series%.*}
    pool_open trixie
    say "vkms: downloading kernel headers, source and compiler (about 250 MB)"
    debs_closure "$tmp/debs" trixie "linux-headers-$release" make bash coreutils sed grep gawk findutils
    debs_only "$tmp/source" "linux-source-$series"
    debs_unpack "$tmp/debs" "$r"
    vkms_merge_usr "$r"
    dpkg-deb --fsys-tarfile "$tmp/source/"linux-source-*.deb | tar -x -C "$tmp/source" --wildcards '*.tar.xz'
    say "vkms: unpacking its source"
    src=$(find "$tmp/source" -name 'linux-source-*.tar.xz')
    tar -x -f "$src" -C "$r/build" --strip-components=5 --wildcards '*/drivers/gpu/drm/vkms'
    vkms_mend "$r/build"
    vkms_chroot "$r" make -C "/lib/modules/$release/build" M=/build CONFIG_DRM_VKMS=m modules
    cp "$r/build/vkms.ko" "$out/vkms.ko"
    modinfo -F vermagic "$out/vkms.ko" | grep -q "^$release " || die "vkms: the module is not one of kernel $release"
    printf 'vkms %s\n' "$release" > "$out/.versions"
}
