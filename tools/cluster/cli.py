"""The commands of tools/cluster/cluster."""

import argparse
import concurrent.futures
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from stack.tell import Fault, bold, say, warn

from . import images, nodes, parts, pki
from .layout import COMPONENTS, COREDNS, KUBE, ROOT, TOOLS, Cluster

_READY_S = 180
_PROGRAMS = {"etcd": "etcd-server", "containerd": "containerd", "ctr": "containerd", "runc": "runc",
             "iptables": "iptables", "conntrack": "conntrack", "ip": "iproute2",
             "nsenter": "util-linux", "openssl": "openssl",
             "/usr/lib/cni/ptp": "containernetworking-plugins"}


def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    try:
        return options.run(options) or 0
    except Fault as fault:
        warn(f"cluster: {fault}")
        return 1
    except KeyboardInterrupt:
        return 130


# -- up and down -----------------------------------------------------------------------------------

def _up(options) -> None:
    cluster = Cluster(options.dir, options.nodes)
    _check()
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    nodes.remove(cluster)
    begin = time.monotonic()
    try:
        _start(cluster, options.image)
    except BaseException:
        if not options.keep:
            nodes.remove(cluster)
        raise
    say(f"{bold('the cluster')} of {len(cluster.nodes)} nodes is up after "
        f"{time.monotonic() - begin:.1f} s")


def _check() -> None:
    if os.geteuid() != 0:
        raise Fault("a cluster makes namespaces, mounts and control groups: run it as root")
    missing = sorted({package for program, package in _PROGRAMS.items()
                      if not shutil.which(program)})
    if missing:
        raise Fault(f"missing: apt-get install --no-install-recommends {' '.join(missing)}")
    if not KUBE.exists() or not COREDNS.exists():
        raise Fault("Kubernetes is not built yet: tools/cluster/build.sh")


def _start(cluster: Cluster, archives: list[Path]) -> None:
    for folder in (cluster.dir, cluster.bin, cluster.log, cluster.dir / "run",
                   *(cluster.of(node) for node in cluster.nodes)):
        folder.mkdir(parents=True)
    for component in COMPONENTS:
        (cluster.bin / component).symlink_to(KUBE)
    (cluster.bin / "coredns").symlink_to(COREDNS)
    (cluster.bin / "helm").symlink_to(_helm(4))
    (cluster.bin / "helm3").symlink_to(_helm(3))
    pause = images.make_pause(cluster)
    pki.make(cluster)
    nodes.start(cluster)
    everything = [*parts.control_plane(cluster),
                  *(part for node in cluster.nodes for part in parts.of_node(cluster, node))]

    def start(*kinds: str) -> None:
        for part in everything:
            if part.name.partition("-")[0] in kinds:
                part.start(cluster)

    start("etcd", "apiserver", "controllers", "scheduler", "coredns", "containerd")
    for node in cluster.nodes:
        _until(cluster, lambda n=node: _says([*images.ctr(cluster, n), "version"]),
               f"containerd of {node.name}")
    # A kubelet wants the image of sandboxes, and the rest comes while the API server starts.
    with concurrent.futures.ThreadPoolExecutor(len(cluster.nodes)) as pool:
        list(pool.map(lambda node: images.load(cluster, node, [pause, *archives]), cluster.nodes))
    _until(cluster, lambda: _says(_kubectl(cluster, "get", "--raw=/readyz")), "the API server")
    start("kubelet")
    _until(cluster, lambda: all(_ready_nodes(cluster).get(n.name) for n in cluster.nodes),
           "the nodes")
    start("proxy")  # it ends when it sees the address of its node come
    _until(cluster, lambda: _says(_kubectl(cluster, "get", "serviceaccount", "default")),
           "the controllers")


def _until(cluster: Cluster, condition, what: str) -> None:
    begin = time.monotonic()
    while not condition():
        for name in cluster.processes.names():
            if not cluster.processes.pid(name):
                raise Fault(f"{name} {cluster.processes.how_it_ended(name)}:\n"
                            f"{_tail(cluster.processes.log(name))}")
        if time.monotonic() - begin > _READY_S:
            raise Fault(f"{what} not ready after {_READY_S} s: the logs are in {cluster.log}")
        time.sleep(0.2)
    say(f"  {what}: {time.monotonic() - begin:.1f} s")


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-8:])


def _down(options) -> None:
    begin = time.monotonic()
    nodes.remove(Cluster(options.dir))
    say(f"the cluster is gone, and all that it left, after {time.monotonic() - begin:.1f} s")


# -- what a person asks ----------------------------------------------------------------------------

