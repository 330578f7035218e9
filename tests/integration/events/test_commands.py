"""The commands: what they print, where, and with which exit code."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from leitstand.cli import main
from tests.integration.events.support import event, facts_of, write_csv


class Ran:
    """What a command left: exit code, standard output and standard error."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def document(self) -> dict[str, Any]:
        """Standard output, which must be one JSON document."""
        found: dict[str, Any] = json.loads(self.out)
        return found


@pytest.fixture
def run(engine: Engine, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: object) -> Ran:
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(int(stopped.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    rows = [
        event(str(run), step, f"2026-01-0{1 + run}T00:00:0{place}Z")
        for run in range(3)
        for place, step in enumerate(("ask", "done"))
    ]
    return write_csv(tmp_path / "events.csv", [*rows, event("", "ask")])


def test_import_report_and_refusals_from_nothing(run: Any, path: Path) -> None:
    imported = run(
        "events",
        "import",
        path,
        "--workspace",
        "New",
        "--complete",
        "done",
        "--step",
        "ask",
        "done",
        "--zone",
        "Asia/Tokyo",
        "--json",
    )
    assert imported.code == 0
    assert "Made the workspace" in imported.err
    document = imported.document
    assert {name: document[name] for name in ("workspace", "workspace_created", "lines", "accepted", "refused", "already_imported")} == {
        "workspace": "New", "workspace_created": True, "lines": 7, "accepted": 6, "refused": 1, "already_imported": False,
    }  # fmt: skip
    assert document["refusals"] == [{"line": 8, "reason": "session_id is empty"}]
    report = run("insights", "report", "--workspace", "new", "--json").document
    assert report["range"] == {"from": "2026-01-01", "to": "2026-01-04", "zone": "Asia/Tokyo"}
    assert (report["events"], report["runs"]["completed"], report["completion_rate"]) == (6, 3, 1.0)
    assert [row["step"] for row in report["steps"]] == ["ask", "done"]
    assert run("workspace", "list", "--json").document == {
        "workspaces": [{"workspace": "new", "name": "new", "zone": "Asia/Tokyo"}]
    }
    refused = run("events", "refusals", "--workspace", "new", "--json").document
    assert (refused["total"], refused["refusals"][0]["line"], refused["refusals"][0]["file"]) == (
        1,
        8,
        "events.csv",
    )


def test_the_report_has_every_name_that_others_rely_on(run: Any, path: Path) -> None:
    run("events", "import", path, "--workspace", "w", "--complete", "done")
    report = run("insights", "report", "--workspace", "w", "--json").document
    assert set(report) >= {
        "range", "as_of", "events", "sessions", "runs", "active_users", "active_users_by_day", "completion_rate",
        "duration_seconds", "steps", "top_companions", "popular", "retention", "traffic",
    }  # fmt: skip
    shapes = {
        "active_users_by_day": {"day", "dau", "wau", "mau"},
        "steps": {"step", "reached", "dropped", "drop_off"},
        "top_companions": {"companion", "runs", "completed", "active_users"},
        "popular": {"companion", "score"},
        "retention": {"cohort", "weeks_later", "actors"},
        "traffic": {"day", "viewed", "started", "completed"},
    }
    assert {name: set(report[name][0]) for name in shapes} == shapes
    assert set(report["runs"]) == {"viewed", "started", "completed"}
    assert set(report["duration_seconds"]) == {"median", "p95"}


def test_narrower_questions(run: Any, path: Path) -> None:
    run("events", "import", path, "--workspace", "w")
    ask = ["insights", "report", "--workspace", "w", "--json"]
    assert run(*ask, "--from", "2026-01-02", "--to", "2026-01-03").document["events"] == 2
    assert (
        run(*ask, "--companion", "flow", "--zone", "America/New_York").document["range"]["from"]
        == "2025-12-31"
    )
    assert [row["step"] for row in run(*ask, "--step", "done", "ask").document["steps"]] == ["done", "ask"]


def test_people_read_sentences_and_tables(run: Any, path: Path) -> None:
    first = run("events", "import", path, "--workspace", "w", "--complete", "nothing")
    assert "6 events added to w" in first.out
    assert "line 8: session_id is empty" in first.out
    assert "No event is called 'nothing'" in first.err
    assert "nothing was added" in run("events", "import", path, "--workspace", "w").out
    shown = run("insights", "report", "--workspace", "w").out
    assert all(word in shown for word in ("2026-01-01", "completion rate", "flow", "ask"))
    assert "session_id is empty" in run("events", "refusals", "--workspace", "w").out


def test_text_of_strangers_can_do_nothing_to_the_terminal(run: Any, tmp_path: Path) -> None:
    evil = "[bold red]x[/]\x1b[2J\u202e"
    run(
        "events",
        "import",
        write_csv(tmp_path / "e.csv", [event(evil, evil, flow_id=evil), event("")]),
        "--workspace",
        "w",
    )
    shown = (
        run("insights", "report", "--workspace", "w").out + run("events", "refusals", "--workspace", "w").out
    )
    assert "[bold red]x[/]" in shown
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["insights", "report", "--workspace", "missing"], 1, "no workspace 'missing'"),
        (["insights", "report", "--workspace", "w", "--companion", "missing"], 1, "no companion 'missing'"),
        (["insights", "report", "--workspace", "w", "--zone", "CEST"], 2, "no time zone 'CEST'"),
        (["insights", "report", "--workspace", "w", "--step", "missing"], 2, "'missing'"),
        (
            ["insights", "report", "--workspace", "w", "--from", "2026-02-01", "--to", "2026-01-01"],
            2,
            "has no day",
        ),
        (["events", "import", "missing.csv", "--workspace", "w"], 2, "no file 'missing.csv'"),
        (["events", "import", "{path}", "--workspace", "a b"], 2, "can't be the name"),
        (["events", "import", "{path}", "--workspace", "fresh", "--zone", "CEST"], 2, "no time zone"),
    ],
)
def test_errors_are_a_sentence_and_a_way_out_on_standard_error(
    run: Any, path: Path, arguments: list[str], code: int, message: str
) -> None:
    run("events", "import", path, "--workspace", "w")
    failed = run(*(argument.format(path=path) for argument in arguments))
    assert failed.code == code
    assert failed.out == ""
    assert message in failed.err
    assert "hint: " in failed.err


