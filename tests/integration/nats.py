"""NATS as bytes on a socket: a client that may say what no library would, and protobuf likewise.
https://docs.nats.io/reference/reference-protocols/nats-protocol"""

import base64
import json
import os
import select
import socket
import ssl
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from stack import nkeys  # pylint: disable=wrong-import-position


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
    """A connection with the rights of one of our users. Other `credentials` than their own are a
    seed and the public key that it is said to be of, or what else CONNECT may hold."""

    def __init__(self, rig, user, credentials=None, tls=True):
        host, port = rig.info["natsUrl"].removeprefix("tls://").split(":")
        self._socket = socket.create_connection((host, int(port)), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._bytes, self.messages, self.errors, self._sids = b"", [], [], 0
        self._inbox = f"_INBOX_{user}.{os.urandom(8).hex()}"
        self._pongs, self._replies = 0, 0
        try:
            self._come_in(rig, user, credentials, tls and host)
        except BaseException:
            self.close()
            raise

    def _come_in(self, rig, user, credentials, tls_host):
        info = json.loads(self._take(b"\r\n").partition(b" ")[2])
        if tls_host:
            trust = ssl.create_default_context(cafile=rig.info["natsCaFile"])
            self._socket = trust.wrap_socket(self._socket, server_hostname=tls_host)
        if credentials is None:
            credentials = Path(rig.info["natsNkeyFiles"][user]).read_text().split()
        if not isinstance(credentials, dict):
            seed, public = credentials
            signature = nkeys.sign(seed, info["nonce"].encode())
            credentials = {"nkey": public,
                           "sig": base64.urlsafe_b64encode(signature).decode().rstrip("=")}
        self.send(b"CONNECT " + json.dumps({
            "verbose": False, "pedantic": False, "headers": True, "no_responders": True,
            "tls_required": bool(tls_host), "lang": "test", "version": "1"} | credentials
        ).encode() + b"\r\n")
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
        if b"\r\n" not in self._bytes and not self._decrypted():
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

    def _decrypted(self):
        """Whether bytes lie where select() does not see them."""
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

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
