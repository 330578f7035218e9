"""A backup killed at any step is marked failed and cleared away by the next, which succeeds.

The process kills itself with SIGKILL at a named place, so that every step is met exactly.
"""

import signal
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from leitstand.backups import restore
from leitstand.backups.catalogue import list_backups
from leitstand.backups.entries import stored_entries
from leitstand.backups.operations import run_backup, verify_backup
from leitstand.db.engine import transaction
from leitstand.db.models import Backup
from leitstand.runbooks.scratch import ScratchServer
from leitstand.settings import REPOSITORY
from tests.source import Source

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

KILLED = """
import os, signal, sys
from leitstand.backups import entries, operations, parts
from leitstand.db.engine import make_engine
from leitstand.settings import load_settings
from leitstand.storage.objects import ObjectStorage

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def kill_before(owner, name, when=lambda *a, **k: True):
    original = getattr(owner, name)
    def changed(*arguments, **named):
        if when(*arguments, **named):
            die()
        return original(*arguments, **named)
    setattr(owner, name, changed)

parts.PART_BYTES = 300_000
parts.PartWriter.__init__.__kwdefaults__["part_bytes"] = 300_000
kind, point = sys.argv[1:]
if point == "first byte":
    kill_before(parts.PartWriter, "write")
elif point == "a part stored":
    kill_before(parts.PartWriter, "write", lambda writer, data: len(writer.parts) >= 2)
elif point == "manifest":
    kill_before(ObjectStorage, "put_bytes", lambda storage, bucket, key, *a, **k: key.endswith("manifest.json"))
elif point == "row":
    kill_before(operations, "transaction", lambda *a: operations.checked_held)
    held = operations.check_held
    operations.checked_held = False
    def check_held(*arguments):
        operations.checked_held = True
        return held(*arguments)
    operations.check_held = check_held
elif point == "catalogue":
    kill_before(entries, "store")
settings = load_settings()
operations.run_backup(make_engine(settings), settings, kind)
"""

POINTS = [
    pytest.param("postgres", "first byte", marks=pytest.mark.long),
    pytest.param("postgres", "a part stored", marks=pytest.mark.long),
    ("postgres", "manifest"),
    pytest.param("objects", "manifest", marks=pytest.mark.long),
    ("secrets", "manifest"),
]


def killed(source: Source, kind: str, point: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, kind, point],
        cwd=REPOSITORY,
        env=source.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def newest(source: Source, kind: str) -> list[Backup]:
    with transaction(source.engine) as session:
        return list_backups(session, kind=kind)


def keys_of(source: Source, backup_id: UUID) -> list[str]:
    return [
        info.key for info in source.storage.list(source.settings.bucket_backups) if str(backup_id) in info.key
    ]


@pytest.mark.fault(20)
@pytest.mark.parametrize(("kind", "point"), POINTS)
def test_the_next_backup_clears_away_and_succeeds(source: Source, kind: str, point: str) -> None:
    before = {backup.id for backup in newest(source, kind)}
    killed(source, kind, point)
    (dead,) = [backup for backup in newest(source, kind) if backup.id not in before]
    assert dead.status == "running", "nobody was left to say that it failed"
    mended = run_backup(source.engine, source.settings, kind)
    rows = {backup.id: backup for backup in newest(source, kind)}
    assert rows[dead.id].status == "failed" and "ended before it was complete" in rows[dead.id].error
    assert keys_of(source, dead.id) == []
    assert mended.status == "complete"
    assert verify_backup(source.engine, source.settings, mended.id).manifest["verification"]["ok"]
    assert str(dead.id) not in {
        entry["id"] for entry in stored_entries(source.storage, source.settings.bucket_backups, kind)
    }
    assert source.one("SELECT count(*) FROM pg_replication_slots") == 0
    assert list((source.settings.data_dir / "tmp" / "backups").iterdir()) == []


@pytest.mark.fault(20)
@pytest.mark.parametrize(("point", "status"), [("row", "running"), ("catalogue", "complete")])
def test_killed_after_its_manifest_was_stored_it_is_complete_and_the_next_completes_the_catalogue(
    source: Source, point: str, status: str
) -> None:
    """So is one that a database restored to that moment calls running: what it stored must not be cleared away."""
    before = {backup.id for backup in newest(source, "secrets")}
    killed(source, "secrets", point)
    (done,) = [backup for backup in newest(source, "secrets") if backup.id not in before]
    assert done.status == status
    run_backup(source.engine, source.settings, "secrets")
    entries = {
        entry["id"] for entry in stored_entries(source.storage, source.settings.bucket_backups, "secrets")
    }
    assert str(done.id) in entries
    assert verify_backup(source.engine, source.settings, done.id).manifest["verification"]["ok"]


RESTORE_KILLED = """
import os, signal, sys
from pathlib import Path
from leitstand.backups import combining, restore
from leitstand.settings import load_settings
from leitstand.storage.objects import ObjectStorage

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

owner, name, target = sys.argv[1:]
owners = {"combining": combining, "restore": restore, "Path": Path}
setattr(owners[owner], name, die)
settings = load_settings()
manifest = restore.choose(ObjectStorage(settings), settings.bucket_backups)
restore.restore_postgres(settings, target=Path(target), manifest=manifest)
"""
# Before anything is unpacked, when all is and nothing is checked, before its configuration, before it gets its name.
RESTORE_POINTS = [
    pytest.param("combining", "unpack", marks=pytest.mark.long),
    pytest.param("combining", "pg_verifybackup", marks=pytest.mark.long),
    pytest.param("restore", "_configure", marks=pytest.mark.long),
    ("Path", "rename"),
]


@pytest.mark.fault(20)
@pytest.mark.parametrize(("owner", "name"), RESTORE_POINTS)
def test_a_killed_restore_leaves_no_half_folder_and_the_next_succeeds(
    source: Source, tmp_path: Path, owner: str, name: str
) -> None:
    target = tmp_path / "restored"
    run_backup(source.engine, source.settings, "postgres")
    done = subprocess.run(
        [sys.executable, "-c", RESTORE_KILLED, owner, name, str(target)],
        cwd=REPOSITORY,
        env=source.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not target.exists(), "what has its name is whole"
    manifest = restore.choose(source.storage, source.settings.bucket_backups)
    restore.restore_postgres(source.settings, target=target, manifest=manifest)
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".restoring")] == []
    server = ScratchServer(tmp_path, target)
    try:
        server.start()
        with psycopg.connect(server.conninfo("leitstand")) as connection:
            assert connection.execute("SELECT slug FROM workspace").fetchone() == ("first",)
    finally:
        server.stop()
