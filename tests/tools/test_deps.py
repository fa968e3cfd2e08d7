"""`make deps`: what it asks apt for, with an apt of the test's own."""

import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
LIST = os.path.join(ROOT, "tools/packages.txt")


def listed(*groups):
    """Entries of the list, without what follows the name."""
    with open(LIST, encoding="utf-8") as f:
        rows = [line.split() for line in f if line.strip() and not line.startswith("#")]
    return [row[0] for row in rows if not groups or row[1] in groups]


class Deps(unittest.TestCase):
    """Runs deps.sh with stand-ins for dpkg-query, apt-cache and apt-get in front of PATH."""

    def setUp(self):
        d = tempfile.TemporaryDirectory()
        self.addCleanup(d.cleanup)
        self.dir = d.name
        self.asked = os.path.join(self.dir, "asked")
        self.program("apt-cache", 'case "$2" in libclang-rt-dev) echo "  Candidate: (none)" ;;'
                                  ' *) echo "  Candidate: 1.0" ;; esac')
        self.program("apt-get", f'echo "$*" >>{self.asked}')
        self.installed([])

    def program(self, name, body):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"#!/bin/sh\n{body}\n")
        os.chmod(path, stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)

    def installed(self, names):
        names = list(names)
        rows = "".join(f"ii  {n}\\n" for n in names)
        rows += "" if "clang" in names else "rc  clang\\n"
        self.program("dpkg-query", f"printf '{rows}'")

    def deps(self, *groups):
        env = {**os.environ, "PATH": self.dir + ":" + os.environ["PATH"]}
        return subprocess.run([os.path.join(ROOT, "tools/deps.sh"), *groups], env=env,
                              capture_output=True, text=True, check=False)

    def test_nothing_is_missing(self):
        self.installed(name for e in listed() for name in e.split(":")[0].split("|"))
        began = time.monotonic()
        done = self.deps()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertLess(time.monotonic() - began, 1)
        self.assertFalse(os.path.exists(self.asked))

    def test_what_is_missing_is_asked_for_at_once(self):
        self.installed(["build-essential"])
        done = self.deps("build")
        wanted = " ".join(e.split(":")[0] for e in listed("build") if e != "build-essential"
                          and not (":" in e and shutil.which(e.split(":")[1])))
        if os.geteuid() == 0:
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(self.asked, encoding="utf-8") as f:
                self.assertEqual(f.read().splitlines(), [
                    "update -q", "install -y --no-install-recommends " + wanted])
        else:
            self.assertEqual(done.returncode, 1)
            self.assertEqual(done.stdout,
                             f"sudo apt-get install --no-install-recommends {wanted}\n")

    def test_alternatives_and_commands(self):
        self.program("node", "exit 0")
        done = self.deps("test")
        asked = done.stdout
        if os.path.exists(self.asked):
            with open(self.asked, encoding="utf-8") as f:
                asked = f.read()
        self.assertIn(" libclang-rt-14-dev", asked)
        self.assertNotIn(" libclang-rt-dev", asked)
        self.assertIn(" clang ", asked)  # removed, with its configuration left: not installed
        self.assertNotIn("nodejs", asked)

    def test_an_unknown_group(self):
        done = self.deps("biuld")
        self.assertEqual(done.returncode, 2)
        self.assertIn("unknown group biuld; there are: build run test media", done.stderr)

    def test_the_makefile_needs_no_other_libraries(self):
        with open(os.path.join(ROOT, "mk/deps.mk"), encoding="utf-8") as f:
            needed = set(re.findall(r"[\w.-]+:[\d.]+:([\w.-]+)", f.read()))
        self.assertGreater(len(needed), 5)
        self.assertLessEqual(needed, set(listed("build")))


if __name__ == "__main__":
    unittest.main()
