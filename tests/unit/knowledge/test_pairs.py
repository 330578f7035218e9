"""Pairs of characters: nothing of a text is lost, and what is found stands where it says."""

from hypothesis import given
from hypothesis import strategies as st

from leitstand.knowledge.pairs import found_pairs, merged, paired

MIXED = st.text(st.sampled_from("ab 日本語の한국어กข\n🪿é"), max_size=40)


def test_runs_become_pairs_and_all_else_stays() -> None:
    assert paired("Plain words.") == "Plain words."
    assert paired("Café 日本語 x") == "Café  日本 本語  x"
    assert paired("a山b") == "a 山 b"


def test_what_was_found_is_marked_where_it_stands() -> None:
    assert found_pairs("東京は日本の首都です", {"日本", "首都", "は日"}) == ((2, 5), (6, 8))
    assert found_pairs("日本の日本", {"日本"}) == ((0, 2), (3, 5))
    assert found_pairs("plain", {"pl"}) == ()


@given(MIXED)
def test_no_character_is_lost(text: str) -> None:
    assert set(text) - {" "} <= set(paired(text))
    assert set(paired(text).split()) >= set(text.split()) or not text.isascii()
    words = set(paired(text).split())
    spans = found_pairs(text, words)
    assert all(0 <= start < end <= len(text) for start, end in spans) and merged(spans) == spans
