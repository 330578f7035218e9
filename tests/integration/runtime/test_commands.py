"""leitstand companion: flows from files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from leitstand.cli import main
from leitstand.companions.runs import find_open
from leitstand.db.models import Companion, Workspace
from leitstand.errors import NotFound
from leitstand.settings import REPOSITORY
from tests.unit.companions.flows import booking

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(engine: Engine, workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command on this test's database: exit code, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
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


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "booking.json"
    path.write_text(json.dumps(booking()))
    return path


def test_a_flow_is_published_changed_rolled_back_and_withdrawn(
    run: Run, session: Session, file: Path
) -> None:
    publish = ("companion", "publish", file, "--workspace", "demo", "--link", "booking", "--json")
    first = document(run(*publish))
    assert (first["version"], first["link"].endswith("/c/booking")) == (1, True)
    assert document(run(*publish)) == first
    file.write_text(json.dumps(booking() | {"title": "Book another visit"}))
    assert document(run(*publish))["version"] == 2
    assert document(run("companion", "roll-back", "booking", "--workspace", "demo", "--json"))["version"] == 1
    saved = document(run("companion", "versions", "booking", "--workspace", "demo", "--json"))["versions"]
    assert [(row["version"], row["published"]) for row in saved] == [(2, False), (1, True)]
    (listed,) = document(run("companion", "list", "--workspace", "demo", "--json"))["companions"]
    assert (listed["version"], listed["link"]) == (1, first["link"])
    own = session.get_one(Companion, find_open(session, "booking").companion_id)
    assert (own.funnel, own.end_steps) == (["topic", "day", "words", "more", "bye"], ["bye"])
    assert run("companion", "withdraw", "booking", "--workspace", "demo")[0] == 0
    session.rollback()
    with pytest.raises(NotFound):
        find_open(session, "booking")


def test_a_broken_flow_is_named_step_by_step_and_nothing_is_published(run: Run, file: Path) -> None:
    broken = booking()
    broken["steps"][2]["next"] = "nowhere"
    file.write_text(json.dumps(broken))
    code, out, err = run("companion", "check", file, "--json")
    assert code == 2
    assert json.loads(out)["errors"][0]["step"] == "day"
    assert "day: goes on to 'nowhere', which does not exist." in err
    assert run("companion", "publish", file, "--workspace", "demo")[0] == 2
    assert document(run("companion", "list", "--workspace", "demo", "--json")) == {"companions": []}


@pytest.mark.parametrize("link", ["static", "a", "x" * 61, "-a-", "a_b", "ä-b", "a/b"])
def test_a_link_that_can_not_be_one_is_refused(run: Run, file: Path, link: str) -> None:
    code, _, err = run("companion", "publish", file, "--workspace", "demo", "--link", link)
    assert code == 2
    assert "can't be a link" in err


def test_a_link_that_is_taken_stays_with_its_companion(run: Run, file: Path) -> None:
    publish = ("companion", "publish", file, "--workspace", "demo", "--link", "booking", "--key")
    assert run(*publish, "one")[0] == 0
    code, _, err = run(*publish, "two")
    assert code == 1
    assert "The link 'booking' is taken." in err


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "demo" / "companions").glob("*.json")), ids=lambda p: p.stem
)
def test_every_companion_of_the_demo_can_be_published(run: Run, path: Path) -> None:
    published = document(
        run("companion", "publish", path, "--workspace", "demo", "--link", path.stem, "--json")
    )
    assert published["version"] == 1
