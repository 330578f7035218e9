"""Periods: whole weeks and months of local days, due in the morning of each zone."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.errors import InvalidInput
from leitstand.reports.periods import MONTH, WEEK, Cadence, containing, last_due, last_full, next_due

DAYS = st.dates(date(1971, 1, 1), date(2190, 1, 1))


@given(DAYS, st.sampled_from([WEEK, MONTH]))
def test_a_day_lies_in_its_period_and_periods_follow_without_gap(day: date, cadence: Cadence) -> None:
    period = containing(cadence, day)
    assert period.start <= day < period.end
    assert period.next().start == period.end
    assert (period.start.weekday() == 0) if cadence == WEEK else (period.start.day == period.end.day == 1)


@pytest.mark.parametrize(
    ("cadence", "day", "label"),
    [
        (WEEK, date(2026, 11, 18), "16 to 22 November 2026"),
        (WEEK, date(2026, 10, 1), "28 September to 4 October 2026"),
        (WEEK, date(2026, 1, 1), "29 December 2025 to 4 January 2026"),
        (MONTH, date(2026, 10, 31), "October 2026"),
    ],
)
def test_labels(cadence: Cadence, day: date, label: str) -> None:
    assert containing(cadence, day).label == label == containing(cadence, day).named("en")


def test_labels_in_german() -> None:
    week, month = containing(WEEK, date(2026, 11, 18)), containing(MONTH, date(2026, 10, 31))
    assert (week.named("de"), month.named("de")) == ("16.–22. Nov. 2026", "Oktober 2026")


def test_a_week_ends_at_another_instant_in_each_zone() -> None:
    now = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)  # Sunday evening in Europe, Monday morning in Auckland
    assert last_full(WEEK, "Europe/Berlin", now).start == date(2026, 11, 9)
    assert last_full(WEEK, "Pacific/Auckland", now).start == date(2026, 11, 16)


def test_a_report_is_due_at_six_local_time_also_where_clocks_change() -> None:
    week = containing(WEEK, date(2026, 10, 20))
    assert week.end == date(2026, 10, 26)  # the clocks went back on the 25th
    assert week.due_at("Europe/Berlin") == datetime(2026, 10, 26, 5, 0, tzinfo=UTC)
    before, after = datetime(2026, 10, 26, 4, 59, tzinfo=UTC), datetime(2026, 10, 26, 5, 0, tzinfo=UTC)
    assert last_due(WEEK, "Europe/Berlin", before).end == week.start
    assert last_due(WEEK, "Europe/Berlin", after) == week
    assert next_due(WEEK, "Europe/Berlin", before) == week


def test_days_out_of_all_bounds_are_refused() -> None:
    for day in (date(1, 1, 1), date(9999, 12, 31)):
        with pytest.raises(InvalidInput):
            containing(WEEK, day)
