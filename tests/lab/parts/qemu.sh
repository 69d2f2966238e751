# shellcheck shell=bash
# QEMU with the device vfio-user-pci (QEMU >= 10.1), with its own C library:
# runs on any Debian host, which is left untouched.

qemu_wrapper() {
    cat <<'WRAPPER'
#!/bin/bash
# QEMU through its own loader and libraries.
d=$(dirname -- "$(readlink -f -- "$0")") l=$d/usr/lib/x86_64-linux-gnu
export QEMU_MODULE_DIR=$l/qemu
exec "$l/ld-linux-x86-64.so.2" --inhibit-cache --library-path "$l" \
    --argv0 "$0" "$d/usr/bin/PROGRAM" EXTRA"$@"
WRAPPER
}

# qemu_install DIR PROGRAM [EXTRA]: writes an executable wrapper.
qemu_install() {
    qemu_wrapper | sed "s|PROGRAM|$2|; s|EXTRA|${3:-}|" > "$1/$2"
    chmod +x "$1/$2"
}

# What no guest of ours uses.
qemu_prune() {
    local r=$1 l=$1/usr/lib/x86_64-linux-gnu
    rm -rf "${r:?}"/{etc,var,run} "${r:?}"/usr/{sbin,include,libexec,games,lib/systemd,lib/udev} \
        "$r"/usr/share/{doc,man,locale,info,lintian,bash-completion,perl5,debconf,pam,pam-configs,base-passwd,applications,icons} \
        "$l"/{security,gconv,krb5,sasl2,perl-base}
    find "$r/usr/bin" -mindepth 1 ! -name qemu-system-x86_64 ! -name qemu-img -delete
    find "$r/usr/share/qemu" -maxdepth 1 -type f -size +6M -delete
}

part_build() {
    local out=$1 tmp=$2
    pool_open trixie
    say "qemu: downloading QEMU of trixie-backports with its libraries (about 40 MB)"
    debs_closure "$tmp/debs" trixie-backports qemu-system-x86 qemu-utils
    say "qemu: unpacking $(find "$tmp/debs" -name '*.deb' | wc -l) packages"
    debs_unpack "$tmp/debs" "$out"
    qemu_prune "$out"
    qemu_install "$out" qemu-system-x86_64 '-L "$d/usr/share/qemu" -L "$d/usr/share/seabios" -L "$d/usr/lib/ipxe/qemu" '
    qemu_install "$out" qemu-img
    "$out/qemu-img" --version >/dev/null
    "$out/qemu-system-x86_64" -device help > "$tmp/devices" || die "qemu: the unpacked QEMU does not start" \
        "Its message is above; $out was not installed."
    grep -q '"vfio-user-pci"' "$tmp/devices" || die "qemu: this QEMU has no device vfio-user-pci" \
        "QEMU 10.1 or newer is needed; got: $("$out/qemu-system-x86_64" --version | head -1)"
    "$out/qemu-system-x86_64" --version | sed -n '1s/.*version \([^ ]*\).*(Debian \(.*\))/\2/p' > "$out/.versions"
}
