"""Retrieval: BM25 over PostgreSQL's lexemes and the meaning by vectors, permissions applied before ranking.

A question's words are joined by OR (joined by AND, a question finds next to nothing). Term frequencies come from
the passages' `tsvector`, document frequencies from the passages that match (of common words in a large scope, from a
sample, see `candidates`), so that no statistics table can be stale and no figure is learnt from what the person may
not read. Passages of several languages are weighed within
their own language and compared by the share of the question that they cover; a word that stands nowhere weighs most,
because a passage can't answer what it is silent on. Robertson and Zaragoza, The Probabilistic
Relevance Framework: BM25 and Beyond (2009), with the idf that is never negative.

Where the passages have vectors (`meaning`), those nearest to the question are weighed besides, and the score is made of
both parts (decision 0046). Where they have none yet, or none can be kept, words say it all.
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
from leitstand.knowledge.candidates import FURTHER_CANDIDATES, Candidates, candidates, query_of, quoted
from leitstand.knowledge.encoder import MODEL
from leitstand.knowledge.meaning import UNRELATED, Meaning, Place, cosines, nearest
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

SCOPE = text("""
    SELECT language, sum(passages) AS passages, sum(characters) AS characters, model.name AS model,
           EXISTS (
               SELECT FROM embedding
               WHERE workspace_id = :workspace AND space_id = ANY(:spaces) AND embedding.model = model.name
           ) AS has_vectors
    FROM document, (SELECT coalesce(
        (SELECT embeds FROM model_endpoint WHERE workspace_id = :workspace AND active AND embeds <> ''), :ours
    ) AS name) AS model
    WHERE workspace_id = :workspace AND space_id = ANY(:spaces) AND passages > 0
    GROUP BY language, model.name
""")

ASKED = text("""
    SELECT language, (tsvector_to_array(to_tsvector(CAST(language AS regconfig), :question)))[1 : :most] AS lexemes
    FROM unnest(CAST(:languages AS text[])) AS language
""")

# How often a word stands in a passage, told by ts_rank, which is eight times as fast as unnesting all of its words: for
# one lexeme, all weights 1, that is the sum of 1 / n² for each time, divided by this limit of the sum. A tsvector keeps
# 256 positions of a lexeme at most. Between each value and the one before lies the bound that tells them apart.
MOST_OFTEN = 256
RANK_LIMIT = 1.64493406685
RANKS = [
    (sum(1 / n**2 for n in range(1, often)) + 1 / often**2 / 2) / RANK_LIMIT
    for often in range(1, MOST_OFTEN + 1)
]

# `words || ''` is a copy that is unpacked: else each of the question's words would unpack it anew.
# No joins: a freshly filled table has no statistics yet, and a join order guessed without them takes seconds.
RANKING = text(
    """
    WITH weighed AS (
        SELECT document_id, ordinal, length, words || '' AS words FROM chunk
        WHERE workspace_id = :workspace AND space_id = ANY(:spaces) AND language = :language
          AND words @@ CAST(:query AS tsquery)
        ORDER BY CASE WHEN :most > 0 THEN ts_rank(words, CAST(:query AS tsquery), 1) END DESC
        LIMIT nullif(CAST(:most AS bigint), 0)
    ), near AS MATERIALIZED (
        SELECT * FROM unnest(CAST(:near_documents AS uuid[]), CAST(:near_ordinals AS integer[])) AS place(document_id, ordinal)
    ), gathered AS (
        SELECT * FROM weighed
        UNION ALL
        SELECT passage.* FROM near, LATERAL (
            SELECT chunk.document_id, chunk.ordinal, length, words || '' FROM chunk
            WHERE chunk.document_id = near.document_id AND chunk.ordinal = near.ordinal AND workspace_id = :workspace
              AND language = :language AND NOT words @@ CAST(:query AS tsquery)
            LIMIT 1
        ) AS passage
    ), posting AS MATERIALIZED (
        SELECT document_id, ordinal, length, lexeme,
               width_bucket(CAST(ts_rank('{1,1,1,1}', words, lexeme_query) AS float8), CAST('[RANKS]' AS float8[])) AS tf
        FROM gathered, unnest(CAST(:lexemes AS text[]), CAST(:queries AS tsquery[])) AS asked(lexeme, lexeme_query)
        WHERE words @@ lexeme_query
    ), frequency AS (
        SELECT lexeme, coalesce(CAST(CAST(:known AS jsonb) ->> lexeme AS float8), count(*)) AS df
        FROM posting GROUP BY lexeme
    ), weight AS MATERIALIZED (
        SELECT array_agg(lexeme) AS lexemes, array_agg(df) AS frequencies,
               array_agg(ln(1 + (:passages - df + 0.5) / (df + 0.5))) AS weights
        FROM frequency
    ), part AS (
        SELECT posting.*, weights[array_position(lexemes, lexeme)] AS weight FROM posting CROSS JOIN weight
    ), best AS (
        SELECT part.document_id, part.ordinal, sum(weight) AS covered,
               sum(weight * tf * (:k1 + 1) / (tf + :k1 * (1 - :b + :b * length / :mean_length))) AS score
        FROM part LEFT JOIN near ON near.document_id = part.document_id AND near.ordinal = part.ordinal
        GROUP BY part.document_id, part.ordinal, near.document_id
        ORDER BY near.document_id IS NULL, score DESC, part.document_id, part.ordinal
        LIMIT :limit
    )
    SELECT best.*, CASE row_number() OVER () WHEN 1 THEN (SELECT jsonb_object(lexemes, frequencies::text[]) FROM weight) END AS frequencies
    FROM best
