"""Checks of rendered objects by our own rules, and of how renderings differ from each other: what a
changed configuration, a digest, another name or an upgrade does."""

import base64
import collections
import os
import re
import shutil
import sys
import tempfile

import yaml

import rules as rulebook
import rules_own
from objects import LOADER, Pod, Release, dig, label, selects
from render import CHART, ROOT, SNAPSHOTS, VALUES, Renderer, chart_file, run, snapshot

SERVICES = ("gateway", "appointments", "tokens", "notifier")
PUBLIC_KEYS = {"ca.crt", "tls.crt", "nats-keys.conf", "livekit-api-key"}
DIGEST = "sha256:" + "0123456789abcdef" * 4
LONG_NAME = "a-release-of-exactly-fifty-three-characters-as-helm-z"


def rules(renderer):
    """0 findings, or the annotation on the object says why not."""
    exempt = collections.Counter()
    for values in VALUES:
        faults = []
        for f in rulebook.findings(renderer.release(values=values)):
            if f.reason is None:
                faults.append(str(f))
            elif not rulebook.is_sentence(f.reason):
                faults.append(f"{f.object}: {f.rule.annotation} is no sentence: {f.reason}")
            else:
                exempt[(f.rule.name, f.reason)] += 1
        yield values, faults
    yield "exemptions", needless([renderer.release(values=v) for v in VALUES])
    yield ("counted", [] if rulebook.RULES else ["no rules"],
           f"{len(rulebook.RULES)} rules, {sum(exempt.values())} exemptions:",
           *[f"exempt {name} ({n}): {reason}" for (name, reason), n in sorted(exempt.items())])


def needless(releases):
    """Exemptions that no object needs, whatever the values."""
    given = {key for release in releases for obj in release.objects
             for key in dig(obj, "metadata.annotations", {})
             if key.startswith(("ignore-check.kube-linter.io/", "exempt.televisit/"))}
    switched = {f"exempt.televisit/{rule}" for release in releases for obj in release.objects
                for rule in dig(obj, "metadata.annotations", {}).get(
                    "kube-score/ignore", "").split(",")}
    used = {f.rule.annotation for release in releases for f in rulebook.findings(release)}
    return [f"{key} exempts from nothing" for key in sorted(given - used - switched)]


# -- secrets ---------------------------------------------------------------------------------------

def made_secrets(*flags):
    """{name: {key: text}} of the Secrets that tools/secrets prints."""
    with tempfile.TemporaryDirectory() as folder:
        address = os.path.join(folder, "address")
        with open(address, "w", encoding="utf-8") as f:
            f.write("postgres://televisit:word@db.example.org/televisit?sslmode=verify-full")
        done = run(sys.executable, os.path.join(ROOT, "tools", "secrets"), "--out", folder,
                   "--release", "televisit",
                   *(flags or ["--database-url-file", address, "--nats-host", "nats.nats.svc"]))
        release = Release.of_text(done.stdout)
    return {o["metadata"]["name"]: {k: base64.b64decode(v).decode() for k, v in o["data"].items()}
            for o in release.of("Secret")}


def secrets(renderer):
    """None is rendered, none stands in a text of the chart, and tools/secrets makes all of them."""
    for values in VALUES:
        yield f"none rendered: {values}", [
            label(o) for o in renderer.release(values=values).of("Secret")]
    for folder, _, names in os.walk(CHART):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), CHART)
            text = {"kind": "Text", "metadata": {"name": path}, "text": chart_file(path)}
            yield path, rules_own.literal_secret(None, text)
    for values, flags in (("default", ()), ("dev", ("--dev",))):
        made = made_secrets(*flags)
        faults = [f"{name} {key}: tools/secrets does not make it"
                  for name, keys in sorted(renderer.release(values=values).secret_keys().items())
                  for key in sorted(keys) if key not in made.get(name, ())]
        yield f"tools/secrets {values}", faults
        # The search for secrets is awake: it knows each of those for one.
        yield f"they are seen {values}", [
            f"{name} {key} would go unnoticed" for name, data in made.items()
            for key, text in data.items() if key not in PUBLIC_KEYS and not any(
                rules_own.literal_secret(None, {"text": text}))]


