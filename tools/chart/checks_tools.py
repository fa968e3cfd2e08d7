"""Checks by tools of others: kubeconform with the schemas of Kubernetes, kube-score, checkov,
promtool."""

import json
import os
import shutil
import tempfile

import yaml

from objects import dig, label
from render import CHART, TOOLS, VALUES, run
from rulebook import is_sentence

SCHEMAS = os.path.join(TOOLS, "schemas", "{{ .ResourceKind }}{{ .KindSuffix }}.json")
# Proof that the schemas are strict: each of these has to be refused.
INVALID = {
    "an unknown field": "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {prots: []}}",
    "a wrong type": "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: "
                    "{replicas: two, selector: {}, template: {}}}",
    "an unknown field of a CRD": "{apiVersion: monitoring.coreos.com/v1, kind: ServiceMonitor, "
                                 "metadata: {name: a}, spec: {selector: {}, endpoints: [], x: 1}}",
    "an unknown kind": "{apiVersion: v2, kind: Servant, metadata: {name: a}}",
}


def kubeconform(text):
    done = run(os.path.join(TOOLS, "kubeconform"), "-strict", "-output", "json", "-verbose",
               "-schema-location", SCHEMAS, text_in=text, check=False)
    return json.loads(done.stdout or "{}").get("resources") or []


def schemas(renderer):
    """Every object fits the schema of its kind."""
    for what, text in INVALID.items():
        valid = [r for r in kubeconform(text) if r["status"] == "statusValid"]
        yield f"refuses {what}", ["it was taken"] if valid else []
    count = 0
    for values in VALUES:
        results = kubeconform(renderer.text(values=values))
        objects = renderer.release(values=values).objects
        count += len(results)
        faults = [f"{r['kind']}/{r['name']}: {r.get('msg')}" for r in results
                  if r["status"] != "statusValid"]
        if len(results) != len(objects):
            faults.append(f"{len(results)} of {len(objects)} objects were looked at")
        yield values, faults
    yield "counted", [] if count else ["nothing"], f"{count} objects are valid"


def skipped(renderer):
    """What annotations of the chart tell the tools to skip: (tool, rule): {reason}."""
    reasons = {}
    for values in VALUES:
        for obj in renderer.release(values=values).objects:
            notes = dig(obj, "metadata.annotations", {})
            for key, value in notes.items():
                if key.startswith("checkov.io/skip"):
                    rule, _, why = value.partition("=")
                    reasons.setdefault(("checkov", rule), set()).add(why)
                elif key == "kube-score/ignore":
                    for rule in value.split(","):
                        why = notes.get(f"exempt.televisit/{rule}", f"none on {label(obj)}")
                        reasons.setdefault(("kube-score", rule), set()).add(why)
    return reasons


def exemptions(renderer, tool):
    """One case: every rule that is skipped has a reason, which is printed."""
    reasons = {rule: why for (t, rule), why in skipped(renderer).items() if t == tool}
    faults = [f"{rule}: no sentence says why: {w}" for rule, why in reasons.items() for w in why
              if not is_sentence(w)]
    return ("exemptions", faults, *[f"exempt {rule}: {w}" for rule, why in sorted(reasons.items())
                                    for w in sorted(why)])


def kube_score(renderer):
    count = 0
    for values in VALUES:
        done = run(os.path.join(TOOLS, "kube-score"), "score", "--output-format", "json",
                   "--kubernetes-version", "v1.37", "-", text_in=renderer.text(values=values),
                   check=False)
        faults = []
        for obj in json.loads(done.stdout):
            name = f"{obj['type_meta']['kind']}/{obj['object_meta']['name']}"
            for c in obj["checks"]:
                count += 1
                if c["grade"] < 10 and not c["skipped"]:
                    said = "; ".join(" ".join(filter(None, (x.get("path"), x["summary"])))
                                     for x in c["comments"] or [])
                    faults.append(f"{name}: {c['check']['id']}: {said}")
        yield values, faults
    yield "counted", [] if count else ["nothing"], f"{count} judgements"
    yield exemptions(renderer, "kube-score")


def checkov(renderer):
    """One run, for it starts slowly: each set of values is in a namespace of its own, which is also
    where `helm --namespace` would put the objects."""
    with tempfile.TemporaryDirectory() as folder:
        for values in VALUES:
            objects = [dict(o, metadata=dict(o["metadata"], namespace=f"visits-{values}"))
                       for o in renderer.release(values=values).objects]
            with open(os.path.join(folder, values + ".yaml"), "w", encoding="utf-8") as f:
                yaml.safe_dump_all(objects, f)
        done = run(os.path.join(TOOLS, "checkov"), "--framework", "kubernetes", "--directory",
                   folder, "--output", "json", "--compact", "--skip-download", check=False)
    report = json.loads(done.stdout)
    summary = report["summary"]
    for values in VALUES:
        yield values, [f"{r['resource']}: {r['check_id']} {r['check_name']}"
                       for r in report["results"]["failed_checks"]
                       if f".visits-{values}." in r["resource"]]
    faults = ["it could not read what was rendered"] * summary["parsing_errors"]
    seen = {r["resource"].split(".")[1] for r in report["results"]["passed_checks"]}
    faults += [f"it did not look at {v}" for v in VALUES if f"visits-{v}" not in seen]
    yield "all", faults + ["there are others"] * (summary["failed"] != sum(
        f".visits-{v}." in r["resource"] for v in VALUES
        for r in report["results"]["failed_checks"])), f"{summary['passed']} judgements passed"
    yield exemptions(renderer, "checkov")


def alerts(renderer):
    """Rules of alerts are rules to Prometheus, as files and as they are rendered."""
    promtool = shutil.which("promtool")
    if not promtool:
        yield "promtool", ["it is missing: make deps DEPS=cluster"]
        return
    path = os.path.join(CHART, "files", "alerts.yaml")
    done = run(promtool, "check", "rules", path, check=False)
    yield "files/alerts.yaml", (done.stdout + done.stderr).splitlines() if done.returncode else []
    rendered = renderer.release(values="full").of("PrometheusRule")
    names = [r.get("alert") for o in rendered for g in dig(o, "spec.groups", [])
             for r in g["rules"]]
    yield "rendered", [] if any(names) else ["no alert"], f"{len(names)} alerts"
