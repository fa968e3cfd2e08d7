"""Checks of what helm makes of the chart: package, lint, the same from both helms, snapshots."""

import difflib
import os
import re
import tarfile

from render import (CHART, HELMS, ROOT, SNAPSHOTS, VALUES, ToolError, Renderer, chart_file, helm,
                    snapshot, version)

GENERATED = ("files/nats-accounts.conf", "files/alerts.yaml", "files/dashboard.json")
NEEDED = ("values.schema.json", "README.md", "templates/NOTES.txt", *GENERATED)


def package(renderer):
    """The archive is whole, of the project's version, and renders as the folder does."""
    with open(os.path.join(ROOT, "Makefile"), encoding="utf-8") as f:
        wanted = re.search(r"^VERSION := (\S+)$", f.read(), re.M)[1]
    yield "version", [] if version() == wanted else [f"chart {version()}, project {wanted}"]
    yield "appVersion", [] if f'appVersion: "{wanted}"' in chart_file("Chart.yaml") else [
        "it is not the version"]
    told = set(re.findall(r"image: (\S+)", chart_file("Chart.yaml")))
    used = {c["image"] for p in renderer.release().pods for c in p.containers}
    yield "images", [f"{i} is only {'told' if i in told else 'used'}" for i in sorted(told ^ used)]
    archive = os.path.join(ROOT, "build", "chart", f"televisit-{wanted}.tgz")
    with tarfile.open(archive) as tar:
        names = {n.removeprefix("televisit/") for n in tar.getnames()}
    on_disk = {os.path.relpath(os.path.join(d, f), CHART)
               for d, _, files in os.walk(CHART) for f in files}
    for name in NEEDED:
        yield name, [] if name in names else ["the package does not have it"]
    yield "files", [f"{n} is left out" for n in sorted(on_disk - names) if n != ".helmignore"]
    for which in HELMS:
        same = Renderer(archive).text(which) == Renderer().text(which)
        yield f"{which} renders the archive", [] if same else ["not as it renders the folder"]


def lint(_):
    for which in HELMS:
        for values, files in VALUES.items():
            try:
                helm(which, "lint", "--strict", CHART, *[a for f in files for a in ("--values", f)])
                faults = []
            except ToolError as e:
                faults = [str(e)]
            yield f"{which} {values}", faults


def notes(renderer):
    """What is printed after an install speaks of objects that are there, and of all Secrets that
    pods want. (helm 3 needs a cluster for it.)"""
    for values, files in VALUES.items():
        text = helm("helm4", "install", "televisit", CHART, "--dry-run=client", "--namespace",
                    "visits", *[a for f in files for a in ("--values", f)]).split("NOTES:\n")[-1]
        release = renderer.release(values=values)
        named = set(re.findall(r"\b(deployment|service|job|statefulset)/([a-z0-9-]+)", text))
        there = {(o["kind"].lower(), o["metadata"]["name"]) for o in release.objects}
        faults = [f"it speaks of {kind}/{name}" for kind, name in sorted(named - there)]
        told = dict(re.findall(r"^  - ([a-z0-9-]+) \((.*)\)$", text, re.M))
        for name, keys in sorted(release.secret_keys(("check",)).items()):
            missing = keys - set(told.get(name, "").split(", "))
            faults += [f"it does not tell of {key} in {name}" for key in sorted(missing)]
        yield values, faults + ([] if named else ["it names no object"])


def difference(before, after):
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "was", "is", lineterm="",
                                 n=1)
    return list(lines)[2:14]


def same_objects(renderer):
    count = 0
    for values in VALUES:
        three, four = (renderer.release(which, values) for which in HELMS)
        count += len(four.objects)
        yield values, difference(snapshot(three), snapshot(four))
    kinds = {o["kind"] for v in VALUES for o in renderer.release(values=v).objects}
    yield "objects", [] if len(kinds) > 12 else [f"only {len(kinds)} kinds"], (
        f"{count} objects of {len(kinds)} kinds in {len(VALUES)} sets of values")


def snapshots(renderer):
    for values in VALUES:
        path = os.path.join(SNAPSHOTS, values + ".yaml")
        try:
            with open(path, encoding="utf-8") as f:
                before = f.read()
        except FileNotFoundError:
            yield values, ["there is none: make chart-snapshots"]
            continue
        faults = difference(before, snapshot(renderer.release(values=values)))
        yield values, faults + ["if that is meant: make chart-snapshots"] * bool(faults)
    stray = set(os.listdir(SNAPSHOTS)) - {v + ".yaml" for v in VALUES}
    yield "no other", sorted(stray)
