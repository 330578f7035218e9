"""What the tests of the columnar copy share: events, and what a copier did."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from leitstand.db.ids import derived_uuid7
from leitstand.db.models import FactChange
from leitstand.events.ledger import IncomingEvent
from leitstand.insights.copy.copier import Copied

BEGIN = datetime(2026, 1, 30, 22, tzinfo=UTC)
OLDEST = text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
PATIENCE = 120
Send = Callable[..., None]
Copy = Callable[..., list[Copied]]


def event(companion: UUID, run: str, day: float, step: str = "ask") -> IncomingEvent:
    at = BEGIN + timedelta(days=day)
    return IncomingEvent(
        event_id=derived_uuid7(at, f"{run}{day}{step}".encode()), kind="answered", companion_id=companion,
        run_key=run, step=step, actor_key=f"actor-{run}", occurred_at=at,
    )  # fmt: skip


def wait_for_older_transactions(engine: Engine) -> None:
    """Until what is committed lies behind the watermark: other tests' transactions on the same server hold it back."""
    with engine.connect() as connection:
        now = connection.scalar(text("SELECT pg_current_xact_id()::text::bigint"))
        connection.commit()
        end = time.monotonic() + PATIENCE
        while connection.scalar(OLDEST) <= now:
            assert time.monotonic() < end, "a transaction of another test does not end"
            connection.rollback()
            time.sleep(0.02)


def changed(session: Session) -> set[tuple[str, date]]:
    session.rollback()
    return {(it.fact, it.day) for it in session.scalars(select(FactChange))}


def written(copied: list[Copied]) -> int:
    return sum(it.written for it in copied)
