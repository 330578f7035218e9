"""Backup of PostgreSQL, full or an increment: pg_basebackup's tar stream, compressed, encrypted and stored as it comes."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from leitstand.backups import fingerprint, wal
from leitstand.backups.engines.interface import FULL
from leitstand.backups.file_lists import FILE_LIST, parent_files, store_files
from leitstand.backups.parts import Part, PartWriter
from leitstand.backups.sealing import Content
from leitstand.backups.streaming import NothingCame, essence, refuse_older, sealed_output
from leitstand.backups.tar_member import TarMember
from leitstand.backups.work import Job, Outcome
from leitstand.db.cluster import bin_dir
from leitstand.errors import PreconditionFailed
from leitstand.words import msg

ENGINE = "pg_basebackup"
POSITION = re.compile(r"write-ahead log (start|end) point: ([0-9A-F]+/[0-9A-F]+)(?: on timeline (\d+))?")


def take(job: Job) -> Outcome:
    """Take a backup, an increment where that is wanted and can be done; what it stores lies under `job.prefix`.

    Raises:
        PreconditionFailed: pg_basebackup is older than the server, or refused.
        Unavailable: the store failed, or nothing came for `STALLED_SECONDS`.
    """
    with job.source.begin() as connection:
        source = fingerprint.server(connection)
    refuse_older("pg_basebackup", int(source["version_number"]))
    before, reason = parent_files(job, str(source["system_identifier"]), int(source["timeline"], 16))
    try:
        copied = _copy(job, before)
    except NothingCame as refusal:
        if before is None:
            raise
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
        **_positions(copied.said, int(source["segment_bytes"])),
    }
    return Outcome(manifest, sum(part.bytes for part in copied.parts) + int(copied.file_list["bytes"]))


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
                member = TarMember(FILE_LIST, files)
                content, said = sealed_output(
                    job, _argv(job, before), writer, what="PostgreSQL read", passed=member.feed
                )
            if not member.found:
                raise PreconditionFailed(
                    "pg_basebackup made no list of its files.", hint="See PostgreSQL's log."
                )
            parts = writer.finish()
            return _Copied(parts, content, store_files(job, files), said)
    finally:
        writer.discard()


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


def _argv(job: Job, before: Path | None) -> list[str]:
    return [
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


def _positions(said: str, segment_bytes: int) -> dict[str, Any]:
    """Where in the log the backup starts and ends."""
    found = {which: (position, timeline) for which, position, timeline in POSITION.findall(said)}
    if found.keys() != {"start", "end"}:
        raise PreconditionFailed(
            msg("pg_basebackup did not say where its log starts and ends: {said}", said=essence(said))
        )
    timeline = int(found["start"][1])
    start = found["start"][0]
    return {
        "timeline": timeline,
        "start_lsn": start,
        "stop_lsn": found["end"][0],
        "start_segment": wal.segment_of(wal.lsn_number(start), timeline, segment_bytes),
    }
