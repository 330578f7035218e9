"""The data checks on real databases: empty, filled, spoilt on purpose, and away."""

import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from click.testing import CliRunner
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from leitstand.backups.conditions import conditions
from leitstand.checks import run as module
from leitstand.checks.event_archive import check_archive
from leitstand.checks.files import load
from leitstand.checks.history import latest, of_suites
from leitstand.checks.run import check_live, run_checks
from leitstand.cli.checks import group
from leitstand.db import migrate
from leitstand.db.models import CheckRun, Workspace
from leitstand.errors import IntegrityFailed, Unavailable
from leitstand.events.archive.moving import archive
from leitstand.events.importer import import_file
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage

EVENTS = """session_id,actor_id,activity,timestamp,flow_id
s1,a,Cart,2026-03-01T23:50:00Z,shop
s1,a,Paid,2026-03-02T00:10:00Z,shop
s2,b,Cart,2026-03-02T10:00:00Z,shop
s3,,Cart,2026-03-03T10:00:00+05:45,shop
s1,c,Asked,2026-03-03T10:00:00Z,help
"""
SPOIL = """
UPDATE actor_bucket SET events = events + 1 WHERE actor_key = 'b';
UPDATE actor_bucket SET first_at = bucket - interval '1 minute' WHERE actor_key = 'c';
UPDATE run_fact SET completed_at = last_at + interval '1 hour' WHERE completed_at IS NOT NULL;
UPDATE run_fact SET step_at[1] = last_at + interval '1 minute' WHERE run_key = 's2';
DELETE FROM run_fact WHERE run_key = 's3';
DELETE FROM companion WHERE item_id = (SELECT id FROM item WHERE external_key = 'help');
UPDATE event SET kind = 'misspelt' WHERE run_key = 's2';
UPDATE event SET workspace_id = gen_random_uuid() WHERE run_key = 's1' AND step = 'Asked';
"""
VIOLATED = {
    "actors-equal-events", "actor-within-its-quarter", "run-moments-within", "run-steps-within", "runs-equal-events",
    "companion-is-whole", "event-kind-known", "event-references",
}  # fmt: skip


@pytest.mark.slow
def test_all_hold_on_an_empty_database_and_the_result_is_kept(
    engine: Engine, session: Session, settings: Settings
) -> None:
    storage = ObjectStorage(settings)
    storage.ensure_buckets()
    result = check_live(engine, settings)
    checkpoint = load(settings.checks_dir)
    assert (result.success, result.failed, result.violated, result.skipped) == (True, 0, [], [])
    assert result.evaluated == checkpoint.count
    (run,) = latest(session)
    assert (run.success, run.evaluated, run.suite) == (True, result.evaluated, "all")
    rows = of_suites(session)
    assert set(rows) == {suite.name for suite in checkpoint.suites}
    assert sum(row.evaluated for row in rows.values()) == result.evaluated
    bucket, _, key = run.documents.removeprefix("s3://").partition("/")
    page = storage.get_bytes(bucket, key, sha256=run.documents_sha256).decode()
    assert bucket == settings.bucket_evidence and "Every check holds" in page
    assert all(check["name"] in page for check in result.results)
    assert json.loads(storage.get_bytes(bucket, key.replace(".html", ".json")))["evaluated"] == run.evaluated
    assert conditions(session, settings) == []


@pytest.mark.slow
def test_imported_events_pass_and_spoilt_facts_are_named(
    engine: Engine, session: Session, settings: Settings, workspace: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "events.csv").write_text(EVENTS)
    import_file(engine, tmp_path / "events.csv", workspace_id=workspace.id, complete=["Paid"])
    found = run_checks(settings.database_url, target="scratch", suites=["ingestion"])
    assert (found.violated, found.suite) == ([], "ingestion")
    for statement in SPOIL.strip().split(";\n"):
        session.execute(text(statement))
    session.commit()
    done = CliRunner().invoke(group, ["run", "ingestion", "--json", "--target", "scratch"])
    document = json.loads(done.stdout)
    assert done.exit_code == 1
    found = {check["name"]: check for check in document["results"] if not check["success"]}
    assert set(found) == VIOLATED
    assert (document["evaluated"], document["failed"]) == (
        load(settings.checks_dir).chosen(["ingestion"]).count, len(VIOLATED)
    )  # fmt: skip
    day = next(
        example for example in found["actors-equal-events"]["examples"] if example["day"] == "2026-03-02"
    )
    assert (day["kept_events"], day["counted_events"]) == ("3", "2")
    assert session.query(CheckRun).count() == 0


