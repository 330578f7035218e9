"""Runbook rb050 on a release that really does not come up: rolled back to this one, on a schema that is newer."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from leitstand.db import migrate, schema_history
from leitstand.embedded import release_runbook, releases
from leitstand.embedded.environment import Environment, locate
from leitstand.embedded.release_runbook import FailedRelease
from leitstand.errors import NotFound, PreconditionFailed
from leitstand.runbooks.taking_up import TakenUp
from leitstand.settings import REPOSITORY
from tests.checkouts import checkout, commit_all, run_leitstand
from tests.services import free_base_port
from tests.source import Source, source
from tests.stack import OWNER_EMAIL, Stack, stop_stack

__all__ = ["source"]
NAME = "failed-release"
NEWER = "9001_newer"
MIGRATION = '''"""A column more."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{down}"


def upgrade() -> None:
    {body}


def downgrade() -> None:
    pass
'''
ADDS = "op.add_column('workspace', sa.Column('colour', sa.Text(), nullable=True))"
DROPS = "op.drop_column('workspace', 'name')"


def newer_release(folder: Path, body: str) -> Path:
    """A checkout with one migration more."""
    made = checkout(folder)
    file = made / schema_history.VERSIONS / f"{NEWER}.py"
    file.write_text(MIGRATION.format(revision=NEWER, down=migrate.head(), body=body))
    commit_all(made, "a column more")
    return made


@pytest.fixture
def begin(source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The runbook, taken up in this process, up to its preconditions, on a database that is at some revision."""
    work = TakenUp(source.settings, source.engine, tmp_path, False, ExitStack())
    monkeypatch.setattr(release_runbook, "take_up", lambda _: work)

    def run(revision: str, **given: Any) -> FailedRelease:
        source.execute(f"UPDATE alembic_version SET version_num = '{revision}'")
        runbook = FailedRelease.begin(dry_run=False, **given)
        runbook.schema()
        runbook.preconditions()
        runbook.plan()
        return runbook

    yield run
    source.execute(f"UPDATE alembic_version SET version_num = '{migrate.head()}'")


@pytest.mark.slow
def test_a_schema_that_the_release_knows_or_that_only_grew_is_no_hindrance(
    begin: Any, tmp_path: Path
) -> None:
    assert begin(migrate.head()).failures == []
    grown = newer_release(tmp_path / "newer", ADDS)
    runbook = begin(NEWER, failed=str(grown))
    assert runbook.failures == []
    said = runbook.evidence.figures["plan"]["steps"]
    assert {"what": "accept schema", "on": NEWER} in [{"what": one["what"], "on": one["on"]} for one in said]


@pytest.mark.slow
def test_a_schema_that_lost_something_needs_a_person_who_read_it(begin: Any, tmp_path: Path) -> None:
    shrunk = newer_release(tmp_path / "newer", DROPS)
    refused = begin(NEWER, failed=str(shrunk))
    assert len(refused.failures) == 1 and "restore to before the release (rb010)" in refused.failures[0]
    with pytest.raises(PreconditionFailed, match="not as it has to be"):
        refused.confirm(plan_sha256=refused.sha256, decided_by="Olga")
    assert begin(NEWER, failed=str(shrunk), accept_schema=NEWER).failures == []
    assert "not known: give -p failed" in str(begin("9002_nobodys").schema())


def test_a_folder_without_a_release_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        releases.release(tmp_path)
    assert releases.running(Environment(tmp_path, 8400)) is None


@pytest.mark.stack
@pytest.mark.slow
@pytest.mark.usefixtures("drill_turn")
def test_a_dry_run_on_what_runs_well_says_so_and_stops_nothing(stack: Stack) -> None:
    dry = stack.json("runbook", "run", NAME)
    assert dry["ok"], dry["error"]
    found = releases.running(locate(stack.folder, stack.port))
    assert found is not None and found.folder == REPOSITORY
    assert dry["figures"]["running"] == dry["figures"]["wanted"] and dry["figures"]["not_well"] == []
    assert [step["what"] for step in dry["figures"]["plan"]["steps"]] == ["stop", "start", "try"]
    assert stack.json("status")["ok"]


@pytest.fixture
def bad(tmp_path: Path) -> Iterator[tuple[Stack, Path]]:
    """An environment that a release has brought to a newer schema, and whose web service it can't start."""
    folder = newer_release(tmp_path / "bad", ADDS)
    app = folder / "web" / "app.py"
    app.write_text(
        app.read_text().replace("def create(", "raise RuntimeError('forgotten')\n\n\ndef create(", 1)
    )
    commit_all(folder, "a mistake")
    port = free_base_port()
    stack = Stack(
        f"http://127.0.0.1:{port}", port, tempfile.mkdtemp(prefix="leitstand-release-"), OWNER_EMAIL, ""
    )
    try:
        up = run_leitstand(
            folder, stack.variables(), "up", "--detach", "--owner-email", OWNER_EMAIL, timeout=900
        )
        assert up.returncode != 0, up.stderr
        yield stack, folder
    finally:
        stop_stack(stack)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.stack
@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_release_that_does_not_come_up_is_rolled_back(bad: tuple[Stack, Path]) -> None:
    stack, folder = bad
    refused = stack.run("up", "--detach", check=False, timeout=600)
    assert refused.returncode != 0 and "is newer than this release" in refused.stderr
    dry = stack.json("runbook", "run", NAME)
    assert dry["ok"], dry["error"]
    assert str(folder) in dry["figures"]["running"] and "web" in dry["figures"]["not_well"]
    decision = ["-p", f"plan_sha256={dry['figures']['plan_sha256']}", "-p", "decided_by=Olga"]
    again = ["-p", f"checkout={REPOSITORY}", "-p", "dry_run=false", *decision, "--yes", "embedded"]
    done = stack.json("runbook", "run", NAME, *again, timeout=1200)
    assert done["ok"], done["error"]
    environment = locate(stack.folder, stack.port)
    found = releases.running(environment)
    assert found is not None and found.folder == REPOSITORY
    assert stack.json("status")["ok"]
    assert json.loads((stack.folder / "environment.json").read_text())[releases.ACCEPTED] == NEWER
    assert OWNER_EMAIL in stack.run("person", "list", "--workspace", "demo").stdout, "nothing is lost"
    assert done["figures"]["rollback_seconds"] > 0
