"""Threads as people see them: who may, the list, one with its steps, and how many need somebody."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, func, select, true
from sqlalchemy.orm import Session

from leitstand.catalogue import cursors
from leitstand.catalogue.listing import LARGEST_PAGE, PAGE, titles_of
from leitstand.db.ids import lowest_uuid7
from leitstand.db.models import Item, Person, Thread, ThreadStep
from leitstand.db.models.agents import OPEN_STATUSES, THREAD_STATUSES
from leitstand.errors import InvalidInput, NotFound
from leitstand.identity.access import Principal, require
from leitstand.words import msg

MANAGE = "workspace:manage"
# What is asked for as one: all that has not ended.
OPEN = "open"
STATUSES = (OPEN, *THREAD_STATUSES)


@dataclass(frozen=True)
class Filters:
    """Which threads; what is empty does not filter.

    Args:
        status: one of `STATUSES`.
        person_id: for whom they run; whoever does not manage the workspace sees their own alone.
        since: begun then or later.
        until: begun before then.
    """

    status: str = ""
    agent_id: UUID | None = None
    app_id: UUID | None = None
    person_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def active(self) -> bool:
        """Whether anything narrows the list."""
        return self != Filters()


@dataclass(frozen=True)
class Row:
    """A thread, for whom it runs (empty: gone), and its agent and app as far as the reader may see them."""

    thread: Thread
    person: str
    agent: Item | None
    app: Item | None

    @property
    def tokens(self) -> int:
        """Both ways together."""
        return self.thread.prompt_tokens + self.thread.completion_tokens

    @property
    def ended(self) -> bool:
        """Whether nothing happens in it any more."""
        return self.thread.status not in OPEN_STATUSES


@dataclass(frozen=True)
class Page:
    """A page of a list; `cursor` leads to the next, None at the end."""

    rows: Sequence[Row]
    cursor: str | None


@dataclass(frozen=True)
class Opened:
    """A thread with its steps in order, and the threads that repeat it."""

    row: Row
    steps: Sequence[ThreadStep]
    retries: Sequence[UUID]


@dataclass(frozen=True)
class Standing:
    """How many of a person's threads go on, how many of those wait for approval, and how many failed today."""

    open: int
    waiting: int
    failed: int


def visible(principal: Principal) -> ColumnElement[bool]:
    """The threads that the principal may see: their own, and all of the workspace for whoever manages it."""
    here = Thread.workspace_id == principal.workspace_id
    return and_(here, true() if sees_all(principal) else Thread.person_id == principal.person_id)


def sees_all(principal: Principal) -> bool:
    """Whether the principal sees other people's threads too."""
    return principal.may(MANAGE) and not principal.external


def find(
    session: Session,
    *,
    principal: Principal,
    filters: Filters = Filters(),
    cursor: str | None = None,
    limit: int = PAGE,
) -> Page:
    """The threads that match, the newest first.

    Args:
        cursor: where the previous page ended.
        limit: 1 to 200.

    Raises:
        Forbidden: without `item:read`.
        InvalidInput: there is no such status, or the cursor is not ours.
    """
    require(principal, "item:read")
    limit = max(1, min(limit, LARGEST_PAGE))
    query = _matching(principal, filters)
    if cursor:
        query = query.where(Thread.id < cursors.decode(cursor)[1])
    found = _rows(session, principal, query.order_by(Thread.id.desc()).limit(limit + 1))
    return Page(*cursors.cut(found, limit, lambda row: cursors.encode(row.thread.created_at, row.thread.id)))


def get(session: Session, *, principal: Principal, thread_id: UUID, lock: bool = False) -> Thread:
    """One thread.

    Args:
        lock: hold its row until the transaction ends.

    Raises:
        Forbidden: without `item:read`.
        NotFound: there is none that the principal may see.
    """
    require(principal, "item:read")
    query = select(Thread).where(visible(principal), Thread.id == thread_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    thread = session.scalar(query)
    if thread is None:
        raise NotFound("There is no such thread.", hint="Agent threads lists those that you may see.")
    return thread


def open_one(session: Session, *, principal: Principal, thread_id: UUID) -> Opened:
    """One thread with its steps.

    Raises:
        Forbidden: without `item:read`.
        NotFound: there is none that the principal may see.
    """
    thread = get(session, principal=principal, thread_id=thread_id)
    (row,) = _rows(session, principal, _joined(principal).where(Thread.id == thread.id))
    again = select(Thread.id).where(visible(principal), Thread.retry_of == thread.id).order_by(Thread.id)
    return Opened(row, steps_of(session, thread), session.scalars(again).all())


def steps_of(session: Session, thread: Thread) -> Sequence[ThreadStep]:
    """The steps of a thread in order; see `get` for who may see it."""
    query = select(ThreadStep).where(
        ThreadStep.workspace_id == thread.workspace_id, ThreadStep.thread_id == thread.id
    )
    return session.scalars(query.order_by(ThreadStep.position)).all()


def standing(session: Session, *, principal: Principal, now: datetime | None = None) -> Standing:
    """How the principal's own threads stand; a day begins in their zone.

    Raises:
        Forbidden: without `item:read`.
    """
    require(principal, "item:read")
    return Standing(*session.execute(standing_query(principal, now or datetime.now(UTC))).one())


def standing_query(principal: Principal, now: datetime) -> Select[tuple[int, int, int]]:
    """What `standing` asks: the open threads of the workspace are few, and of a person those of today follow each other."""
    mine = and_(Thread.workspace_id == principal.workspace_id, Thread.person_id == principal.person_id)
    zone = ZoneInfo(principal.local_zone)
    midnight = datetime.combine(now.astimezone(zone).date(), time(), zone)
    going = select(
        func.count().label("open"), func.count().filter(Thread.status == "waiting").label("waiting")
    ).where(mine, Thread.status.in_(OPEN_STATUSES))
    failed = select(func.count()).where(mine, Thread.status == "failed", Thread.id >= lowest_uuid7(midnight))
    found = going.subquery()
    return select(found.c.open, found.c.waiting, failed.scalar_subquery())


def _joined(principal: Principal) -> Select[Any]:
    return (
        select(Thread, Person.name).outerjoin(Person, Person.id == Thread.person_id).where(visible(principal))
    )


def _matching(principal: Principal, filters: Filters) -> Select[Any]:
    query = _joined(principal)
    if filters.status and filters.status not in STATUSES:
        raise InvalidInput(
            msg("There is no status {status!r}.", status=filters.status[:40]),
            hint=msg("It is one of: {names}.", names=", ".join(STATUSES)),
        )
    if filters.status == OPEN:
        query = query.where(Thread.status.in_(OPEN_STATUSES))
    elif filters.status:
        query = query.where(Thread.status == filters.status)
    for column, wanted in (
        (Thread.agent_id, filters.agent_id),
        (Thread.app_id, filters.app_id),
        (Thread.person_id, filters.person_id),
    ):
        if wanted:
            query = query.where(column == wanted)
    # An id holds the instant at which it was made, so that a period is a range of the index that orders the list.
    if filters.since:
        query = query.where(Thread.id >= lowest_uuid7(filters.since))
    if filters.until:
        query = query.where(Thread.id < lowest_uuid7(filters.until))
    return query


def _rows(session: Session, principal: Principal, query: Select[Any]) -> list[Row]:
    found = session.execute(query).all()
    used = {one for thread, _ in found for one in (thread.agent_id, thread.app_id) if one}
    seen = titles_of(session, principal=principal, item_ids=used)
    return [
        Row(thread, person or "", seen.get(thread.agent_id), seen.get(thread.app_id))
        for thread, person in found
    ]
