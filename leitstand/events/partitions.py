"""Monthly partitions of the events, made when the first event of a month comes."""

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from leitstand.db.ids import lowest_uuid7

LOCK = 4_711_002
DAY_MS = 86_400_000
MAKE = """
CREATE TABLE {name} (LIKE event INCLUDING ALL);
ALTER TABLE event ATTACH PARTITION {name} FOR VALUES FROM ('{low}') TO ('{high}');
"""


def ensure_partitions(engine: Engine, event_ids: Iterable[UUID]) -> list[str]:
    """Make the partitions that these events need and that are not there yet; the names of the new ones.

    Works in transactions of its own, so that nobody waits for the caller's. A table is made and then attached,
    which lets others write meanwhile.
    """
    names = _needed(event_ids)
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
    names = _needed(event_ids)
    missing = _missing(session, list(names))
    for name in missing:
        _create(session, name, names[name])
    return missing


def _needed(event_ids: Iterable[UUID]) -> dict[str, datetime]:
    """Name and month of the partitions of these events."""
    months = {_month(day) for day in {(event_id.int >> 80) // DAY_MS for event_id in event_ids}}
    return {_name(month): month for month in months}


def _make(engine: Engine, name: str, month: datetime) -> None:
    with Session(engine) as session, session.begin():
        session.execute(text("SET LOCAL lock_timeout = '60s'"))
        _create(session, name, month)


def _create(session: Session, name: str, month: datetime) -> None:
    """Make one partition unless another transaction has just made it."""
    following = month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)
    bounds = {"low": lowest_uuid7(month), "high": lowest_uuid7(following)}
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    if _missing(session, [name]):
        session.connection().exec_driver_sql(MAKE.format(name=name, **bounds))


def _missing(session: Session, names: list[str]) -> list[str]:
    # Of the table, not by to_regclass: within a transaction that may answer from before another one's commit.
    asked = text(
        "SELECT name FROM unnest(CAST(:names AS text[])) AS name WHERE NOT EXISTS (SELECT FROM pg_class"
        " WHERE relname = name AND relnamespace = current_schema()::regnamespace) ORDER BY name"
    )
    return list(session.execute(asked, {"names": names}).scalars())


def _month(day: int) -> datetime:
    at = datetime.fromtimestamp(day * DAY_MS / 1000, UTC)
    return at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _name(month: datetime) -> str:
    return f"event_p{month:%Y_%m}"
