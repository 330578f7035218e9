"""One execution of a flow for one scheduled instant: a schedule that exists twice does its work once."""

from datetime import datetime

from sqlalchemy import func, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leitstand.db.models import FlowExecution

RUNNING, COMPLETE, FAILED, CRASHED, SKIPPED = "running", "complete", "failed", "crashed", "skipped"
# No flow takes so long: an execution that still runs then belongs to a process that was killed.
CRASHED_AFTER = text("interval '12 hours'")


def claim(session: Session, *, flow: str, scheduled_for: datetime, flow_run: str, trigger: str) -> bool:
    """Whether this flow run is the one that does the work of that instant.

    It is when nobody had it before, when it had it itself (it is being retried), or when whoever had it failed.

    Args:
        flow: the deployment's name.
        scheduled_for: the instant that the schedule names; for a manual start, when it was started.
        flow_run: the id of the run in Prefect, or another id that tells this run from every other.
        trigger: "schedule" or "manual".
    """
    _mark_crashed(session, flow)
    values = {"flow": flow, "scheduled_for": scheduled_for, "flow_run": flow_run, "trigger": trigger}
    fresh = insert(FlowExecution).values(values).on_conflict_do_nothing().returning(FlowExecution.flow)
    if session.execute(fresh).first() is not None:
        return True
    known = session.get_one(
        FlowExecution, (flow, scheduled_for), with_for_update=True, populate_existing=True
    )
    mine_again = known.flow_run == flow_run and known.status != COMPLETE
    if not mine_again and known.status not in {FAILED, CRASHED}:
        return False
    known.flow_run, known.status, known.error, known.finished_at = flow_run, RUNNING, "", None
    return True


def skip(
    session: Session, *, flow: str, scheduled_for: datetime, flow_run: str, trigger: str, reason: str
) -> None:
    """Record that nobody does the work of that instant, and why; one that somebody has is left alone."""
    values = {"flow": flow, "scheduled_for": scheduled_for, "flow_run": flow_run, "trigger": trigger}
    ended = {"status": SKIPPED, "error": reason, "finished_at": func.now()}
    session.execute(insert(FlowExecution).values(values | ended).on_conflict_do_nothing())


def _mark_crashed(session: Session, flow: str) -> None:
    statement = update(FlowExecution).where(
        FlowExecution.flow == flow,
        FlowExecution.status == RUNNING,
        FlowExecution.started_at < func.now() - CRASHED_AFTER,
    )
    session.execute(statement.values(status=CRASHED, finished_at=func.now()))


def crash_running(session: Session, before: datetime) -> None:
    """Mark every execution that began before and has not ended as crashed: for when its process can't run any more."""
    statement = update(FlowExecution).where(
        FlowExecution.status == RUNNING, FlowExecution.started_at < before
    )
    session.execute(statement.values(status=CRASHED, finished_at=func.now()))


def finish(session: Session, *, flow: str, scheduled_for: datetime, flow_run: str, error: str = "") -> None:
    """Record how the work of that instant ended; another run that took it over since is left alone."""
    statement = update(FlowExecution).where(
        FlowExecution.flow == flow,
        FlowExecution.scheduled_for == scheduled_for,
        FlowExecution.flow_run == flow_run,
    )
    session.execute(
        statement.values(status=FAILED if error else COMPLETE, error=error, finished_at=func.now())
    )
