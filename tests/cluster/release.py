"""A release of our chart in a namespace of its own, with people of a clinic."""

import json
import os
import secrets
import shutil
import tempfile
import time
from pathlib import Path

from kube import ROOT, is_ready, run, tell, until
from load import MINUTE, Person, book, now

SERVICES = ("gateway", "appointments", "tokens", "notifier")
DEPENDENCIES = ("nats", "postgres", "livekit")
VERSION, NEXT_VERSION = os.environ["VERSION"], os.environ["NEXT_VERSION"]
WAIT_S = 300

# Two of each on two nodes, and what cannot be doubled on the first: only our services tolerate
# node-2, which can then be drained without taking the database along.
SPARE = {"key": "televisit.test/spare", "effect": "NoSchedule"}
VALUES = {
    "image": {"registry": "localhost"},
    "topologySpread": {"enabled": True, "constraints": [{
        "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule",
        "maxSkew": 1}]},
    "services": {name: {
        "replicas": 2, "podDisruptionBudget": {"enabled": True, "maxUnavailable": 1},
        "tolerations": [SPARE | {"operator": "Exists"}]} for name in SERVICES},
    # What is single would be away while it is replaced: it keeps its version.
    "dev": {name: {"image": {"tag": VERSION}} for name in DEPENDENCIES},
}
VALUES["dev"]["postgres"]["storageClassName"] = "local"
# The load is many times what one person may ask for.
VALUES["services"]["gateway"]["env"] = {"TELEVISIT_RATE_PERCENT": "0"}


def chart(version):
    """The packaged chart of a version: the sources' own, or one that differs in nothing else."""
    packages = sorted((ROOT / "build" / "chart").glob("televisit-*.tgz"))
    assert len(packages) == 1, f"make chart: {packages}"
    folder = Path(tempfile.mkdtemp(prefix="televisit-chart-"))
    run("tar", "-xzf", packages[0], "-C", folder)
    about = folder / "televisit" / "Chart.yaml"
    lines = [f"{line.split(':')[0]}: {version}" if line.startswith(("version:", "appVersion:"))
             else line for line in about.read_text().splitlines()]
    about.write_text("\n".join(lines) + "\n")
    return folder / "televisit"


