#!/usr/bin/env bash
# Builds everything on Debian 13 without a warning and runs the unit tests there, in a root of its
# own below build/debian13 (made once, about two minutes; `rm -rf build/debian13` to start over).
#
# The source is bound read-only, only the build folder can be written. All mounts live in a mount
# namespace of this script's own, and all processes in a PID namespace: whatever ends the script
# takes both along.
set -euo pipefail

suite=trixie
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
place=$source/build/debian13
root=$place/root

fail() {
    echo "debian13: $*" >&2
    exit 1
}

# The mirror that this machine itself uses for Debian.
mirror() {
    # shellcheck disable=SC2016 # the fields are apt's, not the shell's
    apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' |
        awk '$1 == "Debian" {print $2; exit}'
}

# Packages of these groups in tools/packages.txt; of alternatives the first, Debian 13 has it.
packages() {
    awk -v groups=" $* " '!/^#/ && NF && index(groups, " " $2 " ") {
        sub(/[|:].*/, "", $1)
        print $1
    }' "$source/tools/packages.txt"
}

make_root() {
    local site
    site=$(mirror)
    [[ -n $site ]] || fail "apt knows no Debian mirror"
    rm -rf "$root"
    mkdir -p "$root"
    debootstrap --variant=minbase "$suite" "$root" "$site" >"$place/debootstrap.log" 2>&1 ||
        fail "debootstrap failed, see $place/debootstrap.log"
    # No service may start in there.
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
}

# Names and order of packages decide whether the root must get more of them.
install_packages() {
    local wanted stamp=$root/.televisit-packages
    mapfile -t wanted < <(packages build run | sort -u)
    if [[ -f $stamp && $(<"$stamp") == "${wanted[*]}" ]]; then
        return
    fi
    echo "debian13: installing ${#wanted[@]} packages"
    in_root apt-get update -q >"$place/apt.log" 2>&1
    in_root apt-get install -q -y --no-install-recommends "${wanted[@]}" >>"$place/apt.log" 2>&1 ||
        fail "apt-get failed, see $place/apt.log"
    in_root apt-get clean
    echo "${wanted[*]}" >"$stamp"
}

in_root() {
    chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive "$@"
}

mount_all() {
    mount -t proc proc "$root/proc"
    mount -t tmpfs tmpfs "$root/tmp"
    mkdir -p "$root/src" "$place/build" "$source/build"
    mount --bind "$source" "$root/src"
    mount -o remount,bind,ro "$root/src"
    mount --bind "$place/build" "$root/src/build"
}

build_and_test() {
    local programs
    in_root make -C /src -j"$(nproc)" "$@"
    # LiveKit's server is a static program: the one of this machine runs there as well.
    install -D "$source/build/tools/livekit-server" "$place/build/tools/livekit-server"
    mapfile -t programs < <(cd "$place" && find build/release/tests/unit -type f -executable \
        -name 'test_*' | sort)
    in_root env -C /src /usr/bin/python3 tools/run_tests.py "${programs[@]}"
}

# In the namespaces: everything that needs the mounts.
inside() {
    mount_all
    install_packages
    build_and_test "$@"
}

if [[ ${1:-} == --inside ]]; then
    shift
    inside "$@"
    exit
fi

[[ $EUID -eq 0 ]] || fail "it needs root: for chroot, mounts and debootstrap"
command -v debootstrap >/dev/null || fail "debootstrap is missing: apt-get install debootstrap"
mkdir -p "$place"
exec 9>"$place/lock"
flock --nonblock 9 || fail "another one is running"
if [[ ! -f $root/.televisit-root ]]; then
    echo "debian13: making a root of $suite"
    make_root
    touch "$root/.televisit-root"
fi
targets=("$@")
if [[ ${#targets[@]} -eq 0 ]]; then
    targets=(test-bin)
fi
unshare --mount --propagation private --pid --fork --kill-child \
    "${BASH_SOURCE[0]}" --inside "${targets[@]}" 9>&-
echo "debian13: built with $(in_root gcc -dumpfullversion), unit tests passed"
