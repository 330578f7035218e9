"""Answers with citations. Without a model endpoint they are extractive: sentences quoted from the documents."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from leitstand.identity.access import Principal
from leitstand.knowledge.by_words import Weights
from leitstand.knowledge.parsing.passages import sentences
from leitstand.knowledge.search import Found, Hit, search
from leitstand.words import N_, joined

CITATIONS = 3
CANDIDATES = 10
LONGEST_QUOTE = 500
# A passage that holds less of the question's weight is about something else. Chosen on questions put to the passages
# they were written for and to passages about other things: `leitstand query evaluate` measures both.
RELEVANT_COVERAGE = 0.4

EXTRACTIVE, MODEL = "extractive", "model"
EXTRACTIVE_NOTE = N_(
    "No model endpoint is configured, so this answer is put together from sentences of the documents, word for word."
)
QUOTED_NOTE = N_("This answer is put together from sentences of the documents, word for word.")
NOTHING_NOTE = N_("Nothing in the documents that you may read answers this.")

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
class Answer:
    """An answer: its text with citation numbers in brackets, how it was made, and what it rests on.

    Args:
        kind: `EXTRACTIVE` (quoted word for word) or `MODEL` (written by one).
        relevant: False where nothing in the documents answers; the text then says so.
        note: how it was made, in words.
        model: which one wrote it; empty where none did.
    """

    question: str
    answer: str
    kind: str
    relevant: bool
    note: str
    citations: tuple[Citation, ...] = ()
    model: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The answer as JSON values."""
        citations = [
            asdict(c) | {"document_id": str(c.document_id), "space_id": str(c.space_id)}
            for c in self.citations
        ]
        return asdict(self) | {"citations": citations}


def ask(
    session: Session,
    *,
    principal: Principal,
    question: str,
    space_id: UUID | None = None,
    why: str = EXTRACTIVE_NOTE,
) -> Answer:
    """Answer a question with sentences from the documents that the principal may read; no model is asked.

    What a document says is only ever quoted: nothing in it is followed as an instruction.

    Args:
        why: the answer's note.

    Raises:
        Forbidden: without `item:read`.
        NotFound: there is no such space.
        InvalidInput: the question is empty or too long.
    """
    found = search(session, principal=principal, question=question, space_id=space_id, limit=CANDIDATES)
    hits = relevant(found)
    return extractive(question, citations_of(session, hits, found.weights), why)


def extractive(question: str, citations: Sequence[Citation], why: str = EXTRACTIVE_NOTE) -> Answer:
    """The quotes of these citations as an answer; without any it says that nothing was found."""
    if not citations:
        return Answer(question, NOTHING_NOTE, EXTRACTIVE, relevant=False, note=why)
    words = " ".join(f"{citation.quote} [{citation.number}]" for citation in citations)
    return Answer(question, words, EXTRACTIVE, relevant=True, note=why, citations=tuple(citations))


def citations_of(session: Session, hits: Sequence[Hit], weights: Weights) -> list[Citation]:
    """Passages as citations, numbered from 1, each with its best sentence."""
    quotes = best_sentences(session, hits, weights) if hits else []
    return [_citation(number, *both) for number, both in enumerate(zip(hits, quotes, strict=True), start=1)]


def quoted_because(reason: str) -> str:
    """The note of an answer that no model wrote, although there is one."""
    return joined(reason, QUOTED_NOTE)


def relevant(found: Found) -> list[Hit]:
    """The best passages that hold enough of the question, at most three; passages far behind the best are left out."""
    fitting = [hit for hit in found.hits if hit.coverage >= RELEVANT_COVERAGE]
    return [hit for hit in fitting[:CITATIONS] if hit.score >= fitting[0].score / 2]


def best_sentences(session: Session, hits: Sequence[Hit], weights: Weights) -> list[str]:
    """Of each passage the sentence that holds the most of the question's weight, cut at 500 characters."""
    split = [(hit, sentence) for hit in hits for sentence in sentences(hit.content)]
    columns = {
        "sentences": [sentence for _, sentence in split],
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
