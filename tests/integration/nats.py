"""NATS as bytes on a socket: a client that may say what no library would, and protobuf likewise.
https://docs.nats.io/reference/reference-protocols/nats-protocol"""

import json
import os
import select
import socket
import time
from pathlib import Path


class Message:
    def __init__(self, sid, subject, head, body):
        self.sid, self.subject, self.body = sid, subject, body
        status, *lines = head.decode(errors="replace").split("\r\n") if head else [""]
        self.status = status.removeprefix("NATS/1.0").strip()
        self.headers = {name.strip().lower(): value.strip() for name, colon, value in
                        (line.partition(":") for line in lines) if colon}

    @property
    def error(self):
        """The number of an error reply; 0 of a good one."""
        return int(self.headers.get("nats-service-error-code", "0"))

    def __repr__(self):
        return f"{self.subject} {self.status} {self.headers} {self.body[:200]!r}"


class Nats:
    """A connection with the rights of one of our services (or of `user` with `password`)."""

    def __init__(self, rig, user, password=None):
        password = password or Path(rig.info["natsPasswordFiles"][user]).read_text().strip()
        host, port = rig.info["natsUrl"].removeprefix("nats://").split(":")
        self._socket = socket.create_connection((host, int(port)), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._bytes, self.messages, self.errors, self._sids = b"", [], [], 0
        self._inbox = f"_INBOX_{user}.{os.urandom(8).hex()}"
        self._pongs, self._replies = 0, 0
        self._take(b"\r\n")  # INFO
        self.send(b"CONNECT " + json.dumps({
            "verbose": False, "pedantic": False, "headers": True, "no_responders": True,
            "user": user, "pass": password, "lang": "test", "version": "1"}).encode() + b"\r\n")
        self.sync()

    def close(self):
        self._socket.close()

    def send(self, raw):
        self._socket.sendall(raw)

    def sync(self):
        """Everything before it has been handled by the server; the errors that it told of."""
        self._pongs = 0
        self.send(b"PING\r\n")
        while not self._pongs:
            self._read(5)
        errors, self.errors = self.errors, []
        return errors

    def subscribe(self, subject, queue=""):
        self._sids += 1
        self.send(f"SUB {subject} {queue + ' ' if queue else ''}{self._sids}\r\n".encode())
        return self._sids

    def publish(self, subject, body=b"", headers=None, reply=""):
        """`headers` is a dict, or the bytes of the whole block."""
        if isinstance(headers, dict):
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            headers = b"NATS/1.0\r\n" + lines.encode() + b"\r\n"
        to = f"{subject} {reply + ' ' if reply else ''}".encode()
        if headers is None:
            self.send(b"PUB %s%d\r\n%s\r\n" % (to, len(body), body))
        else:
            self.send(b"HPUB %s%d %d\r\n%s%s\r\n" % (
                to, len(headers), len(headers) + len(body), headers, body))

    def request(self, subject, body=b"", headers=None, timeout_s=10):
        """The reply, or None when none comes in time."""
        answers = self.requests(subject, body, headers, 1, timeout_s)
        return answers[0] if answers else None

    def requests(self, subject, body=b"", headers=None, count=1, timeout_s=10):
        """Up to `count` replies to one request."""
        self._replies += 1
        inbox = f"{self._inbox}.{self._replies}"
        sid = self.subscribe(inbox)
        self.publish(subject, body, headers, inbox)
        deadline = time.monotonic() + timeout_s
        got = []
        while len(got) < count and time.monotonic() < deadline:
            got += [m for m in self.messages if m.sid == sid]
            self.messages = [m for m in self.messages if m.sid != sid]
            if len(got) < count:
                self._read(max(0.0, deadline - time.monotonic()))
        self.send(f"UNSUB {sid}\r\n".encode())
        return got

    def _read(self, timeout_s):
        """Takes what the server says next, if it says something in time."""
        if b"\r\n" not in self._bytes:
            if not select.select([self._socket], [], [], timeout_s)[0]:
                return
        line = self._take(b"\r\n")
        verb, *words = line.decode().split(" ")
        if verb == "PING":
            self.send(b"PONG\r\n")
        elif verb == "PONG":
            self._pongs += 1
        elif verb == "-ERR":
            self.errors.append(line.decode()[5:].strip("'"))
        elif verb in ("MSG", "HMSG"):
            head_bytes = int(words[-2]) if verb == "HMSG" else 0
            whole = self._take_bytes(int(words[-1]) + 2)[:-2]
            self.messages.append(Message(int(words[1]), words[0], whole[:head_bytes],
                                         whole[head_bytes:]))

    def _more(self):
        piece = self._socket.recv(65536)
        if not piece:
            raise ConnectionError(f"NATS hung up: {self.errors}")
        self._bytes += piece

    def _take(self, end):
        while end not in self._bytes:
            self._more()
        line, _, self._bytes = self._bytes.partition(end)
        return line

    def _take_bytes(self, count):
        while len(self._bytes) < count:
            self._more()
        taken, self._bytes = self._bytes[:count], self._bytes[count:]
        return taken


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out + bytes([number]))


def packed(*fields):
    """A protobuf message: (number, value) for each field; int, str, bytes."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            raw = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(raw)) + raw
    return out
