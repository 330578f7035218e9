"""What a restore uses stays: a mark in the store, which reaches retention on whatever machine either of them runs.

A mark says in its name until when it counts, so that one that a killed restore left behind wears off by itself. It
outlives the restore's own work, because the restored server then still fetches the log. Retention marks a backup as
being removed before it looks for marks, and a restore looks again after it has set one: one of them sees the other.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from leitstand.backups import entries
from leitstand.backups.catalogue import COMPLETE
from leitstand.backups.work import Progress
from leitstand.errors import Conflict, LeitstandError, NotFound
from leitstand.storage.objects import ObjectStorage
from leitstand.telemetry.logs import get_logger
from leitstand.words import msg

PINS = "catalogue/pins/"
LASTS = timedelta(hours=24)
WRITTEN = "%Y%m%dT%H%M%SZ"

log = get_logger("backups")


@contextmanager
def in_use(
    storage: ObjectStorage, bucket: str, kind: str, backup_id: str, *, say: Progress, afterwards: bool
) -> Iterator[None]:
    """Keep a backup and its log while the block runs; with `afterwards`, for a day more where it ends well.

    A store that can only be read (the worst day's) takes no mark: then that is said, and the work goes on.

    Raises:
        Conflict: the backup is being removed.
    """
    key = f"{PINS}{backup_id}/{datetime.now(UTC) + LASTS:{WRITTEN}}-{secrets.token_hex(4)}"
    marked = _mark(storage, bucket, key, say)
    done = False
    try:
        _refuse_removed(storage, bucket, kind, backup_id)
        yield
        done = True
    finally:
        if marked and not (done and afterwards):
            _unmark(storage, bucket, key)


def _mark(storage: ObjectStorage, bucket: str, key: str, say: Progress) -> bool:
    try:
        storage.put_bytes(bucket, key, b"")
    except LeitstandError as error:
        log.warning("backup not marked as in use", key=key, reason=error.message)
        say("the backup can't be marked as in use: let no `leitstand backup prune` run meanwhile")
        return False
    return True


def _unmark(storage: ObjectStorage, bucket: str, key: str) -> None:
    """It wears off by itself where the store does not answer."""
    try:
        storage.delete(bucket, key)
    except LeitstandError as error:
        log.warning("mark of a used backup left behind", key=key, reason=error.message)


def _refuse_removed(storage: ObjectStorage, bucket: str, kind: str, backup_id: str) -> None:
    """A backup without an entry was taken by hand into another place, or is older than the catalogue: its hashes decide."""
    try:
        status = entries.read(storage, bucket, kind, backup_id)["status"]
    except NotFound:
        return
    if status != COMPLETE:
        raise Conflict(
            msg("Backup {backup_id} is being removed by retention.", backup_id=backup_id),
            hint="Choose another: `leitstand backup list --from-storage`.",
        )


def used(storage: ObjectStorage, bucket: str, now: datetime) -> set[str]:
    """Ids of the backups that are in use."""
    marks = (info.key.removeprefix(PINS) for info in storage.list(bucket, PINS))
    return {mark.partition("/")[0] for mark in marks if _until(mark) > now}


def clear_worn_off(storage: ObjectStorage, bucket: str, now: datetime) -> None:
    """Take away the marks that no longer count."""
    for info in list(storage.list(bucket, PINS)):
        if _until(info.key.removeprefix(PINS)) <= now:
            storage.delete(bucket, info.key)


def _until(mark: str) -> datetime:
    written = mark.rpartition("/")[2].partition("-")[0]
    return datetime.strptime(written, WRITTEN).replace(tzinfo=UTC)
