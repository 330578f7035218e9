"""Full or an increment: the weekly rule, long chains, large increments, and what nothing can build on."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.backups.levels import LONGEST_CHAIN, Taken, choose

SUNDAY = datetime(2026, 11, 22, 2, 15, tzinfo=UTC)
ENGINE = "pg_basebackup"


def taken(
    number: int, at: datetime, parent: int | None = None, *, size: int = 10, sound: bool = True
) -> Taken:
    manifest = {"id": str(number), "parent_id": None if parent is None else str(parent), "engine": ENGINE}
    return Taken(manifest, at, sound, size if parent is not None else 100)


def night(number: int) -> datetime:
    return SUNDAY + timedelta(days=number)


def week(nights: int) -> list[Taken]:
    return [taken(number, night(number), number - 1 if number else None) for number in range(nights)]


def chosen(known: list[Taken], now: datetime, asked: str = "") -> tuple[str, list[str]]:
    choice = choose(known, now, engine=ENGINE, asked=asked)
    assert choice.reason
    return choice.level, [one["id"] for one in choice.chain]


def test_a_week_is_a_full_one_on_sunday_and_increments_of_the_night_before() -> None:
    assert chosen([], night(0)) == ("full", [])
    assert chosen(week(1), night(1)) == ("incremental", ["0"])
    assert chosen(week(6), night(6)) == ("incremental", ["0", "1", "2", "3", "4", "5"])
    assert chosen(week(7), night(7)) == ("full", [])
    assert chosen(week(1), night(7) - timedelta(hours=3)) == ("incremental", ["0"]), "Saturday, 23:15"


def test_a_missed_sunday_is_made_up() -> None:
    assert chosen(week(3), night(9)) == ("full", [])


def test_a_long_chain_and_a_large_increment_end_in_a_full_one() -> None:
    hours = [
        taken(number, SUNDAY + timedelta(hours=number), number - 1 if number else None)
        for number in range(LONGEST_CHAIN)
    ]
    assert chosen(hours, night(1)) == ("full", [])
    large = [taken(0, night(0)), taken(1, night(1), 0, size=51)]
    assert chosen(large, night(2)) == ("full", [])
    assert chosen([taken(0, night(0)), taken(1, night(1), 0, size=50)], night(2))[0] == "incremental"


@pytest.mark.parametrize("asked", ["", "incremental", "differential"])
def test_nothing_is_built_on_what_is_damaged_gone_or_another_engines(asked: str) -> None:
    assert chosen([taken(0, night(0), sound=False), taken(1, night(1), 0)], night(2), asked) == ("full", [])
    assert chosen([taken(1, night(1), 0)], night(2), asked) == ("full", [])
    assert choose(week(2), night(2), engine="another", asked=asked).level == "full"


def test_who_asks_gets_it_where_it_can_be() -> None:
    assert chosen(week(3), night(3), "full") == ("full", [])
    assert chosen(week(3), night(9), "incremental") == ("incremental", ["0", "1", "2"])
    assert chosen(week(3), night(3), "differential") == ("differential", ["0"])
    assert chosen([], night(0), "incremental") == ("full", [])


@given(
    st.lists(st.tuples(st.integers(0, 40), st.booleans(), st.integers(1, 100)), max_size=12),
    st.integers(0, 60),
)
def test_a_chain_is_whole_and_of_this_week(history: list[tuple[int, bool, int]], now: int) -> None:
    known: list[Taken] = []
    for number, (day, increment, size) in enumerate(sorted(history)):
        at = night(day) + timedelta(minutes=number)
        known.append(taken(number, at, number - 1 if increment and number else None, size=size))
    choice = choose(known, night(now), engine=ENGINE)
    ids = [one["id"] for one in choice.chain]
    assert (choice.level == "full") == (not ids)
    if ids:
        by_id = {one.id: one for one in known}
        assert not by_id[ids[0]].parent_id
        assert all(by_id[child].parent_id == parent for parent, child in pairwise(ids))
        assert ids[-1] == known[-1].id and len(ids) < LONGEST_CHAIN
        assert night(now) - by_id[ids[0]].at < timedelta(days=7)
