"""The independently computed truth beside each event log, and a count of what was compared with it.

What each figure means: demo/events/DEFINITIONS.md. Integers and text must be equal, decimals within 0.001.
"""

import csv
import gzip
import json
import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO
from uuid import UUID, uuid4

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from leitstand.db.engine import get_engine
from leitstand.db.models import Workspace
from leitstand.embedded.postgres import Cluster
from leitstand.events.importer import import_file
from leitstand.identity.workspaces import ensure_workspace
from tests.services import clone_database, leave_database, settings_for

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = (ROOT / "demo" / "events", ROOT.parent / "shared" / "data" / "events")
TOLERANCE = 0.001
# The activity of whoever completes a run by taking part in it.
JOINED = "JOINED"


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
    def rule(self) -> dict[str, Any]:
        """What completes a run by the truth; empty where nothing does."""
        found: dict[str, Any] = (self.figures["completion"] or {}).get("rule", {})
        return found

    @property
    def participants(self) -> int:
        """How many different actors complete a run by taking part; 0 where another rule holds."""
        return int(self.rule["value"]) if self.rule.get("kind") == "min_actors" else 0

    @property
    def end_steps(self) -> list[str]:
        """The activities that complete a run; an import has no other rule."""
        return [JOINED] if self.participants else list(self.rule.get("values", []))

    def importable(self, folder: Path) -> Path:
        """The log as an import can complete its runs.

        Where a run is completed by so many participants, the first event of the last of them gets an activity of its
        own, in a copy in `folder`: nothing else of the log is changed.
        """
        if not self.participants:
            return self.events_file
        path = folder / f"{self.figures['dataset']}.csv"
        seen: dict[str, set[str]] = {}
        with opened(self.events_file) as source, path.open("w", newline="") as out:
            rows = csv.DictReader(source)
            writer = csv.DictWriter(out, rows.fieldnames or [])
            writer.writeheader()
            for row in rows:
                actors = seen.setdefault(row["session_id"], set())
                before = len(actors)
                actors |= {row["actor_id"]} - {""}
                if before < len(actors) == self.participants:
                    row["activity"] = JOINED
                writer.writerow(row)
        return path

    @property
    def funnel(self) -> list[str]:
        return [row["step"] for row in self.figures.get("funnel") or []]


def opened(log: Path) -> TextIO:
    """A log as text, packed or not."""
    if log.suffix == ".gz":
        return gzip.open(log, "rt", newline="")  # type: ignore[return-value]
    return log.open(newline="")


# Databases of this process into which a log was imported, by its name, to be cloned from.
TEMPLATES: dict[str, str] = {}


def of_truth(cluster: Cluster, services: dict[str, object], truth: Truth) -> str:
    """A database into which the log was imported, in the workspace `truth`: imported once a process."""
    dataset = str(truth.figures["dataset"])
    if dataset not in TEMPLATES:
        name = f"truth_{uuid4().hex[:12]}"
        clone_database(cluster, name)
        settings_for(Path(str(services["data"])), int(str(services["port"])), name)
        with TemporaryDirectory() as folder:
            imported(get_engine(), truth, Path(folder))
        leave_database()
        TEMPLATES[dataset] = name
    return TEMPLATES[dataset]


def workspace_of_truth(session: Session) -> UUID:
    """The workspace of the log in a database that was cloned from `of_truth`."""
    return session.scalars(select(Workspace.id).where(Workspace.slug == "truth")).one()


def imported(engine: Engine, truth: Truth, folder: Path, slug: str = "truth") -> UUID:
    """The workspace of a log that was imported whole."""
    with Session(engine) as session, session.begin():
        made = ensure_workspace(session, slug=slug, zone=truth.zone).id
    result = import_file(
        engine, truth.importable(folder), workspace_id=made, complete=truth.end_steps, steps=truth.funnel
    )
    assert (result.counts.accepted, result.counts.refused) == (truth.figures["events"], 0)
    return made


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
