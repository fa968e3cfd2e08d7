"""tools/chart/check notices what it is for: a fault is planted in a copy of the chart, and the
check for it has to fail. Needs `make chart` and the tools; `make test-chart` sees to both."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
CHART = os.path.join(ROOT, "build", "chart", "televisit")
SERVICE, POD, NAMES = "templates/_service.tpl", "templates/_pod.tpl", "templates/_names.tpl"
SEED = "S" + "U" + "AB2C3D4E5F6G7H" * 4

# check, what is planted, file, pattern, what stands there instead
FAULTS = [
    ("package", "another version", "Chart.yaml", r"(?m)^version: .*", "version: 9.9.9"),
    ("package", "an image of another version", "Chart.yaml", r"(gateway:)\S+", r"\g<1>9.9.9"),
    ("lint", "a template that does not parse", SERVICE, r"\{\{- end -\}\}", "{{- end"),
    ("lint", "a version that is none", "Chart.yaml", r"(?m)^version: .*", "version: one"),
    ("same", "what only helm 4 renders", "templates/services.yaml", r"\A",
     '{{ if hasPrefix "v4" .Capabilities.HelmVersion.Version }}\n'
     "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: four}\n---\n{{ end }}"),
    ("snapshots", "another strategy", SERVICE, "maxUnavailable: 0", "maxUnavailable: 1"),
    ("notes", "an object that is not there", "templates/NOTES.txt", r"\Z",
     "kubectl logs deployment/televisit-recorder\n"),
    ("schemas", "a field that is none", SERVICE, "revisionHistoryLimit", "revisionsKept"),
    ("kube-score", "no ephemeral storage", "values.yaml", r", ephemeral-storage: \w+", ""),
    ("checkov", "a token of the API", POD, "automountServiceAccountToken: false",
     "automountServiceAccountToken: true"),
    ("alerts", "an expression that is none", "files/alerts.yaml", r"(?m)expr: .*", "expr: up =="),
    ("rules", "root", POD, "runAsUser: 10001", "runAsUser: 0"),
    ("rules", "a policy that lets nobody in", "templates/_network.tpl",
     r"(?s)\{\{- with trim \.ingress \}\}.*?\{\{- end \}\}", ""),
    ("rules", "a Service that finds no pod", SERVICE,
     r"(?s)(type: \{\{ \.service\.service\.type \}\}\n  selector:\n).*?\n  ports",
     r"\1    tier: none\n  ports"),
    ("rules", "a reason that is none", "templates/_exemptions.tpl",
     "The images are on the node already.", "yes"),
    ("secrets", "a Secret", "templates/services.yaml", r"\A",
     "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n---\n"),
    ("secrets", "a seed", "files/dashboard.json", r"\Z", f"\n{SEED}\n"),
    ("secrets", "a key that tools/secrets does not make", "templates/_catalog.tpl",
     "session-key", "session-keys"),
    ("configuration", "a variable that nobody reads", "templates/_catalog.tpl",
     "TELEVISIT_PUBLIC_URL:", "TELEVISIT_ADDRESS:"),
    ("checksums", "a sum of nothing", SERVICE, r"\$env \| toYaml \| sha256sum", '"a" | sha256sum'),
    ("digests", "a digest that is left out", NAMES, r"@\{\{ \. \}\}", ""),
    ("autoscaler", "replicas beside an autoscaler", SERVICE, r"if not \$scaled", "if true"),
    ("names", "a selector that all releases share", NAMES,
     r"app\.kubernetes\.io/instance: \{\{ \.root\.Release\.Name \}\}",
     "app.kubernetes.io/instance: one"),
    ("upgrade", "another selector", NAMES, "app.kubernetes.io/component:",
     "app.kubernetes.io/part:"),
    ("upgrade", "a Job of one name", "templates/migration.yaml",
     r"sha256sum \| trunc 6", "sha256sum | trunc 0"),
    ("closed-schema", "any key", "values.schema.json",
     r'"additionalProperties": false', '"additionalProperties": true'),
    ("bad-values", "any number", "values.schema.json", r'"minimum": 1, "maximum": 100',
     '"maximum": 100'),
    ("good-values", "no address without TLS", "values.schema.json", r"\^https\?", "^https"),
    ("live-values", "a value that nothing reads", SERVICE, r"\{\{ \.service\.replicas \}\}", "3"),
]


def check(name, chart):
    program = os.path.join(ROOT, "tools", "chart", "check")
    return subprocess.run([sys.executable, "-B", program, name], capture_output=True, text=True,
                          check=False, env=dict(os.environ, CHART=chart))


class Check(unittest.TestCase):
    def test_planted_faults_are_found(self):
        for name, what, path, pattern, instead in FAULTS:
            with self.subTest(check=name, fault=what), tempfile.TemporaryDirectory() as folder:
                chart = os.path.join(folder, "televisit")
                shutil.copytree(CHART, chart)
                with open(os.path.join(chart, path), encoding="utf-8") as f:
                    before = f.read()
                after = re.sub(pattern, instead, before)
                self.assertNotEqual(after, before, "nothing was planted")
                with open(os.path.join(chart, path), "w", encoding="utf-8") as f:
                    f.write(after)
                done = check(name, chart)
                self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                self.assertIn(f"FAIL {name}:", done.stdout, done.stderr)

    def test_each_check_has_a_fault(self):
        done = check("no-such-check", CHART)
        self.assertEqual(done.returncode, 2)
        names = done.stderr.split("there are ")[1].split()
        self.assertEqual(sorted(set(names)), sorted({row[0] for row in FAULTS}))


if __name__ == "__main__":
    unittest.main()
