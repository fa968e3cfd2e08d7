"""What we demand of the chart beyond the known linters: that its objects fit to each other, that no
secret stands in them, and that nothing in them breaks an upgrade."""

import collections
import math
import re

from objects import SERVING, WORKLOADS, Pod, dig, label, selects
from rulebook import OWN, container_rule, fault_if, pod_rule, rule

STANDARD_LABELS = ("name", "instance", "version", "managed-by")
CHANGING_LABELS = ("app.kubernetes.io/version", "helm.sh/chart", "app.kubernetes.io/managed-by")
NAME_MAX = 63


@rule(OWN, "no-namespace")
def no_namespace(_, obj):
    return fault_if("namespace" in obj["metadata"], "helm's --namespace decides, not the chart")


@rule(OWN, "standard-labels")
def standard_labels(_, obj):
    labels = dig(obj, "metadata.labels", {})
    return [f"no label {name}" for name in
            [f"app.kubernetes.io/{n}" for n in STANDARD_LABELS] + ["helm.sh/chart"]
            if not labels.get(name)]


@rule(OWN, "short-name")
def short_name(_, obj):
    name = obj["metadata"]["name"]
    labels = dig(obj, "metadata.labels", {}).values()
    return ([f"the name has {len(name)} characters"] if len(name) > NAME_MAX else []) + [
        f"the label {v} has {len(v)} characters" for v in labels if len(str(v)) > NAME_MAX]


@rule(OWN, "unique-name")
def unique_name(release, obj):
    same = [o for o in release.of(obj["kind"]) if o["metadata"]["name"] == obj["metadata"]["name"]]
    return fault_if(len(same) > 1, "is rendered twice")


# -- secrets ---------------------------------------------------------------------------------------

@rule(OWN, "no-secret", "Secret")
def no_secret(_, obj):
    return ["secrets are made by tools/secrets, never by the chart"]


SECRET_SHAPES = {
    "a private key": re.compile(r"-BEGIN [A-Z ]*PRIVATE KEY-"),
    "an nkey seed": re.compile(r"\bS[UAONCX][A-Z2-7]{56}\b"),
    "a signed token": re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"),
    "an address with a password": re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@]*:[^\s/@]+@"),
    "a password": re.compile(r"(?i)\b(password|passwd|pwd)\s*[=:]\s*[\"']?(?!\$)[^\s\"'{(<$]{6,}"),
}
RANDOM = re.compile(r"[A-Za-z0-9+/_=-]{20,}")
HARMLESS = re.compile(r"sha(256|512)[:-][0-9a-f]+|[0-9a-f]{64}$")


def bits(word):
    """Shannon's entropy of a word, in bits a character: 3.5 in names, over 4 in random ones."""
    return -sum(n / len(word) * math.log2(n / len(word))
                for n in collections.Counter(word).values())


def looks_random(word):
    """Either sign is enough: a key seldom lacks both, a name seldom has one."""
    kinds = re.sub(r"[a-z]", "a", re.sub(r"[A-Z]", "A", re.sub(r"[0-9]", "0", word)))
    changes = sum(a != b for a, b in zip(kinds, kinds[1:]))
    return (set("aA0") <= set(kinds) and bits(word) > 3.9) or (
        len(word) >= 32 and changes > 0.4 * len(word))


def strings(node, path=""):
    """(path, text) of every string and key of an object."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from strings(value, f"{path}.{key}" if path else key)
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from strings(value, f"{path}.{i}")
    elif isinstance(node, str):
        yield path, node


@rule(OWN, "literal-secret")
def literal_secret(_, obj):
    for path, text in strings(obj):
        for what, shape in SECRET_SHAPES.items():
            if shape.search(text):
                yield f"{path} holds {what}"
        for word in RANDOM.findall(text):
            if looks_random(word) and not HARMLESS.match(word):
                yield f"{path} holds something random: {word[:6]}..."


# -- what belongs together -------------------------------------------------------------------------

@rule(OWN, "own-pods", *SERVING)
def own_pods(release, obj):
    """A selector that also takes another's pods lets two controllers fight for them."""
    return [f"its selector takes the pods of {label(p.owner)}"
            for p in release.pods_of(dig(obj, "spec.selector"))
            if p.owner is not obj and label(p.owner) != label(obj)]


@rule(OWN, "lasting-selector", *SERVING)
def lasting_selector(_, obj):
    return [f"{name} changes with the version, and a selector may not"
            for name in dig(obj, "spec.selector.matchLabels", {}) if name in CHANGING_LABELS]


@rule(OWN, "service-port", "Service")
def service_port(release, obj):
    """Ports by name, and open in each pod behind the Service."""
    selector = {"matchLabels": dig(obj, "spec.selector", {})}
    for port in dig(obj, "spec.ports", []):
        target = port.get("targetPort", port["port"])
        if not isinstance(target, str):
            yield f"targetPort {target} is a number; a name stays when the number changes"
        for pod in release.pods_of(selector):
            if not pod.has_port(target, port.get("protocol", "TCP")):
                yield f"{label(pod.owner)} has no port {target}"


@rule(OWN, "service-one-workload", "Service", "PodDisruptionBudget")
def service_one_workload(release, obj):
    selector = dig(obj, "spec.selector", {})
    if obj["kind"] == "Service":
        selector = {"matchLabels": selector}
    owners = sorted(label(p.owner) for p in release.pods_of(selector))
    return fault_if(len(owners) != 1, f"selects {' '.join(owners) or 'nothing'}")


