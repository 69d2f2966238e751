# shellcheck shell=bash
# Mesa's descriptions of the commands and state of Intel GPUs, from the Debian
# source package of Mesa.

part_tools() { echo xz:xz-utils; }

# What to keep of the source: commands, surface formats and the licence.
GENXML_FILES='*/src/intel/genxml/*.xml */src/intel/isl/*.csv */src/intel/isl/isl.h */docs/license.rst'

part_build() {
    local out=$1 tmp=$2 tar pattern
    pool_open trixie-src
    say "genxml: downloading the source package of Mesa (about 45 MB)"
    (cd "$tmp" && retry 3 apt-get -qq --only-source --download-only source mesa </dev/null >&2) ||
        die "genxml: the source package could not be downloaded" "apt-get's messages are above."
    tar=$(find "$tmp" -name 'mesa_*.orig.tar.*' ! -name '*.asc')
    say "genxml: unpacking $(basename "$tar")"
    set -f
    for pattern in $GENXML_FILES; do printf '%s\n' "$pattern"; done > "$tmp/files"
    set +f
    tar -x -f "$tar" -C "$out" --wildcards --strip-components=1 -T "$tmp/files"
    [ -n "$(find "$out/src/intel/genxml" -name 'gen9*.xml')" ] || die "genxml: the source has no gen9 description"
    mv "$out"/src/intel/genxml/*.xml "$out"/src/intel/isl/*.csv "$out"/src/intel/isl/isl.h "$out"/docs/license.rst "$out/"
    rm -r "$out/src" "$out/docs"
    basename "$tar" | sed 's/\.orig.*//; s/_/ /' > "$out/.versions"
}
