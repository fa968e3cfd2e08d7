"""Checks of what helm makes of the chart: package, lint, the same from both helms, snapshots."""

import difflib
import os
import re
import tarfile

from objects import label
from render import (CHART, HELMS, ROOT, SNAPSHOTS, VALUES, HelmError, Renderer, chart_file, helm,
                    snapshot, version)

GENERATED = ("files/nats-accounts.conf", "files/alerts.yaml", "files/dashboard.json")
NEEDED = ("values.schema.json", "README.md", "templates/NOTES.txt", *GENERATED)


def package(_):
    """The archive is whole, of the project's version, and renders as the folder does."""
    with open(os.path.join(ROOT, "Makefile"), encoding="utf-8") as f:
        wanted = re.search(r"^VERSION := (\S+)$", f.read(), re.M)[1]
    yield "version", [] if version() == wanted else [f"chart {version()}, project {wanted}"]
    yield "appVersion", [] if f'appVersion: "{wanted}"' in chart_file("Chart.yaml") else [
        "it is not the version"]
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
            except HelmError as e:
                faults = [str(e)]
            yield f"{which} {values}", faults


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


def labels_of(release):
    return {label(o) for o in release.objects}
