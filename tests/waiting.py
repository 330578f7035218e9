"""Waiting until something has come to pass, with an end to it."""

import time
from collections.abc import Callable

LIMIT_SECONDS = 120.0
EVERY_SECONDS = 0.05


def wait_until[Found](
    found: Callable[[], Found],
    limit: float = LIMIT_SECONDS,
    *,
    every: float = EVERY_SECONDS,
    otherwise: Callable[[], str] = str,
) -> Found:
    """Ask until the answer is true, and give it; an assertion fails after so many seconds, and says what is `otherwise`."""
    deadline = time.monotonic() + limit
    while not (answer := found()):
        assert time.monotonic() < deadline, f"it did not come to that in {limit:.0f} s {otherwise()}".rstrip()
        time.sleep(every)
    return answer
