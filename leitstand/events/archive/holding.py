"""Who waits for whom while events move between the table and the archive.

A writer holds the month of an event that may be archived, so that what it finds of the archive is so until it commits;
who moves a month holds it alone. Who reads all of a log holds the moves: nothing goes from one place to the other
between two looks. Months of now are never archived and cost nothing.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from psycopg import Cursor

from leitstand.events.partitions import month_of

CLASS = 4_711_003
MOVES = 0
# The least that the setting allows; younger months are in the table, whatever happens.
LEAST_KEPT_MONTHS = 3
LOCK_MONTHS = "SELECT pg_advisory_xact_lock_shared(%s, month) FROM unnest(%s::int[]) AS month"


def may_be_archived(event_ids: Iterable[UUID], now: datetime) -> list[date]:
    """The months of these events that are old enough to be in the archive, in order."""
    running = number_of(now.astimezone(UTC).date())
    return sorted({month for month in map(month_of, event_ids) if number_of(month) < running - 1})


def hold_months(cursor: Cursor[Any], months: Iterable[date]) -> None:
    """Keep these months where they are until the transaction ends, beside others who do so."""
    cursor.execute(LOCK_MONTHS, [CLASS, [number_of(month) for month in months]])


def hold_alone(cursor: Cursor[Any], month: date) -> None:
    """Keep everybody from writing into a month until the transaction ends."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [CLASS, number_of(month)])


def hold_moves(cursor: Cursor[Any]) -> None:
    """Keep everything where it is until the transaction ends, beside others who do so."""
    cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", [CLASS, MOVES])


def begin_move(cursor: Cursor[Any]) -> None:
    """Wait for those who read all of a log; they wait until the transaction ends."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [CLASS, MOVES])


def number_of(month: date) -> int:
    """A month as a whole number, without gaps."""
    return month.year * 12 + month.month
