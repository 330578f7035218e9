"""Operation over a period: restores proven, backups, data checks and executions of flows, held against the promises."""

from collections import defaultdict
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import Text, cast, func, select
from sqlalchemy.orm import Session

from leitstand.db.models import Backup, CheckRun, Drill, FlowExecution, JobFailure
from leitstand.health.evidence import PROVING, drills_since, proves_postgres
from leitstand.identity.access import Principal, require

PASSED = "passed"


def operations_between(
    session: Session, *, principal: Principal, start: datetime, end: datetime, now: datetime
) -> dict[str, Any]:
    """What happened from `start` to before `end` (instants).

    Returns:
        `drills` (rows: at, name, status, rpo_seconds, rto_seconds, error), `longest_without_proof` (seconds),
        `backups` (rows by kind: complete, failed, bytes, last), `checks` (runs, failed, failing suites),
        `flows` (rows by flow: complete, failed, crashed, running), `failed_attempts` of jobs.

    Raises:
        Forbidden: without `operations:read`.
    """
    require(principal, "operations:read")
    drills = [
        drill for drill in drills_since(session, principal=principal, since=start) if drill.started_at < end
    ]
    return {
        "drills": [_drill(drill) for drill in drills],
        "longest_without_proof": _longest_without_proof(session, drills, start, min(end, now)),
        "backups": _backups(session, start, end),
        "checks": _checks(session, start, end),
        "flows": _flows(session, start, end),
        "failed_attempts": _count(session, JobFailure.at, start, end),
    }


def _drill(drill: Drill) -> dict[str, Any]:
    return {
        "at": drill.started_at.isoformat(),
        "name": drill.kind,
        "status": drill.status,
        "rpo_seconds": drill.rpo_seconds,
        "rto_seconds": drill.rto_seconds,
        "error": drill.error,
    }


def _longest_without_proof(
    session: Session, drills: list[Drill], start: datetime, until: datetime
) -> float | None:
    """The longest stretch of the period in which no drill proved a restore of PostgreSQL, in seconds, counted from the proof before.

    None where the environment's first backup came later than the period.
    """
    first = session.scalar(select(func.min(Backup.started_at)))
    if first is None or first >= until:
        return None
    earlier = select(func.max(Drill.finished_at)).where(
        Drill.status == PASSED, Drill.kind.startswith(PROVING)
    )
    began = session.scalar(earlier.where(Drill.finished_at < start)) or max(first, start)
    proofs = sorted(
        drill.finished_at
        for drill in drills
        if drill.status == PASSED and drill.finished_at is not None and proves_postgres(drill)
    )
    marks = [began, *(mark for mark in proofs if mark <= until), until]
    return max((later - sooner).total_seconds() for sooner, later in pairwise(marks))


def _backups(session: Session, start: datetime, end: datetime) -> list[dict[str, Any]]:
    # Those that have gone since, by retention or without it, were taken all the same.
    complete = Backup.status.in_(("complete", "missing", "removing", "removed"))
    columns = (
        func.count().filter(complete),
        func.count().filter(Backup.status == "failed"),
        func.coalesce(func.sum(Backup.bytes).filter(complete), 0),
        func.max(Backup.finished_at).filter(complete),
    )
    found = select(Backup.kind, *columns).where(Backup.started_at >= start, Backup.started_at < end)
    return [
        {"kind": kind, "complete": done, "failed": failed, "bytes": int(size), "last": _iso(last)}
        for kind, done, failed, size, last in session.execute(
            found.group_by(Backup.kind).order_by(Backup.kind)
        )
    ]


def _checks(session: Session, start: datetime, end: datetime) -> dict[str, Any]:
    """Of the live database. A run has a row a suite."""
    within = CheckRun.target == "live", CheckRun.at >= start, CheckRun.at < end
    failed = CheckRun.success.is_(False)
    run = func.coalesce(func.nullif(CheckRun.result["run_id"].astext, ""), cast(CheckRun.id, Text))
    runs = select(func.count(run.distinct()), func.count(run.distinct()).filter(failed)).where(*within)
    ran, not_well = session.execute(runs).one()
    failing = select(CheckRun.suite).where(*within, failed).distinct().order_by(CheckRun.suite)
    return {"runs": ran, "failed": not_well, "failing": list(session.scalars(failing))}


def _flows(session: Session, start: datetime, end: datetime) -> list[dict[str, Any]]:
    statuses: dict[str, dict[str, int]] = defaultdict(dict)
    counted = select(FlowExecution.flow, FlowExecution.status, func.count()).where(
        FlowExecution.started_at >= start, FlowExecution.started_at < end
    )
    for flow, status, count in session.execute(counted.group_by(FlowExecution.flow, FlowExecution.status)):
        statuses[flow][status] = count
    names = "complete", "failed", "crashed", "running"
    return [
        {"flow": flow} | {name: statuses[flow].get(name, 0) for name in names} for flow in sorted(statuses)
    ]


def _count(session: Session, column: Any, start: datetime, end: datetime) -> int:
    return int(session.scalar(select(func.count()).where(column >= start, column < end)) or 0)


def _iso(value: datetime | None) -> str | None:
    return value.isoformat() if value else None
