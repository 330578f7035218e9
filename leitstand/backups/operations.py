"""Take a backup: one at a time, complete only when everything is stored, recovered by the next when it was killed."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from leitstand import __version__
from leitstand.backups import dumps, entries, fingerprint, keys, objects, secret_files, tidying
from leitstand.backups.catalogue import COMPLETE, FAILED, KINDS, newest_complete
from leitstand.backups.engines.interface import LEVELS
from leitstand.backups.engines.registry import chosen as chosen_engine
from leitstand.backups.full_disk import named_when_full
from leitstand.backups.levels import Choice, Taken, choose
from leitstand.backups.places import copies_of
from leitstand.backups.reconciling import fill
from leitstand.backups.verification import verify_backup
from leitstand.backups.work import Job, Outcome, Progress
from leitstand.db.engine import transaction
from leitstand.db.exclusive import check_held, exclusive
from leitstand.db.migrate import current
from leitstand.db.models import Backup
from leitstand.db.models.base import new_id
from leitstand.errors import InvalidInput, LeitstandError
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.telemetry.logs import get_logger
from leitstand.words import msg

__all__ = ["run_backup", "verify_backup"]

FORMAT = 1
JSON = "application/json"
POSTGRES = "postgres"
NAMES = {"objects": objects.ENGINE, "secrets": secret_files.ENGINE, "dump": dumps.ENGINE}

log = get_logger("backups")


def run_backup(
    engine: Engine,
    settings: Settings,
    kind: str,
    *,
    level: str = "",
    source: Engine | None = None,
    progress: Progress | None = None,
) -> Backup:
    """Take one backup of `kind` (postgres, objects, secrets or dump) and give its row of the catalogue.

    What a killed backup left behind is marked failed and removed first.

    Args:
        engine: the database that has the catalogue.
        level: of PostgreSQL: full, incremental or differential; empty: as `levels.choose` decides.
        source: the server that is backed up, where the catalogue is not in it.
        progress: told now and then, in words, how far it is.

    Raises:
        InvalidInput: there is no such kind, or no such level of it.
        Conflict: a backup of this kind is running.
        LeitstandError: it failed; its row says why.
    """
    if kind not in KINDS:
        raise InvalidInput(
            msg("There is no backup of {kind!r}.", kind=kind),
            hint=msg("Kinds: {names}.", names=", ".join(KINDS)),
        )
    if level and (kind != POSTGRES or level not in LEVELS):
        raise InvalidInput(
            msg("There is no {level} backup of {kind}.", level=level, kind=kind),
            hint=msg("Of PostgreSQL: {names}.", names=", ".join(LEVELS)),
        )
    storage = ObjectStorage(settings)
    storage.ensure_buckets()
    name = msg("backup of {kind}", kind=kind)
    with exclusive(engine, name) as lock:
        tidying.tidy(engine, settings, storage, kind)
        job = _begin(engine, settings, storage, kind, lock, source or engine, level)
        job.progress = progress
        try:
            with named_when_full(job.folder.parent), _own_folder(job.folder):
                outcome = TAKE[kind](job)
            check_held(lock, name)
            return _complete(job, kind, outcome)
        except BaseException as error:
            _fail(engine, job.backup_id, error)
            raise


def _begin(
    engine: Engine,
    settings: Settings,
    storage: ObjectStorage,
    kind: str,
    lock: Connection,
    source: Engine,
    level: str,
) -> Job:
    recipients = keys.ensure_keys(settings).recipients
    backup_id, taken_by = new_id(), recorded_engine(settings, kind)
    prefix = prefix_of(source, kind, backup_id)
    with transaction(engine) as session:
        before = newest_complete(session, kind)
        chosen = _level(session, taken_by, level) if kind == POSTGRES else Choice("", "")
        session.add(
            Backup(
                id=backup_id,
                kind=kind,
                engine=taken_by,
                parent_id=UUID(str(chosen.chain[-1]["id"])) if chosen.chain else None,
                location=f"s3://{settings.bucket_backups}/{prefix}",
                application_version=__version__,
            )
        )
    log.info("backup started", backup=str(backup_id), kind=kind, level=chosen.level, reason=chosen.reason)
    return Job(
        engine,
        settings,
        storage,
        lock,
        source,
        backup_id,
        prefix,
        tidying.work_folder(settings) / f"{kind}-{backup_id}",
        recipients,
        before.manifest if before else {},
        chosen.level,
        chosen.reason,
        chosen.chain,
    )


def recorded_engine(settings: Settings, kind: str) -> str:
    """What the catalogue says of who takes a backup of this kind."""
    return chosen_engine(settings).recorded if kind == POSTGRES else NAMES[kind]


def _level(session: Session, taken_by: str, asked: str) -> Choice:
    rows = session.scalars(select(Backup).where(Backup.kind == POSTGRES, Backup.status == COMPLETE))
    taken = [
        Taken(
            {**row.manifest, "id": str(row.id), "engine": row.engine},
            row.finished_at or row.started_at,
            (row.manifest.get("verification") or {}).get("ok") is not False,
            row.bytes,
        )
        for row in rows
    ]
    return choose(taken, datetime.now(UTC), engine=taken_by, asked=asked)


def prefix_of(source: Engine, kind: str, backup_id: UUID) -> str:
    """Where a backup lies; it ends with its id, so that nothing else is ever under it."""
    if kind != POSTGRES:
        return f"{kind}/{backup_id}/"
    with source.connect() as connection:
        return f"postgres/{fingerprint.server(connection)['system_identifier']}/base/{backup_id}/"


def _take_postgres(job: Job) -> Outcome:
    """The chosen engine's backup, with what a restored database is compared with: what it held before."""
    with job.engine.begin() as connection:
        counted_at = connection.scalar(text("SELECT clock_timestamp()"))
        counts = fingerprint.counts(connection)
    engine = chosen_engine(job.settings)
    engine.tidy(job)
    outcome = engine.take(job)
    compared = {
        "counts": counts,
        "counted_at": counted_at.isoformat(),
        "schema_revision": current(job.engine),
    }
    return Outcome({**compared, **outcome.manifest}, outcome.bytes)


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
        "engine": recorded_engine(job.settings, kind),
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
        "level": backup.level,
        "level_reason": backup.manifest.get("level_reason", ""),
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


TAKE: dict[str, Callable[[Job], Outcome]] = {
    POSTGRES: _take_postgres,
    "objects": objects.take,
    "secrets": secret_files.take,
    "dump": dumps.take,
}
