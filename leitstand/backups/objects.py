"""Copy of the media bucket: every object once, by its SHA-256, encrypted; what is there already is not copied again.

Nothing is ever deleted, so that no fault of the source reaches the copies.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from leitstand.backups import keys
from leitstand.backups.inventory import DATA, data_key, read_inventory
from leitstand.backups.sealing import seal
from leitstand.backups.work import Job, Outcome
from leitstand.errors import IntegrityFailed
from leitstand.storage.types import ObjectInfo

ENGINE = "manifest-copy"


def take(job: Job) -> Outcome:
    """Copy what is new or changed, and store the inventory of everything.

    Raises:
        IntegrityFailed: the source is empty and the copy before was not, or an object differs from its own hash.
    """
    source = list(job.storage.list_versions(job.settings.bucket_media))
    current = [info for info in source if info.latest]
    _refuse_empty(job, len(current))
    known = _known(job)
    present = {info.key for info in job.storage.list(job.bucket, DATA)}
    entries, copied = [], 0
    for number, info in enumerate(current, 1):
        entry = known.get((info.key, info.version))
        if entry is None or data_key(entry["sha256"]) not in present:
            entry, stored = _copy(job, info, present)
            copied += stored
        entries.append(entry)
        job.report(f"{number} of {len(current)} objects looked at")
    return _finish(job, entries, copied)


def _refuse_empty(job: Job, count: int) -> None:
    before = int(job.previous.get("objects", 0))
    if count == 0 and before > 0:
        raise IntegrityFailed(
            f"The bucket {job.settings.bucket_media} is empty and its last backup has {before} objects.",
            hint="Find out why before anything else; the backups are untouched.",
        )


def _known(job: Job) -> dict[tuple[str, str], dict[str, Any]]:
    """What the previous inventory knows, by key and version."""
    if not job.previous:
        return {}
    return {
        (entry["key"], entry["version"]): entry
        for entry in read_inventory(job.storage, job.settings, job.previous)
    }


def _copy(job: Job, info: ObjectInfo, present: set[str]) -> tuple[dict[str, Any], int]:
    """Copy one object unless its content is there under another name; gives its entry and the bytes stored."""
    plain, sealed = job.folder / "plain", job.folder / "sealed"
    stored = job.storage.download(job.settings.bucket_media, info.key, plain, version=info.version)
    entry = {"key": info.key, "version": info.version, "bytes": stored.bytes, "sha256": stored.sha256}
    key = data_key(stored.sha256)
    try:
        if key in present:
            return entry, 0
        _encrypt(plain, sealed, job)
        size = job.storage.put_file(job.bucket, key, sealed, metadata={"content-sha256": stored.sha256}).bytes
        present.add(key)
        return entry, size
    finally:
        plain.unlink(missing_ok=True)
        sealed.unlink(missing_ok=True)


def _encrypt(plain: Path, sealed: Path, job: Job) -> None:
    import pyrage

    pyrage.encrypt_file(str(plain), str(sealed), keys.parsed(job.recipients))


def _finish(job: Job, entries: list[dict[str, Any]], copied: int) -> Outcome:
    """The inventory names customers' objects: it is encrypted as they are."""
    body = json.dumps(entries).encode()
    inventory = seal(body, keys.parsed(job.recipients))
    stored = job.storage.put_bytes(job.bucket, f"{job.prefix}inventory.json.zst.age", inventory)
    manifest = {
        "bucket": job.settings.bucket_media,
        "objects": len(entries),
        "content_bytes": sum(entry["bytes"] for entry in entries),
        "copied_bytes": copied,
        "inventory": {"key": stored.key, "bytes": stored.bytes, "sha256": stored.sha256},
        "inventory_content": {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()},
    }
    return Outcome(manifest, copied + stored.bytes)
