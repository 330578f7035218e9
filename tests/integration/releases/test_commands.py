"""`leitstand release …` as a server has it: what it says, what it refuses, and what a key over SSH may have."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from leitstand.cli.release import group
from leitstand.db import migrate
from leitstand.db.exclusive import SCHEMA, exclusive
from leitstand.db.models import Backup
from leitstand.errors import Forbidden, NotFound, PreconditionFailed, Unavailable
from leitstand.releases import journal as journals
from leitstand.releases.compose import ComposeHost
from leitstand.releases.facts import backup_facts, schema_facts
from leitstand.releases.from_settings import server
from leitstand.releases.journal import ENDED, FINISHED, begin
from leitstand.settings import Settings, get_settings

IMAGE = "our/leitstand@sha256:" + "a" * 64


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A server's folder, where no container engine answers."""
    (tmp_path / ".env").write_text(
        "# of this server\nLEITSTAND_ENVIRONMENT=staging\nLEITSTAND_RELEASE_REPOSITORY='our/leitstand'\nLEITSTAND_RELEASE_OBSERVE_SECONDS=7\n"
    )
    for name in (
        "LEITSTAND_ENVIRONMENT",
        "LEITSTAND_RELEASE_REPOSITORY",
        "LEITSTAND_RELEASE_OBSERVE_SECONDS",
    ):
        monkeypatch.setenv(name, "")  # so that it is as it was afterwards
        monkeypatch.delenv(name)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    return tmp_path


def run(folder: Path, *words: str, **variables: str) -> Result:
    return CliRunner().invoke(group, ["--folder", str(folder), *words], env=variables)


def test_the_servers_folder_says_how_careful_it_is(folder: Path) -> None:
    site, _ = server(folder)
    assert (site.environment, site.repository, site.observe_seconds) == ("staging", "our/leitstand", 7)
    with pytest.raises(NotFound, match=r"no \.env"):
        server(folder / "elsewhere")


def test_status_history_and_passes(folder: Path) -> None:
    found = json.loads(run(folder, "status", "--json").stdout)
    assert found == {
        "environment": "staging",
        "serving": None,
        "releasing": None,
        "unfinished": None,
        "maintenance": False,
    }
    assert isinstance(run(folder, "promote-check", IMAGE).exception, PreconditionFailed)
    plan = {
        "kind": "release",
        "image": IMAGE,
        "before": "",
        "colour": "blue",
        "by": "anna",
        "accepted": [],
        "steps": [],
    }
    made = begin(folder / "releases", plan)
    assert json.loads(run(folder, "status", "--json").stdout)["unfinished"]["id"] == made.id
    made.write(ENDED, outcome=FINISHED)
    listed = json.loads(run(folder, "history", "--json").stdout)["releases"]
    assert [(one["id"], one["by"], one["outcome"]) for one in listed] == [(made.id, "anna", FINISHED)]
    assert "anna" in run(folder, "history").stdout
    lines = json.loads(run(folder, "history", "--id", made.id, "--json").stdout)["releases"]
    assert [one["what"] for one in lines] == ["planned", "ended"]
    token = run(folder, "promote-check", IMAGE).stdout.strip()
    key = run(folder, "promote-check", "--key").stdout.strip()
    passed = run(folder, "promote-check", IMAGE, "--pass", token, LEITSTAND_RELEASE_STAGING_KEY=key)
    assert passed.exit_code == 0 and made.id in passed.stdout
    get_settings.cache_clear()
    assert isinstance(run(folder, "promote-check", IMAGE, "--pass", token).exception, Forbidden)


def test_where_no_engine_answers_nothing_is_begun(folder: Path) -> None:
    for words in (("start", IMAGE), ("plan", IMAGE)):
        found = run(folder, *words)
        assert isinstance(found.exception, Unavailable) and "docker" in str(found.exception)
    assert journals.journals(folder / "releases") == []
    assert json.loads(run(folder, "status", "--json").stdout)["releasing"] is None, "the lock was given back"
    assert isinstance(run(folder, "rollback").exception, NotFound)
    assert run(folder, "resume").exit_code == 0


def test_the_engine_reads_what_a_release_writes_and_not_what_it_has_read(folder: Path) -> None:
    """Variables of a process go before those of `.env`, where the images of a release are written down."""
    (folder / ".env").write_text("LEITSTAND_IMAGE_BLUE=earlier\n")
    _, host = server(folder)
    assert isinstance(host, ComposeHost)
    shown = host._run(["env"], 10, {"LEITSTAND_IMAGE": "given"}).stdout
    assert "LEITSTAND_IMAGE=given" in shown and "LEITSTAND_IMAGE_BLUE" not in shown


def test_the_maintenance_page_comes_and_goes(folder: Path) -> None:
    assert run(folder, "maintenance", "on").exit_code == 0
    page = folder / "state" / "maintenance.html"
    assert "Hier wird gerade gearbeitet" in page.read_text() and page.stat().st_mode & 0o004, (
        "the proxy may read it"
    )
    assert json.loads(run(folder, "status", "--json").stdout)["maintenance"]
    assert run(folder, "maintenance", "off").exit_code == 0 and not page.exists()


def test_a_key_over_ssh_has_these_commands_and_no_others(folder: Path) -> None:
    found = run(folder, "ssh", SSH_ORIGINAL_COMMAND="leitstand release status --json")
    assert json.loads(found.stdout)["environment"] == "staging"
    for asked in ("", "bash -i", "release ssh", "release facts schema", "release status; id"):
        refused = run(folder, "ssh", SSH_ORIGINAL_COMMAND=asked)
        assert isinstance(refused.exception, Forbidden) and refused.stdout == ""


def test_facts_of_the_schema(engine: Engine) -> None:
    found = schema_facts(engine)
    assert found.revision == migrate.head() and not found.pending and not found.migrating
    with exclusive(engine, SCHEMA):
        assert schema_facts(engine).migrating
    printed = json.loads(CliRunner().invoke(group, ["facts", "schema"]).stdout)
    assert printed["revision"] == migrate.head()
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0028_conversations'"))
    behind = schema_facts(engine)
    assert "0029_embeddings" in behind.pending and "0029_embeddings" in behind.contracting
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999_later'"))
    assert schema_facts(engine).unknown


def test_facts_of_backups_and_proofs(engine: Engine, session: Session, settings: Settings) -> None:
    none = backup_facts(engine, settings)
    assert none.backup_hours is None and none.proof_hours is None
    at = datetime.now(UTC)
    session.add(
        Backup(
            kind="postgres",
            engine="postgres-tools",
            status="complete",
            started_at=at - timedelta(hours=3),
            finished_at=at - timedelta(hours=2),
            verified_at=at - timedelta(hours=1),
        )
    )
    session.commit()
    found = backup_facts(engine, settings)
    assert found.backup_hours is not None and 1.9 < found.backup_hours < 2.1
    assert found.proof_hours is not None and 0.9 < found.proof_hours < 1.1
