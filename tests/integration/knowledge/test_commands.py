"""leitstand space and leitstand query: what they print and where."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from leitstand.cli import main
from leitstand.db.models import Document, Workspace
from leitstand.errors import Unavailable
from leitstand.identity.access import Principal
from leitstand.knowledge.ingest import ingest
from leitstand.storage.objects import ObjectStorage
from leitstand.storage.parts import Part, Parts
from tests.integration.knowledge.conftest import AddReady
from tests.integration.knowledge.test_model_answers import connect
from tests.integration.knowledge.test_search import HERONS
from tests.model_server import ModelServer, models, says

__all__ = ["models"]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(storage: ObjectStorage, workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command on this test's database: exit code, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()  # What the test's own work logged meanwhile is not the command's.
        with pytest.raises(SystemExit) as stopped:
            main([*map(str, arguments)])
        captured = capsys.readouterr()
        return int(stopped.value.code or 0), captured.out, captured.err

    return run


def document(ran: tuple[int, str, str]) -> dict[str, Any]:
    code, out, err = ran
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def test_a_file_is_added_read_asked_and_deleted(
    run: Run, engine: Engine, session: Session, storage: ObjectStorage, tmp_path: Path
) -> None:
    file = tmp_path / "herons.md"
    file.write_text("# Herons\nThe grey heron weighs up to two kilograms.\n")
    added = document(run("space", "add", "Birds", file, "--workspace", "demo", "--json"))
    again = document(run("space", "add", "birds", file, "--workspace", "demo", "--json"))
    assert [row["documents"][0]["duplicate"] for row in (added, again)] == [False, True]
    row = session.scalars(select(Document)).one()
    ingest(engine, storage, document_id=row.id)
    (listed,) = document(run("space", "documents", "Birds", "--workspace", "demo", "--json"))["documents"]
    assert (listed["status"], listed["passages"]) == ("ready", 1)
    answer = document(
        run("query", "ask", "What does a heron weigh?", "--workspace", "demo", "--space", "Birds", "--json")
    )
    assert answer["citations"][0]["quote"] == "The grey heron weighs up to two kilograms."
    code, out, _ = run("query", "ask", "What does a heron weigh?", "--workspace", "demo")
    assert code == 0
    assert "[1] herons.md › Herons (passage 1)" in out
    assert run("space", "ingest", row.id, "--workspace", "demo")[0] == 0
    assert run("space", "delete", row.id, "--workspace", "demo")[0] == 0
    assert document(run("space", "documents", "Birds", "--workspace", "demo", "--json")) == {"documents": []}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("space", "documents", "Nothing", "--workspace", "demo"), "There is no space 'Nothing'"),
        (("space", "list", "--workspace", "nowhere"), "There is no workspace 'nowhere'"),
        (("space", "add", "Birds", "/no/such/file", "--workspace", "demo"), "can't be read"),
        (("query", "ask", " ", "--workspace", "demo"), "The question is empty"),
        (("query", "evaluate", "/no/such/folder"), "There is no queries.jsonl"),
    ],
)
def test_what_can_not_be_done_is_said_in_a_line_with_a_hint(
    run: Run, arguments: tuple[str, ...], said: str
) -> None:
    code, out, err = run(*arguments)
    assert code != 0
    assert out == ""
    assert said in err
    assert "hint: " in err


def test_a_large_file_goes_on_where_its_upload_broke_off(
    run: Run, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "big.bin"
    file.write_bytes(bytes(range(256)) * 40_960)
    sent: list[int] = []
    put = Parts.put

    def counting(self: Parts, number: int, data: bytes) -> Part:
        if len(sent) == 1:
            sent.append(0)
            raise Unavailable("The object store does not answer.")
        sent.append(len(data))
        return put(self, number, data)

    monkeypatch.setattr(Parts, "put", counting)
    upload = ("space", "upload", "Files", file, "--workspace", "demo", "--json")
    assert run(*upload)[0] != 0
    (made,) = document(run(*upload))["documents"]
    assert sum(sent) == file.stat().st_size
    assert session.scalars(select(Document.bytes)).all() == [file.stat().st_size]
    assert document(run(*upload))["documents"] == [made | {"duplicate": True}]
    for command in ("delete", "restore"):
        assert run("space", command, made["id"], "--workspace", "demo")[0] == 0


def test_a_question_is_answered_by_a_model_unless_quotes_are_wanted(
    run: Run, session: Session, owner: Principal, models: ModelServer, add_indexed: AddReady
) -> None:
    add_indexed("herons.md", HERONS)
    connect(session, owner, models)
    models.answer(says("Up to two kilograms [1]."))
    asked = ("query", "ask", "How much does a grey heron weigh?", "--workspace", "demo")
    written = document(run(*asked, "--json"))
    assert (written["kind"], written["model"], written["answer"]) == (
        "model",
        "small",
        "Up to two kilograms [1].",
    )
    code, out, err = run(*asked, "--extractive")
    assert code == 0 and out.startswith("The grey heron weighs up to two kilograms. [1]")
    assert "word for word" in err and "No model" not in err and len(models.asked) == 1
