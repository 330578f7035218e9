"""Is a backup still what was stored? Every hash, the decryption, and PostgreSQL's own pg_verifybackup.

It proves less than a drill, which starts what was restored: only a drill sets `verified_at`.
"""

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Engine

from leitstand.backups import keys, secret_files, wal
from leitstand.backups.catalogue import COMPLETE, get_backup
from leitstand.backups.entries import place_of, store
from leitstand.backups.full_disk import named_when_full
from leitstand.backups.inventory import open_copy, read_inventory
from leitstand.backups.parts import Part, PartsReader
from leitstand.backups.pins import in_use
from leitstand.backups.places import copies_for
from leitstand.backups.pruning import log_stays_since
from leitstand.backups.sealing import unseal
from leitstand.backups.unpacking import unpack
from leitstand.backups.work import Progress
from leitstand.db.cluster import bin_dir
from leitstand.db.engine import transaction
from leitstand.db.models import Backup
from leitstand.errors import Conflict, IntegrityFailed, LeitstandError, NotFound
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage

OUTPUT_SHOWN = 400
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
            f"Backup {backup.id} is {backup.status}, not complete.",
            hint=backup.error or "Wait until it has ended.",
        )
    findings: list[Finding] = []
    storage, say = ObjectStorage(settings), progress or (lambda _: None)
    try:
        with in_use(storage, settings.bucket_backups, backup.kind, str(backup.id), say=say, afterwards=False):
            findings = CHECKS[backup.kind](storage, settings, backup, say, with_log)
    except (IntegrityFailed, NotFound) as error:
        _record(engine, settings, backup.id, findings, error.message)
        raise IntegrityFailed(
            f"Backup {backup.id} is not intact: {error.message}",
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
    """Unpack it beside the data and have pg_verifybackup compare every file with PostgreSQL's own manifest."""
    bucket, _ = place_of(backup)
    target = settings.data_dir / "scratch" / f"verify-{backup.id}"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True, mode=0o700)
    try:
        progress("unpacking")
        with named_when_full(target.parent):
            unpack(storage, bucket, backup.manifest, target, keys.identities(settings))
        progress("comparing every file with PostgreSQL's manifest")
        said = pg_verifybackup(target)
    finally:
        shutil.rmtree(target, ignore_errors=True)
    gap = missing_log(storage, bucket, backup.manifest, own_only=not with_log)
    if gap:
        raise IntegrityFailed(f"The archived log lacks {gap}: nothing after it can be restored.")
    return [
        _finding("parts", len(backup.manifest["parts"])),
        _finding("content bytes", backup.manifest["content"]["bytes"]),
        _finding("pg_verifybackup", said),
        _finding("archived log", "without a gap"),
    ]


def pg_verifybackup(folder: Path) -> str:
    """PostgreSQL's own check of an unpacked base backup, its log included.

    Raises:
        IntegrityFailed: it found something wrong.
    """
    done = subprocess.run(
        [str(bin_dir() / "pg_verifybackup"), str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise IntegrityFailed(f"pg_verifybackup: {done.stderr.strip()[-OUTPUT_SHOWN:]}")
    return done.stdout.strip()


def archived_segments(storage: ObjectStorage, bucket: str, system_id: str, timeline: int) -> list[str]:
    """Names of the archived segments of one timeline, in order."""
    infos = storage.list(bucket, f"{wal.prefix(system_id)}{timeline:08X}/")
    names = (Path(info.key).name.removesuffix(wal.SUFFIX) for info in infos)
    return sorted(name for name in names if wal.SEGMENT.fullmatch(name))


def missing_log(
    storage: ObjectStorage, bucket: str, manifest: dict[str, Any], *, own_only: bool = False
) -> str:
    """The first archived segment that is missing from the backup's start on; empty when none is, or nothing is archived.

    Args:
        own_only: look as far as the backup's own end; what came later, retention has removed.
    """
    names = archived_segments(storage, bucket, manifest["system_identifier"], int(manifest["timeline"]))
    start, size = str(manifest["start_segment"]), int(manifest["segment_bytes"])
    last = wal.segment_of(wal.lsn_number(manifest["stop_lsn"]), int(manifest["timeline"]), size)
    return wal.first_gap([name for name in names if name >= start and not (own_only and name > last)], size)


def _objects(
    storage: ObjectStorage, settings: Settings, backup: Backup, progress: Progress, _: bool
) -> list[Finding]:
    """Decrypt every copy and compare its hash."""
    copies, identities = copies_for(settings, backup.manifest), keys.identities(settings)
    entries = read_inventory(copies, settings, backup.manifest)
    for number, entry in enumerate(entries, 1):
        if open_copy(copies, entry, identities=identities) != (entry.bytes, entry.sha256):
            raise IntegrityFailed(f"The copy of {entry.key} is not what was copied.")
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


def _finding(name: str, value: object) -> Finding:
    return {"check": name, "found": value}


Check = Callable[[ObjectStorage, Settings, Backup, Progress, bool], list[Finding]]
CHECKS: dict[str, Check] = {
    "postgres": _postgres,
    "objects": _objects,
    "secrets": _secrets,
}
