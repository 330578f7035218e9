"""PostgreSQL's own list of a backup's files (`backup_manifest`), kept beside the backup so that an increment can build on it."""

import shutil
from pathlib import Path
from typing import IO, Any, cast

from leitstand.backups import keys
from leitstand.backups.parts import Part, PartsReader, PartWriter
from leitstand.backups.sealing import seal_stream, unsealed
from leitstand.backups.work import Job
from leitstand.errors import IntegrityFailed, NotFound, PreconditionFailed

FILE_LIST = "backup_manifest"
UNREADABLE = (IntegrityFailed, NotFound, PreconditionFailed)


def store_files(job: Job, files: IO[bytes]) -> dict[str, Any]:
    """Store the list, compressed and encrypted; gives its place, size and hash."""
    files.seek(0)
    # Of a database with millions of files it has hundreds of megabytes; it is one object all the same.
    writer = PartWriter(job.storage, job.bucket, f"{job.prefix}files-", job.folder, part_bytes=1 << 40)
    try:
        seal_stream(files, writer, keys.parsed(job.recipients))
        (part,) = writer.finish()
    finally:
        writer.discard()
    return vars(part)


def parent_files(job: Job, system_identifier: str, timeline: int) -> tuple[Path | None, str]:
    """The list of the backup that an increment is to build on, in a file, and why there is none.

    Whatever is wrong with it: a full backup can be taken instead, which is always right.
    """
    if not job.chain:
        return None, ""
    parent = job.chain[-1]
    if parent["system_identifier"] != system_identifier:
        return None, f"backup {parent['id']} is of another cluster"
    if int(parent["timeline"]) != timeline:
        return None, f"backup {parent['id']} is of timeline {parent['timeline']}, and this is {timeline}"
    if not parent.get("file_list"):
        return None, f"backup {parent['id']} has no list of its files"
    target = job.folder / "parent_manifest"
    try:
        _fetch(job, Part.of(parent["file_list"]), target)
    except UNREADABLE as error:
        return None, f"the list of files of backup {parent['id']} can't be read: {error.message}"
    return target, ""


def _fetch(job: Job, part: Part, target: Path) -> None:
    identities = keys.identities(job.settings)
    with (
        PartsReader(job.storage, job.bucket, [part]) as sealed,
        unsealed(cast(IO[bytes], sealed), identities) as plain,
        target.open("wb") as stream,
    ):
        shutil.copyfileobj(plain, stream)
