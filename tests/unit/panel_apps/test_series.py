"""Rows made ready for charts: nothing is lost by grouping, and people are never added up."""

from datetime import date, timedelta

import pandas as pd
import pytest

from panel_apps.series import beside, labels, labels_before, last_of, moved, starts, summed, unit_of

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


def test_the_period_before_stands_at_the_days_that_it_is_compared_with() -> None:
    before = moved(rows(date(2026, 1, 1), 5), ["viewed"], 5 * DAY, until=date(2026, 1, 8))
    assert list(before["day"]) == [date(2026, 1, day) for day in (6, 7, 8)]
    assert list(before["before_day"]) == [date(2026, 1, day) for day in (1, 2, 3)]
    assert list(before["before_viewed"]) == [0, 1, 2]
    both = beside(rows(date(2026, 1, 6), 2), before)
    assert list(both["viewed"].fillna(-1)) == [0, 1, -1]
    assert list(both["before_viewed"]) == [0, 1, 2]
    assert str(both["viewed"].dtype) == str(both["before_viewed"].dtype) == "Int64"


def test_without_a_comparison_rows_stay_as_they_are() -> None:
    found = rows(date(2026, 1, 1), 2)
    assert beside(found, None) is found
    empty = moved(pd.DataFrame({"day": [], "viewed": []}), ["viewed"], DAY)
    assert list(beside(found, empty)["viewed"]) == [0, 1]


def test_units_of_the_period_before_are_those_of_the_range() -> None:
    """The weeks of a range of ten days cut the days before it in the same places."""
    shift, start = 10 * DAY, date(2026, 1, 8)
    now, before = rows(start, 10), moved(rows(start - shift, 10), ["viewed"], shift)
    assert list(summed(before, ["before_viewed"], "week")["at"]) == list(
        summed(now, ["viewed"], "week")["at"]
    )
    assert list(summed(before, ["before_viewed"], "week")["before_viewed"]) == [
        0 + 1 + 2 + 3,
        4 + 5 + 6 + 7 + 8 + 9,
    ]
    points = pd.Series([date(2026, 1, 5), date(2026, 1, 12)])
    said = labels_before(points, "week", shift, start, start + 10 * DAY)
    assert said == ["29 Dec 2025 – 1 Jan 2026", "2 Jan 2026 – 7 Jan 2026"]
    assert labels_before(points[:1], "day", shift, start, start + shift) == ["Fri 26 Dec 2025"]
    assert list(starts(points + DAY, "week")) == list(points)
