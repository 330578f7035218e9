"""Figures in words: grouped numbers, percentages with their counts, changes, days and instants of a zone."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

NONE = "–"
THIN = "\N{NARROW NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
KILO = 1000
UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def number(value: float | None, digits: int = 0) -> str:
    """A number with grouped thousands; a dash for none."""
    return NONE if value is None else f"{value:,.{digits}f}".replace("-", MINUS)


def counted(value: int, one: str, many: str = "") -> str:
    """A count with its noun: 1 run, 2 runs."""
    return f"{number(value)} {one if value == 1 else many or one + 's'}"


def percent(share: float | None) -> str:
    """A share (0 to 1) with one decimal; a dash for none."""
    return NONE if share is None else f"{100 * share:,.1f}{THIN}%"


def share(part: int, whole: int) -> str:
    """A percentage, never without its counts: 45.0 % (45 of 100)."""
    return f"{percent(part / whole)} ({number(part)} of {number(whole)})" if whole else f"{NONE} (0 of 0)"


def change(now: float | None, before: float | None) -> str:
    """The change from before to now, as a difference and, where there was something, in per cent of it."""
    if now is None or before is None:
        return NONE
    if now == before:
        return "unchanged"
    difference = now - before
    shown = ("+" if difference > 0 else "") + number(difference, 0 if float(difference).is_integer() else 1)
    if not before:
        return shown
    ratio = 100 * difference / before
    return f"{shown} ({'+' if ratio > 0 else MINUS}{abs(ratio):,.1f}{THIN}%)"


def points(now: float | None, before: float | None) -> str:
    """The change of a share, in percentage points."""
    if now is None or before is None:
        return NONE
    difference = round(100 * (now - before), 1)
    if not difference:
        return "unchanged"
    return f"{'+' if difference > 0 else MINUS}{abs(difference):.1f} points"


def duration(seconds: float | None) -> str:
    """Seconds as people say them; a dash for none."""
    if seconds is None:
        return NONE
    if seconds < 120:
        return f"{seconds:,.1f} s" if seconds < 10 else f"{seconds:,.0f} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:,.1f} min"
    return f"{seconds / 3600:,.1f} h" if seconds < 2 * 86_400 else f"{seconds / 86_400:,.1f} d"


def size(value: float) -> str:
    """Bytes in the largest decimal unit that leaves a figure of at least one."""
    unit = 0
    while value >= KILO and unit < len(UNITS) - 1:
        value, unit = value / KILO, unit + 1
    return f"{number(value, 1 if unit else 0)} {UNITS[unit]}"


def day(value: date | str) -> str:
    """A day with its weekday: Mon 16 Nov 2026."""
    parsed = date.fromisoformat(value) if isinstance(value, str) else value
    return f"{parsed:%a} {parsed.day} {parsed:%b %Y}"


def plain_day(value: date) -> str:
    """A day without its weekday: 16 Nov 2026."""
    return f"{value.day} {value:%b %Y}"


def short_day(value: date | str) -> str:
    """A day for an axis: Mon 16."""
    parsed = date.fromisoformat(value) if isinstance(value, str) else value
    return f"{parsed:%a} {parsed.day}"


def local_time(value: datetime | str, zone: str) -> str:
    """An instant as the local time of a zone, to the minute."""
    parsed = datetime.fromisoformat(value) if isinstance(value, str) else value
    local = parsed.astimezone(ZoneInfo(zone))
    return f"{local.day} {local:%b %Y, %H:%M}"


def instant(value: datetime | str, zone: str) -> str:
    """The same, with the zone's name."""
    return f"{local_time(value, zone)} ({zone})"
