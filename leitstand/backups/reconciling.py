"""Brings the catalogue of the database and the one beside the backups together; runs under the lock of its kind.

After a restore the database is older than the store: it lacks backups, calls one running that was completed, and
knows nothing of what was kept, proven or removed since. So what the store has is taken up, a removal counts for good,
a mark counts when either side has it, and the newer proof wins. What the store no longer has is said to be missing.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from leitstand.backups import entries
from leitstand.backups.catalogue import COMPLETE, FAILED, MISSING, REMOVED, REMOVING, RUNNING
from leitstand.db.engine import transaction
from leitstand.db.models import Backup
from leitstand.errors import NotFound
from leitstand.storage.objects import ObjectStorage
from leitstand.telemetry.logs import get_logger
from leitstand.words import N_

GONE = "It is gone from the object store."
KILLED = N_("The process that took it ended before it was complete.")

log = get_logger("backups")


@dataclass
class Reconciled:
    """How many backups of a kind were taken up from the store, found missing, found again, known as removed, or written anew."""

    taken_up: int = 0
    missing: int = 0
    found_again: int = 0
    removed: int = 0
    rewritten: int = 0

    def to_dict(self) -> dict[str, int]:
        """JSON values."""
        return asdict(self)


def reconcile(
    engine: Engine, storage: ObjectStorage, bucket: str, kind: str, *, newest: int | None = None
) -> Reconciled:
    """Bring both catalogues of a kind together; the caller holds the lock `backup of <kind>`.

    Args:
        newest: look into this many of the newest rows only; what the store alone knows is always taken up.

    Raises:
        NotFound: there is no such bucket; nothing is changed then.
    """
    live, buried = entries.ids(storage, bucket, kind), entries.buried_ids(storage, bucket, kind)
    work = _Reconciling(storage, bucket, kind, Reconciled())
    with transaction(engine) as session:
        known = {str(one) for one in session.scalars(select(Backup.id).where(Backup.kind == kind))}
        work.take_up(session, [one for one in live if one not in known])
        query = select(Backup).where(Backup.kind == kind).order_by(Backup.started_at.desc(), Backup.id.desc())
        for backup in session.scalars(query.limit(newest)).all():
            work.compare(backup, str(backup.id) in buried)
    if any(work.done.to_dict().values()):
        log.info("catalogues reconciled", kind=kind, **work.done.to_dict())
    return work.done


@dataclass
class _Reconciling:
    storage: ObjectStorage
    bucket: str
    kind: str
    done: Reconciled

    def take_up(self, session: Session, unknown: Iterable[str]) -> None:
        """Rows for backups that the database does not know, parents first, because ids are ordered by time."""
        for one in unknown:
            backup = row_of(entries.read(self.storage, self.bucket, self.kind, one))
            if backup.parent_id and session.get(Backup, backup.parent_id) is None:
                backup.parent_id = None  # the manifest still names it
            session.add(backup)
            session.flush()
            self.done.taken_up += 1

    def compare(self, backup: Backup, is_buried: bool) -> None:
        """One row with what the store has of it."""
        if is_buried and backup.status not in (REMOVED, FAILED):
            self._removed(backup)
        elif backup.status == RUNNING:
            self._ended(backup)
        elif backup.status in (COMPLETE, MISSING):
            self._there_or_not(backup)

    def _removed(self, backup: Backup) -> None:
        told = entries.buried(self.storage, self.bucket, self.kind, backup.id)
        backup.status, backup.reason = REMOVED, str(told.get("reason", ""))
        backup.removed_at = datetime.fromisoformat(told["removed_at"])
        entries.take_away(self.storage, self.bucket, backup)
        self.done.removed += 1

    def _ended(self, backup: Backup) -> None:
        """Its process is gone; a manifest, which is stored last, says that it was complete all the same.

        Also so after a restore to an instant at which it was being taken: what it stored must not be cleared away.
        """
        found = stored_manifest(self.storage, backup)
        if found is None:
            log.error("backup marked failed", backup=str(backup.id), kind=self.kind, reason=KILLED)
            backup.status, backup.error, backup.finished_at = FAILED, KILLED, datetime.now(UTC)
            return
        manifest, sha256 = found
        fill(backup, manifest, sha256)
        entries.store(self.storage, self.bucket, backup)
        self.done.taken_up += 1

    def _there_or_not(self, backup: Backup) -> None:
        there = is_stored(self.storage, backup)
        if there and backup.status == MISSING:
            backup.status, backup.error = COMPLETE, ""
            self.done.found_again += 1
        elif not there and backup.status == COMPLETE:
            log.error("backup is missing", backup=str(backup.id), kind=self.kind)
            backup.status, backup.error = MISSING, GONE
            self.done.missing += 1
        if there:
            self._same_entry(backup)

    def _same_entry(self, backup: Backup) -> None:
        """The stored entry says what the row says, after each has learnt from the other."""
        state = entries.stored_state(self.storage, self.bucket, backup)
        if state == entries.state_of(backup):
            return
        if state is not None:
            learn(backup, entries.read(self.storage, self.bucket, self.kind, backup.id))
        entries.store(self.storage, self.bucket, backup)
        self.done.rewritten += 1


def learn(backup: Backup, entry: dict[str, Any]) -> None:
    """Take over from the stored entry what the row may have lost with a restore."""
    if entry["status"] == REMOVING:
        backup.status, backup.reason = REMOVING, str(entry["reason"])
    backup.kept = backup.kept or bool(entry["kept"])
    proofs = [at for at in (backup.verified_at, _instant(entry["verified_at"])) if at is not None]
    backup.verified_at = max(proofs, default=None)
    ours, theirs = backup.manifest.get("verification") or {}, entry.get("verification") or {}
    if str(theirs.get("at", "")) > str(ours.get("at", "")):
        backup.manifest = {**backup.manifest, "verification": theirs}


def row_of(entry: dict[str, Any]) -> Backup:
    """The row of a backup that only the store knows."""
    parent = entry["parent_id"]
    backup = Backup(
        id=UUID(entry["id"]),
        kind=entry["kind"],
        engine=entry["engine"],
        status=entry["status"],
        started_at=_instant(entry["started_at"]),
        location=entry["location"],
        parent_id=UUID(parent) if parent else None,
        kept=bool(entry["kept"]),
        verified_at=_instant(entry["verified_at"]),
        reason=entry["reason"],
        application_version=str(entry.get("application_version", "")),
    )
    manifest = {name: value for name, value in entry.items() if name not in entries.ROW_ONLY}
    fill(backup, manifest, entry["sha256"])
    backup.status = entry["status"]
    return backup


def fill(backup: Backup, manifest: dict[str, Any], sha256: str) -> None:
    """Make a row that of the complete backup which a manifest describes."""
    backup.status, backup.error = COMPLETE, ""
    backup.finished_at = datetime.fromisoformat(manifest["finished_at"])
    backup.manifest, backup.sha256, backup.bytes = manifest, sha256, int(manifest["stored_bytes"])
    if not manifest.get("parent_id"):
        backup.parent_id = None  # an increment was wanted, and a full one was taken
    backup.postgres_version = str(manifest.get("postgres_version", ""))
    backup.schema_revision = str(manifest.get("schema_revision", ""))


def stored_manifest(storage: ObjectStorage, backup: Backup) -> tuple[dict[str, Any], str] | None:
    """The manifest that lies with a backup's objects, and its hash; None where there is none."""
    bucket, prefix = entries.place_of(backup)
    try:
        with storage.open_stream(bucket, f"{prefix}manifest.json") as stream:
            body = stream.readall() or b""
            return json.loads(body), stream.sha256
    except NotFound:
        return None


def is_stored(storage: ObjectStorage, backup: Backup) -> bool:
    """Whether the manifest lies where it was put, unchanged: it is stored last and removed first."""
    bucket, prefix = entries.place_of(backup)
    try:
        found = storage.head(bucket, f"{prefix}manifest.json").sha256
    except NotFound:
        return False
    return not backup.sha256 or found == backup.sha256  # entries of 0.1 do not name the hash


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
