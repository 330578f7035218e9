"""The commands: one JSON document on standard output, everything else on standard error, exit codes that mean it."""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from leitstand.settings import REPOSITORY
from tests.source import PASSWORD, Source

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def leitstand(source: Source, *arguments: str) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-m", "leitstand", *arguments]
    done = subprocess.run(
        argv, cwd=REPOSITORY, env=source.environment(), capture_output=True, text=True, check=False
    )
    assert PASSWORD not in done.stdout + done.stderr
    return done


def document(source: Source, *arguments: str, code: int = 0) -> Any:
    done = leitstand(source, *arguments, "--json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def taken(source: Source) -> dict[str, Any]:
    backups = document(source, "backup", "run", "all")["backups"]
    return {backup["kind"]: backup for backup in backups}


def test_every_kind_is_taken(source: Source, taken: dict[str, Any]) -> None:
    assert set(taken) == {"postgres", "objects", "secrets", "dump"}
    assert {backup["status"] for backup in taken.values()} == {"complete"}
    listed = document(source, "backup", "list")["backups"]
    assert {backup["id"] for backup in listed} == {backup["id"] for backup in taken.values()}
    assert [
        backup["kind"] for backup in document(source, "backup", "list", "--kind", "objects")["backups"]
    ] == ["objects"]


@pytest.mark.long
def test_a_dump_is_restored_into_a_database_beside_the_one_in_use(
    source: Source, taken: dict[str, Any]
) -> None:
    restored = document(source, "restore", "dump", "--target-database", "from_a_dump", "--create")
    assert restored["backup_id"] == taken["dump"]["id"]
    with psycopg.connect(source.cluster.conninfo("from_a_dump")) as connection:
        assert connection.execute("SELECT slug FROM workspace").fetchall() == [("first",)]
    refused = leitstand(source, "restore", "dump", "--target-database", "leitstand")
    assert refused.returncode == 3 and "the database in use" in refused.stderr


def test_the_way_to_a_safe_key_is_said(source: Source, taken: dict[str, Any]) -> None:
    done = leitstand(source, "backup", "run", "secrets")
    assert "offline recovery key still lies on this machine" in done.stderr
    assert "secrets" in done.stdout


def test_a_backup_is_verified_and_shown_by_the_beginning_of_its_id(
    source: Source, taken: dict[str, Any]
) -> None:
    for backup in taken.values():
        assert document(source, "backup", "verify", backup["id"])["verification"]["ok"] is True
    shown = json.loads(leitstand(source, "backup", "show", taken["postgres"]["id"][:35]).stdout)
    assert shown["manifest"]["counts"]["workspace"] == 1


@pytest.mark.parametrize("backup_id", ["ffffffff", "no-id", "0%"])
def test_an_unknown_backup_is_an_error_with_a_hint(source: Source, backup_id: str) -> None:
    done = leitstand(source, "backup", "verify", backup_id)
    assert (done.returncode, done.stdout) == (1, "")
    assert "hint: `leitstand backup list`" in done.stderr


def test_a_restore_into_an_empty_folder(source: Source, taken: dict[str, Any], tmp_path: Path) -> None:
    told = document(source, "restore", "postgres", "--target", str(tmp_path / "new"))
    assert told["backup_id"] == taken["postgres"]["id"]
    assert (tmp_path / "new" / "recovery.signal").exists()
    refused = leitstand(source, "restore", "postgres", "--target", str(tmp_path / "new"))
    assert refused.returncode == 3 and "not empty" in refused.stderr


@pytest.mark.parametrize(
    ("instant", "says"),
    [
        ("yesterday", "no instant"),
        ("2026-11-23T10:00:00", "no offset"),
        ("2001-01-01T00:00:00Z", "No backup"),
    ],
)
def test_an_instant_that_can_not_be(
    source: Source, taken: dict[str, Any], tmp_path: Path, instant: str, says: str
) -> None:
    done = leitstand(source, "restore", "postgres", "--target", str(tmp_path / "new"), "--to-time", instant)
    assert done.returncode != 0 and says in done.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.long
def test_objects_are_restored_as_of_an_instant(source: Source) -> None:
    storage, media = source.storage, source.settings.bucket_media
    storage.put_bytes(media, "documents/kept", b"kept")
    storage.put_bytes(media, "documents/lost", b"lost")
    document(source, "backup", "run", "objects")
    time.sleep(1.2)
    at = datetime.now(UTC).isoformat()
    time.sleep(1.2)
    storage.delete(media, "documents/lost")
    restore = ("restore", "objects", "--prefix", "documents/", "--to-time", at, "--target", media)
    planned = document(source, *restore, "--dry-run")
    assert (planned["plan"]["write"], planned["plan"]["same"], planned["restored"]) == (1, 1, None)
    wrong = leitstand(source, *restore, "--yes", "another")
    assert wrong.returncode == 2 and f"--yes {media}" in wrong.stderr
    assert {info.key for info in storage.list(media, "documents/")} == {"documents/kept"}
    done = document(source, *restore, "--yes", media)
    assert (done["restored"]["written"], done["plan"]["plan_sha256"]) == (1, planned["plan"]["plan_sha256"])
    assert storage.get_bytes(media, "documents/lost") == b"lost"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--all", "--to-time", "2001-01-01T00:00:00Z"], 1, "as old as"),
        (["documents/kept", "--all", "--to-time", "2001-01-01T00:00:00Z"], 2, "only one of these"),
        (["--all", "--to-time", "2001-01-01T00:00:00"], 2, "no offset"),
        (["--all", "--to-time", "2999-01-01T00:00:00Z"], 2, "future"),
    ],
)
def test_a_restore_of_objects_that_can_not_be(
    source: Source, tmp_path: Path, arguments: list[str], code: int, says: str
) -> None:
    done = leitstand(source, "restore", "objects", *arguments, "--target", str(tmp_path / "new"))
    assert done.returncode == code and says in done.stderr
    assert not (tmp_path / "new").exists()


