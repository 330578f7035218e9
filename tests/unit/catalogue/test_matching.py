"""What is meant by a few letters."""

from datetime import UTC, datetime, timedelta

import pytest

from leitstand.catalogue.matching import Signals, score

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OLD = Signals(0.8, NOW - timedelta(days=365))


def of(title: str, signals: Signals = OLD) -> float:
    return score(title, "gift", signals, now=NOW)


def test_the_better_it_matches_the_likelier_it_is() -> None:
    titles = ["Gift", "Gift finder", "The gift", "Regifting", "Gitf"]
    assert sorted(titles, key=of, reverse=True) == titles


@pytest.mark.parametrize(
    "better",
    [
        Signals(0.8, NOW),
        Signals(0.8, OLD.changed_at, used_at=NOW),
        Signals(0.8, OLD.changed_at, favorite=True),
        Signals(0.9, OLD.changed_at),
    ],
)
def test_of_two_that_match_alike_the_used_the_marked_and_the_new_come_first(better: Signals) -> None:
    assert of("Gitf", better) > of("Gitf")


def test_what_was_used_today_comes_before_a_better_match_that_never_was() -> None:
    assert of("The gift", Signals(1.0, OLD.changed_at, used_at=NOW)) > of("Gift finder")
    assert of("The gift", Signals(1.0, OLD.changed_at, used_at=NOW - timedelta(days=60))) < of("Gift finder")


def test_a_clock_that_is_ahead_makes_nothing_endless() -> None:
    assert of("Gift", Signals(1.0, NOW + timedelta(days=400))) <= 106
