"""The way into a call through every edge of its window, and what a LiveKit token may say."""

import base64
import datetime
import json
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from rig import Rig, text_of  # pylint: disable=wrong-import-position


def setUpModule():
    global rig
    rig = Rig()
    unittest.addModuleCleanup(rig.close)


def claims_of(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


class Join(unittest.TestCase):
    def setUp(self):
        self.doctor = rig.of_role("DOCTOR", 1)
        self.patient = rig.of_role("PATIENT", 2)
        self.staff = rig.of_role("STAFF")

    def booked(self, starts_in, confirmed=True, minutes=1):
        answer = self.staff.book(self.doctor, text_of(rig.now() + starts_in),
                                 patientId=self.patient.id, minutes=minutes, confirmed=confirmed)
        self.assertEqual(201, answer.status, answer)
        self.addCleanup(self.cancel, answer.json["id"])
        return answer.json

    def cancel(self, appointment_id):
        now = self.staff.ask("GET", f"/v1/appointments/{appointment_id}").json
        if now["status"] in ("REQUESTED", "CONFIRMED"):
            self.assertEqual(200, self.staff.change(now, "cancel").status)

    def test_the_token_says_only_what_it_must(self):
        visit = self.booked(datetime.timedelta(minutes=10))
        answer = self.patient.join(visit["id"], "PATIENT")
        self.assertEqual(200, answer.status, answer)
        self.assertEqual(f"room_{visit['id']}", answer.json["room"])
        self.assertEqual(rig.info["livekitUrl"], answer.json["serverUrl"])
        self.assertTrue(answer.json["encryptionKey"])
        claims = claims_of(answer.json["token"])
        self.assertEqual({"iss", "sub", "nbf", "exp", "video"}, set(claims))
        self.assertEqual(answer.json["identity"], claims["sub"])
        sources = claims["video"].pop("canPublishSources")
        self.assertEqual({"room": f"room_{visit['id']}", "roomJoin": True, "canPublish": True,
                          "canSubscribe": True, "canPublishData": True}, claims["video"])
        self.assertEqual({"camera", "microphone", "screen_share", "screen_share_audio"},
                         set(sources))
        now = rig.now().timestamp()
        self.assertLessEqual(claims["exp"], now + 601)
        self.assertLessEqual(claims["exp"],
                             datetime.datetime.fromisoformat(visit["join"]["closesAt"]).timestamp())
        self.assertEqual((200, "success"), rig.livekit().validate(answer.json["token"]))

    def test_both_sides_share_one_room(self):
        visit = self.booked(datetime.timedelta(minutes=12))
        patient, doctor = (self.patient.join(visit["id"], "PATIENT").json,
                           self.doctor.join(visit["id"], "DOCTOR").json)
        self.assertEqual(patient["room"], doctor["room"])
        self.assertEqual(patient["encryptionKey"], doctor["encryptionKey"])
        self.assertNotEqual(patient["identity"], doctor["identity"])

    def test_refusals(self):
        early = self.booked(datetime.timedelta(hours=2))
        answer = self.patient.join(early["id"], "PATIENT")
        self.assertEqual((403, "too-early"), (answer.status, answer.problem))
        self.assertEqual(early["join"]["opensAt"], answer.json["opensAt"])
        self.assertIn("serverTime", answer.json)

        requested = self.booked(datetime.timedelta(minutes=14), confirmed=False)
        answer = self.patient.join(requested["id"], "PATIENT")
        self.assertEqual((409, "not-confirmed"), (answer.status, answer.problem))

        visit = self.booked(datetime.timedelta(minutes=16))
        answer = self.patient.join(visit["id"], "DOCTOR")
        self.assertEqual((403, "wrong-participant-type"), (answer.status, answer.problem))
        stranger = rig.of_role("PATIENT", 1).join(visit["id"], "PATIENT")
        self.assertEqual((404, "not-found"), (stranger.status, stranger.problem))
        self.assertEqual(403, self.staff.join(visit["id"], "DOCTOR").status)

        self.cancel(visit["id"])
        answer = self.patient.join(visit["id"], "PATIENT")
        self.assertEqual((410, "over"), (answer.status, answer.problem))
        self.assertEqual("CANCELLED", answer.json["appointmentStatus"])

    def test_the_window_to_the_second(self):
        visit = self.booked(datetime.timedelta(days=2))
        opens_at, closes_at = (datetime.datetime.fromisoformat(visit["join"][edge])
                               for edge in ("opensAt", "closesAt"))
        self.addCleanup(rig.ctl, "clock", "reset")
        second = datetime.timedelta(seconds=1)
        for instant, status in ((opens_at - 30 * second, 403), (opens_at, 200),
                                (closes_at - 30 * second, 200), (closes_at, 410)):
            rig.ctl("clock", text_of(instant))
            shown = self.patient.ask("GET", f"/v1/appointments/{visit['id']}").json["join"]
            answer = self.patient.join(visit["id"], "PATIENT")
            self.assertEqual(status, answer.status, (instant, answer))
            # OVER once the visit was closed, which follows the end of its window at once.
            self.assertIn(shown["decision"], {200: ["ALLOWED"], 403: ["TOO_EARLY"],
                                              410: ["TOO_LATE", "OVER"]}[status],
                          "the list shows what the join does")
            if status == 200:
                exp = claims_of(answer.json["token"])["exp"]
                self.assertLessEqual(exp, closes_at.timestamp())

    def test_every_decision_is_in_the_audit(self):
        visit = self.booked(datetime.timedelta(minutes=18))
        self.assertEqual(200, self.patient.join(visit["id"], "PATIENT").status)
        self.assertEqual(403, self.patient.join(visit["id"], "DOCTOR").status)
        self.assertEqual(404, rig.of_role("PATIENT", 1).join(visit["id"], "PATIENT").status)
        rows = rig.sql("SELECT decision FROM tv.audit WHERE action = 'call.join' AND subject = "
                       f"'{visit['id']}' ORDER BY id").splitlines()
        self.assertEqual(["ALLOWED", "WRONG_PARTICIPANT_TYPE", "NOT_FOUND"], rows)

    def test_a_room_that_we_did_not_make(self):
        visit = self.booked(datetime.timedelta(minutes=20))
        token = self.patient.join(visit["id"], "PATIENT").json["token"]
        rig.ctl("stop", "livekit")  # it forgets its rooms
        rig.ctl("start", "livekit")
        self.assertEqual(404, rig.livekit().validate(token)[0])


if __name__ == "__main__":
    unittest.main()
