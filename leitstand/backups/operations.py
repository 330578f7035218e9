"""Take a backup: one at a time, complete only when everything is stored, recovered by the next when it was killed."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from leitstand import __version__
from leitstand.backups import entries, fingerprint, keys, objects, postgres, secret_files, tidying
from leitstand.backups.catalogue import FAILED, KINDS, newest_complete
from leitstand.backups.full_disk import named_when_full
from leitstand.backups.places import copies_of
from leitstand.backups.reconciling import fill
from leitstand.backups.verification import verify_backup
from leitstand.backups.work import Job, Outcome, Progress
from leitstand.db.engine import transaction
from leitstand.db.exclusive import check_held, exclusive
from leitstand.db.models import Backup
from leitstand.db.models.base import new_id
from leitstand.errors import InvalidInput, LeitstandError
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.telemetry.logs import get_logger

__all__ = ["run_backup", "verify_backup"]

FORMAT = 1
JSON = "application/json"
ENGINES: dict[str, tuple[str, Callable[[Job], Outcome]]] = {
    "postgres": (postgres.ENGINE, postgres.take),
    "objects": (objects.ENGINE, objects.take),
    "secrets": (secret_files.ENGINE, secret_files.take),
}

log = get_logger("backups")


def run_backup(engine: Engine, settings: Settings, kind: str, *, progress: Progress | None = None) -> Backup:
    """Take one backup of `kind` (postgres, objects or secrets) and give its row of the catalogue.

    What a killed backup left behind is marked failed and removed first.

    Args:
        progress: told now and then, in words, how far it is.

    Raises:
        InvalidInput: there is no such kind.
        Conflict: a backup of this kind is running.
        LeitstandError: it failed; its row says why.
    """
    if kind not in KINDS:
        raise InvalidInput(f"There is no backup of {kind!r}.", hint=f"Kinds: {', '.join(KINDS)}.")
    storage = ObjectStorage(settings)
    storage.ensure_buckets()
    name = f"backup of {kind}"
    with exclusive(engine, name) as lock:
        tidying.tidy(engine, settings, storage, kind)
        job = _begin(engine, settings, storage, kind, lock)
        job.progress = progress
        try:
            with named_when_full(job.folder.parent), _own_folder(job.folder):
                outcome = ENGINES[kind][1](job)
            check_held(lock, name)
            return _complete(job, kind, outcome)
        except BaseException as error:
            _fail(engine, job.backup_id, error)
            raise


def _begin(engine: Engine, settings: Settings, storage: ObjectStorage, kind: str, lock: Connection) -> Job:
    recipients = keys.ensure_keys(settings).recipients
    with transaction(engine) as session:
        backup_id = new_id()
        prefix = prefix_of(engine, kind, backup_id)
        location = f"s3://{settings.bucket_backups}/{prefix}"
        before = newest_complete(session, kind)
        session.add(
            Backup(
                id=backup_id,
                kind=kind,
                engine=ENGINES[kind][0],
                location=location,
                application_version=__version__,
            )
        )
    log.info("backup started", backup=str(backup_id), kind=kind)
    folder = tidying.work_folder(settings) / f"{kind}-{backup_id}"
    return Job(
        engine,
        settings,
        storage,
        lock,
        backup_id,
        prefix,
        folder,
        recipients,
        before.manifest if before else {},
    )


def prefix_of(engine: Engine, kind: str, backup_id: UUID) -> str:
    """Where a backup lies; it ends with its id, so that nothing else is ever under it."""
    if kind != "postgres":
        return f"{kind}/{backup_id}/"
    with engine.connect() as connection:
        return f"postgres/{fingerprint.server(connection)['system_identifier']}/base/{backup_id}/"


@contextmanager
def _own_folder(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, mode=0o700)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _complete(job: Job, kind: str, outcome: Outcome) -> Backup:
    """The manifest is stored last: a backup without one does not exist."""
    manifest = {
        "format": FORMAT,
        "id": str(job.backup_id),
        "kind": kind,
        "engine": ENGINES[kind][0],
        "finished_at": datetime.now(UTC).isoformat(),
        "application_version": __version__,
        "recipients": list(job.recipients),
        "stored_bytes": outcome.bytes,
        **outcome.manifest,
    }
    body = json.dumps(manifest, indent=1).encode()
    stored = job.storage.put_bytes(job.bucket, f"{job.prefix}manifest.json", body, JSON)
    with transaction(job.engine) as session:
        backup = session.get_one(Backup, job.backup_id)
        fill(backup, manifest, stored.sha256)
    entries.store(job.storage, job.bucket, backup)
    if kind == "objects" and (copies := copies_of(job.settings)).elsewhere:
        entries.store(copies.storage, copies.bucket, backup)
    log.info("backup complete", backup=str(job.backup_id), kind=kind, bytes=outcome.bytes)
    return backup


def _fail(engine: Engine, backup_id: UUID, error: BaseException) -> None:
    """Say why; the database itself may be what failed, then the next backup marks it."""
    reason = error.message if isinstance(error, LeitstandError) else type(error).__name__
    log.error("backup failed", backup=str(backup_id), reason=reason)
    with suppress(SQLAlchemyError), transaction(engine) as session:
        backup = session.get_one(Backup, backup_id)
        backup.status, backup.finished_at, backup.error = FAILED, datetime.now(UTC), reason


def public(backup: Backup) -> dict[str, Any]:
    """A backup as the `--json` documents show it."""
    return {
        "id": str(backup.id),
        "kind": backup.kind,
        "engine": backup.engine,
        "status": backup.status,
        "started_at": _iso(backup.started_at),
        "finished_at": _iso(backup.finished_at),
        "location": backup.location,
        "bytes": backup.bytes,
        "sha256": backup.sha256,
        "postgres_version": backup.postgres_version,
        "schema_revision": backup.schema_revision,
        "application_version": backup.application_version,
        "parent_id": str(backup.parent_id) if backup.parent_id else None,
        "kept": backup.kept,
        "reason": backup.reason,
        "removed_at": _iso(backup.removed_at),
        "verified_at": _iso(backup.verified_at),
        "verification": backup.manifest.get("verification"),
        "warnings": backup.manifest.get("warnings", []),
        "error": backup.error,
    }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
