"""The passages that hold a question's words, by BM25: one statement a language, over what the person may read alone.

Term frequencies come from the passages' `tsvector`, document frequencies from the passages that match (of common words
in a large scope, from a sample, see `candidates`), so that no statistics table can be stale and no figure is learnt from
what the person may not read. Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009), with
the idf that is never negative.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from leitstand.knowledge.candidates import (
    FURTHER_CANDIDATES,
    Candidates,
    any_of,
    candidates,
    query_of,
    quoted,
)
from leitstand.knowledge.meaning import Place
from leitstand.knowledge.pairs import paired

MAX_TERMS = 64
# Term saturation (k1) and weight of length (b); tried on Cranfield and XQuAD, whole and cut into passages.
SATURATION = 1.5
LENGTH_WEIGHT = 0.75
# As if a language had ten passages more that hold none of the words: in a space with one passage of a language, a word
# that stands in it would else weigh next to nothing beside one that does not.
UNWRITTEN_PASSAGES = 10

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

# `words || ''` is a copy that is unpacked: else each of the question's words would unpack it anew. Words and passages are
# told apart by their numbers, which is a third quicker than by lexeme, document and ordinal. `known` holds a frequency for
# each word that is too common to be counted, else NULL.
# No joins with tables: a freshly filled table has no statistics yet, and a join order guessed without them takes seconds.
RANKING = text(
    """
    WITH near AS MATERIALIZED (
        SELECT * FROM unnest(CAST(:near_documents AS uuid[]), CAST(:near_ordinals AS integer[])) AS place(document_id, ordinal)
    ), gathered AS MATERIALIZED (
        SELECT row_number() OVER () AS place, * FROM (
            (SELECT document_id, ordinal, length, words || '' AS words FROM chunk
             WHERE workspace_id = :workspace AND space_id = ANY(:spaces) AND language = :language
               AND words @@ CAST(:query AS tsquery)
             ORDER BY CASE WHEN :most > 0 THEN ts_rank(words, CAST(:query AS tsquery), 1) END DESC
             LIMIT nullif(CAST(:most AS bigint), 0))
            UNION ALL
            SELECT passage.* FROM near, LATERAL (
                SELECT chunk.document_id, chunk.ordinal, length, words || '' FROM chunk
                WHERE chunk.document_id = near.document_id AND chunk.ordinal = near.ordinal AND workspace_id = :workspace
                  AND language = :language AND NOT words @@ CAST(:query AS tsquery)
                LIMIT 1
            ) AS passage
        ) AS weighed_or_near
    ), posting AS MATERIALIZED (
        SELECT place, CAST(number AS integer) AS number,
               CAST(:k1 * (1 - :b + :b * length / :mean_length) AS float8) AS damping,
               CAST(width_bucket(CAST(ts_rank('{1,1,1,1}', words, lexeme_query) AS float8), CAST('[RANKS]' AS float8[])) AS float8) AS tf
        FROM unnest(CAST(:queries AS tsquery[])) WITH ORDINALITY AS asked(lexeme_query, number), gathered
        WHERE words @@ lexeme_query
    ), weight AS MATERIALIZED (
        SELECT array_agg(df ORDER BY number) AS frequencies,
               array_agg(ln(1 + (:passages - df + 0.5) / (df + 0.5)) ORDER BY number) AS weights
        FROM (
            SELECT number, coalesce(known, counted, 0) AS df
            FROM unnest(CAST(:known AS float8[])) WITH ORDINALITY AS asked(known, number)
            LEFT JOIN (SELECT number, count(*) AS counted FROM posting GROUP BY number) AS here USING (number)
        ) AS frequency
    ), scored AS (
        SELECT place, sum(weights[number]) AS covered, sum(weights[number] * tf / (tf + damping)) * (:k1 + 1) AS score
        FROM posting CROSS JOIN weight GROUP BY place
    )
    SELECT best.*, CASE row_number() OVER () WHEN 1 THEN (SELECT frequencies FROM weight) END AS frequencies
    FROM (
        SELECT gathered.document_id, gathered.ordinal, covered, score
        FROM scored JOIN gathered USING (place) LEFT JOIN near USING (document_id, ordinal)
        ORDER BY near.document_id IS NULL, score DESC, gathered.document_id, gathered.ordinal
        LIMIT :limit
    ) AS best
