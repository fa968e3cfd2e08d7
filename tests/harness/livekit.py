"""LiveKit as tests and measurements meet it: its API, and webhooks signed as it signs them."""

import base64
import hashlib
import hmac
import http.client
import json
import time
import uuid


def b64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def sign(secret, claims, head=None):
    """A JSON Web Token, HS256; the secret as bytes or text."""
    secret = secret.encode() if isinstance(secret, str) else secret
    text = ".".join(b64(json.dumps(part).encode())
                    for part in (head or {"alg": "HS256", "typ": "JWT"}, claims))
    return f"{text}.{b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


class LiveKit:
    """The RoomService of a server, with its own key."""

    def __init__(self, url, key, secret):
        self.host, self.key, self.secret = url.split("//")[1], key, secret

    def call(self, method, **request):
        now = int(time.time())
        video = {"roomCreate": True, "roomList": True, "roomAdmin": True,
                 "room": request.get("room", "")}
        token = sign(self.secret, {"iss": self.key, "nbf": now - 5, "exp": now + 60,
                                   "video": video})
        connection = http.client.HTTPConnection(self.host, timeout=5)
        try:
            connection.request("POST", f"/twirp/livekit.RoomService/{method}", json.dumps(request),
                               {"Content-Type": "application/json",
                                "Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def validate(self, token):
        """What it says of a token for a room: (status, text)."""
        connection = http.client.HTTPConnection(self.host, timeout=10)
        try:
            connection.request("GET", f"/rtc/validate?access_token={token}")
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def rooms(self):
        """sid by name; None while it is away."""
        try:
            status, answer = self.call("ListRooms")
        except OSError:
            return None
        assert status == 200, answer
        return {room["name"]: room["sid"] for room in answer["rooms"]}

    def room(self, name):
        """All that it says of a room, or None."""
        _, answer = self.call("ListRooms", names=[name])
        return answer["rooms"][0] if answer["rooms"] else None

    def token_of_webhook(self, body, **claims):
        now = int(time.time())
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        return sign(self.secret, {"iss": self.key, "exp": now + 300, "nbf": now, "iat": now,
                                  "sha256": digest} | claims)


class RoomEvents:
    """The webhooks of one room. Each method gives an event; the people are known by identity."""

    def __init__(self, name, sid=None):
        self.name, self.sid = name, sid or f"RM_{uuid.uuid4().hex[:12]}"
        self.created_ms = int(time.time() * 1000)
        self.people = {}

    def _event(self, kind, **parts):
        room = {"sid": self.sid, "name": self.name}
        if not kind.startswith("track_"):
            room |= {"emptyTimeout": 9000, "departureTimeout": 9000, "maxParticipants": 16,
                     "creationTime": str(self.created_ms // 1000),
                     "creationTimeMs": str(self.created_ms)}
        return {"event": kind, "room": room, **parts, "id": f"EV_{uuid.uuid4().hex[:12]}",
                "createdAt": str(int(time.time()))}

    def started(self):
        return self._event("room_started")

    def finished(self):
        return self._event("room_finished")

    def joined(self, identity):
        now_ms = int(time.time() * 1000)
        self.people[identity] = {"sid": f"PA_{uuid.uuid4().hex[:12]}", "identity": identity,
                                 "joinedAt": str(now_ms // 1000), "joinedAtMs": str(now_ms)}
        return self._event("participant_joined",
                           participant=self.people[identity] | {"state": "ACTIVE"})

    def left(self, identity, reason="CLIENT_INITIATED"):
        return self._event("participant_left", participant=self.people[identity] | {
            "state": "DISCONNECTED", "disconnectReason": reason})

    def track(self, identity, kind="track_published", source="CAMERA"):
        person = self.people[identity]
        return self._event(kind, participant={k: person[k] for k in ("sid", "identity")},
                           track={"sid": f"TR_{uuid.uuid4().hex[:12]}", "source": source})
