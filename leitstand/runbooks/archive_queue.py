"""The log that waits for the archive: how much, how fast it grows, how long the disk lasts, and having it archived now."""

import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from leitstand.errors import Unavailable
from leitstand.runbooks import space
from leitstand.words import msg

POLL_SECONDS = 0.2
# A commit after everything that was committed, so that recovery finds the end of any instant until now.
CLOSE = "SELECT pg_walfile_name(pg_logical_emit_message(true, 'leitstand', 'close this segment'))"
# A segment is marked as ready in the moment in which it is closed; whatever is closed later is not waited for.
WAITING = "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready' AND name <= :last"
POSITION = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"
AVERAGE = """
SELECT (wal_bytes / greatest(1, extract(epoch FROM clock_timestamp() - stats_reset)))::float FROM pg_stat_wal
"""
FLOOR = """
SELECT pg_size_bytes(current_setting('wal_segment_size'))::float / nullif(extract(epoch FROM current_setting('archive_timeout')::interval), 0)
"""


@dataclass(frozen=True)
class Queue:
    """The archive's queue now.

    Args:
        waiting: segments. failing: the archive takes nothing. since: when it last failed, or empty.
        rate: bytes of log a second, the highest of: now, on average, and the segments that are closed half empty.
        free: bytes on the log's disk. seconds_left: until it is full at this rate; None where nothing is written.
    """

    waiting: int
    failing: bool
    since: str
    last: str
    bytes: int
    rate: float
    free: int
    seconds_left: float | None

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


def look(engine: Engine, data: Path, *, sample_seconds: float) -> Queue:
    """Measure it.

    Args:
        data: folder on the disk of the log.
        sample_seconds: how long the present rate is measured.
    """
    with engine.connect() as connection:
        before, began = int(connection.scalar(text(POSITION)) or 0), time.monotonic()
        time.sleep(sample_seconds)
        now = (int(connection.scalar(text(POSITION)) or 0) - before) / (time.monotonic() - began)
        average = float(connection.scalar(text(AVERAGE)) or 0.0)
        floor = float(connection.scalar(text(FLOOR)) or 0.0) if average else 0.0
        found = space.archiver(connection)
    rate, free = max(now, average, floor), shutil.disk_usage(data).free
    failed = found["last_failed_time"]
    return Queue(
        waiting=found["waiting"],
        failing=found["failing"],
        since=f"{failed:%Y-%m-%d %H:%M:%S} UTC" if found["failing"] else "",
        last=found["last_archived_wal"] or "",
        bytes=found["bytes"],
        rate=rate,
        free=free,
        seconds_left=free / rate if rate else None,
    )


def push(engine: Engine, *, within: float) -> str:
    """Close the present segment and wait until all is archived; gives the name of the last one.

    Closing one wakes the archiver, which otherwise tries again each minute after a failure.

    Raises:
        Unavailable: the archive did not take it within so many seconds.
    """
    deadline = time.monotonic() + within
    with engine.connect() as connection:
        name = str(connection.scalar(text(CLOSE)))
        connection.execute(text("SELECT pg_switch_wal()"))
        while True:
            waiting = connection.scalar(text(WAITING), {"last": f"{name}.ready"})
            if not waiting:
                return name
            if time.monotonic() > deadline:
                raise Unavailable(
                    msg(
                        "{waiting} segments still wait for the archive, {name} the last of them.",
                        waiting=waiting,
                        name=name,
                    ),
                    hint="`leitstand logs postgres` says what the archive answers; see the runbook object-storage-down.",
                )
            time.sleep(POLL_SECONDS)
