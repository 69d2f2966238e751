# shellcheck shell=bash
# The register definition files of Debian's intel-gpu-tools.

part_build() {
    local out=$1 tmp=$2 deb
    pool_open trixie
    say "igt-regs: downloading the package intel-gpu-tools of trixie (about 1 MB)"
    debs_only "$tmp/debs" intel-gpu-tools
    deb=$(find "$tmp/debs" -name '*.deb')
    dpkg-deb -x "$deb" "$tmp/tree"
    cp -r "$tmp/tree/usr/share/igt-gpu-tools/registers/." "$out/"
    cp "$tmp/tree/usr/share/doc/intel-gpu-tools/copyright" "$out/COPYRIGHT"
    [ -s "$out/skylake" ] || die "igt-regs: the package has no register list for Skylake"
    printf 'intel-gpu-tools %s\n' "$(dpkg-deb -f "$deb" Version)" > "$out/.versions"
}
