"""How the work behind the pages went: jobs of the queue and executions of flows, by outcome, with their durations."""

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Float, cast, func, select, text
from sqlalchemy.orm import Session

from leitstand.db.models import FlowExecution
from leitstand.identity.access import Principal, require
from leitstand.jobs.flow_executions import COMPLETE, CRASHED, FAILED, RUNNING
from leitstand.words import from_stored

if TYPE_CHECKING:
    import pandas as pd

# A job's time is that of its last attempt: from its newest start to its end.
JOBS = text("""
    WITH job AS (
        SELECT job.id, job.task_name AS name, job.status::text AS status,
               min(event.at) FILTER (WHERE event.type = 'deferred') AS asked_at,
               max(event.at) FILTER (WHERE event.type = 'started') AS started_at,
               max(event.at) FILTER (WHERE event.type IN ('succeeded', 'failed')) AS ended_at
        FROM procrastinate_jobs AS job JOIN procrastinate_events AS event ON event.job_id = job.id
        GROUP BY job.id
    )
    SELECT name, count(*) FILTER (WHERE status = 'succeeded') AS succeeded,
           count(*) FILTER (WHERE status IN ('failed', 'aborted')) AS failed,
           count(*) FILTER (WHERE status IN ('todo', 'doing')) AS waiting,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - started_at))
               FILTER (WHERE status = 'succeeded') AS median,
           percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - started_at))
               FILTER (WHERE status = 'succeeded') AS p95,
           coalesce((SELECT failure.reason FROM job_failure AS failure JOIN job AS failed ON failed.id = failure.job_id
                     WHERE failed.name = job.name AND failure.at >= :since AND failure.at < :until
                     ORDER BY failure.at DESC LIMIT 1), '') AS reason
    FROM job WHERE asked_at >= :since AND asked_at < :until GROUP BY name ORDER BY name COLLATE "C"
""")


def job_outcomes(
    session: Session, *, principal: Principal, since: datetime, until: datetime
) -> "pd.DataFrame":
    """The queue's jobs that were asked for in a time, by name.

    Returns:
        Columns `name`, `succeeded`, `failed`, `waiting` (or running), `median` and `p95` (seconds of the succeeded
        ones' last attempt; NaN without), `reason` (of the newest failed attempt; empty without).

    Raises:
        Forbidden: without `operations:read`.
    """
    import pandas as pd

    require(principal, "operations:read")
    result = session.execute(JOBS, {"since": since, "until": until})
    found = pd.DataFrame(result.fetchall(), columns=list(result.keys()))
    found["reason"] = pd.Series([from_stored(reason) for reason in found["reason"]], dtype=object)
    return found.astype({"median": "float64", "p95": "float64"})


def flow_outcomes(
    session: Session, *, principal: Principal, since: datetime, until: datetime
) -> "pd.DataFrame":
    """The executions of flows that began in a time, by flow.

    Returns:
        Columns `flow`, `complete`, `failed` (or crashed), `running`, `median` and `p95` (seconds of the complete ones;
        NaN without), `reason` (of one that failed; empty without).

    Raises:
        Forbidden: without `operations:read`.
    """
    import pandas as pd

    require(principal, "operations:read")
    complete = FlowExecution.status == COMPLETE
    failed = FlowExecution.status.in_((FAILED, CRASHED))
    seconds = func.extract("epoch", FlowExecution.finished_at - FlowExecution.started_at)
    median, p95 = (
        cast(func.percentile_cont(share).within_group(seconds).filter(complete), Float)
        for share in (0.5, 0.95)
    )
    statement = (
        select(
            FlowExecution.flow,
            func.count().filter(complete).label("complete"),
            func.count().filter(failed).label("failed"),
            func.count().filter(FlowExecution.status == RUNNING).label("running"),
            median.label("median"),
            p95.label("p95"),
            func.coalesce(func.max(FlowExecution.error).filter(failed), "").label("reason"),
        )
        .where(FlowExecution.started_at >= since, FlowExecution.started_at < until)
        .group_by(FlowExecution.flow)
        .order_by(FlowExecution.flow)
    )
    result = session.execute(statement)
    rows = result.all()
    found = pd.DataFrame(rows, columns=list(result.keys()))
    found["reason"] = pd.Series([row.reason for row in rows], dtype=object)
    return found.astype({"median": "float64", "p95": "float64"})
