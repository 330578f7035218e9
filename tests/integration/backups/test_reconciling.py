"""The catalogue of the database and the one beside the backups learn from each other."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete

from leitstand.backups import entries
from leitstand.backups.conditions import conditions, current_window
from leitstand.backups.reconciling import Reconciled, reconcile
from leitstand.db.engine import transaction
from leitstand.db.models import Backup, CheckRun, PruneRun
from leitstand.errors import NotFound
from tests.backups import Shelf, nights, shelf

__all__ = ["shelf"]


def both(shelf: Shelf, kind: str = "postgres") -> Reconciled:
    return reconcile(shelf.engine, shelf.storage, shelf.bucket, kind)


def test_a_lost_database_takes_up_everything(shelf: Shelf) -> None:
    base = shelf.put(2)
    child = shelf.put(1, parent_id=base, kept=True)
    before = {one: entries.document(shelf.row(one)) for one in (base, child)}
    with transaction(shelf.engine) as session:
        session.execute(delete(Backup))
    assert both(shelf).taken_up == 2
    assert {one: entries.document(shelf.row(one)) for one in (base, child)} == before
    assert shelf.row(child).parent_id == base
    assert both(shelf) == Reconciled(), "nothing more is to be done"


def test_entries_of_the_first_version_are_the_manifest_alone(shelf: Shelf) -> None:
    (one,) = nights(shelf, 1)
    manifest = shelf.row(one).manifest
    key = f"{entries.CATALOGUE}postgres/{one}.json"
    shelf.storage.put_bytes(shelf.bucket, key, json.dumps(manifest).encode())
    with transaction(shelf.engine) as session:
        session.execute(delete(Backup))
    both(shelf)
    row = shelf.row(one)
    assert (row.status, row.location) == (
        "complete",
        f"s3://{shelf.bucket}/{shelf.keys(one)[0].rpartition('/')[0]}/",
    )


def test_marks_and_proofs_that_one_side_lost_come_back(shelf: Shelf) -> None:
    """The database was set back to before they were made."""
    one, other = nights(shelf, 2, proven=False)
    later = datetime.now(UTC) + timedelta(minutes=1)
    with transaction(shelf.engine) as session:
        row = session.get_one(Backup, one)
        row.kept, row.verified_at = True, later
        row.manifest = {**row.manifest, "verification": {"at": later.isoformat(), "ok": True}}
    entries.store(shelf.storage, shelf.bucket, row)
    with transaction(shelf.engine) as session:
        row = session.get_one(Backup, one)
        row.kept, row.verified_at = False, None
        row.manifest = {key: value for key, value in row.manifest.items() if key != "verification"}
        session.get_one(Backup, other).verified_at = later
    assert both(shelf).rewritten == 2
    assert shelf.row(one).kept and shelf.row(one).verified_at == later
    assert shelf.row(one).manifest["verification"]["ok"] is True
    stored = entries.read(shelf.storage, shelf.bucket, "postgres", other)
    assert datetime.fromisoformat(stored["verified_at"]) == later


def test_what_a_restored_database_calls_running_and_was_completed_is_complete(shelf: Shelf) -> None:
    (one,) = nights(shelf, 1)
    sha256 = shelf.row(one).sha256
    with transaction(shelf.engine) as session:
        row = session.get_one(Backup, one)
        row.status, row.finished_at, row.manifest, row.sha256, row.bytes = "running", None, {}, "", 0
    both(shelf)
    row = shelf.row(one)
    assert (row.status, row.sha256, row.bytes) == ("complete", sha256, 30)
    assert len(shelf.keys(one)) == 4


def test_a_removal_that_the_database_forgot_counts(shelf: Shelf) -> None:
    (one,) = nights(shelf, 1)
    row = shelf.row(one)
    row.reason = "older than anything"
    entries.bury(shelf.storage, shelf.bucket, row, datetime.now(UTC))
    assert both(shelf).removed == 1
    assert (shelf.row(one).status, shelf.row(one).reason) == ("removed", "older than anything")
    with pytest.raises(NotFound):
        entries.read(shelf.storage, shelf.bucket, "postgres", one)


def names(shelf: Shelf, now: datetime | None = None) -> set[str]:
    with transaction(shelf.engine) as session:
        return {condition.name for condition in conditions(session, shelf.settings, now=now)}


def test_a_young_environment_owes_no_window_that_it_can_not_have(shelf: Shelf) -> None:
    assert names(shelf) == set()
    nights(shelf, 1)
    assert names(shelf) == set()
    late = {"prune-late", "checks-late", "backup-late", "proof-late"}
    assert names(shelf, datetime.now(UTC) + timedelta(hours=30)) == late


def test_a_window_that_is_shorter_than_promised_is_told(shelf: Shelf) -> None:
    ids = nights(shelf, 20)
    with transaction(shelf.engine) as session:
        session.add(PruneRun(status="complete"))
        session.add(
            CheckRun(
                suite="events", target="live", success=True, evaluated=1, failed=0, result={"whole": True}
            )
        )
        since = current_window(session, shelf.settings)
    assert since.holds and names(shelf) == set()
    with transaction(shelf.engine) as session:
        for one in ids[5:]:
            session.get_one(Backup, one).status = "failed"
    assert names(shelf) == {"window-short"}


def test_a_hole_in_the_log_and_a_failed_run_are_told(shelf: Shelf) -> None:
    nights(shelf, 1)
    with transaction(shelf.engine) as session:
        session.add(PruneRun(status="complete", figures={"logs": [{"gap": "000000010000000000000007"}]}))
    assert names(shelf) == {"log-gap"}
    with transaction(shelf.engine) as session:
        session.add(PruneRun(status="failed", error="The store is down."))
    assert names(shelf) == {"log-gap", "prune-failing"}
