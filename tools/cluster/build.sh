#!/usr/bin/env bash
# Builds the Kubernetes of `make test-cluster` from its Go modules, once: all components as one
# program (tools/cluster/kube) and CoreDNS. They stay in build/tools/cluster, which `make clean`
# leaves alone. Takes 10 to 20 minutes and 5 GiB of disk for Go's caches the first time.
set -euo pipefail

GO_MINIMUM=1.26
COREDNS=v1.15.0

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=$(cd "$here/../.." && pwd)/build/tools/cluster
version=$(cd "$here/kube" && sed -n 's#^\tk8s.io/kubernetes v##p' go.mod)

fail() {
    echo "cluster: $*" >&2
    exit 1
}

command -v go >/dev/null || fail "Go >= $GO_MINIMUM builds Kubernetes and is not in PATH"
have=$(go env GOVERSION)
have=${have#go}
oldest=$(printf '%s\n' "$GO_MINIMUM" "$have" | sort -V | head -n 1)
[[ $oldest == "$GO_MINIMUM" ]] ||
    fail "Go >= $GO_MINIMUM is needed to build Kubernetes, this one is $have"

mkdir -p "$target"
export CGO_ENABLED=0 GOFLAGS=-buildvcs=false
draft=$(mktemp -d "$target/draft.XXXXXX")
trap 'rm -rf "$draft"' EXIT

if [[ ! -x $target/kube-$version ]]; then
    echo "building Kubernetes $version (once, 10 to 20 minutes)"
    # The components refuse to work with each other when they do not know their version.
    flags="-s -w"
    for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
        flags+=" -X $package.gitVersion=v$version -X $package.gitMajor=${version%%.*}"
        minor=${version#*.}
        flags+=" -X $package.gitMinor=${minor%%.*}"
    done
    (cd "$here/kube" && go build -trimpath -ldflags "$flags" -o "$draft/kube" .)
    mv "$draft/kube" "$target/kube-$version"
fi
ln -sfn "kube-$version" "$target/kube"

if [[ ! -x $target/coredns-$COREDNS ]]; then
    echo "building CoreDNS $COREDNS (once, 2 to 4 minutes)"
    GOBIN=$draft go install -trimpath -ldflags="-s -w" "github.com/coredns/coredns@$COREDNS"
    mv "$draft/coredns" "$target/coredns-$COREDNS"
fi
ln -sfn "coredns-$COREDNS" "$target/coredns"
