"""The rows of runs in the catalogue: begun, ended without evidence, or kept with the evidence that was archived."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.db.models import Backup, Drill
from leitstand.runbooks.chain import Link
from leitstand.runbooks.pending import RUNBOOK, Note
from leitstand.telemetry.logs import get_logger
from leitstand.words import N_, from_stored, joined, msg, said

WAITING, RUNNING = "waiting", "running"
PASSED, FAILED, INTERRUPTED = "passed", "failed", "interrupted"
# Figure in which a run that restored further backups names them.
ALSO_PROVEN = "also_proven"
KILLED = N_("The process that ran it ended before it was complete.")

log = get_logger("drills")


def begin(session: Session, note: Note) -> Drill:
    """The row of a run that begins; the one that is there already, where there is one."""
    row = session.get(Drill, note.run_id)
    if row is None:
        row = Drill(id=note.run_id, kind=note.name, started_at=note.began, status=RUNNING)
        session.add(row)
    if row.status == WAITING:
        row.status, row.started_at = RUNNING, note.began
    row.category, row.requested_by, row.parameters = note.category, note.requested_by, note.parameters
    row.lineage, row.resumed_from = note.lineage, note.resumed_from
    row.backup_id = note.backup_id if note.backup_id and session.get(Backup, note.backup_id) else None
    return row


def end(session: Session, note: Note, *, status: str, error: str) -> None:
    """A run that left no evidence."""
    row = begin(session, note)
    row.status, row.error, row.finished_at = status, error, datetime.now(UTC)


def keep(session: Session, record: dict[str, Any], link: Link) -> Drill:
    """The row of a run as its record says, whichever process or machine wrote that."""
    row = begin(session, Note.of(record))
    row.status, row.error = (FAILED, _error_of(record)) if record["error"] else (PASSED, "")
    row.finished_at = datetime.fromisoformat(record["finished"])
    figures = record["figures"]
    row.rpo_seconds, row.rto_seconds = figures.get("rpo_seconds"), figures.get("rto_seconds")
    row.notebook, row.html = link.content["notebook"], link.content["html"]
    row.notebook_sha256, row.chain_sha256 = link.content["notebook_sha256"], link.sha256
    row.figures = {
        **figures,
        "steps": record["steps"],
        **({"journal": record["journal"]} if record.get("journal") else {}),
        "checks": record["checks"],
        "html_sha256": link.content["html_sha256"],
    }
    session.flush()
    return row


def _error_of(record: dict[str, Any]) -> str:
    """Why a run failed; where that is its checks alone, so that it can be said in another language."""
    failed = [check for check in record["checks"] if check["verdict"] == FAILED]
    told = [
        msg(
            "{name}: {problem}",
            name=said(check["name"]),
            problem=said(from_stored(check.get("said") or check["detail"])),
        )
        for check in failed
    ]
    words = joined(*told, between="; ") if told else ""
    return words if words == record["error"] else str(record["error"])


def proven_backups(session: Session, run_id: UUID) -> list[Backup]:
    """The backups that this run restored and found good, marked as that."""
    row = session.get_one(Drill, run_id)
    at = row.finished_at
    if row.status != PASSED or at is None:
        return []
    ids = [row.backup_id, *map(UUID, row.figures.get(ALSO_PROVEN, []))]
    found = [session.get(Backup, one) for one in ids if one]
    newly = [one for one in found if one and (one.verified_at is None or one.verified_at < at)]
    for backup in newly:
        backup.verified_at = at
    return newly


def refuse(session: Session, run_id: UUID, *, reason: str) -> None:
    """A run that waited and could not begin."""
    row = session.get(Drill, run_id)
    if row is not None and row.status == WAITING:
        row.status, row.error, row.finished_at = FAILED, reason, datetime.now(UTC)


def tell(session: Session, run_id: UUID, progress: dict[str, Any]) -> None:
    """Where a run is, for who follows it; a run without a row is followed at its terminal alone."""
    row = session.get(Drill, run_id)
    if row is not None:
        row.figures = {**row.figures, "progress": progress}


def end_left_running(session: Session) -> None:
    """Whoever holds the lock knows: a run that is still called running was killed."""
    for row in session.scalars(select(Drill).where(Drill.status == RUNNING)):
        log.error("run marked as ended", drill=str(row.id), reason="its process ended")
        row.status, row.error = ended_status(row.category), KILLED
        row.finished_at = datetime.now(UTC)


def ended_status(category: str) -> str:
    """What a run is called that was cut short: a runbook can be resumed, a drill is made again."""
    return INTERRUPTED if category == RUNBOOK else FAILED
