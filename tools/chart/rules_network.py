"""Whether NetworkPolicies let pass what the pods need. A test cluster may accept policies and not
enforce them, so what they allow is worked out here: who speaks to whom is read from addresses in
environments and mounted ConfigMaps that name a Service of the release."""

import re

from objects import dig, label, selects
from rulebook import OWN, pod_rule

ADDRESS = re.compile(r"\b(?:https?|nats|tls|wss?|postgres(?:ql)?)://([a-z0-9-]+)[a-z0-9.-]*(:\d+)?")


def ruling(release, pod, way):
    """The policies that hold for a pod in one direction, Ingress or Egress."""
    return [p for p in release.of("NetworkPolicy")
            if selects(dig(p, "spec.podSelector", {}), pod.labels)
            and way in dig(p, "spec.policyTypes", ["Ingress"])]


def is_peer(peer, pod):
    """A pod of the same namespace."""
    if "ipBlock" in peer or peer.get("namespaceSelector"):
        return False
    return selects(peer.get("podSelector", {}), pod.labels)


def lets_port(rule, port, protocol, pod=None):
    """`port` is a number; a policy may give the name that it has in the pod."""
    names = {name for name, number, p in pod.ports() if number == port} if pod else set()
    return not rule.get("ports") or any(
        p.get("protocol", "TCP") == protocol and p.get("port", port) in names | {port}
        for p in rule["ports"])


def passes(release, pod, way, other, port, protocol="TCP"):
    """Whether a pod may speak to another (Egress), or be spoken to by it (Ingress)."""
    policies = ruling(release, pod, way)
    peers = "to" if way == "Egress" else "from"
    return not policies or any(
        lets_port(rule, port, protocol, other if way == "Egress" else pod)
        and (not rule.get(peers) or any(is_peer(p, other) for p in rule[peers]))
        for policy in policies for rule in dig(policy, f"spec.{way.lower()}", []))


def finds_names(release, pod):
    policies = ruling(release, pod, "Egress")
    return not policies or all(any(
        lets_port(rule, 53, protocol) for p in policies for rule in dig(p, "spec.egress", []))
        for protocol in ("UDP", "TCP"))


def texts(release, pod):
    """What a pod is told: its environment and the ConfigMaps that it mounts."""
    for container in pod.containers:
        for entry in container.get("env", []):
            yield entry.get("value") or ""
    for volume in pod.volumes.values():
        for source in [volume, *dig(volume, "projected.sources", [])]:
            config = release.find("ConfigMap", dig(source, "configMap.name"))
            yield from dig(config or {}, "data", {}).values()


def calls(release, pod):
    """(Service, port of it or None) that a pod calls."""
    for text in texts(release, pod):
        for m in ADDRESS.finditer(text):
            service = release.find("Service", m[1])
            if service:
                yield service, int(m[2][1:]) if m[2] else None
    # The address of the database is a secret; who has it calls the one that comes along.
    database = next((s for s in release.of("Service") if label(s).endswith("-postgres")), None)
    if database and any(e["name"] == "DATABASE_URL_FILE" for c in pod.containers
                        for e in c.get("env", [])):
        yield database, 5432


@pod_rule(OWN, "reachable")
def reachable(release, pod):
    for service, port in calls(release, pod):
        ports = dig(service, "spec.ports", [])
        entry = next((p for p in ports if port in (p["port"], None)), None)
        if entry is None:
            yield f"calls {label(service)} at {port}, which it does not have"
            continue
        if not finds_names(release, pod):
            yield f"calls {label(service)} and may not ask the DNS for it"
        for other in release.pods_of({"matchLabels": dig(service, "spec.selector", {})}):
            target = entry.get("targetPort", entry["port"])
            number = next((n for name, n, _ in other.ports() if target in (name, n)), None)
            if not passes(release, pod, "Egress", other, number):
                yield f"may not go out to {label(other.owner)} at {number}"
            if not passes(release, other, "Ingress", pod, number):
                yield f"is not let in by {label(other.owner)} at {number}"
