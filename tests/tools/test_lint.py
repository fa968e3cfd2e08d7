"""Lint: each rule finds what it is for, and leaves alone what is right."""

import os
import sys
import unittest

sys.dont_write_bytecode = True
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tools"))

import lint  # noqa: E402

STEP = "services/appointments/migrations/0099_a.sql"
GUARD = "#ifndef A_H\n#define A_H\n"
LONG = "static int long_one(int a,\n                    int b) {\n" + "    a++;\n" * 69 + "}\n"

# rule, path, text, what each fault says (nothing: the text is right)
CASES = [
    ("layers", "lib/loop.c", '#include "loop.h"\n#include "lib/clock.h"\n', []),
    ("layers", "lib/loop.c", '#include "bus.h"\n', ["loop does not stand above bus"]),
    ("layers", "lib/err.c", '#include "lib/str.h"\n', ["err does not stand above str"]),
    ("layers", "lib/pb_json.c", '#include "pb.h"\n#include "pb_walk.h"\n', []),
    ("layers", "lib/pb_json.c", '#include "rpc.h"\n', ["pb does not stand above rpc"]),
    ("layers", "lib/pg.c", '#include "services/gateway/route.h"\n', ["lib/ knows no service"]),
    ("layers", "lib/novel.c", "", ["module novel has no layer"]),
    ("layers", "lib/base.c", "/*\n#include \"bus.h\" in words */\n", []),
    ("services", "services/gateway/a.c", '#include "services/gateway/b.h"\n', []),
    ("services", "services/gateway/a.c", '#include "services/tokens/b.h"\n', ["of another"]),
    ("services", "services/appointments/gate.c", '#include "lib/pg.h"\n', ["a pure file"]),
    ("services", "services/appointments/gate.c", '#include "lib/clock.h"\n', []),
    ("libraries", "lib/bus.c", "#include <nats/nats.h>\n", []),
    ("libraries", "lib/bus.c", "#include <uv.h>\n", ["only lib/loop includes <uv.h>"]),
    ("libraries", "lib/bus.c", "#include <nats.h>\n#include <uv.h>\n",
     ["only lib/loop", "two libraries: nats, uv"]),
    ("libraries", "lib/jwt.c", '#include "lib/jwt.h"\n#include <jwt.h>\n', []),
    ("libraries", "services/tokens/a.c", "#include <sodium.h>\n", ["only lib/crypto"]),
    ("banned", "lib/a.c", "x = strcpy(a, b);\n", ["strcpy: use tv_arena_strdup"]),
    ("banned", "lib/a.c", "/* strcpy(a) */ // atoi(x)\nf(\"sprintf(\");\nsnprintf(a);\n", []),
    ("banned", "lib/a.c", "p->system(x);\ntv_rand(x);\ngmtime_r(&t, &tm);\n", []),
    ("banned", "lib/a.c", "a;\n/* one\n two */ rand ();\n", ["rand: use tv_random"]),
    ("banned", "bench/a.c", "atoi(x);\nstrcpy(a, b);\n", ["strcpy"]),
    ("unfinished", "docs/a.md", "a " + "TO" + "DO b\n", ["a TO" + "DO b"]),
    ("unfinished", "docs/a.md", "all is done, todos too\n", []),
    ("length", "lib/a.c", "x;\n" * 601, ["601 lines, more than 600"]),
    ("length", "lib/a.c", "x;\n" * 600, []),
    ("length", "tests/unit/lib/a.c", "x;\n" * 1001, ["1001 lines, more than 1000"]),
    ("length", "lib/a.c", LONG, ["long_one has 72 lines"]),
    ("length", "lib/a.c", LONG.replace("    a++;\n", "", 2), []),
    ("form", "lib/a.h", GUARD + "#endif\n", []),
    ("form", "lib/a.h", "int a;\n", ["no include guard"]),
    ("form", "lib/a.c", "int a; \nint\tb;\nint c;", ["no newline", "space at the end", "tab"]),
    ("form", "tools/a.py", "#" * 101 + "\n", ["101 columns"]),
    ("form", "mk/a.mk", "a:\n\tb\n", []),
    ("lockfiles", "web/package-lock.json", '{"resolved": 1}', ["it names a registry"]),
    ("migrations", STEP, "ALTER TABLE a DROP COLUMN b;\nDROP TABLE c;",
     ["DROP COLUMN", "DROP TABLE"]),
    ("migrations", STEP, "ALTER TABLE a DROP b, RENAME TO d;", ["DROP b", "RENAME"]),
    ("migrations", STEP, "alter table a alter b type bigint, alter column c set not null;",
     ["alter b type", "set not null"]),
    ("migrations", STEP, "ALTER TABLE a ALTER b SET DATA TYPE text, ALTER b DROP DEFAULT;",
     ["the old type", "DROP DEFAULT"]),
    ("migrations", STEP, "ALTER TABLE a\n ADD COLUMN b int NOT NULL,\n ADD COLUMN c int DEFAULT 1;",
     ["needs a default"]),
    ("migrations", STEP, "ALTER TABLE a ADD COLUMN b int NOT NULL DEFAULT coalesce(1, 2),\n"
     " ADD COLUMN c numeric(3, 1), DROP CONSTRAINT d, ALTER e DROP NOT NULL;\nDROP INDEX f;", []),
    ("migrations", STEP, "CREATE TABLE a (b int NOT NULL, type text); -- DROP TABLE a\n"
     "CREATE FUNCTION f() RETURNS int AS $$ DROP TABLE a; $$;\nSELECT 'rename';", []),
    ("migrations", STEP, "-- contract: unread since 0.3\nALTER TABLE a DROP COLUMN b;", []),
    ("migrations", STEP, "-- contract:\nALTER TABLE a DROP COLUMN b;", ["DROP COLUMN"]),
    ("migrations", "tests/a.sql", "DROP TABLE a;", []),
    ("docs", "README.md", "Run `make lint`, see [it](Makefile) and [x](https://x.example/).\n", []),
    ("docs", "README.md", "```\nmake tea # hot\nmake lint\n```\nmake do\n", ["no target tea"]),
    ("docs", "README.md", "Run `make tea`.\n", ["there is no target tea"]),
    ("docs", "docs/a.md", "[a](../nowhere.md)\n", ["../nowhere.md leads nowhere"]),
]


