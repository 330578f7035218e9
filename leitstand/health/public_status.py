"""What anybody may know of the services: which part of the product works; no names of machines, no reasons."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from leitstand.health.overview import DEGRADED, DOWN, UP, ServiceState
from leitstand.services import (
    API,
    INSIGHTS,
    OBJECTS,
    POSTGRES,
    PREFECT,
    PREFECT_WORKER,
    QUERY,
    RUNTIME,
    WEB,
    WORKER,
    Service,
)
from leitstand.words import N_

KEEP_SECONDS = 15.0
WORST = (UP, DEGRADED, DOWN)
PARTS: tuple[tuple[str, str, tuple[Service, ...]], ...] = (
    ("pages", N_("Pages and sign-in"), (WEB, POSTGRES)),
    ("companions", N_("Companions for visitors"), (RUNTIME, POSTGRES)),
    ("answers", N_("Questions and answers"), (QUERY, POSTGRES)),
    ("api", N_("API"), (API, POSTGRES)),
    ("dashboards", N_("Dashboards"), (INSIGHTS, POSTGRES)),
    ("files", N_("Documents and media"), (OBJECTS,)),
    ("background", N_("Imports, reports and mail"), (WORKER, PREFECT, PREFECT_WORKER, POSTGRES)),
)


@dataclass(frozen=True)
class Part:
    """One part of the product: "up", "degraded" or "down", and since when this process has seen it so."""

    name: str
    title: str
    state: str
    since: datetime


@dataclass(frozen=True)
class PublicStatus:
    """All parts, the worst of their states, and when they were looked at."""

    state: str
    at: datetime
    parts: tuple[Part, ...]


class StatusBoard:
    """Asks at most every 15 seconds, however many look, and one asks while the others are given what is known.

    Args:
        ask: gives the state of every service and never raises.
    """

    def __init__(self, ask: Callable[[], list[ServiceState]]) -> None:
        self.ask = ask
        self.asking = threading.Lock()
        self.last: PublicStatus | None = None
        self.until = 0.0

    def now(self) -> PublicStatus:
        """The state, at most 15 seconds old but for the time that asking takes."""
        known = self.last
        if known and (time.monotonic() < self.until or self.asking.locked()):
            return known
        with self.asking:
            if self.last is None or time.monotonic() >= self.until:
                self.last = judged({one.name: one.state for one in self.ask()}, datetime.now(UTC), self.last)
                self.until = time.monotonic() + KEEP_SECONDS
            return self.last


def judged(states: Mapping[str, str], now: datetime, before: PublicStatus | None = None) -> PublicStatus:
    """What services' states mean for people.

    Args:
        states: by the service's name; one that is missing is down.
        before: the state before, which says since when.
    """
    earlier = {part.name: part for part in before.parts} if before else {}
    parts = []
    for name, title, services in PARTS:
        state = max((states.get(one.name, DOWN) for one in services), key=WORST.index)
        same = name in earlier and earlier[name].state == state
        parts.append(Part(name, title, state, earlier[name].since if same else now))
    return PublicStatus(max((part.state for part in parts), key=WORST.index), now, tuple(parts))
