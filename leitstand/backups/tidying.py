"""What is put right before a backup starts: the traces of killed ones, and a catalogue that no longer tells the truth.

Runs under the lock of its kind, so that a backup that is still called running is one whose process has died.
"""

import shutil
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Engine, select

from leitstand.backups.catalogue import FAILED
from leitstand.backups.entries import is_ours, place_of
from leitstand.backups.reconciling import reconcile
from leitstand.db.engine import transaction
from leitstand.db.models import Backup
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage

CHECKED = 50
UPLOADS_GIVEN_UP_AFTER = timedelta(hours=6)


def work_folder(settings: Settings) -> Path:
    """Folder in which backups keep the part that they are writing."""
    return settings.data_dir / "tmp" / "backups"


def tidy(engine: Engine, settings: Settings, storage: ObjectStorage, kind: str) -> None:
    """Mark killed and lost backups of this kind, remove what killed ones left, bring both catalogues together."""
    bucket = settings.bucket_backups
    for folder in work_folder(settings).glob(f"{kind}-*"):
        shutil.rmtree(folder, ignore_errors=True)
    reconcile(engine, storage, bucket, kind, newest=CHECKED)
    with transaction(engine) as session:
        failed = select(Backup).where(Backup.kind == kind, Backup.status == FAILED, Backup.location != "")
        for backup in session.scalars(failed.where(Backup.sha256 == "")):  # it never was complete
            _remove_rest(storage, bucket, backup)
            backup.location = ""
    storage.abort_stale_uploads(bucket, f"{kind}/", older_than=UPLOADS_GIVEN_UP_AFTER)


def _remove_rest(storage: ObjectStorage, bucket: str, backup: Backup) -> None:
    """Delete what a failed backup stored; never anything outside the folder that bears its id."""
    if not is_ours(backup.location, backup.kind, backup.id, bucket):
        return
    _, prefix = place_of(backup)
    for info in storage.list(bucket, prefix):
        storage.delete(bucket, info.key)
