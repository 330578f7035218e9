"""Old events, and a moment in which they have come to rest."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Engine

from leitstand.db.ids import derived_uuid7
from leitstand.events.archive.moving import Moved, archive
from leitstand.events.archive.planning import REST
from leitstand.events.ledger import IncomingEvent
from leitstand.settings import Settings

# What is sent now has come to rest by then.
LATER = datetime.now(UTC) + REST + timedelta(days=1)
OLD, NEW = datetime(2023, 1, 31, 23, 50, tzinfo=UTC), datetime(2023, 2, 1, 0, 5, tzinfo=UTC)


def made(companion: UUID, at: datetime, run: str = "r", step: str = "ask", **more: Any) -> IncomingEvent:
    """An event whose id follows from its time, run and step."""
    said = {
        "event_id": derived_uuid7(at, f"{run} {step}".encode()), "kind": "answered", "companion_id": companion,
        "run_key": run, "occurred_at": at, "step": step, "actor_key": "ann",
    } | more  # fmt: skip
    return IncomingEvent(**said)


def archived(engine: Engine, settings: Settings) -> list[Moved]:
    """What was archived of what has come to rest by then."""
    return archive(engine, settings, now=LATER)
