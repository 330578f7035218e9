"""Ranges by name and from addresses."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.insights.scope import EARLIEST, LATEST
from panel_apps.overview.ranges import PRESETS, RECENT, find_range

TODAY, FIRST, LAST = date(2026, 3, 31), date(2025, 1, 5), date(2026, 3, 20)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("word", "start", "last"),
    [
        ("recent", date(2026, 2, 19), LAST),
        ("last-7", date(2026, 3, 25), TODAY),
        ("last-30", date(2026, 3, 2), TODAY),
        ("last-90", date(2026, 1, 1), TODAY),
        ("this-month", date(2026, 3, 1), date(2026, 3, 31)),
        ("last-month", date(2026, 2, 1), date(2026, 2, 28)),
        ("all", FIRST, LAST),
        ("2026-01-05..2026-01-06", date(2026, 1, 5), date(2026, 1, 6)),
        ("2026-01-05..2026-01-05", date(2026, 1, 5), date(2026, 1, 5)),
    ],
)
def test_a_word_means_these_days(word: str, start: date, last: date) -> None:
    found = find_range(word, today=TODAY, first=FIRST, last=LAST)
    assert (found.start, found.end - DAY, found.word, found.notice) == (start, last, word, "")


def test_months_at_the_turn_of_the_year() -> None:
    found = find_range("last-month", today=date(2026, 1, 15), first=FIRST, last=LAST)
    assert (found.start, found.end) == (date(2025, 12, 1), date(2026, 1, 1))
    found = find_range("this-month", today=date(2025, 12, 31), first=FIRST, last=LAST)
    assert (found.start, found.end) == (date(2025, 12, 1), date(2026, 1, 1))


def test_a_leap_february_is_whole() -> None:
    found = find_range("this-month", today=date(2028, 2, 10), first=FIRST, last=LAST)
    assert (found.start, found.end) == (date(2028, 2, 1), date(2028, 3, 1))


@pytest.mark.parametrize("word", sorted(PRESETS))
def test_every_preset_has_days_where_there_is_no_data(word: str) -> None:
    found = find_range(word, today=TODAY, first=None, last=None)
    assert found.start < found.end


@pytest.mark.parametrize(
    "word", ["", "yesterday", "2026-02-30..2026-03-01", "2026-1-1..2026-1-2", "..", "<b>", "2026-01-01"]
)
def test_a_word_that_means_nothing_becomes_the_default_and_says_so(word: str) -> None:
    found = find_range(word, today=TODAY, first=FIRST, last=LAST)
    assert found.word == RECENT
    assert found.notice


def test_days_the_wrong_way_round_are_swapped() -> None:
    found = find_range("2026-02-01..2026-01-01", today=TODAY, first=FIRST, last=LAST)
    assert (found.start, found.end - DAY) == (date(2026, 1, 1), date(2026, 2, 1))
    assert "swapped" in found.notice


@pytest.mark.parametrize(
    "word",
    ["0001-01-01..2026-01-01", "2026-01-01..9999-12-31", "0001-01-01..0001-01-02", "9998-01-01..9999-12-31"],
)
def test_days_out_of_bounds_are_cut(word: str) -> None:
    found = find_range(word, today=TODAY, first=FIRST, last=LAST)
    assert EARLIEST <= found.start < found.end <= LATEST
    assert "cut" in found.notice


@given(st.text())
def test_no_text_is_refused(word: str) -> None:
    found = find_range(word, today=TODAY, first=FIRST, last=LAST)
    assert EARLIEST <= found.start < found.end <= LATEST


@given(st.dates(), st.dates())
def test_any_two_days_are_a_range(first: date, last: date) -> None:
    found = find_range(f"{first}..{last}", today=TODAY, first=FIRST, last=LAST)
    assert EARLIEST <= found.start < found.end <= LATEST
    again = find_range(found.word, today=TODAY, first=FIRST, last=LAST)
    assert (again.start, again.end, again.notice) == (found.start, found.end, "")
