"""Alerts, dashboard and runbook: that Prometheus takes them, that each alert fires when it must and
only then, and that whoever is woken finds a page about it."""

import json
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "deploy" / "k8s" / "televisit" / "files"
ALERTS = (FILES / "alerts.yaml").read_text()
RUNBOOK = (ROOT / "docs" / "RUNBOOK.md").read_text()
STORIES = ROOT / "tests" / "tools" / "alerts_test.yaml"
NAMES = re.findall(r"^ +- alert: (\w+)$", ALERTS, re.M)
SECTIONS = re.split(r"^### (\w+)$", RUNBOOK, flags=re.M)
SECTION = dict(zip(SECTIONS[1::2], SECTIONS[2::2]))


class Promtool(unittest.TestCase):
    def promtool(self, *words):
        self.assertTrue(shutil.which("promtool"), "promtool is missing: install the package "
                        "prometheus, or run `make deps` (tools/packages.txt, group test)")
        done = subprocess.run(["promtool", *map(str, words)], capture_output=True, text=True,
                              check=False, timeout=120)
        return done.returncode, done.stdout + done.stderr


class Alerts(Promtool):
    def test_prometheus_takes_them(self):
        status, said = self.promtool("check", "rules", FILES / "alerts.yaml")
        self.assertEqual(0, status, said)
        self.assertIn(f"{len(NAMES)} rules found", said)

    def test_each_fires_when_it_must(self):
        status, said = self.promtool("test", "rules", STORIES)
        self.assertEqual(0, status, said)

    def test_the_stories_can_fail(self):
        """An alert that never fires is found, and one that always does."""
        head, *stories = re.split(r"(?m)^(?=  - name: )", STORIES.read_text())
        chosen = [s for s in stories
                  if re.match(r"  - name: Televisit(BusDisconnected|NotReady)\b", s)]
        self.assertEqual(2, len(chosen))
        for expression in ("vector(0) > 1", "vector(1)"):
            with tempfile.TemporaryDirectory() as folder:
                spoilt = re.sub(r"expr: tv_need_met.*", f"expr: {expression}", ALERTS)
                self.assertNotEqual(ALERTS, spoilt)
                rules, two = Path(folder) / "alerts.yaml", Path(folder) / "stories.yaml"
                rules.write_text(spoilt)
                two.write_text(re.sub(r"(?m)^rule_files: .*$", f"rule_files: [{rules}]", head)
                               + "".join(chosen))
                status, said = self.promtool("test", "rules", two)
                self.assertNotEqual(0, status)
                self.assertIn("TelevisitBusDisconnected", said)
                self.assertEqual(1, said.count("expr: "), said)

    def test_each_has_a_story(self):
        text = STORIES.read_text()
        self.assertEqual(NAMES, re.findall(r"^  - name: (\w+)", text, re.M))
        for name in NAMES:  # silent at first, then not
            story = text.partition(f"- name: {name}")[2].partition("\n  - name:")[0]
            self.assertEqual(2, story.count(f'ALERTS{{alertname="{name}",alertstate="firing"}}'))
            self.assertEqual(1, story.count("exp_samples: [{labels: '{}', value: 1}]"), name)

    def test_each_says_what_somebody_needs(self):
        self.assertEqual(len(NAMES), len(set(NAMES)))
        for name, rule in zip(NAMES, re.split(r"^ +- alert: ", ALERTS, flags=re.M)[1:]):
            with self.subTest(name):
                self.assertRegex(rule, r"labels: \{severity: (critical|warning)\}")
                self.assertRegex(rule, r"\n +summary: \S")
                self.assertRegex(rule, r"\n +description: \S")
                self.assertIn(f"runbook_url: docs/RUNBOOK.md#{name.lower()}\n", rule)


class Runbook(unittest.TestCase):
    def test_a_section_for_each_alert_and_no_other(self):
        self.assertEqual(sorted(NAMES), sorted(SECTION))

    def test_each_section_says_what_where_and_what_to_do(self):
        for name, text in SECTION.items():
            with self.subTest(name):
                for part in ("Meaning: ", "Look: ", "Do: "):
                    self.assertEqual(1, len(re.findall(f"^{part}", text, re.M)), part)

    def test_what_it_names_exists(self):
        for link in re.findall(r"\]\(#(\w+)\)", RUNBOOK):
            self.assertIn(link, [name.lower() for name in NAMES])
        sources = "".join(path.read_text() for path in (
            *ROOT.glob("services/*/*.c"), *ROOT.glob("lib/*.c"), *ROOT.glob("proto/**/*.proto")))
        for name in re.findall(r"\bTELEVISIT_\w+", RUNBOOK):
            self.assertTrue(f'"{name}"' in sources, name)
        for name in re.findall(r"\btv_\w+", RUNBOOK):
            if name != "tv_bus":  # the beginning of several
                self.assertTrue(f'"{name}"' in sources, name)
        schema = "".join(path.read_text() for path in
                         ROOT.glob("services/appointments/migrations/*.sql"))
        for name in re.findall(r"\btv\.(?!v1)(\w+)", RUNBOOK):
            self.assertTrue(f"tv.{name}" in schema, name)


class Dashboard(Promtool):
    def setUp(self):
        self.board = json.loads((FILES / "dashboard.json").read_text())
        self.panels = self.board["panels"]

    def test_its_form(self):
        ids = [panel["id"] for panel in self.panels]
        self.assertEqual(len(ids), len(set(ids)))
        titles = [panel["title"] for panel in self.panels]
        self.assertEqual(len(titles), len(set(titles)))
        variables = {v["name"]: v for v in self.board["templating"]["list"]}
        self.assertEqual("datasource", variables["datasource"]["type"])
        for panel in self.panels:
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], 24, panel["title"])
            if panel["type"] == "row":
                continue
            self.assertEqual("${datasource}", panel["datasource"]["uid"], panel["title"])
            self.assertTrue(panel["targets"], panel["title"])
            letters = [target["refId"] for target in panel["targets"]]
            self.assertEqual(len(letters), len(set(letters)), panel["title"])

    def test_no_panel_hides_another(self):
        taken = set()
        for panel in self.panels:
            place = panel["gridPos"]
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                     for y in range(place["y"], place["y"] + place["h"])}
            self.assertFalse(cells & taken, panel["title"])
            taken |= cells

    def test_its_queries_are_good(self):
        rules = ["groups:", "  - name: dashboard", "    rules:"]
        queries = [target["expr"] for panel in self.panels for target in panel.get("targets", ())]
        for number, query in enumerate(queries):
            whole = query.replace("$__rate_interval", "5m").replace("$job", ".*")
            self.assertNotIn("$", whole)
            rules += [f"      - record: query:{number}", f"        expr: {json.dumps(whole)}"]
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write("\n".join(rules) + "\n")
            file.flush()
            status, said = self.promtool("check", "rules", file.name)
        self.assertEqual(0, status, said)
        self.assertIn(f"{len(queries)} rules found", said)


if __name__ == "__main__":
    unittest.main()
