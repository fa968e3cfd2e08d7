"""A cluster as tests see it: its API, kubectl and helm, and the processes behind its containers.

Tests run inside the network of a node (tools/cluster/cluster within), as root.
"""

import base64
import http.client
import json
import os
import ssl
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "harness"))
# pylint: disable=wrong-import-position
from until import until as until_within


class Refused(Exception):
    """The API server's answer when it is none of success."""

    def __init__(self, status, body):
        super().__init__(f"{status} {body[:600]}")
        self.status, self.body = status, body


class Kubernetes:
    def __init__(self):
        config = json.loads(Path(os.environ["KUBECONFIG"]).read_text())
        user, cluster = config["users"][0]["user"], config["clusters"][0]["cluster"]
        self._address = cluster["server"].removeprefix("https://")
        self._tls = ssl.create_default_context(cafile=cluster["certificate-authority"])
        self._tls.load_cert_chain(user["client-certificate"], user["client-key"])

    def ask(self, method, path, body=None):
        """What the API server says to it, from JSON; raises Refused."""
        connection = http.client.HTTPSConnection(self._address, context=self._tls, timeout=30)
        try:
            connection.request(method, path, json.dumps(body) if body else None,
                               {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status >= 300:
            raise Refused(answer.status, text)
        return json.loads(text)

    def items(self, kind, namespace, group="api/v1", selector=""):
        query = f"?labelSelector={selector}" if selector else ""
        return self.ask("GET", f"/{group}/namespaces/{namespace}/{kind}{query}")["items"]

    def secret(self, namespace, name, key):
        data = self.ask("GET", f"/api/v1/namespaces/{namespace}/secrets/{name}")["data"]
        return base64.b64decode(data[key]).decode()

    def evict(self, pod):
        """Asks for an eviction, as a drain does; the status of the answer."""
        meta = pod["metadata"]
        try:
            self.ask("POST", f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/eviction",
                     {"apiVersion": "policy/v1", "kind": "Eviction",
                      "metadata": {"name": meta["name"], "namespace": meta["namespace"]}})
        except Refused as refused:
            return refused.status
        return 201

    def kubectl(self, *words, **more):
        return run("kubectl", *words, **more)


def run(*words, stdin=None, timeout=300):
    """The output of a command, which has to succeed."""
    done = subprocess.run([str(word) for word in words], input=stdin, text=True, timeout=timeout,
                          capture_output=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, words))}: status {done.returncode}\n"
                             f"{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout


def until(condition, timeout_s=60):
    """As the harness', with a cluster's patience."""
    return until_within(condition, timeout_s)


def tell(what, since=None):
    """A figure, for people."""
    took = f": {time.monotonic() - since:.1f} s" if since is not None else ""
    print(f"    {what}{took}", file=sys.stderr, flush=True)


def is_ready(pod):
    conditions = pod.get("status", {}).get("conditions", [])
    return ("deletionTimestamp" not in pod["metadata"]
            and any(c["type"] == "Ready" and c["status"] == "True" for c in conditions))


# -- processes -------------------------------------------------------------------------------------

def processes_of(pod):
    """The pids of a pod's containers on this machine, by the container's name."""
    ids = {c["containerID"].rpartition("/")[2]: c["name"]
           for c in pod["status"]["containerStatuses"]}
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            groups = (process / "cgroup").read_text()
        except OSError:  # gone
            continue
        for container, name in ids.items():
            if container in groups:
                found.setdefault(name, []).append(int(process.name))
    return {name: sorted(pids) for name, pids in found.items()}


def status_of(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def root_options(pid):
    """The options of the mount that a process has as its root."""
    for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines():
        fields = line.split()
        if fields[4] == "/":
            return fields[5].split(",")
    raise AssertionError(f"{pid} has no root")


def memory_mb(pids):
    """What they have in memory, shared pages in equal shares."""
    texts = (Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids)
    return sum(int(text.partition("Pss:")[2].split()[0]) for text in texts) / 1024
