"""leitstand item: what it prints, and that a file comes in whole or not at all."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.cli import main
from leitstand.db.models import Item, Workspace

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command on this test's database: exit code, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main(["item", *map(str, arguments), "--workspace", "demo"])
        captured = capsys.readouterr()
        return int(stopped.value.code or 0), captured.out, captured.err

    return run


def test_a_file_comes_in_is_listed_shown_and_goes_out(run: Run, session: Session, tmp_path: Path) -> None:
    file = tmp_path / "agents.csv"
    file.write_text("title,tags,external_key\nReturns desk,support,rd\n")
    code, out, err = run("import", file, "--kind", "agent", "--dry-run")
    assert (code, "Returns desk" in out, "dry run" in err) == (0, True, True)
    assert session.scalar(select(func.count()).select_from(Item)) == 0
    made = json.loads(run("import", file, "--kind", "agent", "--json")[1])["items"][0]
    assert json.loads(run("import", file, "--kind", "agent", "--json")[1])["items"][0]["action"] == "change"
    (row,) = json.loads(run("list", "--tag", "support", "--json")[1])["items"]
    assert (row["id"], row["version"]) == (made["id"], 1)
    assert "Returns desk" in run("list")[1]
    assert json.loads(run("show", made["id"])[1])["content"]["instructions"] == ""
    assert json.loads(run("export", "--kind", "agent")[1])["items"][0]["external_key"] == "rd"
    assert run("export", "--format", "csv")[1].count("Returns desk") == 1
    file.write_text('title,tags\nGood,x\n"",y\n')
    code, out, err = run("import", file, "--kind", "agent")
    assert (code, out, "line 3: /2/title" in err) == (2, "", True)
    assert session.scalar(select(func.count()).select_from(Item)) == 1