def _status(options) -> int:
    cluster = Cluster(options.dir)
    if not cluster.inits():
        say("there is no cluster: tools/cluster/cluster up")
        return 1
    all_run, sum_mb = True, 0.0
    for name in cluster.processes.names():
        pid = cluster.processes.pid(name)
        all_run = all_run and pid is not None
        mb = _memory_mb(pid) if pid else 0.0
        sum_mb += mb
        say(f"  {name:<14} {'runs' if pid else 'has ended':<10} {mb:7.0f} MB")
    say(f"  {'together':<25} {sum_mb:7.0f} MB")
    ready = _ready_nodes(cluster)
    for node, is_ready in ready.items():
        say(f"  {node:<14} {'ready' if is_ready else 'not ready'}")
    return 0 if all_run and ready and all(ready.values()) else 1


def _memory_mb(pid: int) -> float:
    """What the program behind nsenter has in memory now."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        status = Path(f"/proc/{(children or [pid])[0]}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024
    except (OSError, IndexError):  # it ends just now
        return 0.0


def _ready_nodes(cluster: Cluster) -> dict[str, bool]:
    done = subprocess.run(_kubectl(cluster, "get", "nodes", "--output=json"), capture_output=True,
                          text=True, check=False, env=cluster.environment())
    if done.returncode != 0:
        return {}
    return {node["metadata"]["name"]: any(
        c["type"] == "Ready" and c["status"] == "True" for c in node["status"]["conditions"])
        for node in json.loads(done.stdout)["items"]}


def _load(options) -> None:
    cluster = Cluster(options.dir)
    begin = time.monotonic()
    for node in [node for node in cluster.nodes if node.name in cluster.inits()]:
        images.load(cluster, node, options.archive)
    say(f"{len(options.archive)} images are on the nodes after {time.monotonic() - begin:.1f} s")


def _enter(options) -> int:
    """Runs a command where the cluster's addresses are."""
    cluster = Cluster(options.dir)
    words = [*cluster.inside(cluster.nodes[0], "net"), *options.before, *_command(options.words)]
    os.execvpe(words[0], words, cluster.environment())


def _within(options) -> int:
    """Runs a command in a cluster of its own, which goes with it."""
    _up(options)
    cluster = Cluster(options.dir, options.nodes)
    try:
        words = [*cluster.inside(cluster.nodes[0], "net"), *_command(options.words)]
        status = subprocess.run(words, env=cluster.environment(), check=False).returncode
        _status(options)
        return status
    finally:
        if not options.keep:
            nodes.remove(cluster)


def _command(words: list[str]) -> list[str]:
    return words[1:] if words[:1] == ["--"] else words


def _kubectl(cluster: Cluster, *words: str) -> list[str]:
    return [*cluster.inside(cluster.nodes[0], "net"), str(cluster.bin / "kubectl"),
            f"--kubeconfig={cluster.kubeconfig}", "--request-timeout=10s", *words]


def _says(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _helm(major: int) -> Path:
    return TOOLS / "chart" / f"helm{major}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cluster", description="a Kubernetes on this machine")
    parser.add_argument("--dir", type=Path, default=ROOT / "build" / "cluster",
                        help="where the cluster is kept (build/cluster)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, function, what: str, **more) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=what, description=what)
        added.set_defaults(run=function, **more)
        return added

    def makes_one(name: str, function, what: str) -> argparse.ArgumentParser:
        added = command(name, function, what)
        added.add_argument("--nodes", type=int, choices=(1, 2, 3), default=2)
        added.add_argument("--image", type=Path, action="append", default=[], metavar="TAR",
                           help="a docker-archive for all nodes; may be given again")
        added.add_argument("--keep", action="store_true", help="leave it there when it is over")
        return added

    makes_one("up", _up, "make a cluster; one that was there goes first")
    command("down", _down, "end the cluster and take away all that it left")
    command("status", _status, "what runs, with its memory; exit status 1 unless all is ready")
    command("load", _load, "import images").add_argument("archive", type=Path, nargs="+")
    for name, what, before in (("kubectl", "kubectl on this cluster", ["kubectl"]),
                               ("helm", "helm 4 on this cluster", ["helm"]),
                               ("helm3", "helm 3 on this cluster", ["helm3"]),
                               ("enter", "run a command in the network of node-1", [])):
        command(name, _enter, what, before=before).add_argument(
            "words", nargs=argparse.REMAINDER, metavar="WORD")
    within = makes_one("within", _within, "run a command in a cluster that is made for it")
    within.add_argument("words", nargs=argparse.REMAINDER, metavar="WORD")
    return parser