# -- configuration ---------------------------------------------------------------------------------

def known_variables(service):
    out = run(os.path.join(ROOT, "build", "release", "bin", service), "--help-config")
    names = set(re.findall(r"^([A-Z][A-Z0-9_]+)$", out.stdout, re.M))
    return names | set(re.findall(r"\b([A-Z][A-Z0-9_]+_FILE)\b", out.stdout))


def configuration(renderer):
    """The variables that the chart sets are those that the service reads."""
    count = 0
    known = {s: known_variables(s) for s in SERVICES}
    for values in VALUES:
        for pod in renderer.release(values=values).pods:
            for container in pod.containers:
                name = pod.labels["app.kubernetes.io/component"]
                # The migration is the program appointments.
                service = "appointments" if "migrate" in container.get("args", []) else name
                if service not in known:
                    continue
                names = [e["name"] for e in container.get("env", [])]
                count += len(names)
                yield f"{values} {name}", [f"{n} is unknown to {service}" for n in names
                                           if n not in known[service]]
    yield "counted", [] if count else ["nothing"], f"{count} variables"


def sums(release):
    return {label(p.owner): {k: v for k, v in p.annotations.items() if k.startswith("checksum/")}
            for p in release.pods if p.serves}


# A change of values, and the components whose pods it must replace.
CHANGES = [
    ({"publicUrl": "https://other.example.org"}, ["gateway"]),
    ({"livekit": {"url": "wss://other.example.org"}}, ["gateway", "tokens"]),
    ({"nats": {"url": "tls://other:4222"}}, SERVICES),
    ({"services": {"notifier": {"env": {"TELEVISIT_LOG_LEVEL": "debug"}}}}, ["notifier"]),
]


def checksums(renderer):
    """Pods are replaced by a new configuration, and only those that it is for."""
    before = sums(renderer.release())
    for change, whom in CHANGES:
        after = sums(renderer.release(extra=change))
        changed = {name for name in before if before[name] != after[name]}
        wanted = {f"Deployment/televisit-{s}" for s in whom}
        yield str(change), [f"of {n} the sum {'stays' if n in wanted else 'changes'}"
                            for n in sorted(changed ^ wanted)]
    before = sums(renderer.release(values="dev"))
    after = sums(with_more("files/nats-accounts.conf", "# another line\n"))
    name = next((n for n in before if n.endswith("-nats")), None)
    yield "files/nats-accounts.conf", [] if name and before[name] != after[name] else [
        f"of {name} the sum stays"]


def with_more(path, more):
    """What the dev values render when a file of the chart has more text."""
    with tempfile.TemporaryDirectory() as folder:
        chart = os.path.join(folder, "televisit")
        shutil.copytree(CHART, chart)
        with open(os.path.join(chart, path), "a", encoding="utf-8") as f:
            f.write(more)
        return Renderer(chart).release(values="dev")


# -- images, scale, names --------------------------------------------------------------------------

def digests(renderer):
    """Each image can be pinned, and the digest is what counts."""
    image = {"image": {"digest": DIGEST}}
    pins = {"services": {s: image for s in SERVICES}, "test": image,
            "dev": {d: image for d in ("nats", "postgres", "livekit")}}
    for values in VALUES:
        release = renderer.release(values=values, extra=pins)
        yield values, [f"{label(p.owner)} runs {c['image']}" for p in release.pods
                       for c in p.containers if not c["image"].endswith("@" + DIGEST)]
    tagged = renderer.release(extra={"image": {"tag": "9.9", "registry": "localhost"}})
    yield "registry and tag", [
        c["image"] for p in tagged.pods for c in p.containers
        if not re.fullmatch(r"localhost/televisit/[a-z-]+:9\.9", c["image"])]


