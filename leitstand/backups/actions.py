"""What a person does with backups: look at one and why it stays, keep it, have it verified, have retention carried out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.backups import entries
from leitstand.backups.catalogue import COMPLETE, MISSING, get_backup
from leitstand.backups.conditions import Window, current_window
from leitstand.backups.pruning import Proposal, propose
from leitstand.backups.retention import Verdict
from leitstand.db.models import Backup, PruneRun
from leitstand.errors import Conflict, InvalidInput, LeitstandError
from leitstand.identity import audit
from leitstand.identity.access import Principal, require
from leitstand.jobs.queue import enqueue
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.telemetry.logs import get_logger
from leitstand.words import msg

log = get_logger("backups")


@dataclass(frozen=True)
class Overview:
    """Retention as an operator sees it: the plan, each backup's verdict by id, the window, and the last runs."""

    proposal: Proposal
    verdicts: dict[str, Verdict]
    window: Window
    runs: list[PruneRun]


@dataclass(frozen=True)
class Shown:
    """One backup: its row, its verdict (None where it is not judged), and until when any second after it can be restored.

    Args:
        from_: the first instant that it can be restored to; None where it can't be restored.
        open_end: any second since then; else its own end alone.
    """

    backup: Backup
    verdict: Verdict | None
    from_: datetime | None
    open_end: bool

    def to_dict(self) -> dict[str, Any]:
        """JSON values: `retention` and `recovery_window`."""
        return {
            "retention": self.verdict.to_dict() if self.verdict else None,
            "recovery_window": {
                "from": self.from_.isoformat() if self.from_ else None,
                "to": ("now" if self.open_end else self.from_.isoformat()) if self.from_ else None,
            },
        }


def overview(session: Session, settings: Settings, *, principal: Principal, runs: int = 5) -> Overview:
    """Retention now.

    Raises:
        Forbidden: without `operations:read`.
        NotFound, Unavailable, PreconditionFailed: as the store says.
    """
    require(principal, "operations:read")
    proposal = propose(session, settings)
    newest = select(PruneRun).order_by(PruneRun.started_at.desc(), PruneRun.id.desc()).limit(runs)
    return Overview(
        proposal,
        {verdict.id: verdict for verdict in proposal.plan.verdicts},
        current_window(session, settings),
        list(session.scalars(newest)),
    )


def show(session: Session, settings: Settings, backup_id: UUID | str, *, principal: Principal) -> Shown:
    """One backup with its recovery window and why it stays.

    Raises:
        Forbidden: without `operations:read`.
        NotFound: there is none.
    """
    require(principal, "operations:read")
    backup = get_backup(session, backup_id)
    proposal = propose(session, settings)
    verdicts = {verdict.id: verdict for verdict in proposal.plan.verdicts}
    entry = next((entry for entry in proposal.entries if entry.id == str(backup.id)), None)
    if entry is None or backup.status != COMPLETE:
        return Shown(backup, verdicts.get(str(backup.id)), None, False)
    open_end = proposal.plan.has_log_since(entry)
    return Shown(backup, verdicts[entry.id], entry.at, open_end)


def keep(
    session: Session, settings: Settings, backup_id: UUID | str, *, kept: bool, principal: Principal
) -> Backup:
    """Mark a backup as kept, or not any more, in both catalogues: where they differ the mark counts.

    Raises:
        Forbidden: without `backup:run`; to give up a mark, without `backup:prune`.
        NotFound: there is none.
        Conflict: it is not there, or is being removed.
        Unavailable, PreconditionFailed: the store does not take it that the mark is given up; one that is set stands.
    """
    require(principal, "backup:run" if kept else "backup:prune")
    backup = get_backup(session, backup_id)
    session.refresh(backup, with_for_update=True)
    if backup.status not in (COMPLETE, MISSING):
        raise Conflict(
            msg("Backup {id} is {status}.", id=backup.id, status=backup.status),
            hint="Only a complete backup can be kept.",
        )
    if backup.kept == kept:
        return backup
    backup.kept = kept
    audit.record(
        session,
        principal=principal,
        action="backup.keep" if kept else "backup.unkeep",
        target=f"backup:{backup.id}",
        before={"kept": not kept},
        after={"kept": kept},
    )
    try:
        entries.store(ObjectStorage(settings), settings.bucket_backups, backup)
    except LeitstandError as error:
        if not kept:
            raise
        log.warning("mark not yet beside the backups", backup=str(backup.id), reason=error.message)
    return backup


def start_verification(session: Session, backup_id: UUID | str, *, principal: Principal) -> int:
    """Have the queue worker verify a backup; the number of the job.

    Raises:
        Forbidden: without `backup:run`.
        NotFound, Conflict: there is none, or it is not complete.
    """
    require(principal, "backup:run")
    backup = get_backup(session, backup_id)
    if backup.status != COMPLETE:
        raise Conflict(msg("Backup {id} is {status}, not complete.", id=backup.id, status=backup.status))
    number = enqueue(session, "operations.verify", backup_id=str(backup.id))
    audit.record(
        session,
        principal=principal,
        action="backup.verify",
        target=f"backup:{backup.id}",
        after={"job": number},
    )
    return number


def start_prune(session: Session, settings: Settings, *, plan: str, name: str, principal: Principal) -> int:
    """Have the queue worker carry out a plan that was seen; the number of the job.

    Args:
        plan: its hash.
        name: the bucket's name, typed.

    Raises:
        Forbidden: without `backup:prune`.
        InvalidInput: that is not the bucket's name.
        Conflict: the plan is another one by now.
    """
    require(principal, "backup:prune")
    refuse_other_name(name, settings.bucket_backups)
    proposal = propose(session, settings)
    if plan != proposal.plan.sha256:
        raise Conflict("The plan has changed since it was shown.", hint="Look at it again.")
    who = principal.actor
    number = enqueue(session, "operations.prune", plan=plan, requested_by=who)
    after = {"plan": plan, "backups": len(proposal.plan.removed), "job": number}
    audit.record(
        session,
        principal=principal,
        action="backup.prune",
        target=f"bucket:{settings.bucket_backups}",
        after=after,
    )
    return number


def refuse_other_name(typed: str, expected: str) -> None:
    """What destroys something asks for its name, so that nobody does it in passing.

    Raises:
        InvalidInput: another name was typed.
    """
    if typed.strip() != expected:
        raise InvalidInput(
            msg("{typed!r} is not the name of what this is about.", typed=typed.strip()),
            hint=msg("Type {expected} to go on.", expected=expected),
        )
