# Helpers of ./check, ./demo and scripts/. Sourced.

say() { printf '== %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 2; }

# need_packages PACKAGE...: installs the Debian packages that are missing (root), or says which to install.
need_packages() {
    local missing=() p
    for p in "$@"; do
        dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    [ "$(id -u)" -eq 0 ] || die "packages are missing; as root run: apt-get install ${missing[*]}"
    say "installing ${missing[*]}"
    local log
    log=$(mktemp)
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"; } \
        >"$log" 2>&1 || { tail -20 "$log" >&2; rm -f "$log"; die "apt-get could not install ${missing[*]}"; }
    rm -f "$log"
}

BUILD_PACKAGES=(gcc libc6-dev cmake ninja-build pkg-config libcmocka-dev libcjson-dev libzstd-dev libpng-dev libdrm-dev libxen-dev
                libpciaccess-dev libseccomp-dev edid-decode libneatvnc-dev libaml-dev libpixman-1-dev libvncserver-dev libsystemd-dev
                libwayland-dev libwayland-bin wayland-protocols libxkbcommon-dev xkb-data openssl libinih-dev)
# Drivers and programs that run on gtmux exec, and what our probe programs are built with.
SHIM_PACKAGES=(libegl1 libgbm1 libgles2 libgl1-mesa-dri mesa-vulkan-drivers libvulkan1 libegl-dev libgles-dev libvulkan-dev
               glslang-tools kmscube glmark2-es2-drm glmark2-es2-wayland intel-gpu-tools weston xwayland vulkan-tools mesa-utils libfaketime python3)
# Compositors without a screen, and what plays their user; what makes an X server in a guest follow its monitor.
VIEW_PACKAGES=(sway weston grim wayvnc x11-utils x11-xserver-utils)
PIGLIT_PACKAGES=(piglit)
TOOL_PACKAGES=(clang clang-format cppcheck libclang-rt-dev python3)

# build DIR [cmake options...]: configures once, builds always; quiet unless it fails.
build() {
    local dir=$1 log
    shift
    log=$(mktemp)
    say "building $dir"
    { cmake -S "$ROOT" -B "$dir" -G Ninja "$@" && cmake --build "$dir"; } >"$log" 2>&1 || {
        grep -E 'error|warning|FAILED|CMake Error' "$log" | head -40 >&2
        tail -15 "$log" >&2
        rm -f "$log"
        die "the build in $dir failed"
    }
    rm -f "$log"
}
