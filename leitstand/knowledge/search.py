"""Retrieval: BM25 over PostgreSQL's lexemes (`by_words`) and the meaning by vectors (`meaning`), permissions first.

A question's words are joined by OR (joined by AND, a question finds next to nothing). Passages of several languages are
weighed within their own language and compared by the share of the question that they cover; a word that stands nowhere
weighs most, because a passage can't answer what it is silent on.

Where the passages have vectors, those nearest to the question are weighed besides, and the score is made of both parts
(decision 0046). Where they have none yet, or none can be kept, words say it all.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from leitstand.errors import InvalidInput
from leitstand.identity.access import Principal
from leitstand.knowledge.by_words import Asked, Share, Weights, asked_in, by_words
from leitstand.knowledge.meaning import UNRELATED, Meaning, Place, cosines, nearest
from leitstand.knowledge.pairs import found_pairs, merged
from leitstand.knowledge.scope import Scope, readable
from leitstand.words import msg

MAX_QUESTION = 2_000
MAX_HITS = 200
# How much the words say of the score, the cosine has the rest; measured on the sets (decision 0046).
WORDS_SHARE = 0.7
# So many of the best by words have their cosine looked up.
WEIGHED_BOTH = 50
# A passage of this cosine answers as much as one with the part of the question's weight in it that is enough for an
# answer (`answers.RELEVANT_COVERAGE`); chosen by `leitstand query evaluate --unanswerable`.
ANSWERING_COSINE, ENOUGH_COVERAGE = 0.5, 0.4
# Passages hold no control characters, so these can only be ts_headline's.
MARK_START, MARK_END = "\x02", "\x03"
HEADLINE = f'HighlightAll=true, StartSel="{MARK_START}", StopSel="{MARK_END}"'

HELD = text("""
    SELECT language, sum(passages) AS passages, sum(characters) AS characters,
           EXISTS (
               SELECT FROM embedding
               WHERE workspace_id = :workspace AND space_id = ANY(:spaces) AND embedding.model = :model
           ) AS has_vectors
    FROM document
    WHERE workspace_id = :workspace AND space_id = ANY(:spaces) AND passages > 0
    GROUP BY language
""")

PASSAGES = text("""
    SELECT chunk.document_id, chunk.ordinal, chunk.space_id, chunk.language, chunk.heading, chunk.content,
           (SELECT title FROM document WHERE document.id = chunk.document_id) AS title,
           CASE WHEN :highlight THEN ts_headline(CAST(chunk.language AS regconfig), chunk.content,
                (CAST(:queries AS jsonb) ->> chunk.language)::tsquery, :headline) ELSE chunk.content END AS marked
    FROM unnest(CAST(:documents AS uuid[]), CAST(:ordinals AS integer[])) AS place(document_id, ordinal),
        LATERAL (
            SELECT * FROM chunk
            WHERE chunk.document_id = place.document_id AND chunk.ordinal = place.ordinal LIMIT 1
        ) AS chunk
""")


@dataclass(frozen=True)
class Hit:
    """A passage that was found.

    Args:
        ordinal: position of the passage in its document, from 1.
        language: text-search configuration of its document.
        heading: the document's title and the headings above the passage.
        score: BM25 as a share of the question's weight, so that passages of different languages compare; with the cosine.
        coverage: share of the question's weight (0 to 1) that stands in the passage, or what its meaning is worth.
        highlights: (start, end) of the question's words in `content`, in characters.
    """

    document_id: UUID
    space_id: UUID
    ordinal: int
    language: str
    title: str
    heading: str
    content: str
    score: float
    coverage: float
    highlights: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Found:
    """What a search found, best first; `weights` holds the idf of the question's lexemes, by language.

    `whole` is False where the meaning of the question could not be looked for now.
    """

    hits: list[Hit] = field(default_factory=list)
    weights: Weights = field(default_factory=dict)
    whole: bool = True


def search(
    session: Session,
    *,
    principal: Principal,
    question: str,
    space_id: UUID | None = None,
    limit: int = 10,
    highlight: bool = True,
    space_ids: Collection[UUID] | None = None,
) -> Found:
    """The passages that fit a question best, out of what the principal may read.

    Args:
        question: words in any form, at most 2,000 characters; those past 64 different ones are not looked for.
        space_id: only this space.
        limit: 1 to 200 passages.
        highlight: whether to find the question's words in them, which costs about 0.1 ms a passage.
        space_ids: only these, as far as the principal may read them; None: all.

    Raises:
        Forbidden: without `item:read`.
        NotFound: there is no such space.
        InvalidInput: the question is empty or too long.
    """
    scope = readable(session, principal, space_id, space_ids)
    return search_in(session, scope, checked_question(question), limit=limit, highlight=highlight)


def search_in(session: Session, scope: Scope, question: str, *, limit: int, highlight: bool = True) -> Found:
    """As `search`, in a scope that was read, for a question that was checked."""
    meaning, asked = _understood(session, scope, question)
    limit, near = max(1, min(limit, MAX_HITS)), list(meaning.nearest)
    most = max(limit, WEIGHED_BOTH) + len(near) if near else limit
    shares, weights = by_words(session, asked, scope=scope.values(), limit=most, near=near)
    best = sorted(_ranked(session, shares, meaning, limit), key=_order)[:limit]
    return Found(_hits(session, best, asked, highlight=highlight), weights, whole=not meaning.unknown)


def by_parts(session: Session, *, principal: Principal, question: str) -> dict[str, Found]:
    """What words alone find, and what meaning alone does; to be measured beside `search`."""
    scope = readable(session, principal)
    meaning, asked = _understood(session, scope, question)
    shares, _ = by_words(session, asked, scope=scope.values(), limit=MAX_HITS)
    best = sorted((_Ranked(*place, *share) for place, share in shares.items()), key=_order)[:MAX_HITS]
    near = sorted(
        (_Ranked(*place, cosine, _meant(cosine)) for place, cosine in meaning.nearest.items()), key=_order
    )
    return {
        "bm25": Found(_hits(session, best, asked, highlight=False)),
        "vectors": Found(_hits(session, near, asked, highlight=False)),
    }


def checked_question(question: str) -> str:
    """A question fit to be searched for.

    Raises:
        InvalidInput: it is empty or too long.
    """
    question = " ".join(question.replace("\0", " ").split())
    if not question:
        raise InvalidInput("The question is empty.", hint="Ask in a sentence or in a few words.")
    if len(question) > MAX_QUESTION:
        raise InvalidInput(
            msg("A question may have at most {max_question:,} characters.", max_question=MAX_QUESTION),
            hint="Shorten it.",
        )
    return question


class _Ranked(NamedTuple):
    document_id: UUID
    ordinal: int
    score: float
    coverage: float


def _understood(session: Session, scope: Scope, question: str) -> tuple[Meaning, list[Asked]]:
    """What a question means in a scope, and its words in each of the scope's languages."""
    values = scope.values()
    held = session.execute(HELD, values | {"model": scope.model}).all()
    return _meaning(session, question, scope, held), asked_in(session, question, scope=values, held=held)


