"""What the store does to retention: refusals and failures in the middle, a bucket that is gone, objects that are locked."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import select

from leitstand.backups import entries, pins, pruning, removing, wal
from leitstand.backups.conditions import conditions
from leitstand.backups.pruning import propose, prune
from leitstand.backups.reconciling import reconcile
from leitstand.db.engine import transaction
from leitstand.db.exclusive import LOCK_CLASS
from leitstand.db.models import Backup, PruneRun
from leitstand.errors import LeitstandError, NotFound, PreconditionFailed, Unavailable
from leitstand.settings import Settings
from leitstand.storage import retries
from tests.backups import CLUSTER, Shelf, nights, segment, shelf
from tests.faults.answering_proxy import AnsweringProxy
from tests.services import Cluster

__all__ = ["shelf"]

pytestmark = [pytest.mark.slow]


def plan_of(shelf: Shelf) -> tuple[str, set[str]]:
    with transaction(shelf.engine) as session:
        made = propose(session, shelf.settings).plan
    return made.sha256, {verdict.id for verdict in made.removed}


def names(shelf: Shelf) -> set[str]:
    with transaction(shelf.engine) as session:
        return {condition.name for condition in conditions(session, shelf.settings, fresh=True)}


def assert_nothing_half(shelf: Shelf, ids: list[UUID]) -> None:
    listed = {entry["id"] for entry in entries.usable_entries(shelf.storage, shelf.bucket, "postgres")}
    for one in ids:
        if shelf.row(one).status == "complete" or str(one) in listed:
            assert len(shelf.keys(one)) == 4


@pytest.mark.fault(12)
@pytest.mark.parametrize(
    ("status", "passing", "error"),
    [
        pytest.param(403, 0, PreconditionFailed, marks=pytest.mark.long),
        pytest.param(403, 2, PreconditionFailed, marks=pytest.mark.long),
        (500, 2, Unavailable),
        pytest.param(500, 9, Unavailable, marks=pytest.mark.long),
    ],
)
def test_a_store_that_refuses_or_fails_in_the_middle(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, status: int, passing: int, error: type[LeitstandError]
) -> None:
    """Deletes fail while backups succeed: that is said, nothing is half removed, and the next run recovers."""
    monkeypatch.setattr(retries, "LONGEST_PAUSE", 0.01)
    ids = nights(shelf, 19)
    shelf.put_log(19)
    plan, gone = plan_of(shelf)
    port = urlsplit(shelf.settings.s3_url).port or 0
    with AnsweringProxy(port, method="DELETE", passing=passing, status=status) as proxy:
        through = shelf.settings.model_copy(update={"s3_endpoint": f"http://127.0.0.1:{proxy.port}"})
        with pytest.raises(error):
            prune(shelf.engine, through, confirmed=plan)
        assert proxy.refused > 0
        assert_nothing_half(shelf, ids)
        assert "prune-failing" in names(shelf)
        proxy.status = 0
        prune(shelf.engine, through, confirmed=plan)
    assert {str(one) for one in ids if shelf.row(one).status == "removed"} == gone
    assert_nothing_half(shelf, ids)
    assert "prune-failing" not in names(shelf)


@pytest.mark.fault(1)
def test_a_bucket_that_is_gone_changes_nothing_in_the_catalogue(shelf: Shelf) -> None:
    ids = nights(shelf, 17)
    nowhere = shelf.settings.model_copy(update={"bucket_backups": "no-such-bucket"})
    with pytest.raises(NotFound, match="no-such-bucket"):
        prune(shelf.engine, nowhere)
    with pytest.raises(NotFound):
        reconcile(shelf.engine, shelf.storage, "no-such-bucket", "postgres")
    assert set(shelf.statuses(ids)) == {"complete"}
    assert "prune-failing" in names(shelf)


@pytest.mark.fault(1)
def test_an_emptied_bucket_stops_retention_and_is_shown(shelf: Shelf) -> None:
    ids = nights(shelf, 17)
    shelf.empty()
    fresh = shelf.put(0.01)
    with pytest.raises(PreconditionFailed, match="missing from the store"):
        prune(shelf.engine, shelf.settings)
    assert set(shelf.statuses(ids)) == {"missing"} and shelf.row(fresh).status == "complete"
    assert {"backups-missing", "window-short", "prune-failing"} <= names(shelf)


def test_what_comes_back_is_complete_again(shelf: Shelf) -> None:
    (backup_id,) = nights(shelf, 1)
    key = next(key for key in shelf.keys(backup_id) if key.endswith("manifest.json"))
    body = shelf.storage.get_bytes(shelf.bucket, key)
    shelf.storage.delete(shelf.bucket, key)
    assert reconcile(shelf.engine, shelf.storage, shelf.bucket, "postgres").missing == 1
    shelf.storage.put_bytes(shelf.bucket, key, body)
    assert reconcile(shelf.engine, shelf.storage, shelf.bucket, "postgres").found_again == 1
    assert shelf.row(backup_id).status == "complete" and shelf.row(backup_id).error == ""


@pytest.fixture
def locking(shelf: Shelf) -> Shelf:
    """A shelf whose bucket has versions and object lock."""
    bucket = f"{shelf.bucket}-locked"
    shelf.storage.client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    return Shelf(shelf.engine, shelf.settings.model_copy(update={"bucket_backups": bucket}))


def lock(shelf: Shelf, key: str) -> datetime:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    shelf.storage.client.put_object_retention(
        Bucket=shelf.bucket, Key=key, Retention={"Mode": "COMPLIANCE", "RetainUntilDate": until}
    )
    return until


def versions(shelf: Shelf, part: str) -> list[str]:
    answer = shelf.storage.client.list_object_versions(Bucket=shelf.bucket)
    found = [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])]
    return [
        entry["Key"] for entry in found if part in entry["Key"] and not entry["Key"].startswith("catalogue/")
    ]


def test_what_the_store_locks_stays_until_its_date_and_the_rest_goes_for_good(locking: Shelf) -> None:
    ids = nights(locking, 19)
    locking.put_log(19)
    plan, gone = plan_of(locking)
    locked = next(one for one in ids if str(one) in gone)
    until = lock(locking, locking.keys(locked)[1])
    lock(locking, wal.key(CLUSTER, segment(19)))
    result = prune(locking.engine, locking.settings, confirmed=plan)
    ((left,), (log,)) = result.left, result.logs
    assert left.id == str(locked) and f"until {until:%Y-%m-%d %H:%M} UTC (object lock)" in left.left
    assert set(result.removed) == gone - {str(locked)}
    assert locking.row(locked).status == "complete" and len(locking.keys(locked)) == 4
    assert all(versions(locking, one) == [] for one in result.removed), (
        "no version and no delete marker is left"
    )
    assert (log.locked, "object lock" in log.why) == (1, True) and log.removed > 0
    first = locking.row(locked).manifest["start_segment"]
    assert first in locking.log(), "its log stays with it"


@pytest.mark.fault(16)
def test_the_lock_lost_in_the_middle_ends_the_run(
    shelf: Shelf, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection that holds the lock is killed: another run may have begun, so this one stops."""
    ids = nights(shelf, 20)
    plan, gone = plan_of(shelf)
    original, calls = removing.remove_backup, 0

    def remove(*arguments: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        done = original(*arguments, **named)  # type: ignore[arg-type]
        with psycopg.connect(cluster.conninfo("postgres"), autocommit=True) as admin:
            database = shelf.engine.url.database
            admin.execute(
                "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
                " WHERE locktype = 'advisory' AND classid = %s AND datname = %s",
                [LOCK_CLASS, database],
            )
        return done

    monkeypatch.setattr(pruning, "remove_backup", remove)
    assert len(gone) > 1
    with pytest.raises(Unavailable, match="lock"):
        prune(shelf.engine, shelf.settings, confirmed=plan)
    monkeypatch.undo()
    assert calls == 1
    assert "prune-failing" in names(shelf)
    assert_nothing_half(shelf, ids)
    prune(shelf.engine, shelf.settings, confirmed=plan)
    assert {str(one) for one in ids if shelf.row(one).status == "removed"} == gone
    assert "prune-failing" not in names(shelf)


@pytest.mark.fault(8)
def test_what_is_not_under_our_prefix_is_never_touched(shelf: Shelf) -> None:
    """A row that points elsewhere, at everything or at another's folder; and what else lies in the bucket."""
    ids = nights(shelf, 19)
    others = [
        "media/photo.jpg",
        "postgres",
        "postgres/readme",
        f"postgres/{CLUSTER}/base/not-ours/part-00000",
    ]
    for key in others:
        shelf.storage.put_bytes(shelf.bucket, key, b"somebody else's")
    astray = [shelf.put(40 + number) for number in range(4)]
    places = [
        f"s3://{shelf.bucket}/", f"s3://{shelf.bucket}/postgres/", f"s3://{shelf.bucket}/media/", f"s3://another/postgres/{astray[3]}/",
    ]  # fmt: skip
    with transaction(shelf.engine) as session:
        for one, location in zip(astray, places, strict=True):
            session.get_one(Backup, one).location = location
    plan, gone = plan_of(shelf)
    result = prune(shelf.engine, shelf.settings, confirmed=plan)
    assert gone and set(result.removed) <= gone and not set(result.removed) & {str(one) for one in astray}
    stored = {info.key for info in shelf.storage.list(shelf.bucket)}
    assert set(others) <= stored
    assert all(len(shelf.keys(one)) == 4 for one in astray)
    assert all(shelf.row(one).status == "complete" for one in ids if str(one) not in gone)


@pytest.mark.fault(9)
def test_the_last_good_backup_stays_however_old_it_is_and_that_is_told(shelf: Shelf) -> None:
    """Every night since has a backup that no drill has proven: nothing newer than the proof goes, nor the proof."""
    proven = shelf.put(400)
    ids = [shelf.put(age + 0.1, proven=False) for age in range(0, 400, 25)]
    older = shelf.put(500)
    plan, gone = plan_of(shelf)
    prune(shelf.engine, shelf.settings, confirmed=plan)
    assert str(proven) not in gone and set(shelf.statuses([proven, *ids])) == {"complete"}
    assert gone <= {str(older)}
    assert "proof-late" in names(shelf)


@pytest.mark.fault(10)
def test_a_kept_backup_is_never_removed_and_its_loss_is_told(shelf: Shelf) -> None:
    """Retention leaves it; deleted by somebody else it is told, at whatever age, until it is back."""
    nights(shelf, 19)
    kept = shelf.put(300, kept=True)
    plan, gone = plan_of(shelf)
    prune(shelf.engine, shelf.settings, confirmed=plan)
    assert gone and str(kept) not in gone and len(shelf.keys(kept)) == 4
    key = next(key for key in shelf.keys(kept) if key.endswith("manifest.json"))
    body = shelf.storage.get_bytes(shelf.bucket, key)
    shelf.storage.delete(shelf.bucket, key)
    reconcile(shelf.engine, shelf.storage, shelf.bucket, "postgres")
    assert "backups-missing" in names(shelf)
    shelf.storage.put_bytes(shelf.bucket, key, body)
    reconcile(shelf.engine, shelf.storage, shelf.bucket, "postgres")
    assert "backups-missing" not in names(shelf) and shelf.row(kept).kept


def test_a_store_that_can_only_be_read_does_not_hinder_a_restore(shelf: Shelf, settings: Settings) -> None:
    (backup_id,) = nights(shelf, 1)
    said: list[str] = []
    port = urlsplit(settings.s3_url).port or 0
    with AnsweringProxy(port, method="PUT", passing=0, status=403) as proxy:
        through = Shelf(
            shelf.engine, shelf.settings.model_copy(update={"s3_endpoint": f"http://127.0.0.1:{proxy.port}"})
        )
        with pins.in_use(
            through.storage, shelf.bucket, "postgres", str(backup_id), say=said.append, afterwards=True
        ):
            assert through.storage.get_bytes(shelf.bucket, shelf.keys(backup_id)[0])
    assert len(said) == 1 and "can't be marked" in said[0]


def test_every_run_is_on_record(shelf: Shelf) -> None:
    nights(shelf, 3)
    prune(shelf.engine, shelf.settings)
    with transaction(shelf.engine) as session:
        (run,) = session.scalars(select(PruneRun)).all()
    assert run.status == "complete" and run.plan["sha256"] == run.plan_sha256
    assert {backup["keep"] for backup in run.plan["backups"]} == {True}
