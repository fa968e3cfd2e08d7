#!/usr/bin/env bash
# Builds the images with buildah, in a storage of its own below build/images, which needs no daemon
# and leaves nothing elsewhere. For each image: build/images/NAME.tar (a docker-archive) and
# NAME.cdx.json (its parts), links to those of the version that was built last.
#
#   build.sh VERSION [NAME ...]     names as in the table below; none: all
#   BASE=debian:trixie-slim         an image to begin from; else Debian's own slim one, or where
#                                   that cannot be pulled, one made by base.sh
#   SOURCE_URL=https://…            goes into the labels
set -euo pipefail

# All mounts live in a namespace of this script's own: whatever ends it takes them along, so that
# `rm -rf build/images` always works.
if [[ $EUID -eq 0 && -z ${IMAGES_INSIDE:-} ]]; then
    IMAGES_INSIDE=1 exec unshare --mount --propagation private "${BASH_SOURCE[0]}" "$@"
fi

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
place=$root/build/images
slim=docker.io/library/debian:trixie-slim
own_base=localhost/televisit/base:trixie
version=${1:?usage: build.sh VERSION [NAME ...]}
shift

# name, Containerfile, target
images='
gateway       Containerfile        gateway
appointments  Containerfile        runtime
tokens        Containerfile        runtime
notifier      Containerfile        runtime
check         check/Containerfile  check
dev-postgres  dev/Containerfile    dev-postgres
dev-nats      dev/Containerfile    dev-nats
dev-livekit   dev/Containerfile    dev-livekit
'

fail() {
    echo "images: $*" >&2
    exit 1
}

store() {
    local command=$1
    shift
    buildah --root "$place/storage" --runroot "$place/run" "$command" "$@"
}

# Sets `base`, and `mount` to what apt needs in one that we have made.
choose_base() {
    mount=()
    if [[ -n ${BASE:-} ]]; then
        store pull -q --policy missing "$BASE" >/dev/null || fail "cannot pull BASE=$BASE"
        base=$BASE
    elif [[ ! -f $place/base/base.tar ]] &&
        timeout 30 buildah --root "$place/storage" --runroot "$place/run" pull -q \
            --policy missing "$slim" >/dev/null 2>&1; then
        base=$slim
    else
        make_base
        base=$own_base
        mount=(--volume "$place/base/apt:/etc/apt/sources.list.d:ro")
    fi
}

make_base() {
    [[ -f $place/base/base.tar ]] || "$here/base.sh" "$place/base"
    if ! store inspect --type image "$own_base" >/dev/null 2>&1; then
        printf 'FROM scratch\nADD base.tar /\nCMD ["/bin/sh"]\n' |
            store bud -q --isolation chroot -t "$own_base" -f - "$place/base" >/dev/null
    fi
}

# Builds one image, unless all of it is there already. Prints its id.
build() {
    local name=$1 file=$2 target=$3 ca=() log=$place/log/$1.log
    # npm trusts what this machine trusts.
    if [[ -s ${NODE_EXTRA_CA_CERTS:-} ]]; then
        ca=(--secret "id=ca,src=$NODE_EXTRA_CA_CERTS")
    fi
    store bud --isolation "${BUILDAH_ISOLATION:-chroot}" --layers --pull-never \
        "${mount[@]}" "${ca[@]}" --ignorefile "$here/Containerfile.dockerignore" \
        --build-arg "BASE=$base" --build-arg "SERVICE=$name" --build-arg "VERSION=$version" \
        --build-arg "REVISION=$revision" --build-arg "SOURCE=${SOURCE_URL:-}" \
        --target "$target" -t "localhost/televisit/$name:$version" --iidfile "$place/log/$name.id" \
        -f "$here/$file" "$root" >"$log" 2>&1 || {
        tail -n 30 "$log" >&2
        fail "$name could not be built: see $log"
    }
    cat "$place/log/$name.id"
}

# What an image has besides Debian's packages, as options of sbom.py.
parts_of() {
    case $1 in
    gateway) printf '%s\n' --npm "$root/web/package-lock.json" ;;
    dev-livekit)
        printf '%s\n' --extra "pkg:golang/github.com/livekit/livekit-server@$(sed -n \
            's/^VERSION=//p' "$root/tools/livekit.sh")"
        ;;
    esac
    case $1 in
    gateway | appointments | tokens | notifier | check)
        printf '%s\n' --extra "pkg:generic/televisit-$1@$version"
        ;;
    esac
}

# The archive and the list of parts, unless they are those of this image.
export_image() {
    local name=$1 id=$2 out=$place/$1-$version parts
    if [[ ! -f $out.tar || $(cat "$out.id" 2>/dev/null) != "$id" ]]; then
        rm -f "$out".{id,tar,cdx.json}
        store push -q "$id" "docker-archive:$out.tar:localhost/televisit/$name:$version"
        mapfile -t parts < <(parts_of "$name")
        "$here/sbom.py" --name "$name" --version "$version" "${parts[@]}" "$out.tar" \
            >"$out.cdx.json"
        echo "$id" >"$out.id"
    fi
    ln -sfn "$name-$version.tar" "$place/$name.tar"
    ln -sfn "$name-$version.cdx.json" "$place/$name.cdx.json"
}

row_of() {
    awk -v name="$1" '$1 == name {print $2, $3}' <<<"$images"
}

command -v buildah >/dev/null || fail 'buildah is missing: make deps DEPS=cluster'
mapfile -t names < <(awk 'NF {print $1}' <<<"$images")
if [[ $# -gt 0 ]]; then
    names=("$@")
fi
for name in "${names[@]}"; do
    [[ -n $(row_of "$name") ]] || fail "there is no image $name"
done
mkdir -p "$place/log"
exec 9>"$place/lock"
flock --nonblock 9 || fail "another one is building"
# What one that was killed has left.
rm -rf "$place/run"
store rm --all >/dev/null
revision=$(git -C "$root" rev-parse HEAD 2>/dev/null || true)
choose_base
archives=()
echo "base: $base"
for name in "${names[@]}"; do
    read -r file target <<<"$(row_of "$name")"
    if [[ $name == dev-livekit ]]; then
        "$root/tools/livekit.sh"
    fi
    started=$SECONDS
    id=$(build "$name" "$file" "$target")
    export_image "$name" "$id"
    archives+=("$place/$name-$version.tar")
    echo "built $name:$version in $((SECONDS - started)) s"
done
"$here/sizes.py" "${archives[@]}"
