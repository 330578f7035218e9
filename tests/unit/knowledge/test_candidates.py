"""Which passages of a large scope are weighed."""

from leitstand.knowledge.candidates import CANDIDATES, SAMPLED, chosen, query_of

PASSAGES = 100_000
A_HIT = PASSAGES // SAMPLED


def sample(*held: tuple[int, str]) -> list[frozenset[str]]:
    """A sample: so many of each with these words."""
    passages = [frozenset(words.split()) for count, words in held for _ in range(count)]
    return passages + [frozenset[str]()] * (SAMPLED - len(passages))


def test_rare_words_are_looked_for_and_the_common_ones_are_estimated() -> None:
    found = chosen(sample((2, "heron flow"), (1, "nest"), (400, "flow")), ["flow", "heron", "nest"], PASSAGES)
    assert found.clauses == [{"nest"}, {"heron"}]
    assert found.passages == {"flow": 402 * A_HIT}


def test_common_words_are_looked_for_together() -> None:
    found = chosen(sample((5, "flow plate"), (250, "flow"), (150, "plate")), ["plate", "flow"], PASSAGES)
    assert found.clauses == [{"plate", "flow"}]
    assert set(found.passages) == {"flow", "plate"}


def test_what_is_weighed_stays_within_its_number() -> None:
    several = sample(*((3, word) for word in "abcdefgh"))
    alone = [clause for clause in chosen(several, list("abcdefgh"), PASSAGES).clauses if len(clause) == 1]
    assert len(alone) == CANDIDATES // (3 * A_HIT)
    assert chosen(sample((450, "flow")), ["flow"], PASSAGES).clauses == []


def test_clauses_are_words_of_a_full_text_query() -> None:
    assert query_of([frozenset(["it's"]), frozenset(["b", "a"])]) == "('it''s') | ('a' & 'b')"
