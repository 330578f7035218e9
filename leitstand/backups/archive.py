"""PostgreSQL's archive_command: `python -m leitstand.backups.archive %p %f`, called in the server's data folder.

It ends with 0 only when the segment is in object storage, encrypted, with the hash of its content; a segment of the
same name with other content is never replaced (another cluster, or a clone, writes into this archive). Starting
Python and a connection costs more than storing a segment, so one call also stores some that wait behind its own,
and marks them: their own calls end at once. A mark says what PostgreSQL's next call may rely on, and no more.
"""

import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from leitstand.backups import wal
from leitstand.words import msg

if TYPE_CHECKING:
    pass

AHEAD = 15
REFUSED = 1


def main(arguments: list[str]) -> int:
    """Archive one file.

    Args:
        arguments: its path, relative to the data folder, and its name.
    """
    path, name = Path(arguments[0]), arguments[1]
    if not wal.is_archived_name(name):
        print(f"{name!r} is no file of the write-ahead log", file=sys.stderr)  # noqa: T201 - to the server's log
        return REFUSED
    if _take_mark(path, name):
        return 0
    return _archive(path, name)


def _take_mark(path: Path, name: str) -> bool:
    """Whether an earlier call stored this very content; the mark is used up."""
    mark = _mark(path, name)
    if not mark.exists():
        return False
    stored = mark.read_text()
    mark.unlink(missing_ok=True)
    return stored == _sha256(path.read_bytes())


def _mark(path: Path, name: str) -> Path:
    return path.parent / "archive_status" / f"{name}.stored"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _archive(path: Path, name: str) -> int:
    from leitstand.backups.archive_failure import clear_failure, keep_failure
    from leitstand.errors import LeitstandError
    from leitstand.settings import get_settings

    try:
        archive = Archive()
        archive.store(path, name)
    except LeitstandError as error:
        print(f"{name} is not archived: {error.message} {error.hint}", file=sys.stderr)  # noqa: T201
        keep_failure(get_settings().data_dir, f"{error.message} {error.hint}".strip())
        return REFUSED
    clear_failure(archive.folder)
    _store_ahead(archive, path.parent, name)
    return 0


def _store_ahead(archive: "Archive", folder: Path, name: str) -> None:
    """Store what waits behind `name`; whatever fails is left to its own call, which will say why."""
    from leitstand.errors import LeitstandError

    waiting = sorted(ready.stem for ready in (folder / "archive_status").glob("*.ready"))
    for later in [
        candidate for candidate in waiting if candidate > name and wal.SEGMENT.fullmatch(candidate)
    ][:AHEAD]:
        try:
            digest = archive.store(folder / later, later)
        except (LeitstandError, OSError):
            return
        _write_mark(_mark(folder / later, later), digest)


def _write_mark(mark: Path, digest: str) -> None:
    temporary = mark.with_suffix(".storing")
    with temporary.open("w") as stream:
        stream.write(digest)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(mark)


class Archive:
    """The archive of the cluster in the current folder."""

    def __init__(self) -> None:
        from leitstand.backups import keys
        from leitstand.settings import load_settings
        from leitstand.storage.objects import ObjectStorage

        settings = load_settings()
        self.bucket, self.folder = settings.bucket_backups, settings.data_dir
        self.recipients = keys.parsed(keys.recipients_of(settings))
        self.storage: ObjectStorage = ObjectStorage(settings)
        self.system_id = wal.system_identifier(Path.cwd())

    def store(self, path: Path, name: str) -> str:
        """Store one file and give its hash.

        Raises:
            Conflict: the archive has this name with other content.
            Unavailable, NotFound, PreconditionFailed: as the store says.
        """
        from leitstand.backups.sealing import seal
        from leitstand.errors import Conflict

        data = path.read_bytes()
        digest, key = _sha256(data), wal.key(self.system_id, name)
        if self._has(key, digest):
            return digest
        metadata = {"content-sha256": digest, "content-bytes": str(len(data))}
        try:
            self.storage.put_bytes(
                self.bucket, key, seal(data, self.recipients), metadata=metadata, only_new=True
            )
        except Conflict:
            if not self._has(key, digest):
                raise
        return digest

    def _has(self, key: str, digest: str) -> bool:
        from leitstand.errors import Conflict, NotFound

        try:
            kept = self.storage.head(self.bucket, key).metadata.get("content-sha256", "")
        except NotFound:
            return False
        if kept != digest:
            raise Conflict(
                msg("The archive has another {key}.", key=key),
                hint="Another server writes into this archive: stop it, or give it a bucket of its own.",
            )
        return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
