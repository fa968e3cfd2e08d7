"""Waiting for a condition."""

import time


def until(condition, timeout_s=30):
    """Asks until the condition holds; the last answer."""
    deadline = time.monotonic() + timeout_s
    while True:
        last = condition()
        if last or time.monotonic() > deadline:
            return last
        time.sleep(0.02)  # between two looks; the condition decides
