#!/usr/bin/env bash
# Builds the LiveKit server of `make up` from its Go module, once; it stays in build/tools, which
# `make clean` leaves alone. Takes two to four minutes and 1 GiB of disk for Go's caches.
set -euo pipefail

VERSION=v1.13.5
GO_MINIMUM=1.26
MODULE=github.com/livekit/livekit-server/cmd/server

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=$root/build/tools/livekit-server

fail() {
    echo "livekit.sh: $*" >&2
    exit 1
}

if [[ -x $target ]]; then
    exit 0
fi

command -v go >/dev/null ||
    fail "Go >= $GO_MINIMUM is needed to build LiveKit $VERSION and is not in PATH: install it," \
        "or put a livekit-server $VERSION of your own at build/tools/livekit-server"
have=$(go env GOVERSION)
have=${have#go}
if [[ $(printf '%s\n' "$GO_MINIMUM" "$have" | sort -V | head -n 1) != "$GO_MINIMUM" ]]; then
    fail "Go >= $GO_MINIMUM is needed to build LiveKit $VERSION, this one is $have"
fi

echo "building LiveKit $VERSION (once, two to four minutes)"
mkdir -p "$root/build/tools"
# A bin folder of its own: the module calls its program "server".
draft=$(mktemp -d "$root/build/tools/livekit.XXXXXX")
trap 'rm -rf "$draft"' EXIT
started=$SECONDS
if ! CGO_ENABLED=0 GOFLAGS=-buildvcs=false GOBIN=$draft \
    go install -trimpath -ldflags="-s -w" "$MODULE@$VERSION" 2>"$draft/log"; then
    fail "LiveKit $VERSION could not be built: $(grep -v '^go: downloading' "$draft/log" |
        tail -n 1)"
fi
mv "$draft/server" "$target"
echo "built $("$target" --version) in $((SECONDS - started)) s"
