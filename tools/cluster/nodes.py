"""The machines: a node is a process with namespaces of its own, and all that runs on it ends with
it, its mounts and network devices included. Only control groups and files stay, and `remove()`
takes those.

                   node-1: bridge lan 10.77.0.1
                  /                            \\
    pods 10.244.1.0/24            veth, node-2: lan 10.77.0.2
    each by a veth of its own                   |
                                        pods 10.244.2.0/24
"""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from stack.tell import Fault

from .layout import FIRST, Cluster, Node

# What a node writes to fixed places of a machine; it gets empty ones instead.
_PRIVATE = ("/run", "/var/log", "/var/lib/cni", "/var/lib/kubelet")
# What kubelet sets for the whole machine.
_KERNEL = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
           "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes")
_GROUPS = Path("/sys/fs/cgroup")
_PATIENCE_S = 20


def start(cluster: Cluster) -> None:
    _remember_kernel(cluster)
    mounts = "; ".join(f"mount -t tmpfs node {folder}" for folder in _PRIVATE)
    for folder in _PRIVATE:
        Path(folder).mkdir(parents=True, exist_ok=True)
    for node in cluster.nodes:
        for hierarchy in _hierarchies():
            _make_group(hierarchy, f"{cluster.group}/{node.name}")
        cluster.processes.start(node.name, [
            "unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child",
            "--mount-proc", "--propagation=private", "sh", "-euc",
            f"{mounts}; hostname {node.name}; exec {cluster.pause} {node.name}"], os.environ)
    deadline = time.monotonic() + _PATIENCE_S
    while len(inits := cluster.inits()) < len(cluster.nodes):
        if time.monotonic() > deadline:
            raise Fault(f"no namespaces for a node: see {cluster.log}")
        time.sleep(0.02)
    _connect(cluster, inits)


def _connect(cluster: Cluster, inits: dict[str, int]) -> None:
    first = inits[FIRST.name]
    for node in cluster.nodes:
        pid = inits[node.name]
        if node == FIRST:
            _ip(pid, "link add lan type bridge")
        else:
            _run("ip", "link", "add", node.name, "netns", str(first), "type", "veth",
                 "peer", "name", "lan", "netns", str(pid))
            _ip(first, f"link set {node.name} master lan up")
        for words in ("link set lo up", f"addr add {node.address}/24 dev lan", "link set lan up",
                      # Nobody is there; but without a way out, addresses of services have none.
                      "route add default via 10.77.0.254"):
            _ip(pid, words)
        for other in cluster.nodes:
            if other != node:
                _ip(pid, f"route add {other.pods} via {other.address}")
        _run("nsenter", f"--target={pid}", "--mount", "--net", "--", "sh", "-c",
             "echo 1 >/proc/sys/net/ipv4/ip_forward")


def write_cni(cluster: Cluster, node: Node) -> Path:
    """The network of a node's pods: each has a link of its own to its node, which routes."""
    folder = cluster.of(node) / "cni"
    folder.mkdir(parents=True)
    (folder / "10-pods.conflist").write_text(json.dumps({
        "cniVersion": "0.4.0", "name": "pods", "plugins": [
            {"type": "ptp", "ipMasq": False, "ipam": {
                "type": "host-local", "ranges": [[{"subnet": node.pods}]],
                "routes": [{"dst": "0.0.0.0/0"}]}},
            {"type": "portmap", "capabilities": {"portMappings": True}}]}))
    return folder


# -- the end ---------------------------------------------------------------------------------------

def remove(cluster: Cluster) -> None:
    """Ends what runs and takes away what it left, also after a run that was killed."""
    for name in cluster.processes.names():
        if any(name == node.name for node in cluster.nodes):
            cluster.processes.signal(name, signal.SIGKILL)
    deadline = time.monotonic() + _PATIENCE_S
    while inits := cluster.inits():
        for pid in inits.values():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if time.monotonic() > deadline:
            raise Fault(f"nodes that do not end: {inits}")
        time.sleep(0.02)
    for hierarchy in _hierarchies():
        _remove_group(hierarchy / cluster.group, deadline)
    _restore_kernel(cluster)
    shutil.rmtree(cluster.dir, ignore_errors=True)
    if cluster.dir.exists():  # a mount is going still
        subprocess.run(["sync"], check=False)
        shutil.rmtree(cluster.dir)
    for folder in ("/var/lib/cni", "/var/lib/kubelet"):
        try:
            os.rmdir(folder)
        except OSError:  # somebody else's
            pass


def _hierarchies() -> list[Path]:
    if (_GROUPS / "cgroup.controllers").exists():
        return [_GROUPS]
    return sorted({folder.resolve() for folder in _GROUPS.iterdir()
                   if (folder / "cgroup.procs").exists()})


def _make_group(hierarchy: Path, name: str) -> None:
    group = hierarchy / name
    group.mkdir(parents=True, exist_ok=True)
    if hierarchy.name == "cpuset":  # useless until it is told what it may use
        for folder in (group.parent, group):
            for what in ("cpuset.cpus", "cpuset.mems"):
                (folder / what).write_text((folder.parent / what).read_text())


def _remove_group(group: Path, deadline: float) -> None:
    """Control groups of containers; the kernel lets them go when their last process is reaped."""
    for folder, _, _ in os.walk(group, topdown=False):
        while True:
            try:
                os.rmdir(folder)
                break
            except FileNotFoundError:
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


def _remember_kernel(cluster: Cluster) -> None:
    values = {name: (Path("/proc/sys") / name).read_text().strip() for name in _KERNEL}
    (cluster.dir / "kernel.json").write_text(json.dumps(values))


def _restore_kernel(cluster: Cluster) -> None:
    kept = cluster.dir / "kernel.json"
    if kept.exists():
        for name, value in json.loads(kept.read_text()).items():
            (Path("/proc/sys") / name).write_text(value)


def _ip(pid: int, words: str) -> None:
    _run("nsenter", f"--target={pid}", "--net", "--", "ip", *words.split())


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Fault(f"{' '.join(words)}: {done.stderr.strip()}")
