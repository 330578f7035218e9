"""The journal of a release: one line for each thing that begins or is done, on disk before the next.

A process that is killed at any place leaves a journal from which the next one goes on. A line that was cut off by it was
never acted upon.
"""

import json
import os
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leitstand.errors import NotFound
from leitstand.runbooks.pending import sync_folder
from leitstand.words import msg

FORWARD, BACK = "forward", "back"
PLANNED, BEGAN, DONE, TURNED, FAILED, RESUMED, ENDED = (
    "planned",
    "began",
    "done",
    "turned",
    "failed",
    "resumed",
    "ended",
)
FINISHED, ROLLED_BACK, REFUSED = "finished", "rolled back", "refused"
Record = dict[str, Any]


@dataclass
class Journal:
    """One release as its file has it."""

    path: Path
    records: list[Record] = field(default_factory=list)

    @property
    def id(self) -> str:
        """When it was planned, and four letters."""
        return self.path.stem

    @property
    def plan(self) -> Record:
        """What was to be done: image, colour, from what, by whom, with which steps."""
        return self.records[0]

    @property
    def direction(self) -> str:
        """Whether it goes on or back."""
        return BACK if any(one["what"] == TURNED for one in self.records) else FORWARD

    @property
    def why(self) -> str:
        """Why it was turned back; empty: it was not."""
        return next((str(one["why"]) for one in self.records if one["what"] == TURNED), "")

    @property
    def hint(self) -> str:
        """The way out of that, as far as it is known."""
        return next((str(one.get("hint", "")) for one in self.records if one["what"] == TURNED), "")

    @property
    def outcome(self) -> str:
        """How it ended; empty: it has not."""
        return next((str(one["outcome"]) for one in self.records if one["what"] == ENDED), "")

    @property
    def at_step(self) -> str:
        """The step that was begun last."""
        return next((str(one["step"]) for one in reversed(self.records) if one["what"] == BEGAN), "")

    def done(self) -> list[str]:
        """The steps that are done in the direction in which it goes."""
        way = self.direction
        return [str(one["step"]) for one in self.records if one["what"] == DONE and one["way"] == way]

    def touched(self, step: str) -> bool:
        """Whether a step was begun on the way forward: what it changes may be changed."""
        return any(
            one["what"] == BEGAN and one["way"] == FORWARD and one["step"] == step for one in self.records
        )

    def evidence(self, step: str) -> Record:
        """What a step that is done has found."""
        found = [one for one in self.records if one["what"] == DONE and one["step"] == step]
        return dict(found[-1]["evidence"]) if found else {}

    def write(self, what: str, **more: Any) -> None:
        """Add a line; it is on disk when this returns."""
        record = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "what": what, **more}
        new = not self.path.exists()
        with self.path.open("ab") as stream:
            # What a killed process left behind without an end is overwritten by a line of its own.
            stream.write(b"" if _ends_well(self.path) else b"\n")
            stream.write(json.dumps(record).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        if new:
            sync_folder(self.path.parent)
        self.records.append(record)


def begin(folder: Path, plan: Record) -> Journal:
    """A new journal with its plan."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(2)}"
    journal = Journal(folder / f"{name}.jsonl")
    journal.write(PLANNED, **plan)
    return journal


def read(path: Path) -> Journal:
    """A journal as it is on disk."""
    records = []
    for line in path.read_bytes().split(b"\n"):
        try:
            record = json.loads(line)
        except ValueError:
            continue  # cut off, and so never acted upon
        if isinstance(record, dict) and "what" in record:
            records.append(record)
    return Journal(path, records)


def journals(folder: Path) -> list[Journal]:
    """Every release that was planned here, the newest first."""
    found = (read(path) for path in sorted(folder.glob("*.jsonl"), reverse=True))
    return [one for one in found if one.records and one.records[0]["what"] == PLANNED]


def unfinished(folder: Path) -> Journal | None:
    """The release that has not ended."""
    return next((one for one in journals(folder) if not one.outcome), None)


def journal_of(folder: Path, release_id: str) -> Journal:
    """One release.

    Raises:
        NotFound: there is none of this id.
    """
    for one in journals(folder):
        if one.id == release_id:
            return one
    raise NotFound(
        msg("There is no release {id}.", id=release_id), hint="`leitstand release history` shows them."
    )


def _ends_well(path: Path) -> bool:
    if not path.exists() or path.stat().st_size == 0:
        return True
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"


def summary(one: Journal) -> Record:
    """A release in one line: what, from what, by whom, how it ended, and what each step found."""
    plan = one.plan
    steps = [
        {name: record[name] for name in ("step", "way", "seconds", "evidence")}
        for record in one.records
        if record["what"] == DONE
    ]
    return {
        "id": one.id,
        "at": plan["at"],
        "kind": plan["kind"],
        "image": plan["image"],
        "before": plan["before"],
        "colour": plan["colour"],
        "by": plan["by"],
        "accepted": plan["accepted"],
        "outcome": one.outcome or f"unfinished at {one.at_step or 'its beginning'}",
        "why": one.why,
        "ended": next((record["at"] for record in one.records if record["what"] == ENDED), None),
        "steps": steps,
    }
