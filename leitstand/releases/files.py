"""Files that are there whole, also after a power cut."""

import os
from pathlib import Path

from leitstand.runbooks.pending import sync_folder


def write_durably(path: Path, content: str, *, mode: int = 0o600) -> None:
    """Replace a file by `content`, or leave it as it was; on disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as stream:
        os.fchmod(stream.fileno(), mode)
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def remove_durably(path: Path) -> None:
    """Remove a file, if it is there; gone from disk when this returns."""
    path.unlink(missing_ok=True)
    if path.parent.is_dir():
        sync_folder(path.parent)
