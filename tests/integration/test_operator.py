"""An installation from nothing, by the operator's commands: a clinic, its people, who then log in
and get an appointment. And what the commands refuse, and how they say it."""

import re
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from rig import ROOT, Person, Rig  # pylint: disable=wrong-import-position

sys.path.insert(0, str(ROOT / "tools"))
from stack import services  # pylint: disable=wrong-import-position
from stack.layout import Stack  # pylint: disable=wrong-import-position

PASSWORD = "correct horse battery"
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
NORTH = ("--slug", "north", "--name", "North Clinic", "--time-zone", "Europe/Berlin")
ADA = {"clinic": "north", "role": "admin", "name": "Ada", "email": "Ada@north.example"}


def setUpModule():
    global rig
    rig = Rig("appointments:TELEVISIT_PASSWORD_MEMORY=8", seed=False)
    unittest.addModuleCleanup(rig.close)
    unittest.addModuleCleanup(rig.ctl, "faults")


def run(*words, given="", **environment):
    """A command of the appointments program: exit status, what it printed, what it said."""
    stack = Stack(rig.dir)
    done = subprocess.run([str(stack.binary("appointments")), *words], input=given, text=True,
                          capture_output=True, check=False, timeout=60, cwd="/",
                          env=services.environment(stack, "appointments") | environment)
    return done.returncode, done.stdout, done.stderr


def options(**given):
    return [word for name, value in given.items() if value is not None
            for word in (f"--{name.replace('_', '-')}", value)]


def add_person(password=PASSWORD, **given):
    return run("add-person", *options(**given), given=password)


