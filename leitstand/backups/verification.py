"""Is a backup still what was stored? Every hash, the decryption, and PostgreSQL's own pg_verifybackup.

It proves less than a drill, which starts what was restored: only a drill sets `verified_at`.
"""

import hashlib
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine

from leitstand.backups import dumps, keys, secret_files
from leitstand.backups.archived_log import missing_log
from leitstand.backups.catalogue import COMPLETE, get_backup
from leitstand.backups.engines.chain import chain_of
from leitstand.backups.engines.registry import engine_of
from leitstand.backups.entries import document, place_of, store
from leitstand.backups.full_disk import named_when_full
from leitstand.backups.inventory import open_copy, read_inventory
from leitstand.backups.parts import Part, PartsReader
from leitstand.backups.pins import in_use
from leitstand.backups.places import copies_for
from leitstand.backups.pruning import log_stays_since
from leitstand.backups.sealing import unseal
from leitstand.backups.work import Progress
from leitstand.db.engine import transaction
from leitstand.db.models import Backup
from leitstand.errors import Conflict, IntegrityFailed, LeitstandError, NotFound
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.words import N_, msg

SECRETS_LIMIT = 64 * 1024 * 1024
Finding = dict[str, Any]


def verify_backup(
    engine: Engine, settings: Settings, backup_id: UUID | str, *, progress: Progress | None = None
) -> Backup:
    """Check one complete backup, and keep what was found in its manifest under `verification`.

    Raises:
        NotFound, Conflict: there is none, or it never was complete.
        IntegrityFailed: it is not what was stored; the finding is kept as well.
    """
    with transaction(engine) as session:
        backup = get_backup(session, backup_id)
        with_log = log_stays_since(session, settings, backup)
    if backup.status != COMPLETE:
        raise Conflict(
            msg("Backup {id} is {status}, not complete.", id=backup.id, status=backup.status),
            hint=backup.error or N_("Wait until it has ended."),
        )
    findings: list[Finding] = []
    storage, say = ObjectStorage(settings), progress or (lambda _: None)
    try:
        with in_use(storage, settings.bucket_backups, backup.kind, str(backup.id), say=say, afterwards=False):
            findings = CHECKS[backup.kind](storage, settings, backup, say, with_log)
    except (IntegrityFailed, NotFound) as error:
        _record(engine, settings, backup.id, findings, error.message)
        raise IntegrityFailed(
            msg("Backup {id} is not intact: {message}", id=backup.id, message=error.message),
            hint="Take a new one: `leitstand backup run`.",
        ) from error
    return _record(engine, settings, backup.id, findings, "")


def _record(
    engine: Engine, settings: Settings, backup_id: UUID, findings: list[Finding], error: str
) -> Backup:
    with transaction(engine) as session:
        backup = session.get_one(Backup, backup_id)
        verdict = {"at": datetime.now(UTC).isoformat(), "ok": not error, "findings": findings, "error": error}
        backup.manifest = {**backup.manifest, "verification": verdict}
    with suppress(LeitstandError):  # the next backup of the kind brings both catalogues together
        store(ObjectStorage(settings), settings.bucket_backups, backup)
    return backup


def _postgres(
    storage: ObjectStorage, settings: Settings, backup: Backup, progress: Progress, with_log: bool
) -> list[Finding]:
    """Everything that a restore would unpack, increments included, as the engine itself checks it; then the log."""
    bucket, _ = place_of(backup)
    manifest = document(backup)
    chain = chain_of(storage, bucket, manifest)
    target = settings.data_dir / "scratch" / f"verify-{backup.id}"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True, mode=0o700)
    try:
        with named_when_full(target.parent):
            found = engine_of(manifest).check(settings, chain, target, progress)
    finally:
        shutil.rmtree(target, ignore_errors=True)
    gap = missing_log(storage, bucket, manifest, own_only=not with_log)
    if gap:
        raise IntegrityFailed(msg("The archived log lacks {gap}: nothing after it can be restored.", gap=gap))
    builds_on = [_finding("builds on", ", ".join(str(one["id"]) for one in chain[:-1]))] if chain[1:] else []
    return [
        *builds_on,
        *(_finding(name, value) for name, value in found.items()),
        _finding("archived log", "without a gap"),
    ]


def _objects(
    storage: ObjectStorage, settings: Settings, backup: Backup, progress: Progress, _: bool
) -> list[Finding]:
    """Decrypt every copy and compare its hash."""
    copies, identities = copies_for(settings, backup.manifest), keys.identities(settings)
    entries = read_inventory(copies, settings, backup.manifest)
    for number, entry in enumerate(entries, 1):
        if open_copy(copies, entry, identities=identities) != (entry.bytes, entry.sha256):
            raise IntegrityFailed(msg("The copy of {key} is not what was copied.", key=entry.key))
        progress(f"{number} of {len(entries)} objects")
    return [
        _finding("objects", len(entries)),
        _finding("content bytes", sum(entry.bytes for entry in entries)),
    ]


def _secrets(
    storage: ObjectStorage, settings: Settings, backup: Backup, progress: Progress, _: bool
) -> list[Finding]:
    """Decrypt it, and compare the names with its inventory."""
    bucket = place_of(backup)[0]
    progress("decrypting")
    with PartsReader(storage, bucket, [Part.of(entry) for entry in backup.manifest["parts"]]) as stream:
        body = unseal(stream.read(), keys.identities(settings), most=SECRETS_LIMIT)
    digest = hashlib.sha256(body).hexdigest()
    names = sorted(name for name in secret_files.unpacked(body) if name.startswith("secrets/"))
    if digest != backup.manifest["content"]["sha256"] or names != backup.manifest["inventory"]:
        raise IntegrityFailed("The secrets are not those of the inventory.")
    return [_finding("secrets", len(names))]


def _dump(
    storage: ObjectStorage, settings: Settings, backup: Backup, progress: Progress, _: bool
) -> list[Finding]:
    """Have pg_restore read all of it."""
    found = dumps.check(settings, document(backup), progress)
    return [_finding(name, value) for name, value in found.items()]


def _finding(name: str, value: object) -> Finding:
    return {"check": name, "found": value}


Check = Callable[[ObjectStorage, Settings, Backup, Progress, bool], list[Finding]]
CHECKS: dict[str, Check] = {
    "postgres": _postgres,
    "objects": _objects,
    "secrets": _secrets,
    "dump": _dump,
}