def tree(texts):
    """Files that are not there."""
    files = lint.Tree([])
    files.texts = dict(texts)
    return files


class Rules(unittest.TestCase):
    def setUp(self):
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(ROOT)

    def test_each_rule(self):
        makefile = {"Makefile": "lint: x\n\ttools/lint.py\n"}
        for rule, path, text, wanted in CASES:
            with self.subTest(rule=rule, path=path, text=text[:40]):
                found = [f for f in lint.RULES[rule](tree({**makefile, path: text}))
                         if f.place.startswith(path)]
                self.assertEqual(len(found), len(wanted), [str(f) for f in found])
                for fault, part in zip(found, wanted):
                    self.assertIn(part, fault.text)

    def test_every_rule_of_text_has_a_case(self):
        by_tools = {"clang-format", "shellcheck", "config"}
        self.assertEqual(set(lint.RULES) - {c[0] for c in CASES}, by_tools)

    def test_configuration_and_its_page(self):
        table = {"services/tokens/main.c": '    {"NATS_URL", TV_CONF_URL, 0},\n'
                                           '    {"TELEVISIT_NEW", TV_CONF_INT, 0},\n'}
        page = "| `NATS_URL` | `TELEVISIT_OLD` | `TELEVISIT_NEW_FILE` |\n"
        found = [str(f) for f in lint.RULES["config"](tree({**table, "docs/CONFIG.md": page}))]
        self.assertEqual(found, [
            "services/tokens/main.c: config: TELEVISIT_NEW is not in docs/CONFIG.md",
            "docs/CONFIG.md: config: TELEVISIT_OLD is read by no service"])
        self.assertEqual(list(lint.RULES["config"](tree(table))), [])


class Allowances(unittest.TestCase):
    def run_with(self, allowed):
        texts = {"lib/a.c": "x;\n" * 601, lint.ALLOW_FILE: allowed}
        return [str(f) for f in lint.run(tree(texts), ["length"])]

    def test_a_fault_is_allowed_with_a_reason(self):
        self.assertEqual(len(self.run_with("")), 1)
        self.assertEqual(self.run_with("# why\nlength lib/a.c one table of the standard\n"), [])

    def test_an_allowance_that_nothing_needs_is_a_fault(self):
        found = self.run_with("length lib/a.c reason one\nlength lib/b.c reason two\n")
        self.assertEqual(found, [f"{lint.ALLOW_FILE}:2: allowed: length lib/b.c is not needed"])

    def test_a_reason_is_needed(self):
        with self.assertRaisesRegex(SystemExit, "reason, please"):
            self.run_with("length lib/a.c\n")


if __name__ == "__main__":
    unittest.main()
