"""A backup is the database and nothing else: dumped while people use it, restored beside what has
happened since, and the clinic goes on from there. docs/BACKUP.md is this test in words."""

import datetime
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from rig import SERVICES, Rig, text_of, until  # pylint: disable=wrong-import-position
from sse import Reader  # pylint: disable=wrong-import-position

MINUTE, DAY = datetime.timedelta(minutes=1), datetime.timedelta(days=1)


def setUpModule():
    global rig
    rig = Rig()
    unittest.addModuleCleanup(rig.close)


def on_database(program, *arguments):
    """A program of PostgreSQL, run as an operator runs it."""
    url = Path(rig.info["databaseUrlFile"]).read_text().strip()
    done = subprocess.run([program, "-d", url, *arguments], capture_output=True, text=True,
                          check=False, timeout=60)
    assert done.returncode == 0, f"{program}: {done.stderr}"
    return done.stdout


class Restore(unittest.TestCase):
    def test_the_clinic_goes_on_from_the_backup(self):
        patient, doctor = rig.of_role("PATIENT"), rig.of_role("DOCTOR")
        staff = rig.of_role("STAFF")
        start = text_of(rig.now() + 25 * MINUTE)
        kept = self.booked(staff, doctor, patient, start)
        reader = Reader()
        self.addCleanup(reader.close)
        before = reader.open(patient, after=0)
        self.assertTrue(until(lambda: "call.available" in before.of(kept["id"])))

        with tempfile.TemporaryDirectory() as folder:
            dump = f"{folder}/televisit.dump"
            on_database("pg_dump", "--format=custom", "--file", dump)

            lost = self.booked(staff, doctor, patient, text_of(rig.now() + 2 * DAY))
            self.assertTrue(until(lambda: before.of(lost["id"])))
            newest = before.events[-1][0]

            rig.ctl("stop", *SERVICES)
            on_database("pg_restore", "--clean", "--if-exists", "--no-owner",
                        "--single-transaction", dump)
            rig.ctl("start", *SERVICES)
            rig.look_again()

        self.assertEqual(404, staff.ask("GET", f"/v1/appointments/{lost['id']}").status)
        self.assertEqual(200, patient.join(kept["id"], "PATIENT").status, "their call goes on")
        # Whoever knew more than the backup is told to read all again, not left to wait.
        after = reader.open(patient, last_event_id=newest)
        self.assertTrue(until(lambda: after.events))
        self.assertEqual("resync", after.events[0][1])
        # What was told before the backup is not told again; what comes is told once.
        again = self.booked(staff, doctor, patient, text_of(rig.now() + 3 * DAY))
        self.assertTrue(until(lambda: after.of(again["id"])))
        self.assertEqual([], after.of(kept["id"]))
        inbox = patient.ask("GET", "/v1/inbox?limit=500").json["entries"]
        self.assertEqual(list(range(1, len(inbox) + 1)), [int(e["seq"]) for e in inbox])
        types = [e["type"] for e in inbox if e["appointmentId"] == kept["id"]]
        self.assertEqual(1, types.count("call.available"), types)

    def booked(self, staff, doctor, patient, starts_at):
        answer = staff.book(doctor, starts_at, patientId=patient.id, confirmed=True, minutes=5)
        self.assertEqual(201, answer.status, answer)
        return answer.json


if __name__ == "__main__":
    unittest.main()
