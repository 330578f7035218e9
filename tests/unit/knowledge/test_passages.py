"""Cutting: nothing is lost, nothing is doubled, nothing is too long."""

from hypothesis import given
from hypothesis import strategies as st

from leitstand.knowledge.parsing.outline import Block, tidy
from leitstand.knowledge.parsing.passages import LONGEST, TARGET, cut, heading_of, sentences

words = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=30)
block_texts = st.lists(words, min_size=1, max_size=80).map(" ".join).map(tidy).filter(bool)
blocks = st.lists(st.builds(Block, st.lists(words, max_size=2).map(tuple), block_texts), max_size=12)


def squeezed(text: str) -> str:
    return "".join(text.split())


@given(blocks=blocks)
def test_every_character_stands_in_exactly_one_passage_in_order(blocks: list[Block]) -> None:
    passages = cut("Title", blocks)
    assert squeezed("".join(p.content for p in passages)) == squeezed("".join(b.text for b in blocks))


@given(blocks=blocks)
def test_no_passage_is_longer_than_the_longest_or_empty(blocks: list[Block]) -> None:
    assert all(0 < len(passage.content) <= LONGEST for passage in cut("Title", blocks))


@given(text=st.text("ab c.\n", min_size=LONGEST, max_size=6_000))
def test_one_long_block_is_parted_into_passages_of_the_target_size(text: str) -> None:
    text = tidy(text)
    passages = cut("Title", [Block((), text)]) if text else []
    assert squeezed("".join(p.content for p in passages)) == squeezed(text)
    if len(text) > LONGEST:
        assert all(len(passage.content) <= TARGET for passage in passages)


def test_a_word_without_end_is_parted() -> None:
    assert [len(p.content) for p in cut("T", [Block((), "x" * 2_000)])] == [800, 800, 400]


def test_blocks_under_other_headings_are_not_joined() -> None:
    passages = cut("T", [Block(("A",), "one"), Block(("A",), "two"), Block(("B",), "three")])
    assert [(p.heading, p.content) for p in passages] == [("T › A", "one\n\ntwo"), ("T › B", "three")]


def test_blocks_are_joined_up_to_the_target() -> None:
    passages = cut("T", [Block((), "x" * 390)] * 5)
    assert [len(p.content) for p in passages] == [782, 782, 390]


def test_a_heading_that_repeats_the_title_is_left_out() -> None:
    assert heading_of("Guide", ["GUIDE", "Part"]) == "Guide › Part"
    assert heading_of("Guide", []) == "Guide"


def test_sentences_end_in_any_script() -> None:
    assert sentences("One. Two! 三。四。five\nsix") == ["One.", "Two!", "三。", "四。", "five", "six"]
