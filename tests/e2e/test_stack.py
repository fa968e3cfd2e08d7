"""The stack itself: parts start, are watched, die and end as tools/stack promises.

Each test has a stack of its own on free ports. Most do without our services, so that they tell of
the stack alone: PostgreSQL, NATS and LiveKit are parts like any other.
"""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STACKCTL = str(ROOT / "tools" / "stackctl")
STORES = ("postgres", "nats", "livekit")
WAIT_S = 60


class StackTest(unittest.TestCase):
    def setUp(self):
        self.dir = Path(tempfile.mkdtemp(prefix="televisit-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.addCleanup(self.ctl, "reset")

    def ctl(self, *words, status=None, environment=None):
        """Runs stackctl; gives what it wrote, and fails unless it ends with `status`."""
        done = subprocess.run([STACKCTL, "--dir", str(self.dir), *words], text=True,
                              capture_output=True, check=False, timeout=WAIT_S,
                              env=os.environ | (environment or {}))
        if status is not None:
            self.assertEqual(status, done.returncode, done.stdout + done.stderr)
        return done.stdout if done.returncode == 0 else done.stderr

    def up(self, *parts, **more):
        return self.ctl("up", "--detach", "--ports", "free", "--no-seed", *parts, status=0, **more)

    def parts(self):
        return json.loads(self.ctl("info", status=0))["parts"]

    def wait(self, what, condition):
        deadline = time.monotonic() + WAIT_S
        while not condition():
            if time.monotonic() > deadline:
                self.fail(f"not within {WAIT_S} s: {what}")
            time.sleep(0.05)

    def foreground(self, *parts):
        """`stack up` as a person runs it, up to the point where the logs follow."""
        log = open(self.dir.with_suffix(".out"), "w+b")
        self.addCleanup(os.unlink, log.name)
        self.addCleanup(log.close)
        program = subprocess.Popen([STACKCTL, "--dir", str(self.dir), "up", "--ports", "free",
                                    "--no-seed", *parts], stdout=log, stderr=log,
                                   preexec_fn=hear_ctrl_c)
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)

        def text():
            return Path(log.name).read_text()

        self.wait("the logs follow", lambda: "the logs follow" in text() or program.poll())
        self.assertIsNone(program.poll(), text())
        return program, text


def hear_ctrl_c():
    """Who was started in the background of a shell ignores Ctrl-C, and so do its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class Lifecycle(StackTest):
    def test_up_down_up(self):
        self.up(*STORES)
        first = self.parts()
        self.assertEqual(["ready"] * 3, [first[name]["state"] for name in STORES])
        self.assertIn("ended: livekit, nats, postgres", self.ctl("down", status=0))
        for name in STORES:
            self.assertFalse(is_alive(first[name]["pid"]), name)
        self.assertIn("nothing was running", self.ctl("down", status=0))

        ports = (self.dir / "ports.json").read_text()
        secret = (self.dir / "secrets" / "livekit-secret").read_text()
        begin = time.monotonic()
        self.up(*STORES)
        self.assertLess(time.monotonic() - begin, 5, "a second start is quick")
        self.assertEqual(ports, (self.dir / "ports.json").read_text())
        self.assertEqual(secret, (self.dir / "secrets" / "livekit-secret").read_text())

    def test_up_twice_leaves_what_runs(self):
        self.up("nats")
        pid = self.parts()["nats"]["pid"]
        self.assertIn("up already", self.up("nats"))
        self.assertEqual(pid, self.parts()["nats"]["pid"])
        self.up("nats", "livekit")
        self.assertEqual(pid, self.parts()["nats"]["pid"])

    def test_two_stacks_at_once(self):
        other = Path(tempfile.mkdtemp(prefix="televisit-"))
        self.addCleanup(shutil.rmtree, other, ignore_errors=True)
        self.addCleanup(self.ctl, "reset", "--dir", str(other))
        self.up("nats", "postgres")
        self.ctl("up", "--dir", str(other), "--detach", "--ports", "free", "nats", "postgres",
                 status=0)
        self.assertEqual("ready", self.parts()["nats"]["state"])
        self.ctl("reset", "--dir", str(other), status=0)
        self.assertFalse(other.exists())
        self.assertEqual("ready", self.parts()["postgres"]["state"])

    def test_reset_clears_only_a_stack(self):
        (self.dir / "mine").write_text("keep")
        self.assertIn("there is no stack", self.ctl("reset", status=0))
        self.assertTrue((self.dir / "mine").exists())

    def test_secrets_are_private(self):
        self.up(*STORES)
        self.assertEqual(0o700, (self.dir / "secrets").stat().st_mode & 0o777)
        secrets = list((self.dir / "secrets").iterdir())
        self.assertGreater(len(secrets), 3)
        told = self.ctl("info", status=0)
        password = (self.dir / "secrets" / "demo-password").read_text().strip()
        for path in secrets + [self.dir / "nats.conf", self.dir / "livekit.yaml"]:
            self.assertEqual(0o600, path.stat().st_mode & 0o777, path)
        for path in secrets:
            if path.name not in ("livekit-key", "demo-password"):
                self.assertNotIn(path.read_text().strip(), told, path)
        self.assertIn(password, told)  # people need it, and it opens loopback only


class Isolation(StackTest):
    def test_only_loopback_listens(self):
        self.up(*STORES)
        pids = {str(self.parts()[name]["pid"]) for name in STORES}
        inodes = set()
        for pid in pids:
            for fd in Path(f"/proc/{pid}/fd").iterdir():
                inodes.add(os.readlink(fd).partition("[")[2].rstrip("]"))
        seen = []
        for table in ("tcp", "tcp6", "udp", "udp6"):
            for row in Path("/proc/net", table).read_text().splitlines()[1:]:
                field = row.split()
                remote_is_none = field[2].rsplit(":", 1)[1] == "0000"
                if field[9] in inodes and remote_is_none:
                    seen.append((table, field[1]))
        self.assertGreaterEqual(len(seen), 5)
        for table, address in seen:
            self.assertTrue(address.startswith("0100007F:"), f"{table} {address}")

    def test_database_and_nats_ask_for_passwords(self):
        self.up("postgres", "nats")
        info = json.loads(self.ctl("info", status=0))
        url = Path(info["databaseUrlFile"]).read_text().strip()
        right = subprocess.run(["psql", "-XAtc", "SHOW fsync", url], text=True,
                               capture_output=True, check=False)
        self.assertEqual("on\n", right.stdout, right.stderr)
        scheme, _, rest = url.partition("://")
        user, _, place = rest.partition("@")
        wrong = f"{scheme}://{user.partition(':')[0]}:wrong@{place}"
        refused = subprocess.run(["psql", "-XAtc", "SELECT 1", wrong], text=True,
                                 capture_output=True, check=False)
        self.assertIn("password authentication failed", refused.stderr)

        self.assertEqual("tls", info["natsUrl"].partition("://")[0])
        self.assertIn(b"Authorization Violation", self.say_to_nats(info))

    @staticmethod
    def say_to_nats(info):
        """What it answers to somebody without a key."""
        host, _, port = info["natsUrl"].partition("://")[2].partition(":")
        trust = ssl.create_default_context(cafile=info["natsCaFile"])
        with socket.create_connection((host, int(port)), timeout=5) as plain:
            plain.recv(4096)  # INFO
            with trust.wrap_socket(plain, server_hostname=host) as nats:
                nats.sendall(b'CONNECT {"verbose":false}\r\nPING\r\n')
                answer = b""
                while b"-ERR" not in answer and (more := nats.recv(4096)):
                    answer += more
        return answer

    def test_a_stack_of_an_earlier_version_starts(self):
        """Its NATS had users with passwords, and no TLS."""
        self.up("nats")
        self.ctl("down", status=0)
        for file in [*(self.dir / "secrets").glob("nats-*"), *(self.dir / "secrets").glob("*.crt"),
                     self.dir / "nats-accounts.conf", self.dir / "nats-keys.conf"]:
            file.unlink()
        (self.dir / "secrets" / "nats-gateway").write_text("a password\n")
        (self.dir / "nats-users.conf").write_text("authorization: {}\n")
        self.up("nats")
        info = json.loads(self.ctl("info", status=0))
        self.assertIn(b"Authorization Violation", self.say_to_nats(info))


class Faults(StackTest):
    def test_a_killed_part_starts_again(self):
        self.up("postgres", "nats")
        for name in ("postgres", "nats"):
            before = self.parts()[name]["pid"]
            self.ctl("kill", name, "-9", status=0)
            self.assertFalse(is_alive(before))
            self.assertEqual("down", self.parts()[name]["state"])
            self.ctl("start", name, status=0)
            self.assertEqual("ready", self.parts()[name]["state"])

    def test_a_stopped_part_can_be_ended(self):
        self.up("nats")
        pid = self.parts()["nats"]["pid"]
        self.ctl("kill", "nats", "STOP", status=0)
        self.assertEqual("not ready", self.parts()["nats"]["state"])
        self.ctl("stop", "nats", status=0)
        self.assertFalse(is_alive(pid))

    def test_a_fallen_part_is_told(self):
        self.up("nats")
        os.kill(self.parts()["nats"]["pid"], signal.SIGKILL)
        self.wait("it is gone", lambda: self.parts()["nats"]["state"] == "fallen")
        self.ctl("status", status=1)

    def test_a_taken_port_is_named(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            told = self.ctl("up", "--detach", "livekit", status=1,
                            environment={"LIVEKIT_PORT": str(port)})
        self.assertEqual(1, told.count("\n"), told)
        self.assertIn(f"port {port} (livekit) is taken by python3 (pid {os.getpid()})", told)
        self.assertIn("LIVEKIT_PORT=", told)

    def test_a_port_of_our_own_choice_is_chosen_again(self):
        self.up("nats")
        self.ctl("down", status=0)
        port = json.loads((self.dir / "ports.json").read_text())["nats"]
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", port))
            taken.listen()
            self.up("nats")
            self.assertNotEqual(port, json.loads((self.dir / "ports.json").read_text())["nats"])

    def test_livekit_knows_the_gateway_before_it_starts(self):
        def told():
            return (self.dir / "livekit.yaml").read_text()

        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            # Somebody else has the port: a matter of the gateway's, which is not asked for.
            self.up("livekit", environment={"GATEWAY_PORT": str(port)})
            self.assertIn(f"http://127.0.0.1:{port}/v1/livekit/webhook", told())
            self.ctl("kill", "livekit", "-9", status=0)
            self.ctl("start", "livekit", status=0)
            self.assertIn(f"http://127.0.0.1:{port}/v1/livekit/webhook", told())
            self.assertEqual("ready", self.parts()["livekit"]["state"])
            self.ctl("stop", "livekit", status=0)
            # From run to run a port that was chosen here may change, and LiveKit learns it.
            self.up("livekit")
            chosen = json.loads((self.dir / "ports.json").read_text())["gateway"]
            self.assertNotEqual(port, chosen)
            self.assertIn(f"http://127.0.0.1:{chosen}/v1/livekit/webhook", told())

    def test_wrong_words(self):
        for words, told in (
                (("up", "--detach", "nonsense"), "there is no part 'nonsense'"),
                (("up", "--detach", "nats-2"), "there is no part 'nats-2'"),
                (("up", "--detach", "notifier-0"), "there is no part 'notifier-0'"),
                (("status",), "there is no stack"),
                (("start", "nats"), "there is no stack")):
            with self.subTest(words=words):
                self.assertIn(told, self.ctl(*words, status=1))

    def test_a_bad_port(self):
        told = self.ctl("up", "--detach", "nats", status=1, environment={"NATS_PORT": "80x"})
        self.assertIn("NATS_PORT is a port from 1 to 65535, not '80x'", told)


class Foreground(StackTest):
    def test_ctrl_c_ends_everything(self):
        program, text = self.foreground(*STORES)
        pids = [self.parts()[name]["pid"] for name in STORES]
        program.send_signal(signal.SIGINT)
        self.assertEqual(0, program.wait(WAIT_S), text())
        self.assertEqual([], [pid for pid in pids if is_alive(pid)])

    def test_a_death_is_told_and_ends_the_stack(self):
        program, text = self.foreground("nats", "livekit")
        parts = self.parts()
        os.kill(parts["nats"]["pid"], signal.SIGKILL)
        self.assertEqual(1, program.wait(WAIT_S))
        self.assertIn("nats was ended by SIGKILL", text())
        self.assertFalse(is_alive(parts["livekit"]["pid"]))

    def test_a_death_on_purpose_is_no_news(self):
        program, text = self.foreground("nats", "livekit")
        self.ctl("kill", "nats", status=0)
        self.ctl("start", "nats", status=0)
        restarted = self.parts()["nats"]["pid"]
        self.assertIsNone(program.poll(), text())
        program.send_signal(signal.SIGTERM)
        self.assertEqual(0, program.wait(WAIT_S), text())
        self.assertFalse(is_alive(restarted))

    def test_nothing_outlives_a_killed_stack(self):
        program, _ = self.foreground(*STORES)
        pids = [self.parts()[name]["pid"] for name in STORES]
        program.kill()
        program.wait()
        self.wait("all parts are gone", lambda: not any(is_alive(pid) for pid in pids))

    def test_the_logs_of_all_parts_follow(self):
        program, text = self.foreground("nats", "livekit")
        self.ctl("kill", "nats", status=0)
        self.ctl("start", "nats", status=0)
        self.wait("a line of NATS", lambda: "nats         | " in text())
        self.assertIsNone(program.poll())


class Services(StackTest):
    """The whole of it, with the demo clinic."""

    def up_all(self, *more):
        variant = os.environ.get("VARIANT", "release")
        # No limits: many log in at once from one address.
        self.ctl("up", "--detach", "--ports", "free", "--variant", variant,
                 "--set", "gateway:TELEVISIT_RATE_PERCENT=0", *more, status=0)
        return json.loads(self.ctl("info", status=0))

    def log_in(self, info, email):
        demo = info["demo"]
        body = {"clinic": demo["clinic"], "email": email, "password": demo["password"]}
        request = urllib.request.Request(
            info["parts"]["gateway"]["url"] + "/v1/session", json.dumps(body).encode(),
            {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=15) as answer:
            return json.load(answer)["person"]

    def test_the_demo_clinic_stays(self):
        info = self.up_all()
        for person in info["demo"]["people"]:
            self.assertEqual(person["name"], self.log_in(info, person["email"])["displayName"])
        before = self.log_in(info, "ada@demo.example")["id"]
        self.ctl("down", status=0)
        begin = time.monotonic()
        info = self.up_all()
        self.assertLess(time.monotonic() - begin, 5, "a second start is quick")
        self.assertEqual(before, self.log_in(info, "ada@demo.example")["id"])
        self.assertEqual("no promise is broken\n", self.ctl("faults", status=0))

    def sql(self, info, text):
        url = Path(info["databaseUrlFile"]).read_text().strip()
        return subprocess.run(["psql", "-XAt", "-v", "ON_ERROR_STOP=1", url], input=text,
                              text=True, check=True, capture_output=True).stdout.strip()

    def test_a_clinic_with_visits(self):
        """In the last hour of a Saturday, on a clock that was moved before."""
        info = self.up_all("--no-seed")
        self.ctl("clock", "2026-11-28T22:40:00Z", status=0)
        self.ctl("stop", "gateway", status=0)
        info = self.up_all("--with-visits")
        now = json.loads(self.ctl("clock", "--json", status=0))["now"]
        self.assertEqual("2026-11-28T22:4", now[:15], "the clock goes on as before")

        visits = """
            SELECT a.status, a.starts_at < clock.now, a.opens_at <= clock.now, count(*)
            FROM tv.appointment a CROSS JOIN (SELECT tv.tv_now() AS now) clock
            GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"""
        expected = ["COMPLETED|t|t|1", "CONFIRMED|f|f|6", "CONFIRMED|f|t|1", "REQUESTED|f|f|1"]
        self.assertEqual(expected, self.sql(info, visits).splitlines())
        self.assertEqual("Dr. Ada Lindqvist with Pia Sommer", self.sql(info, """
            SELECT d.display_name || ' with ' || p.display_name
            FROM tv.appointment a
            JOIN tv.person d ON d.id = a.doctor_id
            JOIN tv.person p ON p.id = a.patient_id
            WHERE a.status = 'CONFIRMED' AND a.opens_at <= tv.tv_now()"""), "is open")
        self.assertEqual("ar America/New_York", self.sql(info, """
            SELECT max(language) FILTER (WHERE email LIKE 'layla@%') || ' ' ||
                max(time_zone) FILTER (WHERE email LIKE 'grace@%') FROM tv.person"""))
        self.assertEqual("no promise is broken\n", self.ctl("faults", status=0))

        self.ctl("down", status=0)
        self.up_all("--with-visits")
        self.assertEqual(expected, self.sql(info, visits).splitlines(), "once is enough")

    def test_visits_that_have_gone_by_are_booked_anew(self):
        self.up_all()
        self.assertNotIn("visits", self.ctl("seed", status=0))
        self.ctl("clock", "+PT4H", status=0)
        self.assertEqual(2, self.ctl("seed", status=0).count(" visits "))
        self.assertNotIn("visits", self.ctl("seed", status=0))
        self.ctl("stop", "gateway", status=0)
        self.assertIn("gateway does not run", self.ctl("seed", status=1))

    def test_parts_come_and_go(self):
        info = self.up_all()
        self.ctl("start", "notifier-2", "gateway-2", status=0)
        parts = self.parts()
        second = parts["gateway-2"]["url"]
        self.assertNotEqual(info["parts"]["gateway"]["url"], second)
        with urllib.request.urlopen(second + "/healthz", timeout=15) as answer:
            self.assertEqual(200, answer.status)
        self.ctl("stop", "gateway-2", "notifier-2", status=0)
        self.assertFalse(is_alive(parts["gateway-2"]["pid"]))
        self.assertFalse(is_alive(parts["notifier-2"]["pid"]))
        self.ctl("kill", "postgres", status=0)
        self.wait("appointments miss the database",
                  lambda: self.parts()["appointments"]["state"] == "not ready")
        self.ctl("start", "postgres", status=0)
        self.wait("appointments are ready again",
                  lambda: self.parts()["appointments"]["state"] == "ready")

    def test_the_clock_moves(self):
        self.up_all()

        def offset(*shift):
            return json.loads(self.ctl("clock", *shift, "--json", status=0))["offsetMs"]

        self.assertEqual(0, offset())
        self.assertEqual(3_600_000, offset("+PT1H"))
        self.assertEqual(3_570_000, offset("-PT30S"))
        self.assertEqual(3_570_500, offset("PT0.5S"))
        told = json.loads(self.ctl("clock", "2030-05-01T10:00:00+02:00", "--json", status=0))
        self.assertRegex(told["now"], r"^2030-05-01T08:00:0\d")
        self.assertEqual(0, offset("reset"))
        for wrong in ("P", "+PT", "tomorrow", "PT1H'; DROP SCHEMA tv; --"):
            self.assertIn("no way to move the clock", self.ctl("clock", wrong, status=1))


if __name__ == "__main__":
    unittest.main()
