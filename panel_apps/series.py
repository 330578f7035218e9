"""Rows over days made ready for a chart: grouped where there are too many of them to read."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

from panel_apps.speech import day as day_form
from panel_apps.speech import month, say, weekday

if TYPE_CHECKING:
    import pandas as pd

# Up to so many days a day has its own point; then a week, then a month.
Unit = Literal["day", "week", "month"]
DAYS_UP_TO, WEEKS_UP_TO = 120, 800
FREQUENCIES = {"week": "W-MON", "month": "MS"}
# The columns of the period before begin so; that of its days is this and `day`.
BEFORE = "before_"
DAY = timedelta(days=1)


def unit_of(days: int) -> Unit:
    """By what a range of so many days is drawn: day, week or month."""
    if days <= DAYS_UP_TO:
        return "day"
    return "week" if days <= WEEKS_UP_TO else "month"


def summed(rows: "pd.DataFrame", columns: list[str], unit: str) -> "pd.DataFrame":
    """Counts that add up (runs, each in one day) by unit.

    Args:
        rows: column `day` and the counts.

    Returns:
        Columns `at` (the first day of each unit) and the counts, ascending, without gaps.
    """
    import pandas as pd

    found = rows[["day", *columns]].rename(columns={"day": "at"})
    if unit == "day" or found.empty:
        return found.reset_index(drop=True)
    found["at"] = pd.to_datetime(found["at"])
    grouped = (
        found.resample(FREQUENCIES[unit], on="at", closed="left", label="left")[columns].sum().reset_index()
    )
    grouped["at"] = grouped["at"].dt.date
    return grouped


def starts(days: "pd.Series[date]", unit: str) -> "pd.Series[date]":
    """The first day of each day's unit."""
    first = {
        "day": lambda at: at,
        "week": lambda at: at - at.weekday() * DAY,
        "month": lambda at: at.replace(day=1),
    }
    return days.map(first[unit])


def every_day(rows: "pd.DataFrame", start: date, end: date) -> "pd.DataFrame":
    """Counts by day with a row of zeros for each day of [start, end) that has none.

    Args:
        rows: column `day` and counts.
    """
    import pandas as pd

    days = pd.Index(pd.date_range(start, end, inclusive="left").date, name="day")
    return rows.set_index("day").reindex(days, fill_value=0).reset_index()


def last_of(rows: "pd.DataFrame", unit: str) -> "pd.DataFrame":
    """The last day of each unit: for figures that don't add up (people), each stays one day's exact figure.

    Args:
        rows: column `day`, ascending, and the figures.
    """
    import pandas as pd

    found = rows.rename(columns={"day": "at"})
    if unit == "day" or found.empty:
        return found.reset_index(drop=True)
    periods = pd.to_datetime(found["at"]).dt.to_period("W-SUN" if unit == "week" else "M")
    return found.groupby(periods, sort=True).tail(1).reset_index(drop=True)


def labels(days: "pd.Series[date]", unit: str) -> list[str]:
    """What each point in time is called in a tooltip."""
    if unit == "week":
        return [say("Week of {day}", day=day_form(at)) for at in days]
    return [(month if unit == "month" else weekday)(at) for at in days]


def before(columns: Sequence[str]) -> list[str]:
    """The names of columns of the period before."""
    return [f"{BEFORE}{column}" for column in columns]


def moved(
    rows: "pd.DataFrame", columns: Sequence[str], shift: timedelta, *, until: date | None = None
) -> "pd.DataFrame":
    """Rows of the period before, at the days that they are compared with: as much time had passed on both.

    Args:
        rows: column `day` and the figures.
        columns: the figures.
        shift: from the beginning of the period before to that of the range.
        until: the last day of the range that is shown; none after it is kept.

    Returns:
        Columns `day` (of the range), `before_day` and `before_…` for each figure.
    """
    import pandas as pd

    found = rows[["day", *columns]].set_axis(before(["day", *columns]), axis=1).reset_index(drop=True)
    found.insert(0, "day", pd.Series([day + shift for day in rows["day"]], dtype=object))
    return found if until is None else found[found["day"] <= until].reset_index(drop=True)


def beside(rows: "pd.DataFrame", earlier: "pd.DataFrame | None", on: str = "day") -> "pd.DataFrame":
    """Rows with those of the period before (see `moved`) beside them; days that only one of both has stay.

    Counts stay whole numbers where some are missing.
    """
    if earlier is None:
        return rows
    import pandas as pd

    whole = [name for name in earlier if pd.api.types.is_integer_dtype(earlier[name])]
    kept = dict.fromkeys(
        [*whole, *(name for name in rows if pd.api.types.is_integer_dtype(rows[name]))], "Int64"
    )
    return rows.merge(earlier, on=on, how="outer", sort=True).astype(kept)


def labels_before(days: "pd.Series[date]", unit: str, shift: timedelta, start: date, end: date) -> list[str]:
    """Which days of the period before each point is compared with.

    Args:
        days: the points: first days of each unit.
        shift: see `moved`.
        start, end: of the range; the first and the last unit are cut there.
    """
    if unit == "day":
        return [weekday(at - shift) for at in days]
    firsts = [max(at, start) - shift for at in days]
    lasts = [min(_after(at, unit), end) - DAY - shift for at in days]
    return [f"{day_form(first)} – {day_form(last)}" for first, last in zip(firsts, lasts, strict=True)]


def _after(at: date, unit: str) -> date:
    """The first day of the next unit."""
    return at + 7 * DAY if unit == "week" else (at.replace(day=1) + 31 * DAY).replace(day=1)
