#!/usr/bin/env bash
# Installs the Debian packages of tools/packages.txt that are missing, or, without root, prints the
# one command that does. Usage: deps.sh [group ...], of build run test media cluster; without any
# group all but cluster.
# With nothing missing it takes a blink.
set -euo pipefail

list=$(dirname "${BASH_SOURCE[0]}")/packages.txt
known="build run test media cluster"
groups=${*:-build run test media}

for group in $groups; do
    if [[ " $known " != *" $group "* ]]; then
        echo "deps: unknown group $group; there are: $known" >&2
        exit 2
    fi
done
if ! command -v dpkg-query >/dev/null; then
    echo "deps: this is no Debian; install what corresponds to these:" >&2
    grep -v '^#' "$list" >&2
    exit 1
fi

declare -A installed=()
while read -r status package; do
    if [[ $status == ii ]]; then
        installed[$package]=1
    fi
done < <(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n')

# The wanted entries that nothing here satisfies.
missing=()
while read -r entry group _; do
    [[ -n $entry && $entry != \#* && " $groups " == *" $group "* ]] || continue
    if [[ $entry == *:* ]] && command -v "${entry#*:}" >/dev/null; then
        continue
    fi
    found=
    IFS='|' read -ra names <<<"${entry%%:*}"
    for name in "${names[@]}"; do
        if [[ -n ${installed[$name]:-} ]]; then
            found=1
        fi
    done
    if [[ -z $found ]]; then
        missing+=("${entry%%:*}")
    fi
done <"$list"

if [[ ${#missing[@]} -eq 0 ]]; then
    echo "deps: all packages are there ($groups)"
    exit 0
fi

# Of alternatives, the first that this release has.
has_candidate() {
    [[ $(apt-cache policy "$1" 2>/dev/null) == *Candidate:\ [0-9]* ]]
}
choose() {
    local name
    for name in ${1//|/ }; do
        if has_candidate "$name"; then
            echo "$name"
            return
        fi
    done
    echo "${1%%|*}"
}

if [[ $EUID -eq 0 ]]; then
    apt-get update -q
fi
chosen=()
for entry in "${missing[@]}"; do
    chosen+=("$(choose "$entry")")
done
if [[ $EUID -ne 0 ]]; then
    echo "deps: ${#chosen[@]} packages are missing. Run this, then go on:" >&2
    echo "sudo apt-get install --no-install-recommends ${chosen[*]}"
    exit 1
fi
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${chosen[@]}"
