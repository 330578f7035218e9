"""How good and how fast retrieval is, beside what a person would use instead.

    ./run bench query --folder /tmp/benchmark [--sets FOLDER …] [--passages 100000] [--questions 100]

Quality: nDCG@10 of every set (see `leitstand query evaluate`) beside the best BM25 of its `baselines.json`, where it
has one. Speed: a space of passages made of the sets' own sentences, four each in an order of chance, is asked the sets'
own questions; so that every word stands in far more passages than it would in a library. Beside it, on the same rows,
stand `ts_rank` and `ts_rank_cd` over the words joined by OR, which is what PostgreSQL offers by itself. PostgreSQL uses
one process a question. Milliseconds are of the clock, and of the processor (both processes), which a busy machine
changes less. `agreement` is the share of the ten best passages that weighing every passage, and comparing every vector,
finds too. The space is kept in the folder, and found there by the next run.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import psutil
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from benchmarks.environment import started, verdict
from benchmarks.query.dataset import questions_of, space_of
from leitstand.identity.access import Principal, system_principal
from leitstand.knowledge import candidates, meaning
from leitstand.knowledge.evaluation import Figures, evaluate
from leitstand.knowledge.search import search

LIMIT_MS = 80.0
BEST = 10
OURS, WHOLE = "Leitstand", "every passage weighed"
# Weighing all takes seconds a question.
WHOLE_QUESTIONS = 20
OR_OF_WORDS = "(SELECT replace(plainto_tsquery('english', :question)::text, '&', '|')::tsquery)"
RIVAL = """
    SELECT document_id, ordinal FROM chunk, (SELECT {query} AS query) AS asked
    WHERE workspace_id = :workspace AND words @@ query
    ORDER BY {rank}(words, query) DESC, document_id, ordinal LIMIT {best}
"""

Place = tuple[UUID, int]
Ask = Callable[[str], list[Place]]


@dataclass
class Timed:
    """What one way of asking took: milliseconds of clock and processor a question, and what it found."""

    clock: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    found: list[list[Place]] = field(default_factory=list)


def best_bm25(folder: Path) -> float | None:
    """nDCG@10 of the best BM25 among a set's baselines; none where it has none."""
    file = folder / "baselines.json"
    if not file.is_file():
        return None
    results = json.loads(file.read_text())["results"]
    return max((one["ndcg_at_10"] for one in results if one["method"].startswith("bm25")), default=None)


def quality(engine: Engine, sets: Sequence[Path]) -> list[tuple[Figures, float | None]]:
    """The figures of every set, and its best BM25 baseline."""
    return [(evaluate(engine, folder), best_bm25(folder)) for folder in sets]


def ways(session: Session, principal: Principal) -> dict[str, Ask]:
    """The ways of asking that are compared."""

    def ours(question: str) -> list[Place]:
        found = search(session, principal=principal, question=question, limit=BEST)
        return [(hit.document_id, hit.ordinal) for hit in found.hits]

    def rival(rank: str) -> Ask:
        statement = text(RIVAL.format(query=OR_OF_WORDS, rank=rank, best=BEST))
        values = {"workspace": principal.workspace_id}
        return lambda question: [
            (row.document_id, row.ordinal)
            for row in session.execute(statement, values | {"question": question})
        ]

    return {OURS: ours, "ts_rank": rival("ts_rank"), "ts_rank_cd": rival("ts_rank_cd")}


def timed(session: Session, asks: dict[str, Ask], questions: Sequence[str]) -> dict[str, Timed]:
    """Every question asked in every way in turn, after one round that only warms up."""
    pid = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
    session.execute(text("SET max_parallel_workers_per_gather = 0"))
    processes = [psutil.Process(), psutil.Process(pid)]
    found = {name: Timed() for name in asks}
    for name, ask in asks.items():
        for question in questions:
            ask(question)
        for question in questions:
            busy, began = _processor_ms(processes), time.perf_counter()
            found[name].found.append(ask(question))
            found[name].clock.append((time.perf_counter() - began) * 1000)
            found[name].processor.append(_processor_ms(processes) - busy)
    return found


