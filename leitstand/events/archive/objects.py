"""The archive's objects in the store: written under their content's name, each with a manifest beside it."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import Engine, delete, select

from leitstand.db.engine import transaction
from leitstand.db.models import EventArchive, Workspace
from leitstand.events.archive import contents
from leitstand.events.archive.contents import Summary
from leitstand.events.archive.parts import PREFIX, ArchivePart, folder_of
from leitstand.settings import Settings
from leitstand.storage.store import store_of

MEDIA_TYPE, MANIFEST_TYPE = "application/vnd.apache.parquet", "application/json"
FILE, MANIFEST = ".parquet", ".manifest.json"
# What a killed run has uploaded, and no later one has recorded.
LEFT_BEHIND = timedelta(days=1)
# Longer than the oldest backup of a database that may still name the object.
KEPT_AFTER_RESTORE = timedelta(days=400)


@contextmanager
def being_written(settings: Settings, name: str, workspace_id: UUID) -> Iterator[Path]:
    """A path for a file on its way; what an earlier run left there is overwritten."""
    path = folder_of(settings) / f".{name}-{workspace_id}.writing"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def upload(settings: Settings, month: date, summary: Summary, path: Path) -> ArchivePart:
    """Upload a file of a workspace's month and its manifest."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    key = f"{PREFIX}{summary.workspace_id}/{month:%Y-%m}/{digest}{FILE}"
    storage = store_of(settings)
    stored = storage.put_file(settings.bucket_media, key, path, MEDIA_TYPE)
    part = ArchivePart(
        key, summary.workspace_id, month, summary.rows, stored.bytes, stored.sha256, summary.content_hash,
        summary.first_at, summary.last_at, summary.companions, summary.days,
    )  # fmt: skip
    body = json.dumps(manifest(part), indent=1).encode()
    storage.put_bytes(settings.bucket_media, key.removesuffix(FILE) + MANIFEST, body, MANIFEST_TYPE)
    return part


def manifest(part: ArchivePart) -> dict[str, object]:
    """What somebody must know who has nothing but the objects."""
    return {
        "schema_version": contents.SCHEMA_VERSION,
        "workspace_id": str(part.workspace_id),
        "month": f"{part.month:%Y-%m}",
        "rows": part.rows,
        "bytes": part.bytes,
        "sha256": part.sha256,
        "content_hash": part.content_hash,
        "first_at": part.first_at.isoformat(),
        "last_at": part.last_at.isoformat(),
        "columns": list(contents.COLUMNS),
    }


def tidy(engine: Engine, settings: Settings, *, now: datetime | None = None) -> int:
    """Remove what killed runs left behind, and what was restored long ago; how many objects.

    Only of workspaces that this database has: a new one that is pointed at the store of another tidies nothing of it.
    The bucket keeps the versions of what is removed.
    """
    now, storage, removed = now or datetime.now(UTC), store_of(settings), 0
    with transaction(engine) as session:
        workspaces = list(session.scalars(select(Workspace.id)))
        known = dict(session.execute(select(EventArchive.key, EventArchive.restored_at)).tuples().all())
    for workspace_id in workspaces:
        for found in storage.list(settings.bucket_media, f"{PREFIX}{workspace_id}/"):
            key = found.key.removesuffix(MANIFEST) + FILE if found.key.endswith(MANIFEST) else found.key
            restored = known.get(key)
            if (restored and restored < now - KEPT_AFTER_RESTORE) or (
                key not in known and found.modified < now - LEFT_BEHIND
            ):
                storage.delete(settings.bucket_media, found.key)
                removed += 1
    with transaction(engine) as session:
        session.execute(delete(EventArchive).where(EventArchive.restored_at < now - KEPT_AFTER_RESTORE))
    return removed
