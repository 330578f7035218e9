"""Weeks and months of local days: which is the last full one, what it is called, and when its report is due."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from babel.dates import format_interval, format_skeleton

from leitstand.errors import InvalidInput
from leitstand.insights.scope import DAY, EARLIEST, LATEST
from leitstand.words import DEFAULT, msg

Cadence = Literal["week", "month"]
WEEK: Cadence = "week"
MONTH: Cadence = "month"
# Local time at which a period's report is due: before people begin, after late events of the night.
DUE = time(6)


@dataclass(frozen=True)
class Period:
    """A week (from Monday) or a calendar month: `start` is its first local day, `end` the day after its last."""

    cadence: Cadence
    start: date
    end: date

    @property
    def label(self) -> str:
        """As people say it: 16 to 22 November 2026; October 2026."""
        if self.cadence == MONTH:
            return f"{self.start:%B %Y}"
        last = self.end - DAY
        first = f"{self.start.day}"
        if self.start.month != last.month:
            first += f" {self.start:%B}"
        if self.start.year != last.year:
            first += f" {self.start.year}"
        return f"{first} to {last.day} {last:%B %Y}"

    def named(self, language: str = DEFAULT) -> str:
        """As people say it in their language; Oktober 2026 in German."""
        if language == DEFAULT:
            return self.label
        if self.cadence == MONTH:
            return str(format_skeleton("yMMMM", self.start, locale=language))
        return str(format_interval(self.start, self.end - DAY, "yMMMd", locale=language))

    def due_at(self, zone: str) -> datetime:
        """The instant at which its report is due in a zone (UTC)."""
        return datetime.combine(self.end, DUE, ZoneInfo(zone)).astimezone(UTC)

    def over(self, zone: str, now: datetime) -> bool:
        """Whether its last local day has ended."""
        return now.astimezone(ZoneInfo(zone)).date() >= self.end

    def next(self) -> "Period":
        """The period that follows."""
        return containing(self.cadence, self.end)


def containing(cadence: Cadence, day: date) -> Period:
    """The period in which a day lies.

    Raises:
        InvalidInput: the day is out of what figures can be asked about.
    """
    if not EARLIEST + 31 * DAY <= day < LATEST - 31 * DAY:
        raise InvalidInput(
            msg("There is no report of {day}.", day=day), hint="Choose a day of a period with data."
        )
    if cadence == WEEK:
        monday = day - timedelta(days=day.weekday())
        return Period(cadence, monday, monday + 7 * DAY)
    first = day.replace(day=1)
    return Period(cadence, first, (first + 31 * DAY).replace(day=1))


def last_full(cadence: Cadence, zone: str, now: datetime) -> Period:
    """The newest period that has ended in the zone."""
    today = now.astimezone(ZoneInfo(zone)).date()
    return containing(cadence, containing(cadence, today).start - DAY)


def last_due(cadence: Cadence, zone: str, now: datetime) -> Period:
    """The newest period whose report is due in the zone."""
    period = last_full(cadence, zone, now)
    return period if period.due_at(zone) <= now else containing(cadence, period.start - DAY)


def next_due(cadence: Cadence, zone: str, now: datetime) -> Period:
    """The period whose report comes next in the zone."""
    return last_due(cadence, zone, now).next()
