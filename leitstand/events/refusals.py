"""Events that were refused: as they came, why, and what became of them."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, func, insert, select
from sqlalchemy.orm import Session

from leitstand.db.models import EventImport, EventRefusal

# What is longer is not an event that any source takes: only its beginning is kept.
LARGEST_WHOLE = 100_000
LONGEST_PART = 2_000
OUTCOMES = ("refused", "accepted", "duplicate")
Keyset = tuple[datetime, int]


@dataclass(frozen=True)
class Refused:
    """An event that was not taken, and its content as it came (JSON, where it is any)."""

    reason: str
    raw: bytes


@dataclass(frozen=True)
class Refusal:
    """One refused event: the file and line it stood in (if it came in a file), the reason, what came.

    `outcome` is what became of it; `whole`: it can be replayed.
    """

    id: int
    at: datetime
    file: str | None
    line: int | None
    reason: str
    raw: str
    source: str
    whole: bool
    outcome: str
    replayed_at: datetime | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "at": self.at.isoformat(),
            "file": self.file,
            "line": self.line,
            "reason": self.reason,
            "raw": self.raw,
            "source": self.source,
            "can_be_replayed": self.whole and self.outcome == "refused",
            "outcome": self.outcome,
            "replayed_at": self.replayed_at.isoformat() if self.replayed_at else None,
        }


@dataclass(frozen=True)
class Refusals:
    """Some refusals, newest first, how many match in all, and the keyset of the page that follows."""

    rows: list[Refusal]
    total: int
    next: Keyset | None = None


@dataclass(frozen=True)
class Filters:
    """Which refusals: of a source, of an outcome, with these words in the reason; empty: any."""

    source: str = ""
    outcome: str = ""
    reason: str = ""


def given(event: Any) -> bytes:
    """An incoming event (`ledger.IncomingEvent`) as a source would send it: JSON, or its Python form where it is none."""
    members = {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
    members["companion"] = members.pop("companion_id")
    try:
        return orjson.dumps(members)
    except TypeError:
        return repr(event).encode("utf-8", "backslashreplace")


def keep(session: Session, *, workspace_id: UUID, source: str, refused: Sequence[Refused]) -> None:
    """Keep what was refused, whole enough to be replayed."""
    if not refused:
        return
    rows = [
        {"workspace_id": workspace_id, "source": source, "reason": one.reason} | _storable(one.raw)
        for one in refused
    ]
    session.execute(insert(EventRefusal), rows)


def _storable(raw: bytes) -> dict[str, Any]:
    """The text of a refused event, and whether it is the event as JSON."""
    whole = len(raw) <= LARGEST_WHOLE and raw.startswith(b"{") and _is_json(raw)
    kept = raw if whole else raw[: LONGEST_PART * 4]
    text = kept.decode(errors="backslashreplace").replace("\0", "\\x00")
    return {"raw": text if whole else text[:LONGEST_PART], "whole": whole}


def _is_json(raw: bytes) -> bool:
    try:
        orjson.loads(raw)
    except orjson.JSONDecodeError:
        return False
    return True


def list_refusals(
    session: Session,
    *,
    workspace_id: UUID,
    limit: int = 50,
    filters: Filters | None = None,
    before: Keyset | None = None,
) -> Refusals:
    """The newest refusals of a workspace that match, those of one moment in the order in which they came.

    Args:
        before: the keyset (at, id) of the row behind which to go on.
    """
    which = matching(workspace_id, filters or Filters())
    columns = (
        EventRefusal.id, EventRefusal.at, EventImport.file_name, EventRefusal.line, EventRefusal.reason,
        EventRefusal.raw, EventRefusal.source, EventRefusal.whole, EventRefusal.outcome, EventRefusal.replayed_at,
    )  # fmt: skip
    newest = (
        select(*columns)
        .outerjoin(EventImport, EventImport.id == EventRefusal.import_id)
        .where(*which)
        .order_by(EventRefusal.at.desc(), EventRefusal.id)
        .limit(limit + 1)
    )
    if before is not None:
        at, number = before
        same = (EventRefusal.at == at) & (EventRefusal.id > number)
        newest = newest.where((EventRefusal.at < at) | same)
    rows = [Refusal(*row) for row in session.execute(newest).tuples()]
    following = (rows[limit - 1].at, rows[limit - 1].id) if len(rows) > limit else None
    total = session.execute(select(func.count()).select_from(EventRefusal).where(*which)).scalar_one()
    return Refusals(rows[:limit], total, following)


def matching(workspace_id: UUID, filters: Filters) -> list[ColumnElement[bool]]:
    """The condition of a workspace's refusals that match."""
    which: list[ColumnElement[bool]] = [EventRefusal.workspace_id == workspace_id]
    if filters.source:
        which.append(EventRefusal.source == filters.source)
    if filters.outcome:
        which.append(EventRefusal.outcome == filters.outcome)
    if filters.reason:
        which.append(EventRefusal.reason.icontains(filters.reason, autoescape=True))
    return which
