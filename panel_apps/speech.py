"""The language of a dashboard while it is made, shown or refreshed; its texts, figures and times in it.

A dashboard's parts are made far below where its visitor is known. What stands on top (the opening of a page, a refresh,
a file) says once which language is spoken.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from babel.dates import format_date, format_time
from babel.numbers import get_decimal_symbol, get_group_symbol

from leitstand.words import DEFAULT, Message, translate
from serving.shell import formats, names

_spoken: ContextVar[str] = ContextVar("dashboard_language", default=DEFAULT)
# How points in time are called in tooltips.
POINTS = {
    "en": {"day": "EEE d MMM yyyy", "month": "MMMM yyyy"},
    "de": {"day": "EEE, d. MMM yyyy", "month": "MMMM yyyy"},
}


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Speak a language, one of `leitstand.words.LANGUAGES`, in this thread."""
    before = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(before)


def language() -> str:
    """The language that is spoken."""
    return _spoken.get()


def locale() -> str:
    """The locale of figures and times, such as `de_DE`."""
    return formats.LOCALES[language()]


def say(template: str, /, **values: Any) -> str:
    """A text of the code with its values; braces in values stay as they are."""
    return translate(Message(template, values), language())


def told(text: str) -> str:
    """A text that was marked elsewhere (`N_`, `msg`); one that was not stays as it is."""
    return translate(text, language())


def number(value: float | None, digits: int = 0) -> str:
    """A figure with grouped thousands."""
    return formats.number(value, digits, language=language())


def percent(value: float | None, digits: int = 1) -> str:
    """A share (0 to 1) as a percentage."""
    return formats.percent(value, digits, language=language())


def quick_number(value: float) -> str:
    """As `number`, for the thousands of figures that a chart's tooltips hold."""
    return f"{value:,.0f}".replace(",", _marks(language())[0])


def quick_percent(value: float) -> str:
    """As `percent`, for those."""
    _, point, sign = _marks(language())
    return f"{value * 100:.1f}".replace(".", point) + sign


def cost(millionths: int, currency: str) -> str:
    """An amount in millionths of its currency."""
    return formats.cost(millionths, currency, language=language())


def amount(millionths: int) -> str:
    """The same where the currency stands elsewhere."""
    return cost(millionths, "").strip()


def size(value: int | None) -> str:
    """Bytes."""
    return formats.size(value, language=language())


def duration(seconds: float | None) -> str:
    """Seconds as people say them."""
    return formats.duration(seconds, language=language())


def day(value: date | None) -> str:
    """A day, such as 3 Nov 2026."""
    return formats.day(value, language=language())


def moment(value: datetime | None, zone: str = "UTC") -> str:
    """A `<time>`, as HTML."""
    return str(formats.moment(value, zone, language=language()))


def clock(value: datetime, *, seconds: bool = False) -> str:
    """The time of day of a local time."""
    return format_time(value, "HH:mm:ss" if seconds else "HH:mm", locale=locale())


def day_and_time(value: datetime) -> str:
    """A local time with its day."""
    return f"{day(value.date())}, {clock(value)}"


def moment_in_utc(value: datetime) -> str:
    """An instant in UTC, as it is kept, for tables."""
    return f"{day_and_time(value)} UTC"


def month(value: date) -> str:
    """A month with its year."""
    return _point(value, "month", language())


def month_name(value: date) -> str:
    """A month without its year."""
    return format_date(value, "LLLL", locale=locale())


def weekday(value: date) -> str:
    """A day with the day of the week before it."""
    return _point(value, "day", language())


def status(value: str) -> str:
    """A state of a file, a job, a drill."""
    return names.status_name(value, language=language())


@lru_cache(maxsize=8)
def _marks(language: str) -> tuple[str, str, str]:
    """What stands between thousands, before decimals, and for a hundredth."""
    spoken = formats.LOCALES[language]
    return get_group_symbol(spoken), get_decimal_symbol(spoken), formats.PERCENT[language]


@lru_cache(maxsize=4_096)
def _point(value: date, form: str, language: str) -> str:
    return format_date(value, POINTS[language][form], locale=formats.LOCALES[language])