def agreement(session: Session, principal: Principal, ours: Timed, questions: Sequence[str]) -> float:
    """The share of the best passages that are found as well when every passage is weighed and compared."""
    kept, candidates.WEIGHED_WHOLE = candidates.WEIGHED_WHOLE, 10**12
    compared, meaning.COMPARED_ONE_BY_ONE = meaning.COMPARED_ONE_BY_ONE, 10**12
    try:
        whole = timed(session, {WHOLE: ways(session, principal)[OURS]}, questions)[WHOLE]
    finally:
        candidates.WEIGHED_WHOLE, meaning.COMPARED_ONE_BY_ONE = kept, compared
    pairs = zip(ours.found, whole.found, strict=False)
    return statistics.mean(len(set(one) & set(all_)) / max(len(all_), 1) for one, all_ in pairs)


def report_quality(found: Sequence[tuple[Figures, float | None]]) -> list[str]:
    """A table of the sets; those below their baseline, or below one of the two parts."""
    print(
        "\n| set | questions | passages | nDCG@10 | by words | by vectors | best BM25 baseline | Recall@10 | MRR@10 |"
        "\n|---|---|---|---|---|---|---|---|---|"
    )
    missed = []
    for one, baseline in found:
        words, vectors = (one.parts[part].ndcg_at_10 for part in ("bm25", "vectors"))
        beside = "" if baseline is None else f"{baseline:.4f}"
        print(
            f"| {one.set} | {one.queries:,} | {one.passages:,} | {one.ndcg_at_10:.4f} | {words:.4f} | {vectors:.4f} | {beside} | {one.recall_at_10:.4f} | {one.mrr_at_10:.4f} |"
        )
        if one.ndcg_at_10 < max(baseline or 0.0, words, vectors):
            missed.append(one.set)
    return missed


def report_speed(found: dict[str, Timed], passages: int) -> bool:
    """A table of the ways of asking; whether the target is met."""
    print(
        f"\n{passages:,} passages\n\n| way | p50 ms | p95 ms | processor p50 | processor p95 |\n|---|---|---|---|---|"
    )
    for name, one in found.items():
        figures = (of(times) for times in (one.clock, one.processor) for of in (statistics.median, _p95))
        print(f"| {name} | " + " | ".join(f"{value:,.0f}" for value in figures) + " |")
    reached = _p95(found[OURS].clock)
    print(
        f"\np95 of retrieval: {reached:,.1f} ms; target at most {LIMIT_MS:.0f} ms: {'reached' if reached <= LIMIT_MS else 'MISSED'}"
    )
    return reached <= LIMIT_MS


def _p95(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]


def _processor_ms(processes: Sequence[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes]
    return 1000 * float(sum(one.user + one.system for one in times))


def options() -> argparse.Namespace:
    """What to do, from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, default=31_800)
    parser.add_argument("--sets", type=Path, nargs="+", required=True, help="folders of retrieval sets")
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=100)
    return parser.parse_args()


def run(engine: Engine, sets: Sequence[Path], *, passages: int, count: int) -> list[str]:
    """Measure it all and print what came out; what was missed."""
    missed = report_quality(quality(engine, sets))
    questions = questions_of(sets, count)
    workspace_id = space_of(engine, sets, passages=passages)
    with Session(engine) as session:
        principal = system_principal(workspace_id)
        found = timed(session, ways(session, principal), questions)
        shared = agreement(session, principal, found[OURS], questions[:WHOLE_QUESTIONS])
    if not report_speed(found, passages):
        missed.append("speed")
    print(verdict("agreement with every passage weighed", shared * 100, 95, "%"))
    return missed


def main() -> None:
    """Run it all and print what came out."""
    given = options()
    given.folder.mkdir(parents=True, exist_ok=True)
    with started(given.folder, given.port) as engine:
        run(engine, given.sets, passages=given.passages, count=given.questions)


if __name__ == "__main__":
    main()
