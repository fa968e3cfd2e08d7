"""Schema and programs of different ages: who comes first waits, a newer schema is worked on, and a
database that is taken away and restored is found again."""

import datetime
import hashlib
import subprocess
import sys
import threading
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from children import Child, get, run  # pylint: disable=wrong-import-position
from rig import ROOT, Rig, at_once, text_of, until  # pylint: disable=wrong-import-position

sys.path.insert(0, str(ROOT / "tools"))
from stack import postgres  # pylint: disable=wrong-import-position
from stack.layout import Stack  # pylint: disable=wrong-import-position

STEPS = sorted((ROOT / "services/appointments/migrations").glob("*.sql"))
SOON_S = 10
MINUTE, DAY = datetime.timedelta(minutes=1), datetime.timedelta(days=1)

# What a next release may do: add, loosen, replace a function by one that is used alike. It has work
# of kinds that the programs of now do not know.
NEXT_STEP = """
ALTER TABLE tv.appointment
    ADD COLUMN triage text,
    ADD COLUMN priority integer NOT NULL DEFAULT 0;
ALTER TABLE tv.participant ADD COLUMN note_read_at timestamptz;
CREATE TABLE tv.survey (
    clinic_id uuid NOT NULL, appointment_id uuid NOT NULL, answer text NOT NULL DEFAULT '',
    PRIMARY KEY (clinic_id, appointment_id),
    FOREIGN KEY (clinic_id, appointment_id) REFERENCES tv.appointment (clinic_id, id)
);
CREATE INDEX appointment_priority ON tv.appointment (priority) WHERE priority > 0;
CREATE OR REPLACE FUNCTION tv.room_name(appointment uuid, generation integer) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$ BEGIN
        RETURN 'room_' || appointment || CASE WHEN generation > 1 THEN '.' || generation ELSE ''
            END;
    END $$;
ALTER TABLE tv.due DROP CONSTRAINT due_kind_check,
    ADD CHECK (kind IN ('call_available', 'reminder', 'call_closing', 'window_closed', 'survey'));
"""


def setUpModule():
    global rig
    rig = Rig()
    unittest.addModuleCleanup(rig.close)
    unittest.addModuleCleanup(rig.ctl, "faults")


def psql(url, text, *options):
    return subprocess.run(["psql", url, "-v", "ON_ERROR_STOP=1", "-qAt", *options], input=text,
                          text=True, check=True, capture_output=True).stdout.strip()


def database_url():
    return Path(rig.info["databaseUrlFile"]).read_text().strip()


