"""The cluster of the tests itself: it says what it needs, and it leaves nothing behind."""

import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
sys.path.insert(0, str(ROOT / "tests" / "harness"))
# pylint: disable=wrong-import-position
from cluster.layout import Cluster
from until import until

TOOL = ROOT / "tools" / "cluster" / "cluster"
KERNEL = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops")


def processes_that_name(directory):
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(directory).encode() in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:  # gone
            continue
    return found


def kernel():
    return [(Path("/proc/sys") / name).read_text() for name in KERNEL]


class OnThisMachine(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="televisit-cluster-")
        self.addCleanup(folder.cleanup)
        self.dir = Path(folder.name) / "cluster"
        self.addCleanup(self.tool, "down")

    def tool(self, *words, **more):
        return subprocess.run([TOOL, "--dir", self.dir, *words], capture_output=True, text=True,
                              check=False, timeout=300, **more)

    def test_without_root_it_says_so(self):
        done = self.tool("up", user=65534, group=65534, extra_groups=[])
        self.assertEqual(1, done.returncode)
        self.assertIn("run it as root", done.stderr)

    def test_what_a_killed_run_left_goes(self):
        before = kernel()
        cluster = Cluster(self.dir)
        with subprocess.Popen([TOOL, "--dir", self.dir, "up"], stdout=subprocess.DEVNULL) as up:
            deadline = time.monotonic() + 120
            while not (self.dir / "node-2" / "kubelet").exists():  # pods could run from now on
                self.assertIsNone(up.poll())
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.02)
            up.kill()
        self.assertEqual({"node-1", "node-2"}, set(cluster.inits()))
        self.assertEqual(0, self.tool("down").returncode)
        # What `up` itself had started ends with it, which takes the kernel a moment.
        until(lambda: not processes_that_name(self.dir), 20)
        self.assertEqual([], processes_that_name(self.dir))
        self.assertEqual([], list(Path("/sys/fs/cgroup").glob(f"**/{cluster.group}")))
        self.assertEqual(before, kernel())
        self.assertFalse(self.dir.exists())
        self.assertFalse(os.path.exists("/var/lib/cni") and not os.listdir("/var/lib/cni"))

    def test_without_a_cluster_commands_say_so(self):
        for words in (("status",), ("kubectl", "get", "pods"), ("enter", "true")):
            done = self.tool(*words)
            self.assertEqual(1, done.returncode, words)
            self.assertIn("cluster up", done.stdout + done.stderr)
        self.assertEqual(0, self.tool("down").returncode, "there is nothing to do")


if __name__ == "__main__":
    unittest.main()
