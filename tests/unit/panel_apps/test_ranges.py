"""Ranges by name and from addresses."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.insights.scope import EARLIEST, LATEST
from panel_apps.ranges import AUTO, PRESETS, TRIED, Range, Suggestion, find_range, suggest

TODAY, FIRST, LAST = date(2026, 3, 31), date(2025, 1, 5), date(2026, 3, 20)
DAY = timedelta(days=1)


def found_range(
    word: str, *, today: date = TODAY, first: date | None = FIRST, last: date | None = LAST
) -> Range:
    """The range of a word, where the last 90 days are suggested."""
    suggested = Suggestion("last-90", "Because.")
    return find_range(word, today=today, first=first, last=last, suggested=lambda: suggested)


@pytest.mark.parametrize(
    ("word", "start", "last"),
    [
        ("auto", date(2026, 1, 1), TODAY),
        ("recent", date(2026, 2, 19), LAST),
        ("last-7", date(2026, 3, 25), TODAY),
        ("last-30", date(2026, 3, 2), TODAY),
        ("last-90", date(2026, 1, 1), TODAY),
        ("last-365", date(2025, 4, 1), TODAY),
        ("this-month", date(2026, 3, 1), date(2026, 3, 31)),
        ("last-month", date(2026, 2, 1), date(2026, 2, 28)),
        ("all", FIRST, LAST),
        ("2026-01-05..2026-01-06", date(2026, 1, 5), date(2026, 1, 6)),
        ("2026-01-05..2026-01-05", date(2026, 1, 5), date(2026, 1, 5)),
    ],
)
def test_a_word_means_these_days(word: str, start: date, last: date) -> None:
    found = found_range(word)
    assert (found.start, found.end - DAY, found.word, found.notice) == (start, last, word, "")


def test_months_at_the_turn_of_the_year() -> None:
    found = found_range("last-month", today=date(2026, 1, 15))
    assert (found.start, found.end) == (date(2025, 12, 1), date(2026, 1, 1))
    found = found_range("this-month", today=date(2025, 12, 31))
    assert (found.start, found.end) == (date(2025, 12, 1), date(2026, 1, 1))


def test_a_leap_february_is_whole() -> None:
    found = found_range("this-month", today=date(2028, 2, 10))
    assert (found.start, found.end) == (date(2028, 2, 1), date(2028, 3, 1))


@pytest.mark.parametrize("word", sorted(PRESETS))
def test_every_preset_has_days_where_there_is_no_data(word: str) -> None:
    found = found_range(word, today=TODAY, first=None, last=None)
    assert found.start < found.end


@pytest.mark.parametrize(
    "word", ["", "yesterday", "2026-02-30..2026-03-01", "2026-1-1..2026-1-2", "..", "<b>", "2026-01-01"]
)
def test_a_word_that_means_nothing_becomes_the_default_and_says_so(word: str) -> None:
    found = found_range(word)
    assert (found.word, found.start, found.end - DAY) == (AUTO, date(2026, 1, 1), TODAY)
    assert found.notice


def test_days_the_wrong_way_round_are_swapped() -> None:
    found = found_range("2026-02-01..2026-01-01")
    assert (found.start, found.end - DAY) == (date(2026, 1, 1), date(2026, 2, 1))
    assert "swapped" in found.notice


@pytest.mark.parametrize(
    "word",
    ["0001-01-01..2026-01-01", "2026-01-01..9999-12-31", "0001-01-01..0001-01-02", "9998-01-01..9999-12-31"],
)
def test_days_out_of_bounds_are_cut(word: str) -> None:
    found = found_range(word)
    assert EARLIEST <= found.start < found.end <= LATEST
    assert "cut" in found.notice


@given(st.text())
def test_no_text_is_refused(word: str) -> None:
    found = found_range(word)
    assert EARLIEST <= found.start < found.end <= LATEST


@given(st.dates(), st.dates())
def test_any_two_days_are_a_range(first: date, last: date) -> None:
    found = found_range(f"{first}..{last}")
    assert EARLIEST <= found.start < found.end <= LATEST
    again = found_range(found.word)
    assert (again.start, again.end, again.notice) == (found.start, found.end, "")


@pytest.mark.parametrize(
    ("total", "within", "word"),
    [
        (1000, (100, 300, 900), "last-30"),
        (1000, (99, 300, 900), "last-90"),
        (1000, (0, 99, 100), "last-365"),
        (1000, (0, 0, 99), "all"),
        (1, (1, 1, 1), "last-30"),
        (0, (0, 0, 0), "last-30"),
    ],
)
def test_the_shortest_range_with_a_fair_share_is_suggested(
    total: int, within: tuple[int, ...], word: str
) -> None:
    found = suggest(total, dict(zip(TRIED, within, strict=True)))
    assert found.word == word
    assert found.why.startswith(PRESETS[word])


def test_all_there_is_has_nothing_before_it_however_it_was_chosen() -> None:
    everything = Suggestion("all", "Because.")
    chosen = find_range(AUTO, today=TODAY, first=FIRST, last=LAST, suggested=lambda: everything)
    assert (chosen.start, chosen.end - DAY, chosen.whole, chosen.why) == (FIRST, LAST, True, "Because.")
    assert found_range("all").whole
    assert not found_range("last-90").whole
