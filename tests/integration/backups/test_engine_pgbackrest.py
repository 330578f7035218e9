"""pgBackRest keeps the contract of backup engines; then what is its own: removal, and other people's backups."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from leitstand.backups import entries, wal
from leitstand.backups.catalogue import list_backups
from leitstand.backups.engines.registry import engine_of
from leitstand.backups.operations import verify_backup
from leitstand.backups.pgbackrest import program
from leitstand.backups.pgbackrest.repository import FILE
from leitstand.backups.pins import PINS
from leitstand.backups.removing import Removal, remove_backup
from leitstand.backups.retention import LogNeed
from leitstand.db.engine import transaction
from leitstand.db.models import Backup
from tests.integration.backups.contract import EngineContract, Rig
from tests.pgbackrest import PgBackRestRig, needs_pgbackrest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), needs_pgbackrest]


class TestPgBackRest(EngineContract):
    name = "pgbackrest"

    @pytest.fixture(scope="class")
    def rig(self, pgbackrest_rig: PgBackRestRig) -> Iterator[Rig]:
        yield pgbackrest_rig


@pytest.mark.long
def test_what_retention_removes_is_gone_and_the_rest_restores(
    pgbackrest_rig: PgBackRestRig, tmp_path: Path
) -> None:
    """After the contract: the older backups and their log go, the newest full one stays with its own."""
    rig = pgbackrest_rig
    newest = rig.back_up("full")
    rig.add("after-the-newest")
    rig.archive_now()
    for mark in rig.storage.list(rig.bucket, PINS):
        rig.storage.delete(rig.bucket, mark.key)  # a day after the restores of the contract
    for backup in _complete(rig):
        if backup.id != newest.id:
            removal = _remove(rig, backup)
            assert removal.left == "" and removal.bytes > 0
            assert not _objects_of(rig, backup)
    engine, start = engine_of(entries.document(newest)), str(newest.manifest["start_segment"])
    need = LogNeed(str(newest.manifest["archive"]), start[8:])
    done = engine.remove_log(rig.settings, need, segment_bytes=wal.SEGMENT_BYTES, check=lambda: None)
    assert done.removed > 0 and done.gap == "" and done.archive.startswith("pgbackrest:")
    left = [one.name for one in engine.archived(rig.settings, str(newest.manifest["system_identifier"]))]
    assert min(name for name in left if wal.SEGMENT.fullmatch(name)) == start
    assert verify_backup(rig.catalogue, rig.settings, newest.id).manifest["verification"]["ok"]
    assert "after-the-newest" in rig.restored(tmp_path / "target", newest)


@pytest.mark.long
def test_the_only_one_can_go_and_the_next_is_whole(pgbackrest_rig: PgBackRestRig) -> None:
    """`pgbackrest expire` refuses to remove the only full backup; after a switch of engines it has to go as well."""
    rig = pgbackrest_rig
    rig.back_up("full")
    for backup in _complete(rig):
        manifest = entries.document(backup)
        assert engine_of(manifest).remove(rig.settings, manifest) > 0 and not _objects_of(rig, backup)
        assert engine_of(manifest).remove(rig.settings, manifest) == 0, "it may be repeated"
    taken = rig.back_up("incremental")
    assert (taken.status, taken.manifest["level"], taken.parent_id) == ("complete", "full", None)
    assert verify_backup(rig.catalogue, rig.settings, taken.id).manifest["verification"]["ok"]


@pytest.mark.long
def test_somebody_elses_backup_is_not_built_on(pgbackrest_rig: PgBackRestRig) -> None:
    """pgBackRest would build an increment on it, and our chain would lack it."""
    rig = pgbackrest_rig
    folder = rig.settings.data_dir / "pgbackrest" / "backup"
    assert rig.cluster is not None
    options = [f"--pg1-path={rig.cluster.data}", f"--pg1-port={rig.cluster.port}", "--pg1-user=postgres"]
    program.run("backup", folder / FILE, *options, "--type=incr", more=rig.cluster.environment())
    taken = rig.back_up("incremental")
    assert taken.manifest["level"] == "full" and "newest backup is not" in taken.manifest["level_reason"]


def _complete(rig: PgBackRestRig) -> list[Backup]:
    """Newest first, so that increments come before what they build on."""
    with transaction(rig.catalogue) as session:
        return [one for one in list_backups(session, kind="postgres") if one.status == "complete"]


def _remove(rig: PgBackRestRig, backup: Backup) -> Removal:
    def outside(row: Backup) -> int:
        return engine_of(entries.document(row)).remove(rig.settings, entries.document(row))

    return remove_backup(
        rig.catalogue,
        rig.storage,
        rig.bucket,
        backup.id,
        kind="postgres",
        reason="tried out",
        outside=outside,
    )


def _objects_of(rig: PgBackRestRig, backup: Backup) -> list[str]:
    label = str(backup.manifest["label"])
    return [key for key in rig.stored() if f"/{label}/" in key or f"/{label}.manifest" in key]
