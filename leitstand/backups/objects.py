"""Copy of every bucket that matters: each object once, by its SHA-256, encrypted; what is there is not copied again.

Nothing is ever deleted, so that no fault of the source reaches the copies. A source that is empty or gone stops the
copy; one that lost most of its objects is copied, because older inventories stay, and the manifest warns.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leitstand.backups import keys
from leitstand.backups.copy_journal import Journal
from leitstand.backups.inventory import DATA, Entry, data_key, read_inventory
from leitstand.backups.places import COPIED, Copies, Place, copies_for, copies_of
from leitstand.backups.sealing import seal
from leitstand.backups.tidying import UPLOADS_GIVEN_UP_AFTER
from leitstand.backups.work import Job, Outcome
from leitstand.errors import IntegrityFailed, NotFound, PreconditionFailed
from leitstand.storage.types import ObjectInfo, Stored
from leitstand.telemetry.logs import get_logger
from leitstand.words import msg

ENGINE = "manifest-copy"
SHRUNKEN_BELOW, COUNTED_FROM = 0.5, 20

log = get_logger("backups")


def take(job: Job) -> Outcome:
    """Copy what is new or changed, and store the inventory of everything.

    Raises:
        IntegrityFailed: a source is empty and the copy before was not, or an object differs from its own hash.
        NotFound: a bucket is gone.
    """
    copies = copies_of(job.settings)
    if copies.elsewhere:
        copies.storage.ensure_bucket(copies.bucket, versioned=False)
        copies.storage.abort_stale_uploads(copies.bucket, DATA, older_than=UPLOADS_GIVEN_UP_AFTER)
    listed_from = datetime.now(UTC)
    source = [(place, info) for place in COPIED for info in _current(job, place)]
    listed_until = datetime.now(UTC)
    before = _counts_before(job)
    _refuse_empty(job, before, Counter(place.role for place, _ in source))
    with Journal(job.settings, after=str(job.previous.get("id", ""))) as journal:
        copying = _Copying(job, copies, journal)
        entries = list(copying.entries(source))
    found = Counter(entry.role for entry in entries)
    _refuse_empty(job, before, found)
    listing = {"listed_from": listed_from.isoformat(), "listed_until": listed_until.isoformat()}
    warnings = [*_shrunken(before, found), *copying.warnings]
    for warning in warnings:
        log.warning("objects", backup=str(job.backup_id), warning=warning)
    return _finish(job, copies, entries, copying.stored, {**listing, "warnings": warnings})


def _current(job: Job, place: Place) -> Iterator[ObjectInfo]:
    infos = job.storage.list_versions(place.bucket(job.settings))
    return (info for info in infos if info.latest)


def _counts_before(job: Job) -> Counter[str]:
    """Objects of each place in the backup before."""
    places = job.previous.get("places", {})
    return Counter({role: int(place["objects"]) for role, place in places.items()})


def _refuse_empty(job: Job, before: Counter[str], now: Counter[str]) -> None:
    for place in COPIED:
        if before[place.role] and not now[place.role]:
            raise IntegrityFailed(
                msg(
                    "The bucket {bucket} is empty and its last backup has {before} objects.",
                    bucket=place.bucket(job.settings),
                    before=before[place.role],
                ),
                hint="Find out why before anything else (runbook rb020); the copies are untouched.",
            )


def _shrunken(before: Counter[str], now: Counter[str]) -> list[str]:
    return [
        f"{place.role} has {now[place.role]} objects and had {before[place.role]} in the backup before: were they deleted on purpose?"
        for place in COPIED
        if before[place.role] >= COUNTED_FROM and now[place.role] < before[place.role] * SHRUNKEN_BELOW
    ]


class _Copying:
    """One run over all objects: what is known from the backup before, or from one that was killed, is not read again."""

    def __init__(self, job: Job, copies: Copies, journal: Journal) -> None:
        self.job, self.copies, self.journal = job, copies, journal
        self.warnings: list[str] = []
        entries = [*self._before(), *journal.entries]
        self.known = {(entry.role, entry.key, entry.version): entry for entry in entries}
        self.present = {info.key for info in copies.storage.list(copies.bucket, DATA)}
        self.recipients = keys.parsed(job.recipients)
        self.stored = 0

    def _before(self) -> list[Entry]:
        """What the backup before knows; where its inventory can't be read, everything is read again."""
        previous = self.job.previous
        if not previous:
            return []
        try:
            return read_inventory(copies_for(self.job.settings, previous), self.job.settings, previous)
        except (IntegrityFailed, NotFound, PreconditionFailed) as error:
            self.warnings.append(f"the inventory of backup {previous['id']} can't be read: {error.message}")
            return []

    def entries(self, source: list[tuple[Place, ObjectInfo]]) -> Iterator[Entry]:
        """The entry of each object, copied where it is not."""
        for number, (place, info) in enumerate(source, 1):
            entry = self.known.get((place.role, info.key, info.version))
            if entry is None or data_key(entry.sha256) not in self.present:
                entry = self._copied(place, info)
            if entry is not None:
                yield entry
            self.job.report(f"{number} of {len(source)} objects looked at, {self.stored / 1e6:.1f} MB stored")

    def _copied(self, place: Place, info: ObjectInfo) -> Entry | None:
        """None where this version was removed for good since it was listed."""
        try:
            entry = self._copy(place, info)
        except NotFound:
            # A bucket that is gone raises here.
            remaining = self.job.storage.list_versions(place.bucket(self.job.settings), info.key)
            if any((left.key, left.version) == (info.key, info.version) for left in remaining):
                raise
            self.warnings.append(f"{place.role}: {info.key} was removed while the backup was taken")
            return None
        self.journal.add(entry)
        return entry

    def _copy(self, place: Place, info: ObjectInfo) -> Entry:
        """Copy one object unless its content is there under another name."""
        storage, bucket = self.job.storage, place.bucket(self.job.settings)
        plain, sealed = self.job.folder / "plain", self.job.folder / "sealed"
        head = storage.head(bucket, info.key, version=info.version)
        read = storage.download(bucket, info.key, plain, version=info.version)
        try:
            if data_key(read.sha256) not in self.present:
                self._store(plain, sealed, read)
        finally:
            plain.unlink(missing_ok=True)
            sealed.unlink(missing_ok=True)
        return Entry(
            info.key,
            info.version,
            read.bytes,
            read.sha256,
            place.role,
            info.modified.isoformat(),
            head.content_type,
            head.metadata,
        )

    def _store(self, plain: Path, sealed: Path, read: Stored) -> None:
        import pyrage

        pyrage.encrypt_file(str(plain), str(sealed), self.recipients)
        key, metadata = data_key(read.sha256), {"content-sha256": read.sha256}
        self.stored += self.copies.storage.put_file(self.copies.bucket, key, sealed, metadata=metadata).bytes
        self.present.add(key)


def _finish(job: Job, copies: Copies, entries: list[Entry], copied: int, more: dict[str, Any]) -> Outcome:
    """The inventory names customers' objects: it is encrypted as they are."""
    body = json.dumps([entry.to_dict() for entry in entries]).encode()
    inventory = seal(body, keys.parsed(job.recipients))
    stored = copies.storage.put_bytes(copies.bucket, f"{job.prefix}inventory.json.zst.age", inventory)
    manifest = {
        "elsewhere": copies.elsewhere,
        "places": {place.role: _summary(job, place, entries) for place in COPIED},
        "objects": len(entries),
        "content_bytes": sum(entry.bytes for entry in entries),
        "copied_bytes": copied,
        "inventory": {"key": stored.key, "bytes": stored.bytes, "sha256": stored.sha256},
        "inventory_content": {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()},
        **more,
    }
    return Outcome(manifest, copied + stored.bytes)


def _summary(job: Job, place: Place, entries: list[Entry]) -> dict[str, Any]:
    sizes = [entry.bytes for entry in entries if entry.role == place.role]
    return {"bucket": place.bucket(job.settings), "objects": len(sizes), "bytes": sum(sizes)}
