"""Passages as citations: those that fit a question well enough, each with the sentence that is quoted of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from leitstand.knowledge.by_words import Weights
from leitstand.knowledge.pairs import paired
from leitstand.knowledge.parsing.passages import sentences
from leitstand.knowledge.search import Found, Hit

CITATIONS = 3
# So many passages a model is given.
OFFERED = 8
LONGEST_QUOTE = 500
# A passage that holds less of the question's weight is about something else. Chosen on questions put to the passages
# they were written for and to passages about other things: `leitstand query evaluate` measures both.
RELEVANT_COVERAGE = 0.4

SENTENCE_LEXEMES = text("""
    SELECT array(SELECT lexeme FROM unnest(to_tsvector(CAST(language AS regconfig), sentence))) AS lexemes
    FROM unnest(CAST(:sentences AS text[]), CAST(:languages AS text[]))
         WITH ORDINALITY AS given(sentence, language, number)
    ORDER BY number
""")


@dataclass(frozen=True)
class Citation:
    """Where a part of the answer stands.

    Args:
        number: as it stands in the answer, in brackets.
        passage: position of the passage in its document, from 1.
        quote: the words that the answer takes from it.
        highlights: (start, end) of the question's words in `text`, in characters.
    """

    number: int
    document_id: UUID
    space_id: UUID
    title: str
    heading: str
    passage: int
    text: str
    quote: str
    highlights: tuple[tuple[int, int], ...]
    score: float
    coverage: float


@dataclass(frozen=True)
class Quotes:
    """What was found on a question: the passages that fit, then others that come near, which only a model is given.

    Args:
        passages: numbered from 1.
        fits: how many of them fit.
    """

    passages: tuple[Citation, ...] = ()
    fits: int = 0

    @property
    def fitting(self) -> tuple[Citation, ...]:
        """Those that fit."""
        return self.passages[: self.fits]


def quotes(session: Session, found: Found, *, for_model: bool) -> Quotes:
    """The passages of a search that fit, each with its best sentence.

    Args:
        for_model: with those that come near, at most eight altogether.
    """
    fitting = relevant(found)
    offered = _first(fitting, found)[:OFFERED] if for_model else fitting
    best = best_sentences(session, offered, found.weights) if offered else []
    numbered = enumerate(zip(offered, best, strict=True), start=1)
    return Quotes(tuple(_citation(number, *both) for number, both in numbered), len(fitting))


def _first(fitting: Sequence[Hit], found: Found) -> list[Hit]:
    """Those that fit, then those that come near."""
    places = {(hit.document_id, hit.ordinal) for hit in fitting}
    near = [hit for hit in found.hits if hit.coverage >= RELEVANT_COVERAGE / 2]
    return [*fitting, *(hit for hit in near if (hit.document_id, hit.ordinal) not in places)]


def relevant(found: Found) -> list[Hit]:
    """The best passages that hold enough of the question, at most three; passages far behind the best are left out."""
    fitting = [hit for hit in found.hits if hit.coverage >= RELEVANT_COVERAGE]
    return [hit for hit in fitting[:CITATIONS] if hit.score >= fitting[0].score / 2]


def best_sentences(session: Session, hits: Sequence[Hit], weights: Weights) -> list[str]:
    """Of each passage the sentence that holds the most of the question's weight, cut at 500 characters."""
    split = [(hit, sentence) for hit in hits for sentence in sentences(hit.content)]
    columns = {
        "sentences": [paired(sentence) for _, sentence in split],
        "languages": [hit.language for hit, _ in split],
    }
    best: dict[tuple[UUID, int], tuple[float, str]] = {}
    for (hit, sentence), row in zip(split, session.execute(SENTENCE_LEXEMES, columns), strict=True):
        weight = sum(weights.get(hit.language, {}).get(lexeme, 0.0) for lexeme in row.lexemes)
        place = (hit.document_id, hit.ordinal)
        if place not in best or weight > best[place][0]:
            best[place] = (weight, sentence)
    return [_shortened(best[hit.document_id, hit.ordinal][1]) for hit in hits]


def _citation(number: int, hit: Hit, quote: str) -> Citation:
    return Citation(
        number=number,
        document_id=hit.document_id,
        space_id=hit.space_id,
        title=hit.title,
        heading=hit.heading,
        passage=hit.ordinal,
        text=hit.content,
        quote=quote,
        highlights=hit.highlights,
        score=round(hit.score, 4),
        coverage=round(hit.coverage, 4),
    )


def _shortened(quote: str) -> str:
    if len(quote) <= LONGEST_QUOTE:
        return quote
    return quote[: quote.rfind(" ", LONGEST_QUOTE // 2, LONGEST_QUOTE)].rstrip() + " …"
