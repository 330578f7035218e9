"""The second place of the secrets: sealed copies in a folder, beside those in the bucket."""

from datetime import datetime
from pathlib import Path
from uuid import UUID

from leitstand.backups import keys
from leitstand.settings import Settings

SUFFIX = ".tar.zst.age"
REPLACED = "replaced-"
KEPT = 30


def copies_dir(settings: Settings) -> Path:
    """Where the copies lie: `secrets_copy_dir`, else a folder of the data folder."""
    return (
        Path(settings.secrets_copy_dir) if settings.secrets_copy_dir else settings.data_dir / "secret-copies"
    )


def keep_copy(settings: Settings, sealed: bytes, *, at: datetime, backup_id: UUID) -> Path:
    """Write one copy, complete or not at all; the oldest beyond `KEPT` go.

    Raises:
        OSError: the folder can't be written.
    """
    path = copies_dir(settings) / f"{at:%Y%m%dT%H%M%SZ}-{backup_id}{SUFFIX}"
    _write(path, sealed)
    for old in copies(settings)[KEPT:]:
        old.unlink(missing_ok=True)
    return path


def keep_replaced(settings: Settings, sealed: bytes, *, at: datetime) -> Path:
    """Write what a restore is about to replace; these are never removed by themselves."""
    path = copies_dir(settings) / f"{REPLACED}{at:%Y%m%dT%H%M%S%fZ}{SUFFIX}"
    _write(path, sealed)
    return path


def _write(path: Path, sealed: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys.write_private(path, sealed)


def copies(settings: Settings) -> list[Path]:
    """The copies, newest first."""
    found = copies_dir(settings).glob(f"[0-9]*{SUFFIX}")
    return sorted((path for path in found if path.is_file()), reverse=True)


def copy_of(settings: Settings, backup_id: str) -> Path | None:
    """The copy of one backup."""
    return next((path for path in copies(settings) if path.name.endswith(f"{backup_id}{SUFFIX}")), None)
