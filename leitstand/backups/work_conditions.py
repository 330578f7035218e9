"""Conditions about work: backups that are too old or fail, drills, scheduled flows and jobs. Asks the database alone."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select, text
from sqlalchemy.orm import Session, aliased

from leitstand.backups.catalogue import FAILED, KINDS
from leitstand.backups.condition import Condition, written
from leitstand.backups.known import Known, KnownKind
from leitstand.backups.retention import RUNNING
from leitstand.db.models import Drill, FlowExecution
from leitstand.jobs.flow_executions import CRASHED, SKIPPED
from leitstand.jobs.flow_executions import FAILED as FLOW_FAILED
from leitstand.words import N_, msg, said

# A day and a bit for what is nightly; objects are copied hourly.
DAY = timedelta(hours=26)
LATEST = {"postgres": DAY, "objects": timedelta(hours=2), "secrets": DAY}
WEEKLY = timedelta(days=8)
PROVEN_WITHIN = DAY
# Attempts of a task follow each other within minutes; what has still failed then needs a person.
FAILED_FOR = timedelta(minutes=5)
# Failures of jobs stay in the table until someone retries or deletes them; older ones are history.
JOBS_SHOWN = timedelta(days=1)
FLOW = "flow-failed"
JOBS = text("""
    SELECT job.task_name, count(*) FROM procrastinate_jobs AS job
    WHERE job.status = 'failed' AND EXISTS (
        SELECT 1 FROM procrastinate_events AS event WHERE event.job_id = job.id AND event.type = 'failed'
        AND event.at BETWEEN :since AND :until)
    GROUP BY job.task_name ORDER BY job.task_name
""")


def work_conditions(session: Session, known: Known, now: datetime) -> list[Condition]:
    """What is wrong with backups, drills, flows and jobs, in this order."""
    found: list[Condition] = []
    for kind in KINDS:
        of_kind = known[kind]
        found += [*_backup_late(of_kind, kind, now), *_backup_failed(of_kind, kind, now)]
        found += _backup_damaged(of_kind, kind)
    found += [
        *_proof_late(known["postgres"], now),
        *_drills_failed(session, now),
        *_jobs_failed(session, now),
    ]
    return [*found, *_flows_failed(session, now)]


def untold(found: list[Condition], told: list[Condition]) -> list[Condition]:
    """Without the flows whose failure another condition tells in the same words: a backup's, a drill's, retention's."""
    reasons = [_why(condition.says) for condition in (*told, *found) if condition.name != FLOW]
    return [
        one for one in found if one.name != FLOW or not any(map(one.says.endswith, filter(None, reasons)))
    ]


def _why(says: str) -> str:
    """What a condition gives as the reason, after its first colon."""
    return says.partition(": ")[2]


def _backup_late(known: KnownKind, kind: str, now: datetime) -> Iterator[Condition]:
    """Counted from the newest complete one, or from the first that was ever tried: a new environment owes nothing yet."""
    newest = known.complete.finished_at if known.complete else None
    since = newest or known.first_begun
    latest = LATEST.get(kind, WEEKLY)
    if since is None or now - since <= latest:
        return
    last = (
        msg("The newest backup of {kind} is from {when}", kind=kind, when=written(newest))
        if newest
        else msg("No backup of {kind} was ever completed", kind=kind)
    )
    yield Condition(
        "backup-late",
        msg("{last}; it should be at most {hours} old.", last=last, hours=_hours(latest)),
        msg(
            "See what holds it up: `leitstand flow list`, `leitstand backup list`; take one: `leitstand backup run {kind}`.",
            kind=kind,
        ),
    )


def _backup_failed(known: KnownKind, kind: str, now: datetime) -> Iterator[Condition]:
    last = known.ended
    if last is None or last.status != FAILED or _lately(last.finished_at, now):
        return
    yield Condition(
        "backup-failed",
        msg(
            "The last backup of {kind}, begun {when}, failed: {error}",
            kind=kind,
            when=written(last.started_at),
            error=said(last.error),
        ),
        msg("Mend what it names, then take one: `leitstand backup run {kind}`.", kind=kind),
    )


