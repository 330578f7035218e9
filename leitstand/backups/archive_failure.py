"""Why a file of the log was not archived: the archive command's last word, beside its settings, until it succeeds again.

PostgreSQL keeps only that it failed; the sentence would otherwise be in its log alone.
"""

import os
from contextlib import suppress
from pathlib import Path

FOLDER, NAME = "archive", "failed"
SHOWN = 500


def keep_failure(folder: Path, reason: str) -> None:
    """Keep one sentence (never a secret) in the archive command's folder; a full disk must not hide the failure itself."""
    with suppress(OSError):
        temporary = folder / f"{NAME}.new"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(reason[:SHOWN])
        temporary.replace(folder / NAME)


def clear_failure(folder: Path) -> None:
    """It succeeded again."""
    with suppress(OSError):
        (folder / NAME).unlink(missing_ok=True)


def last_failure(data_dir: Path) -> str:
    """The sentence; empty when there is none on this machine."""
    try:
        return (data_dir / FOLDER / NAME).read_text()
    except OSError:
        return ""