""".replace("[RANKS]", "{" + ",".join(map(str, RANKS)) + "}")
)

Weights = dict[str, dict[str, float]]


class Share(NamedTuple):
    """How much of a question a passage holds: BM25 as a share of the question's weight, and the share of that weight in it."""

    share: float
    coverage: float


@dataclass(frozen=True)
class Asked:
    """The question in one language of a scope, and how much the scope has of it.

    Args:
        passages: that the scope has in the language.
        mean_length: of those, in characters.
        weighed: which of them are worth weighing.
    """

    language: str
    lexemes: list[str]
    passages: int
    mean_length: float
    weighed: Candidates

    @property
    def query(self) -> str:
        """The full-text query that any of its words satisfies, as text."""
        return any_of(self.lexemes)

    def values(self) -> dict[str, Any]:
        """What the statement is told of it."""
        return {
            "language": self.language,
            "queries": [quoted(lexeme) for lexeme in self.lexemes],
            "passages": self.passages + UNWRITTEN_PASSAGES,
            "mean_length": self.mean_length,
            "k1": SATURATION,
            "b": LENGTH_WEIGHT,
        }

    def known(self) -> list[float | None]:
        """In about how many passages each word stands that is too common to be counted."""
        return [self.weighed.passages.get(lexeme) for lexeme in self.lexemes]

    def weights(self, frequencies: Sequence[float | None]) -> dict[str, float]:
        """The idf of every lexeme; one that stands nowhere weighs most."""
        passages = self.passages + UNWRITTEN_PASSAGES
        there = zip(self.lexemes, (df or 0.0 for df in frequencies), strict=True)
        return {lexeme: math.log(1 + (passages - df + 0.5) / (df + 0.5)) for lexeme, df in there}


def asked_in(session: Session, question: str, *, scope: dict[str, Any], held: Sequence[Any]) -> list[Asked]:
    """The question in every language of a scope in which it has words.

    Args:
        scope: `workspace` and `spaces`, those that the person may read.
        held: `language`, `passages` and `characters` of each.
    """
    languages = {row.language: row for row in held}
    rows = session.execute(
        ASKED, {"question": paired(question), "languages": list(languages), "most": MAX_TERMS}
    )
    asked = []
    for row in rows:
        of_language = languages[row.language]
        passages, characters = int(of_language.passages), int(of_language.characters)
        if not row.lexemes:
            continue
        lexemes, length = list(row.lexemes), max(characters / passages, 1.0)
        weighed = candidates(session, scope=scope, language=row.language, lexemes=lexemes, passages=passages)
        asked.append(Asked(row.language, lexemes, passages, length, weighed))
    return asked


def by_words(
    session: Session, asked: Sequence[Asked], *, scope: dict[str, Any], limit: int, near: Sequence[Place] = ()
) -> tuple[dict[Place, Share], Weights]:
    """The best passages of every language by their words, at most `limit` of each; and the idf of the lexemes.

    Args:
        near: those nearest in meaning, which are among what is found, whatever their words.
    """
    found: dict[Place, Share] = {}
    weights: Weights = {}
    for one in asked:
        rows, weights[one.language] = _weighed(session, one, scope, limit, near)
        total = sum(weights[one.language].values())
        found |= {
            (row.document_id, row.ordinal): Share(row.score / total, row.covered / total) for row in rows
        }
    return found, weights


def _weighed(
    session: Session, asked: Asked, scope: dict[str, Any], limit: int, near: Sequence[Place]
) -> tuple[Sequence[Any], dict[str, float]]:
    """The best passages of a language, and the idf of the lexemes.

    Where the passages that hold the rare words are fewer than asked for, and none is near, those come besides that
    PostgreSQL's own ranking, which knows no idf but is quick, takes for the best.
    """
    weighed = asked.weighed
    values = scope | asked.values() | {"limit": limit}
    values |= {"near_documents": [place[0] for place in near], "near_ordinals": [place[1] for place in near]}
    rows: Sequence[Any] = []
    if weighed.clauses or near:
        first = {"query": query_of(weighed.clauses), "known": asked.known(), "most": 0}
        rows = session.execute(RANKING, values | first).all()
    frequencies = next((row.frequencies for row in rows if row.frequencies), asked.known())
    if len(rows) < limit and weighed.passages and not near:
        known = [df or 0.0 for df in frequencies]
        further = {"query": asked.query, "known": known, "most": FURTHER_CANDIDATES}
        rows = [*session.execute(RANKING, values | further).all(), *rows]
    return rows, asked.weights(frequencies)