def test_the_probe_is_a_table_and_a_document(source: Source) -> None:
    assert document(source, "storage", "probe")["ok"] is True
    assert "multipart" in leitstand(source, "storage", "probe").stdout
    assert leitstand(source, "storage", "probe", "--bucket", "no-such-bucket").returncode == 1


def test_runbooks_are_listed_with_their_parameters(source: Source) -> None:
    runbooks = {one["name"]: one for one in document(source, "runbook", "list")["runbooks"]}
    assert set(runbooks) >= {"postgres-point-in-time", "postgres-latest", "objects-lost", "objects-sample"}
    assert "to_time" in runbooks["postgres-point-in-time"]["parameters"]


@pytest.mark.long
def test_a_drill_is_run_listed_and_its_chain_checked(source: Source, taken: dict[str, Any]) -> None:
    result = document(source, "drill", "run", "postgres-latest")
    assert result["ok"] is True and result["backup_id"] == taken["postgres"]["id"]
    assert isinstance(result["rpo_seconds"], float) and isinstance(result["rto_seconds"], float)
    (listed,) = document(source, "drill", "list")["drills"]
    assert (listed["id"], listed["status"], listed["notebook"]) == (
        result["drill_id"],
        "passed",
        result["notebook"],
    )
    audited = document(source, "drill", "chain")
    assert (audited["ok"], audited["links"], audited["problems"]) == (True, 1, [])
    proven = {backup["id"]: backup["verified_at"] for backup in document(source, "backup", "list")["backups"]}
    assert proven[taken["postgres"]["id"]] and not proven[taken["secrets"]["id"]]


def test_a_drill_that_there_is_not(source: Source) -> None:
    done = leitstand(source, "drill", "run", "nothing")
    assert (done.returncode, done.stdout) == (1, "") and "postgres-latest" in done.stderr
