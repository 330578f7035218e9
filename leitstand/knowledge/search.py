"""Retrieval: BM25 over PostgreSQL's lexemes, permissions applied before ranking.

A question's words are joined by OR (joined by AND, a question finds next to nothing). Term frequencies come from
the passages' `tsvector`, document frequencies from the passages that match, so that no statistics table can be
stale and no figure is learnt from what the person may not read. Passages of several languages are weighed within
their own language and compared by the share of the question that they cover; a word that stands nowhere weighs most,
because a passage can't answer what it is silent on. Robertson and Zaragoza, The Probabilistic
Relevance Framework: BM25 and Beyond (2009), with the idf that is never negative.
"""

import json
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from leitstand.catalogue.items import get_item
from leitstand.catalogue.visibility import visible
from leitstand.db.models import Item
from leitstand.errors import InvalidInput
from leitstand.identity.access import Principal, require
from leitstand.knowledge.spaces import KIND
from leitstand.words import msg

MAX_QUESTION = 2_000
MAX_TERMS = 64
MAX_HITS = 200
# Term saturation (k1) and weight of length (b); tried on Cranfield and XQuAD, whole and cut into passages.
SATURATION = 1.5
LENGTH_WEIGHT = 0.75
# As if a language had ten passages more that hold none of the words: in a space with one passage of a language, a word
# that stands in it would else weigh next to nothing beside one that does not.
UNWRITTEN_PASSAGES = 10
# Passages hold no control characters, so these can only be ts_headline's.
MARK_START, MARK_END = "\x02", "\x03"
HEADLINE = f'HighlightAll=true, StartSel="{MARK_START}", StopSel="{MARK_END}"'

SCOPE = text("""
    SELECT language, sum(passages) AS passages, sum(characters) AS characters
    FROM document WHERE workspace_id = :workspace AND space_id = ANY(:spaces) AND passages > 0
    GROUP BY language
""")

ASKED = text("""
    SELECT language, (tsvector_to_array(to_tsvector(CAST(language AS regconfig), :question)))[1 : :most] AS lexemes
    FROM unnest(CAST(:languages AS text[])) AS language
""")

# No joins: a freshly filled table has no statistics yet, and a join order guessed without them takes seconds.
RANKING = text("""
    WITH posting AS MATERIALIZED (
        SELECT chunk.document_id, chunk.ordinal, chunk.length, word.lexeme,
               cardinality(word.positions)::float8 AS tf
        FROM chunk, LATERAL unnest(chunk.words) AS word
        WHERE chunk.workspace_id = :workspace AND chunk.space_id = ANY(:spaces) AND chunk.language = :language
          AND chunk.words @@ CAST(:query AS tsquery) AND word.lexeme = ANY(:lexemes)
    ), weight AS MATERIALIZED (
        SELECT array_agg(lexeme) AS lexemes, array_agg(ln(1 + (:passages - df + 0.5) / (df + 0.5))) AS weights
        FROM (SELECT lexeme, count(*)::float8 AS df FROM posting GROUP BY lexeme)
    ), weighed AS (
        SELECT posting.*, weights[array_position(lexemes, lexeme)] AS weight FROM posting CROSS JOIN weight
    )
    SELECT document_id, ordinal, sum(weight) AS covered,
           sum(weight * tf * (:k1 + 1) / (tf + :k1 * (1 - :b + :b * length / :mean_length))) AS score,
           (SELECT jsonb_object(lexemes, weights::text[]) FROM weight) AS weights
    FROM weighed
    GROUP BY document_id, ordinal
    ORDER BY score DESC, document_id, ordinal
    LIMIT :limit
""")

PASSAGES = text("""
    SELECT chunk.document_id, chunk.ordinal, chunk.space_id, chunk.language, chunk.heading, chunk.content,
           (SELECT title FROM document WHERE document.id = chunk.document_id) AS title,
           CASE WHEN :highlight THEN ts_headline(CAST(chunk.language AS regconfig), chunk.content,
                (CAST(:queries AS jsonb) ->> chunk.language)::tsquery, :headline) ELSE chunk.content END AS marked
    FROM chunk WHERE chunk.document_id = ANY(:documents) AND chunk.ordinal = ANY(:ordinals)
""")

