# shellcheck shell=bash
# Headers of the kernel's DRM interface (drm/drm.h, drm/i915_drm.h, ...) for
# static test programs. Some Debian releases leave them out of the host's own
# linux-libc-dev; all else that gcc -static needs is on the host (libc6-dev).

part_build() {
    local out=$1 tmp=$2 deb
    pool_open trixie
    say "guestdev: downloading the package linux-libc-dev of trixie (about 3 MB)"
    debs_only "$tmp/debs" linux-libc-dev
    deb=$(find "$tmp/debs" -name '*.deb')
    dpkg-deb -x "$deb" "$tmp/tree"
    mkdir "$out/include"
    cp -r "$tmp/tree/usr/include/drm" "$out/include/"
    [ -s "$out/include/drm/i915_drm.h" ] || die "guestdev: the package has no drm/i915_drm.h"
    printf 'linux-libc-dev %s\n' "$(dpkg-deb -f "$deb" Version)" > "$out/.versions"
}
