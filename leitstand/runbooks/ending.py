"""What every drill and runbook ends with, whatever it did."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from leitstand.runbooks.evidence import Evidence
from leitstand.runbooks.taking_up import TakenUp

if TYPE_CHECKING:
    import pandas as pd


class Evidenced:
    """A run with what it works with and what it has found."""

    work: TakenUp
    evidence: Evidence

    def end(self) -> "pd.DataFrame":
        """Every check; gives back the lock."""
        self.evidence.save()
        self.work.release()
        return self.evidence.table()

    @property
    def failures(self) -> list[str]:
        """What failed, in words; empty when nothing did."""
        return self.evidence.failures


class Rehearsal(Evidenced):
    """A drill: it has proven something only when it came to its verdict."""

    def verdict(self) -> "pd.DataFrame":
        """Every check; kept for whoever archives the notebook."""
        self.evidence.figures["ended_at"] = datetime.now(UTC).isoformat()
        return self.end()
