"""Ranges of local days."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.insights.scope import Scope, midnight


def scope(start: date, end: date, zone: str = "Europe/Berlin") -> Scope:
    return Scope(uuid4(), None, start, end, zone)


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)]
)
def test_days_have_as_many_hours_as_the_clock_gives_them(day: date, hours: int) -> None:
    one = scope(day, day + timedelta(days=1))
    assert one.end_at - one.start_at == timedelta(hours=hours)


def test_a_day_whose_midnight_does_not_exist_begins_when_the_clock_starts_again() -> None:
    assert midnight(date(2018, 11, 4), "America/Sao_Paulo") == datetime(2018, 11, 4, 3, tzinfo=UTC)


def test_the_previous_period_is_as_long_and_ends_where_this_one_begins() -> None:
    this = scope(date(2026, 3, 1), date(2026, 3, 11))
    before = this.previous(now=datetime(2027, 1, 1, tzinfo=UTC))
    assert (before.start, before.end, before.until) == (date(2026, 2, 19), date(2026, 3, 1), None)
    assert (before.workspace_id, before.zone) == (this.workspace_id, this.zone)


def test_the_previous_period_may_keep_the_weekdays() -> None:
    this = scope(date(2026, 3, 2), date(2026, 3, 12))
    before = this.previous(same_weekdays=True, now=datetime(2027, 1, 1, tzinfo=UTC))
    assert (before.start, before.end) == (date(2026, 2, 16), date(2026, 2, 26))
    assert before.start.weekday() == this.start.weekday()


def test_a_period_that_still_runs_is_compared_with_the_same_elapsed_part() -> None:
    this = scope(date(2026, 3, 2), date(2026, 3, 9), "UTC")
    before = this.previous(now=datetime(2026, 3, 4, 10, 40, tzinfo=UTC))
    assert before.start_at == datetime(2026, 2, 23, tzinfo=UTC)
    assert before.end_at == datetime(2026, 2, 25, 10, 30, tzinfo=UTC)


@given(
    st.dates(date(1975, 1, 1), date(2090, 1, 1)),
    st.integers(1, 400),
    st.sampled_from(["UTC", "America/New_York", "Australia/Lord_Howe"]),
)
def test_ranges_follow_each_other_without_gap_or_overlap(start: date, days: int, zone: str) -> None:
    this = scope(start, start + timedelta(days=days), zone)
    before = this.previous(now=datetime(2099, 1, 1, tzinfo=UTC))
    assert before.end_at == this.start_at
    assert before.days == this.days == days
