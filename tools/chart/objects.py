"""Rendered Kubernetes objects, as the rules want to look at them."""

import collections

import yaml

# YAML's C reader, where it is, is ten times as fast.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

SERVING = ("Deployment", "StatefulSet", "DaemonSet")  # these run until they are told to stop
WORKLOADS = SERVING + ("ReplicaSet", "Job", "CronJob", "Pod")


def dig(node, path, default=None):
    """dig(o, "spec.template.spec"): what is there, or the default."""
    for name in path.split("."):
        if not isinstance(node, dict) or name not in node:
            return default
        node = node[name]
    return default if node is None else node


def selects(selector, labels):
    """A label selector of the API against labels. None selects nothing, {} everything."""
    if selector is None:
        return False
    has = {
        "In": lambda e: labels.get(e["key"]) in e["values"],
        "NotIn": lambda e: labels.get(e["key"]) not in e["values"],
        "Exists": lambda e: e["key"] in labels,
        "DoesNotExist": lambda e: e["key"] not in labels,
    }
    return (all(labels.get(k) == v for k, v in selector.get("matchLabels", {}).items())
            and all(has[e["operator"]](e) for e in selector.get("matchExpressions", [])))


def label(obj):
    """Deployment/televisit-gateway, as kubectl names it."""
    return f"{obj.get('kind')}/{dig(obj, 'metadata.name')}"


class Pod:
    """The pods of one workload: their template, with the object that makes them."""

    def __init__(self, owner):
        path = {"Pod": "", "CronJob": "spec.jobTemplate.spec.template"}.get(
            owner["kind"], "spec.template")
        template = dig(owner, path, {}) if path else owner
        self.owner, self.template = owner, template
        self.spec = dig(template, "spec", {})
        self.labels = dig(template, "metadata.labels", {})
        self.annotations = dig(template, "metadata.annotations", {})
        self.main = self.spec.get("containers", [])
        self.containers = self.spec.get("initContainers", []) + self.main
        self.volumes = {v["name"]: v for v in self.spec.get("volumes", [])}
        self.serves = owner["kind"] in SERVING

    def security(self, container, name):
        """What holds for a container: its own setting, or else the pod's."""
        return dig(container, f"securityContext.{name}",
                   dig(self.spec, f"securityContext.{name}"))

    def ports(self):
        """(name, number, protocol) of all ports of all containers."""
        return [(p.get("name"), p["containerPort"], p.get("protocol", "TCP"))
                for c in self.containers for p in c.get("ports", [])]

    def has_port(self, port, protocol="TCP"):
        return any(port in (name, number) and protocol == p for name, number, p in self.ports())


class Release:
    """All objects of one rendering."""

    def __init__(self, objects):
        self.objects = [item for o in objects if o
                        for item in (o["items"] if o.get("kind") == "List" else [o])]
        self.pods = [Pod(o) for o in self.objects if o.get("kind") in WORKLOADS]

    @classmethod
    def of_text(cls, text):
        return cls(yaml.load_all(text, Loader=LOADER))

    def of(self, *kinds):
        return [o for o in self.objects if o.get("kind") in kinds]

    def find(self, kind, name):
        return next((o for o in self.of(kind) if o["metadata"]["name"] == name), None)

    def pods_of(self, selector):
        return [p for p in self.pods if selects(selector, p.labels)]

    def autoscaler(self, owner):
        """The HorizontalPodAutoscaler of a workload."""
        for hpa in self.of("HorizontalPodAutoscaler"):
            target = dig(hpa, "spec.scaleTargetRef", {})
            if (target.get("kind"), target.get("name")) == (
                    owner["kind"], owner["metadata"]["name"]):
                return hpa
        return None

    def secret_keys(self, without=()):
        """{name of a Secret: keys} that pods want, but those of these components."""
        wanted = collections.defaultdict(set)
        for pod in self.pods:
            if pod.labels.get("app.kubernetes.io/component") in without:
                continue
            for volume in pod.volumes.values():
                for source in [volume, *dig(volume, "projected.sources", [])]:
                    body = source.get("secret")
                    if body:
                        wanted[body.get("name", body.get("secretName"))] |= {
                            i["key"] for i in body.get("items", [])}
        return wanted

    def replicas(self, owner):
        """The fewest pods that a workload is meant to have."""
        hpa = self.autoscaler(owner)
        if hpa:
            return dig(hpa, "spec.minReplicas", 1)
        return dig(owner, "spec.replicas", 1)
