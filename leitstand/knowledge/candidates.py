"""Which passages of a large scope are worth weighing, told by a sample of it.

BM25 gives every passage a score that holds one of a question's words, and common words stand in half of all passages:
with 100,000 passages that takes seconds. The best ones hold the rare words. So in a large scope every so-many-th
passage is looked at, which says about how many hold each word; weighed are the passages that hold a rare word, or two
or more of the common ones together; where those are too few, a passage with common words alone is found besides. The sample is of what the person may read, and the same for the same passages.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

# Up to so many passages of a language, all that hold a word are weighed.
WEIGHED_WHOLE = 3_000
SAMPLED = 500
# About so many passages are weighed in a larger scope; and so many besides, where those are fewer than asked for.
CANDIDATES = 1_000
FURTHER_CANDIDATES = 400
# Only the rarest words are put together, and no more than so many: a search for each has its price.
PUT_TOGETHER = 4
OF_THE_RAREST = 8
MOST_CLAUSES = 4

SAMPLE = text("""
    WITH held AS (
        SELECT id, passages, CAST(sum(passages) OVER (ORDER BY id) AS bigint) - passages AS before
        FROM document
        WHERE workspace_id = :workspace AND space_id = ANY(:spaces) AND language = :language AND passages > 0
    ), picked AS MATERIALIZED (
        SELECT id, CAST(number * step - before + 1 AS integer) AS ordinal
        FROM held, CAST(:step AS bigint) AS step,
             generate_series((before + step - 1) / step, (before + passages + step - 1) / step - 1) AS number
    )
    SELECT held, count(*) AS passages FROM (
    SELECT array_agg(asked.number) AS held
    FROM picked, LATERAL (
        SELECT words || '' AS words FROM chunk WHERE chunk.document_id = picked.id AND chunk.ordinal = picked.ordinal
          AND words @@ CAST(:any AS tsquery)
        LIMIT 1  -- Keeps the planner, which takes the sample for large, from reading all passages for it.
    ) AS passage, unnest(CAST(:queries AS tsquery[])) WITH ORDINALITY AS asked(query, number)
    WHERE words @@ query
    GROUP BY picked.id, picked.ordinal
    ) AS sampled GROUP BY held
""")

Clause = frozenset[str]


@dataclass(frozen=True)
class Candidates:
    """What to weigh.

    Args:
        clauses: a passage is weighed that holds every lexeme of one of these; none where all are too common.
        passages: of the lexemes that are too common to be counted, in about how many passages they stand.
    """

    clauses: list[Clause]
    passages: dict[str, float] = field(default_factory=dict)


def candidates(
    session: Session, *, scope: dict[str, Any], language: str, lexemes: Sequence[str], passages: int
) -> Candidates:
    """What to weigh for a question's lexemes in the `passages` passages that a scope has of a language.

    Args:
        scope: `workspace` and `spaces`, those that the person may read.
    """
    if passages <= WEIGHED_WHOLE:
        return Candidates([frozenset([lexeme]) for lexeme in lexemes])
    sample = _sample(session, scope=scope, language=language, lexemes=lexemes, passages=passages)
    return chosen(sample, lexemes, passages)


def chosen(sample: Sequence[Clause], lexemes: Sequence[str], passages: int) -> Candidates:
    """The clauses that hold about `CANDIDATES` passages together, the rarest words first.

    Args:
        sample: the lexemes that each of the sampled passages holds.
        passages: how many there are.
    """
    each = passages / max(len(sample), 1)
    left = Counter(sample)
    hits = {lexeme: sum(count for held, count in left.items() if lexeme in held) for lexeme in lexemes}
    rarest = sorted(lexemes, key=lambda lexeme: (hits[lexeme], lexeme))
    clauses: list[Clause] = []
    room = CANDIDATES / each
    for clause in _clauses(rarest):
        if len(clauses) >= MOST_CLAUSES and len(clause) > 1:
            break
        if any(part <= clause for part in clauses):
            continue
        taken = [held for held in left if clause <= held]
        further = sum(left[held] for held in taken)
        if further <= room:
            clauses.append(clause)
            room -= further
            for held in taken:
                del left[held]
    counted = {lexeme for clause in clauses if len(clause) == 1 for lexeme in clause}
    common = {lexeme: hits[lexeme] * each for lexeme in lexemes if lexeme not in counted}
    return Candidates(clauses, common)


def _clauses(rarest: Sequence[str]) -> Iterator[Clause]:
    """Every lexeme, then the rarest by two, by three and by four."""
    yield from (frozenset([lexeme]) for lexeme in rarest)
    for size in range(2, PUT_TOGETHER + 1):
        yield from (frozenset(some) for some in combinations(rarest[:OF_THE_RAREST], size))


def _sample(
    session: Session, *, scope: dict[str, Any], language: str, lexemes: Sequence[str], passages: int
) -> list[Clause]:
    step = max(passages // SAMPLED, 1)
    values = {"language": language, "step": step, "queries": [quoted(lexeme) for lexeme in lexemes]}
    values["any"] = any_of(lexemes)
    rows = session.execute(SAMPLE, scope | values)
    holding = [
        held
        for row in rows
        for held in [frozenset(lexemes[number - 1] for number in row.held)] * row.passages
    ]
    silent = -(-passages // step) - len(holding)
    return holding + [frozenset[str]()] * silent


def query_of(clauses: Sequence[Clause]) -> str:
    """The full-text query that a passage satisfies which holds every lexeme of one of the clauses, as text."""
    return " | ".join("(" + " & ".join(map(quoted, sorted(clause))) + ")" for clause in clauses)


def any_of(lexemes: Sequence[str]) -> str:
    """The full-text query that any one of these lexemes satisfies, as text."""
    return " | ".join(map(quoted, lexemes))


def quoted(lexeme: str) -> str:
    """A lexeme as a full-text query."""
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"
