"""What the steps of a run have done, kept through kills and restarts for the run that goes on.

It belongs to a line of runs: the first one and all that resume it. It tells what was done, and is no proof that it still
is so: a step looks at the world and uses the journal for what can't be seen there. Secrets do not belong in it.
"""

import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from leitstand.runbooks.pending import evidence_folder, sync_folder
from leitstand.settings import Settings

POINTER = "journal.json"


@dataclass(frozen=True)
class Journal:
    """One file, a JSON line for each thing that was done."""

    path: Path
    run_id: str = ""

    def entries(self) -> list[dict[str, Any]]:
        """Everything, oldest first: step, at, run_id, facts. A line that a kill cut off was not done."""
        try:
            lines = self.path.read_text().split("\n")
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines[:-1] if line]

    def earlier(self, step: str) -> dict[str, Any] | None:
        """The facts that the step recorded last; None where it never came to that."""
        facts = [entry["facts"] for entry in self.entries() if entry["step"] == step]
        return dict(facts[-1]) if facts else None

    def add(self, step: str, **facts: Any) -> None:
        """Record that a step was done, durably before this returns.

        Args:
            facts: JSON values that the step wants to know when it is run again.
        """
        entry = {
            "step": step,
            "at": datetime.now(UTC).isoformat(),
            "run_id": self.run_id,
            "facts": facts,
        }
        self.replace([*self.entries(), entry])

    def replace(self, entries: list[dict[str, Any]]) -> None:
        """Write all of it at once: a few lines, complete or as they were."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self.path.with_suffix(".new")
        with temporary.open("w") as stream:
            stream.writelines(json.dumps(entry) + "\n" for entry in entries)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(self.path)
        sync_folder(self.path.parent)

    def remove(self) -> None:
        """The line has come to its end, and the record has all of it."""
        self.path.unlink(missing_ok=True)


@dataclass
class Once:
    """What a step knows of its earlier tries, and what it leaves for later ones.

    Args:
        earlier: the facts of the try that came to its end; None where there was none.
        facts: what is recorded when this try comes to its end.
    """

    earlier: dict[str, Any] | None
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether an earlier try came to its end."""
        return self.earlier is not None


def journal_of(settings: Settings, lineage: UUID, run_id: UUID) -> Journal:
    """The journal of a line of runs."""
    return Journal(evidence_folder(settings) / "journals" / f"{lineage}.jsonl", str(run_id))


def point_to(folder: Path, journal: Journal) -> None:
    """Tell the notebook that works in `folder` which journal is its own."""
    (folder / POINTER).write_text(json.dumps({"path": str(journal.path), "run_id": journal.run_id}))


def journal_in(folder: Path) -> Journal:
    """The journal of the run that works in `folder`; a notebook that runs by itself has one that goes with its folder."""
    try:
        values = json.loads((folder / POINTER).read_text())
    except FileNotFoundError:
        return Journal(folder / "journal.jsonl", "sandbox")
    return Journal(Path(values["path"]), values["run_id"])
