"""Ingestion: what came in as event files and documents, how long it took, and what was refused or failed, and why."""

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from sqlalchemy import Float, Select, cast, func, select
from sqlalchemy.orm import Session

from leitstand.catalogue.visibility import visible
from leitstand.db.models import Document, EventImport, EventRefusal, Item
from leitstand.identity.access import Principal, require
from leitstand.insights.frames import by_code_point, whole
from leitstand.insights.scope import Scope
from leitstand.insights.sources import frame

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 100
FAILED = ("failed", "infected")
FINISHED = ("ready", *FAILED)


@dataclass(frozen=True)
class Latency:
    """How long documents took from their upload until they were last made ready.

    Args:
        documents: how many are ready.
        median, p95: seconds; None without any.
    """

    documents: int
    median: float | None
    p95: float | None


def files_by_day(session: Session, scope: Scope, *, principal: Principal) -> "pd.DataFrame":
    """Imports of event files by the local day on which they began.

    Returns:
        Columns `day`, `files`, `accepted`, `duplicates` (already there, or twice in the file), `refused` (events);
        days with imports only.

    Raises:
        Forbidden: without `insights:read`.
    """
    require(principal, "insights:read")
    day = scope.local_day(EventImport.started_at).label("day")
    twice = func.sum(EventImport.duplicates + EventImport.identical)
    columns = (
        func.count().label("files"),
        whole(func.sum(EventImport.accepted)).label("accepted"),
        whole(twice).label("duplicates"),
        whole(func.sum(EventImport.refused)).label("refused"),
    )
    within = scope.within(EventImport.workspace_id, EventImport.started_at)
    return frame(session, select(day, *columns).where(*within).group_by(day).order_by(day))


def files(session: Session, scope: Scope, *, principal: Principal) -> "pd.DataFrame":
    """The imports of event files that began in the range, the newest first (at most 100).

    Returns:
        Columns `file`, `status`, `began`, `seconds` (None while it runs), `accepted`, `duplicates`, `refused`.

    Raises:
        Forbidden: without `insights:read`.
    """
    require(principal, "insights:read")
    seconds = func.extract("epoch", EventImport.finished_at - EventImport.started_at)
    statement = (
        select(
            EventImport.file_name.label("file"),
            EventImport.status,
            EventImport.started_at.label("began"),
            cast(seconds, Float).label("seconds"),
            EventImport.accepted,
            (EventImport.duplicates + EventImport.identical).label("duplicates"),
            EventImport.refused,
        )
        .where(*scope.within(EventImport.workspace_id, EventImport.started_at))
        .order_by(EventImport.started_at.desc(), EventImport.id)
        .limit(MOST_ROWS)
    )
    return frame(session, statement)


def refusals(session: Session, scope: Scope, *, principal: Principal) -> "pd.DataFrame":
    """Refused events of the range by reason, the most frequent first (at most 100 reasons).

    Returns:
        Columns `reason`, `events`, `replayed` (of these, taken since), `last` (the newest of them).

    Raises:
        Forbidden: without `insights:read`.
    """
    require(principal, "insights:read")
    statement = (
        select(
            EventRefusal.reason,
            func.count().label("events"),
            func.count(EventRefusal.replayed_at).label("replayed"),
            func.max(EventRefusal.at).label("last"),
        )
        .where(*scope.within(EventRefusal.workspace_id, EventRefusal.at))
        .group_by(EventRefusal.reason)
        .order_by(func.count().desc(), by_code_point(EventRefusal.reason))
        .limit(MOST_ROWS)
    )
    return frame(session, statement, texts=["reason"])


def documents_by_day(session: Session, scope: Scope, *, principal: Principal) -> "pd.DataFrame":
    """Documents by the local day of their upload and by what became of them; of spaces that the principal may see.

    Returns:
        Columns `day`, `ready`, `failed`, `waiting` (not read yet), `bytes`; days with uploads only.

    Raises:
        Forbidden: without `insights:read`.
    """
    day = scope.local_day(Document.created_at).label("day")
    columns = (
        func.count().filter(Document.status == "ready").label("ready"),
        func.count().filter(Document.status.in_(FAILED)).label("failed"),
        func.count().filter(Document.status.not_in(FINISHED)).label("waiting"),
        whole(func.sum(Document.bytes)).label("bytes"),
    )
    return frame(session, _documents(principal, scope, day, *columns).group_by(day).order_by(day))


def failures(session: Session, scope: Scope, *, principal: Principal) -> "pd.DataFrame":
    """Documents of the range that could not be read, by reason, the most frequent first (at most 100 reasons).

    Returns:
        Columns `reason`, `documents`, `example` (the title of one), `last` (when it was tried last).

    Raises:
        Forbidden: without `insights:read`.
    """
    columns = (
        Document.reason,
        func.count().label("documents"),
        func.max(Document.title).label("example"),
        func.max(Document.updated_at).label("last"),
    )
    statement = (
        _documents(principal, scope, *columns)
        .where(Document.status.in_(FAILED))
        .group_by(Document.reason)
        .order_by(func.count().desc(), by_code_point(Document.reason))
        .limit(MOST_ROWS)
    )
    return frame(session, statement, texts=["reason"])


def latency(session: Session, scope: Scope, *, principal: Principal) -> Latency:
    """How long the documents uploaded in the range took until they were last made ready.

    One that was read again later counts until then.

    Raises:
        Forbidden: without `insights:read`.
    """
    seconds = func.extract("epoch", Document.updated_at - Document.created_at)
    median, p95 = (func.percentile_cont(share).within_group(seconds) for share in (0.5, 0.95))
    statement = _documents(principal, scope, func.count(), median, p95).where(Document.status == "ready")
    count, *times = session.execute(statement).one()
    return Latency(int(count), *(None if time is None else float(time) for time in times))


def days_with_any(session: Session, scope: Scope, *, principal: Principal) -> tuple[date | None, date | None]:
    """The first and last local day on which a file or a document came in.

    Raises:
        Forbidden: without `insights:read`.
    """
    require(principal, "insights:read")
    found: list[Any] = []
    for workspace, at in (
        (EventImport.workspace_id, EventImport.started_at),
        (Document.workspace_id, Document.created_at),
    ):
        day = scope.local_day(at)
        first, last = session.execute(
            select(func.min(day), func.max(day)).where(workspace == scope.workspace_id)
        ).one()
        found += [one for one in (first, last) if one is not None]
    return min(found, default=None), max(found, default=None)


def _documents(principal: Principal, scope: Scope, *columns: Any) -> Select[Any]:
    """Documents uploaded in the range to spaces that the principal may see, those in the trash left out."""
    require(principal, "insights:read")
    return (
        select(*columns)
        .select_from(Document)
        .join(Item, Item.id == Document.space_id)
        .where(visible(principal), Document.deleted_at.is_(None))
        .where(*scope.within(Document.workspace_id, Document.created_at))
    )
