"""Tests of tools/gen_sql.py. Run by: /usr/bin/python3 -m unittest discover tests/tools"""

import contextlib
import hashlib
import importlib.util
import io
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("gen_sql", ROOT / "tools" / "gen_sql.py")
gen_sql = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(gen_sql)


class GenSqlTest(unittest.TestCase):
    def setUp(self):
        self.dir = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.dir)
        self.sql = self.dir / "sql"
        self.steps = self.dir / "migrations"
        self.out = self.dir / "out"

    def put(self, name, text):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def run_main(self):
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors):
            status = gen_sql.main(["--sql", str(self.sql), "--migrations", str(self.steps),
                                   "--out", str(self.out)])
        return status, errors.getvalue()

    def statement(self, text):
        self.put("sql/probe.sql", text)
        return gen_sql.statements(self.sql)[0]

    def test_parameters(self):
        table = [
            # source, text, names
            ("select :a", "select $1", ["a"]),
            ("select :a, :b, :a", "select $1, $2, $1", ["a", "b"]),
            ("select :actor.clinic_id::uuid", "select $1::uuid", ["actor.clinic_id"]),
            ("select :limit::int + 1", "select $1::int + 1", ["limit"]),
            ("select x::text", "select x::text", []),
            ("select ':a'", "select ':a'", []),
            ("select 'it''s :a', :b", "select 'it''s :a', $1", ["b"]),
            (r"select E'\' :a', :b", r"select E'\' :a', $1", ["b"]),
            (r"select '\', :b", r"select '\', $1", ["b"]),
            ('select 1 as ":a", :b', 'select 1 as ":a", $1', ["b"]),
            ('select 1 as "join.opens_at"', 'select 1 as "join.opens_at"', []),
            ("select $$ :a $$, :b", "select $$ :a $$, $1", ["b"]),
            ("select $x$ :a $$ $x$, :b", "select $x$ :a $$ $x$, $1", ["b"]),
            ("select 1 -- :a\n+ :b", "select 1\n+ $1", ["b"]),
            ("select 1 /* :a /* :c */ */ + :b", "select 1   + $1", ["b"]),
            ("select f(x := :x)", "select f(x := $1)", ["x"]),
            ("select :a;", "select $1", ["a"]),
            ("select :a; -- the end\n", "select $1", ["a"]),
            ("select x.y, :actor.role = 1", "select x.y, $1 = 1", ["actor.role"]),
            ("select :row.name", "select $1.name", ["row"]),
            ("select '{}'::jsonb ? 'x'", "select '{}'::jsonb ? 'x'", []),
            ("\n\n  select 1  \n\n", "  select 1", []),
        ]
        for source, text, names in table:
            with self.subTest(source=source):
                s = self.statement(source)
                self.assertEqual((s.text, s.params), (text, names))

    def test_read_only(self):
        table = [
            ("-- Reads.\n-- read only\nselect 1", True),
            ("\n--read only\n\nselect 1", True),
            ("-- is it read only\nselect 1", False),
            ("select 1\n-- read only", False),
            ("-- read only\nselect 1 from t for update", True),
            ("-- read only\nselect 1 from t for no key update", True),
            ("-- read only\nselect 'insert'", True),
        ]
        for source, expected in table:
            with self.subTest(source=source):
                self.assertEqual(self.statement(source).read_only, expected)

    def test_faults_name_file_and_line(self):
        table = [
            ("", "1: holds no statement"),
            ("-- only words\n", "1: holds no statement"),
            ("select 1;\nselect 2", "1: one statement a file"),
            ("select 1,\n 'x", "2: the quote ' does not end"),
            ('select 1,\n "x', '2: the quote " does not end'),
            ("select\n\n$a$ x $b$", "3: the quote $a$ does not end"),
            ("select /* x", "1: the comment does not end"),
            ("select\n $1", "2: $1: parameters have names"),
            ("-- read only\nwith x as (\ndelete from t returning 1) select 1",
             "3: says `-- read only` and holds DELETE"),
            ("select 1\n-- include: none.sql", "2: there is no"),
            ("select 1\n-- include: ../probe.sql", "2: there is no"),
            ("select " + ", ".join(f":p{i}" for i in range(65)), "1: more than 64 parameters"),
            (b"select\n '\xff'", "2: is not UTF-8"),
            (b"select\n '\0'", "2: has a NUL byte"),
        ]
        for source, message in table:
            with self.subTest(source=source):
                self.put("sql/probe.sql", source)
                status, errors = self.run_main()
                self.assertEqual(status, 1)
                self.assertIn(f"probe.sql:{message}", errors)

    def test_include(self):
        self.put("sql/parts/shown.sql", "-- What a caller sees.\n:b::int, :a")
        s = self.statement("select :a,\n-- include: shown.sql\nfrom t")
        self.assertEqual(s.text, "select $1,\n$2::int, $1\nfrom t")
        self.assertEqual(s.params, ["a", "b"])

    def test_fault_in_an_include_names_the_part(self):
        self.put("sql/parts/shown.sql", "1,\n$1")
        self.put("sql/probe.sql", "select\n-- include: shown.sql\n")
        self.assertIn("shown.sql:2: $1", self.run_main()[1])

    def test_include_of_itself(self):
        self.put("sql/parts/a.sql", "-- include: b.sql")
        self.put("sql/parts/b.sql", "\n-- include: a.sql")
        self.put("sql/probe.sql", "-- include: a.sql")
        self.assertIn("b.sql:2:", self.run_main()[1])

    def test_folders_and_names(self):
        self.put("sql/b.sql", "select 1")
        self.put("sql/calls/a.sql", "select 2")
        self.put("sql/parts/p.sql", "3")
        self.assertEqual([s.name for s in gen_sql.statements(self.sql)], ["a", "b"])
        self.put("sql/inbox/a.sql", "select 4")
        self.assertIn("inbox/a.sql:1: has the name of", self.run_main()[1])

    def test_bad_file_name(self):
        self.put("sql/Bad-Name.sql", "select 1")
        self.assertIn("Bad-Name.sql:1:", self.run_main()[1])

    def test_migrations(self):
        text = "create table t (x text default 'é\"\\');\n"
        self.put("migrations/0001_first.sql", text)
        self.put("migrations/0002_second.sql", "select 2;\n")
        steps = gen_sql.migrations(self.steps)
        self.assertEqual([(n, name) for n, name, _, _ in steps], [(1, "first"), (2, "second")])
        self.assertEqual(steps[0][2], hashlib.sha256(text.encode()).hexdigest())

    def test_migration_faults(self):
        table = [
            (["0002_a.sql"], "0002_a.sql:1: the number 0001 is missing"),
            (["0001_a.sql", "0003_b.sql"], "0003_b.sql:1: the number 0002 is missing"),
            (["0001_a.sql", "0001_b.sql"], "0001_b.sql:1: the number 0001 is taken by 0001_a.sql"),
            (["1_a.sql"], "1_a.sql:1: a migration is called"),
            (["0001-a.sql"], "0001-a.sql:1: a migration is called"),
            (["0001_A.sql"], "0001_A.sql:1: a migration is called"),
            (["0000_a.sql"], "0000_a.sql:1: the number 0001 is missing"),
        ]
        for names, message in table:
            with self.subTest(names=names):
                shutil.rmtree(self.steps, ignore_errors=True)
                for name in names:
                    self.put(f"migrations/{name}", "select 1")
                status, errors = self.run_main()
                self.assertEqual(status, 1)
                self.assertIn(message, errors)

    def test_output_compiles_and_says_the_same(self):
        tricky = 'select \'"\\\\ é ??= 100%\' as "x.y", :a, :actor.role\n  from t'
        self.put("sql/tricky.sql", "-- read only\n" + tricky)
        self.put("sql/plain.sql", "insert into t values (1)")
        self.put("migrations/0001_first.sql", "select 'é\t\\n';\n\nselect 2;")
        self.assertEqual(self.run_main(), (0, ""))
        probe = self.put("probe.c", """
#include <stdio.h>
#include "appointments_sql.h"
#include "services/appointments/migrate.h"
int main(void) {
    for (size_t i = 0; i < appointments_statement_count; i++) {
        const struct tv_pg_statement *s = appointments_statements[i];
        printf("%s %d %u", s->name, s->read_only, s->param_count);
        for (unsigned p = 0; p < s->param_count; p++)
            printf(" %s", s->params[p]);
        printf("\\n%s\\n", s->text);
    }
    printf("%u %s %s\\n%s\\n", migrations[0].number, migrations[0].name, migrations[0].sha256,
           migrations[0].text);
    return migration_count != 1;
}
""")
        program = self.dir / "probe"
        subprocess.run(["cc", "-std=gnu17", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}",
                        f"-I{self.out}", "-o", program, probe, *self.out.glob("*.c")], check=True)
        said = subprocess.run([program], check=True, capture_output=True).stdout.decode()
        text = (self.steps / "0001_first.sql").read_text()
        digest = hashlib.sha256(text.encode()).hexdigest()
        shown = tricky.replace(":actor.role", "$2").replace(":a", "$1")
        self.assertEqual(said, "plain 0 0\ninsert into t values (1)\n"
                               f"tricky 1 2 a actor.role\n{shown}\n1 first {digest}\n{text}\n")

    def test_missing_folders(self):
        self.assertEqual(self.run_main(), (0, ""))
        self.assertIn("appointments_statement_count = 0",
                      (self.out / "appointments_sql.c").read_text())
        self.assertIn("migration_count = 0", (self.out / "appointments_migrations.c").read_text())

    def test_unchanged_files_are_left_alone(self):
        self.put("sql/a.sql", "select 1")
        self.run_main()
        before = {p: p.stat().st_mtime_ns for p in self.out.iterdir()}
        self.run_main()
        self.assertEqual(before, {p: p.stat().st_mtime_ns for p in self.out.iterdir()})


if __name__ == "__main__":
    unittest.main()
