# shellcheck shell=bash
# A private apt root for each pool of suites: own sources, lists, cache and an
# empty dpkg status, so that the host's apt is read but never changed.
# The mirror, the keyring and the Acquire options come from the host's apt.

# host_mirror: the URI from which this Debian host takes its own release.
host_mirror() {
    local codename uri
    if [ -n "${GTMUX_LAB_MIRROR:-}" ]; then printf '%s\n' "$GTMUX_LAB_MIRROR"; return; fi
    codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
    uri=$(env -u APT_CONFIG apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(SITE)' 'Created-By: Packages' |
        awk -v c="$codename" '$2 == "main" && ($1 == c || $1 ~ /^(stable|testing|unstable|sid)$/) { print $3; exit }')
    [ -n "$uri" ] || die "no Debian mirror in this host's apt configuration" \
        "Looked for an entry with the release '$codename' and the component main." \
        "Set GTMUX_LAB_MIRROR=URI to the mirror to use (what follows 'deb' in a sources.list)."
    printf '%s\n' "$uri"
}

# debian_keyring: the file with Debian's archive keys, with those of trixie.
debian_keyring() {
    if ! dpkg -L debian-archive-keyring 2>/dev/null | grep -q trixie; then
        [ "$(id -u)" = 0 ] && host_install debian-archive-keyring >&2
    fi
    dpkg -L debian-archive-keyring 2>/dev/null |
        awk '/debian-archive-keyring\.(gpg|pgp)$/ && !f { f = $0 } END { if (!f) exit 1; print f }' ||
        die "Debian's archive keys are not on this host" "Install the package debian-archive-keyring."
}

# pool_suites POOL: the lines of its sources.list, without URI and component.
pool_suites() {
    case $1 in
        bookworm)   printf 'deb bookworm\n' ;;
        trixie)     printf 'deb trixie\ndeb trixie-backports\n' ;;
        trixie-src) printf 'deb-src trixie\n' ;;
        *)          die "unknown apt pool '$1'" "This is a fault of the part's recipe." ;;
    esac
}

# host_acquire: the host's download options (proxies and so on), as apt.conf text.
host_acquire() {
    env -u APT_CONFIG apt-config dump |
        grep '^Acquire::' | grep -Ev '^Acquire::(IndexTargets|Changelogs|cdrom|GzipIndexes|Retries|Languages)'
    printf 'Acquire::Retries "4";\nAcquire::GzipIndexes "true";\nAcquire::Languages "none";\n'
}

# apt_sources POOL: sources.list text.
apt_sources() {
    local uri keyring kind suite
    uri=$(host_mirror)
    keyring=$(debian_keyring)
    pool_suites "$1" | while read -r kind suite; do
        printf '%s [signed-by=%s] %s %s main\n' "$kind" "$keyring" "$uri" "$suite"
    done
}

# pool_config DIR: apt.conf text for the private root DIR.
pool_config() {
    cat <<CONF
Dir::Etc::Parts "$1/none";
Dir::Etc::Main "/dev/null";
Dir::Etc::SourceList "$1/sources.list";
Dir::Etc::SourceParts "$1/none";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "$1/none";
Dir::State "$1";
Dir::State::Lists "$1/lists";
Dir::State::Status "$1/status";
Dir::Cache "$1/cache";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Log "$1";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
CONF
    host_acquire
}

# pool_open POOL: makes the private root, brings its lists up to date and sets
# APT_CONFIG, so that apt-get and apt-cache of this shell use it.
pool_open() {
    local dir=$CACHE/apt/$1 text conf
    text=$(apt_sources "$1")
    mkdir -p "$dir"/{none,lists/partial,cache/archives/partial}
    : > "$dir/status"
    printf '%s\n' "$text" > "$dir/sources.list"
    conf=$(pool_config "$dir")
    printf '%s\n' "$conf" > "$dir/apt.conf"
    export APT_CONFIG=$dir/apt.conf
    say "reading the package lists of $(pool_suites "$1" | awk '{ printf "%s%s", s, $2; s = ", " }')"
    retry 3 pool_update || die "apt-get update failed for the pool '$1'" \
        "Mirror, from the host's apt configuration: $(awk '{ print $3; exit }' "$dir/sources.list")" \
        "Check that it is reachable and has these suites; GTMUX_LAB_MIRROR=URI overrides it."
}

pool_update() { apt-get -qq --error-on=any update </dev/null; }

# debs_closure DIR SUITE PACKAGE...: downloads the packages with all they depend on.
debs_closure() {
    local dir=$1 suite=$2
    shift 2
    mkdir -p "$dir/partial"
    retry 3 apt-get -qq -y --download-only --no-install-recommends \
        -o Dir::Cache::archives="$dir" -t "$suite" install "$@" </dev/null >&2 ||
        die "download failed: $*" "apt-get's messages are above."
    rm -rf "$dir/partial" "$dir/lock"
}

# debs_only DIR PACKAGE[=VERSION]...: downloads just these packages.
debs_only() {
    local dir=$1
    shift
    mkdir -p "$dir"
    (cd "$dir" && retry 3 apt-get -qq download "$@" </dev/null >&2) ||
        die "download failed: $*" "apt-get's messages are above."
}

# debs_unpack DIR INTO: unpacks all packages of DIR (no scripts are run).
debs_unpack() {
    local deb
    mkdir -p "$2"
    for deb in "$1"/*.deb; do dpkg-deb -x "$deb" "$2"; done
}
