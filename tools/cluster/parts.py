"""What runs on the nodes: a table of parts, each with its command."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from .layout import FIRST, PAUSE, PODS, SERVICES, Cluster, Node
from .nodes import write_cni


@dataclass(frozen=True)
class Part:
    name: str
    node: Node
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, cluster: Cluster) -> None:
        cluster.processes.start(self.name, [*cluster.inside(self.node), *self.command],
                                os.environ | self.environment)


def control_plane(cluster: Cluster) -> list[Part]:
    pki, program = cluster.pki, lambda name: str(cluster.bin / name)
    return [
        Part("etcd", FIRST, ["etcd", f"--data-dir={cluster.dir / 'etcd'}"],
             # Debian builds it for architectures that upstream calls unsupported, too.
             {"ETCD_UNSUPPORTED_ARCH": os.uname().machine.replace("aarch64", "arm64")}),
        Part("apiserver", FIRST, [
            program("kube-apiserver"), "--etcd-servers=http://127.0.0.1:2379",
            f"--advertise-address={FIRST.address}", "--allow-privileged",
            f"--tls-cert-file={pki}/api.crt", f"--tls-private-key-file={pki}/api.key",
            f"--client-ca-file={pki}/ca.crt", "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={pki}/accounts.key",
            f"--service-account-signing-key-file={pki}/accounts.key",
            f"--service-cluster-ip-range={SERVICES}",
            f"--kubelet-client-certificate={pki}/admin.crt",
            f"--kubelet-client-key={pki}/admin.key",
            f"--kubelet-certificate-authority={pki}/ca.crt",
            "--kubelet-preferred-address-types=InternalIP"]),
        Part("controllers", FIRST, [
            program("kube-controller-manager"), f"--kubeconfig={pki}/controllers.conf",
            f"--service-account-private-key-file={pki}/accounts.key",
            f"--root-ca-file={pki}/ca.crt", "--use-service-account-credentials",
            "--leader-elect=false", f"--cert-dir={pki}/controllers"]),
        Part("scheduler", FIRST, [
            program("kube-scheduler"), f"--kubeconfig={pki}/scheduler.conf",
            "--leader-elect=false", f"--cert-dir={pki}/scheduler"]),
        Part("coredns", FIRST, [program("coredns"), f"-conf={_corefile(cluster)}"])]


def of_node(cluster: Cluster, node: Node) -> list[Part]:
    return [
        Part(f"containerd-{node.number}", node, [
            "containerd", f"--config={_containerd(cluster, node)}"]),
        Part(f"kubelet-{node.number}", node, [
            str(cluster.bin / "kubelet"), f"--config={_kubelet(cluster, node)}",
            f"--kubeconfig={cluster.pki}/{node.name}.conf", f"--hostname-override={node.name}",
            f"--node-ip={node.address}", f"--root-dir={cluster.of(node)}/kubelet",
            f"--cert-dir={cluster.of(node)}/pki"]),
        Part(f"proxy-{node.number}", node, [
            str(cluster.bin / "kube-proxy"), f"--config={_proxy(cluster, node)}"])]


def _corefile(cluster: Cluster) -> Path:
    path = cluster.dir / "Corefile"
    path.write_text(f""".:53 {{
    bind {FIRST.address}
    errors
    kubernetes cluster.local {{
        kubeconfig {cluster.kubeconfig} cluster
    }}
}}
""")
    return path


def _containerd(cluster: Cluster, node: Node) -> Path:
    folder = cluster.of(node)
    cri = "io.containerd.grpc.v1.cri"
    path = folder / "containerd.toml"
    path.write_text(f"""version = 2
root = "{folder}/containerd"
state = "{folder}/containerd-state"
[grpc]
address = "{folder}/containerd.sock"
[plugins."{cri}"]
sandbox_image = "{PAUSE}"
restrict_oom_score_adj = true
disable_apparmor = true
[plugins."{cri}".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{write_cni(cluster, node)}"
[plugins."io.containerd.internal.v1.opt"]
path = "{folder}/opt"
""")
    return path


def _kubelet(cluster: Cluster, node: Node) -> Path:
    folder, pki = cluster.of(node), cluster.pki
    return _json(folder / "kubelet.json", {
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "failCgroupV1": False, "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cluster.group}/{node.name}",
        "failSwapOn": False, "oomScoreAdj": 0, "maxOpenFiles": 20000,
        "containerRuntimeEndpoint": f"unix://{folder}/containerd.sock",
        "authentication": {"anonymous": {"enabled": False},
                           "x509": {"clientCAFile": f"{pki}/ca.crt"}},
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{pki}/{node.name}.crt", "tlsPrivateKeyFile": f"{pki}/{node.name}.key",
        "clusterDNS": [FIRST.address], "clusterDomain": "cluster.local", "resolvConf": "/dev/null",
        "podLogsDir": f"{folder}/pods",
        # The disk and the memory are the machine's, and what else fills them is not ours to mend.
        "evictionHard": {"nodefs.available": "1%", "imagefs.available": "1%",
                         "memory.available": "100Mi"},
        "imageGCHighThresholdPercent": 99, "imageGCLowThresholdPercent": 98})


def _proxy(cluster: Cluster, node: Node) -> Path:
    return _json(cluster.of(node) / "proxy.json", {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
        "mode": "iptables", "hostnameOverride": node.name, "clusterCIDR": PODS,
        "oomScoreAdj": 0, "clientConnection": {"kubeconfig": f"{cluster.pki}/proxy.conf"},
        # Those of the machine stay as they are.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s",
                      "tcpCloseWaitTimeout": "0s"}})


def _json(path: Path, content: dict) -> Path:
    path.write_text(json.dumps(content, indent=2) + "\n")
    return path
