"""How good retrieval is on a set of documents, questions and judgements: nDCG@10, Recall@10 and MRR@10.

A set is a folder with `docs.jsonl.gz` (or `docs.jsonl`: id, title, text), `queries.jsonl` (id, text) and `qrels.tsv`
(query_id, doc_id, relevance; tabs, a header). The real search runs on the documents cut as ingestion cuts them, in
a workspace that exists only in a transaction which is rolled back.
"""

import gzip
import json
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from leitstand.db.models import Document, Item, Workspace
from leitstand.db.models.base import new_id
from leitstand.errors import InvalidInput
from leitstand.identity.access import Principal, system_principal
from leitstand.knowledge.embeddings import embed_in
from leitstand.knowledge.ingest import index_passages
from leitstand.knowledge.parsing.passages import cut
from leitstand.knowledge.parsing.plain import read_plain
from leitstand.knowledge.search import ENOUGH_COVERAGE, MAX_HITS, Found, by_parts, search
from leitstand.words import N_, msg

CUTOFF = 10
Judgements = dict[str, set[str]]


@dataclass(frozen=True)
class Part:
    """How good one way of ranking is: by words ("bm25"), by meaning ("vectors"), or by both ("hybrid").

    Args:
        answered: share of the questions of which a relevant document holds enough for an answer.
        misled: share of those of which another document seems to; what would be said were the relevant ones not there.
    """

    ndcg_at_10: float
    recall_at_10: float
    mrr_at_10: float
    answered: float
    misled: float


