# shellcheck shell=bash
# The newest Mesa that Debian has for trixie, with all libraries, libc among them, to be run on this machine, and vkmark,
# which Debian 12 does not have.

part_build() {
    local out=$1 tmp=$2 l=usr/lib/x86_64-linux-gnu
    pool_open trixie
    say "mesa-backports: downloading Mesa of trixie-backports with its libraries (about 90 MB)"
    debs_closure "$tmp/debs" trixie-backports libgl1-mesa-dri libegl1 libegl-mesa0 libgles2 libgl1 libgbm1 \
        mesa-vulkan-drivers libvulkan1 vkmark
    debs_unpack "$tmp/debs" "$tmp/root"
    mkdir -p "$out/$l" "$out/usr/share/glvnd" "$out/usr/bin"
    cp -a "$tmp/root/$l/." "$out/$l/"
    cp -a "$tmp/root/usr/share/glvnd/." "$out/usr/share/glvnd/"
    cp -a "$tmp/root/usr/bin/vkmark" "$out/usr/bin/"
    cp -a "$tmp/root/usr/share/vkmark" "$tmp/root/usr/share/vulkan" "$out/usr/share/"
    rm -rf "${out:?}/$l"/{gconv,perl-base}
    ls "$tmp/debs" | sed -n 's/^libegl-mesa0_\(.*\)_amd64.deb$/mesa \1/p' | sed 's/%3a/:/' > "$out/.versions"
}
