"""Rows over days made ready for a chart: grouped where there are too many of them to read."""

from datetime import date
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

# Up to so many days a day has its own point; then a week, then a month.
Unit = Literal["day", "week", "month"]
DAYS_UP_TO, WEEKS_UP_TO = 120, 800
FREQUENCIES = {"week": "W-MON", "month": "MS"}


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
    forms = {"day": "%a %-d %b %Y", "week": "Week of %-d %b %Y", "month": "%B %Y"}
    return [at.strftime(forms[unit]) for at in days]
