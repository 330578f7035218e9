"""What the operations dashboard shows, each question asked once."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from leitstand.backups.catalogue import last_proven, list_backups, newest_complete
from leitstand.catalogue.operations import BACKUP_KINDS
from leitstand.checks.history import PastRun, latest
from leitstand.db.models import Backup, Drill, FlowExecution
from leitstand.health.evidence import (
    Chain,
    chain_of_evidence,
    drills_since,
    executions_by_status,
    executions_since,
    last_passed,
)
from leitstand.identity.access import Principal

SHOWN = 25


@dataclass(frozen=True)
class Evidence:
    """What there is to see of a period.

    Args:
        backups: the newest 25, newest first.
        newest: the newest complete backup by kind; kinds without any are missing.
        drills: those of the period, oldest first.
        executions: of flows in the period, newest first.
        by_status: how many executions of the period there were.
        checks: the newest 25 runs of data checks, newest first.
        proven: when a restore was last proven; None when that never happened.
        passed: when each kind of drill last proved one.
        chain: of the evidence.
        as_of: when all this was read.
    """

    backups: list[Backup]
    newest: dict[str, Backup]
    drills: list[Drill]
    executions: list[FlowExecution]
    by_status: dict[str, int]
    checks: list[PastRun]
    proven: datetime | None
    passed: dict[str, datetime]
    chain: Chain
    as_of: datetime


def ask(session: Session, *, principal: Principal, period: timedelta) -> Evidence:
    """Read the evidence of the last `period`.

    Raises:
        Forbidden: without `operations:read`.
    """
    now = datetime.now(UTC)
    since = now - period
    found = {kind: newest_complete(session, kind) for kind in BACKUP_KINDS}
    return Evidence(
        backups=list_backups(session, limit=SHOWN),
        newest={kind: backup for kind, backup in found.items() if backup is not None},
        drills=drills_since(session, principal=principal, since=since),
        executions=executions_since(session, principal=principal, since=since),
        by_status=executions_by_status(session, principal=principal, since=since),
        checks=latest(session, limit=SHOWN),
        proven=last_proven(session),
        passed=last_passed(session, principal=principal),
        chain=chain_of_evidence(session, principal=principal),
        as_of=now,
    )
