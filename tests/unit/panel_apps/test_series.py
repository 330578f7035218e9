"""Rows made ready for charts: nothing is lost by grouping, and people are never added up."""

from datetime import date, timedelta

import pandas as pd
import pytest

from panel_apps.series import labels, last_of, summed, unit_of

DAY = timedelta(days=1)


def rows(start: date, days: int) -> pd.DataFrame:
    return pd.DataFrame({"day": [start + place * DAY for place in range(days)], "viewed": range(days)})


@pytest.mark.parametrize(
    ("days", "unit"),
    [(1, "day"), (120, "day"), (121, "week"), (800, "week"), (801, "month"), (5000, "month")],
)
def test_the_unit_follows_from_the_length(days: int, unit: str) -> None:
    assert unit_of(days) == unit


@pytest.mark.parametrize("unit", ["day", "week", "month"])
def test_counts_keep_their_sum(unit: str) -> None:
    found = summed(rows(date(2025, 12, 17), 100), ["viewed"], unit)
    assert found["viewed"].sum() == sum(range(100))
    assert list(found["at"]) == sorted(found["at"])


def test_weeks_begin_on_monday() -> None:
    found = summed(rows(date(2026, 1, 1), 10), ["viewed"], "week")
    assert list(found["at"]) == [date(2025, 12, 29), date(2026, 1, 5)]
    assert list(found["viewed"]) == [0 + 1 + 2 + 3, 4 + 5 + 6 + 7 + 8 + 9]


def test_months_begin_on_their_first() -> None:
    found = summed(rows(date(2026, 1, 30), 4), ["viewed"], "month")
    assert list(found["at"]) == [date(2026, 1, 1), date(2026, 2, 1)]
    assert list(found["viewed"]) == [1, 5]


def test_people_are_taken_from_the_last_day_of_each_unit() -> None:
    found = last_of(rows(date(2026, 1, 1), 10), "week")
    assert list(found["at"]) == [date(2026, 1, 4), date(2026, 1, 10)]
    assert list(found["viewed"]) == [3, 9]
    assert list(last_of(rows(date(2026, 1, 30), 4), "month")["viewed"]) == [1, 3]


def test_no_rows_stay_no_rows() -> None:
    empty = pd.DataFrame({"day": [], "viewed": []})
    for unit in ("day", "week", "month"):
        assert summed(empty, ["viewed"], unit).empty
        assert last_of(empty, unit).empty


def test_labels_say_what_a_point_stands_for() -> None:
    days = pd.Series([date(2026, 1, 5)])
    assert labels(days, "day") == ["Mon 5 Jan 2026"]
    assert labels(days, "week") == ["Week of 5 Jan 2026"]
    assert labels(days, "month") == ["January 2026"]
