"""What retention leaves of real backups restores: an old one to its own end, the newest to any second."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from leitstand.backups import entries, wal
from leitstand.backups.archived_log import archived_files
from leitstand.backups.operations import run_backup, verify_backup
from leitstand.backups.pruning import propose, prune
from leitstand.backups.restore import restore_postgres
from leitstand.db.engine import transaction
from leitstand.db.models import Backup
from leitstand.errors import PreconditionFailed
from tests.integration.backups.test_postgres import recovered, slugs
from tests.source import Source

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def aged(source: Source, backup_id: UUID, days: float, *, kept: bool = False) -> Backup:
    """Let a backup be of so many days ago, proven by a drill."""
    at = datetime.now(UTC) - timedelta(days=days)
    bucket = source.settings.bucket_backups
    with transaction(source.engine) as session:
        backup = session.get_one(Backup, backup_id)
        backup.started_at, backup.finished_at, backup.verified_at, backup.kept = at, at, at, kept
        backup.manifest = {**backup.manifest, "finished_at": at.isoformat()}
        _, prefix = entries.place_of(backup)
        body = json.dumps(backup.manifest).encode()
        backup.sha256 = source.storage.put_bytes(bucket, f"{prefix}manifest.json", body).sha256
    entries.store(source.storage, bucket, backup)
    return backup


def written(source: Source, slug: str) -> None:
    for number in range(3):
        source.add_workspace(f"{slug}-{number}")
        source.archive_now()


@pytest.mark.long
def test_an_old_backup_without_the_log_after_it_restores_to_its_own_end(
    source: Source, tmp_path: Path
) -> None:
    old = run_backup(source.engine, source.settings, "postgres", level="full")
    written(source, "after-the-old")
    anchor = run_backup(source.engine, source.settings, "postgres", level="full")
    written(source, "after-the-anchor")
    newest = run_backup(source.engine, source.settings, "postgres", level="full")
    source.archive_now()
    aged(source, old.id, 40, kept=True), aged(source, anchor.id, 20), aged(source, newest.id, 0.01)
    with transaction(source.engine) as session:
        plan = propose(session, source.settings).plan.sha256
    result = prune(source.engine, source.settings, confirmed=plan)
    assert result.removed == [] and result.log_removed >= 2
    assert result.logs[0].gap == ""
    manifest = aged(source, old.id, 40, kept=True).manifest
    assert verify_backup(source.engine, source.settings, old.id).manifest["verification"]["ok"]
    with pytest.raises(PreconditionFailed, match="can't be reached: the archived log lacks"):
        restore_postgres(
            source.settings,
            target=tmp_path / "late",
            manifest=manifest,
            to_time=datetime.now(UTC) - timedelta(milliseconds=1),
        )
    cluster = recovered(restore_postgres(source.settings, target=tmp_path / "old", manifest=manifest).target)
    try:
        assert "first" in slugs(cluster) and not {
            slug for slug in slugs(cluster) if slug.startswith("after-the-anchor")
        }
    finally:
        cluster.stop("immediate")
    files = sorted(one.name for one in archived_files(source.storage, anchor.manifest))
    kept = [name for name in files if wal.SEGMENT.fullmatch(name)]
    assert kept[0] == old.manifest["start_segment"] and anchor.manifest["start_segment"] in kept
    cluster = recovered(
        restore_postgres(source.settings, target=tmp_path / "anchor", manifest=anchor.manifest).target
    )
    try:
        assert {f"after-the-anchor-{number}" for number in range(3)} <= slugs(cluster)
    finally:
        cluster.stop("immediate")
