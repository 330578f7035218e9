"""The commands of retention: a plan before anything, a typed name, one JSON document, and no need of a database to list."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.db.models import AuditEntry, CheckRun, Workspace
from leitstand.runbooks.kernels import setting_variables
from leitstand.settings import REPOSITORY
from tests.backups import Shelf, nights, shelf

__all__ = ["shelf"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def leitstand(shelf: Shelf, *arguments: str, **changes: str) -> "subprocess.CompletedProcess[str]":
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("LEITSTAND_", "PYTEST_"))
    }
    environment = {**clean, **setting_variables(shelf.settings), "PYTHONPATH": str(REPOSITORY), **changes}
    return subprocess.run(
        [sys.executable, "-m", "leitstand", *arguments],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def document(shelf: Shelf, *arguments: str, code: int = 0) -> Any:
    done = leitstand(shelf, *arguments, "--json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


@pytest.mark.long
def test_retention_from_the_plan_to_the_record(shelf: Shelf, workspace: Workspace, session: Session) -> None:
    ids = [str(one) for one in nights(shelf, 18)]
    shelf.put_log(18)
    plan = document(shelf, "backup", "prune", "--dry-run")
    gone = [backup["id"] for backup in plan["backups"] if not backup["keep"]]
    assert gone and plan["cautions"] == []
    told = leitstand(shelf, "backup", "prune", "--dry-run").stdout
    assert f"REMOVED {gone[0]}" in told and "within the last 14 days" in told and plan["sha256"] in told

    unasked = leitstand(shelf, "backup", "prune")
    assert unasked.returncode == 2 and f"--yes {shelf.bucket}" in unasked.stderr
    wrong = leitstand(shelf, "backup", "prune", "--yes", "leitstand-backups")
    assert wrong.returncode == 2 and "nothing was done" in wrong.stderr
    assert document(shelf, "backup", "show", ids[-1])["retention"]["keep"] is (ids[-1] not in gone)

    kept = document(shelf, "backup", "keep", gone[0])
    assert kept["kept"] is True
    result = document(shelf, "backup", "prune", "--yes", shelf.bucket)
    assert result["removed"] == gone[1:] and result["log_removed"] > 0
    listed = document(shelf, "backup", "list")["backups"]
    assert {backup["id"] for backup in listed} == set(ids) - set(gone[1:])
    everything = document(shelf, "backup", "list", "--all")["backups"]
    assert {backup["id"] for backup in everything} == set(ids)
    session.add(
        CheckRun(suite="events", target="live", success=True, evaluated=1, failed=0, result={"whole": True})
    )
    session.commit()
    assert document(shelf, "backup", "conditions") == {"ok": True, "conditions": []}
    audited = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert audited == ["backup.keep", "backup.prune"]


def test_the_store_alone_knows_what_there_is(shelf: Shelf) -> None:
    ids = {str(one) for one in nights(shelf, 2)} | {str(shelf.put(0.5, "secrets", kept=True))}
    nowhere = {"LEITSTAND_DATABASE_URL": "postgresql+psycopg://leitstand@127.0.0.1:9/gone"}
    done = leitstand(shelf, "backup", "list", "--from-storage", "--json", **nowhere)
    listed = json.loads(done.stdout)["backups"]
    assert {backup["id"] for backup in listed} == ids
    assert {backup["kept"] for backup in listed if backup["kind"] == "secrets"} == {True}
    assert all(backup["verified_at"] and backup["location"] for backup in listed)
    assert leitstand(shelf, "backup", "list", **nowhere).returncode == 1


def test_what_is_wrong_ends_with_one(shelf: Shelf) -> None:
    nights(shelf, 3, first=1.5)
    found = document(shelf, "backup", "conditions", code=1)
    names = [one["name"] for one in found["conditions"]]
    assert names == ["prune-late", "checks-late", "backup-late", "proof-late"]


def test_a_restore_over_something_shows_its_plan_and_asks_for_the_name(shelf: Shelf, tmp_path: Path) -> None:
    """It gets as far as the backup, which here holds nothing; what was there is aside, whole."""
    nights(shelf, 1)
    target = tmp_path / "live"
    target.mkdir()
    (target / "precious").write_text("data")
    arguments = ("restore", "postgres", "--target", str(target))
    refused = leitstand(shelf, *arguments)
    assert refused.returncode == 3 and "is not empty" in refused.stderr
    assert f"into {target}, recovered to the end of the archived log" in refused.stderr
    for yes in ((), ("--yes", "other")):
        assert leitstand(shelf, *arguments, "--over", *yes).returncode == 2
    (target / "postmaster.pid").write_text("1")
    running = leitstand(shelf, *arguments, "--over", "--yes", "live")
    assert running.returncode == 3 and "server runs on" in running.stderr
    assert (target / "precious").exists()
    (target / "postmaster.pid").unlink()
    leitstand(shelf, *arguments, "--over", "--yes", "live")
    (aside,) = tmp_path.glob("live.before-*")
    assert (aside / "precious").read_text() == "data"
