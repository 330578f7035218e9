"""The lock on evidence: for as long as the setting says, where the bucket can lock objects."""

from datetime import UTC, datetime, timedelta

from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.storage.types import ObjectLock

NO_LOCK = "none: the bucket has no object lock"
OFF = "none: evidence_lock_days is 0"


def evidence_lock(storage: ObjectStorage, settings: Settings) -> ObjectLock | None:
    """The lock that evidence gets now; None where it gets none."""
    if not settings.evidence_lock_days or not storage.locks_objects(settings.bucket_evidence):
        return None
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=settings.evidence_lock_days)
    return ObjectLock(settings.evidence_lock_mode.upper(), until)


def in_words(lock: ObjectLock | None, settings: Settings) -> str:
    """What the record of a run says about it."""
    return str(lock) if lock else NO_LOCK if settings.evidence_lock_days else OFF
