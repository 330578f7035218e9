"""The state of the services, asked at most every few seconds however many operators look."""

import threading
import time

from leitstand.db.engine import get_engine
from leitstand.health.overview import ServiceState, overview
from leitstand.identity.access import Principal, require
from leitstand.settings import get_settings

KEEP_SECONDS = 3.0

_lock = threading.Lock()
_last: tuple[float, list[ServiceState]] = (0.0, [])


def services(principal: Principal) -> list[ServiceState]:
    """Every service's state, at most three seconds old.

    Raises:
        Forbidden: without `operations:read`.
    """
    global _last  # noqa: PLW0603 - one answer a process
    require(principal, "operations:read")
    with _lock:
        until, states = _last
        if time.monotonic() >= until:
            states = overview(get_engine(), get_settings())
            _last = (time.monotonic() + KEEP_SECONDS, states)
        return states