@rule(OWN, "servicemonitor-port", "ServiceMonitor")
def servicemonitor_port(release, obj):
    services = [s for s in release.of("Service")
                if selects(dig(obj, "spec.selector"), dig(s, "metadata.labels", {}))]
    for endpoint in dig(obj, "spec.endpoints", []):
        for service in services:
            if endpoint.get("port") not in [p.get("name") for p in dig(service, "spec.ports", [])]:
                yield f"{label(service)} has no port {endpoint.get('port')}"


@rule(OWN, "networkpolicy-port", "NetworkPolicy")
def networkpolicy_port(release, obj):
    """A port that is let in is open in one of the pods at least."""
    pods = release.pods_of(dig(obj, "spec.podSelector", {}))
    for entry in dig(obj, "spec.ingress", []):
        for port in entry.get("ports", []):
            number, protocol = port.get("port"), port.get("protocol", "TCP")
            if number is not None and not any(p.has_port(number, protocol) for p in pods):
                yield f"port {number}/{protocol} is let in and nothing opens it"


@rule(OWN, "route-service", "HTTPRoute", "Ingress")
def route_service(release, obj):
    """Backends are Services of ours, at ports that they have."""
    wanted = [(b.get("name"), b.get("port")) for r in dig(obj, "spec.rules", [])
              for b in r.get("backendRefs", [])]
    for entry in dig(obj, "spec.rules", []):
        for path in dig(entry, "http.paths", []):
            port = dig(path, "backend.service.port", {})
            wanted.append((dig(path, "backend.service.name"), port.get("name", port.get("number"))))
    for name, port in wanted:
        service = release.find("Service", name) or {}
        if port not in [p for s in dig(service, "spec.ports", []) for p in (s["port"], s["name"])]:
            yield f"there is no Service {name} with port {port}"


@rule(OWN, "replicas-of-autoscaler", "Deployment", "StatefulSet")
def replicas_of_autoscaler(release, obj):
    return fault_if(release.autoscaler(obj) and "replicas" in obj["spec"],
                    "replicas would undo what the autoscaler did, at every upgrade")


# -- files of secrets ------------------------------------------------------------------------------

def file_volumes(pod, container):
    """(folder, [names of files] or None for all) of every Secret or ConfigMap that is mounted."""
    for mount in container.get("volumeMounts", []):
        volume = pod.volumes.get(mount["name"], {})
        sources = [volume] + dig(volume, "projected.sources", [])
        files = []
        for source in sources:
            body = source.get("secret") or source.get("configMap")
            if body is not None:
                files.append([i["path"] for i in body["items"]] if "items" in body else None)
        if files:
            known = [n for part in files for n in part or []]
            yield mount["mountPath"], known if None not in files else None


def environment(container):
    return {e["name"]: e.get("value") for e in container.get("env", [])}


@container_rule(OWN, "file-variable")
def file_variable(pod, container):
    """What NAME_FILE names is mounted."""
    places = list(file_volumes(pod, container))
    for name, value in environment(container).items():
        if name.endswith("_FILE") and value and not any(
                value == f"{folder}/{f}" if files is not None else value.startswith(folder + "/")
                for folder, files in places for f in files or [""]):
            yield f"has {name}={value}, which is not mounted"


@container_rule(OWN, "file-unused")
def file_unused(pod, container):
    """What is mounted for a program that reads NAME_FILE is named by one."""
    values = [v for n, v in environment(container).items() if v and n.endswith("_FILE")]
    if not values:
        return
    for folder, files in file_volumes(pod, container):
        if files is None:
            yield f"mounts all of a Secret or ConfigMap at {folder}; name the keys"
        for name in files or []:
            if f"{folder}/{name}" not in values:
                yield f"mounts {folder}/{name}, which no variable names"


@pod_rule(OWN, "unmounted-volume")
def unmounted_volume(_, pod):
    mounted = {m["name"] for c in pod.containers for m in c.get("volumeMounts", [])}
    return ([f"volume {n} is mounted nowhere" for n in sorted(set(pod.volumes) - mounted)]
            + [f"{n} is mounted and is no volume" for n in sorted(mounted - set(pod.volumes))
               if n not in [dig(t, "metadata.name")
                            for t in dig(pod.owner, "spec.volumeClaimTemplates", [])]])


@rule(OWN, "config-checksum", *SERVING)
def config_checksum(release, obj):
    """Pods that read a ConfigMap of the chart are replaced when it changes."""
    pod = Pod(obj)
    ours = [n for v in pod.volumes.values()
            for s in [v] + dig(v, "projected.sources", [])
            for n in [dig(s, "configMap.name")] if n and release.find("ConfigMap", n)]
    return fault_if(ours and not any(a.startswith("checksum/") for a in pod.annotations),
                    f"{' '.join(ours)} may change and the pods would not notice")


# -- Pod Security "restricted" ---------------------------------------------------------------------

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim",
           "projected", "secret"}


@pod_rule(OWN, "restricted-volumes")
def restricted_volumes(_, pod):
    return [f"volume {v['name']} is of a kind that is not allowed" for v in pod.volumes.values()
            if not set(v) - {"name"} <= VOLUMES]


@container_rule(OWN, "restricted-capabilities")
def restricted_capabilities(_, container):
    has = dig(container, "securityContext.capabilities", {})
    return fault_if("ALL" not in has.get("drop", [])
                    or not set(has.get("add", [])) <= {"NET_BIND_SERVICE"},
                    "does not drop ALL, or adds others")


@container_rule(OWN, "high-uid")
def high_uid(pod, container):
    return [f"has {name} {pod.security(container, name)}, which may be someone's on the host"
            for name in ("runAsUser", "runAsGroup")
            if (pod.security(container, name) or 0) <= 10000]
