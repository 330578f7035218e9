"""The facts that are copied: their rows as PostgreSQL gives them and as Parquet holds them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import DateTime
from sqlalchemy.dialects import postgresql

from leitstand.db.models import ActorBucket, RunFact
from leitstand.insights.precomputed import LOOK_BACK, precomputed

if TYPE_CHECKING:
    import pyarrow as pa

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Fact:
    """A fact.

    Args:
        name: in the log of changes and in keys.
        model: its table.
        at: the column by whose UTC day and month it is copied.
        order: what orders rows of the same instant.
        looks_back: how much older the rows may be that decide over a row's precomputed columns.
    """

    name: str
    model: type[RunFact] | type[ActorBucket]
    at: str
    order: tuple[str, ...]
    looks_back: timedelta = timedelta(0)

    @property
    def table(self) -> str:
        """Its table's name."""
        return self.model.__tablename__

    @cached_property
    def columns(self) -> dict[str, str]:
        """Those of the copy, and what each is in PostgreSQL's SQL; a copy is of one workspace."""
        own = {it.name: it.name for it in self.model.__table__.columns if it.name != "workspace_id"}
        dialect, plain = postgresql.dialect(), {"literal_binds": True}  # type: ignore[no-untyped-call]
        computed = precomputed(self.model).items()
        return own | {name: str(it.compile(dialect=dialect, compile_kwargs=plain)) for name, it in computed}

    @cached_property
    def format(self) -> str:
        """Names what a row of the copy consists of; a copy of another format is made again."""
        kinds = [(it.name, str(it.type)) for it in self.model.__table__.columns]
        return hashlib.sha256(repr((kinds, self.columns, self.at, self.order)).encode()).hexdigest()[:12]

    def select(
        self, workspace_id: UUID, days: Sequence[tuple[date, date]] | None = None, *, ordered: bool = False
    ) -> str:
        """The query of a workspace's rows of some ranges of UTC days (half-open); None: of all rows."""
        columns = ", ".join(f"{it} AS {name}" for name, it in self.columns.items())
        of_workspace = f"workspace_id = '{UUID(str(workspace_id))}'"
        query = (
            f"SELECT {', '.join(self.columns)} FROM (SELECT {columns} FROM {self.table}"  # noqa: S608 - our own names
            f" WHERE {of_workspace} AND {self._within(days, self.looks_back)}) AS looked_at WHERE {self._within(days)}"
        )
        return f"{query} ORDER BY {', '.join((self.at, *self.order))}" if ordered else query

    def reached(self, day: date) -> tuple[date, ...]:
        """The UTC days whose rows of the copy a change of that day's rows can change."""
        return (day, day + DAY) if self.looks_back else (day,)

    def between(self, start: date, end: date) -> str:
        """The condition, in SQL of an engine whose timestamps have no zone, that a row lies in [start, end)."""
        return f"({self.at} >= TIMESTAMP '{start}' AND {self.at} < TIMESTAMP '{end}')"

    def _within(self, days: Sequence[tuple[date, date]] | None, before: timedelta = timedelta(0)) -> str:
        if days is None:
            return "true"
        ranges = [
            f"({self.at} >= '{instant(start) - before}' AND {self.at} < '{instant(end)}')"
            for start, end in days
        ]
        return f"({' OR '.join(ranges) or 'false'})"

    def plain(self, batch: "pa.RecordBatch | pa.Table") -> "pa.RecordBatch | pa.Table":
        """Rows as Parquet holds them: instants are microseconds since 1970 (UTC) without a zone.

        A calendar library would look at every instant that has one.
        """
        import pyarrow as pa

        instant, instants = pa.timestamp("us"), pa.list_(pa.timestamp("us"))
        kinds = {
            column.name: instant if isinstance(column.type, DateTime) else instants
            for column in self.model.__table__.columns
            if isinstance(getattr(column.type, "item_type", column.type), DateTime)
        }
        fields = [pa.field(field.name, kinds.get(field.name, field.type)) for field in batch.schema]
        return batch.cast(pa.schema(fields))


RUNS = Fact("run", RunFact, "first_at", ("log_id", 'run_key COLLATE "C"'))
ACTORS = Fact("actor", ActorBucket, "bucket", ("companion_id", 'actor_key COLLATE "C"'), LOOK_BACK)
FACTS = (RUNS, ACTORS)


def month_of(day: date) -> date:
    """The first day of a day's month."""
    return day.replace(day=1)


def month_after(month: date) -> date:
    """The first day of the following month."""
    return (month.replace(day=28) + 4 * DAY).replace(day=1)


def months_between(first: date, last: date) -> list[date]:
    """Every month from that of `first` to that of `last`."""
    found, month = [], month_of(first)
    while month <= last:
        found.append(month)
        month = month_after(month)
    return found


def stretches(days: Sequence[date]) -> list[tuple[date, date]]:
    """Days as half-open ranges, as few as there can be."""
    ranges: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        if ranges and ranges[-1][1] == day:
            ranges[-1] = ranges[-1][0], day + DAY
        else:
            ranges.append((day, day + DAY))
    return ranges


def instant(day: date) -> datetime:
    """The instant (UTC) at which a UTC day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
