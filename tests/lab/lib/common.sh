# shellcheck shell=bash
# Messages, retries and host tools; sourced by lab, boot and selftest.

say()  { printf '%s: %s\n' "${SAY_AS:-lab}" "$*" >&2; }
warn() { say "warning: $*"; }

# die WHAT [WHY/WHAT TO DO]...: one error, further lines indented below it.
die() {
    say "error: $1"
    shift
    local line
    for line in "$@"; do printf '    %s\n' "$line" >&2; done
    exit 1
}

cache_dir() {
    local base=${XDG_CACHE_HOME:-${HOME:?HOME is not set; set GTMUX_LAB to a cache directory}/.cache}
    printf '%s\n' "${GTMUX_LAB:-$base/gtmux/lab}"
}

# retry TIMES COMMAND...: a few tries with a growing pause.
retry() {
    local times=$1 try
    shift
    for ((try = 1; try <= times; try++)); do
        if "$@"; then return 0; fi
        ((try == times)) || { say "failed, try $((try + 1)) of $times follows: $1 ${2:-}"; sleep $((try * 3)); }
    done
    return 1
}

now_ms() { local t=${EPOCHREALTIME/[.,]/}; printf '%s\n' "$((t / 1000))"; }

# seconds MS: 12345 -> 12.3
seconds() { printf '%d.%d\n' "$(($1 / 1000))" "$((($1 % 1000) / 100))"; }

# host_install PACKAGE...: with the host's own apt configuration.
host_install() {
    local log apt
    say "installing on this host: $*"
    log=$(mktemp)
    apt=(env -u APT_CONFIG DEBIAN_FRONTEND=noninteractive apt-get -qq -y
         -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
    if "${apt[@]}" install --no-install-recommends "$@" </dev/null >"$log" 2>&1 ||
        { "${apt[@]}" update && "${apt[@]}" install --no-install-recommends "$@"; } </dev/null >>"$log" 2>&1; then
        rm -f "$log"
        return 0
    fi
    cat "$log" >&2
    rm -f "$log"
    return 1
}

# need COMMAND:PACKAGE...: installs the packages of missing commands.
need() {
    local pair missing=() PATH=$PATH:/usr/sbin:/sbin
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    ((${#missing[@]})) || return 0
    [ "$(id -u)" = 0 ] || die "missing host packages: ${missing[*]}" \
        "This user cannot install them." "Run as root: apt-get install ${missing[*]}"
    host_install "${missing[@]}" || die "could not install: ${missing[*]}" \
        "apt-get failed, its messages are above."
}
