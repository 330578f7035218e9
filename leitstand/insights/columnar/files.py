"""The parts of copies that this machine has read: under their content's name, bounded, the least used go first."""

import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from leitstand.errors import Unavailable
from leitstand.insights.copy.state import Part
from leitstand.insights.copy.store import store_of
from leitstand.settings import Settings

SUFFIX = ".parquet"
_lock = threading.Lock()


def folder_of(settings: Settings) -> Path:
    """Where they lie; made when it is missing."""
    folder = (settings.data_dir / "insights" / "parts").absolute()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def fetch(settings: Settings, parts: Iterable[Part], folder: Path | None = None) -> list[Path]:
    """The files of these parts; those that are not here yet are downloaded, and checked against their SHA-256.

    Args:
        folder: where they lie; None: in this machine's folder.

    Raises:
        Unavailable, NotFound, IntegrityFailed: see `ObjectStorage`.
    """
    folder = folder or folder_of(settings)
    return [_fetched(folder, settings, part) for part in parts]


def check_size(settings: Settings, parts: Iterable[Iterable[Part]]) -> None:
    """Make sure that all these parts can lie here at one time.

    Raises:
        Unavailable: they are more than may lie here.
    """
    if sum(part.bytes for some in parts for part in some) > settings.insights_cache_mb * 1_000_000:
        raise Unavailable(
            "The copy is larger than what may lie here of it.", hint="Raise LEITSTAND_INSIGHTS_CACHE_MB."
        )


def _fetched(folder: Path, settings: Settings, part: Part) -> Path:
    path = folder / f"{part.sha256}{SUFFIX}"
    if not _there(path, part):
        # One at a time in this process; two processes that fetch the same part write the same file.
        with _lock:
            if not _there(path, part):
                make_room(folder, settings.insights_cache_mb * 1_000_000 - part.bytes)
                store_of(settings).download(settings.bucket_insights, part.key, path, sha256=part.sha256)
    return path


def _there(path: Path, part: Part) -> bool:
    """Whether the whole file is here; that it is used now keeps it longer."""
    with suppress(OSError):
        if path.stat().st_size == part.bytes:
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