@pytest.mark.long
@pytest.mark.slow
def test_days_and_runs_with_archived_events_are_left_to_the_archive_s_own_check(
    engine: Engine, session: Session, settings: Settings, workspace: Workspace, tmp_path: Path
) -> None:
    more = "s4,a,Cart,2023-02-28T23:59:00Z,shop\ns4,a,Paid,2023-03-01T00:01:00Z,shop\ns5,b,Cart,2023-03-02T00:01:00Z,shop\n"
    (tmp_path / "events.csv").write_text(EVENTS + more)
    import_file(engine, tmp_path / "events.csv", workspace_id=workspace.id, complete=["Paid"])
    session.execute(text("UPDATE event SET received_at = occurred_at WHERE occurred_at < '2024-01-01Z'"))
    session.commit()
    now = datetime(2026, 11, 1, tzinfo=UTC)
    moved = archive(engine, settings.model_copy(update={"events_kept_months": 44}), now=now)
    assert [f"{it.month:%Y-%m}" for it in moved] == ["2023-02"]
    facts = ["runs", "actors"]
    assert run_checks(settings.database_url, target="scratch", suites=facts).violated == []
    session.execute(text("UPDATE run_fact SET events = events + 1 WHERE run_key IN ('s1', 's4')"))
    session.commit()
    found = {
        it["name"]: it for it in run_checks(settings.database_url, target="scratch", suites=facts).results
    }
    assert [it["day"] for it in found["runs-equal-events"]["examples"]] == ["2026-03-01"]
    assert "events archive check" in found["runs-equal-events"]["says"]
    assert check_archive(engine).violated == ["archived-runs-equal-events"]


@pytest.mark.long
@pytest.mark.slow
def test_what_a_database_of_an_older_revision_lacks_is_skipped_and_said(
    engine: Engine, settings: Settings
) -> None:
    config = migrate._config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0007_views")
    chosen = ["runs", "actors", "archived-months", "prune-runs", "backups", "people"]
    result = run_checks(settings.database_url, target="an old backup", suites=chosen)
    assert (result.success, result.failed, result.revision) == (True, 0, "0007_views")
    skipped = {check["suite"] for check in result.results if check["skipped"]}
    assert {"runs-equal-events", "actors-equal-events", "archive-has-rows"} <= {*result.skipped}
    assert skipped == {"runs", "actors", "archived-months", "prune-runs"}
    assert result.evaluated == len(result.results) - len(result.skipped) >= 15
    said = next(check["skipped"] for check in result.results if check["name"] == "runs-equal-events")
    assert "0007_views" in said and "archived_days" in said


@pytest.mark.slow
@pytest.mark.long
def test_a_check_that_cannot_be_decided_fails_with_its_error(settings: Settings, tmp_path: Path) -> None:
    folder = copied(settings, tmp_path)
    change(
        folder,
        "catalogue",
        lambda checks: checks[2]["kwargs"].update(query="SELECT nonsense FROM {batch}"),
    )
    result = run_checks(settings.database_url, target="scratch", folder=folder)
    broken = next(check for check in result.results if not check["success"])
    assert not result.success
    assert "nonsense" in broken["error"]


@pytest.mark.slow
def test_a_check_that_great_expectations_drops_is_noticed(settings: Settings, tmp_path: Path) -> None:
    folder = copied(settings, tmp_path)
    change(folder, "catalogue", lambda checks: checks[0].update(type="expect_no_such_thing"))
    with pytest.raises(IntegrityFailed, match="4 checks are in"):
        run_checks(settings.database_url, target="scratch", folder=folder)


def copied(settings: Settings, tmp_path: Path) -> Path:
    folder = tmp_path / "checks"
    shutil.copytree(settings.checks_dir, folder)
    (folder / "checkpoint.json").write_text(json.dumps({"name": "short", "suites": ["catalogue"]}))
    return folder


def change(folder: Path, suite: str, how: object) -> None:
    path = folder / "suites" / f"{suite}.json"
    document = json.loads(path.read_text())
    how(document["expectations"])  # type: ignore[operator]
    path.write_text(json.dumps(document))


def test_a_database_that_is_away_is_said_without_its_password(settings: Settings) -> None:
    with pytest.raises(Unavailable, match="does not answer") as caught:
        run_checks("postgresql+psycopg://leitstand:hunter2@127.0.0.1:1/none", target="live")
    assert "hunter2" not in caught.value.message


def test_checks_that_take_too_long_are_given_up(settings: Settings) -> None:
    with pytest.raises(Unavailable, match="longer than"):
        run_checks(settings.database_url, target="scratch", limit_seconds=0.1)


def test_the_address_is_no_argument(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def listen(argv: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        seen.append(argv)
        return subprocess.CompletedProcess(argv, 0, "", "")

    monkeypatch.setattr(module.subprocess, "run", listen)
    with pytest.raises(Unavailable):
        run_checks(settings.database_url, target="scratch")
    assert "test-password" not in " ".join(seen[0])


def test_the_checks_are_listed(settings: Settings) -> None:
    done = CliRunner().invoke(group, ["list", "--json"])
    assert len(json.loads(done.stdout)["checks"]) == load(settings.checks_dir).count
