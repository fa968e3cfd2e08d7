"""Rules of kube-linter and polaris for pods and their containers."""

import re

from objects import WORKLOADS, Pod, dig, selects
from rulebook import KUBE_LINTER, POLARIS, container_rule, fault_if, pod_rule, rule


# -- the pod and its host --------------------------------------------------------------------------

def host_rule(tool, name, field):
    @pod_rule(tool, name)
    def check(_, pod):
        return fault_if(pod.spec.get(field), f"{field} is on")


for _tool, _name, _field in (
        (KUBE_LINTER, "host-ipc", "hostIPC"), (KUBE_LINTER, "host-network", "hostNetwork"),
        (KUBE_LINTER, "host-pid", "hostPID"), (POLARIS, "hostIPCSet", "hostIPC"),
        (POLARIS, "hostNetworkSet", "hostNetwork"), (POLARIS, "hostPIDSet", "hostPID")):
    host_rule(_tool, _name, _field)


def host_paths(pod):
    """(path, mount) of every mounted folder of the host."""
    for container in pod.containers:
        for mount in container.get("volumeMounts", []):
            path = dig(pod.volumes.get(mount["name"], {}), "hostPath.path")
            if path:
                yield path, mount


@pod_rule(KUBE_LINTER, "docker-sock")
def docker_sock(_, pod):
    return [f"mounts {path}" for path, _ in host_paths(pod) if path.endswith("docker.sock")]


@pod_rule(KUBE_LINTER, "sensitive-host-mounts")
def sensitive_host_mounts(_, pod):
    return [f"mounts {path}" for path, _ in host_paths(pod)
            if re.fullmatch(r"/(boot|dev|etc|lib|proc|sys|usr)?/?", path)]


@pod_rule(KUBE_LINTER, "writable-host-mount")
def writable_host_mount(_, pod):
    return [f"mounts {path} to write" for path, mount in host_paths(pod)
            if not mount.get("readOnly")]


@pod_rule(POLARIS, "hostPathSet")
def host_path_set(_, pod):
    return [f"volume {v['name']} is a folder of the host" for v in pod.volumes.values()
            if "hostPath" in v]


@pod_rule(POLARIS, "hostProcess")
def host_process(_, pod):
    return fault_if(any(pod.security(c, "windowsOptions.hostProcess") for c in pod.containers),
                    "is a process of the host")


@pod_rule(KUBE_LINTER, "unsafe-sysctls")
def unsafe_sysctls(_, pod):
    return [f"sets {s['name']}" for s in dig(pod.spec, "securityContext.sysctls", [])
            if re.match(r"kernel\.(msg|sem|shm)|fs\.mqueue\.|net\.", s["name"])]


@pod_rule(KUBE_LINTER, "deprecated-service-account-field")
def deprecated_service_account_field(_, pod):
    return fault_if("serviceAccount" in pod.spec, "serviceAccount is now serviceAccountName")


@pod_rule(KUBE_LINTER, "non-existent-service-account")
def non_existent_service_account(release, pod):
    name = pod.spec.get("serviceAccountName", "default")
    return fault_if(name != "default" and not release.find("ServiceAccount", name),
                    f"there is no ServiceAccount {name}")


@pod_rule(KUBE_LINTER, "default-service-account")
def default_service_account(_, pod):
    return fault_if(pod.spec.get("serviceAccountName", "default") == "default",
                    "it runs as the namespace's default account")


@pod_rule(POLARIS, "automountServiceAccountToken")
def automount_service_account_token(release, pod):
    account = release.find("ServiceAccount", pod.spec.get("serviceAccountName")) or {}
    told = pod.spec.get("automountServiceAccountToken",
                        account.get("automountServiceAccountToken"))
    return fault_if(told is not False, "a token of the API is mounted")


@pod_rule(POLARIS, "priorityClassNotSet")
def priority_class_not_set(_, pod):
    return fault_if(not pod.spec.get("priorityClassName"), "no priorityClassName")


@pod_rule(POLARIS, "topologySpreadConstraint", serving=True)
def topology_spread_constraint(_, pod):
    return fault_if(not pod.spec.get("topologySpreadConstraints"), "no topologySpreadConstraints")


