"""Who is who in the cluster: one authority, a certificate and a kubeconfig for each."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .layout import API, FIRST, Cluster

_EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Identity:
    file: str
    subject: str
    names: str = ""  # of a server
    has_config: bool = True


def identities(cluster: Cluster) -> list[Identity]:
    kubernetes = "DNS:kubernetes.default.svc,IP:10.96.0.1,IP:127.0.0.1"
    return [
        Identity("api", "/CN=kube-apiserver", f"{kubernetes},IP:{FIRST.address}", False),
        Identity("admin", "/O=system:masters/CN=admin"),
        Identity("controllers", "/CN=system:kube-controller-manager"),
        Identity("scheduler", "/CN=system:kube-scheduler"),
        Identity("proxy", "/CN=system:kube-proxy"),
        *(Identity(node.name, f"/O=system:nodes/CN=system:node:{node.name}", f"IP:{node.address}")
          for node in cluster.nodes)]


def make(cluster: Cluster) -> None:
    pki = cluster.pki
    pki.mkdir()
    _openssl(pki, "req", "-x509", *_EC, "-keyout", "ca.key", "-out", "ca.crt", "-days", "30",
             "-subj", "/CN=televisit test cluster")
    _openssl(pki, "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "accounts.key")
    for identity in identities(cluster):
        name = identity.file
        _openssl(pki, "req", *_EC, "-keyout", f"{name}.key", "-out", f"{name}.csr",
                 "-subj", identity.subject)
        extensions = "extendedKeyUsage=clientAuth,serverAuth\n"
        if identity.names:
            extensions += f"subjectAltName={identity.names}\n"
        (pki / f"{name}.ext").write_text(extensions)
        _openssl(pki, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
                 "-CAcreateserial", "-days", "30", "-out", f"{name}.crt",
                 "-extfile", f"{name}.ext")
        if identity.has_config:
            (pki / f"{name}.conf").write_text(_kubeconfig(pki, name))
    cluster.kubeconfig.write_text(_kubeconfig(pki, "admin"))
    cluster.kubeconfig.chmod(0o600)


def _kubeconfig(pki: Path, name: str) -> str:
    return json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "cluster",
        "clusters": [{"name": "cluster", "cluster": {
            "server": API, "certificate-authority": str(pki / "ca.crt")}}],
        "users": [{"name": name, "user": {"client-certificate": str(pki / f"{name}.crt"),
                                          "client-key": str(pki / f"{name}.key")}}],
        "contexts": [{"name": "cluster", "context": {"cluster": "cluster", "user": name}}],
    }, indent=2) + "\n"


def _openssl(pki: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=pki, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