Weights = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Hit:
    """A passage that was found.

    Args:
        ordinal: position of the passage in its document, from 1.
        language: text-search configuration of its document.
        heading: the document's title and the headings above the passage.
        score: BM25 as a share of the question's weight, so that passages of different languages compare.
        coverage: share of the question's weight (0 to 1) that stands in the passage.
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
    """What a search found, best first; `weights` holds the idf of the question's lexemes, by language."""

    hits: list[Hit] = field(default_factory=list)
    weights: Weights = field(default_factory=dict)


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
    require(principal, "item:read")
    question = checked_question(question)
    spaces = readable_spaces(session, principal, space_id, space_ids)
    scope = {"workspace": principal.workspace_id, "spaces": spaces}
    asked = _asked(session, question, scope)
    limit = max(1, min(limit, MAX_HITS))
    weights: Weights = {}
    ranked: list[_Ranked] = []
    for one in asked:
        rows = session.execute(RANKING, scope | one.values() | {"limit": limit}).all()
        weights[one.language] = one.weights(rows[0].weights if rows else {})
        total = sum(weights[one.language].values())
        ranked += [
            _Ranked(row.document_id, row.ordinal, row.score / total, row.covered / total) for row in rows
        ]
    best = sorted(ranked, key=lambda entry: (-entry.score, entry.document_id, entry.ordinal))[:limit]
    return Found(_hits(session, best, asked, highlight=highlight), weights)


def readable_spaces(
    session: Session,
    principal: Principal,
    space_id: UUID | None = None,
    space_ids: Collection[UUID] | None = None,
) -> list[UUID]:
    """The spaces that the principal may read; only the named one, or those among several, where they are named.

    Raises:
        NotFound: the named one is not there for the principal.
    """
    if space_id is not None:
        return [get_item(session, principal=principal, item_id=space_id, kind=KIND).id]
    query = select(Item.id).where(visible(principal), Item.kind == KIND)
    return list(session.scalars(query if space_ids is None else query.where(Item.id.in_(space_ids))))


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


@dataclass(frozen=True)
class _Asked:
    """The question in one language of the scope, and how much the scope has of it."""

    language: str
    lexemes: list[str]
    passages: int
    mean_length: float

    def values(self) -> dict[str, Any]:
        return {
            "language": self.language,
            "lexemes": self.lexemes,
            "query": any_of(self.lexemes),
            "passages": self.passages + UNWRITTEN_PASSAGES,
            "mean_length": self.mean_length,
            "k1": SATURATION,
            "b": LENGTH_WEIGHT,
        }

    def weights(self, known: dict[str, str]) -> dict[str, float]:
        """The idf of every lexeme; one that stands nowhere weighs most."""
        unseen = math.log(1 + (self.passages + UNWRITTEN_PASSAGES + 0.5) / 0.5)
        return {lexeme: float(known.get(lexeme, unseen)) for lexeme in self.lexemes}


class _Ranked(NamedTuple):
    document_id: UUID
    ordinal: int
    score: float
    coverage: float


def _asked(session: Session, question: str, scope: dict[str, Any]) -> list[_Asked]:
    languages = {row.language: row for row in session.execute(SCOPE, scope)}
    rows = session.execute(ASKED, {"question": question, "languages": list(languages), "most": MAX_TERMS})
    asked = []
    for row in rows:
        of_language = languages[row.language]
        passages, characters = int(of_language.passages), int(of_language.characters)
        if row.lexemes:
            asked.append(_Asked(row.language, list(row.lexemes), passages, max(characters / passages, 1.0)))
    return asked


def any_of(lexemes: Sequence[str]) -> str:
    """The full-text query that any one of these lexemes satisfies, as text."""
    return " | ".join("'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'" for lexeme in lexemes)


def _hits(
    session: Session, ranked: Sequence[_Ranked], asked: Sequence[_Asked], *, highlight: bool
) -> list[Hit]:
    """The passages of a ranking, in its order."""
    queries = {one.language: any_of(one.lexemes) for one in asked}
    values = {
        "documents": list({entry.document_id for entry in ranked}),
        "ordinals": list({entry.ordinal for entry in ranked}),
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
