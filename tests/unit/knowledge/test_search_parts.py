"""The parts of search that need no database: queries, marks and measures."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.errors import InvalidInput
from leitstand.knowledge.candidates import any_of
from leitstand.knowledge.evaluation import metrics
from leitstand.knowledge.search import MARK_END, MARK_START, MAX_QUESTION, checked_question, unmark

pieces = st.lists(st.tuples(st.text("ab <", max_size=5), st.text("cd&", min_size=1, max_size=5)), max_size=6)


def test_lexemes_are_quoted_for_the_full_text_query() -> None:
    assert any_of(["a", "it's", "b\\c"]) == "'a' | 'it''s' | 'b\\\\c'"


@given(pieces=pieces, tail=st.text("xyz", max_size=5))
def test_marks_become_places(pieces: list[tuple[str, str]], tail: str) -> None:
    marked = "".join(f"{before}{MARK_START}{word}{MARK_END}" for before, word in pieces) + tail
    text, spans = unmark(marked)
    assert text == "".join(before + word for before, word in pieces) + tail
    assert [text[start:end] for start, end in spans] == [word for _, word in pieces]


@pytest.mark.parametrize("question", ["", "  \n", "\0", "x" * (MAX_QUESTION + 1)])
def test_a_question_must_be_one(question: str) -> None:
    with pytest.raises(InvalidInput):
        checked_question(question)


def test_a_question_is_one_line() -> None:
    assert checked_question(" a\n b\0c ") == "a b c"


def test_the_measures_are_those_of_their_definition() -> None:
    ranked = ["x", "a", "y", "b", *"cdefgh", "z"]
    ndcg, recall, mrr = metrics(ranked, {"a", "b", "z"})
    best = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert ndcg == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / best)
    assert recall == pytest.approx(2 / 3)
    assert mrr == pytest.approx(1 / 2)


def test_a_perfect_and_a_void_ranking() -> None:
    assert metrics(["a", "b"], {"a", "b"}) == (1.0, 1.0, 1.0)
    assert metrics([], {"a"}) == (0.0, 0.0, 0.0)
    many = [str(number) for number in range(20)]
    assert metrics(many, set(many))[0] == pytest.approx(1.0)
