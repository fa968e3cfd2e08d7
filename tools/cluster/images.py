"""Images: the one that holds a pod's namespaces is made here, the others are imported."""

import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path

from stack.tell import Fault

from .layout import PAUSE, Cluster, Node


def make_pause(cluster: Cluster) -> Path:
    """Compiles the program and writes its image, as `docker save` would."""
    source = Path(__file__).with_name("pause.c")
    subprocess.run(["gcc", "-static", "-Os", "-s", "-Wall", "-Wextra", "-Werror", "-o",
                    cluster.pause, source], check=True)
    layer = _tar({"pause": cluster.pause.read_bytes()})
    config = json.dumps({
        "architecture": _architecture(), "os": "linux", "config": {"Entrypoint": ["/pause"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }).encode()
    archive = cluster.dir / "pause.tar"
    archive.write_bytes(_tar({
        "config.json": config, "layer.tar": layer, "manifest.json": json.dumps([
            {"Config": "config.json", "RepoTags": [PAUSE], "Layers": ["layer.tar"]}]).encode()}))
    return archive


def load(cluster: Cluster, node: Node, archives: list[Path]) -> None:
    """Imports archives as `buildah push … docker-archive:FILE` writes them."""
    for archive in archives:
        done = subprocess.run([*ctr(cluster, node), "images", "import", archive.resolve()],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Fault(f"{node.name} cannot import {archive}: {done.stderr.strip()}")


def ctr(cluster: Cluster, node: Node) -> list[str]:
    return [*cluster.inside(node), "ctr", "--address", str(cluster.of(node) / "containerd.sock"),
            "--namespace", "k8s.io"]


def _architecture() -> str:
    machine = subprocess.run(["uname", "-m"], capture_output=True, text=True, check=True).stdout
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine.strip(), machine.strip())


def _tar(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()
