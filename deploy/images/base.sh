#!/usr/bin/env bash
# Makes the base of the images where none can be pulled: Debian by debootstrap, slimmed as Debian's
# own slim image is. Usage: base.sh FOLDER; it leaves FOLDER/base.tar and FOLDER/apt/mirror.list,
# the sources for apt, which are mounted while images are built and are part of none.
set -euo pipefail

suite=trixie
place=${1:?usage: base.sh FOLDER}
root=$place/root

fail() {
    echo "base: $*" >&2
    exit 1
}

# The address that this machine's own apt uses for Debian or for its security updates.
mirror() {
    # shellcheck disable=SC2016 # the fields are apt's, not the shell's
    apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' |
        awk -v label="$1" '$1 == label {print $2; exit}'
}

write_sources() {
    local site signed="[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    mkdir -p "$place/apt"
    echo "deb $signed $(mirror Debian) $suite main" >"$place/apt/mirror.list"
    site=$(mirror Debian-Security)
    if [[ -n $site ]]; then
        echo "deb $signed $site $suite-security main" >>"$place/apt/mirror.list"
    fi
}

in_root() {
    chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive "$@"
}

make_root() {
    local site
    site=$(mirror Debian)
    [[ -n $site ]] || fail "apt knows no Debian mirror"
    rm -rf "$root"
    mkdir -p "$root"
    debootstrap --variant=minbase "$suite" "$root" "$site" >"$place/debootstrap.log" 2>&1 ||
        fail "debootstrap failed, see $place/debootstrap.log"
    touch "$root/.televisit-root"
}

update_root() {
    rm -f "$root/etc/apt/sources.list"
    cp "$place/apt/mirror.list" "$root/etc/apt/sources.list.d/mirror.list"
    in_root apt-get update -q >"$place/apt.log" 2>&1 || fail "apt-get failed, see $place/apt.log"
    in_root apt-get upgrade -q -y >>"$place/apt.log" 2>&1 ||
        fail "apt-get failed, see $place/apt.log"
    rm "$root/etc/apt/sources.list.d/mirror.list"
}

# What comes later leaves its documentation out, too. Licences stay.
slim_root() {
    cat >"$root/etc/dpkg/dpkg.cfg.d/slim" <<'END'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/info/*
path-exclude /usr/share/lintian/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
END
    find "$root/usr/share/doc" ! -type d ! -name copyright -delete
    find "$root/usr/share/doc" -depth -type d -empty -delete
    rm -rf "$root"/usr/share/{info,lintian,locale,man}/* "$root"/var/lib/apt/lists/* \
        "$root"/var/cache/{apt,ldconfig}/* "$root"/var/cache/debconf/*-old "$root"/var/log/* \
        "$root"/tmp/* "$root"/etc/{hostname,resolv.conf,passwd-,group-,shadow-}
    : >"$root/etc/machine-id"
}

[[ $EUID -eq 0 ]] || fail "it needs root for debootstrap; or give a base: BASE=debian:trixie-slim"
command -v debootstrap >/dev/null || fail 'debootstrap is missing: make deps DEPS=cluster'
mkdir -p "$place"
write_sources
if [[ ! -f $root/.televisit-root ]]; then
    echo "base: debootstrap of $suite (once, a minute or two)"
    make_root
fi
update_root
slim_root
tar -C "$root" --sort=name --exclude=./.televisit-root -cf "$place/base.tar.new" .
mv "$place/base.tar.new" "$place/base.tar"
echo "base: Debian $(<"$root/etc/debian_version"), $(($(stat -c %s "$place/base.tar") >> 20)) MiB"
