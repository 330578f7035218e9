"""How the checks of the live database went."""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.db.models import CheckRun


@dataclass(frozen=True)
class PastRun:
    """One run of the checks: how many there were, and the names of those that did not hold."""

    at: datetime
    suite: str
    success: bool
    evaluated: int
    failed: int
    violated: list[str]

    def to_dict(self) -> dict[str, object]:
        """JSON values; the time as ISO 8601."""
        return {**asdict(self), "at": self.at.isoformat()}


def latest(session: Session, *, limit: int = 20) -> list[PastRun]:
    """The newest runs first."""
    rows = session.scalars(select(CheckRun).order_by(CheckRun.at.desc()).limit(limit))
    return [
        PastRun(row.at, row.suite, row.success, row.evaluated, row.failed, _violated(row)) for row in rows
    ]


def _violated(row: CheckRun) -> list[str]:
    return [check["name"] for check in row.result.get("results", []) if not check["success"]]
