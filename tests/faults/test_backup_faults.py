"""What goes wrong around backups: lost buckets, cut archives, lost locks, a store that is down."""

import time
from datetime import timedelta
from types import ModuleType
from urllib.parse import urlsplit

import psycopg
import pytest

from leitstand.backups import dumps, postgres, streaming
from leitstand.backups.catalogue import last_proven, list_backups
from leitstand.backups.operations import run_backup, verify_backup
from leitstand.db.engine import transaction
from leitstand.db.exclusive import LOCK_CLASS, exclusive
from leitstand.db.models import Backup
from leitstand.errors import Conflict, IntegrityFailed, InvalidInput, PreconditionFailed, Unavailable
from tests.source import Source

pytestmark = pytest.mark.slow


def rows(source: Source, kind: str = "postgres") -> list[Backup]:
    with transaction(source.engine) as session:
        return list_backups(session, kind=kind)


@pytest.mark.fault(1)
def test_a_deleted_bucket_is_noticed_and_the_next_backup_is_whole(source: Source) -> None:
    lost = run_backup(source.engine, source.settings, "postgres")
    with transaction(source.engine) as session:
        session.get_one(Backup, lost.id).verified_at = lost.finished_at
    bucket = source.settings.bucket_backups
    _delete_bucket(source, bucket)
    whole = run_backup(source.engine, source.settings, "postgres")
    by_id = {row.id: row for row in rows(source)}
    assert by_id[lost.id].status == "missing" and "gone" in by_id[lost.id].error
    assert verify_backup(source.engine, source.settings, whole.id).manifest["verification"]["ok"]
    with transaction(source.engine) as session:
        assert last_proven(session) is None, "what is gone proves nothing"
    assert "are gone from the object store" in source.conditions()["backups-missing"]


def _delete_bucket(source: Source, bucket: str) -> None:
    """The server archives into it meanwhile."""
    for _ in range(20):
        for info in list(source.storage.list(bucket)):
            source.storage.delete(bucket, info.key)
        try:
            source.storage.client.delete_bucket(Bucket=bucket)
        except source.storage.client.exceptions.ClientError:
            time.sleep(0.2)
        else:
            return
    pytest.fail("the bucket can't be deleted")


@pytest.mark.fault(2)
@pytest.mark.parametrize(
    "damage",
    [*(pytest.param(kind, marks=pytest.mark.long) for kind in ("cut", "empty")), "exchanged", "gone"],
)
def test_a_damaged_part_is_found(source: Source, damage: str) -> None:
    backup = run_backup(source.engine, source.settings, "postgres")
    bucket, key = source.settings.bucket_backups, backup.manifest["parts"][0]["key"]
    body = source.storage.get_bytes(bucket, key)
    if damage == "gone":
        source.storage.delete(bucket, key)
    else:
        source.storage.put_bytes(
            bucket, key, {"cut": body[: len(body) // 2], "empty": b"", "exchanged": body[:-1] + b"?"}[damage]
        )
    with pytest.raises(IntegrityFailed, match="not intact"):
        verify_backup(source.engine, source.settings, backup.id)
    (kept,) = [row for row in rows(source) if row.id == backup.id]
    assert kept.manifest["verification"]["ok"] is False and kept.manifest["verification"]["error"]
    assert kept.manifest["verification"]["error"] in source.conditions()["backup-damaged"]
    assert list((source.settings.data_dir / "scratch").iterdir()) == []
    run_backup(source.engine, source.settings, "postgres")
    assert "backup-damaged" not in source.conditions()


def test_a_changed_manifest_is_no_backup_any_more_and_nothing_of_it_is_deleted(source: Source) -> None:
    backup = run_backup(source.engine, source.settings, "postgres")
    bucket, prefix = source.settings.bucket_backups, urlsplit(backup.location).path.lstrip("/")
    source.storage.put_bytes(bucket, f"{prefix}manifest.json", b"{}")
    run_backup(source.engine, source.settings, "postgres")
    assert {row.id: row.status for row in rows(source)}[backup.id] == "missing"
    assert len(list(source.storage.list(bucket, prefix))) == len(backup.manifest["parts"]) + 2


def test_only_one_backup_of_a_kind_at_a_time(source: Source) -> None:
    with exclusive(source.engine, "backup of postgres"):
        with pytest.raises(Conflict, match="Another backup of postgres"):
            run_backup(source.engine, source.settings, "postgres")
        run_backup(source.engine, source.settings, "secrets")


@pytest.mark.fault(15)
def test_a_lock_lost_in_the_middle_fails_the_backup(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection that holds the lock is killed, as an idle one may be."""
    original = postgres.Outcome

    def outcome(*arguments: object) -> object:
        with psycopg.connect(source.cluster.conninfo("leitstand"), autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s",
                [LOCK_CLASS],
            )
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(postgres, "Outcome", outcome)
    with pytest.raises(Unavailable, match="lock"):
        run_backup(source.engine, source.settings, "postgres")
    monkeypatch.undo()
    assert rows(source)[0].status == "failed"
    assert "lock" in source.conditions(later=timedelta(minutes=6))["backup-failed"]
    assert run_backup(source.engine, source.settings, "postgres").status == "complete"
    assert "backup-failed" not in source.conditions(later=timedelta(minutes=6))


@pytest.mark.fault(3)
@pytest.mark.parametrize("program", ["pg_basebackup", "pg_dump"])
def test_a_tool_older_than_the_server_is_refused(program: str) -> None:
    with pytest.raises(PreconditionFailed, match=f"{program} 18 can't back up a server of version 19"):
        streaming.refuse_older(program, 190_001)


@pytest.mark.parametrize(("kind", "taker"), [("postgres", postgres), ("dump", dumps)])
def test_nothing_is_stored_by_a_tool_older_than_the_server(
    source: Source, monkeypatch: pytest.MonkeyPatch, kind: str, taker: ModuleType
) -> None:
    """The server says that it is a version newer than the tools."""
    said = taker.fingerprint.server
    monkeypatch.setattr(
        taker.fingerprint, "server", lambda connection: {**said(connection), "version_number": 190_001}
    )
    with pytest.raises(PreconditionFailed, match="can't back up a server of version 19"):
        run_backup(source.engine, source.settings, kind)
    failed = rows(source, kind)[0]
    assert failed.status == "failed" and "version 19" in failed.error
    assert not [
        info for info in source.storage.list(source.settings.bucket_backups) if str(failed.id) in info.key
    ]


def test_an_unknown_kind_is_refused(source: Source) -> None:
    with pytest.raises(InvalidInput, match="'everything'"):
        run_backup(source.engine, source.settings, "everything")


def test_a_store_that_is_down_fails_the_backup_and_says_so(source: Source) -> None:
    down = source.settings.model_copy(update={"s3_endpoint": "http://127.0.0.1:9"})
    with pytest.raises(Unavailable, match="does not answer"):
        run_backup(source.engine, down, "postgres")


def test_a_backup_that_stands_still_is_ended(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "STALLED_SECONDS", 1)
    monkeypatch.setattr(streaming, "WATCHED_EVERY", 0.2)
    original = streaming.Watch.seen
    monkeypatch.setattr(
        streaming.Watch,
        "seen",
        lambda watch, count: (
            original(watch, count),
            time.sleep(0 if count < 1_000_000 or watch.stalled else 3),
        )[0],
    )
    with pytest.raises(Unavailable, match="stood still"):
        run_backup(source.engine, source.settings, "postgres")
    assert rows(source)[0].status == "failed"
