"""Services as children of a test: it sees how they end, and may give them another environment."""

import http.client
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from rig import ROOT, until

sys.path.insert(0, str(ROOT / "tools"))
from stack import services  # pylint: disable=wrong-import-position
from stack.layout import Stack  # pylint: disable=wrong-import-position


def get(port, path):
    """Status and body; (0, why) when nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (OSError, http.client.HTTPException) as fault:
        return 0, str(fault)
    finally:
        connection.close()


class Child:
    """A service of the rig's stack, on ports of its own."""

    def __init__(self, rig, name, **environment):
        stack = Stack(rig.dir)
        self.log = Path(rig.dir) / "log" / f"own-{name}-{time.monotonic_ns()}.log"
        usual = services.environment(stack, name) | {
            "TELEVISIT_ADMIN_ADDRESS": "127.0.0.1:0", "TELEVISIT_HTTP_ADDRESS": "127.0.0.1:0"}
        if name != "gateway":
            del usual["TELEVISIT_HTTP_ADDRESS"]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(services.command(stack, name), stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, env=usual | environment)
        self.admin = self.port_of("admin port")

    def port_of(self, message):
        def look():
            for line in self.log.read_text().splitlines():
                if f'"{message}"' in line:
                    return json.loads(line)["port"]
            return None
        port = until(look)
        assert port, self.log.read_text()
        return port

    def readiness(self):
        return get(self.admin, "/readyz")

    def ready(self):
        return self.readiness()[0] == 200

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def exit_status(self):
        return self.process.wait(30)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def run(rig, name, *words, **environment):
    """A command of a service, as `appointments migrate`: (exit status, what it said)."""
    stack = Stack(rig.dir)
    done = subprocess.run([*services.command(stack, name), *words], text=True, timeout=60,
                          env=services.environment(stack, name) | environment, check=False,
                          stdin=subprocess.DEVNULL, capture_output=True)
    return done.returncode, done.stdout + done.stderr