def apply_step(url, number, name, text):
    """As `appointments migrate` does it, which here would need another program."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    psql(url, f"BEGIN; {text}\n;"
              "CREATE TABLE IF NOT EXISTS tv.schema_migration (number int PRIMARY KEY,"
              " name text NOT NULL, sha256 text NOT NULL,"
              " applied_at timestamptz NOT NULL DEFAULT now());"
              f"INSERT INTO tv.schema_migration VALUES ({number}, '{name}', '{digest}'); COMMIT")


class Asking:
    """People who go on asking; `failed` has the answers that were no success."""

    def __init__(self, *questions):
        self.count, self.failed, self._over = 0, [], False
        self._threads = [threading.Thread(target=self._run, args=(q,)) for q in questions]

    def _run(self, question):
        while not self._over:
            answer = question()
            self.count += 1
            if answer.status not in (200, 201):
                self.failed.append(answer)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over = True
        for thread in self._threads:
            thread.join()


class Schema(unittest.TestCase):
    """An appointments of its own, on another database of the same server."""

    def setUp(self):
        stack = Stack(rig.dir)
        name = f"other_{self.id().rpartition('.')[2]}"
        server, _, options = database_url().rpartition("?")
        server = server.rpartition("/")[0]
        admin = f"{server}/postgres?{options}".replace(
            f"{postgres.ROLE}:", f"{postgres.SUPERUSER}:").replace(
            stack.vault.text(f"postgres-{postgres.ROLE}"),
            stack.vault.text(f"postgres-{postgres.SUPERUSER}"))
        psql(admin, f"CREATE DATABASE {name} OWNER {postgres.ROLE}")
        self.addCleanup(psql, admin, f"DROP DATABASE {name} WITH (FORCE)")
        self.url = f"{server}/{name}?{options}"
        self.file = Path(rig.dir) / name
        self.file.write_text(self.url + "\n")

    def start(self):
        child = Child(rig, "appointments", DATABASE_URL_FILE=str(self.file))
        self.addCleanup(child.close)
        return child

    def migrate(self, *words):
        return run(rig, "appointments", "migrate", *words, DATABASE_URL_FILE=str(self.file))

    def assert_waits(self, child, line):
        self.assertTrue(until(lambda: line in child.readiness()[1], SOON_S), child.readiness())
        self.assertEqual(503, child.readiness()[0])
        self.assertEqual(200, get(child.admin, "/livez")[0])
        self.assertIn("postgres ok", child.readiness()[1])
        self.assertIsNone(child.process.poll())

    def test_it_waits_for_its_schema(self):
        count = len(STEPS)
        child = self.start()
        self.assert_waits(child, f"schema: has version 0, needs {count}; run appointments migrate")
        for number, path in enumerate(STEPS[:-1], 1):
            apply_step(self.url, number, path.stem.partition("_")[2], path.read_text())
        self.assert_waits(child, f"schema: has version {count - 1}, needs {count}; "
                                 "run appointments migrate")
        status, said = self.migrate()
        self.assertEqual((0, 1), (status, said.count("applied ")), said)
        self.assertTrue(until(child.ready, SOON_S), child.readiness())
        self.assertIn("schema ok", child.readiness()[1])
        log = child.log.read_text()
        self.assertEqual(1, log.count('"starting"'))
        self.assertLessEqual(log.count("waiting for the schema"), count, "said once, not again")
        child.terminate()
        self.assertEqual(0, child.exit_status())

    def test_who_waits_can_be_stopped(self):
        child = self.start()
        self.assert_waits(child, "schema: has version 0")
        child.terminate()
        self.assertEqual(0, child.exit_status())

    def test_migrate_is_for_everybody_at_once(self):
        results = at_once(4, lambda _: self.migrate())
        self.assertEqual([0] * 4, [status for status, _ in results], results)
        said = "".join(text for _, text in results)
        self.assertEqual((len(STEPS), 3), (said.count("applied "), said.count("nothing to do")))
        self.assertEqual((0, "nothing to do\n"), self.migrate())
        self.assertEqual(str(len(STEPS)), psql(
            self.url, "SELECT count(*) FROM tv.schema_migration"))

    def test_a_step_that_was_changed_is_refused(self):
        self.assertEqual(0, self.migrate()[0])
        psql(self.url, "UPDATE tv.schema_migration SET sha256 = 'other' WHERE number = 3")
        status, said = self.migrate()
        self.assertEqual(1, status)
        self.assertIn(f"{STEPS[2].name} was changed after it was applied", said)
        self.assert_waits(self.start(), f"schema: {STEPS[2].name} was changed after it was applied")


class Upgrade(unittest.TestCase):
    """On the rig's own database, whose services are at work all the time."""

    def setUp(self):
        self.staff = rig.of_role("STAFF")
        (self.doctor,), (self.patient,) = (rig.add_people(role, 1)
                                           for role in ("DOCTOR", "PATIENT"))
        for person in (self.staff, self.doctor, self.patient):
            self.assertTrue(person.session)
        self.booked = 0

    def book(self):
        """Another visit of the day after tomorrow."""
        self.booked += 1
        return self.staff.book(self.doctor, text_of(rig_now + 2 * DAY + self.booked * MINUTE),
                               patientId=self.patient.id, minutes=1)

    def do_the_main_job(self):
        (doctor,), (patient,) = (rig.add_people(role, 1) for role in ("DOCTOR", "PATIENT"))
        visit = self.staff.book(doctor, text_of(rig.now() + 20 * MINUTE), patientId=patient.id,
                                minutes=5)
        self.assertEqual(201, visit.status, visit)
        confirmed = doctor.change(visit.json, "confirm")
        self.assertEqual(200, confirmed.status, confirmed)
        self.assertTrue(until(lambda: "call.available" in [
            entry["type"] for entry in patient.ask("GET", "/v1/inbox").json["entries"]], SOON_S))
        for person, kind in ((patient, "PATIENT"), (doctor, "DOCTOR")):
            joined = person.join(visit.json["id"], kind)
            self.assertEqual(200, joined.status, joined)
        ended = doctor.change(confirmed.json, "complete")
        self.assertEqual(200, ended.status, ended)
        return visit.json

    def test_the_release_before_on_a_newer_schema(self):
        global rig_now
        rig_now = rig.now()
        with Asking(self.book, lambda: self.patient.ask("GET", "/v1/appointments"),
                    lambda: self.patient.ask("GET", "/v1/inbox")) as asking:
            self.assertTrue(until(lambda: asking.count > 20))
            apply_step(database_url(), len(STEPS) + 1, "next", NEXT_STEP)
            before = asking.count
            self.assertTrue(until(lambda: asking.count > before + 60))
        self.assertEqual([], asking.failed[:3])
        self.assertEqual(200, rig.visit("/readyz", "appointments").status)
        visit = self.do_the_main_job()  # by those that were there before the step
        rig.sql("INSERT INTO tv.due (clinic_id, appointment_id, version, kind, due_at, expires_at)"
                " SELECT clinic_id, id, version, 'survey', tv.tv_now(), 'infinity'"
                f" FROM tv.appointment WHERE id = '{visit['id']}';"
                "INSERT INTO tv.job (clinic_id, kind, appointment_id, key, run_at, created_at)"
                " SELECT clinic_id, 'mail', id, 'x', tv.tv_now(), tv.tv_now()"
                f" FROM tv.appointment WHERE id = '{visit['id']}'")
        rig.ctl("stop", "appointments", "notifier")  # and back to them, as after a rollback
        rig.ctl("start", "appointments", "notifier")
        rig.look_again()
        status, said = run(rig, "appointments", "migrate")
        self.assertEqual(0, status, said)
        self.assertIn("the database is ahead of this program; it is left as it is", said)
        self.do_the_main_job()
        # What it does not know it left alone, and shows.
        for metric in ("tv_notify_backlog", "tv_jobs_backlog"):
            self.assertTrue(until(lambda m=metric: rig.metric("notifier", m) >= 1, SOON_S), metric)
        self.assertEqual("due", rig.sql("SELECT state FROM tv.due WHERE kind = 'survey'"))
        self.assertEqual("waiting 0", rig.sql("SELECT state || ' ' || attempts FROM tv.job"
                                              " WHERE kind = 'mail'"))
        print(f"\nnewer schema beneath: {asking.count} requests, {len(asking.failed)} failed",
              file=sys.stderr)
        rig.sql("DELETE FROM tv.due WHERE kind = 'survey'; DELETE FROM tv.job WHERE kind = 'mail'")

    def test_a_database_that_is_restored_beneath(self):
        visit = self.do_the_main_job()
        pids = rig.pids()
        kept = subprocess.run(["pg_dump", "-n", "tv", database_url()], text=True, check=True,
                              capture_output=True).stdout
        rig.sql("DROP SCHEMA tv CASCADE")
        self.assertTrue(until(lambda: rig.visit("/readyz", "appointments").status == 503, SOON_S))
        self.assertTrue(until(lambda: b"schema: has version 0, needs" in rig.visit(
            "/readyz", "appointments").body, SOON_S))
        self.assertEqual(200, rig.visit("/livez", "appointments").status)
        answer = self.patient.ask("GET", "/v1/appointments")
        self.assertEqual((503, "unavailable"), (answer.status, answer.problem))
        psql(database_url(), kept, "-1")  # whole or not at all: nobody works on a half
        self.assertTrue(until(lambda: rig.visit("/readyz", "appointments").status == 200, SOON_S))
        self.assertEqual("COMPLETED", self.staff.ask(
            "GET", f"/v1/appointments/{visit['id']}").json["status"])
        self.do_the_main_job()
        self.assertEqual(pids["appointments"], rig.pids()["appointments"], "the same process")


if __name__ == "__main__":
    unittest.main()
