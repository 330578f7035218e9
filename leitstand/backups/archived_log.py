"""The archived log from a backup on: which segments there are, and which one is missing. Whatever engine archived it."""

from collections.abc import Iterable
from typing import Any

from leitstand.backups import wal
from leitstand.backups.engines.interface import Archived
from leitstand.backups.engines.registry import engine_of
from leitstand.storage.objects import ObjectStorage


def archived_files(storage: ObjectStorage, manifest: dict[str, Any]) -> Iterable[Archived]:
    """What the archive of a backup's cluster has."""
    return engine_of(manifest).archived(storage.settings, str(manifest["system_identifier"]))


def segments_since(storage: ObjectStorage, manifest: dict[str, Any]) -> list[Archived]:
    """The segments from the one in which a backup begins, on its own timeline, in order."""
    start = str(manifest["start_segment"])
    found = (one for one in archived_files(storage, manifest) if wal.SEGMENT.fullmatch(one.name))
    return sorted(
        (one for one in found if one.name[:8] == start[:8] and one.name >= start), key=lambda one: one.name
    )


def missing_log(
    storage: ObjectStorage, bucket: str, manifest: dict[str, Any], *, own_only: bool = False
) -> str:
    """The first archived segment that is missing from the backup's start on; empty when none is, or nothing is archived.

    Args:
        bucket: that of the backups, as in the settings of `storage`.
        own_only: look as far as the backup's own end; what came later, retention has removed.
    """
    size = int(manifest["segment_bytes"])
    last = wal.segment_of(wal.lsn_number(manifest["stop_lsn"]), int(manifest["timeline"]), size)
    names = [one.name for one in segments_since(storage, manifest)]
    return wal.first_gap([name for name in names if not (own_only and name > last)], size)