@dataclass(frozen=True)
class Figures:
    """The mean over the questions that have at least one relevant document, of the search as it is, and of its parts.

    Milliseconds are of one question.
    """

    set: str
    documents: int
    passages: int
    queries: int
    ndcg_at_10: float
    recall_at_10: float
    mrr_at_10: float
    milliseconds_p50: float
    milliseconds_p95: float
    parts: dict[str, Part]

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON values."""
        return asdict(self)


def evaluate(engine: Engine, folder: Path) -> Figures:
    """Measure the search on the set in `folder`; nothing of it stays in the database.

    Raises:
        InvalidInput: a file is missing or has a line of another form.
    """
    queries, judgements = questions(folder), _judgements(folder)
    judged = [(identity, text) for identity, text in queries if judgements.get(identity)]
    if not judged:
        raise InvalidInput(
            msg("No question of {folder} has a relevant document.", folder=folder),
            hint="See queries.jsonl and qrels.tsv.",
        )
    with _scratch(engine) as (session, principal, space_id):
        names, passages = _load(session, principal, space_id, folder)
        embed_in(session, workspace_id=principal.workspace_id)
        # The first question loads the model.
        search(session, principal=principal, question=judged[0][1])
        measured: dict[str, list[tuple[float, ...]]] = {}
        times = []
        for identity, text in judged:
            began = time.perf_counter()
            both = search(session, principal=principal, question=text, limit=MAX_HITS, highlight=False)
            times.append((time.perf_counter() - began) * 1000)
            ways = by_parts(session, principal=principal, question=text) | {"hybrid": both}
            for way, found in ways.items():
                measured.setdefault(way, []).append(_of_question(found, names, judgements[identity]))
    parts = {way: Part(*map(_mean, zip(*rows, strict=True))) for way, rows in measured.items()}
    return Figures(
        set=folder.name,
        documents=len(names),
        passages=passages,
        queries=len(judged),
        ndcg_at_10=parts["hybrid"].ndcg_at_10,
        recall_at_10=parts["hybrid"].recall_at_10,
        mrr_at_10=parts["hybrid"].mrr_at_10,
        milliseconds_p50=_percentile(times, 0.5),
        milliseconds_p95=_percentile(times, 0.95),
        parts=parts,
    )


def metrics(ranked: Sequence[str], relevant: set[str]) -> tuple[float, float, float]:
    """nDCG (binary gain, log2 discount), recall and reciprocal rank of the first ten of a ranking."""
    gains = [document in relevant for document in ranked[:CUTOFF]]
    best = sum(1 / math.log2(rank + 2) for rank in range(min(CUTOFF, len(relevant))))
    gained = sum(gain / math.log2(rank + 2) for rank, gain in enumerate(gains))
    first = next((1 / (rank + 1) for rank, gain in enumerate(gains) if gain), 0.0)
    return gained / best, sum(gains) / len(relevant), first


def _of_question(found: Found, names: dict[UUID, str], relevant: set[str]) -> tuple[float, ...]:
    """nDCG, recall, reciprocal rank, and whether a relevant document, and whether another, would be an answer."""
    # Each document at the place of its best passage.
    ranked = list(dict.fromkeys(names[hit.document_id] for hit in found.hits))
    enough = {names[hit.document_id] for hit in found.hits if hit.coverage >= ENOUGH_COVERAGE}
    return (*metrics(ranked, relevant), float(bool(enough & relevant)), float(bool(enough - relevant)))


@contextmanager
def _scratch(engine: Engine) -> Iterator[tuple[Session, Principal, UUID]]:
    """A workspace with an empty space, gone when the block ends."""
    with Session(engine, expire_on_commit=False) as session:
        workspace = Workspace(slug=f"evaluation-{new_id()}", name="Evaluation")
        session.add(workspace)
        session.flush()
        space = Item(workspace_id=workspace.id, kind="space", title="Evaluation")
        session.add(space)
        session.flush()
        try:
            yield session, system_principal(workspace.id), space.id
        finally:
            session.rollback()


def _load(
    session: Session, principal: Principal, space_id: UUID, folder: Path
) -> tuple[dict[UUID, str], int]:
    names, passages = {}, 0
    for entry in documents(folder):
        content = str(entry["text"])
        document = Document(
            id=new_id(), workspace_id=principal.workspace_id, space_id=space_id, title=str(entry.get("title") or ""),
            object_key="", media_type="text/plain", bytes=len(content), sha256=str(entry["id"]),
        )  # fmt: skip
        session.add(document)
        session.flush()
        names[document.id] = str(entry["id"])
        cut_up = cut(document.title, read_plain(content.encode()))
        index_passages(session, document, cut_up)
        passages += len(cut_up)
    return names, passages


def documents(folder: Path) -> Iterator[dict[str, Any]]:
    """The documents of a set, each with at least id and text.

    Raises:
        InvalidInput: the file is missing or has a line of another form.
    """
    packed = folder / "docs.jsonl.gz"
    return _lines(packed if packed.exists() else folder / "docs.jsonl")


def questions(folder: Path) -> list[tuple[str, str]]:
    """The questions of a set, as (id, text).

    Raises:
        InvalidInput: the file is missing or has a line of another form.
    """
    return [(str(entry["id"]), str(entry["text"])) for entry in _lines(folder / "queries.jsonl")]


def _judgements(folder: Path) -> Judgements:
    relevant: Judgements = {}
    with _open(folder / "qrels.tsv") as stream:
        for number, line in enumerate(stream, start=1):
            parts = line.rstrip("\r\n").split("\t")
            if number == 1 or not line.strip():
                continue
            if len(parts) != 3 or not parts[2].lstrip("-").isdigit():
                raise InvalidInput(
                    msg(
                        "Line {number} of {folder} is not: query_id, doc_id, relevance.",
                        number=number,
                        folder=folder / "qrels.tsv",
                    )
                )
            if int(parts[2]) > 0:
                relevant.setdefault(parts[0], set()).add(parts[1])
    return relevant


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with _open(path) as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                entry = json.loads(line)
            except ValueError:
                entry = None
            if not isinstance(entry, dict) or not {"id", "text"} <= entry.keys():
                raise InvalidInput(
                    msg(
                        "Line {number} of {path} is not a JSON object with id and text.",
                        number=number,
                        path=path,
                    )
                )
            yield entry


def _open(path: Path) -> TextIO:
    if not path.is_file():
        hint = N_("A set has docs.jsonl.gz, queries.jsonl and qrels.tsv.")
        raise InvalidInput(
            msg("There is no {name} in {parent}.", name=path.name, parent=path.parent), hint=hint
        )
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def _mean(values: Sequence[float]) -> float:
    return round(math.fsum(values) / len(values), 4)


def _percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)