def autoscaler(renderer):
    """Each service on its own: with an autoscaler no replicas, without one there are."""
    for service in SERVICES:
        release = renderer.release(extra={
            "services": {service: {"autoscaling": {"enabled": True}}}})
        for s in SERVICES:
            owner = release.find("Deployment", f"televisit-{s}")
            scaled = release.autoscaler(owner) is not None
            yield f"{service}: {s}", [] if scaled == (s == service) and scaled != (
                "replicas" in owner["spec"]) else ["replicas and autoscaler do not agree"]


def names(renderer):
    """Long and given names fit, and two releases leave each other alone."""
    for what, name, extra in (("long release", LONG_NAME, None),
                              ("long fullname", "a", {"fullnameOverride": "b" * 63}),
                              ("long name", "a", {"nameOverride": "c" * 63})):
        for values in ("full", "dev"):
            release = renderer.release(values=values, name=name, extra=extra)
            wanted = ("short-name", "unique-name", "mismatching-selector", "own-pods")
            found = rulebook.findings(release, {n: rulebook.RULES[n] for n in wanted})
            yield f"{what} {values}", [str(f) for f in found]
    for values in ("full", "dev"):
        one, two = (renderer.release(values=values, name=n) for n in ("one", "two"))
        faults = sorted({label(o) for o in one.objects} & {label(o) for o in two.objects})
        for obj in one.of("Deployment", "StatefulSet", "Service", "PodDisruptionBudget",
                          "NetworkPolicy"):
            selector = dig(obj, "spec.podSelector" if obj["kind"] == "NetworkPolicy"
                           else "spec.selector")
            if obj["kind"] == "Service":
                selector = {"matchLabels": selector}
            faults += [f"{label(obj)} takes {label(p.owner)} of another release"
                       for p in two.pods if selects(selector, p.labels)]
        yield f"two releases {values}", faults


# -- upgrade ---------------------------------------------------------------------------------------

# What the API refuses to change in an object that exists.
IMMUTABLE = {
    "Deployment": ("spec.selector",), "DaemonSet": ("spec.selector",),
    "StatefulSet": ("spec.selector", "spec.serviceName", "spec.podManagementPolicy",
                    "spec.volumeClaimTemplates"),
    "PersistentVolumeClaim": ("spec.accessModes", "spec.storageClassName", "spec.volumeMode"),
    "Service": ("spec.clusterIP",),
    "Job": ("spec.selector", "spec.template", "spec.completions"),
}


def former(values):
    """The objects of the last commit's snapshot."""
    path = os.path.relpath(os.path.join(SNAPSHOTS, values + ".yaml"), ROOT)
    done = run("git", "-C", ROOT, "show", f"HEAD:{path}", check=False)
    return Release.of_text(done.stdout) if done.returncode == 0 else None


def changed_fields(before, after, but=()):
    for old in before.objects:
        if old["kind"] in but:
            continue
        new = after.find(old["kind"], old["metadata"]["name"])
        for path in IMMUTABLE.get(old["kind"], ()) if new else ():
            if dig(old, path) != dig(new, path):
                yield f"{label(old)}: {path} may not change"


def upgrade(renderer):
    """From what the last commit rendered, and from one set of values to another."""
    for values in VALUES:
        before = former(values)
        if before is None:
            yield f"last commit {values}", []
            continue
        after = Release(yaml.load_all(snapshot(renderer.release(values=values)), Loader=LOADER))
        # A Job's name is not whole in a snapshot; that it follows its template is seen below.
        yield f"last commit {values}", changed_fields(before, after, but=("Job",))
    for values in VALUES:
        before, after = renderer.release(values="default"), renderer.release(values=values)
        yield f"default to {values}", changed_fields(before, after)
    before, after = renderer.release(), renderer.release(extra={"image": {"tag": "9.9"}})
    yield "another version", changed_fields(before, after)
    template = chart_file("templates", "migration.yaml")
    yield "migration", [] if ".Release.Revision" in template else [
        "its name is the same at each revision"]
    jobs = [{o["metadata"]["name"] for o in r.of("Job")} for r in (before, after)]
    yield "its Job", [f"{n} has another template and the same name" for n in jobs[0] & jobs[1]]
