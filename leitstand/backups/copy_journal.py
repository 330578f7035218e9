"""What a copy of objects has done so far, on this machine: one that was killed goes on where it stopped.

It only saves reading: whatever it says is used only where the copy itself is in the store. It names customers'
objects, as the store on this machine does, and is readable by its owner alone.
"""

import json
import os
from pathlib import Path
from types import TracebackType
from typing import TextIO

from leitstand.backups.inventory import Entry
from leitstand.settings import Settings

NAME = "objects-copied.jsonl"


class Journal:
    """The journal of the copies made since the last complete backup.

    Args:
        after: id of that backup; what was noted after another one is forgotten.
    """

    def __init__(self, settings: Settings, *, after: str) -> None:
        self.path = settings.data_dir / "tmp" / NAME
        self.after = after
        self.entries: list[Entry] = []
        self._stream: TextIO | None = None

    def __enter__(self) -> "Journal":
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.entries = _read(self.path, self.after)
        self._stream = os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w")
        self._write({"after": self.after})
        for entry in self.entries:
            self._write(entry.to_dict())
        return self

    def add(self, entry: Entry) -> None:
        """Note a copy that is in the store."""
        self._write(entry.to_dict())

    def _write(self, line: dict[str, object]) -> None:
        if self._stream is not None:
            self._stream.write(json.dumps(line) + "\n")
            self._stream.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._stream.close()


def _read(path: Path, after: str) -> list[Entry]:
    """The entries up to the line in which the process was killed; none after another backup."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return []
    found: list[Entry] = []
    try:
        if not lines or json.loads(lines[0]) != {"after": after}:
            return []
        for line in lines[1:]:
            found.append(Entry(**json.loads(line)))
    except (ValueError, TypeError):
        return found
    return found
