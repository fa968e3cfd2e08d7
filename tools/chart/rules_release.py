"""Rules of kube-linter and polaris for workloads and what stands around them: the objects that
point at pods, disruption and scale, rights."""

from objects import Pod, dig, label, selects
from rulebook import KUBE_LINTER, POLARIS, fault_if, pod_rule, rule
from rules_pods import PRIVATE_KEY, SENSITIVE_NAME


# -- workloads -------------------------------------------------------------------------------------

@rule(KUBE_LINTER, "mismatching-selector", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
def mismatching_selector(_, obj):
    return fault_if(not dig(obj, "spec.selector") or not selects(
        dig(obj, "spec.selector"), Pod(obj).labels), "its selector is not for its own pods")


@rule(KUBE_LINTER, "job-ttl-seconds-after-finished", "Job", "CronJob")
def job_ttl_seconds_after_finished(_, obj):
    path = "spec.jobTemplate.spec" if obj["kind"] == "CronJob" else "spec"
    told = dig(obj, f"{path}.ttlSecondsAfterFinished") is not None
    return fault_if(told == (obj["kind"] == "CronJob"), "ttlSecondsAfterFinished "
                    + ("fights with the history limits" if told else "is not set"))


@rule(KUBE_LINTER, "no-extensions-v1beta")
def no_extensions_v1beta(_, obj):
    return fault_if(str(obj.get("apiVersion")).startswith("extensions/v1beta"),
                    "its API is gone")


@rule(KUBE_LINTER, "no-rolling-update-strategy", "Deployment", "DaemonSet", "StatefulSet")
def no_rolling_update_strategy(_, obj):
    field = "strategy" if obj["kind"] == "Deployment" else "updateStrategy"
    return fault_if(dig(obj, f"spec.{field}.type") != "RollingUpdate", f"{field} is not told")


@rule(KUBE_LINTER, "minimum-three-replicas", "Deployment", "StatefulSet")
def minimum_three_replicas(release, obj):
    n = release.replicas(obj)
    return fault_if(n < 3, f"has {n} replicas")


@rule(POLARIS, "deploymentMissingReplicas", "Deployment")
def deployment_missing_replicas(release, obj):
    n = release.replicas(obj)
    return fault_if(n < 2, f"has {n} replica")


@rule(POLARIS, "metadataAndInstanceMismatched", "Deployment", "StatefulSet", "DaemonSet", "Job",
      "CronJob", "Pod")
def metadata_and_instance_mismatched(_, obj):
    instance = dig(obj, "metadata.labels", {}).get("app.kubernetes.io/instance")
    return fault_if(instance != obj["metadata"]["name"], f"its instance label is {instance}")


# -- what points at pods ---------------------------------------------------------------------------

def dangling_rule(name, kind, path):
    @rule(KUBE_LINTER, name, kind)
    def check(release, obj):
        selector = dig(obj, path, {} if kind == "NetworkPolicy" else None)
        if kind == "Service" and selector is not None:
            selector = {"matchLabels": selector}
        return fault_if(not release.pods_of(selector), "selects no pod of ours")


dangling_rule("dangling-service", "Service", "spec.selector")
dangling_rule("dangling-networkpolicy", "NetworkPolicy", "spec.podSelector")


@rule(KUBE_LINTER, "dangling-networkpolicypeer-podselector", "NetworkPolicy")
def dangling_networkpolicypeer_podselector(release, obj):
    peers = [p for r in dig(obj, "spec.ingress", []) for p in r.get("from", [])]
    peers += [p for r in dig(obj, "spec.egress", []) for p in r.get("to", [])]
    return [f"no pod of ours is the peer {p['podSelector']}" for p in peers
            if "podSelector" in p and "namespaceSelector" not in p
            and not release.pods_of(p["podSelector"])]


@rule(KUBE_LINTER, "dangling-horizontalpodautoscaler", "HorizontalPodAutoscaler")
def dangling_horizontalpodautoscaler(release, obj):
    target = dig(obj, "spec.scaleTargetRef", {})
    return fault_if(not release.find(target.get("kind"), target.get("name")),
                    f"there is no {target.get('kind')} {target.get('name')}")


@rule(KUBE_LINTER, "dangling-servicemonitor", "ServiceMonitor")
def dangling_servicemonitor(release, obj):
    return fault_if(not any(selects(dig(obj, "spec.selector"), dig(s, "metadata.labels", {}))
                            for s in release.of("Service")), "selects no Service of ours")


@rule(KUBE_LINTER, "dangling-ingress", "Ingress")
def dangling_ingress(release, obj):
    names = {dig(p, "backend.service.name") for r in dig(obj, "spec.rules", [])
             for p in dig(r, "http.paths", [])}
    return [f"there is no Service {n}" for n in sorted(names - {None})
            if not release.find("Service", n)]


@rule(POLARIS, "tlsSettingsMissing", "Ingress")
def tls_settings_missing(_, obj):
    return fault_if(not dig(obj, "spec.tls"), "no tls")


@rule(KUBE_LINTER, "exposed-services", "Service")
def exposed_services(_, obj):
    kind = dig(obj, "spec.type", "ClusterIP")
    return fault_if(kind in ("NodePort", "LoadBalancer"), f"is open to the outside ({kind})")


def isolated(release, pod):
    """The directions in which some policy holds for the pod."""
    types = set()
    for policy in release.of("NetworkPolicy"):
        if selects(dig(policy, "spec.podSelector", {}), pod.labels):
            told = dig(policy, "spec.policyTypes", ["Ingress"])
            types |= set(told)
    return types


@pod_rule(KUBE_LINTER, "non-isolated-pod")
def non_isolated_pod(release, pod):
    return fault_if(not isolated(release, pod), "no NetworkPolicy holds for it")


@pod_rule(POLARIS, "missingNetworkPolicy")
def missing_network_policy(release, pod):
    return [f"no NetworkPolicy holds for {way}" for way in ("Ingress", "Egress")
            if way not in isolated(release, pod)]


# -- disruption and scale --------------------------------------------------------------------------

def portion(value, of):
    """A count or a percentage of the API, in pods (a percentage is rounded up)."""
    if isinstance(value, str) and value.endswith("%"):
        return -(-of * int(value[:-1]) // 100)
    return int(value)


def budget_pods(release, budget):
    """(workload, replicas) of those a budget protects."""
    return [(p.owner, release.replicas(p.owner))
            for p in release.pods_of(dig(budget, "spec.selector")) if p.serves]


@rule(KUBE_LINTER, "pdb-max-unavailable", "PodDisruptionBudget")
def pdb_max_unavailable(release, obj):
    most = dig(obj, "spec.maxUnavailable")
    return fault_if(most is not None and portion(most, 100) == 0, f"maxUnavailable is {most}")


@rule(KUBE_LINTER, "pdb-min-available", "PodDisruptionBudget")
def pdb_min_available(release, obj):
    least = dig(obj, "spec.minAvailable")
    return [f"minAvailable {least} of {n} never lets one go" for _, n in budget_pods(release, obj)
            if least is not None and portion(least, n) >= n]


@rule(KUBE_LINTER, "pdb-unhealthy-pod-eviction-policy", "PodDisruptionBudget")
def pdb_unhealthy_pod_eviction_policy(_, obj):
    return fault_if(not dig(obj, "spec.unhealthyPodEvictionPolicy"),
                    "unhealthyPodEvictionPolicy is not told")


@rule(POLARIS, "pdbDisruptionsIsZero", "PodDisruptionBudget")
def pdb_disruptions_is_zero(_, obj):
    return fault_if(dig(obj, "spec.minAvailable") == "100%"
                    or dig(obj, "spec.maxUnavailable") in (0, "0%"), "no pod may ever go")


@rule(POLARIS, "pdbMinAvailableGreaterThanHPAMinReplicas", "PodDisruptionBudget")
def pdb_min_available_greater_than_hpa_min_replicas(release, obj):
    least = dig(obj, "spec.minAvailable")
    return [f"minAvailable {least}, but {label(owner)} may shrink to {n}"
            for owner, n in budget_pods(release, obj)
            if least is not None and release.autoscaler(owner) and portion(least, n) >= n]


@rule(POLARIS, "missingPodDisruptionBudget", "Deployment")
def missing_pod_disruption_budget(release, obj):
    return fault_if(not any(selects(dig(b, "spec.selector"), Pod(obj).labels)
                            for b in release.of("PodDisruptionBudget")), "no budget protects it")


@rule(POLARIS, "hpaMinAvailability", "HorizontalPodAutoscaler")
def hpa_min_availability(_, obj):
    n = dig(obj, "spec.minReplicas", 1)
    return fault_if(n < 2, f"minReplicas is {n}")


@rule(POLARIS, "hpaMaxAvailability", "HorizontalPodAutoscaler")
def hpa_max_availability(_, obj):
    least, most = dig(obj, "spec.minReplicas", 1), dig(obj, "spec.maxReplicas", 0)
    return fault_if(most <= least, f"maxReplicas {most} is not above minReplicas {least}")


@rule(KUBE_LINTER, "hpa-minimum-three-replicas", "HorizontalPodAutoscaler")
def hpa_minimum_three_replicas(_, obj):
    n = dig(obj, "spec.minReplicas", 1)
    return fault_if(n < 3, f"minReplicas is {n}")


# -- rights and data -------------------------------------------------------------------------------

ROLES = ("Role", "ClusterRole")
BINDINGS = ("RoleBinding", "ClusterRoleBinding")


def grants(role, resources, verbs):
    """Whether a role has one of these verbs on one of these core resources."""
    return any({"", "*"} & set(r.get("apiGroups", []))
               and {*resources, "*"} & set(r.get("resources", []))
               and {*verbs, "*"} & set(r.get("verbs", [])) for r in role.get("rules") or [])


def bound(release, binding):
    ref = dig(binding, "roleRef", {})
    return release.find(ref.get("kind"), ref.get("name")) or {}


def role_rule(tool, name, kind, resources, verbs, text):
    @rule(tool, name, kind)
    def check(release, obj):
        role = obj if kind in ROLES else bound(release, obj)
        return fault_if(grants(role, resources, verbs), text)


for _kind, _name in (("ClusterRole", "clusterrolePodExecAttach"), ("Role", "rolePodExecAttach"),
                     ("ClusterRoleBinding", "clusterrolebindingPodExecAttach")):
    role_rule(POLARIS, _name, _kind, ("pods/exec", "pods/attach"), ("get", "create"),
              "gives a shell in pods")


def binding_rule(name, role_kind, bad, text):
    """Polaris asks the same of a RoleBinding twice, by the kind of role that it leads to."""
    @rule(POLARIS, name, "RoleBinding")
    def check(release, obj):
        role = bound(release, obj)
        return fault_if(dig(obj, "roleRef.kind") == role_kind and bad(obj, role), text)


def everything(role):
    return any("*" in r.get("resources", []) and "*" in r.get("verbs", [])
               for r in role.get("rules") or [])


def shell(_, role):
    return grants(role, ("pods/exec", "pods/attach"), ("get", "create"))


def admin(binding, role):
    return dig(binding, "roleRef.name") == "cluster-admin" or everything(role)


binding_rule("rolebindingClusterRolePodExecAttach", "ClusterRole", shell, "gives a shell in pods")
binding_rule("rolebindingRolePodExecAttach", "Role", shell, "gives a shell in pods")
binding_rule("rolebindingClusterAdminClusterRole", "ClusterRole", admin, "gives all rights")
binding_rule("rolebindingClusterAdminRole", "Role", admin, "gives all rights")


@rule(POLARIS, "clusterrolebindingClusterAdmin", "ClusterRoleBinding")
def clusterrolebinding_cluster_admin(release, obj):
    return fault_if(admin(obj, bound(release, obj)), "gives all rights")


@rule(KUBE_LINTER, "cluster-admin-role-binding", "ClusterRoleBinding")
def cluster_admin_role_binding(_, obj):
    return fault_if(dig(obj, "roleRef.name") == "cluster-admin", "gives all rights")


@rule(KUBE_LINTER, "access-to-secrets", *BINDINGS)
def access_to_secrets(release, obj):
    return fault_if(grants(bound(release, obj), ("secrets",), (
        "get", "list", "watch", "create", "update", "patch", "delete")), "opens Secrets")


@rule(KUBE_LINTER, "access-to-create-pods", *BINDINGS)
def access_to_create_pods(release, obj):
    return fault_if(grants(bound(release, obj), ("pods", "deployments", "jobs"), ("create",)),
                    "makes pods")


@rule(KUBE_LINTER, "wildcard-in-rules", *ROLES)
def wildcard_in_rules(_, obj):
    return fault_if(any("*" in r.get("resources", []) + r.get("verbs", [])
                        for r in obj.get("rules") or []), "has a wildcard")


@rule(POLARIS, "sensitiveConfigmapContent", "ConfigMap")
def sensitive_configmap_content(_, obj):
    return [f"{key} does not belong into a ConfigMap" for key, value in dig(obj, "data", {}).items()
            if SENSITIVE_NAME.fullmatch(key) or PRIVATE_KEY.search(value)]
