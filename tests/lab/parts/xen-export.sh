# shellcheck shell=bash
# The modules of display/kmod, gtmux_xen_export and the importer that tests it, for the kernels that the lab has as dom0:
# against Debian's headers, with Debian's compiler for that kernel, in a root directory of its own.
. "$LAB_SRC/parts/vkms.sh"

EXPORT_KERNELS='bookworm:6.1 trixie:6.12'
EXPORT_SRC=$LAB_SRC/../../display/kmod

part_needs()  { echo kernels; }
part_inputs() { printf '%s\n' "$LAB_SRC/parts/vkms.sh" "$EXPORT_SRC"/{*.[ch],Kbuild,test/*}; }
part_tools()  { echo xz:xz-utils; }

# export_build SUITE KERNEL OUT TMP
export_build() {
    local suite=$1 out=$3/$2 r=$4/$2/root release module
    release=$(cat "$(part_dir kernels)/$2/version")
    pool_open "$suite"
    say "xen-export: downloading headers and compiler of kernel $2 (75 to 195 MB)"
    debs_closure "$4/$2/debs" "$suite" "linux-headers-$release" make bash coreutils sed grep gawk findutils
    debs_unpack "$4/$2/debs" "$r"
    vkms_merge_usr "$r"
    cp -r "$EXPORT_SRC/." "$r/build/"
    mkdir -p "$out"
    vkms_chroot "$r" make -C "/lib/modules/$release/build" M=/build KCFLAGS=-Werror modules
    vkms_chroot "$r" make -C "/lib/modules/$release/build" M=/build/test KCFLAGS=-Werror modules
    for module in gtmux_xen_export test/gtmux_import_test; do
        cp "$r/build/$module.ko" "$out/"
        modinfo -F vermagic "$out/${module##*/}.ko" | grep -q "^$release " ||
            die "xen-export: $module is not a module of kernel $release"
    done
    rm -rf --one-file-system "${4:?}/$2"
}

part_build() {
    local out=$1 tmp=$2 pair
    for pair in $EXPORT_KERNELS; do export_build "${pair%:*}" "${pair#*:}" "$out" "$tmp"; done
    sed 's/^/gtmux_xen_export for /' "$(part_dir kernels)"/{6.1,6.12}/version | tr '\n' ' ' > "$out/.versions"
}
