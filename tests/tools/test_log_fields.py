"""A field that is not in the list of lib/log.h does not compile, and nobody goes round the list."""

import re
import shlex
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEADER = (ROOT / "lib" / "log.h").read_text()
FIELDS = re.findall(r'^    X\(([A-Z_]+), "([a-z_]+)"\)', HEADER, re.M)
# Read before you add a field: it goes to whoever reads logs. Ids, codes, numbers, names of things
# of ours. Never what a person is called, how they are reached, what they have or what they said.
KNOWN = set("""address appointment_id attempt bytes clinic_id code count duration_us error
    event_type lateness_ms method name person_id port reason room route row_version sqlstate state
    statement status subject value""".split())
SOURCES = [*ROOT.glob("lib/*.c"), *ROOT.glob("services/*/*.c")]
TRY = '#include "lib/log.h"\nvoid f(const char *given) { %s; (void)given; }\n'


def compiles(statement):
    with tempfile.NamedTemporaryFile("w", suffix=".c") as file:
        file.write(TRY % statement)
        file.flush()
        words = shlex.split(f"gcc -std=gnu17 -Werror -fsyntax-only -I {ROOT} {file.name}")
        return subprocess.run(words, capture_output=True, check=False).returncode == 0


class Fields(unittest.TestCase):
    def test_the_list_is_the_one_that_was_looked_at(self):
        self.assertEqual(KNOWN, {key for _, key in FIELDS})
        self.assertEqual(len(FIELDS), HEADER.count("    X("))

    def test_another_field_does_not_compile(self):
        for good in ('tv_log_info("x", F_STR(ROOM, given))', 'tv_log_info("x")',
                     'tv_log_debug("x", F_INT(COUNT, 1), F_SLICE(CODE, tv_str(given)))'):
            self.assertTrue(compiles(good), good)
        for bad in ('tv_log_info("x", F_STR(EMAIL, given))', 'tv_log_info("x", F_INT(BIRTH, 1))',
                    'tv_log_info("x", F_STR("email", given))', 'tv_log_info("x", given)'):
            self.assertFalse(compiles(bad), bad)

    def test_a_message_is_constant(self):
        self.assertFalse(compiles("tv_log_info(given)"))
        self.assertFalse(compiles('tv_log_warn(given, F_INT(COUNT, 1))'))

    def test_nobody_goes_round_it(self):
        self.assertGreater(len(SOURCES), 60)
        for path in SOURCES:
            text = path.read_text()
            if path.name != "log.c":
                for word in ("struct tv_log_field", "tv_log_write(", "TV_FIELD_"):
                    self.assertNotIn(word, text, path)


if __name__ == "__main__":
    unittest.main()
