"""Events that were refused: as they came, and why."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.db.models import EventImport, EventRefusal


@dataclass(frozen=True)
class Refusal:
    """One refused event: the file and line it stood in (if it came in a file), the reason, its first 2,000 characters."""

    id: int
    at: datetime
    file: str | None
    line: int | None
    reason: str
    raw: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "at": self.at.isoformat(),
            "file": self.file,
            "line": self.line,
            "reason": self.reason,
            "raw": self.raw,
        }


@dataclass(frozen=True)
class Refusals:
    """Some refusals, newest first, and how many there are in all."""

    rows: list[Refusal]
    total: int


def list_refusals(session: Session, *, workspace_id: UUID, limit: int = 50) -> Refusals:
    """The newest refusals of a workspace; those of one moment by line."""
    of_workspace = EventRefusal.workspace_id == workspace_id
    columns = (
        EventRefusal.id,
        EventRefusal.at,
        EventImport.file_name,
        EventRefusal.line,
        EventRefusal.reason,
        EventRefusal.raw,
    )
    newest = (
        select(*columns)
        .outerjoin(EventImport, EventImport.id == EventRefusal.import_id)
        .where(of_workspace)
        .order_by(EventRefusal.at.desc(), EventRefusal.line, EventRefusal.id)
        .limit(limit)
    )
    rows = [Refusal(*row) for row in session.execute(newest).tuples()]
    total = session.execute(select(func.count()).select_from(EventRefusal).where(of_workspace)).scalar_one()
    return Refusals(rows, total)
