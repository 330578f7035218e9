"""What of a workspace's facts is copied, and what changed since: read in one snapshot, so that both agree."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from leitstand.insights.copy.facts import FACTS, Fact, month_of
from leitstand.insights.copy.snapshots import Snapshot

COPY = """
SELECT c.watermark::text::bigint, c.seen::text::bigint, c.generation,
       c.cluster = control.system_identifier::text AND c.watermark <= pg_snapshot_xmax(pg_current_snapshot()),
       extract(epoch FROM pg_postmaster_start_time())::bigint
FROM fact_copy AS c, pg_control_system() AS control WHERE c.workspace_id = '{workspace}'
"""
PARTS = """
SELECT fact, month, key, sha256, rows, bytes FROM fact_part WHERE workspace_id = '{workspace}' AND replaced_at IS NULL
"""
CHANGES = """
SELECT fact, day, count(*), max(changed)::text::bigint FROM fact_change
WHERE workspace_id = '{workspace}' AND changed >= '{since}' GROUP BY 1, 2
"""


@dataclass(frozen=True)
class Part:
    """One object of the copy: the rows of a fact's month."""

    fact: str
    month: date
    key: str
    sha256: str
    rows: int
    bytes: int


@dataclass(frozen=True)
class CopyState:
    """A copy and the days (UTC) whose rows are no longer what it holds.

    Args:
        watermark: the transaction before which everything is in the copy.
        seen: the one before which the copier has last looked.
        generation: how often it was made.
        parts: those of each fact, by month.
        changed: of each fact the changed days, and by which last transaction.
        version: tells this state of the facts from every other of the workspace.
    """

    workspace_id: UUID
    watermark: int
    seen: int
    generation: int
    parts: dict[str, list[Part]]
    changed: dict[str, dict[date, int]]
    version: tuple[int, ...]

    def days(self, fact: Fact) -> list[date]:
        """The changed days of a fact, in order."""
        return sorted(self.changed.get(fact.name, {}))

    def changed_days(self) -> set[date]:
        """The changed days of any fact."""
        return {day for days in self.changed.values() for day in days}

    def months(self) -> set[date]:
        """Every month that has rows, in the copy or since."""
        copied = {part.month for parts in self.parts.values() for part in parts}
        return copied | set(map(month_of, self.changed_days()))


def read_state(snapshot: Snapshot, workspace_id: UUID) -> CopyState | None:
    """The state of a workspace's copy; None where there is none, or one of another format or database.

    Transaction ids are a server's own: after a dump was loaded into another one they mean other transactions.
    """
    workspace = UUID(str(workspace_id))
    found = snapshot.rows(COPY.format(workspace=workspace))
    if not found or not found[0][3]:
        return None
    watermark, seen, generation, _, started = found[0]
    listed = [Part(*row) for row in snapshot.rows(PARTS.format(workspace=workspace))]
    parts = {fact.name: [part for part in listed if part.fact == fact.name] for fact in FACTS}
    if not all(part.key.split("/")[-3] == fact.format for fact in FACTS for part in parts[fact.name]):
        return None
    changes = snapshot.rows(CHANGES.format(workspace=workspace, since=watermark))
    changed = {fact.name: _reached(fact, changes) for fact in FACTS}
    # The log only grows until the next copy: as many entries of the same copy are the same entries. Unless the server was
    # set back to an earlier point in time, for which it must be started again.
    version = (started, watermark, generation, sum(count for _, _, count, _ in changes))
    return CopyState(workspace, watermark, seen, generation, parts, changed, version)


def _reached(fact: Fact, changes: list[tuple[Any, ...]]) -> dict[date, int]:
    """The days of a fact whose rows are no longer what the copy holds, and by which last transaction."""
    found: dict[date, int] = {}
    for name, changed, _, last in changes:
        for day in fact.reached(changed) if name == fact.name else ():
            found[day] = max(last, found.get(day, 0))
    return found
