"""Event streams as a client reads them, any number of them by one thread."""

import json
import selectors
import socket
import threading
import time


class Stream:
    """One `GET /v1/events`. What arrives is in `events`, as (id, type, entry), and the appointments
    that hints were about are in `hints`; `status` is that of the answer, `ended` is true when the
    server has closed it."""

    def __init__(self, person, after=None, last_event_id=None, port=None):
        self.events, self.hints, self.status, self.ended = [], [], None, False
        self.arrived = {}  # id -> monotonic time
        self._bytes, self._text = b"", ""
        self._socket = socket.create_connection(("127.0.0.1", port or person.rig.port), timeout=10)
        target = "/v1/events" + (f"?after={after}" if after is not None else "")
        resume = f"Last-Event-ID: {last_event_id}\r\n" if last_event_id is not None else ""
        self._socket.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n{resume}"
                             f"Authorization: Bearer {person.token}\r\n\r\n".encode())
        self._socket.setblocking(False)

    def fileno(self):
        return self._socket.fileno()

    def close(self):
        self._socket.close()

    def of(self, appointment_id):
        """Types of the events of one appointment, in order."""
        return [kind for _, kind, entry in self.events if entry.get("appointmentId") ==
                appointment_id]

    def read(self):
        """Takes what has arrived; False at the end of the stream."""
        try:
            piece = self._socket.recv(65536)
        except BlockingIOError:
            return True
        except OSError:
            piece = b""
        self._bytes += piece
        if self.status is None and b"\r\n\r\n" in self._bytes:
            head, _, self._bytes = self._bytes.partition(b"\r\n\r\n")
            assert b"transfer-encoding: chunked" in head.lower() or b" 200 " not in head, head
            self.status = int(head.split(b" ")[1])
        if self.status == 200:
            self._unchunk()
        self.ended = self.ended or piece == b""
        return not self.ended

    def _unchunk(self):
        while True:
            size, line_end, rest = self._bytes.partition(b"\r\n")
            if not line_end or len(rest) < int(size, 16) + 2:
                return
            length = int(size, 16)
            self._text += rest[:length].decode()
            self._bytes = rest[length + 2:]
            self.ended = self.ended or length == 0
            *whole, self._text = self._text.split("\n\n")
            for block in whole:
                self._take(block)

    def _take(self, block):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line[0] != ":")
        if fields.get("event") == "appointment.changed":
            assert "id" not in fields, "a hint has no number"
            self.hints.append(json.loads(fields["data"])["appointmentId"])
        elif "event" in fields:
            number = int(fields["id"]) if "id" in fields else None
            self.arrived[number] = time.monotonic()
            self.events.append((number, fields["event"], json.loads(fields["data"])))


class Reader:
    """Reads streams until it is closed."""

    def __init__(self):
        self._selector = selectors.DefaultSelector()
        self._new, self._streams, self._over = [], [], False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def open(self, person, **resume):
        stream = Stream(person, **resume)
        self._streams.append(stream)
        self._new.append(stream)
        return stream

    def _run(self):
        while not self._over:
            while self._new:
                self._selector.register(self._new.pop(), selectors.EVENT_READ)
            for key, _ in self._selector.select(0.02):
                if not key.fileobj.read():
                    self._selector.unregister(key.fileobj)

    def close(self):
        self._over = True
        self._thread.join()
        self._selector.close()
        for stream in self._streams:
            stream.close()
