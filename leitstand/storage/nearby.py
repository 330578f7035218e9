"""Objects that this machine has read: under their content's name, bounded, the least used go first."""

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from leitstand.storage.objects import ObjectStorage

SUFFIX = ".parquet"
_lock = threading.Lock()


class Known(Protocol):
    """An object whose content is known."""

    @property
    def key(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def bytes(self) -> int: ...


def fetch(storage: ObjectStorage, bucket: str, folder: Path, known: Known, *, most: int) -> Path:
    """The file of an object; one that is not here yet is downloaded, and checked against its SHA-256.

    Args:
        most: bytes that the folder may hold; one larger object is alone in it.

    Raises:
        Unavailable, NotFound, IntegrityFailed: see `ObjectStorage`.
    """
    path = folder / f"{known.sha256}{SUFFIX}"
    if not _there(path, known):
        # One at a time in this process; two processes that fetch the same object write the same file.
        with _lock:
            if not _there(path, known):
                make_room(folder, most - known.bytes)
                storage.download(bucket, known.key, path, sha256=known.sha256)
    return path


def _there(path: Path, known: Known) -> bool:
    """Whether the whole file is here; that it is used now keeps it longer."""
    with suppress(OSError):
        if path.stat().st_size == known.bytes:
            os.utime(path)
            return True
    return False


def make_room(folder: Path, most: int) -> None:
    """Remove the files that were used longest ago until the rest is within `most` bytes."""
    used = []
    for path in folder.glob(f"*{SUFFIX}"):
        with suppress(FileNotFoundError):
            found = path.stat()
            used.append((found.st_mtime_ns, found.st_size, path))
    total = sum(size for _, size, _ in used)
    for _, size, path in sorted(used):
        if total <= most:
            return
        path.unlink(missing_ok=True)
        total -= size
