"""How figures, times and icons look on every page."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_decimal, format_percent
from markupsafe import Markup, escape

from serving.shell.assets import static_url

LOCALE = "en_GB"
EMPTY = "–"
UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
THOUSAND = 1000
RECENT_DAYS = 7
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


def number(value: float | None, digits: int = 0) -> str:
    """A figure with grouped thousands; a dash for none."""
    if value is None:
        return EMPTY
    return str(format_decimal(round(value, digits), locale=LOCALE))


def percent(value: float | None, digits: int = 1) -> str:
    """A share (0 to 1) as a percentage; a dash for none."""
    if value is None:
        return EMPTY
    return str(format_percent(value, format=f"#,##0.{'0' * digits}%" if digits else "#,##0%", locale=LOCALE))


def size(value: int | None) -> str:
    """Bytes in the largest decimal unit that leaves a figure of at least one."""
    if value is None:
        return EMPTY
    figure, unit = float(value), 0
    while figure >= THOUSAND and unit < len(UNITS) - 1:
        figure, unit = figure / THOUSAND, unit + 1
    return f"{format_decimal(round(figure, 1 if unit else 0), locale=LOCALE)} {UNITS[unit]}"


def duration(seconds: float | None) -> str:
    """Seconds as people say them: 0.4 s, 12 s, 3 min 5 s, 2 h 10 min."""
    if seconds is None:
        return EMPTY
    if seconds < 10:
        return f"{seconds:.1f} s"
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
    return f"{number(days)} d {hours} h" if hours else f"{number(days)} d"


def moment(value: datetime | None, zone: str = "UTC") -> Markup | str:
    """A `<time>`: how long ago where it is recent, else the date; the exact local time on hovering."""
    if value is None:
        return EMPTY
    local = value.astimezone(ZoneInfo(zone))
    age = datetime.now(UTC) - value
    exact = f"{format_datetime(local, 'd MMM yyyy, HH:mm:ss', locale=LOCALE)} ({zone})"
    if abs(age.days) < RECENT_DAYS:
        shown = format_timedelta(-age, add_direction=True, locale=LOCALE)
    else:
        shown = format_date(local, "d MMM yyyy", locale=LOCALE)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        value.isoformat(timespec="seconds"), exact, shown
    )


def day(value: date | None) -> str:
    """A day, such as 3 Nov 2026."""
    return format_date(value, "d MMM yyyy", locale=LOCALE) if value else EMPTY


def marked(text: str) -> Markup:
    """Text in which `this` is code."""
    parts = [
        Markup("<code>{}</code>").format(part) if at % 2 else escape(part)
        for at, part in enumerate(text.split("`"))
    ]
    return Markup("").join(parts)


def browser(user_agent: str) -> str:
    """What people call the browser that sends this: "Firefox on Windows"; the first words of an unknown one."""
    name = next((shown for mark, shown in BROWSERS if mark in user_agent), "")
    system = next((shown for mark, shown in SYSTEMS if mark in user_agent), "")
    if not name:
        return user_agent[:60] or "Unknown"
    return f"{name} on {system}" if system else name


def initials(name: str) -> str:
    """At most two letters that stand for a name."""
    words = name.split()
    return "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)).upper()[:2]


def icon(name: str, label: str = "") -> Markup:
    """An icon of the sprite; without a label it is hidden from screen readers."""
    use = Markup('<use href="{}#{}"></use>').format(static_url("icons.svg"), name)
    if label:
        return Markup('<svg class="icon" role="img" aria-label="{}">{}</svg>').format(label, use)
    return Markup('<svg class="icon" aria-hidden="true">{}</svg>').format(use)
