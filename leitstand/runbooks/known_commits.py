"""What is known to have been committed around an instant: transactions and rows, with the times of their commits.

The server keeps the time of every commit (`track_commit_timestamp`). A restore to an instant is right when every
transaction that was committed by then is in it, and none that was committed later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, literal_column, select, text, tuple_

from leitstand.backups.fingerprint import KEY_TABLES
from leitstand.db.models import Base
from leitstand.errors import PreconditionFailed

LOOKED_BACK = 20_000_000
EACH_SIDE = 5_000
ROWS_EACH_SIDE = 200
# Two commits at the same moment may enter the log in another order than that of their times; recovery goes by the log.
AT_ONE_MOMENT = timedelta(milliseconds=100)
# As the server's own functions take a transaction's number.
COMMIT_TIMES = """
    SELECT id, pg_xact_commit_timestamp(id::text::xid8::xid) AS at
    FROM generate_series(greatest(3, pg_snapshot_xmax(pg_current_snapshot())::text::bigint - :back),
                         pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1) AS id
"""
BEFORE = f"SELECT id, at FROM ({COMMIT_TIMES}) known WHERE at <= :instant ORDER BY at DESC LIMIT :most"  # noqa: S608 - constants
AFTER = f"SELECT id, at FROM ({COMMIT_TIMES}) known WHERE at > :instant ORDER BY at LIMIT :most"  # noqa: S608 - constants
# In a CASE, because the server refuses to be asked about a number that it has not reached.
PRESENT = """
    SELECT id FROM unnest(CAST(:ids AS bigint[])) AS id
    WHERE CASE WHEN id < pg_snapshot_xmax(pg_current_snapshot())::text::bigint
               THEN pg_xact_status(id::text::xid8) = 'committed' END
"""
VERSION = "xmin::text"
COMMITTED_AT = "CASE WHEN xmin::text::bigint > 2 THEN pg_xact_commit_timestamp(xmin) END"


@dataclass(frozen=True)
class Known:
    """What the source knows of an instant.

    Args:
        before, after: transactions and when each was committed, nearest to the instant first.
        rows_before, rows_after: of each table, key and version of the rows that they wrote.
    """

    before: dict[int, datetime]
    after: dict[int, datetime]
    rows_before: dict[str, dict[tuple[Any, ...], str]]
    rows_after: dict[str, dict[tuple[Any, ...], str]]


@dataclass(frozen=True)
class Found:
    """How a restored database compares.

    Args:
        lost: transactions of before the instant that are not in it.
        at_one_moment: those of them that were committed within `AT_ONE_MOMENT` of the instant and beside others.
        too_new: transactions of after it that are.
        rows_lost, rows_too_new: rows in words, likewise.
    """

    lost: list[int]
    at_one_moment: list[int]
    too_new: list[int]
    rows_lost: list[str]
    rows_too_new: list[str]


def require_commit_times(connection: Connection) -> None:
    """Refuse a server that keeps no times of commits.

    Raises:
        PreconditionFailed: it does not.
    """
    if connection.scalar(text("SHOW track_commit_timestamp")) != "on":
        raise PreconditionFailed(
            "The database does not keep the times of commits, so nothing is known of an instant.",
            hint="Start it with track_commit_timestamp = on; `./run down` and `./run up` do.",
        )


def oldest_known(connection: Connection) -> datetime | None:
    """The first commit whose time is kept."""
    query = f"SELECT min(at) FROM ({COMMIT_TIMES}) known"  # noqa: S608 - a constant
    found: datetime | None = connection.scalar(text(query), {"back": LOOKED_BACK})
    return found


def known_at(connection: Connection, instant: datetime) -> Known:
    """What the source knows of the transactions and rows nearest to an instant."""
    values = {"instant": instant, "back": LOOKED_BACK, "most": EACH_SIDE}
    before, after = (
        {row.id: row.at for row in connection.execute(text(query), values)} for query in (BEFORE, AFTER)
    )
    tables = [Base.metadata.tables[name] for name in KEY_TABLES]
    return Known(
        before,
        after,
        {table.name: _rows(connection, table, "<=", "DESC", instant) for table in tables},
        {table.name: _rows(connection, table, ">", "ASC", instant) for table in tables},
    )


def _rows(
    connection: Connection, table: Table, relation: str, order: str, instant: datetime
) -> dict[tuple[Any, ...], str]:
    """Key and version of the rows nearest to the instant on one side of it."""
    at = f"{COMMITTED_AT} {relation} :instant"
    query = (
        select(*table.primary_key.columns, literal_column(VERSION))
        .where(text(at).bindparams(instant=instant))
        .order_by(text(f"{COMMITTED_AT} {order}"))
        .limit(ROWS_EACH_SIDE)
    )
    return {tuple(row[:-1]): row[-1] for row in connection.execute(query)}


def compare(restored: Connection, known: Known, instant: datetime) -> Found:
    """Look for everything that is known in a restored database to which nothing was written since."""
    present = _present(restored, [*known.before, *known.after])
    lost = [number for number in known.before if number not in present]
    moment = _beside_the_instant(known, instant)
    rows_lost, rows_too_new = list[str](), list[str]()
    for name, expected in known.rows_before.items():
        found = _versions(restored, Base.metadata.tables[name], expected)
        rows_lost += [
            f"{name} {_words(key)}" for key, version in expected.items()
            if found.get(key) != version and int(version) not in moment
        ]  # fmt: skip
    for name, unwanted in known.rows_after.items():
        found = _versions(restored, Base.metadata.tables[name], unwanted)
        rows_too_new += [
            f"{name} {_words(key)}" for key, version in unwanted.items() if found.get(key) == version
        ]
    return Found(
        [number for number in lost if number not in moment],
        [number for number in lost if number in moment],
        [number for number in known.after if number in present],
        rows_lost,
        rows_too_new,
    )


def _beside_the_instant(known: Known, instant: datetime) -> set[int]:
    """Transactions just before the instant, where others were committed just after it: their order is not told."""
    if not any(at - instant < AT_ONE_MOMENT for at in known.after.values()):
        return set()
    return {number for number, at in known.before.items() if instant - at < AT_ONE_MOMENT}


def _present(connection: Connection, ids: Sequence[int]) -> set[int]:
    return set(connection.scalars(text(PRESENT), {"ids": list(ids)}))


def _versions(
    connection: Connection, table: Table, wanted: dict[tuple[Any, ...], str]
) -> dict[tuple[Any, ...], str]:
    """The versions of these rows that the restored database has."""
    if not wanted:
        return {}
    keys = list(table.primary_key.columns)
    query = select(*keys, literal_column(VERSION)).where(tuple_(*keys).in_(list(wanted)))
    return {tuple(row[:-1]): row[-1] for row in connection.execute(query)}


def newest_row(restored: Connection) -> datetime | None:
    """When the newest row of the key tables was committed, as the restored database itself says."""
    newest: list[datetime] = []
    for name in KEY_TABLES:
        at = restored.scalar(text(f"SELECT max({COMMITTED_AT}) FROM {name}"))  # noqa: S608 - our own names
        newest += [at] if at else []
    return max(newest, default=None)


def _words(key: tuple[Any, ...]) -> str:
    return "/".join(str(part) for part in key)
