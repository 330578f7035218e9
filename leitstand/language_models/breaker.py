"""Endpoints that failed again and again are left alone for a while, so that not everybody waits for them in turn.

Each process counts for itself: what it learns costs nothing and is forgotten with it.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from leitstand.errors import Unavailable
from leitstand.words import msg

MOST_FAILURES = 8
REST_SECONDS = 20.0


class Resting(Unavailable):
    """The endpoint failed too often just now, and was not asked."""


@dataclass
class _State:
    failures: int = 0
    until: float = 0.0


class Breaker:
    """Counts failures in a row, by endpoint.

    Args:
        clock: gives seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._states: dict[UUID, _State] = {}
        self._lock = threading.Lock()

    def check(self, endpoint_id: UUID, name: str) -> None:
        """Refuse while the endpoint rests. Once it has, one question goes through, and the next rest begins with it.

        Raises:
            Resting: it rests; it says for how long.
        """
        with self._lock:
            state = self._states.get(endpoint_id)
            if state is None or state.failures < MOST_FAILURES:
                return
            left = state.until - self._clock()
            if left <= 0:
                state.until = self._clock() + REST_SECONDS
                return
        raise Resting(
            msg("The endpoint {name} failed {failures} times in a row.", name=name, failures=state.failures),
            hint=msg("It is asked again in {seconds} s.", seconds=max(1, round(left))),
        )

    def rests(self, endpoint_id: UUID) -> bool:
        """Whether it would be refused now."""
        with self._lock:
            state = self._states.get(endpoint_id)
            return state is not None and state.failures >= MOST_FAILURES and state.until > self._clock()

    def failed(self, endpoint_id: UUID) -> None:
        """The endpoint did not answer."""
        with self._lock:
            state = self._states.setdefault(endpoint_id, _State())
            state.failures += 1
            state.until = self._clock() + REST_SECONDS

    def answered(self, endpoint_id: UUID) -> None:
        """The endpoint answered, whatever it said."""
        with self._lock:
            self._states.pop(endpoint_id, None)


# Of this process.
breaker = Breaker()
