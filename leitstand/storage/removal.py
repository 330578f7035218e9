"""Removal for good: every version and delete marker of what lies under a prefix, and what object lock does not let go."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

from leitstand.errors import NotFound, PreconditionFailed
from leitstand.storage.objects import ObjectStorage
from leitstand.storage.retries import attempt, clock_ahead
from leitstand.storage.types import ObjectInfo

HELD_FOR_GOOD = datetime.max.replace(tzinfo=UTC)


class Locked(PreconditionFailed):
    """Object lock keeps it; `until` says for how long, HELD_FOR_GOOD for a legal hold."""

    def __init__(self, what: str, until: datetime) -> None:
        super().__init__(f"{what} is locked until {until:%Y-%m-%d %H:%M} UTC.", hint="Wait until then.")
        self.until = until


def is_versioned(storage: ObjectStorage, bucket: str) -> bool:
    """Whether a bucket has, or once had, versions; only such a bucket can lock objects.

    Raises:
        NotFound: there is no such bucket.
    """
    answer = attempt(lambda: storage.client.get_bucket_versioning(Bucket=bucket), f"s3://{bucket}")
    return bool(answer.get("Status"))


def everything(storage: ObjectStorage, bucket: str, prefix: str, *, versioned: bool) -> Iterator[ObjectInfo]:
    """All that takes space under a prefix, ordered by key; in a versioned bucket old versions and delete markers too."""
    if not versioned:
        yield from storage.list(bucket, prefix)
        return
    request: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix}
    while True:
        page = attempt(partial(storage.client.list_object_versions, **request), f"s3://{bucket}/{prefix}")
        for entry in page.get("Versions", []):
            yield _info(entry, entry["Size"], entry["ETag"])
        for marker in page.get("DeleteMarkers", []):
            yield _info(marker, 0, "")
        if not page.get("IsTruncated"):
            return
        request.update(KeyMarker=page["NextKeyMarker"], VersionIdMarker=page.get("NextVersionIdMarker", ""))


def _info(entry: Any, size: int, etag: str) -> ObjectInfo:
    return ObjectInfo(
        entry["Key"], size, etag, entry["LastModified"], entry["VersionId"], entry.get("IsLatest", False)
    )


def remove_version(storage: ObjectStorage, bucket: str, info: ObjectInfo) -> None:
    """Delete one version for good; what is not there any more is no error.

    Raises:
        Locked: object lock keeps it.
        PreconditionFailed: the store refuses it for another reason, as without the right to delete.
    """
    try:
        storage.delete(bucket, info.key, version=info.version)
    except NotFound:
        if is_there(storage, bucket):
            return
        raise
    except PreconditionFailed as error:
        if until := locked_until(storage, bucket, info):
            raise Locked(f"s3://{bucket}/{info.key}", until) from error
        raise


def is_there(storage: ObjectStorage, bucket: str) -> bool:
    """Whether there is such a bucket."""
    try:
        attempt(lambda: storage.client.head_bucket(Bucket=bucket), f"s3://{bucket}")
    except NotFound:
        return False
    return True


def locked_until(storage: ObjectStorage, bucket: str, info: ObjectInfo) -> datetime | None:
    """Until when object lock keeps one version; None when it does not, or the version is a delete marker or gone."""
    if not info.etag:
        return None
    extra: dict[str, Any] = {"VersionId": info.version} if info.version else {}
    what = f"s3://{bucket}/{info.key}"
    try:
        answer = attempt(lambda: storage.client.head_object(Bucket=bucket, Key=info.key, **extra), what)
    except NotFound:
        return None
    if answer.get("ObjectLockLegalHoldStatus") == "ON":
        return HELD_FOR_GOOD
    until = answer.get("ObjectLockRetainUntilDate")
    return until if until and until > datetime.now(UTC) else None


def newest_lock(storage: ObjectStorage, bucket: str, prefix: str) -> datetime | None:
    """Until when object lock keeps anything under a prefix; None when it keeps nothing."""
    if not is_versioned(storage, bucket):
        return None
    found = everything(storage, bucket, prefix, versioned=True)
    return max(filter(None, (locked_until(storage, bucket, info) for info in found)), default=None)


def clock_difference(storage: ObjectStorage, bucket: str) -> float:
    """Seconds by which this machine's clock is ahead of the store's, as exact as the store's answers are (1 s).

    Raises:
        NotFound: there is no such bucket.
        ClockSkewed: the store refuses requests because of the difference.
    """
    what = f"s3://{bucket}"
    answer = attempt(lambda: storage.client.head_bucket(Bucket=bucket), what, attempts=storage.attempts)
    return clock_ahead(answer["ResponseMetadata"]["HTTPHeaders"])