@pod_rule(KUBE_LINTER, "no-anti-affinity")
def no_anti_affinity(release, pod):
    if release.replicas(pod.owner) < 2:
        return ()
    anti = dig(pod.spec, "affinity.podAntiAffinity", {})
    preferred = anti.get("preferredDuringSchedulingIgnoredDuringExecution", [])
    terms = anti.get("requiredDuringSchedulingIgnoredDuringExecution", []) + [
        t["podAffinityTerm"] for t in preferred]
    return fault_if(not any(selects(t.get("labelSelector"), pod.labels) for t in terms),
                    "replicas may share a node: no anti-affinity to its own pods")


# -- containers ------------------------------------------------------------------------------------

def security_rule(tool, name, bad, text):
    """`bad` is told how to look up a setting that holds for the container."""
    @container_rule(tool, name)
    def check(pod, container):
        return fault_if(bad(lambda setting: pod.security(container, setting)), text)


def may_be_root(setting):
    user = setting("runAsUser")
    return user == 0 or (setting("runAsNonRoot") is not True and user is None)


for _tool, _name in ((KUBE_LINTER, "run-as-non-root"), (POLARIS, "runAsRootAllowed")):
    security_rule(_tool, _name, lambda s: may_be_root(s) or s("runAsGroup") == 0,
                  "may run as root")
for _tool, _name in ((KUBE_LINTER, "no-read-only-root-fs"), (POLARIS, "notReadOnlyRootFilesystem")):
    security_rule(_tool, _name, lambda s: s("readOnlyRootFilesystem") is not True,
                  "can write to its root file system")
for _tool, _name in ((KUBE_LINTER, "privileged-container"), (POLARIS, "runAsPrivileged")):
    security_rule(_tool, _name, lambda s: s("privileged"), "is privileged")
for _tool, _name in ((KUBE_LINTER, "privilege-escalation-container"),
                     (POLARIS, "privilegeEscalationAllowed")):
    security_rule(_tool, _name, lambda s: s("allowPrivilegeEscalation") is not False,
                  "may gain privileges")
for _tool, _name in ((KUBE_LINTER, "unsafe-proc-mount"), (POLARIS, "procMount")):
    security_rule(_tool, _name, lambda s: (s("procMount") or "Default") != "Default",
                  "sees all of /proc")


def capabilities(setting, what):
    return {str(c).upper().removeprefix("CAP_") for c in setting(f"capabilities.{what}") or []}


DEFAULT_CAPABILITIES = {"NET_ADMIN", "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD",
                        "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP", "NET_BIND_SERVICE",
                        "SYS_CHROOT", "KILL", "AUDIT_WRITE"}
security_rule(KUBE_LINTER, "drop-net-raw-capability",
              lambda s: not capabilities(s, "drop") & {"ALL", "NET_RAW"}, "keeps NET_RAW")
security_rule(POLARIS, "insecureCapabilities",
              lambda s: "ALL" not in capabilities(s, "drop")
              and not DEFAULT_CAPABILITIES <= capabilities(s, "drop"), "keeps capabilities")
security_rule(POLARIS, "dangerousCapabilities",
              lambda s: capabilities(s, "add") & {"ALL", "SYS_ADMIN", "NET_ADMIN"},
              "has the capabilities of an administrator")
# Polaris is content with dropped capabilities; Pod Security "restricted" wants both.
security_rule(POLARIS, "linuxHardening",
              lambda s: s("seccompProfile.type") not in ("RuntimeDefault", "Localhost")
              or not capabilities(s, "drop"), "has no seccomp profile or drops no capability")


@container_rule(KUBE_LINTER, "latest-tag")
def latest_tag(_, container):
    name = container.get("image", "").rsplit("/", 1)[-1]
    return fault_if(":" not in name or name.endswith(":latest"),
                    f"has the image {container.get('image')}, of no fixed version")


@container_rule(POLARIS, "tagNotSpecified")
def tag_not_specified(pod, container):
    return latest_tag(pod, container)


@container_rule(POLARIS, "pullPolicyNotAlways")
def pull_policy_not_always(_, container):
    return fault_if(container.get("imagePullPolicy") != "Always",
                    f"has imagePullPolicy {container.get('imagePullPolicy')}")


def resource_rule(tool, name, *paths):
    @container_rule(tool, name, init=tool == KUBE_LINTER)
    def check(_, container):
        return [f"has no resources.{p}" for p in paths if not dig(container, f"resources.{p}")]


