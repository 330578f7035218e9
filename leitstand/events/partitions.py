"""Monthly partitions of the events, made when the first event of a month comes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from uuid import UUID

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from leitstand.db.ids import lowest_uuid7

LOCK = 4_711_002
# The month that runs and those that follow, so that no event has to wait for its month to be made.
AHEAD = 3
LIST = """
SELECT c.relname, pg_total_relation_size(c.oid), greatest(c.reltuples, 0)::bigint
FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
WHERE i.inhparent = 'event'::regclass ORDER BY c.relname
"""
# Of the table, not by to_regclass: within a transaction that may answer from before another one's commit.
MISSING = (
    "SELECT name FROM unnest({names}) AS name WHERE NOT EXISTS (SELECT FROM pg_class"
    " WHERE relname = name AND relnamespace = current_schema()::regnamespace) ORDER BY name"
)
ASKED = text(MISSING.format(names="CAST(:names AS text[])"))
NAME = "event_p%Y_%m"
DAY_MS = 86_400_000
MAKE = """
CREATE TABLE {name} (LIKE event INCLUDING ALL);
ALTER TABLE event ATTACH PARTITION {name} FOR VALUES FROM ('{low}') TO ('{high}');
"""


@dataclass(frozen=True)
class Partition:
    """One month of events.

    Args:
        bytes: on disk, with its indexes.
        events: about how many, by the database's statistics.
    """

    name: str
    month: date
    bytes: int
    events: int


def list_partitions(session: Session) -> list[Partition]:
    """Every month that has a partition, in order."""
    rows = session.execute(text(LIST)).tuples()
    return [
        Partition(name, datetime.strptime(name, NAME).replace(tzinfo=UTC).date(), size, events)
        for name, size, events in rows
    ]


def make_ahead(engine: Engine, now: datetime) -> list[str]:
    """Make the partitions of this month and of the two that follow; the names of the new ones."""
    month, needed = now.astimezone(UTC).replace(day=1, hour=12), []
    for _ in range(AHEAD):
        needed.append(lowest_uuid7(month))
        month = _following(month)
    return ensure_partitions(engine, needed)


def ensure_partitions(engine: Engine, event_ids: Iterable[UUID]) -> list[str]:
    """Make the partitions that these events need and that are not there yet; the names of the new ones.

    Works in transactions of its own, so that nobody waits for the caller's. A table is made and then attached,
    which lets others write meanwhile.
    """
    names = needed(event_ids)
    with Session(engine) as session, session.begin():
        missing = _missing(session, list(names))
    for name in missing:
        _make(engine, name, names[name])
    return missing


def ensure_partitions_within(session: Session, event_ids: Iterable[UUID]) -> list[str]:
    """The same in the caller's transaction, for a few events of now.

    A request that holds a connection must not wait for a second one: when all of a pool's connections are held by
    such requests, none of them ever gets it.
    """
    names = needed(event_ids)
    missing = _missing(session, list(names))
    create_within(session, {name: names[name] for name in missing})
    return missing


def create_within(session: Session, missing: Mapping[str, datetime]) -> None:
    """Make partitions that were found missing, by name, unless others made them meanwhile."""
    for name, month in missing.items():
        _create(session, name, month)


def month_of(event_id: UUID) -> date:
    """The month (UTC, its first day) in whose partition an event stands."""
    return _month((event_id.int >> 80) // DAY_MS).date()


def name_of(month: date) -> str:
    """The name of a month's partition."""
    return month.strftime(NAME)


def needed(event_ids: Iterable[UUID]) -> dict[str, datetime]:
    """Name and month of the partitions of these events."""
    months = {_month(day) for day in {(event_id.int >> 80) // DAY_MS for event_id in event_ids}}
    return {name_of(month): month for month in months}


def _make(engine: Engine, name: str, month: datetime) -> None:
    with Session(engine) as session, session.begin():
        session.execute(text("SET LOCAL lock_timeout = '60s'"))
        _create(session, name, month)


def _create(session: Session, name: str, month: datetime) -> None:
    """Make one partition unless another transaction has just made it."""
    bounds = {"low": lowest_uuid7(month), "high": lowest_uuid7(_following(month))}
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    if _missing(session, [name]):
        session.connection().exec_driver_sql(MAKE.format(name=name, **bounds))


def _missing(session: Session, names: list[str]) -> list[str]:
    return list(session.execute(ASKED, {"names": names}).scalars())


@lru_cache(maxsize=4096)
def _month(day: int) -> datetime:
    at = datetime.fromtimestamp(day * DAY_MS / 1000, UTC)
    return at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _following(month: datetime) -> datetime:
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)
