"""What is put right before a backup starts: the traces of killed ones, and a catalogue that no longer tells the truth.

Runs under the lock of its kind, so that a backup that is still called running is one whose process has died.
"""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Engine, select

from leitstand.backups.catalogue import COMPLETE, FAILED, RUNNING
from leitstand.db.engine import transaction
from leitstand.db.models import Backup
from leitstand.errors import NotFound
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.telemetry.logs import get_logger

CATALOGUE = "catalogue/"
CHECKED = 50
UPLOADS_GIVEN_UP_AFTER = timedelta(hours=6)

log = get_logger("backups")


def work_folder(settings: Settings) -> Path:
    """Folder in which backups keep the part that they are writing."""
    return settings.data_dir / "tmp" / "backups"


def tidy(engine: Engine, settings: Settings, storage: ObjectStorage, kind: str) -> None:
    """Mark killed and lost backups of this kind failed, remove what they left, complete the stored catalogue."""
    for folder in work_folder(settings).glob(f"{kind}-*"):
        shutil.rmtree(folder, ignore_errors=True)
    with transaction(engine) as session:
        rows = list(
            session.scalars(
                select(Backup).where(Backup.kind == kind).order_by(Backup.started_at.desc()).limit(CHECKED)
            )
        )
        for backup in rows:
            if backup.status == RUNNING:
                _mark(backup, "The process that took it ended before it was complete.")
            elif backup.status == COMPLETE and not _is_stored(storage, backup):
                _mark(backup, "It is gone from the object store.")
        for backup in rows:
            if backup.status == FAILED and backup.location and not backup.sha256:  # it never was complete
                _remove_rest(storage, backup)
                backup.location = ""
            elif backup.status == COMPLETE:
                _complete_catalogue(storage, settings.bucket_backups, backup)
    storage.abort_stale_uploads(settings.bucket_backups, f"{kind}/", older_than=UPLOADS_GIVEN_UP_AFTER)


def _mark(backup: Backup, reason: str) -> None:
    log.error("backup marked failed", backup=str(backup.id), kind=backup.kind, reason=reason)
    backup.status, backup.error = FAILED, reason
    backup.finished_at = backup.finished_at or datetime.now(UTC)


def place_of(backup: Backup) -> tuple[str, str]:
    """Bucket and prefix of a backup."""
    address = urlsplit(backup.location)
    return address.netloc, address.path.lstrip("/")


def _is_stored(storage: ObjectStorage, backup: Backup) -> bool:
    bucket, prefix = place_of(backup)
    try:
        return storage.head(bucket, f"{prefix}manifest.json").sha256 == backup.sha256
    except NotFound:
        return False


def _remove_rest(storage: ObjectStorage, backup: Backup) -> None:
    """Delete what a failed backup stored; never anything outside the folder that bears its id."""
    bucket, prefix = place_of(backup)
    if not prefix.endswith(f"/{backup.id}/"):
        return
    for info in storage.list(bucket, prefix):
        storage.delete(bucket, info.key)


def _complete_catalogue(storage: ObjectStorage, bucket: str, backup: Backup) -> None:
    """A backup killed after its last commit has no copy of its entry beside the backups."""
    try:
        storage.head(bucket, _entry_key(backup.kind, str(backup.id)))
    except NotFound:
        store_catalogue_entry(storage, bucket, {**backup.manifest, "sha256": backup.sha256})


def store_catalogue_entry(storage: ObjectStorage, bucket: str, manifest: dict[str, Any]) -> None:
    """Keep the manifest where a machine without our database finds it, ordered by time."""
    key = _entry_key(str(manifest["kind"]), str(manifest["id"]))
    storage.put_bytes(bucket, key, json.dumps(manifest).encode(), "application/json")


def _entry_key(kind: str, backup_id: str) -> str:
    return f"{CATALOGUE}{kind}/{backup_id}.json"


def stored_entries(storage: ObjectStorage, bucket: str, kind: str) -> list[dict[str, Any]]:
    """The complete backups of a kind as the store knows them, newest first: what is left when the database is gone."""
    infos = list(storage.list(bucket, f"{CATALOGUE}{kind}/"))
    return [stored_entry(storage, bucket, info.key) for info in reversed(infos)]


def stored_entry(storage: ObjectStorage, bucket: str, key: str) -> dict[str, Any]:
    """The manifest that the stored catalogue has under `key`."""
    entry: dict[str, Any] = json.loads(storage.get_bytes(bucket, key))
    return entry
