# shellcheck shell=bash
# The guests' read-only root filesystem: a small Debian trixie with Mesa and the
# programs that use a GPU, as a squashfs image.

part_tools() { echo mmdebstrap:mmdebstrap tar2sqfs:squashfs-tools-ng; }

PACKAGES='bash strace kmod
    libgl1-mesa-dri libegl1 libegl-mesa0 libgles2 libgl1 libopengl0 libgbm1 mesa-vulkan-drivers vulkan-tools
    mesa-utils mesa-utils-bin kmscube glmark2-es2-drm libdrm-tests intel-gpu-tools xserver-xorg-core twm libfaketime
    libinput10 libpangocairo-1.0-0 libwebp7 libjpeg62-turbo'
# Without what they depend on beside the above: video codecs and desktop protocols, which its headless backend does not use.
WESTON='weston libweston-14-0'

# clean_hook: run by mmdebstrap with the new root as its first argument. Removes
# what no guest of ours needs, among it Vulkan drivers of other vendors.
clean_hook() {
    cat <<'HOOK'
#!/bin/sh
set -e
chroot "$1" dpkg-query -W > "$1/packages"
cd "$1"
l=usr/lib/x86_64-linux-gnu
rm -rf usr/share/doc usr/share/man usr/share/locale usr/share/info usr/share/lintian usr/share/zoneinfo \
    usr/share/iso-codes usr/share/xml usr/share/bug usr/share/bash-completion usr/share/i18n usr/share/perl5 \
    usr/lib/python3* usr/share/python3 usr/bin/python3* usr/bin/perl* $l/perl-base $l/gconv \
    etc/apt var/lib/apt var/cache var/lib/dpkg var/log usr/lib/apt usr/bin/apt* $l/libapt-*
find usr/share/vulkan/icd.d -type f ! -name 'intel_icd*' -delete
find $l -name 'libvulkan_*.so' ! -name libvulkan_intel.so -delete
find . -xdev -name __pycache__ -prune -exec rm -rf {} +
find usr/share/igt-gpu-tools -mindepth 1 -maxdepth 1 ! -name registers -exec rm -rf {} +
mkdir -p t var/log var/cache root-fs
echo guest > etc/hostname
HOOK
}

# weston_hook DEBS: as clean_hook.
weston_hook() {
    cat <<HOOK
#!/bin/sh
set -e
for deb in '$1'/*.deb; do dpkg-deb -x "\$deb" "\$1"; done
HOOK
}

part_build() {
    local out=$1 tmp=$2 uri keyring
    pool_open trixie
    # shellcheck disable=SC2086
    debs_only "$tmp/debs" $WESTON
    uri=$(host_mirror)
    keyring=$(debian_keyring)
    clean_hook > "$tmp/clean"
    weston_hook "$tmp/debs" > "$tmp/weston"
    chmod 755 "$tmp/clean" "$tmp/weston"
    host_acquire > "$tmp/apt.conf"
    printf 'deb [signed-by=%s] %s trixie main\n' "$keyring" "$uri" > "$tmp/sources.list"
    say "root: installing a small trixie with Mesa (about 130 MB of packages, a minute or two)"
    # mmdebstrap's children name descriptors in sh: only one digit works, so ours are closed.
    # shellcheck disable=SC2086
    env -u APT_CONFIG mmdebstrap --skip=cleanup --variant=essential --architectures=amd64 --format=tar \
        --include="$(echo $PACKAGES | tr ' ' ,)" --aptopt="$tmp/apt.conf" \
        --aptopt='APT::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --customize-hook="$tmp/weston" --customize-hook="$tmp/clean" --customize-hook="download /packages $tmp/packages" \
        trixie "$tmp/root.tar" "$tmp/sources.list" 3>&- 9>&- ||
        die "root: mmdebstrap failed" "Its messages are above. As a plain user it needs user namespaces" \
            "(package uidmap, a range in /etc/subuid); root needs nothing special."
    say "root: packing the image"
    # lz4: a guest starts Mesa 1 s sooner than with zstd, for a fifth more bytes.
    tar2sqfs -q -f -c lz4 -X hc -j 2 "$out/root.img" < "$tmp/root.tar" ||
        die "root: tar2sqfs failed" "Its messages are above."
    cp "$tmp/packages" "$out/packages"
    awk '$1 ~ /^(libegl-mesa0|libc6|intel-gpu-tools)(:amd64)?$/ { printf "%s %s\n", $1, $2 }' "$out/packages" > "$out/.versions"
}
