"""Answers are kept within bounds, and the last used ones longest."""

from leitstand.insights.remembered import MOST_ROWS_OF_ONE, Memory
from leitstand.insights.sources import Rows


def answer(rows: int) -> Rows:
    return Rows(["n"], [(place,) for place in range(rows)])


def test_what_was_used_longest_ago_goes_first() -> None:
    memory = Memory(most_rows=25)
    for name in ("a", "b"):
        memory.keep((name,), answer(9))
    assert memory.get(("a",)) == answer(9)
    memory.keep(("c",), answer(9))
    assert memory.get(("b",)) is None
    assert memory.get(("a",)) == memory.get(("c",)) == answer(9)


def test_an_answer_that_is_kept_again_counts_once() -> None:
    memory = Memory(most_rows=25)
    for _ in range(5):
        memory.keep(("a",), answer(9))
    memory.keep(("b",), answer(9))
    assert len(memory) == 2


def test_a_huge_answer_is_not_kept() -> None:
    memory = Memory()
    memory.keep(("a",), answer(MOST_ROWS_OF_ONE + 1))
    assert len(memory) == 0
