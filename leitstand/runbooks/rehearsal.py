"""What every drill ends with, whatever it restored."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from leitstand.runbooks.evidence import Evidence
from leitstand.runbooks.taking_up import TakenUp

if TYPE_CHECKING:
    import pandas as pd


class Rehearsal:
    """A drill with what it works with and what it has found."""

    work: TakenUp
    evidence: Evidence

    def verdict(self) -> "pd.DataFrame":
        """Every check; kept for whoever archives the notebook."""
        self.evidence.figures["ended_at"] = datetime.now(UTC).isoformat()
        self.evidence.save()
        self.work.release()
        return self.evidence.table()

    @property
    def failures(self) -> list[str]:
        """What failed, in words; empty when the restore is proven."""
        return self.evidence.failures
