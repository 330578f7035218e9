"""Local time in SQL: exact where the clocks change, for either engine.

PostgreSQL knows the zones. A columnar engine would look each instant up in a calendar library, at twice the time of the
whole question; for it the instant is moved by the offset of the stretch between two changes of the clocks that it lies
in, which is one comparison of integers.
"""

from bisect import bisect_left
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Date, DateTime, cast, func, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class LocalTime(FunctionElement[datetime]):
    """An instant as the wall clock of a zone shows it: a timestamp without a zone."""

    type = DateTime()
    inherit_cache = True
    name = "local_time"

    def __init__(self, zone: str, instant: Any) -> None:
        super().__init__(literal(zone), instant)
        self.zone = zone


class LocalHour(FunctionElement[datetime]):
    """The instant at which the local hour of an instant began; an hour that the clocks repeat is two."""

    type = DateTime(timezone=True)
    inherit_cache = True
    name = "local_hour"

    def __init__(self, zone: str, instant: Any) -> None:
        super().__init__(literal(zone), instant)
        self.zone = zone


def local_day(zone: str, instant: Any) -> ColumnElement[date]:
    """The local day of an instant."""
    return cast(LocalTime(zone, instant), Date)


def local_start(zone: str, instant: Any, unit: str) -> ColumnElement[date]:
    """The first local day of the week (from Monday) or month that an instant lies in."""
    return cast(func.date_trunc(unit, LocalTime(zone, instant)), Date)


@compiles(LocalTime)
def _time(element: LocalTime, compiler: Any, **options: Any) -> str:
    return f"timezone({compiler.process(element.clauses, **options)})"


@compiles(LocalHour)
def _hour(element: LocalHour, compiler: Any, **options: Any) -> str:
    zone, instant = (compiler.process(part, **options) for part in element.clauses)
    return f"date_trunc('hour', {instant}, {zone})"


@compiles(LocalTime, "duckdb")
def _columnar_time(element: LocalTime, compiler: Any, **options: Any) -> str:
    micros, offset = _moved(element, compiler, options)
    return f"make_timestamp({micros} + {offset})"


@compiles(LocalHour, "duckdb")
def _columnar_hour(element: LocalHour, compiler: Any, **options: Any) -> str:
    micros, offset = _moved(element, compiler, options)
    begun = f"epoch_us(date_trunc('hour', make_timestamp({micros} + {offset})))"
    return f"make_timestamp({begun} - {offset})"


def _moved(element: LocalTime | LocalHour, compiler: Any, options: dict[str, Any]) -> tuple[str, str]:
    """Microseconds of the instant, and what the zone's clock then adds to it."""
    _, instant = element.clauses
    micros = f"epoch_us({compiler.process(instant, **options)})"
    return micros, moved(element.zone, micros, compiler.dialect.bounds)


def moved(zone: str, micros: str, bounds: tuple[datetime, datetime]) -> str:
    """How many microseconds a zone's clock is ahead of UTC, in SQL of any engine.

    Args:
        micros: microseconds from 1970 (UTC) to the instant, in its SQL.
        bounds: the instants between which it lies.
    """
    *later, (_, offset) = reversed(offsets(zone, *bounds))
    whens = "".join(f" WHEN {micros} >= {since} THEN {ahead}" for since, ahead in later)
    return f"(CASE{whens} ELSE {offset} END)" if whens else str(offset)


@lru_cache(maxsize=256)
def offsets(zone: str, first: datetime, last: datetime) -> tuple[tuple[int, int], ...]:
    """The stretches of one offset that cover [first, last].

    Returns:
        Of each stretch, in order, since when (of the first: `first`) and how far ahead of UTC its clock is, both in
        microseconds.
    """
    place = ZoneInfo(zone)
    found = [(first, _offset(place, first))]
    day = first
    while day < last:
        following = min(day + DAY, last)
        if _offset(place, following) != found[-1][1]:
            change = _change(place, day, following)
            found.append((change, _offset(place, change)))
        day = following
    return tuple(((since - EPOCH) // MICROSECOND, offset // MICROSECOND) for since, offset in found)


def _offset(place: ZoneInfo, at: datetime) -> timedelta:
    return at.astimezone(place).utcoffset() or timedelta()


def _change(place: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The second between the two instants from which on the later one's offset holds."""
    offset = _offset(place, after)
    seconds = range((after - before) // SECOND + 1)
    return (
        before
        + bisect_left(seconds, True, key=lambda s: _offset(place, before + s * SECOND) == offset) * SECOND
    )
