"""How a run went, and how the catalogue's rows are shown."""

from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from leitstand.db.models import Drill


@dataclass(frozen=True)
class DrillResult:
    """How a drill or a runbook went.

    Args:
        ok: every cell ran, every check passed, no secret was printed, the evidence of a drill is archived.
        rpo_seconds: work that would have been lost; rto_seconds: until connections were accepted; None when it
            never came to that.
        notebook, html: s3:// addresses of the evidence; paths, where the store did not answer.
        checks: name, verdict (passed, failed or skipped) and detail of each.
        error: why it failed, empty when it did not.
        waiting: where the evidence waits and why, when it did not come into the catalogue yet.
    """

    ok: bool
    drill_id: UUID
    name: str
    backup_id: UUID | None
    rpo_seconds: float | None
    rto_seconds: float | None
    notebook: str
    html: str
    notebook_sha256: str
    html_sha256: str
    chain_sha256: str
    seconds: float
    error: str
    checks: list[dict[str, Any]] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    waiting: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The `--json` document."""
        return {
            **asdict(self),
            "drill_id": str(self.drill_id),
            "backup_id": str(self.backup_id) if self.backup_id else None,
        }


def public(drill: Drill) -> dict[str, Any]:
    """A drill of the catalogue as the `--json` documents show it."""
    return {
        "id": str(drill.id),
        "kind": drill.kind,
        "category": drill.category,
        "requested_by": drill.requested_by,
        "parameters": drill.parameters,
        "resumed_from": str(drill.resumed_from) if drill.resumed_from else None,
        "backup_id": str(drill.backup_id) if drill.backup_id else None,
        "status": drill.status,
        "started_at": drill.started_at.isoformat(),
        "finished_at": drill.finished_at.isoformat() if drill.finished_at else None,
        "rpo_seconds": drill.rpo_seconds,
        "rto_seconds": drill.rto_seconds,
        "notebook": drill.notebook,
        "html": drill.html,
        "notebook_sha256": drill.notebook_sha256,
        "chain_sha256": drill.chain_sha256,
        "figures": drill.figures,
        "error": drill.error,
    }
