"""Marks: words that stand nowhere else, and a finder that knows them in every dress that bytes wear
on their way: plain, capitals, base64 at each of its three offsets, hex, percent, JSON escapes."""

import base64
import re
import secrets


def new_mark(what):
    """Letters and digits only, so that every dress can be told apart."""
    return f"Zq{what.capitalize()}{secrets.token_hex(5)}"


def dresses(mark):
    """name -> pattern of bytes, to be looked for whatever the case."""
    raw = mark.encode()
    found = {"plain": re.escape(raw), "hex": raw.hex().encode(),
             "spaced hex": raw.hex(" ").encode(),
             "percent": b"".join(b"%%%02x" % byte for byte in raw),
             "json": b"".join(b"\\\\u%04x" % byte for byte in raw),
             "go or C": b"".join(b"\\\\x%02x" % byte for byte in raw),
             "utf-16": b"\0".join(re.escape(bytes([byte])) for byte in raw)}
    for offset in range(3):
        text = base64.b64encode(b"\0" * offset + raw).rstrip(b"=")
        first = (offset * 8 + 5) // 6  # the first character that is made of the mark alone
        last = (offset + len(raw)) * 8 // 6
        inner = text[first:last]
        found[f"base64 at {offset}"] = b"[" + b"][".join(
            re.escape(bytes([c])) if c not in b"+/" else rb"+/\-_" for c in inner) + b"]"
    return found


class Finder:
    def __init__(self, marks):
        self.marks = dict(marks)  # name -> mark
        self.patterns = [
            (f"{name} ({dress})", re.compile(
                pattern, 0 if dress.startswith("base64") else re.IGNORECASE))
            for name, mark in self.marks.items() for dress, pattern in dresses(mark).items()]

    def find(self, data):
        """Which marks are in it, in which dress."""
        data = data.encode() if isinstance(data, str) else data
        return [name for name, pattern in self.patterns if pattern.search(data)]