def _meaning(session: Session, question: str, scope: Scope, held: Sequence[Any]) -> Meaning:
    """What is nearest to the question; nothing where the scope has no vectors."""
    if not any(row.has_vectors for row in held):
        return Meaning()
    passages = sum(int(row.passages) for row in held)
    return nearest(session, question, scope=scope.values(), model=scope.model, passages=passages)


def _order(entry: _Ranked) -> tuple[float, UUID, int]:
    return -entry.score, entry.document_id, entry.ordinal


def _ranked(session: Session, shares: dict[Place, Share], meaning: Meaning, limit: int) -> list[_Ranked]:
    """What was found by words or by meaning, each with its score; a passage that has no vector yet by words alone."""
    if not meaning.vector:
        return [_Ranked(*place, *share) for place, share in shares.items()]
    best = sorted(shares, key=lambda place: shares[place], reverse=True)[: max(WEIGHED_BOTH, limit)]
    near = meaning.nearest | cosines(
        session, meaning, [place for place in best if place not in meaning.nearest]
    )
    silent = Share(0.0, 0.0)
    return [
        _both(place, shares.get(place, silent), near.get(place))
        for place in dict.fromkeys([*best, *near])
        if place in shares or near[place] >= UNRELATED
    ]


def _both(place: Place, found: Share, cosine: float | None) -> _Ranked:
    if cosine is None:
        return _Ranked(*place, *found)
    score = WORDS_SHARE * found.share + (1 - WORDS_SHARE) * cosine
    return _Ranked(*place, score, max(found.coverage, _meant(cosine)))


def _meant(cosine: float) -> float:
    """What a passage's meaning is worth as coverage."""
    return min(1.0, cosine * ENOUGH_COVERAGE / ANSWERING_COSINE)


def _hits(
    session: Session, ranked: Sequence[_Ranked], asked: Sequence[Asked], *, highlight: bool
) -> list[Hit]:
    """The passages of a ranking, in its order."""
    queries = {one.language: one.query for one in asked}
    asked_words = {one.language: set(one.lexemes) for one in asked}
    values = {
        "documents": [entry.document_id for entry in ranked],
        "ordinals": [entry.ordinal for entry in ranked],
        "queries": json.dumps(queries),
        "headline": HEADLINE,
        "highlight": highlight,
    }
    rows = (
        {(row.document_id, row.ordinal): row for row in session.execute(PASSAGES, values)} if ranked else {}
    )
    hits = []
    for entry in ranked:
        row = rows[entry.document_id, entry.ordinal]
        content, highlights = unmark(row.marked)
        if highlight:
            highlights = merged((*highlights, *found_pairs(content, asked_words.get(row.language, ()))))
        hits.append(
            Hit(
                document_id=entry.document_id,
                space_id=row.space_id,
                ordinal=entry.ordinal,
                language=row.language,
                title=row.title,
                heading=row.heading,
                content=content,
                score=float(entry.score),
                coverage=float(entry.coverage),
                highlights=highlights,
            )
        )
    return hits


def unmark(marked: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """A marked text without its marks, and where they stood as (start, end)."""
    parts, spans, length = [], [], 0
    for index, piece in enumerate(marked.split(MARK_START)):
        word, found, rest = piece.partition(MARK_END) if index else ("", "", piece)
        if index and found:
            spans.append((length, length + len(word)))
        parts.append(word + rest)
        length += len(word) + len(rest)
    return "".join(parts), tuple(spans)
