"""The benchmark of retrieval: a small run of it measures every way, and says what falls short of its baseline."""

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine

from benchmarks.query.__main__ import OURS, run

ABOUT = (
    "The grey heron stands in the shallow water of the river.",
    "A kettle is filled with cold water before it boils.",
    "The bridge over the valley was built of red stone.",
)
ASKED = ("Where does the heron stand?", "What fills a kettle?", "Of which stone is the bridge?")


def made(folder: Path, *, baseline: float) -> Path:
    """A set of three documents, a question to each."""
    folder.mkdir()
    lines = {
        "docs.jsonl": [{"id": f"d{n}", "title": "", "text": said} for n, said in enumerate(ABOUT)],
        "queries.jsonl": [{"id": f"q{n}", "text": said} for n, said in enumerate(ASKED)],
    }
    for name, entries in lines.items():
        (folder / name).write_text("\n".join(map(json.dumps, entries)) + "\n")
    (folder / "qrels.tsv").write_text("q\td\tr\n" + "".join(f"q{n}\td{n}\t1\n" for n in range(3)))
    results = [
        {"method": "bm25 of some kind", "ndcg_at_10": baseline},
        {"method": "not that", "ndcg_at_10": 2.0},
    ]
    (folder / "baselines.json").write_text(json.dumps({"results": results}))
    return folder


def test_a_small_run_measures_every_way_and_compares_with_the_baselines(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.query.dataset.SENTENCES", 1)
    sets = [made(tmp_path / "good", baseline=0.9), made(tmp_path / "better", baseline=1.1)]
    missed = run(engine, sets, passages=130, count=4)
    said = capsys.readouterr().out
    assert "better" in missed
    assert "good" not in missed
    assert "| good | 3 | 3 | 1.0000 | 1.0000 | 1.0000 | 0.9000 | 1.0000 | 1.0000 |" in said
    for way in (OURS, "ts_rank", "ts_rank_cd"):
        [row] = [line for line in said.splitlines() if line.startswith(f"| {way} |")]
        assert row.count("|") == 6
    # As few passages are all weighed, which is what agreement compares with.
    assert "agreement with every passage weighed: 100 %" in said
