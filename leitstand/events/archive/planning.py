"""Which months are to be archived now, and why the others are not."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, text

from leitstand.db.engine import driver_cursor, transaction
from leitstand.events.archive import contents, holding
from leitstand.events.archive.contents import Summary
from leitstand.events.partitions import list_partitions
from leitstand.settings import Settings

# A month into which late events come, or that somebody has brought back, stays until it has been left alone for so long.
REST = timedelta(days=7)
RESTORED = "SELECT max(restored_at) FROM event_archive WHERE month = :month"
ORPHANS = """
SELECT count(*) FROM unnest(CAST(:workspaces AS uuid[])) AS it WHERE NOT EXISTS (SELECT FROM workspace WHERE id = it)
"""


@dataclass(frozen=True)
class Month:
    """A month that is old enough to be archived.

    Args:
        name: of its partition.
        bytes: of its partition, with its indexes.
        summaries: what it holds, a line a workspace.
        waiting: why it is left in the table for now; empty where it is to be archived.
    """

    name: str
    month: date
    bytes: int
    summaries: list[Summary]
    waiting: str = ""

    @property
    def rows(self) -> int:
        """How many events it has."""
        return sum(summary.rows for summary in self.summaries)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "month": f"{self.month:%Y-%m}", "events": self.rows, "bytes": self.bytes,
            "workspaces": len(self.summaries), "waiting": self.waiting,
        }  # fmt: skip


def plan(engine: Engine, settings: Settings, *, now: datetime | None = None) -> list[Month]:
    """The months that are older than the setting says, oldest first; reads every one of them once."""
    now = now or datetime.now(UTC)
    if not settings.events_kept_months:
        return []
    oldest_kept = holding.number_of(now.astimezone(UTC).date()) - settings.events_kept_months
    with transaction(engine) as session:
        old = [it for it in list_partitions(session) if holding.number_of(it.month) < oldest_kept]
    return [_look(engine, it.name, it.month, it.bytes, now) for it in old]


def _look(engine: Engine, name: str, month: date, size: int, now: datetime) -> Month:
    with transaction(engine) as session:
        session.execute(text("SET LOCAL statement_timeout = 0"))
        found = list(contents.summaries(driver_cursor(session), name).values())
        restored = session.scalar(text(RESTORED), {"month": month})
        strangers = session.scalar(text(ORPHANS), {"workspaces": [it.workspace_id for it in found]})
    waiting = _unrest((it.received_at for it in found), restored, now)
    if strangers:
        waiting = "it has events of a workspace that is gone"
    return Month(name, month, size, found, waiting)


def _unrest(received: Iterable[datetime], restored: datetime | None, now: datetime) -> str:
    last = max(received, default=None)
    if last and last > now - REST:
        return f"an event came in on {last:%Y-%m-%d}"
    if restored and restored > now - REST:
        return f"it was brought back on {restored:%Y-%m-%d}"
    return ""
