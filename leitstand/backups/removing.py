"""Removes one backup so that a kill at any step leaves nothing that is half there and still called usable.

The order: the row says `removing`; then the entry beside the backups; then the manifest goes, without which a backup
does not exist; then the rest; then the entry is replaced by one that says what was removed, and last the row. Each step
may be done again, so the next run of retention finishes what a killed one began.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from leitstand.backups import entries, pins
from leitstand.backups.catalogue import COMPLETE, MISSING, REMOVED, REMOVING, RUNNING
from leitstand.backups.places import Copies
from leitstand.backups.reconciling import is_stored
from leitstand.db.engine import transaction
from leitstand.db.exclusive import exclusive
from leitstand.db.models import Backup
from leitstand.errors import Conflict
from leitstand.storage.objects import ObjectStorage
from leitstand.storage.removal import HELD_FOR_GOOD, everything, is_versioned, newest_lock, remove_version
from leitstand.telemetry.logs import get_logger
from leitstand.words import msg

MANIFEST, OBJECTS = "manifest.json", "objects"

log = get_logger("backups")


@dataclass(frozen=True)
class Removal:
    """What became of one backup that was to go.

    Args:
        left: why it is still there, in words; empty when it was removed.
        in_use: a restore uses it, so that the log since then stays as well.
        bytes: what was freed.
    """

    id: str
    left: str = ""
    in_use: bool = False
    bytes: int = 0

    def to_dict(self) -> dict[str, object]:
        """JSON values."""
        return {"id": self.id, "left": self.left, "in_use": self.in_use, "bytes": self.bytes}


def remove_backup(
    engine: Engine,
    storage: ObjectStorage,
    bucket: str,
    backup_id: UUID | str,
    *,
    kind: str,
    reason: str,
    copies: Copies | None = None,
    outside: Callable[[Backup], int] | None = None,
) -> Removal:
    """Remove a backup, or go on with its removal.

    Args:
        copies: the second store, which has an entry and the inventory of every copy of objects; None: there is none.
        outside: removes what the engine that took it keeps outside of its prefix, and gives the bytes; may be repeated.

    Raises:
        Unavailable, PreconditionFailed, NotFound: as the store says; the next call goes on.
    """
    name = str(backup_id)
    try:
        with exclusive(engine, msg("backup of {kind}", kind=kind)):
            left = _begin(engine, storage, bucket, UUID(name), reason)
    except Conflict as error:
        return Removal(name, left=error.message)
    if left:
        return Removal(name, left=left)
    if name in pins.used(storage, bucket, datetime.now(UTC)) and _give_back(engine, storage, bucket, name):
        return Removal(name, left="a restore uses it", in_use=True)
    with transaction(engine) as session:
        backup = session.get_one(Backup, UUID(name))
    freed = _delete_objects(storage, backup, outside)
    if copies and copies.elsewhere and kind == OBJECTS:
        freed += _delete_elsewhere(copies, backup)
    entries.bury(storage, bucket, backup, datetime.now(UTC))
    with transaction(engine) as session:
        row = session.get_one(Backup, UUID(name))
        row.status, row.removed_at = REMOVED, datetime.now(UTC)
    log.info("backup removed", backup=name, kind=kind, reason=reason, bytes=freed)
    return Removal(name, bytes=freed)


def _begin(engine: Engine, storage: ObjectStorage, bucket: str, backup_id: UUID, reason: str) -> str:
    """Mark it in both catalogues; gives why it has to stay instead, empty when it goes."""
    with transaction(engine) as session:
        backup = session.get_one(Backup, backup_id, with_for_update=True)
        begun = backup.status == REMOVING
        left = _needed(session, backup, bucket, begun=begun) or _locked(storage, backup, begun=begun)
        if left:
            return left
        if not begun:
            backup.status, backup.reason = REMOVING, reason
    entries.store(storage, bucket, backup)
    return ""


def _needed(session: Session, backup: Backup, bucket: str, *, begun: bool) -> str:
    """What a plan can't know: what changed since it was made."""
    if not entries.is_ours(backup.location, backup.kind, backup.id, bucket):
        return "it does not lie under our prefix"
    if begun:
        return ""
    if backup.status != COMPLETE:
        return f"it is {backup.status}"
    if backup.kept:
        return "marked as kept"
    children = select(Backup.id).where(
        Backup.parent_id == backup.id, Backup.status.in_((RUNNING, COMPLETE, MISSING, REMOVING))
    )
    child = session.scalar(children.limit(1))
    return f"{child} is an increment of it" if child else ""


def _locked(storage: ObjectStorage, backup: Backup, *, begun: bool) -> str:
    """One object that the store keeps is enough to leave the whole backup as it is."""
    bucket, prefix = entries.place_of(backup)
    until = None if begun else newest_lock(storage, bucket, prefix)
    return "" if until is None else locked_words(until)


def locked_words(until: datetime) -> str:
    """Why something stays, in words."""
    return (
        "the store holds it (legal hold)"
        if until == HELD_FOR_GOOD
        else f"the store keeps it until {until:%Y-%m-%d %H:%M} UTC (object lock)"
    )


def _give_back(engine: Engine, storage: ObjectStorage, bucket: str, backup_id: str) -> bool:
    """Call it complete again, as long as nothing of it is gone."""
    with transaction(engine) as session:
        backup = session.get_one(Backup, UUID(backup_id))
        if not is_stored(storage, backup):
            return False
        backup.status, backup.reason = COMPLETE, ""
    entries.store(storage, bucket, backup)
    return True


def _delete_objects(storage: ObjectStorage, backup: Backup, outside: Callable[[Backup], int] | None) -> int:
    """The manifest first, every version of it; then the rest. Gives the bytes."""
    bucket, prefix = entries.place_of(backup)
    freed = _delete(storage, bucket, f"{prefix}{MANIFEST}")
    freed += outside(backup) if outside else 0
    return freed + _delete(storage, bucket, prefix)


def _delete_elsewhere(copies: Copies, backup: Backup) -> int:
    """The entry first, by which a restore would choose it, then the inventory; the copies themselves stay. Gives the bytes."""
    _, prefix = entries.place_of(backup)
    entries.take_away(copies.storage, copies.bucket, backup)
    return _delete(copies.storage, copies.bucket, prefix)


def _delete(storage: ObjectStorage, bucket: str, prefix: str) -> int:
    freed = 0
    for info in list(everything(storage, bucket, prefix, versioned=is_versioned(storage, bucket))):
        remove_version(storage, bucket, info)
        freed += info.bytes
    return freed
