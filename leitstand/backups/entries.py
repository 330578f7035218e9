"""The catalogue beside the backups in object storage: what is left of it when the database is gone.

`catalogue/<kind>/<id>.json` is a backup that is there, with its manifest and what was found out about it since;
`catalogue/removed/<kind>/<id>.json` says of one that retention removed when and why. Nothing is only there: the
database has the same, and `reconciling` brings both together.
"""

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from leitstand.backups.catalogue import COMPLETE
from leitstand.db.models import Backup
from leitstand.errors import NotFound
from leitstand.storage.objects import ObjectStorage

CATALOGUE = "catalogue/"
REMOVED_ONES = "catalogue/removed/"
JSON = "application/json"
STATE = "state"
# What an entry has besides the manifest of its backup.
ROW_ONLY = ("status", "started_at", "location", "sha256", "verified_at", "kept", "reason")
Document = dict[str, Any]


def place_of(backup: Backup) -> tuple[str, str]:
    """Bucket and prefix of a backup."""
    address = urlsplit(backup.location)
    return address.netloc, address.path.lstrip("/")


def is_ours(location: str, kind: str, backup_id: object, bucket: str) -> bool:
    """Whether an address is a folder of our bucket that bears the backup's kind and id: nothing else is ever deleted."""
    address = urlsplit(location)
    path = address.path.lstrip("/")
    return address.netloc == bucket and path.startswith(f"{kind}/") and path.endswith(f"/{backup_id}/")


def document(backup: Backup) -> Document:
    """A backup as its entry beside the backups has it: its manifest, and the row's own values over it."""
    # A row whose parent the database does not know has none; the manifest does.
    parent = backup.parent_id or backup.manifest.get("parent_id")
    return {
        **backup.manifest,
        "id": str(backup.id),
        "kind": backup.kind,
        "engine": backup.engine,
        "status": backup.status,
        "parent_id": str(parent) if parent else None,
        "started_at": _iso(backup.started_at),
        "finished_at": _iso(backup.finished_at),
        "location": backup.location,
        "stored_bytes": backup.bytes,
        "sha256": backup.sha256,
        "verified_at": _iso(backup.verified_at),
        "kept": backup.kept,
        "reason": backup.reason,
    }


def state_of(backup: Backup) -> str:
    """Hash of what can change about a backup; kept with its entry, so that a stale one is told without reading it."""
    changing = [
        backup.status, backup.kept, _iso(backup.verified_at), backup.sha256, backup.reason,
        backup.manifest.get("verification"),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(changing, sort_keys=True).encode()).hexdigest()


def store(storage: ObjectStorage, bucket: str, backup: Backup) -> None:
    """Keep the entry where a machine without our database finds it."""
    body = json.dumps(document(backup)).encode()
    key = _key(backup.kind, backup.id)
    storage.put_bytes(bucket, key, body, JSON, metadata={STATE: state_of(backup)})


def stored_state(storage: ObjectStorage, bucket: str, backup: Backup) -> str | None:
    """The hash that the stored entry was written with; None where there is no entry."""
    try:
        return storage.head(bucket, _key(backup.kind, backup.id)).metadata.get(STATE, "")
    except NotFound:
        return None


def read(storage: ObjectStorage, bucket: str, kind: str, backup_id: UUID | str) -> Document:
    """One entry.

    Raises:
        NotFound: there is none.
    """
    return _complete(json.loads(storage.get_bytes(bucket, _key(kind, backup_id))), bucket)


def ids(storage: ObjectStorage, bucket: str, kind: str) -> list[str]:
    """The backups of a kind that have an entry, oldest first."""
    return list(_names(storage, bucket, f"{CATALOGUE}{kind}/"))


def stored_entries(storage: ObjectStorage, bucket: str, kind: str) -> list[Document]:
    """The backups of a kind as the store knows them, newest first, those whose removal has begun among them."""
    return [read(storage, bucket, kind, one) for one in reversed(ids(storage, bucket, kind))]


def usable_entries(storage: ObjectStorage, bucket: str, kind: str) -> list[Document]:
    """The complete ones, newest first: what a restore may choose from."""
    return [entry for entry in stored_entries(storage, bucket, kind) if entry["status"] == COMPLETE]


def bury(storage: ObjectStorage, bucket: str, backup: Backup, at: datetime) -> None:
    """Say for good that a backup was removed, then take away its entry."""
    removed = {**document(backup), "status": "removed", "removed_at": at.isoformat()}
    brief = {
        name: value for name, value in removed.items() if name not in ("parts", "counts", "verification")
    }
    storage.put_bytes(bucket, _buried_key(backup.kind, backup.id), json.dumps(brief).encode(), JSON)
    take_away(storage, bucket, backup)


def take_away(storage: ObjectStorage, bucket: str, backup: Backup) -> None:
    """Remove the entry of a backup, which no restore finds then."""
    storage.delete(bucket, _key(backup.kind, backup.id))


def buried_ids(storage: ObjectStorage, bucket: str, kind: str) -> set[str]:
    """The backups of a kind that retention has removed."""
    return set(_names(storage, bucket, f"{REMOVED_ONES}{kind}/"))


def buried(storage: ObjectStorage, bucket: str, kind: str, backup_id: UUID | str) -> Document:
    """What is known of a removed one.

    Raises:
        NotFound: it was not removed.
    """
    found: Document = json.loads(storage.get_bytes(bucket, _buried_key(kind, backup_id)))
    return found


def _names(storage: ObjectStorage, bucket: str, prefix: str) -> Iterator[str]:
    return (PurePosixPath(info.key).stem for info in storage.list(bucket, prefix))


def _key(kind: str, backup_id: UUID | str) -> str:
    return f"{CATALOGUE}{kind}/{backup_id}.json"


def _buried_key(kind: str, backup_id: UUID | str) -> str:
    return f"{REMOVED_ONES}{kind}/{backup_id}.json"


def _complete(entry: Document, bucket: str) -> Document:
    """Entries of 0.1 are the manifest alone."""
    kind, identifier = entry["kind"], entry["id"]
    folder = f"postgres/{entry['system_identifier']}/base" if kind == "postgres" else kind
    defaults = {
        "status": COMPLETE,
        "parent_id": None,
        "started_at": entry["finished_at"],
        "location": f"s3://{bucket}/{folder}/{identifier}/",
        "sha256": "",
        "verified_at": None,
        "kept": False,
        "reason": "",
    }
    return {**defaults, **entry}


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
