"""The independently computed truth beside each event log, and a count of what was compared with it.

What each figure means: demo/events/DEFINITIONS.md. Integers and text must be equal, decimals within 0.001.
"""

import csv
import json
import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = (ROOT / "demo" / "events", ROOT.parent / "shared" / "data" / "events")
TOLERANCE = 0.001


@dataclass(frozen=True)
class Truth:
    """One event log and its truth."""

    folder: Path

    @cached_property
    def figures(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "truth.json").read_text())
        return found

    @property
    def ours(self) -> dict[str, Any]:
        """The figures by the project's own definitions."""
        found: dict[str, Any] = self.figures["project_definitions"]
        return found

    def series(self, name: str) -> list[dict[str, str]]:
        """The rows of a table in truth_series."""
        with (self.folder / "truth_series" / f"{name}.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    @property
    def events_file(self) -> Path:
        return self.folder / "events.csv.gz"

    @property
    def zone(self) -> str:
        return str(self.figures["local_timezone"])

    @property
    def end_steps(self) -> list[str]:
        """The activities that complete a run; an import has no other rule."""
        rule = (self.figures["completion"] or {}).get("rule", {})
        return list(rule["values"]) if rule.get("kind") == "activity" else []

    @property
    def funnel(self) -> list[str]:
        return [row["step"] for row in self.figures.get("funnel") or []]

    @property
    def completion_is_ours(self) -> bool:
        """Whether what depends on completion can be compared: there is no rule, or one that an import knows."""
        return self.figures["completion"] is None or bool(self.end_steps)


def truths() -> list[Truth]:
    """The sets that the repository carries, and those beside it that are others."""
    found: dict[str, Truth] = {}
    for folder in FOLDERS:
        for path in sorted(folder.glob("*/truth.json")):
            truth = Truth(path.parent)
            found.setdefault(truth.figures["events_csv_gz_sha256"], truth)
    return list(found.values())


@dataclass
class Comparison:
    """Compares figures one by one, and counts them."""

    count: int = 0
    differences: list[str] = field(default_factory=list)

    def equal(self, name: str, ours: Any, theirs: Any) -> None:
        """Note whether a figure (or each in a list or table) is what it should be."""
        if isinstance(theirs, (list, tuple)):
            self.equal(f"{name}: length", len(ours), len(theirs))
            for place, (left, right) in enumerate(zip(ours, theirs, strict=False)):
                self.equal(f"{name}[{place}]", left, right)
            return
        if isinstance(theirs, dict):
            for key, value in theirs.items():
                self.equal(f"{name}.{key}", ours[key], value)
            return
        self.count += 1
        if not _equal(ours, theirs):
            self.differences.append(f"{name}: {ours!r} where the truth is {theirs!r}")


def _equal(ours: Any, theirs: Any) -> bool:
    if isinstance(theirs, float) and isinstance(ours, (int, float)):
        return math.isclose(ours, theirs, rel_tol=0, abs_tol=TOLERANCE)
    return type(ours) is type(theirs) and bool(ours == theirs)
