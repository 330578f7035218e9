"""What a backup engine is given, and what it gives back."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine

from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage

Progress = Callable[[str], None]
REPORTED_EVERY = 2.0


class Reporter:
    """Tells how far long work is, at most every `REPORTED_EVERY` seconds, with the time taken."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress = progress
        self.began = time.monotonic()
        self._reported = 0.0

    def report(self, line: str) -> None:
        """Tell it, unless something was told a moment ago."""
        now = time.monotonic()
        if self.progress and now - self._reported >= REPORTED_EVERY:
            self._reported = now
            self.progress(f"{line} ({now - self.began:.0f} s)")


@dataclass
class Job:
    """One backup that is being taken.

    Args:
        engine: the database that has the catalogue.
        lock: the connection whose session holds the lock of this kind of backup.
        source: the server that is backed up, as `settings.database_url` names it.
        prefix: where it stores what it makes, ending with a slash.
        folder: an empty folder of its own on this machine, removed afterwards.
        recipients: age public keys.
        previous: manifest of the newest complete backup of this kind; empty when there is none.
        level, level_reason: full, differential or incremental, and why it is that; of PostgreSQL alone.
        chain: manifests of what the increment builds on, the full backup first; empty when it is to be a full one.
    """

    engine: Engine
    settings: Settings
    storage: ObjectStorage
    lock: Connection
    source: Engine
    backup_id: UUID
    prefix: str
    folder: Path
    recipients: tuple[str, ...]
    previous: dict[str, Any]
    level: str = ""
    level_reason: str = ""
    chain: tuple[dict[str, Any], ...] = ()
    progress: Progress | None = None
    _reporter: Reporter | None = None

    @property
    def bucket(self) -> str:
        return self.settings.bucket_backups

    def report(self, line: str) -> None:
        """Tell how far it is, now and then."""
        self._reporter = self._reporter or Reporter(self.progress)
        self._reporter.report(line)


@dataclass(frozen=True)
class Outcome:
    """What an engine made: its part of the manifest, and the bytes it stored."""

    manifest: dict[str, Any]
    bytes: int
