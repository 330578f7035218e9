"""The yardstick: figures on a set, nothing of which stays behind."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from leitstand.cli import main
from leitstand.db.models import Chunk, Document, Workspace
from leitstand.errors import InvalidInput
from leitstand.knowledge.evaluation import evaluate

pytestmark = pytest.mark.long

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "retrieval"
DOCUMENTS = [
    {"id": "a", "title": "Herons", "text": "Herons live near the water."},
    {"id": "b", "title": "Bread", "text": "The dough rests for twelve hours."},
    {"id": "empty", "title": "", "text": ""},
]
QUERIES = [
    {"id": "1", "text": "Where do herons live?"},
    {"id": "2", "text": "How long does dough rest?"},
    {"id": "3", "text": "x"},
]
QRELS = "query_id\tdoc_id\trelevance\n1\ta\t1\n2\tb\t2\n2\ta\t0\n3\ta\t0\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with gzip.open(tmp_path / "docs.jsonl.gz", "wt") as stream:
        stream.writelines(json.dumps(document) + "\n" for document in DOCUMENTS)
    (tmp_path / "queries.jsonl").write_text("\n".join(map(json.dumps, QUERIES)))
    (tmp_path / "qrels.tsv").write_text(QRELS)
    return tmp_path


def test_a_small_set_is_measured_and_leaves_nothing(engine: Engine, session: Session, folder: Path) -> None:
    figures = evaluate(engine, folder)
    assert (figures.documents, figures.passages, figures.queries) == (3, 2, 2)
    assert (figures.ndcg_at_10, figures.recall_at_10, figures.mrr_at_10) == (1.0, 1.0, 1.0)
    for model in (Workspace, Document, Chunk):
        assert session.scalar(select(func.count()).select_from(model)) == 0


def test_the_command_prints_one_document(
    engine: Engine, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["query", "evaluate", str(folder), "--json"])
    assert stopped.value.code == 0
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert printed["ndcg_at_10"] == 1.0


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("queries.jsonl", None, "no queries.jsonl"),
        ("qrels.tsv", None, "no qrels.tsv"),
        ("docs.jsonl.gz", None, "no docs.jsonl"),
        ("queries.jsonl", '{"id": "1", "text": "x"}\nnonsense\n', "Line 2"),
        ("queries.jsonl", '{"id": "1"}\n', "Line 1"),
        ("qrels.tsv", "header\n1 a 1\n", "Line 2"),
        ("qrels.tsv", "header\n", "No question"),
    ],
)
def test_a_broken_set_is_named(
    engine: Engine, folder: Path, name: str, content: str | None, problem: str
) -> None:
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    with pytest.raises(InvalidInput, match=problem):
        evaluate(engine, folder)


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="the retrieval sets are not here")
@pytest.mark.parametrize("name", ["cranfield", "xquad-a/en", "xquad-a/es"])
def test_the_search_is_at_least_as_good_as_the_best_word_based_ranking(engine: Engine, name: str) -> None:
    """`baselines.json` of each set holds what BM25 of other programs and PostgreSQL's own rankings reach on it."""
    results = json.loads((SHARED / name / "baselines.json").read_text())["results"]
    by_words = [row["ndcg_at_10"] for row in results if row["method"].startswith(("bm25", "postgres"))]
    assert evaluate(engine, SHARED / name).ndcg_at_10 >= max(by_words)