for _name, _what in (("cpu", "cpu"), ("memory", "memory")):
    resource_rule(KUBE_LINTER, f"unset-{_name}-requirements", f"requests.{_what}",
                  f"limits.{_what}")
    resource_rule(POLARIS, f"{_name}RequestsMissing", f"requests.{_what}")
    resource_rule(POLARIS, f"{_name}LimitsMissing", f"limits.{_what}")


@container_rule(KUBE_LINTER, "duplicate-env-var")
def duplicate_env_var(_, container):
    names = [e["name"] for e in container.get("env", [])]
    return [f"sets {n} twice" for n in sorted(set(names)) if names.count(n) > 1]


@container_rule(KUBE_LINTER, "env-var-secret")
def env_var_secret(_, container):
    return [f"sets {e['name']}" for e in container.get("env", [])
            if "secret" in e["name"].lower() and e.get("value")]


@container_rule(KUBE_LINTER, "read-secret-from-env-var")
def read_secret_from_env_var(_, container):
    return ([f"has the secret {e['name']} in its environment" for e in container.get("env", [])
             if dig(e, "valueFrom.secretKeyRef")]
            + ["has a whole Secret in its environment" for e in container.get("envFrom", [])
               if "secretRef" in e])


SENSITIVE_NAME = re.compile(r"AWS_SECRET_ACCESS_KEY|GOOGLE_APPLICATION_CREDENTIALS|AZURE_.+KEY"
                            r"|OCI_CLI_KEY_CONTENT|.*(password|token|bearer|secret).*", re.I)
PRIVATE_KEY = re.compile(r"-BEGIN\s+.*PRIVATE KEY-", re.I)


@container_rule(POLARIS, "sensitiveContainerEnvVar")
def sensitive_container_env_var(_, container):
    return [f"sets {e['name']}" for e in container.get("env", []) if e.get("value") and (
        SENSITIVE_NAME.fullmatch(e["name"]) or PRIVATE_KEY.search(e["value"]))]


# -- ports and probes ------------------------------------------------------------------------------

def probe_port_rule(name, probe):
    @container_rule(KUBE_LINTER, name)
    def check(pod, container):
        port = None
        for way in ("httpGet", "tcpSocket", "grpc"):
            port = dig(container, f"{probe}.{way}.port", port)
        own = [(p.get("name"), p["containerPort"]) for p in container.get("ports", [])]
        return fault_if(port is not None and not any(port in pair for pair in own),
                        f"is probed at port {port}, which it does not open")


for _name, _probe in (("liveness-port", "livenessProbe"), ("readiness-port", "readinessProbe"),
                      ("startup-port", "startupProbe")):
    probe_port_rule(_name, _probe)


def probe_rule(tool, name, probe):
    @container_rule(tool, name, serving=True, init=False)
    def check(_, container):
        return fault_if(not container.get(probe), f"has no {probe}")


for _tool, _name, _probe in (
        (KUBE_LINTER, "no-liveness-probe", "livenessProbe"),
        (KUBE_LINTER, "no-readiness-probe", "readinessProbe"),
        (POLARIS, "livenessProbeMissing", "livenessProbe"),
        (POLARIS, "readinessProbeMissing", "readinessProbe")):
    probe_rule(_tool, _name, _probe)


@pod_rule(KUBE_LINTER, "ssh-port")
def ssh_port(_, pod):
    return fault_if(pod.has_port(22), "opens port 22, that of ssh")


@pod_rule(KUBE_LINTER, "privileged-ports")
def privileged_ports(_, pod):
    return [f"opens port {number}, below 1024" for _, number, _ in pod.ports() if number < 1024]


@container_rule(POLARIS, "hostPortSet")
def host_port_set(_, container):
    return [f"takes port {p['hostPort']} of the host" for p in container.get("ports", [])
            if p.get("hostPort")]


PORT_NAME = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?")


@rule(KUBE_LINTER, "invalid-target-ports", "Service", *WORKLOADS)
def invalid_target_ports(_, obj):
    names = [p.get("targetPort") for p in dig(obj, "spec.ports", [])]
    if obj["kind"] != "Service":
        names = [name for name, _, _ in Pod(obj).ports()]
    return [f"{n} is no name for a port" for n in names
            if isinstance(n, str) and not PORT_NAME.fullmatch(n)]
