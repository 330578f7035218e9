"""What a rehearsal has done: one line a step for people, one JSON document for whoever compares."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PASSED, FAILED, NOT_DONE = "passed", "failed", "not done"


class NotDone(Exception):
    """A step can't be done here; it is said, and never counts as passed."""


@dataclass
class Record:
    """The steps so far."""

    path: Path
    steps: list[dict[str, Any]] = field(default_factory=list)
    began: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def step(self, name: str, work: Callable[[], dict[str, Any] | None]) -> bool:
        """Do one step, note how long it took and what it found; whether it passed."""
        began, found, outcome = time.monotonic(), {}, PASSED
        try:
            found = work() or {}
        except NotDone as reason:
            outcome, found = NOT_DONE, {"why": str(reason)}
        except Exception as error:
            outcome, found = FAILED, {"why": f"{type(error).__name__}: {error}"}
        seconds = round(time.monotonic() - began, 1)
        self.steps.append({"step": name, "outcome": outcome, "seconds": seconds, **found})
        said = ", ".join(f"{key} {value}" for key, value in found.items())
        print(f"{outcome:<8} {seconds:>7.1f} s  {name}{': ' if said else ''}{said}", flush=True)
        self.write()
        return outcome == PASSED

    def write(self) -> None:
        """Write the document anew."""
        document = {"began": self.began, "cores": os.cpu_count(), "steps": self.steps}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(document, indent=2) + "\n")

    def count(self, outcome: str) -> int:
        """How many steps ended so."""
        return sum(step["outcome"] == outcome for step in self.steps)