""".replace("[RANKS]", "{" + ",".join(map(str, RANKS)) + "}")
)

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

Weights = dict[str, dict[str, float]]
Frequencies = dict[str, Any]


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
    held = session.execute(SCOPE, scope | {"ours": MODEL}).all()
    meaning = _meaning(session, question, scope, held)
    asked = _asked(session, question, scope, held)
    limit = max(1, min(limit, MAX_HITS))
    weights: Weights = {}
    by_words = _by_words(session, asked, scope, limit, meaning, weights)
    best = sorted(_ranked(session, by_words, meaning, limit), key=_order)[:limit]
    return Found(_hits(session, best, asked, highlight=highlight), weights)


def by_parts(session: Session, *, principal: Principal, question: str) -> dict[str, Found]:
    """What words alone find, and what meaning alone does; to be measured beside `search`."""
    scope = {"workspace": principal.workspace_id, "spaces": readable_spaces(session, principal)}
    held = session.execute(SCOPE, scope | {"ours": MODEL}).all()
    meaning, asked = _meaning(session, question, scope, held), _asked(session, question, scope, held)
    by_words = _by_words(session, asked, scope, MAX_HITS, Meaning(), {})
    best = sorted((_Ranked(*place, *found) for place, found in by_words.items()), key=_order)[:MAX_HITS]
    near = sorted(
        (_Ranked(*place, cosine, _meant(cosine)) for place, cosine in meaning.nearest.items()), key=_order
    )
    return {
        "bm25": Found(_hits(session, best, asked, highlight=False)),
        "vectors": Found(_hits(session, near, asked, highlight=False)),
    }


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
    weighed: Candidates

    def values(self) -> dict[str, Any]:
        return {
            "language": self.language,
            "lexemes": self.lexemes,
            "queries": [quoted(lexeme) for lexeme in self.lexemes],
            "passages": self.passages + UNWRITTEN_PASSAGES,
            "mean_length": self.mean_length,
            "k1": SATURATION,
            "b": LENGTH_WEIGHT,
        }

    def weights(self, frequencies: Frequencies) -> dict[str, float]:
        """The idf of every lexeme; one that stands nowhere weighs most."""
        there = {lexeme: float(frequencies.get(lexeme, 0)) for lexeme in self.lexemes}
        passages = self.passages + UNWRITTEN_PASSAGES
        return {lexeme: math.log(1 + (passages - df + 0.5) / (df + 0.5)) for lexeme, df in there.items()}


class _ByWords(NamedTuple):
    share: float
    coverage: float


class _Ranked(NamedTuple):
    document_id: UUID
    ordinal: int
    score: float
    coverage: float


def _meaning(session: Session, question: str, scope: dict[str, Any], held: Sequence[Any]) -> Meaning:
    """What is nearest to the question; nothing where the scope has no vectors."""
    if not any(row.has_vectors for row in held):
        return Meaning()
    passages = sum(int(row.passages) for row in held)
    return nearest(session, question, scope=scope, model=held[0].model, passages=passages)


def _by_words(
    session: Session,
    asked: Sequence[_Asked],
    scope: dict[str, Any],
    limit: int,
    meaning: Meaning,
    weights: Weights,
) -> dict[Place, _ByWords]:
    """The passages of every language by their words; fills `weights`."""
    found: dict[Place, _ByWords] = {}
    for one in asked:
        rows, weights[one.language] = _weighed(session, one, scope, limit, meaning)
        total = sum(weights[one.language].values())
        found |= {place: _ByWords(row.score / total, row.covered / total) for place, row in rows.items()}
    return found


def _order(entry: _Ranked) -> tuple[float, UUID, int]:
    return -entry.score, entry.document_id, entry.ordinal


def _ranked(session: Session, by_words: dict[Place, _ByWords], meaning: Meaning, limit: int) -> list[_Ranked]:
    """What was found by words or by meaning, each with its score; a passage that has no vector yet by words alone."""
    if not meaning.vector:
        return [_Ranked(*place, *found) for place, found in by_words.items()]
    best = sorted(by_words, key=lambda place: by_words[place], reverse=True)[: max(WEIGHED_BOTH, limit)]
    near = meaning.nearest | cosines(
        session, meaning, [place for place in best if place not in meaning.nearest]
    )
    silent = _ByWords(0.0, 0.0)
    return [
        _both(place, by_words.get(place, silent), near.get(place))
        for place in dict.fromkeys([*best, *near])
        if place in by_words or near[place] >= UNRELATED
    ]


def _both(place: Place, found: _ByWords, cosine: float | None) -> _Ranked:
    if cosine is None:
        return _Ranked(*place, *found)
    score = WORDS_SHARE * found.share + (1 - WORDS_SHARE) * cosine
    return _Ranked(*place, score, max(found.coverage, _meant(cosine)))


def _meant(cosine: float) -> float:
    """What a passage's meaning is worth as coverage."""
    return min(1.0, cosine * ENOUGH_COVERAGE / ANSWERING_COSINE)


