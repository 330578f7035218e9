"""Removes the archived log that nothing needs any more: oldest first, so that a kill leaves no hole behind it."""

from collections.abc import Callable

from leitstand.backups import wal
from leitstand.backups.engines.interface import LogRemoval
from leitstand.backups.removing import locked_words
from leitstand.backups.retention import LogNeed
from leitstand.storage.objects import ObjectStorage
from leitstand.storage.removal import Locked, everything, is_versioned, remove_version
from leitstand.telemetry.logs import get_logger

CHECKED_EVERY = 100

log = get_logger("backups")


def remove_log(
    storage: ObjectStorage,
    bucket: str,
    need: LogNeed,
    *,
    prefix: str,
    name_of: Callable[[str], str],
    segment_bytes: int,
    check: Callable[[], None],
) -> LogRemoval:
    """Remove what `need` does not name of its cluster's archive; what is no file of the log is not touched.

    Args:
        prefix: where the archive lies.
        name_of: the name that PostgreSQL knows a stored file by, from its key; empty where it is no file of the log.
        check: called now and then; raises where another may have taken over this work.

    Raises:
        Unavailable, PreconditionFailed, NotFound: as the store says; the next run goes on.
    """
    done, stays = LogRemoval(need.archive), dict[str, list[str]]()
    versioned = is_versioned(storage, bucket)
    for number, info in enumerate(list(everything(storage, bucket, prefix, versioned=versioned))):
        name = name_of(info.key)
        if not name or need.needs(name):
            done.left += 1
            done.archived_at = max(done.archived_at or info.modified, info.modified)
            if wal.SEGMENT.fullmatch(name) and need.keep_from and name[8:] >= need.keep_from:
                stays.setdefault(name[:8], []).append(name)
            continue
        if number % CHECKED_EVERY == 0:
            check()
        try:
            remove_version(storage, bucket, info)
            done.removed, done.bytes = done.removed + 1, done.bytes + info.bytes
        except Locked as error:
            done.locked, done.why = done.locked + 1, locked_words(error.until)
    done.gap = next(filter(None, (wal.first_gap(names, segment_bytes) for names in stays.values())), "")
    log.info("log removed", **done.to_dict())
    return done
