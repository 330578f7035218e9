"""PostgreSQL: backed up, verified, archived, and restored to its newest state or to an instant."""

import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from leitstand.backups import wal
from leitstand.backups.catalogue import list_backups
from leitstand.backups.operations import run_backup, verify_backup
from leitstand.backups.restore import choose, restore_postgres
from leitstand.db.cluster import Cluster
from leitstand.db.engine import transaction
from leitstand.db.models import Backup
from leitstand.errors import InvalidInput, NotFound, PreconditionFailed
from leitstand.services import POSTGRES
from tests.services import free_base_port
from tests.source import PASSWORD, Source


@pytest.fixture(scope="module")
def backup(source: Source) -> Backup:
    return run_backup(source.engine, source.settings, "postgres")


def recovered(target: Path) -> Cluster:
    """The restored cluster, started without an archive."""
    cluster = Cluster(target, free_base_port() + POSTGRES.offset, PASSWORD)
    with (target / "postgresql.auto.conf").open("a") as configuration:
        configuration.write("archive_mode = off\nhot_standby = off\n")
    cluster.start()
    cluster.wait_ready()
    return cluster


def slugs(cluster: Cluster) -> set[str]:
    with psycopg.connect(cluster.conninfo("leitstand")) as connection:
        return {row[0] for row in connection.execute("SELECT slug FROM workspace")}


def test_a_backup_is_complete_with_all_that_a_restore_needs(source: Source, backup: Backup) -> None:
    assert (backup.status, backup.engine, backup.error) == ("complete", "pg_basebackup", "")
    assert backup.schema_revision and backup.postgres_version.startswith("18")
    manifest = backup.manifest
    assert manifest["counts"]["workspace"] >= 1
    assert wal.lsn_number(manifest["stop_lsn"]) > wal.lsn_number(manifest["start_lsn"])
    assert manifest["content"]["bytes"] > backup.bytes > 1_000_000
    assert len(manifest["recipients"]) == 2
    heads = [source.storage.head(source.settings.bucket_backups, part["key"]) for part in manifest["parts"]]
    assert [head.sha256 for head in heads] == [part["sha256"] for part in manifest["parts"]]


def test_nothing_of_the_data_can_be_read_in_the_store(source: Source, backup: Backup) -> None:
    for info in source.storage.list(source.settings.bucket_backups, "postgres/"):
        if not info.key.endswith(".json"):
            assert (
                source.storage.get_bytes(source.settings.bucket_backups, info.key)[:22]
                == b"age-encryption.org/v1\n"
            )


def test_no_slot_and_no_file_is_left(source: Source, backup: Backup) -> None:
    assert source.one("SELECT count(*) FROM pg_replication_slots") == 0
    assert list((source.settings.data_dir / "tmp" / "backups").iterdir()) == []


def test_it_verifies_and_is_not_yet_proven(source: Source, backup: Backup) -> None:
    verified = verify_backup(source.engine, source.settings, backup.id)
    assert verified.manifest["verification"]["ok"]
    assert verified.verified_at is None
    assert list((source.settings.data_dir / "scratch").iterdir()) == []


def test_the_newest_state_is_what_was_archived(source: Source, backup: Backup, tmp_path: Path) -> None:
    source.add_workspace("after-the-backup")
    source.archive_now()
    source.add_workspace("not-archived")
    manifest = choose(source.storage, source.settings.bucket_backups, backup_id=str(backup.id))
    restored = restore_postgres(source.settings, target=tmp_path / "restored", manifest=manifest)
    cluster = recovered(restored.target)
    try:
        assert {"first", "after-the-backup"} <= slugs(cluster)
        assert "not-archived" not in slugs(cluster)
    finally:
        cluster.stop("immediate")
    assert not restored.access.exists()


def test_an_instant_between_two_commits(source: Source, backup: Backup, tmp_path: Path) -> None:
    source.add_workspace("before-the-mistake")
    time.sleep(0.5)
    instant = datetime.now(UTC)
    time.sleep(0.5)
    source.execute("DELETE FROM workspace WHERE slug = 'before-the-mistake'")
    source.archive_now()
    manifest = choose(source.storage, source.settings.bucket_backups, to_time=instant)
    restored = restore_postgres(
        source.settings, target=tmp_path / "restored", manifest=manifest, to_time=instant
    )
    cluster = recovered(restored.target)
    try:
        assert "before-the-mistake" in slugs(cluster)
    finally:
        cluster.stop("immediate")


@pytest.mark.long
def test_an_earlier_target_in_the_backed_up_configuration_does_not_stay(
    source: Source, tmp_path: Path
) -> None:
    source.execute("ALTER SYSTEM SET recovery_target_time = '2001-01-01'")
    try:
        backup = run_backup(source.engine, source.settings, "postgres")
        restored = restore_postgres(source.settings, target=tmp_path / "restored", manifest=backup.manifest)
        cluster = recovered(restored.target)
        cluster.stop("immediate")
    finally:
        source.execute("ALTER SYSTEM RESET recovery_target_time")


def test_what_can_not_be_restored_to_is_refused(source: Source, backup: Backup, tmp_path: Path) -> None:
    bucket = source.settings.bucket_backups
    with pytest.raises(NotFound):
        choose(source.storage, bucket, to_time=datetime.now(UTC) - timedelta(days=400))
    with pytest.raises(InvalidInput, match="future"):
        restore_postgres(
            source.settings,
            target=tmp_path / "a",
            manifest=backup.manifest,
            to_time=datetime.now(UTC) + timedelta(days=1),
        )
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("precious")
    with pytest.raises(PreconditionFailed, match="not empty"):
        restore_postgres(source.settings, target=tmp_path / "full", manifest=backup.manifest)
    assert (tmp_path / "full" / "file").read_text() == "precious"
    huge = {**backup.manifest, "content": {"bytes": 10**18, "sha256": ""}}
    with pytest.raises(PreconditionFailed, match="GB"):
        restore_postgres(source.settings, target=tmp_path / "b", manifest=huge)


def test_another_machine_restores_with_the_offline_key_and_no_database(
    source: Source, backup: Backup, tmp_path: Path
) -> None:
    elsewhere = source.settings.model_copy(
        update={
            "data_dir": tmp_path / "elsewhere",
            "database_url_override": "postgresql+psycopg://nobody@127.0.0.1:1/none",
        }
    )
    (elsewhere.data_dir / "keys").mkdir(parents=True)
    with pytest.raises(PreconditionFailed, match="No key"):
        restore_postgres(elsewhere, target=tmp_path / "restored", manifest=backup.manifest)
    shutil.copy(source.settings.data_dir / "keys" / "offline-recovery.agekey", elsewhere.data_dir / "keys")
    manifest = choose(source.storage, elsewhere.bucket_backups)
    cluster = recovered(restore_postgres(elsewhere, target=tmp_path / "restored", manifest=manifest).target)
    try:
        assert "first" in slugs(cluster)
    finally:
        cluster.stop("immediate")


def test_the_catalogue_lists_newest_first(source: Source, backup: Backup) -> None:
    with transaction(source.engine) as session:
        listed = list_backups(session, kind="postgres")
    assert backup.id in {row.id for row in listed}
    assert [row.started_at for row in listed] == sorted((row.started_at for row in listed), reverse=True)
