"""What goes wrong with increments: cut short, without their log, without summaries, or without what they build on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from leitstand.backups import wal
from leitstand.backups.archived_log import missing_log, segments_since
from leitstand.backups.entries import document
from leitstand.backups.operations import run_backup, verify_backup
from leitstand.backups.restore import restore_postgres
from leitstand.db.models import Backup
from leitstand.errors import IntegrityFailed
from tests.source import Source

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def taken(source: Source, level: str = "") -> Backup:
    return run_backup(source.engine, source.settings, "postgres", level=level)


def said(backup: Backup) -> tuple[str, str]:
    return backup.manifest["level"], backup.manifest["level_reason"]


@pytest.fixture(scope="module")
def full(source: Source) -> Backup:
    return taken(source, "full")


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda body: body[: len(body) // 2], id="cut"),
        pytest.param(lambda _: b"", id="empty", marks=pytest.mark.long),
    ],
)
def test_a_truncated_increment_is_found_and_the_next_backup_is_full(
    source: Source, full: Backup, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    """Fault 2."""
    taken(source, "full")
    increment = taken(source)
    assert said(increment) == ("incremental", "the full backup is of this week")
    bucket, key = source.settings.bucket_backups, increment.manifest["parts"][-1]["key"]
    source.storage.put_bytes(bucket, key, damage(source.storage.get_bytes(bucket, key)))
    with pytest.raises(IntegrityFailed, match=f"Backup {increment.id} is damaged"):
        restore_postgres(source.settings, target=tmp_path / "target", manifest=document(increment))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(IntegrityFailed, match="not intact"):
        verify_backup(source.engine, source.settings, increment.id)
    assert verify_backup(source.engine, source.settings, full.id).manifest["verification"]["ok"]
    mended = taken(source)
    assert said(mended) == ("full", f"backup {increment.id} is damaged")
    assert verify_backup(source.engine, source.settings, mended.id).manifest["verification"]["ok"]


@pytest.mark.long
def test_an_increment_whose_log_has_a_hole_is_not_intact(source: Source, full: Backup) -> None:
    """Fault 5: the increment is finished, and a segment after its start is missing in the archive."""
    increment = taken(source, "incremental")
    for _ in range(2):
        source.execute("SELECT pg_logical_emit_message(false, 'test', 'x')")
        source.archive_now()
    names = [one.name for one in segments_since(source.storage, increment.manifest)]
    system, bucket = increment.manifest["system_identifier"], source.settings.bucket_backups
    key = wal.key(system, names[1])
    body, metadata = source.storage.get_bytes(bucket, key), source.storage.head(bucket, key).metadata
    source.storage.delete(bucket, key)
    assert missing_log(source.storage, bucket, increment.manifest) == names[1]
    with pytest.raises(IntegrityFailed, match=f"lacks {names[1]}"):
        verify_backup(source.engine, source.settings, increment.id)
    source.storage.put_bytes(bucket, key, body, metadata=metadata)
    assert verify_backup(source.engine, source.settings, increment.id).manifest["verification"]["ok"]


@contextmanager
def without_summaries(source: Source) -> Iterator[None]:
    source.execute("ALTER SYSTEM SET summarize_wal = off")
    source.execute("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        source.execute("ALTER SYSTEM RESET summarize_wal")
        source.execute("SELECT pg_reload_conf()")


def test_without_summaries_a_full_one_is_taken_and_says_why(source: Source, full: Backup) -> None:
    with without_summaries(source):
        backup = taken(source, "incremental")
    level, reason = said(backup)
    assert level == "full" and "summar" in reason
    assert backup.parent_id is None and backup.manifest["parent_id"] is None
    assert verify_backup(source.engine, source.settings, backup.id).manifest["verification"]["ok"]


@pytest.mark.parametrize("damage", ["gone", "exchanged"])
def test_without_the_parents_list_of_files_a_full_one_is_taken(source: Source, damage: str) -> None:
    parent = taken(source, "full")
    bucket, key = source.settings.bucket_backups, parent.manifest["file_list"]["key"]
    if damage == "gone":
        source.storage.delete(bucket, key)
    else:
        source.storage.put_bytes(bucket, key, b"something else")
    level, reason = said(taken(source, "incremental"))
    assert level == "full" and reason.startswith(f"the list of files of backup {parent.id} can't be read")


def test_another_cluster_is_not_built_upon(source: Source, full: Backup) -> None:
    from leitstand.db.engine import transaction

    parent = taken(source, "full")
    with transaction(source.engine) as session:
        row = session.get_one(Backup, parent.id)
        row.manifest = {**row.manifest, "system_identifier": "7000000000000000000"}
    assert said(taken(source, "incremental")) == ("full", f"backup {parent.id} is of another cluster")