class Operator(unittest.TestCase):
    maxDiff = None

    def test_1_from_nothing(self):
        self.assertEqual(rig.sql("SELECT count(*) FROM tv.clinic"), "0")
        self.assertEqual(run("migrate"), (0, "nothing to do\n", ""))

        status, out, said = run("add-clinic", *NORTH)
        self.assertEqual((status, said), (0, ""))
        clinic_id = re.fullmatch(f"clinic ({UUID}) north\n", out).group(1)
        self.assertEqual(
            rig.sql("SELECT id, slug, name, time_zone, opens_before_s FROM tv.clinic"),
            f"{clinic_id}|north|North Clinic|Europe/Berlin|1800")

        made = {}
        for given, role in (
                (ADA, "admin"),
                (ADA | {"role": "DOCTOR", "name": " Dr. Björn Ek ", "email": "b@north.example",
                        "speciality": "Cardiology", "language": "de-CH"}, "doctor"),
                (ADA | {"role": "patient", "name": "Pia", "email": "pia@north.example",
                        "time_zone": "America/New_York"}, "patient")):
            status, out, said = add_person(**given)
            self.assertEqual((status, said), (0, ""))
            made[role] = re.fullmatch(
                f"person ({UUID}) {role} {given['email']} of north\n", out).group(1)
        self.assertEqual(rig.sql(
            "SELECT role, display_name, email, language, time_zone, speciality FROM tv.person"
            " ORDER BY role"),
            "ADMIN|Ada|Ada@north.example|en|Europe/Berlin|\n"
            "DOCTOR|Dr. Björn Ek|b@north.example|de-CH|Europe/Berlin|Cardiology\n"
            "PATIENT|Pia|pia@north.example|en|America/New_York|")
        self.assertEqual(rig.sql("SELECT action, count(*) FROM tv.audit GROUP BY 1 ORDER BY 1"),
                         "clinic.added|1\nperson.added|3")

        # They log in, and what follows is done in the app.
        rig.clinic, rig.password = "north", PASSWORD
        people = {role: Person(rig, email) for role, email in (
            ("admin", "ada@north.example"), ("doctor", "b@north.example"),
            ("patient", "pia@north.example"))}
        for role, person in people.items():
            self.assertEqual(person.session["person"]["id"], made[role])
            self.assertEqual(person.session["person"]["role"], role.upper())
            self.assertEqual(person.clinic_id, clinic_id)
        doctor, patient = people["doctor"], people["patient"]
        hours = [{"weekday": day, "from": "00:00", "to": "24:00", "slotMinutes": 30}
                 for day in range(1, 8)]
        answer = doctor.ask("PUT", f"/v1/doctors/{doctor.id}/availability", {"hours": hours})
        self.assertEqual(answer.status, 200, answer)
        slots = patient.ask("GET", f"/v1/doctors/{doctor.id}/slots").json["slots"]
        answer = patient.book(doctor, slots[-1]["startsAt"])
        self.assertEqual(answer.status, 201, answer)

    def test_2_refusals(self):
        """Each names the option at fault; nothing is made, and no secret is said."""
        before = rig.sql("SELECT count(*) FROM tv.person")
        good = ADA | {"email": "new@north.example"}
        for given, password, why in (
                ({"clinic": "south"}, PASSWORD, "--clinic is the slug of no clinic"),
                ({"role": "guest"}, PASSWORD,
                 "--role must be patient, doctor, staff, admin or interpreter"),
                ({"name": "   "}, PASSWORD, "--name must have 1 to 200 characters"),
                ({"name": "x" * 201}, PASSWORD, "--name must have 1 to 200 characters"),
                ({"email": "ada"}, PASSWORD, "--email must be a mail address"),
                ({"email": "a b@north.example"}, PASSWORD, "--email must be a mail address"),
                ({"email": "a@b@north.example"}, PASSWORD, "--email must be a mail address"),
                ({"email": "x" * 65 + "@north.example"}, PASSWORD,
                 "--email must be a mail address"),
                ({"email": "ADA@north.example"}, PASSWORD,
                 "--email is the address of somebody else in this clinic"),
                ({"language": "tlh"}, PASSWORD,
                 "--language must be en, fr, de, es or ar, also with a region: de-CH"),
                ({"time_zone": "Europe/Atlantis"}, PASSWORD,
                 "--time-zone must be a time zone such as Europe/Berlin"),
                ({"speciality": "Cardiology"}, PASSWORD, "--speciality is for doctors"),
                ({}, "", "there is no password on standard input"),
                ({}, "\n", "the password is empty"),
                ({}, "hush-hush-1\n", "the password is too short: 12 bytes at least"),
                ({}, "hush-hush" * 200, "the password is too long: it may have 1024 bytes")):
            with self.subTest(given=given, why=why):
                self.assertEqual(add_person(password, **good | given),
                                 (1, "", f"add-person: {why}\n"))
        for words, why in (
                (NORTH, "--slug is the slug of another clinic"),
                (("--slug", "North", *NORTH[2:]),
                 "--slug must be small letters, digits and hyphens, at most 63, with a letter or a "
                 "digit at both ends"),
                (("--slug=south", "--name= ", "--time-zone=UTC"),
                 "--name must have 1 to 200 characters"),
                (("--slug", "south", "--name", "South", "--time-zone", "MEZ+1"),
                 "--time-zone must be a time zone such as Europe/Berlin")):
            with self.subTest(words=words):
                self.assertEqual(run("add-clinic", *words), (1, "", f"add-clinic: {why}\n"))
        self.assertEqual(rig.sql("SELECT count(*) FROM tv.person"), before)
        self.assertEqual(rig.sql("SELECT count(*) FROM tv.clinic"), "1")

    def test_3_wrong_use(self):
        for words, why in (
                ((), "--slug is missing"),
                (("--slug", "south"), "--name is missing"),
                (("--slug",), "--slug needs a value"),
                (("--slug", ""), "--slug needs a value"),
                (("--slug=",), "--slug needs a value"),
                (("--slug", "a", "--slug=b"), "--slug is there twice"),
                (("--slugs", "a"), "--slugs is no option of this command"),
                (("south",), "south is no option of this command"),
                (("--email=x@y",), "--email=x@y is no option of this command"),
                (("--name", b"\xff"), "--name is not UTF-8")):
            with self.subTest(words=words):
                status, out, said = run("add-clinic", *words)
                self.assertEqual((status, out), (2, ""))
                self.assertEqual(said, f"add-clinic: {why}\nusage: appointments add-clinic "
                                       "--slug SLUG --name NAME --time-zone ZONE\n")
        self.assertEqual(add_person(**ADA | {"email": None})[0], 2)

    def test_4_help_needs_no_configuration(self):
        for command, option in (("add-clinic", "--time-zone"), ("add-person", "[--language TAG]")):
            status, out, said = run(command, "--help", DATABASE_URL_FILE="")
            self.assertEqual((status, said), (0, ""))
            self.assertIn(f"usage: appointments {command} ", out)
            self.assertIn(option, out)

    def test_5_no_database(self):
        status, out, said = run("add-clinic", *NORTH, DATABASE_URL_FILE="",
                                DATABASE_URL="postgres://nobody:hush-hush@127.0.0.1:1/x")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("add-clinic: the database cannot be used: ", said)
        self.assertNotIn("hush-hush", said)

    def test_6_an_old_schema(self):
        """Before the first `migrate` it says what is missing, and changes nothing."""
        url = Path(rig.info["databaseUrlFile"]).read_text().strip()
        status, out, said = run("add-clinic", *NORTH, DATABASE_URL_FILE="",
                                DATABASE_URL=url.replace("/televisit?", "/postgres?"))
        self.assertEqual((status, out), (1, ""))
        self.assertEqual(said, "add-clinic: the database cannot be used: statement "
                               'operator_add_clinic: schema "tv" does not exist\n')


if __name__ == "__main__":
    unittest.main()
