"""What the catalogue says of every kind of backup, asked once for all the conditions that need it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from leitstand.backups.retention import COMPLETE, MISSING, RUNNING
from leitstand.db.models import Backup


@dataclass(frozen=True)
class KnownKind:
    """Of one kind of backup.

    Args:
        complete: the newest that was completed and is there.
        ended: the newest that ended, however.
        first_begun: when the first was ever begun.
        first_stored: when the first was ever complete, also one that is gone by now.
        verified_at: when a drill last found one of those that are there good.
        missing: how many are gone of those that should be there.
        clusters: the system identifiers of the servers that they are of.
    """

    complete: Backup | None = None
    ended: Backup | None = None
    first_begun: datetime | None = None
    first_stored: datetime | None = None
    verified_at: datetime | None = None
    missing: int = 0
    clusters: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Known:
    """All kinds; one of which there is no backup is `KnownKind()`."""

    kinds: Mapping[str, KnownKind] = field(default_factory=dict)

    def __getitem__(self, kind: str) -> KnownKind:
        return self.kinds.get(kind, KnownKind())

    @property
    def first_begun(self) -> datetime | None:
        """When the first backup of any kind was begun."""
        return min((one.first_begun for one in self.kinds.values() if one.first_begun), default=None)

    @property
    def missing(self) -> int:
        """How many backups are gone of those that should be there."""
        return sum(one.missing for one in self.kinds.values())

    @property
    def clusters(self) -> frozenset[str]:
        """The system identifiers of all servers that were ever backed up."""
        return frozenset().union(*(one.clusters for one in self.kinds.values()))


def known_backups(session: Session, *, owed_since: datetime) -> Known:
    """Three statements, however many backups there are.

    Args:
        owed_since: those finished later, and kept ones, should be there.
    """
    newest = select(Backup).distinct(Backup.kind)
    complete = newest.where(Backup.status == COMPLETE).order_by(
        Backup.kind, Backup.finished_at.desc(), Backup.id.desc()
    )
    ended = newest.where(Backup.status != RUNNING).order_by(Backup.kind, Backup.started_at.desc())
    completes = {one.kind: one for one in session.scalars(complete)}
    ends = {one.kind: one for one in session.scalars(ended)}
    owed = or_(Backup.finished_at > owed_since, Backup.kept)
    figures = select(
        Backup.kind,
        func.min(Backup.started_at).label("first_begun"),
        func.min(Backup.finished_at).filter(Backup.sha256 != "").label("first_stored"),
        func.max(Backup.verified_at).filter(Backup.status == COMPLETE).label("verified_at"),
        func.count().filter(Backup.status == MISSING, owed).label("missing"),
        func.array_agg(Backup.manifest["system_identifier"].as_string().distinct()).label("clusters"),
    )
    kinds = {
        row.kind: KnownKind(
            complete=completes.get(row.kind),
            ended=ends.get(row.kind),
            first_begun=row.first_begun,
            first_stored=row.first_stored,
            verified_at=row.verified_at,
            missing=row.missing,
            clusters=frozenset(filter(None, row.clusters)),
        )
        for row in session.execute(figures.group_by(Backup.kind))
    }
    return Known(kinds)