class Release:
    def __init__(self, kubernetes, namespace, helm="helm"):
        self.kubernetes, self.namespace, self.name = kubernetes, namespace, "televisit"
        self._helm = helm
        self.dir = Path(tempfile.mkdtemp(prefix="televisit-release-"))
        (self.dir / "values.json").write_text(json.dumps(VALUES))
        self._charts = {version: chart(version) for version in (VERSION, NEXT_VERSION)}

    # -- life -------------------------------------------------------------------------------------

    def prepare(self):
        """What an operator has before: a namespace, secrets, and a place for the database."""
        kubernetes = self.kubernetes
        kubernetes.ask("POST", "/api/v1/namespaces", {"metadata": {
            "name": self.namespace, "labels": {
                f"pod-security.kubernetes.io/{mode}": "restricted"
                for mode in ("enforce", "warn", "audit")}}})
        manifests = run(ROOT / "tools" / "secrets", "--out", self.dir / "secrets",
                        "--release", self.name, "--dev")
        self.kubectl("apply", "-f", "-", stdin=manifests)
        volume = self.dir / "volume"
        volume.mkdir()
        volume.chmod(0o777)
        kubernetes.ask("POST", "/api/v1/persistentvolumes", {
            "metadata": {"name": self.namespace},
            "spec": {
                "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
                "storageClassName": "local", "local": {"path": str(volume)},
                "claimRef": {"namespace": self.namespace,
                             "name": f"data-{self.name}-postgres-0"},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [{
                    "key": "kubernetes.io/hostname", "operator": "In", "values": ["node-1"]}]}]}}}})

    def install(self, version):
        """With helm's --wait. Its warnings would be those of Pod Security: there are none."""
        begin = time.monotonic()
        self.helm("install", self.name, self._charts[version], *self._values(version), "--wait",
                  f"--timeout={WAIT_S}s")
        tell(f"{self._helm} install --wait", begin)

    def upgrade(self, version):
        begin = time.monotonic()
        self.helm("upgrade", self.name, self._charts[version], *self._values(version), "--wait",
                  f"--timeout={WAIT_S}s")
        tell(f"upgrade to {version}", begin)

    def rollback(self):
        begin = time.monotonic()
        self.helm("rollback", self.name, "--wait", f"--timeout={WAIT_S}s")
        tell("rollback", begin)

    def test(self):
        begin = time.monotonic()
        said = self.helm("test", self.name, f"--timeout={WAIT_S}s")
        tell("helm test", begin)
        return said

    def uninstall(self):
        begin = time.monotonic()
        self.helm("uninstall", self.name, "--wait", f"--timeout={WAIT_S}s")
        tell("uninstall", begin)

    def leftovers(self):
        """Objects of the release that are still there, of whatever kind."""
        kinds = self.kubernetes.kubectl("api-resources", "--verbs=list", "--namespaced", "-o",
                                        "name").split()
        return self.kubectl("get", ",".join(sorted(kinds)), "-o", "name",
                            "-l", f"app.kubernetes.io/instance={self.name},"
                            "app.kubernetes.io/managed-by!=tools-secrets").split()

    def close(self):
        """The namespace goes, with whatever a failed test has left in it."""
        self.kubectl("delete", "namespace", self.namespace, f"--timeout={WAIT_S}s")
        self.kubectl("delete", "persistentvolume", self.namespace)
        for folder in (self.dir, *(path.parent for path in self._charts.values())):
            shutil.rmtree(folder, ignore_errors=True)

    def _values(self, version):
        return ("-f", self._charts[version] / "values-dev.yaml", "-f", self.dir / "values.json")

    def helm(self, command, *words):
        return run(self._helm, command, *words, "--namespace", self.namespace, timeout=WAIT_S + 60)

    def kubectl(self, *words, **more):
        return self.kubernetes.kubectl(f"--namespace={self.namespace}", *words, **more)

    # -- what is there -----------------------------------------------------------------------------

    def pods(self, component=None):
        """The pods that are there, of one component or of all services."""
        component = f"={component}" if component else f"+in+({','.join(SERVICES)})"
        return self.kubernetes.items("pods", self.namespace,
                                     selector=f"app.kubernetes.io/component{component}")

    def all_ready(self):
        """The wanted ones, and none that is still on its way out."""
        pods = self.pods()
        return len(pods) == 2 * len(SERVICES) and all(is_ready(pod) for pod in pods)

    def settle(self):
        assert until(self.all_ready, WAIT_S), self.kubectl("get", "pods", "-o", "wide")

    def address(self):
        service = self.kubernetes.ask(
            "GET", f"/api/v1/namespaces/{self.namespace}/services/{self.name}-gateway")["spec"]
        port = next(port["port"] for port in service["ports"] if port["name"] == "http")
        return service["clusterIP"], port

    # -- people ------------------------------------------------------------------------------------

    def admit_people(self):
        """The clinic of `helm test`, and people for the load."""
        account = json.loads(self.kubernetes.secret(self.namespace, f"{self.name}-check",
                                                    "account.json"))
        self.appointments("add-clinic", "--slug", account["clinic"], "--name", "Harbour Clinic",
                          "--time-zone", "Europe/Berlin")
        for role in ("patient", "doctor", "staff"):
            if role in account:
                self._admit(account["clinic"], role, **account[role])
        people = []
        for role in ("patient", "doctor", "staff"):
            email, password = f"{role}@load.example", secrets.token_hex(12)
            self._admit(account["clinic"], role, email, password)
            people.append(Person(self.address(), account["clinic"], email, password))
        return people

    def _admit(self, clinic, role, email, password):
        self.appointments("add-person", "--clinic", clinic, "--role", role, "--name",
                          f"A {role}", "--email", email, stdin=password + "\n")

    def appointments(self, *words, stdin=""):
        return self.kubectl("exec", "-i", f"deployment/{self.name}-appointments", "--",
                            "/usr/local/bin/service", *words, stdin=stdin)


def visit_of_now(patient, doctor, staff):
    """An appointment whose call is open for the next minutes."""
    status, body = book(staff, doctor, patient, now() + 20 * MINUTE, confirmed=True)
    assert status == 201, (status, body)
    return json.loads(body)["id"]
