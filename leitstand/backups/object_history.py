"""Which objects there were at an instant: the inventory in force then, and what the bucket itself still knows of later.

Copies are made hourly; the versions that the bucket keeps tell what happened between the inventory and the instant.
Where the bucket, or a version of it, is gone, the copies are enough for the state of the inventory.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from leitstand.backups import entries as catalogue
from leitstand.backups.catalogue import COMPLETE
from leitstand.backups.inventory import Entry, read_inventory
from leitstand.backups.places import Copies, Place, copies_for, copies_of, own_copies
from leitstand.errors import InvalidInput, LeitstandError, NotFound
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.storage.types import ObjectInfo
from leitstand.words import msg

KIND = "objects"
# A listing's clock is that of this machine and versions have that of the store, often in whole seconds.
CLOCKS_DIFFER = timedelta(seconds=2)


@dataclass(frozen=True)
class Wanted:
    """One object as it was at the instant.

    Args:
        sha256: of its content; empty for a version of the bucket that no backup has read.
        copied: a copy of this content is in an inventory; else only the bucket's own version has it.
    """

    key: str
    version: str
    bytes: int
    sha256: str
    content_type: str
    metadata: dict[str, str]
    copied: bool


@dataclass(frozen=True)
class State:
    """The objects of one place at an instant, by key.

    Args:
        manifest: of the backup whose inventory was in force.
        listed_at: when that inventory was complete.
        versions: what the bucket knows, newest first, by key; None where the bucket is gone.
    """

    at: datetime
    manifest: dict[str, Any]
    listed_at: datetime
    copies: Copies
    objects: dict[str, Wanted]
    versions: dict[str, list[ObjectInfo]] | None

    def current(self, key: str) -> ObjectInfo | None:
        """The version of a key that is there now; None where it is deleted or gone."""
        history = (self.versions or {}).get(key, [])
        return next((info for info in history if info.latest and not info.deleted), None)

    def has(self, wanted: Wanted) -> bool:
        """Whether the bucket still has this version."""
        return any(info.version == wanted.version for info in (self.versions or {}).get(wanted.key, []))


def inventory_at(settings: Settings, at: datetime) -> dict[str, Any]:
    """The manifest of the newest backup of objects whose listing was complete at `at`; needs no database.

    Raises:
        InvalidInput: `at` lies in the future.
        NotFound: no backup is as old; the hint names the oldest.
    """
    if at > datetime.now(UTC):
        raise InvalidInput(
            "The instant to restore to lies in the future.", hint="Give one that has been, with its offset."
        )
    catalogued = _catalogued(settings)
    for backup_id in sorted(catalogued, reverse=True):
        if _made_at(backup_id) > at:
            continue
        entry = catalogued[backup_id]()
        if entry["status"] == COMPLETE and listed_until(entry) <= at:
            return entry
    raise NotFound(
        msg("No copy of the objects is as old as {at}.", at=at.isoformat()),
        hint=msg("The oldest is of {at}.", at=listed_until(catalogued[min(catalogued)]()).isoformat())
        if catalogued
        else "There is none at all: `leitstand backup run objects` takes one.",
    )


def listed_until(manifest: dict[str, Any]) -> datetime:
    """When the listing of a backup's objects was complete."""
    return datetime.fromisoformat(manifest.get("listed_until") or manifest["finished_at"])


def listed_from(manifest: dict[str, Any]) -> datetime:
    """When the listing of a backup's objects began: what was there by then is in it."""
    return datetime.fromisoformat(manifest.get("listed_from") or manifest["finished_at"])


def _made_at(backup_id: UUID) -> datetime:
    """The instant in a UUIDv7."""
    return datetime.fromtimestamp((backup_id.int >> 80) / 1000, UTC)


def _catalogued(settings: Settings) -> dict[UUID, Callable[[], dict[str, Any]]]:
    """How to read the manifest of each backup of objects that a store knows; one of two stores may be down."""
    places, failed = [copies_of(settings)], list[LeitstandError]()
    found: dict[UUID, Callable[[], dict[str, Any]]] = {}
    if places[0].elsewhere:
        places.append(own_copies(settings))
    for place in places:
        try:
            ids = catalogue.ids(place.storage, place.bucket, KIND)
        except LeitstandError as error:
            failed.append(error)
            continue
        for backup_id in ids:
            found.setdefault(UUID(backup_id), _reader(place, backup_id))
    if len(failed) == len(places):
        raise failed[0]
    return found


def _reader(place: Copies, backup_id: str) -> Callable[[], dict[str, Any]]:
    return lambda: catalogue.read(place.storage, place.bucket, KIND, backup_id)


def state_at(
    settings: Settings,
    place: Place,
    at: datetime,
    *,
    wanted: Callable[[str], bool],
    prefix: str = "",
    copies_only: bool = False,
) -> State:
    """The objects of a place at `at`, to the second.

    Args:
        wanted: which keys are looked at; prefix: with which they all begin.
        copies_only: take the bucket for gone.

    Raises:
        NotFound: no backup covers `at`; IntegrityFailed: its inventory was changed.
    """
    manifest = inventory_at(settings, at)
    copies = copies_for(settings, manifest)
    entries = {
        entry.key: entry
        for entry in read_inventory(copies, settings, manifest)
        if entry.role == place.role and wanted(entry.key)
    }
    storage, bucket = ObjectStorage(settings), place.bucket(settings)
    versions = None if copies_only else _versions(storage, bucket, prefix, wanted)
    since = listed_from(manifest) - CLOCKS_DIFFER
    objects = {key: _of_entry(entry) for key, entry in entries.items()}
    for key, history in (versions or {}).items():
        event = next((info for info in history if info.modified <= at), None)
        entry = entries.get(key)
        if event is None or event.modified < since or (entry and entry.written_at > event.modified):
            continue
        if event.deleted:
            objects.pop(key, None)
        elif entry is None or entry.version != event.version:
            objects[key] = _of_version(storage, bucket, event)
    return State(at, manifest, listed_until(manifest), copies, objects, versions)


def _versions(
    storage: ObjectStorage, bucket: str, prefix: str, wanted: Callable[[str], bool]
) -> dict[str, list[ObjectInfo]] | None:
    found: dict[str, list[ObjectInfo]] = {}
    try:
        for info in storage.list_history(bucket, prefix):
            if wanted(info.key):
                found.setdefault(info.key, []).append(info)
    except NotFound:
        return None
    for history in found.values():
        history.sort(key=lambda info: (info.latest, info.modified), reverse=True)
    return found


def _of_entry(entry: Entry) -> Wanted:
    return Wanted(
        entry.key, entry.version, entry.bytes, entry.sha256, entry.content_type, entry.metadata, True
    )


def _of_version(storage: ObjectStorage, bucket: str, info: ObjectInfo) -> Wanted:
    head = storage.head(bucket, info.key, version=info.version)
    return Wanted(info.key, info.version, head.bytes, head.sha256, head.content_type, head.metadata, False)
