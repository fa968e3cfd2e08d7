"""What is said to the person at the terminal."""

import os
import sys

_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)


class Fault(Exception):
    """Something a person can mend: one line that names it and says what to do."""


def _colourful(stream) -> bool:
    return stream.isatty() and "NO_COLOR" not in os.environ


def say(text: str = "") -> None:
    # The reader may be gone (`make logs | head`); the parts have to be ended all the same.
    try:
        print(text, flush=True)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")


def warn(text: str) -> None:
    print(_paint(text, 31, sys.stderr), file=sys.stderr, flush=True)


def _paint(text: str, colour: int, stream) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if _colourful(stream) else text


def bold(text: str) -> str:
    return _paint(text, 1, sys.stdout)


def in_colour_of(index: int, text: str) -> str:
    """Text in the colour of the part with this number."""
    return _paint(text, _COLOURS[index % len(_COLOURS)], sys.stdout)
