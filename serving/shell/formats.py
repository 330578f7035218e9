"""How figures, times and icons look on every page."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_decimal, format_percent
from markupsafe import Markup, escape

from leitstand.words import DEFAULT, msg, translate
from serving.shell.assets import static_url

LOCALES = {"en": "en_GB", "de": "de_DE"}
EXACT = {"en": "d MMM yyyy, HH:mm:ss", "de": "d. MMM yyyy, HH:mm:ss"}
DAY = {"en": "d MMM yyyy", "de": "d. MMM yyyy"}
PERCENT = {"en": "%", "de": "\N{NO-BREAK SPACE}%"}
EMPTY = "–"
UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
THOUSAND = 1000
RECENT_DAYS = 7
MINUTE = 60
# Times as they are written are kept, since writing one costs more than the row that it stands in.
KEPT = 4_096
# Looked for in this order: most browsers also name those that they resemble.
BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


CITED = re.compile(r"\[(\d{1,3})\]")


def cited(text: str, citations: Iterable[Any]) -> Markup:
    """An answer whose citations lead to the elements `citation-1` and so on; everything else is escaped."""
    numbers = {str(one.number) for one in citations}

    def link(match: re.Match[str]) -> str:
        number = match[1]
        return f'<a href="#citation-{number}">[{number}]</a>' if number in numbers else match[0]

    return Markup(CITED.sub(link, str(escape(text))))  # noqa: S704 - escaped, and only digits are put in


def number(value: float | None, digits: int = 0, *, language: str = DEFAULT) -> str:
    """A figure with grouped thousands; a dash for none."""
    if value is None:
        return EMPTY
    return str(format_decimal(round(value, digits), locale=LOCALES[language]))


def money(cents: int, currency: str, *, language: str = DEFAULT) -> str:
    """An amount in hundredths of its currency, such as 1,900.00 EUR."""
    return f"{format_decimal(cents / 100, '#,##0.00', locale=LOCALES[language])} {currency}"


def cost(millionths: int, currency: str, *, language: str = DEFAULT) -> str:
    """An amount in millionths of its currency, as exactly as it is small: 0.0042 EUR, 12.50 EUR."""
    return f"{format_decimal(millionths / 1_000_000, '#,##0.00####', locale=LOCALES[language])} {currency}"


def percent(value: float | None, digits: int = 1, *, language: str = DEFAULT) -> str:
    """A share (0 to 1) as a percentage; a dash for none."""
    if value is None:
        return EMPTY
    form = ("#,##0." + "0" * digits if digits else "#,##0") + PERCENT[language]
    return str(format_percent(value, format=form, locale=LOCALES[language]))


def size(value: int | None, *, language: str = DEFAULT) -> str:
    """Bytes in the largest decimal unit that leaves a figure of at least one."""
    if value is None:
        return EMPTY
    figure, unit = float(value), 0
    while figure >= THOUSAND and unit < len(UNITS) - 1:
        figure, unit = figure / THOUSAND, unit + 1
    return f"{format_decimal(round(figure, 1 if unit else 0), locale=LOCALES[language])} {UNITS[unit]}"


def duration(seconds: float | None, *, language: str = DEFAULT) -> str:
    """Seconds as people say them: 0.4 s, 12 s, 3 min 5 s, 2 h 10 min."""
    if seconds is None:
        return EMPTY
    if seconds < 10:
        return f"{format_decimal(seconds, '0.0', locale=LOCALES[language])} s"
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    days, hours = divmod(hours, 24)
    if not days:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    shown = number(days, language=language)
    return f"{shown} d {hours} h" if hours else f"{shown} d"


def moment(value: datetime | None, zone: str = "UTC", *, language: str = DEFAULT) -> Markup | str:
    """A `<time>`: how long ago where it is recent, else the date; the exact local time on hovering."""
    if value is None:
        return EMPTY
    return _moment(value, zone, language, _ago(datetime.now(UTC) - value))


def moments(values: Iterable[datetime], zone: str = "UTC", *, language: str = DEFAULT) -> list[Markup]:
    """`moment` of each."""
    now = datetime.now(UTC)
    return [_moment(value, zone, language, _ago(now - value)) for value in values]


def _ago(age: timedelta) -> int | None:
    """The seconds to say of something that old; None where it is not recent."""
    return _rounded(age.total_seconds()) if abs(age.days) < RECENT_DAYS else None


@lru_cache(maxsize=KEPT)
def _moment(value: datetime, zone: str, language: str, ago: int | None) -> Markup:
    """The `<time>`, with so many seconds ago (in so many where it is negative); None: with the day."""
    whole, locale = value.replace(microsecond=0), LOCALES[language]
    local = whole.astimezone(ZoneInfo(zone))
    exact = f"{format_datetime(local, EXACT[language], locale=locale)} ({zone})"
    shown = (
        format_date(local, DAY[language], locale=locale)
        if ago is None
        else format_timedelta(timedelta(seconds=-ago), add_direction=True, locale=locale)
    )
    return Markup('<time datetime="{}" title="{}">{}</time>').format(whole.isoformat(), exact, shown)


def _rounded(seconds: float) -> int:
    """Seconds as exactly as they are said: from a minute on, whole minutes. What is just now was a second ago."""
    if abs(seconds) < 1:
        return 1
    return round(seconds) if abs(seconds) < MINUTE else round(seconds / MINUTE) * MINUTE


def day(value: date | None, *, language: str = DEFAULT) -> str:
    """A day, such as 3 Nov 2026."""
    return format_date(value, DAY[language], locale=LOCALES[language]) if value else EMPTY


def marked(text: str) -> Markup:
    """Text in which `this` is code."""
    parts = [
        Markup("<code>{}</code>").format(part) if at % 2 else escape(part)
        for at, part in enumerate(text.split("`"))
    ]
    return Markup("").join(parts)


def browser(user_agent: str, *, language: str = DEFAULT) -> str:
    """What people call the browser that sends this: "Firefox on Windows"; the first words of an unknown one."""
    name = next((shown for mark, shown in BROWSERS if mark in user_agent), "")
    system = next((shown for mark, shown in SYSTEMS if mark in user_agent), "")
    if not name:
        return user_agent[:60] or translate(msg("Unknown"), language)
    return translate(msg("{browser} on {system}", browser=name, system=system), language) if system else name


def sentence(text: str) -> str:
    """A text that begins with a capital; the rest stays as it is, since German writes nouns with one."""
    return text[:1].upper() + text[1:]


def initials(name: str) -> str:
    """At most two letters that stand for a name."""
    words = name.split()
    return "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)).upper()[:2]


@lru_cache(maxsize=512)
def icon(name: str, label: str = "") -> Markup:
    """An icon of the sprite; without a label it is hidden from screen readers."""
    use = Markup('<use href="{}#{}"></use>').format(static_url("icons.svg"), name)
    if label:
        return Markup('<svg class="icon" role="img" aria-label="{}">{}</svg>').format(label, use)
    return Markup('<svg class="icon" aria-hidden="true">{}</svg>').format(use)
