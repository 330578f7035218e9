"""A dump of the database: taken beside writers, never beside a migration, restored by pg_restore alone."""

import subprocess
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from leitstand.backups import dumps, keys
from leitstand.backups.catalogue import last_proven
from leitstand.backups.engines.interface import Manifest
from leitstand.backups.operations import run_backup, verify_backup
from leitstand.backups.restore import choose
from leitstand.backups.sealing import unseal
from leitstand.db import migrate
from leitstand.db.cluster import bin_dir
from leitstand.db.engine import transaction
from leitstand.db.exclusive import SCHEMA, exclusive
from leitstand.db.models import Backup
from leitstand.errors import Conflict, IntegrityFailed, NotFound, PreconditionFailed
from tests.source import Source

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dump(source: Source) -> Backup:
    source.add_workspace("in-the-dump")
    return run_backup(source.engine, source.settings, "dump")


def manifest_of(source: Source, dump: Backup) -> Manifest:
    return choose(source.storage, source.settings.bucket_backups, backup_id=str(dump.id), kind="dump")


def slugs(source: Source, database: str) -> set[str]:
    with psycopg.connect(source.cluster.conninfo(database)) as connection:
        return {row[0] for row in connection.execute("SELECT slug FROM workspace")}


def test_it_is_encrypted_and_no_base_backup(source: Source, dump: Backup) -> None:
    assert (dump.kind, dump.engine, dump.status, dump.level) == ("dump", "pg_dump", "complete", None)
    assert dump.manifest["schema_revision"] == migrate.head() and dump.manifest["counts"]["workspace"] >= 2
    for part in dump.manifest["parts"]:
        body = source.storage.get_bytes(source.settings.bucket_backups, part["key"])
        assert body.startswith(b"age-encryption.org/v1\n") and b"in-the-dump" not in body
    verified = verify_backup(source.engine, source.settings, dump.id)
    found = {one["check"]: one["found"] for one in verified.manifest["verification"]["findings"]}
    assert found["entries of its table of contents"] > 100
    with transaction(source.engine) as session:
        assert last_proven(session) is None


def test_it_restores_into_an_empty_database_and_no_other(source: Source, dump: Backup) -> None:
    manifest, settings = manifest_of(source, dump), source.settings
    source.add_workspace("after-the-dump")
    with pytest.raises(NotFound, match="can't be reached"):
        dumps.restore(settings, manifest=manifest, database="nowhere")
    with pytest.raises(PreconditionFailed, match="in use"):
        dumps.restore(settings, manifest=manifest, database="leitstand")
    dumps.create_database(settings, "brought_back")
    dumps.restore(settings, manifest=manifest, database="brought_back")
    assert "in-the-dump" in slugs(source, "brought_back")
    assert "after-the-dump" not in slugs(source, "brought_back")
    with psycopg.connect(source.cluster.conninfo("brought_back")) as connection:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    assert row == (migrate.head(),)
    with pytest.raises(PreconditionFailed, match="not empty"):
        dumps.restore(settings, manifest=manifest, database="brought_back")


def test_pg_restore_alone_restores_it(source: Source, dump: Backup, tmp_path: Path) -> None:
    """What the guide says: age, zstd and pg_restore, and nothing of ours; here with age's library."""
    sealed = b"".join(
        source.storage.get_bytes(source.settings.bucket_backups, part["key"])
        for part in dump.manifest["parts"]
    )
    plain = tmp_path / "dump.pgc"
    plain.write_bytes(unseal(sealed, keys.identities(source.settings), most=1 << 30))
    source.cluster.prepare("by_hand")
    argv = [str(bin_dir() / "pg_restore"), "--data-only", "--table=workspace", "--file=-", str(plain)]
    assert "in-the-dump" in subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def test_a_damaged_one_brings_nothing_back(source: Source) -> None:
    """Cut at its end, where a tool that reads from a pipe may have committed already."""
    dump = run_backup(source.engine, source.settings, "dump")
    manifest, bucket = manifest_of(source, dump), source.settings.bucket_backups
    key = manifest["parts"][-1]["key"]
    body = source.storage.get_bytes(bucket, key)
    cut = source.storage.put_bytes(bucket, key, body[:-40])
    manifest["parts"][-1] |= {"bytes": cut.bytes, "sha256": cut.sha256}
    dumps.create_database(source.settings, "damaged")
    with pytest.raises(IntegrityFailed, match=f"Dump {dump.id} is damaged"):
        dumps.restore(source.settings, manifest=manifest, database="damaged")
    with psycopg.connect(source.cluster.conninfo("damaged")) as connection:
        assert connection.execute("SELECT to_regclass('workspace')").fetchone() == (None,)
    with pytest.raises(IntegrityFailed, match="not intact"):
        verify_backup(source.engine, source.settings, dump.id)


def test_neither_a_dump_nor_a_migration_runs_during_the_other(source: Source) -> None:
    with exclusive(source.engine, SCHEMA):
        with pytest.raises(Conflict, match="migration or dump"):
            run_backup(source.engine, source.settings, "dump")
        migrate.upgrade(source.engine)  # nothing to apply, so nothing to wait for
        source.execute("UPDATE alembic_version SET version_num = '0009_backup_retention'")
        try:
            with pytest.raises(Conflict, match="migration or dump"):
                migrate.upgrade(source.engine, patience=0)
        finally:
            source.execute(f"UPDATE alembic_version SET version_num = '{migrate.head()}'")
    assert run_backup(source.engine, source.settings, "dump").status == "complete"


def test_a_dump_does_not_queue_writers_behind_it(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a lock that somebody holds it gives up, rather than have every later statement wait behind itself."""
    monkeypatch.setattr(dumps, "LOCK_WAIT", "300ms")
    with source.engine.connect() as holder:
        holder.execute(text("LOCK TABLE workspace IN ACCESS EXCLUSIVE MODE"))
        monkeypatch.setattr(dumps.fingerprint, "counts", lambda _: {})
        with pytest.raises(Conflict, match="stayed locked"):
            run_backup(source.engine, source.settings, "dump")
