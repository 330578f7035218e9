"""What a backup engine is given, and what it gives back."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine

from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage

Progress = Callable[[str], None]
REPORTED_EVERY = 2.0


@dataclass
class Job:
    """One backup that is being taken.

    Args:
        lock: the connection whose session holds the lock of this kind of backup.
        prefix: where it stores what it makes, ending with a slash.
        folder: an empty folder of its own on this machine, removed afterwards.
        recipients: age public keys.
        previous: manifest of the newest complete backup of this kind; empty when there is none.
    """

    engine: Engine
    settings: Settings
    storage: ObjectStorage
    lock: Connection
    backup_id: UUID
    prefix: str
    folder: Path
    recipients: tuple[str, ...]
    previous: dict[str, Any]
    progress: Progress | None = None
    began: float = field(default_factory=time.monotonic)
    _reported: float = 0.0

    @property
    def bucket(self) -> str:
        return self.settings.bucket_backups

    def report(self, line: str) -> None:
        """Tell how far it is, at most every `REPORTED_EVERY` seconds, with the time taken."""
        now = time.monotonic()
        if self.progress and now - self._reported >= REPORTED_EVERY:
            self._reported = now
            self.progress(f"{line} ({now - self.began:.0f} s)")


@dataclass(frozen=True)
class Outcome:
    """What an engine made: its part of the manifest, and the bytes it stored."""

    manifest: dict[str, Any]
    bytes: int
