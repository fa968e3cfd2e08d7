"""The chart in a real Kubernetes: installed, tested, upgraded and rolled back under load, bereft of
pods and of a node, and removed. `make test-cluster` runs it in a cluster of its own."""

import http.client
import os
import signal
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
from kube import (Kubernetes, Refused, is_ready, memory_mb, processes_of, root_options, status_of,
                  tell, until)
from load import Load
from release import (DEPENDENCIES, NEXT_VERSION, SERVICES, SPARE, VERSION, Release,
                     visit_of_now)

REQUESTS = 60  # before and after what happens under load


def setUpModule():
    global kubernetes
    kubernetes = Kubernetes()
    kubernetes.kubectl("taint", "node", "node-2", f"{SPARE['key']}=:{SPARE['effect']}")
    unittest.addModuleCleanup(kubernetes.kubectl, "taint", "node", "node-2", f"{SPARE['key']}-")


def installed(case, namespace, helm="helm"):
    """A release that goes when the class is done, and what it leaves is a fault."""
    release = Release(kubernetes, namespace, helm)
    case.addClassCleanup(release.close)
    release.prepare()
    release.install(VERSION)
    return release


class WithHelm3(unittest.TestCase):
    def test_install_test_uninstall(self):
        release = installed(type(self), "with-helm-3", "helm3")
        release.admit_people()
        self.assertRegex(release.test(), r"(?m)Phase: +Succeeded")
        release.uninstall()
        self.check_nothing_is_left(release)

    def check_nothing_is_left(self, release):
        # The database's disk goes with its StatefulSet, a moment later.
        until(lambda: not release.leftovers())
        self.assertEqual([], release.leftovers())


