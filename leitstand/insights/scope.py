"""What a figure is asked about: a workspace or one companion, a range of local days, a zone."""

import contextlib
import difflib
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, false, func, not_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from leitstand.catalogue.visibility import reachable
from leitstand.db.models import ActorBucket, Companion, Item, RunFact, Workspace
from leitstand.errors import InvalidInput, NotFound
from leitstand.identity.access import Principal
from leitstand.identity.workspaces import checked_zone
from leitstand.insights.local_time import local_day
from leitstand.insights.sources import Source, row
from leitstand.words import N_, msg

EARLIEST, LATEST = date(1970, 1, 1), date(2200, 1, 1)
DAY = timedelta(days=1)
QUARTER = timedelta(minutes=15)
SUGGESTIONS = 3
Instant = (
    ColumnElement[datetime]
    | InstrumentedAttribute[datetime]
    | ColumnElement[datetime | None]
    | InstrumentedAttribute[datetime | None]
)


@dataclass(frozen=True)
class Scope:
    """A question's frame; every figure of `leitstand.insights` takes one.

    Args:
        workspace_id: the workspace; nothing of another is ever read.
        companion_id: one companion, or None for all of the workspace.
        start: first local day.
        end: the local day after the last one (half-open).
        zone: IANA zone of the days.
        until: cuts the range before its end: the elapsed part of a period that still runs.
        among: only these companions (those of a tag, say), or None for all of them.
        unnamed: companions that count in every figure and that no list may name (see `unnamed_companions`).
    """

    workspace_id: UUID
    companion_id: UUID | None
    start: date
    end: date
    zone: str
    until: datetime | None = None
    among: tuple[UUID, ...] | None = None
    unnamed: tuple[UUID, ...] = ()

    @property
    def start_at(self) -> datetime:
        """The instant at which the range begins (UTC)."""
        return midnight(self.start, self.zone)

    @property
    def end_at(self) -> datetime:
        """The instant before which the range ends (UTC)."""
        end = midnight(self.end, self.zone)
        return min(end, self.until) if self.until else end

    @property
    def days(self) -> int:
        """How many local days the range has."""
        return (self.end - self.start).days

    def previous(self, *, same_weekdays: bool = False, now: datetime | None = None) -> "Scope":
        """The period of equal length just before, or the one with the same weekdays.

        A period that still runs is compared with the same elapsed part of the one before, to the quarter of an hour.
        """
        shift = timedelta(days=-(-self.days // 7) * 7 if same_weekdays else self.days)
        before = replace(self, start=self.start - shift, end=self.end - shift, until=None)
        now = now or datetime.now(UTC)
        if not self.start_at <= now < self.end_at:
            return before
        elapsed = (now - self.start_at) // QUARTER * QUARTER
        return replace(before, until=before.start_at + elapsed)

    def local_day(self, column: Instant) -> ColumnElement[date]:
        """The local day of an instant, in SQL."""
        return local_day(self.zone, column)

    def runs(self) -> list[ColumnElement[bool]]:
        """The conditions on `RunFact`: runs of the scope that began in the range."""
        return [*self.of(RunFact), RunFact.first_at >= self.start_at, RunFact.first_at < self.end_at]

    def buckets(self, *, since: datetime | None = None) -> list[ColumnElement[bool]]:
        """The conditions on `ActorBucket`: quarters of the scope in the range (or from `since` on)."""
        begin = self.start_at if since is None else since
        return [*self.of(ActorBucket), ActorBucket.bucket >= begin, ActorBucket.bucket < self.end_at]

    def within(
        self, workspace: InstrumentedAttribute[UUID], at: InstrumentedAttribute[datetime]
    ) -> list[ColumnElement[bool]]:
        """The conditions on rows that are no facts: those of the workspace whose instant lies in the range."""
        return [workspace == self.workspace_id, at >= self.start_at, at < self.end_at]

    def named(self) -> list[ColumnElement[bool]]:
        """The conditions on `Item`: companions that a list may name."""
        return [Item.id.not_in(self.unnamed)] if self.unnamed else []

    def of(self, facts: type[RunFact] | type[ActorBucket]) -> list[ColumnElement[bool]]:
        """The conditions on either fact without a range."""
        conditions = [facts.workspace_id == self.workspace_id]
        if self.companion_id is not None:
            conditions.append(facts.companion_id == self.companion_id)
        if self.among is not None:
            conditions.append(facts.companion_id.in_(self.among))
        return conditions


def resolve(
    session: Session,
    *,
    workspace_id: UUID,
    companion: str | None = None,
    start: date | None = None,
    end: date | None = None,
    zone: str | None = None,
    reader: Principal | None = None,
) -> Scope:
    """The scope that a person's words mean.

    Args:
        companion: what imported events call it, its public link, its id or its title.
        start: first local day; None: the first that has an event.
        end: the day after the last; None: after the last that has an event.
        zone: IANA zone; None: the workspace's.
        reader: who is told the figures, which names no companion that they may not see; None: whoever runs this machine.

    Raises:
        NotFound: no such workspace, or no such companion for the reader.
        InvalidInput: no such zone, or a range that is empty or out of bounds.
    """
    workspace = session.get(Workspace, workspace_id)
    if workspace is None:
        raise NotFound("There is no such workspace.", hint="`leitstand workspace list` shows the workspaces.")
    _check_days([day for day in (start, end) if day])
    zone = checked_zone(zone) if zone else workspace.reporting_zone
    unnamed = unnamed_companions(session, reader) if reader else ()
    found = None if companion is None else find_companion(session, workspace_id, companion, unnamed=unnamed)
    whole = Scope(workspace_id, found, EARLIEST, LATEST, zone, unnamed=unnamed)
    first, last = (None, None) if start and end else data_days(session, whole)
    today = datetime.now(ZoneInfo(zone)).date()
    begin = start or min(first or today, end - DAY if end else LATEST)
    finish = end or max((last or today) + DAY, begin + DAY)
    _check_range(begin, finish)
    return replace(whole, start=begin, end=finish)


def data_days(source: Source, scope: Scope) -> tuple[date | None, date | None]:
    """The first and the last local day on which anything happened, whatever the scope's range."""
    statement = select(func.min(ActorBucket.bucket), func.max(ActorBucket.bucket)).where(
        *scope.of(ActorBucket)
    )
    first, last = row(source, statement)
    zone = ZoneInfo(scope.zone)
    return (first.astimezone(zone).date(), last.astimezone(zone).date()) if first else (None, None)


def unnamed_companions(session: Session, reader: Principal) -> tuple[UUID, ...]:
    """Ids, ascending, of the companions that the reader may not see.

    The workspace's figures count their runs; their names are told to nobody else, nor what runs on one of them alone.
    """
    foreign = [
        Item.workspace_id == reader.workspace_id,
        Item.kind == "companion",
        # An item without an owner is nobody's own: unknown counts as no.
        not_(func.coalesce(reachable(reader), false())),
    ]
    return tuple(session.scalars(select(Item.id).where(*foreign).order_by(Item.id)))


def find_companion(
    session: Session, workspace_id: UUID, name: str, *, unnamed: tuple[UUID, ...] = ()
) -> UUID:
    """A companion of the workspace by external name, public link, id or title (in this order).

    Args:
        unnamed: those that are as if they were not there.

    Raises:
        NotFound: there is none; the hint names what is near.
    """
    known = _known(workspace_id, unnamed)
    of_workspace = select(Item.id).join(Companion, Companion.item_id == Item.id).where(*known)
    for condition in _namings(name):
        found = session.execute(of_workspace.where(condition).order_by(Item.id).limit(1)).scalar()
        if found is not None:
            return found
    raise NotFound(
        msg("There is no companion {name!r} in this workspace.", name=name), hint=_near(session, known, name)
    )


def _known(workspace_id: UUID, unnamed: tuple[UUID, ...]) -> list[ColumnElement[bool]]:
    known = [Item.workspace_id == workspace_id, Item.kind == "companion", Item.deleted_at.is_(None)]
    return [*known, Item.id.not_in(unnamed)] if unnamed else known


def _namings(name: str) -> list[ColumnElement[bool]]:
    namings = [Item.external_key == name, Companion.slug == name]
    with contextlib.suppress(ValueError):
        namings.append(Item.id == UUID(name))
    return [*namings, Item.title == name]


def _near(session: Session, known: list[ColumnElement[bool]], name: str) -> str:
    named: Select[tuple[str]] = (
        select(func.coalesce(Item.external_key, Item.title))
        .where(*known)
        .order_by(Item.updated_at.desc())
        .limit(1000)
    )
    names = list(session.execute(named).scalars())
    near = difflib.get_close_matches(name, names, SUGGESTIONS, 0.4) or names[:SUGGESTIONS]
    if not near:
        return N_("The workspace has no companions yet; import events or make one.")
    return msg("There is for example: {names}.", names=", ".join(near))


def _check_days(days: list[date]) -> None:
    if not all(EARLIEST <= day <= LATEST for day in days):
        raise InvalidInput(
            msg("A range must lie between {earliest} and {latest}.", earliest=EARLIEST, latest=LATEST),
            hint="Choose days within it.",
        )


def _check_range(start: date, end: date) -> None:
    if start >= end:
        hint = N_(
            "The range goes from the first day to the day after the last: one day is --from 2026-01-01 --to 2026-01-02."
        )
        raise InvalidInput(
            msg("The range from {start} to {end} has no day.", start=start, end=end), hint=hint
        )


def midnight(day: date, zone: str) -> datetime:
    """The instant (UTC) at which a local day begins, also where the clocks change at midnight."""
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
