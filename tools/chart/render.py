"""Renders the packaged chart with helm 3 and 4, once for each set of values, and knows what a
rendering looks like in tests/chart/snapshots."""

import os
import re
import subprocess
import tempfile

import yaml

from objects import LOADER, Release, dig, label

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
TOOLS = os.path.join(ROOT, "build", "tools", "chart")
CHART = os.environ.get("CHART", os.path.join(ROOT, "build", "chart", "televisit"))
TESTS = os.path.join(ROOT, "tests", "chart")
SNAPSHOTS = os.path.join(TESTS, "snapshots")
HELMS = ("helm3", "helm4")

# Values by name: files, later ones stand above earlier ones.
VALUES = {
    "default": [],
    "minimal": [os.path.join(CHART, "values-minimal.yaml")],
    "ha": [os.path.join(CHART, "values-ha.yaml")],
    "dev": [os.path.join(CHART, "values-dev.yaml")],
    "full": [os.path.join(TESTS, "values-full.yaml")],
}


class ToolError(Exception):
    """What a tool said that failed."""


def run(*command, text_in=None, check=True):
    done = subprocess.run(command, capture_output=True, text=True, input=text_in, check=False)
    if check and done.returncode != 0:
        raise ToolError(" ".join((done.stderr + done.stdout).split()))
    return done


def helm(which, *arguments):
    return run(os.path.join(TOOLS, which), *arguments).stdout


class Renderer:
    """helm template, remembering what it has rendered."""

    def __init__(self, chart=CHART):
        self.chart, self.known = chart, {}

    def text(self, which="helm4", values="default", extra=None, name="televisit"):
        """`extra`: values on top, as a dict."""
        key = (which, values, repr(extra), name)
        if key not in self.known:
            files = [a for f in VALUES[values] for a in ("--values", f)]
            with tempfile.NamedTemporaryFile("w", suffix=".yaml") as over:
                yaml.safe_dump(extra or {}, over)
                over.flush()
                self.known[key] = helm(which, "template", name, self.chart, "--namespace", "visits",
                                       *files, "--values", over.name)
        return self.known[key]

    def release(self, *args, **kwargs):
        return Release.of_text(self.text(*args, **kwargs))


def chart_file(*path):
    with open(os.path.join(CHART, *path), encoding="utf-8") as f:
        return f.read()


def version():
    return yaml.load(chart_file("Chart.yaml"), Loader=LOADER)["version"]


def long_files():
    """Texts of files/, which have tests of their own: a snapshot only says that they are there."""
    folder = os.path.join(CHART, "files")
    for name in sorted(os.listdir(folder)):
        yield name, chart_file("files", name)


class Dumper(yaml.SafeDumper):
    """Long texts as blocks, nothing by reference."""

    def ignore_aliases(self, data):
        return True


def represent_text(dumper, text):
    return dumper.represent_scalar("tag:yaml.org,2002:str", text,
                                   style="|" if "\n" in text else None)


Dumper.add_representer(str, represent_text)


def snapshot(release):
    """The text of a rendering: sorted, without what changes with each version of the project."""
    files = list(long_files())
    now = version()

    def plain(node, key=None):
        if isinstance(node, dict):
            return {k: plain(v, k) for k, v in node.items()}
        if isinstance(node, list):
            return [plain(v) for v in node]
        if not isinstance(node, str):
            return node
        if str(key).startswith("checksum/"):
            return "SUM"
        for name, text in files:
            if node.strip() == text.strip():
                return f"text of files/{name}"
        return node.replace(now, "VERSION")

    out = []
    for obj in sorted(release.objects, key=label):
        if obj["kind"] == "PrometheusRule":
            obj = dict(obj, spec={"groups": [
                {"name": g["name"], "rules": sorted(r.get("alert", r.get("record"))
                                                    for r in g["rules"])}
                for g in dig(obj, "spec.groups", [])]})
        if obj["kind"] == "Job":  # its name ends in a sum of its template, which has the version
            name = re.sub("-[0-9a-f]+$", "-SUM", obj["metadata"]["name"])
            obj = dict(obj, metadata=dict(obj["metadata"], name=name))
        out.append(yaml.dump(plain(obj), Dumper=Dumper, sort_keys=True, width=100))
    return "---\n".join(out)
