"""Figures in words: a percentage never stands without its counts, and nothing steers a header or a display."""

from datetime import UTC, date, datetime

import pytest

from leitstand.reports import words


def test_a_share_has_its_counts() -> None:
    assert words.share(45, 100) == f"45.0{words.THIN}% (45 of 100)"
    assert words.share(0, 0) == "– (0 of 0)"


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [
        (5, 5, "unchanged"),
        (15, 10, f"+5 (+50.0{words.THIN}%)"),
        (5, 10, f"−5 (−50.0{words.THIN}%)"),
        (3, 0, "+3"),
        (None, 3, "–"),
    ],
)
def test_a_change_is_a_difference_and_its_share(now: int | None, before: int, said: str) -> None:
    assert words.change(now, before) == said


def test_shares_change_by_points() -> None:
    assert words.points(0.641, 0.675) == "−3.4 points"
    assert words.points(0.5, 0.5) == "unchanged"
    assert words.points(None, 0.5) == "–"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "–"), (4.25, "4.2 s"), (90, "90 s"), (600, "10.0 min"), (10_800, "3.0 h"), (864_000, "10.0 d")],
)
def test_durations(seconds: float | None, said: str) -> None:
    assert words.duration(seconds) == said


def test_sizes_days_and_instants() -> None:
    assert [words.size(0), words.size(1500), words.size(2_500_000)] == ["0 B", "1.5 kB", "2.5 MB"]
    assert words.day("2026-11-16") == words.day(date(2026, 11, 16)) == "Mon 16 Nov 2026"
    instant = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)
    assert words.instant(instant, "Europe/Berlin") == "2 Jul 2026, 00:30 (Europe/Berlin)"
