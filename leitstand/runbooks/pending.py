"""What a run leaves on this machine until the catalogue has it: what was asked for, and the evidence.

Every run has a folder here from before its first cell until its row and its link are written. So a run whose process,
machine, database or store is gone loses nothing: the next run that has a database takes it up.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from leitstand.backups.keys import write_private
from leitstand.backups.places import PENDING, RECORD
from leitstand.settings import Settings

NOTE, NOTEBOOK, HTML = "run.json", "notebook.ipynb", "notebook.html"
DRILL, RUNBOOK = "drill", "runbook"


@dataclass(frozen=True)
class Note:
    """What is known of a run when it begins.

    Args:
        name: as `objects-lost`.
        category: drill or runbook.
        file_name: of its notebook, without an ending.
        prefix: where its evidence goes in the bucket, with a slash at the end.
        requested_by: who started it; empty: the schedule.
        resumed_from: the run that it goes on with.
        lineage: the first run of the line; its own id where it goes on with none.
    """

    run_id: UUID
    name: str
    category: str
    file_name: str
    title: str
    prefix: str
    began: datetime
    lineage: UUID
    parameters: dict[str, Any] = field(default_factory=dict)
    requested_by: str = ""
    resumed_from: UUID | None = None
    backup_id: UUID | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        ids = {name: str(value) if value else None for name, value in self._ids().items()}
        return {**asdict(self), **ids, "began": self.began.isoformat()}

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Note":
        """From JSON values; what else there is, is left out."""
        known = {name: values[name] for name in cls.__dataclass_fields__ if name in values}
        ids = {
            name: UUID(known[name]) if known.get(name) else None
            for name in ("run_id", "lineage", "resumed_from", "backup_id")
        }
        return cls(**{**known, **ids, "began": datetime.fromisoformat(values["began"])})

    def _ids(self) -> dict[str, UUID | None]:
        return {
            "run_id": self.run_id,
            "lineage": self.lineage,
            "resumed_from": self.resumed_from,
            "backup_id": self.backup_id,
        }


@dataclass(frozen=True)
class Pending:
    """The folder of one run that the catalogue does not have whole yet."""

    folder: Path

    @property
    def note(self) -> Note:
        """What was known at its beginning."""
        return Note.of(json.loads((self.folder / NOTE).read_text()))

    @property
    def record(self) -> dict[str, Any] | None:
        """What it found; None for a run that did not come to its end."""
        try:
            found: dict[str, Any] = json.loads((self.folder / RECORD).read_text())
        except FileNotFoundError:
            return None
        return found

    def read(self, name: str) -> bytes:
        """One of its files."""
        return (self.folder / name).read_bytes()

    def keep(self, record: dict[str, Any], *, notebook: bytes, html: bytes) -> None:
        """Write the evidence; the record comes last, so that it is there only when all is."""
        _durable(self.folder / NOTEBOOK, notebook)
        _durable(self.folder / HTML, html)
        _durable(self.folder / RECORD, json.dumps(record, indent=1).encode())

    def remove(self) -> None:
        """The catalogue has it: nothing waits any more. The note goes first, so that half a folder is no run."""
        (self.folder / NOTE).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def evidence_folder(settings: Settings) -> Path:
    """<data_dir>/evidence, made where it is missing."""
    folder = settings.data_dir / "evidence"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def pending_folder(settings: Settings) -> Path:
    """Folder of the folders of runs."""
    return evidence_folder(settings) / PENDING


def begin(settings: Settings, note: Note) -> Pending:
    """Make the folder of a run that begins, durably."""
    folder = pending_folder(settings) / str(note.run_id)
    folder.mkdir(parents=True, mode=0o700)
    sync_folder(folder.parent)
    _durable(folder / NOTE, json.dumps(note.to_dict(), indent=1).encode())
    return Pending(folder)


def pending(settings: Settings) -> Iterator[Pending]:
    """Every run that waits, oldest first."""
    for folder in sorted(pending_folder(settings).glob("*")):
        if (folder / NOTE).is_file():
            yield Pending(folder)


def notes(settings: Settings) -> list[Note]:
    """The notes of those runs, for who does not hold the lock: one that is taken up meanwhile is left out."""
    found = []
    for waiting in pending(settings):
        with suppress(FileNotFoundError):
            found.append(waiting.note)
    return found


def remove_rests(settings: Settings) -> None:
    """Folders without a note are the rest of runs that the catalogue has; only called by who holds the lock."""
    for folder in pending_folder(settings).glob("*"):
        if not (folder / NOTE).is_file():
            shutil.rmtree(folder, ignore_errors=True)


def find_pending(settings: Settings, run_id: UUID) -> Pending | None:
    """The run of this id, if it waits."""
    found = Pending(pending_folder(settings) / str(run_id))
    return found if (found.folder / NOTE).is_file() else None


def _durable(path: Path, content: bytes) -> None:
    write_private(path, content)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
