"""What lies where, and how the machines of the cluster are called.

    bin/          the components, by name     pki/         certificates and kubeconfigs (pki.py)
    log/, run/    per part                    NODE/        containerd, kubelet and CNI of a node
    etcd/         the cluster's state         admin.conf   kubeconfig of a person
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from stack.processes import Processes
from stack.tell import Fault

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "build" / "tools"
KUBE = TOOLS / "cluster" / "kube"
COREDNS = TOOLS / "cluster" / "coredns"
COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy",
              "kubelet", "kubectl")

SERVICES = "10.96.0.0/16"
PODS = "10.244.0.0/16"
PAUSE = "localhost/televisit/pause:1"


@dataclass(frozen=True)
class Node:
    """The first one is the host of the control plane and of the name server as well."""
    number: int

    @property
    def name(self) -> str:
        return f"node-{self.number}"

    @property
    def address(self) -> str:
        return f"10.77.0.{self.number}"

    @property
    def pods(self) -> str:
        return f"10.244.{self.number}.0/24"


FIRST = Node(1)
API = f"https://{FIRST.address}:6443"


class Cluster:
    def __init__(self, directory: Path, nodes: int = 2):
        self.dir = directory.resolve()
        self.nodes = [Node(number) for number in range(1, nodes + 1)]
        self.bin, self.pki, self.log = self.dir / "bin", self.dir / "pki", self.dir / "log"
        self.pause = self.bin / "pause"
        self.kubeconfig = self.dir / "admin.conf"
        self.processes = Processes(self.dir / "run", self.log)
        # Its control groups have a name of their own, so that two clusters do not mix.
        self.group = f"televisit-{hashlib.sha256(str(self.dir).encode()).hexdigest()[:8]}"

    def of(self, node: Node) -> Path:
        return self.dir / node.name

    def environment(self) -> dict[str, str]:
        """For kubectl, helm and tests."""
        helm = self.dir / "helm"
        return os.environ | {
            "PATH": f"{self.bin}:{os.environ.get('PATH', '')}", "KUBECONFIG": str(self.kubeconfig),
            "HELM_CACHE_HOME": str(helm), "HELM_CONFIG_HOME": str(helm),
            "HELM_DATA_HOME": str(helm)}

    def inits(self) -> dict[str, int]:
        """The first process of each node, by the node's name: known by its program, which is ours
        alone, so that nothing has to be remembered."""
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(process / "exe").removesuffix(" (deleted)") == str(self.pause):
                    words = (process / "cmdline").read_bytes().split(b"\0")
                    found[words[1].decode()] = int(process.name)
            except (OSError, IndexError):  # gone, or just on its way to be one
                continue
        return found

    def inside(self, node: Node, *spaces: str) -> list[str]:
        """The start of a command that runs on a node, in all or in some of its namespaces."""
        init = self.inits().get(node.name)
        if init is None:
            raise Fault(f"{node.name} does not run: tools/cluster/cluster up")
        return ["nsenter", f"--target={init}",
                *(f"--{space}" for space in spaces or ("mount", "net", "uts", "ipc", "pid")), "--"]