def _backup_damaged(known: KnownKind, kind: str) -> Iterator[Condition]:
    """Of the newest one, from which a restore would start."""
    newest = known.complete
    verdict = (newest.manifest.get("verification") or {}) if newest else {}
    if newest and verdict.get("ok") is False:
        yield Condition(
            "backup-damaged",
            msg(
                "The newest backup of {kind}, {id}, is not what was stored: {error}",
                kind=kind,
                id=newest.id,
                error=verdict.get("error"),
            ),
            msg(
                "Take a new one at once: `leitstand backup run {kind}`; then find out what changes the bucket.",
                kind=kind,
            ),
        )


def _proof_late(known: KnownKind, now: datetime) -> Iterator[Condition]:
    proven = known.verified_at
    since = proven or known.first_stored
    if since is None or now - since <= PROVEN_WITHIN:
        return
    last = (
        msg("The last proven restore is of {when}", when=written(proven))
        if proven
        else N_("No restore was ever proven")
    )
    yield Condition(
        "proof-late",
        msg("{last}; it should be at most {hours} old.", last=said(last), hours=_hours(PROVEN_WITHIN)),
        "Rehearse one: `leitstand drill run postgres-latest`.",
    )


def _drills_failed(session: Session, now: datetime) -> Iterator[Condition]:
    later = aliased(Drill)
    superseded = select(later.id).where(
        later.kind == Drill.kind, later.started_at > Drill.started_at, later.status != RUNNING
    )
    query = select(Drill).where(Drill.status == FAILED, ~superseded.exists()).order_by(Drill.kind)
    for drill in session.scalars(query):
        if not _lately(drill.finished_at, now):
            yield Condition(
                "drill-failed",
                msg(
                    "The last run of {kind}, begun {when}, failed: {error}",
                    kind=drill.kind,
                    when=written(drill.started_at),
                    error=said(drill.error),
                ),
                msg(
                    "Its evidence is under /operations/drills/{id}; mend what it names and run it again.",
                    id=drill.id,
                ),
            )


def _flows_failed(session: Session, now: datetime) -> Iterator[Condition]:
    later = aliased(FlowExecution)
    ended: ColumnElement[bool] = later.status.not_in((RUNNING, SKIPPED))
    superseded = select(later.flow).where(
        later.flow == FlowExecution.flow, later.started_at > FlowExecution.started_at, ended
    )
    failed = FlowExecution.status.in_((FLOW_FAILED, CRASHED))
    query = select(FlowExecution).where(failed, ~superseded.exists()).order_by(FlowExecution.flow)
    for execution in session.scalars(query):
        if _lately(execution.finished_at, now):
            continue
        why = {
            "kind": execution.flow,
            "when": written(execution.started_at),
            "error": said(execution.error or N_("its process was ended")),
        }
        yield Condition(
            FLOW,
            msg("The last run of {kind}, begun {when}, failed: {error}", **why)
            if execution.status == FLOW_FAILED
            else msg("The last run of {kind}, begun {when}, crashed: {error}", **why),
            msg("Mend what it names, then run it again: `leitstand flow run {flow}`.", flow=execution.flow),
        )


def _jobs_failed(session: Session, now: datetime) -> Iterator[Condition]:
    found = session.execute(JOBS, {"since": now - JOBS_SHOWN, "until": now - FAILED_FOR}).all()
    if found:
        yield Condition(
            "jobs-failed",
            msg(
                "Jobs have failed for good within a day: {names}.",
                names=", ".join(f"{count} × {name}" for name, count in found),
            ),
            "`leitstand worker jobs --status failed` says why; `leitstand worker retry ID` tries one again.",
        )


def _lately(at: datetime | None, now: datetime) -> bool:
    return at is not None and now - at < FAILED_FOR


def _hours(span: timedelta) -> str:
    return f"{span.total_seconds() / 3600:.0f} h"