class Chart(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.release = installed(cls, "televisit")
        cls.people = cls.release.admit_people()
        cls.visit_id = visit_of_now(*cls.people)
        cls.release.settle()
        cls.addClassCleanup(cls.removed)

    @classmethod
    def removed(cls):
        cls.release.uninstall()
        WithHelm3().check_nothing_is_left(cls.release)

    def tearDown(self):
        self.release.settle()

    def load(self):
        return Load(self.people, self.visit_id)

    def go_on(self, load, requests=REQUESTS):
        """Waits until so many more requests are answered."""
        done = load.done
        self.assertTrue(until(lambda: load.done >= done + requests), load)

    def check_load(self, what, load, may_fail=False):
        tell(f"{what}: {load}")
        for failure in load.failed[:5]:
            tell(f"  {failure}")
        for stream in load.streams:
            for failure in stream.failed[:3]:
                tell(f"  stream: {failure}")
        load.check_events(self)
        self.assertEqual({"me", "list", "join", "book"}, set(load.answers))
        if not may_fail:
            self.assertEqual([], load.failed[:3])
            self.assertEqual([], [f for stream in load.streams for f in stream.failed])

    # -- as it is installed ------------------------------------------------------------------------

    def test_helm_test(self):
        for _ in range(2):  # it can be run as often as one likes
            self.assertRegex(self.release.test(), r"(?m)Phase: +Succeeded")

    def test_pods_have_no_rights(self):
        pods = self.release.pods()
        for dependency in DEPENDENCIES:
            pods += kubernetes.items("pods", self.release.namespace,
                                     selector=f"app.kubernetes.io/component={dependency}")
        self.assertEqual(2 * len(SERVICES) + len(DEPENDENCIES), len(pods))
        for pod in pods:
            name = pod["metadata"]["name"]
            found = processes_of(pod)
            self.assertEqual(1, len(found), name)
            for pid in (pid for pids in found.values() for pid in pids):
                with self.subTest(pod=name, pid=pid):
                    status = status_of(pid)
                    self.assertEqual(["10001"] * 4, status["Uid"].split())
                    self.assertEqual(["10001"] * 4, status["Gid"].split())
                    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                        self.assertEqual(0, int(status[kind], 16), kind)
                    self.assertEqual("2", status["Seccomp"])
                    self.assertEqual("1", status["NoNewPrivs"])
                    self.assertIn("ro", root_options(pid))
            restarts = sum(c["restartCount"] for c in pod["status"]["containerStatuses"])
            memory = sum(memory_mb(pids) for pids in found.values())
            tell(f"{name}: {memory:.1f} MB, {restarts} restarts")

    def test_each_says_that_it_is_ready(self):
        for pod in self.release.pods():
            connection = http.client.HTTPConnection(pod["status"]["podIP"], 9090, timeout=10)
            try:
                for path in ("/livez", "/readyz", "/metrics"):
                    connection.request("GET", path)
                    answer = connection.getresponse()
                    answer.read()
                    self.assertEqual(200, answer.status, (pod["metadata"]["name"], path))
            finally:
                connection.close()

    def test_each_service_is_on_both_nodes(self):
        for name in SERVICES:
            nodes = {pod["spec"]["nodeName"] for pod in self.release.pods(name)}
            self.assertEqual({"node-1", "node-2"}, nodes, name)

    def test_the_namespace_refuses_more_rights(self):
        pod = {"metadata": {"name": "greedy"}, "spec": {"containers": [{
            "name": "greedy", "image": "localhost/televisit/pause:1",
            "securityContext": {"privileged": True}}]}}
        with self.assertRaises(Refused) as raised:
            kubernetes.ask("POST", f"/api/v1/namespaces/{self.release.namespace}/pods", pod)
        self.assertEqual(403, raised.exception.status)
        self.assertIn("PodSecurity", raised.exception.body)

    # -- change under load -------------------------------------------------------------------------

    def check_version(self, version):
        images = {c["image"].rpartition(":")[2] for pod in self.release.pods()
                  for c in pod["spec"]["containers"]}
        self.assertEqual({version}, images)
        self.assertRegex(self.release.appointments("--version"), rf"(?m)\b{version}$")

    def test_upgrade_and_rollback_cost_nobody_anything(self):
        for what, step, version in (
                ("upgrade under load", lambda: self.release.upgrade(NEXT_VERSION), NEXT_VERSION),
                ("rollback under load", self.release.rollback, VERSION)):
            with self.subTest(what):
                with self.load() as load:
                    self.go_on(load)
                    step()
                    self.release.settle()
                    self.go_on(load)
                self.check_version(version)
                self.check_load(what, load)
                for stream in load.streams:
                    self.assertGreater(stream.resumed, 0, "its gateway has gone")

    # -- faults ------------------------------------------------------------------------------------

    def test_a_killed_process_comes_back(self):
        for name in SERVICES:
            with self.subTest(name):
                pod = self.release.pods(name)[0]
                uid = pod["metadata"]["uid"]
                begin = time.monotonic()
                with self.load() as load:
                    self.go_on(load)
                    for pids in processes_of(pod).values():
                        os.kill(pids[0], signal.SIGKILL)
                    self.assertTrue(until(lambda u=uid, n=name: self.restarted(u, n)))
                    back = time.monotonic() - begin
                    self.release.settle()
                    before = len(load.failed)
                    self.go_on(load)
                    self.assertEqual(before, len(load.failed), "nothing fails any more")
                self.check_load(f"kill -9 of a {name}, ready again after {back:.1f} s", load, True)

    def restarted(self, uid, name):
        return any(pod["metadata"]["uid"] == uid and is_ready(pod)
                   and pod["status"]["containerStatuses"][0]["restartCount"] > 0
                   for pod in self.release.pods(name))

    def test_a_pod_that_is_gone_is_replaced(self):
        for name in SERVICES:
            with self.subTest(name):
                with self.load() as load:
                    self.go_on(load)
                    pod = self.release.pods(name)[0]["metadata"]["name"]
                    self.release.kubectl("delete", "pod", pod, "--force", "--grace-period=0")
                    self.release.settle()
                    before = len(load.failed)
                    self.go_on(load)
                    self.assertEqual(before, len(load.failed), "nothing fails any more")
                self.check_load(f"a {name} deleted by force", load, True)

    # -- maintenance -------------------------------------------------------------------------------

    def test_disruption_budgets_are_kept(self):
        for name in SERVICES:
            with self.subTest(name):
                first, second = self.release.pods(name)
                self.assertEqual(201, kubernetes.evict(first))
                self.assertEqual(429, kubernetes.evict(second), "one may be away, not two")
                self.release.settle()

    def test_a_node_is_drained(self):
        begin = time.monotonic()
        try:
            with self.load() as load:
                self.go_on(load)
                self.release.kubectl("drain", "node-2", "--ignore-daemonsets",
                                     "--delete-emptydir-data", "--timeout=180s")
                self.release.settle()
                tell("drained, and all pods ready on the other node", begin)
                self.assertEqual({"node-1"}, {pod["spec"]["nodeName"]
                                              for pod in self.release.pods()})
                self.go_on(load)
            self.check_load("drain under load", load)
        finally:
            self.release.kubectl("uncordon", "node-2")
        # Nothing moves back by itself; a restart spreads them again: a change under load, too.
        with self.load() as load:
            self.release.kubectl("rollout", "restart", *(
                f"deployment/{self.release.name}-{name}" for name in SERVICES))
            for name in SERVICES:
                self.release.kubectl("rollout", "status", "--timeout=180s",
                                     f"deployment/{self.release.name}-{name}")
            self.release.settle()
            self.go_on(load)
        self.check_load("restart under load", load)
        for name in SERVICES:
            nodes = {pod["spec"]["nodeName"] for pod in self.release.pods(name)}
            self.assertEqual({"node-1", "node-2"}, nodes, name)


if __name__ == "__main__":
    unittest.main()
