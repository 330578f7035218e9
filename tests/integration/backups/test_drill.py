"""The restore drill, as `leitstand drill run` runs it."""

import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from sqlalchemy import select

from leitstand.backups.catalogue import last_proven, list_backups, list_drills
from leitstand.backups.operations import run_backup
from leitstand.db.engine import transaction
from leitstand.db.exclusive import exclusive
from leitstand.db.models import Drill
from leitstand.errors import Conflict, NotFound
from leitstand.runbooks import documents
from leitstand.runbooks.audit import audit
from leitstand.runbooks.drills import DrillResult, run_drill
from leitstand.runbooks.taking_up import LOCK
from tests.source import PASSWORD, Source

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def told() -> list[str]:
    return []


@pytest.fixture(scope="module")
def result(source: Source, told: list[str]) -> DrillResult:
    """The first drill of an environment that has no backup yet but a document."""
    source.storage.put_bytes(source.settings.bucket_media, "documents/a", b"a document")
    run_backup(source.engine, source.settings, "objects")
    return run_drill(source.engine, source.settings, "postgres-latest", progress=told.append)


def stored(source: Source, address: str) -> bytes:
    place = urlsplit(address)
    return source.storage.get_bytes(place.netloc, place.path.lstrip("/"))


def test_it_takes_a_backup_where_there_is_none_and_proves_it(
    source: Source, result: DrillResult, told: list[str]
) -> None:
    assert result.ok, result.error
    assert any("taking one first" in line for line in told)
    with transaction(source.engine) as session:
        (backup,) = list_backups(session, kind="postgres")
        assert backup.id == result.backup_id
        assert backup.verified_at == last_proven(session) is not None


def test_every_check_was_made(result: DrillResult) -> None:
    verdicts = {check["name"]: check["verdict"] for check in result.checks}
    assert set(verdicts.values()) == {"passed"}
    assert set(verdicts) >= {
        "the backup is of this cluster", "the target is not the live data", "disk space", "every part is stored", "a key of this machine opens it",
        "archived log without a gap", "pg_verifybackup", "recovered to the end of the backup", "recovered to the end of the archived log", "pg_amcheck",
        "collations", "migrations", "the backup's own entry is there", "counts", "data checks", "sampled objects", "clean-up",
    }  # fmt: skip


def test_it_measures_in_seconds(result: DrillResult) -> None:
    assert result.rto_seconds is not None and 0 < result.rto_seconds < 600
    assert result.rpo_seconds is not None and 0 <= result.rpo_seconds < 600
    document = json.loads(json.dumps(result.to_dict()))
    assert document["ok"] is True and document["notebook"].startswith("s3://")


def test_the_evidence_is_what_the_row_says(source: Source, result: DrillResult) -> None:
    body, page = stored(source, result.notebook), stored(source, result.html)
    assert hashlib.sha256(body).hexdigest() == result.notebook_sha256
    assert hashlib.sha256(page).hexdigest() == result.html_sha256
    notebook = documents.loads(body.decode())
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    assert str(result.backup_id) in body.decode()
    assert PASSWORD not in body.decode() and PASSWORD not in page.decode()
    with transaction(source.engine) as session:
        (drill,) = list_drills(session)
        assert (drill.status, drill.notebook, drill.chain_sha256) == (
            "passed",
            result.notebook,
            result.chain_sha256,
        )


def test_nothing_is_left_behind(source: Source, result: DrillResult) -> None:
    assert list((source.settings.data_dir / "scratch").iterdir()) == []
    assert source.one("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'leitstand-drill'") == 0


def with_cell(source: Source, tmp_path: Path, after: str, code: str) -> Any:
    """Settings whose drill has one more cell behind the one that holds `after`."""
    original = source.settings.notebooks_dir / "restore-drills" / "dr010-postgres-latest.ipynb"
    notebook = documents.read(original)
    place = next(number for number, cell in enumerate(notebook.cells) if after in cell.source)
    from nbformat.v4 import new_code_cell

    notebook.cells.insert(place + 1, new_code_cell(code))  # type: ignore[no-untyped-call]
    (tmp_path / "restore-drills").mkdir()
    (tmp_path / "restore-drills" / original.name).write_text(documents.dumps(notebook))
    return source.settings.model_copy(update={"notebooks_dir": tmp_path})