def test_a_file_that_cannot_be_read_makes_no_workspace(run: Any, tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.touch()
    assert run("events", "import", empty, "--workspace", "w").code == 2
    assert run("workspace", "list", "--json").document == {"workspaces": []}


def test_a_truncated_file_is_imported_as_far_as_it_goes_and_fails(run: Any, tmp_path: Path) -> None:
    whole = write_csv(
        tmp_path / "events.csv.gz", (event(str(place), note=str(place)) for place in range(5_000))
    )
    whole.write_bytes(whole.read_bytes()[:-100])
    result = run("events", "import", whole, "--workspace", "w", "--json")
    assert result.code == 1
    assert result.document["truncated"]
    assert result.document["accepted"] > 4_000


def test_a_rebuild_gives_the_same_facts_and_mends_damaged_ones(
    run: Any, engine: Engine, session: Session, path: Path
) -> None:
    run("events", "import", path, "--workspace", "w", "--complete", "done")
    workspace_id = session.execute(text("SELECT id FROM workspace")).scalar_one()
    facts = facts_of(engine, workspace_id)
    assert run("insights", "rebuild", "--workspace", "w", "--json").document == {"workspace": "w", "logs": 1}
    assert facts_of(engine, workspace_id) == facts
    session.execute(
        text("UPDATE run_fact SET steps = '{}', completed_at = NULL; UPDATE actor_bucket SET events = 7")
    )
    session.execute(
        text(
            "INSERT INTO actor_bucket SELECT workspace_id, companion_id, bucket, 'ghost', first_at, last_at, 1 FROM actor_bucket"
        )
    )
    session.commit()
    assert facts_of(engine, workspace_id) != facts
    run("insights", "rebuild", "--workspace", "w")
    assert facts_of(engine, workspace_id) == facts


def test_a_database_that_is_away_says_how_to_start_it(
    settings: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEITSTAND_DATABASE_URL", "postgresql+psycopg://leitstand:x@127.0.0.1:9/leitstand")
    argv = [sys.executable, "-m", "leitstand", "events", "import", str(path), "--workspace", "w", "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "does not answer" in done.stderr
    assert "./run up" in done.stderr
    assert "Traceback" not in done.stderr