def _weighed(
    session: Session, asked: _Asked, scope: dict[str, Any], limit: int, meaning: Meaning
) -> tuple[dict[Place, Any], dict[str, float]]:
    """The best passages of a language by place, each with score and covered weight; and the idf of the lexemes.

    Those nearest in meaning are among them. Where the passages that hold the rare words are fewer than asked for, and
    none is near, those come besides that PostgreSQL's own ranking, which knows no idf but is quick, takes for the best.
    """
    weighed, near = asked.weighed, list(meaning.nearest)
    values = scope | asked.values()
    values |= {"near_documents": [place[0] for place in near], "near_ordinals": [place[1] for place in near]}
    values["limit"] = max(limit, WEIGHED_BOTH) + len(near) if near else limit
    first = {"query": query_of(weighed.clauses), "known": json.dumps(weighed.passages), "most": 0}
    rows: Sequence[Any] = []
    if weighed.clauses or near:
        rows = session.execute(RANKING, values | first).all()
    counted: Frequencies = next((row.frequencies for row in rows if row.frequencies), {})
    frequencies: Frequencies = weighed.passages | counted
    if len(rows) < limit and weighed.passages and not near:
        silent: Frequencies = dict.fromkeys(asked.lexemes, 0.0)
        known = json.dumps(silent | frequencies)
        further = {"query": any_of(asked.lexemes), "known": known, "most": FURTHER_CANDIDATES}
        rows = [*session.execute(RANKING, values | further).all(), *rows]
    return {(row.document_id, row.ordinal): row for row in rows}, asked.weights(frequencies)


def _asked(session: Session, question: str, scope: dict[str, Any], held: Sequence[Any]) -> list[_Asked]:
    languages = {row.language: row for row in held}
    rows = session.execute(ASKED, {"question": question, "languages": list(languages), "most": MAX_TERMS})
    asked = []
    for row in rows:
        of_language = languages[row.language]
        passages, characters = int(of_language.passages), int(of_language.characters)
        if not row.lexemes:
            continue
        lexemes, length = list(row.lexemes), max(characters / passages, 1.0)
        weighed = candidates(session, scope=scope, language=row.language, lexemes=lexemes, passages=passages)
        asked.append(_Asked(row.language, lexemes, passages, length, weighed))
    return asked


def any_of(lexemes: Sequence[str]) -> str:
    """The full-text query that any one of these lexemes satisfies, as text."""
    return " | ".join(map(quoted, lexemes))


def _hits(
    session: Session, ranked: Sequence[_Ranked], asked: Sequence[_Asked], *, highlight: bool
) -> list[Hit]:
    """The passages of a ranking, in its order."""
    queries = {one.language: any_of(one.lexemes) for one in asked}
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
