"""The rules for rendered objects: each finds the fault it is for, and leaves good objects alone."""

import copy
import os
import sys
import unittest

import yaml

sys.dont_write_bytecode = True
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tools", "chart"))

import rules  # noqa: E402
from objects import LOADER, Release, label, selects  # noqa: E402

GONE = object()
POD = "spec.template.spec"
MAIN = f"{POD}.containers.0"
WEB, API, JOB = "Deployment/web", "Deployment/api", "Job/job"
SERVICE, POLICY, HPA = "Service/web", "NetworkPolicy/all", "HorizontalPodAutoscaler/api"
HOST_SOCKET = [{"name": "keys", "hostPath": {"path": "/var/run/docker.sock"}}]
HOST_ETC = [{"name": "keys", "hostPath": {"path": "/etc"}}]
SHELL = [{"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]}]
ALL = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
# A value of each shape that is refused, put together here so that no scanner takes it for real.
SEED = "S" + "U" + "AB2C3D4E5F6G7H" * 4
PEM = "-----BEGIN " + "PRIVATE KEY-----"
TOKEN = ".".join(("ey" + "JhbGciOiJIUzI1NiJ9", "ey" + "JzdWIiOiIxMjM0In0", "c2lnbmF0dXJl"))

# rule, object, path, what is put there (GONE: it is taken away)
CASES = [
    ("host-ipc", WEB, f"{POD}.hostIPC", True),
    ("hostIPCSet", WEB, f"{POD}.hostIPC", True),
    ("host-network", WEB, f"{POD}.hostNetwork", True),
    ("hostNetworkSet", JOB, f"{POD}.hostNetwork", True),
    ("host-pid", WEB, f"{POD}.hostPID", True),
    ("hostPIDSet", WEB, f"{POD}.hostPID", True),
    ("docker-sock", WEB, f"{POD}.volumes", HOST_SOCKET),
    ("sensitive-host-mounts", WEB, f"{POD}.volumes", HOST_ETC),
    ("writable-host-mount", WEB, f"{MAIN}.volumeMounts.0.readOnly+{POD}.volumes",
     (False, HOST_ETC)),
    ("hostPathSet", JOB, f"{POD}.volumes", HOST_ETC),
    ("hostProcess", WEB, f"{POD}.securityContext.windowsOptions", {"hostProcess": True}),
    ("unsafe-sysctls", WEB, f"{POD}.securityContext.sysctls", [{"name": "net.a", "value": "1"}]),
    ("deprecated-service-account-field", WEB, f"{POD}.serviceAccount", "web"),
    ("non-existent-service-account", WEB, f"{POD}.serviceAccountName", "nobody"),
    ("default-service-account", WEB, f"{POD}.serviceAccountName", GONE),
    ("automountServiceAccountToken", WEB, f"{POD}.automountServiceAccountToken", True),
    ("priorityClassNotSet", WEB, f"{POD}.priorityClassName", GONE),
    ("topologySpreadConstraint", WEB, f"{POD}.topologySpreadConstraints", []),
    ("no-anti-affinity", WEB, f"{POD}.affinity", GONE),
    ("no-anti-affinity", API, "spec.template.metadata.labels.tier", "other"),
    ("run-as-non-root", WEB, f"{MAIN}.securityContext.runAsUser", 0),
    ("run-as-non-root", WEB, f"{MAIN}.securityContext.runAsGroup", 0),
    ("runAsRootAllowed", WEB, f"{POD}.securityContext", {}),
    ("no-read-only-root-fs", WEB, f"{MAIN}.securityContext.readOnlyRootFilesystem", GONE),
    ("notReadOnlyRootFilesystem", JOB, f"{MAIN}.securityContext.readOnlyRootFilesystem", False),
    ("privileged-container", WEB, f"{MAIN}.securityContext.privileged", True),
    ("runAsPrivileged", WEB, f"{MAIN}.securityContext.privileged", True),
    ("privilege-escalation-container", WEB, f"{MAIN}.securityContext.allowPrivilegeEscalation",
     True),
    ("privilegeEscalationAllowed", WEB, f"{MAIN}.securityContext.allowPrivilegeEscalation", GONE),
    ("unsafe-proc-mount", WEB, f"{MAIN}.securityContext.procMount", "Unmasked"),
    ("procMount", WEB, f"{MAIN}.securityContext.procMount", "Unmasked"),
    ("drop-net-raw-capability", WEB, f"{MAIN}.securityContext.capabilities.drop", ["CHOWN"]),
    ("insecureCapabilities", WEB, f"{MAIN}.securityContext.capabilities.drop", ["NET_RAW"]),
    ("dangerousCapabilities", WEB, f"{MAIN}.securityContext.capabilities.add", ["CAP_SYS_ADMIN"]),
    ("linuxHardening", WEB, f"{POD}.securityContext.seccompProfile.type", "Unconfined"),
    ("latest-tag", WEB, f"{MAIN}.image", "registry.example.org:5000/demo"),
    ("tagNotSpecified", WEB, f"{MAIN}.image", "demo:latest"),
    ("pullPolicyNotAlways", WEB, f"{MAIN}.imagePullPolicy", "IfNotPresent"),
    ("unset-cpu-requirements", WEB, f"{MAIN}.resources.limits.cpu", GONE),
    ("unset-memory-requirements", WEB, f"{MAIN}.resources.requests.memory", GONE),
    ("cpuRequestsMissing", WEB, f"{MAIN}.resources.requests.cpu", GONE),
    ("cpuLimitsMissing", JOB, f"{MAIN}.resources.limits", GONE),
    ("memoryRequestsMissing", WEB, f"{MAIN}.resources", GONE),
    ("memoryLimitsMissing", WEB, f"{MAIN}.resources.limits.memory", GONE),
    ("duplicate-env-var", WEB, f"{MAIN}.env.0.name", "LEVEL"),
    ("env-var-secret", WEB, f"{MAIN}.env.1.name", "MY_SECRET"),
    ("read-secret-from-env-var", WEB, f"{MAIN}.env.1", {
        "name": "A", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}),
    ("read-secret-from-env-var", WEB, f"{MAIN}.envFrom", [{"secretRef": {"name": "a"}}]),
    ("sensitiveContainerEnvVar", WEB, f"{MAIN}.env.1.name", "API_TOKEN"),
    ("sensitiveContainerEnvVar", WEB, f"{MAIN}.env.1.value", PEM),
    ("liveness-port", WEB, f"{MAIN}.livenessProbe.httpGet.port", 9),
    ("readiness-port", WEB, f"{MAIN}.readinessProbe.httpGet.port", "other"),
    ("startup-port", WEB, f"{MAIN}.startupProbe", {"tcpSocket": {"port": 9}}),
    ("no-liveness-probe", WEB, f"{MAIN}.livenessProbe", GONE),
    ("no-readiness-probe", WEB, f"{MAIN}.readinessProbe", GONE),
    ("livenessProbeMissing", WEB, f"{MAIN}.livenessProbe", GONE),
    ("readinessProbeMissing", WEB, f"{MAIN}.readinessProbe", GONE),
    ("ssh-port", WEB, f"{MAIN}.ports.0.containerPort", 22),
    ("privileged-ports", WEB, f"{MAIN}.ports.0.containerPort", 80),
    ("hostPortSet", WEB, f"{MAIN}.ports.0.hostPort", 8080),
    ("invalid-target-ports", WEB, f"{MAIN}.ports.0.name", "a-name-that-is-too-long"),
    ("invalid-target-ports", SERVICE, "spec.ports.0.targetPort", "Http"),
    ("mismatching-selector", WEB, "spec.selector.matchLabels.tier", "job"),
    ("mismatching-selector", WEB, "spec.selector", GONE),
    ("job-ttl-seconds-after-finished", JOB, "spec.ttlSecondsAfterFinished", GONE),
    ("no-extensions-v1beta", WEB, "apiVersion", "extensions/v1beta1"),
    ("no-rolling-update-strategy", WEB, "spec.strategy.type", "Recreate"),
    ("minimum-three-replicas", WEB, "spec.replicas", 2),
    ("deploymentMissingReplicas", WEB, "spec.replicas", 1),
    ("metadataAndInstanceMismatched", WEB, "metadata.labels", {
        "app.kubernetes.io/instance": "demo"}),
    ("dangling-service", SERVICE, "spec.selector.tier", "none"),
    ("dangling-networkpolicy", POLICY, "spec.podSelector", {"matchLabels": {"tier": "none"}}),
    ("dangling-networkpolicypeer-podselector", POLICY,
     "spec.egress.0.to.0.podSelector.matchLabels.tier", "none"),
    ("dangling-networkpolicypeer-podselector", POLICY,
     "spec.ingress.0.from.0.podSelector.matchLabels.tier", "none"),
    ("dangling-horizontalpodautoscaler", HPA, "spec.scaleTargetRef.name", "none"),
    ("dangling-servicemonitor", "ServiceMonitor/web", "spec.selector.matchLabels.tier", "none"),
    ("dangling-ingress", "Ingress/web", "spec.rules.0.http.paths.0.backend.service.name", "none"),
    ("tlsSettingsMissing", "Ingress/web", "spec.tls", GONE),
    ("exposed-services", SERVICE, "spec.type", "NodePort"),
    ("non-isolated-pod", POLICY, "spec.podSelector", {"matchLabels": {"tier": "web"}}),
    ("missingNetworkPolicy", POLICY, "spec.policyTypes", ["Ingress"]),
    ("pdb-max-unavailable", "PodDisruptionBudget/web", "spec.maxUnavailable", "0%"),
    ("pdb-min-available", "PodDisruptionBudget/api", "spec.minAvailable", "90%"),
    ("pdb-unhealthy-pod-eviction-policy", "PodDisruptionBudget/web",
     "spec.unhealthyPodEvictionPolicy", GONE),
    ("pdbDisruptionsIsZero", "PodDisruptionBudget/web", "spec.maxUnavailable", 0),
    ("pdbMinAvailableGreaterThanHPAMinReplicas", "PodDisruptionBudget/api", "spec.minAvailable",
     3),
    ("missingPodDisruptionBudget", "PodDisruptionBudget/web", "spec.selector.matchLabels.tier",
     "none"),
    ("hpaMinAvailability", HPA, "spec.minReplicas", 1),
    ("hpaMaxAvailability", HPA, "spec.maxReplicas", 3),
    ("hpa-minimum-three-replicas", HPA, "spec.minReplicas", 2),
    ("clusterrolePodExecAttach", "ClusterRole/nodes", "rules", SHELL),
    ("rolePodExecAttach", "Role/reader", "rules", SHELL),
    ("clusterrolebindingPodExecAttach", "ClusterRole/nodes", "rules", SHELL),
    ("rolebindingClusterRolePodExecAttach", "RoleBinding/reader+ClusterRole/nodes",
     "roleRef+rules", ({"kind": "ClusterRole", "name": "nodes"}, SHELL)),
    ("rolebindingRolePodExecAttach", "Role/reader", "rules", SHELL),
    ("rolebindingClusterAdminClusterRole", "RoleBinding/reader", "roleRef",
     {"kind": "ClusterRole", "name": "cluster-admin"}),
    ("rolebindingClusterAdminRole", "Role/reader", "rules", ALL),
    ("clusterrolebindingClusterAdmin", "ClusterRole/nodes", "rules", ALL),
    ("cluster-admin-role-binding", "ClusterRoleBinding/nodes", "roleRef.name", "cluster-admin"),
    ("access-to-secrets", "Role/reader", "rules.0.resources", ["secrets"]),
    ("access-to-create-pods", "ClusterRole/nodes", "rules.0", {
        "apiGroups": [""], "resources": ["pods"], "verbs": ["create"]}),
    ("wildcard-in-rules", "Role/reader", "rules.0.verbs", ["*"]),
    ("sensitiveConfigmapContent", "ConfigMap/settings", "data.password", "a"),
    ("sensitiveConfigmapContent", "ConfigMap/settings", "data.a", PEM),
    ("no-namespace", SERVICE, "metadata.namespace", "default"),
    ("standard-labels", SERVICE, "metadata.labels", {}),
    ("short-name", SERVICE, "metadata.name", "a" * 64),
    ("unique-name", "Deployment/api", "metadata.name", "web"),
    ("no-secret", SERVICE, "kind", "Secret"),
    ("literal-secret", "ConfigMap/settings", "data.a", f"key = {SEED}"),
    ("literal-secret", "ConfigMap/settings", "data.a", PEM),
    ("literal-secret", WEB, f"{MAIN}.env.1.value", TOKEN),
    ("literal-secret", WEB, f"{MAIN}.env.1.value", "postgres://u:" + "p@db/t"),
    ("literal-secret", "ConfigMap/settings", "data.a", "password: " + "hunter22"),
    ("literal-secret", WEB, f"{MAIN}.env.1.value", "q8Zr1Vn" + "0Ks7LwYb3Tg5HdXe9"),
    ("own-pods", WEB, "spec.selector", {"matchExpressions": [{"key": "tier",
                                                             "operator": "Exists"}]}),
    ("lasting-selector", WEB, "spec.selector.matchLabels", {"helm.sh/chart": "demo-0.1.0"}),
    ("service-port", SERVICE, "spec.ports.0.targetPort", 8080),
    ("service-port", SERVICE, "spec.ports.0.targetPort", "other"),
    ("service-one-workload", SERVICE, "spec.selector", {}),
    ("servicemonitor-port", "ServiceMonitor/web", "spec.endpoints.0.port", "other"),
    ("networkpolicy-port", POLICY, "spec.ingress.0.ports.0.port", 1),
    ("networkpolicy-port", POLICY, "spec.ingress.0.ports.0.protocol", "UDP"),
    ("route-service", "HTTPRoute/web", "spec.rules.0.backendRefs.0.port", 8080),
    ("route-service", "Ingress/web", "spec.rules.0.http.paths.0.backend.service.port.name", "x"),
    ("replicas-of-autoscaler", API, "spec.replicas", 3),
    ("file-variable", WEB, f"{MAIN}.env.0.value", "/run/keys/other"),
    ("file-unused", WEB, f"{POD}.volumes.0.projected.sources.0.secret.items.0.path", "other"),
    ("file-unused", WEB, f"{POD}.volumes.0.projected.sources.0.secret.items", GONE),
    ("unmounted-volume", WEB, f"{POD}.volumes.1", {"name": "other", "emptyDir": {}}),
    ("unmounted-volume", WEB, f"{MAIN}.volumeMounts.0.name", "other"),
    ("config-checksum", API, "spec.template.metadata.annotations", {}),
    ("reachable", SERVICE, "spec.ports.0.port", 81),
    ("reachable", POLICY, "spec.egress.0.ports.0.port", 8081),
    ("reachable", POLICY, "spec.egress.0.to.0.podSelector.matchLabels.tier", "api"),
    ("reachable", POLICY, "spec.egress.1.ports.0.protocol", "TCP"),
    ("reachable", POLICY, "spec.egress", []),
    ("reachable", POLICY, "spec.ingress.0.from.1.podSelector.matchExpressions.0.values", ["web"]),
    ("reachable", POLICY, "spec.ingress.0.ports.0.port", "admin"),
    ("reachable", POLICY, "spec.ingress.0.from.0.namespaceSelector", {"matchLabels": {"a": "b"}}),
    ("reachable", "ConfigMap/settings+" + SERVICE, "data.a+spec.ports.0.port",
     ("url: http://web:82/x", 81)),
    ("restricted-volumes", WEB, f"{POD}.volumes.0", {"name": "keys", "nfs": {}}),
    ("restricted-capabilities", WEB, f"{MAIN}.securityContext.capabilities.add", ["NET_ADMIN"]),
    ("high-uid", WEB, f"{POD}.securityContext.runAsUser", 1000),
]


with open(os.path.join(ROOT, "tests", "chart", "good.yaml"), encoding="utf-8") as good_file:
    GOOD = yaml.load(good_file, Loader=LOADER)["objects"]


def good():
    # Anchors of YAML are one object here: a copy of each keeps a change where it is made.
    return [copy.deepcopy(o) for o in GOOD]


def put(node, path, value):
    *way, last = [int(p) if p.isdigit() else p for p in path.split(".")]
    for step in way:
        node = node.setdefault(step, {}) if isinstance(node, dict) else node[step]
    if value is GONE:
        del node[last]
    elif isinstance(node, list) and last == len(node):
        node.append(value)
    else:
        node[last] = value


def broken(where, path, value):
    """The good objects with one thing changed; a + b changes two."""
    objects = good()
    places, paths = where.split("+"), path.split("+")
    values = value if len(paths) > 1 else (value,)
    for i, (way, new) in enumerate(zip(paths, values)):
        name = places[min(i, len(places) - 1)]
        put(next(o for o in objects if label(o) == name), way, new)
    return Release(objects)


class Rules(unittest.TestCase):
    def test_good_objects_have_no_fault(self):
        self.assertEqual([str(f) for f in rules.findings(Release(good()))], [])

    def test_each_rule_finds_its_fault(self):
        for name, where, path, value in CASES:
            with self.subTest(rule=name, path=path):
                found = {f.rule.name for f in rules.findings(broken(where, path, value))}
                self.assertIn(name, found)

    def test_each_rule_has_a_case(self):
        self.assertEqual(sorted({name for name, *_ in CASES}), sorted(rules.RULES))

    def test_all_default_rules_of_the_linters_are_there(self):
        tools = [r.tool for r in rules.RULES.values()]
        self.assertGreaterEqual(tools.count("kube-linter"), 31)
        self.assertGreaterEqual(tools.count("polaris"), 40)


class Exemptions(unittest.TestCase):
    def test_the_annotation_of_the_object_gives_the_reason(self):
        for name, key in (("minimum-three-replicas",
                           "ignore-check.kube-linter.io/minimum-three-replicas"),
                          ("deploymentMissingReplicas",
                           "exempt.televisit/deploymentMissingReplicas")):
            release = broken(WEB + "+" + WEB, "spec.replicas+metadata.annotations",
                             (1, {key: "One is enough."}))
            reasons = {f.rule.name: f.reason for f in rules.findings(release)}
            self.assertEqual(reasons.pop(name), "One is enough.")
            self.assertEqual(set(reasons.values()), {None})

    def test_a_reason_is_a_sentence(self):
        for text, right in (("One replica is what was asked for.", True), ("true", False),
                            ("Because.", False), ("one replica is what was asked for.", False),
                            ("One replica is what was asked for", False), (None, False)):
            self.assertEqual(rules.is_sentence(text), right, text)


class Snapshots(unittest.TestCase):
    """What the chart renders, as last written down (`make check-chart` sees that it is so)."""

    def test_rules_find_nothing_but_what_is_exempted_with_a_reason(self):
        folder = os.path.join(ROOT, "tests", "chart", "snapshots")
        names = sorted(os.listdir(folder))
        self.assertIn("default.yaml", names)
        for name in names:
            with self.subTest(snapshot=name), open(os.path.join(folder, name),
                                                   encoding="utf-8") as f:
                release = Release.of_text(f.read())
                self.assertGreater(len(release.pods), 5)
                self.assertEqual([str(f) for f in rules.findings(release)
                                  if not rules.is_sentence(f.reason)], [])


class Selectors(unittest.TestCase):
    def test_selectors(self):
        labels = {"a": "1", "b": "2"}
        for selector, right in (
                (None, False), ({}, True), ({"matchLabels": {"a": "1"}}, True),
                ({"matchLabels": {"a": "1", "c": "1"}}, False),
                ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["2"]}]}, False),
                ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["2"]}]}, True),
                ({"matchExpressions": [{"key": "c", "operator": "Exists"}]}, False),
                ({"matchExpressions": [{"key": "c", "operator": "DoesNotExist"}]}, True)):
            self.assertEqual(selects(selector, labels), right, selector)


if __name__ == "__main__":
    unittest.main()
