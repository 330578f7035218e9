"""Runs of an import: begun by hand or by the clock, and what became of each object."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.orm import Session

from leitstand.db.models import S3Import, S3ImportObject
from leitstand.db.models.s3_imports import OBJECT_STATES
from leitstand.errors import Conflict, InvalidInput, NotFound
from leitstand.identity import audit
from leitstand.identity.access import Principal
from leitstand.imports import configured
from leitstand.jobs.queue import enqueue
from leitstand.words import msg

JOB = "imports.run"
PAGE = 100
# A run that has not moved for so long has lost its job; one object takes two minutes at most.
LOST = timedelta(minutes=30)
# Less than the hour and the day, so that a run that began late does not skip the next one.
WAITS = {"hour": timedelta(minutes=50), "day": timedelta(hours=23, minutes=30)}
IDLE = "idle"


@dataclass(frozen=True)
class Progress:
    """How many objects of an import are in each state, and how many there are."""

    waiting: int = 0
    taken: int = 0
    duplicate: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        """All objects that the bucket was seen to have."""
        return self.waiting + self.taken + self.duplicate + self.failed

    @property
    def done(self) -> int:
        """Those that were looked at."""
        return self.total - self.waiting


def is_busy(found: S3Import, *, now: datetime | None = None) -> bool:
    """Whether a run is queued or going on."""
    moved = found.progressed_at or found.updated_at
    return found.run_state != IDLE and moved > (now or datetime.now(UTC)) - LOST


def start(session: Session, *, principal: Principal, import_id: UUID) -> S3Import:
    """Queue a run, which begins once the caller has committed.

    Raises:
        Conflict: one is queued or running, or the import has no space any more.
        NotFound: there is none of that id here.
        Forbidden: without `workspace:manage`.
    """
    found = configured.get(session, principal=principal, import_id=import_id, lock=True)
    if is_busy(found):
        raise Conflict("This import is running already.", hint="Wait until it has ended.")
    if found.space_id is None:
        raise Conflict("The space of this import is gone.", hint="Choose another one.")
    _queue(session, found)
    audit.record(session, principal=principal, action="s3-import.run", target=f"s3-import:{import_id}")
    return found


def start_due(session: Session, *, now: datetime | None = None) -> list[str]:
    """Queue a run of every import whose hour or day has come, in all workspaces; their names."""
    now = now or datetime.now(UTC)
    due = [
        (S3Import.every == every) & or_(S3Import.started_at.is_(None), S3Import.started_at <= now - wait)
        for every, wait in WAITS.items()
    ]
    query = select(S3Import).where(or_(*due), S3Import.space_id.is_not(None)).order_by(S3Import.id)
    found = [
        one for one in session.scalars(query.with_for_update(skip_locked=True)) if not is_busy(one, now=now)
    ]
    for one in found:
        _queue(session, one)
    return [one.name for one in found]


def progress(session: Session, *, principal: Principal, import_id: UUID) -> Progress:
    """How far an import is.

    Raises:
        NotFound: there is none of that id here.
        Forbidden: without `workspace:manage`.
    """
    counted = _of(session, principal, import_id).with_only_columns(S3ImportObject.status, func.count())
    rows = session.execute(counted.group_by(S3ImportObject.status))
    return Progress(**{row[0]: row[1] for row in rows})


def list_objects(
    session: Session,
    *,
    principal: Principal,
    import_id: UUID,
    status: str = "",
    after: str = "",
    limit: int = PAGE,
) -> list[S3ImportObject]:
    """The objects of an import by key, those behind `after`.

    Args:
        status: one of `OBJECT_STATES`; empty: any.

    Raises:
        InvalidInput: there is no such status.
        NotFound: there is none of that id here.
        Forbidden: without `workspace:manage`.
    """
    query = _of(session, principal, import_id)
    if status and status not in OBJECT_STATES:
        raise InvalidInput(
            msg("There is no status {status!r}.", status=status[:50]),
            hint=msg("It is one of: {names}.", names=", ".join(OBJECT_STATES)),
        )
    if status:
        query = query.where(S3ImportObject.status == status)
    if after:
        query = query.where(S3ImportObject.key > after)
    return list(session.scalars(query.order_by(S3ImportObject.key).limit(limit)))


def retry(session: Session, *, principal: Principal, import_id: UUID, object_id: UUID | None = None) -> int:
    """Have an object that failed taken once more, or all of them, and queue a run; how many they are.

    Raises:
        Conflict: it has not failed, or the import has no space any more.
        NotFound: there is no such import or object here.
        Forbidden: without `workspace:manage`.
    """
    found = configured.get(session, principal=principal, import_id=import_id, lock=True)
    if object_id is not None:
        one = session.scalar(_of(session, principal, import_id).where(S3ImportObject.id == object_id))
        if one is None:
            raise NotFound("There is no such object in this import.")
        if one.status != "failed":
            raise Conflict("This object has not failed.")
    chosen = S3ImportObject.status == "failed"
    if object_id is not None:
        chosen = chosen & (S3ImportObject.id == object_id)
    again = update(S3ImportObject).where(
        S3ImportObject.workspace_id == principal.workspace_id, S3ImportObject.import_id == import_id, chosen
    )
    again = again.values(status="waiting", reason="", updated_at=func.now()).returning(S3ImportObject.id)
    count = len(session.execute(again).all())
    if count and is_busy(found):
        # The run that goes on may be behind their keys already; this one waits until it has ended.
        enqueue(session, JOB, import_id=found.id)
    elif count:
        start(session, principal=principal, import_id=import_id)
    return count


def _queue(session: Session, found: S3Import) -> None:
    found.run_state, found.run_problem, found.progressed_at = "queued", "", datetime.now(UTC)
    session.flush()
    enqueue(session, JOB, import_id=found.id)


def _of(session: Session, principal: Principal, import_id: UUID) -> Select[tuple[S3ImportObject]]:
    configured.get(session, principal=principal, import_id=import_id)
    return select(S3ImportObject).where(
        S3ImportObject.workspace_id == principal.workspace_id, S3ImportObject.import_id == import_id
    )