@pytest.mark.fault(4)
def test_missing_rows_fail_the_drill_and_are_archived(
    source: Source, result: DrillResult, tmp_path: Path
) -> None:
    """A restore that `completes` with rows missing."""
    code = 'import psycopg\npsycopg.connect(drill.server.conninfo("leitstand"), autocommit=True).execute("DELETE FROM workspace")'
    failed = run_drill(
        source.engine, with_cell(source, tmp_path, "drill.check_structure", code), "postgres-latest"
    )
    assert not failed.ok
    assert "counts" in failed.error and "workspace" in failed.error
    assert "AssertionError" in stored(source, failed.notebook).decode()
    with transaction(source.engine) as session:
        assert list_drills(session)[0].status == "failed"
        assert last_proven(session) == next(
            backup.verified_at for backup in list_backups(session, kind="postgres")
        )
    assert "counts" in source.conditions(later=timedelta(minutes=6))["drill-failed"]


@pytest.mark.long
def test_a_printed_secret_fails_the_drill_and_is_not_archived(
    source: Source, result: DrillResult, tmp_path: Path
) -> None:
    code = "print(drill.settings.database_password.get_secret_value())"
    failed = run_drill(source.engine, with_cell(source, tmp_path, "drill.plan()", code), "postgres-latest")
    assert not failed.ok and "a secret was printed" in failed.error
    for address in (failed.notebook, failed.html):
        assert PASSWORD not in stored(source, address).decode()
        assert "[redacted]" in stored(source, address).decode()


@pytest.mark.long
def test_leaving_early_proves_nothing(source: Source, result: DrillResult, tmp_path: Path) -> None:
    failed = run_drill(
        source.engine,
        with_cell(source, tmp_path, "drill.plan()", "import sys\nsys.exit(0)"),
        "postgres-latest",
    )
    assert not failed.ok
    assert list((source.settings.data_dir / "scratch").iterdir()) == []


def test_the_audit_tells_a_changed_notebook(source: Source, result: DrillResult) -> None:
    def wrong() -> set[tuple[str, str]]:
        return {(problem.run_id, problem.kind) for problem in audit(session, source.settings).problems}

    with transaction(source.engine) as session:
        assert wrong() == set()
        place = urlsplit(result.notebook)
        original = stored(source, result.notebook)
        source.storage.put_bytes(place.netloc, place.path.lstrip("/"), original.replace(b"passed", b"PASSED"))
        assert wrong() == {(str(result.drill_id), "changed")}
        source.storage.put_bytes(place.netloc, place.path.lstrip("/"), original)
        drill = session.scalars(select(Drill).where(Drill.id == result.drill_id)).one()
        drill.notebook_sha256 = "0" * 64
        assert wrong() == {(str(result.drill_id), "changed")}
        session.rollback()


def test_one_at_a_time(source: Source, result: DrillResult) -> None:
    with exclusive(source.engine, LOCK), pytest.raises(Conflict, match="Another restore drill"):
        run_drill(source.engine, source.settings, "postgres-latest")
    with pytest.raises(NotFound) as caught:
        run_drill(source.engine, source.settings, "postgres-lastest")
    assert "postgres-latest" in caught.value.hint


def test_the_source_was_only_read(source: Source, result: DrillResult) -> None:
    with psycopg.connect(source.cluster.conninfo("leitstand")) as connection:
        assert connection.execute("SELECT slug FROM workspace").fetchall() == [("first",)]
        assert connection.execute(
            "SELECT count(*) FROM pg_stat_archiver WHERE failed_count > 0"
        ).fetchone() == (0,)
