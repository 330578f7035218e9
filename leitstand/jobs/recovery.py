"""Take back the jobs of workers that died, and forget jobs that ended long ago."""

from collections.abc import Sequence

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from leitstand.jobs.failures import keep
from leitstand.jobs.queue import IDENTITY
from leitstand.jobs.registry import DEFAULT_ATTEMPTS, registered
from leitstand.words import N_

STALLED_AFTER_SECONDS = 30.0
KEEP_DONE_DAYS = 7
KEEP_FAILED_DAYS = 90
WORKER_DIED = N_("The worker that ran it died.")

# A job is its worker's as long as the worker's heartbeat is fresh. SKIP LOCKED: two workers may look at once.
STALLED = text("""
    SELECT job.id, job.task_name, job.attempts, job.args
    FROM procrastinate_jobs AS job LEFT JOIN procrastinate_workers AS worker ON worker.id = job.worker_id
    WHERE job.status = 'doing' AND (job.worker_id IS NULL OR NOT job.worker_id = ANY(CAST(:own AS bigint[])))
      AND (worker.id IS NULL OR worker.last_heartbeat < now() - make_interval(secs => :seconds))
      AND (CAST(:only AS bigint[]) IS NULL OR job.id = ANY(:only))
    FOR UPDATE OF job SKIP LOCKED
""")
GIVE_BACK = text("""
    SELECT procrastinate_retry_job_v2(job.id, now(), NULL, NULL, NULL)
    FROM (SELECT id FROM procrastinate_jobs WHERE id = ANY(:ids) AND status = 'doing' FOR UPDATE) AS job
""")
RETRY = text("SELECT procrastinate_retry_job_v2(:id, now(), NULL, NULL, NULL)")
FAIL = text("SELECT procrastinate_finish_job_v1(:id, 'failed', false)")
OLD = text("""
    WITH gone AS (
        DELETE FROM procrastinate_jobs AS job
        WHERE job.status IN ('succeeded', 'failed', 'cancelled', 'aborted') AND (
            SELECT max(event.at) FROM procrastinate_events AS event WHERE event.job_id = job.id
        ) < now() - make_interval(days => CASE WHEN job.status = 'failed' THEN :failed ELSE :done END)
        RETURNING job.id
    ), reasons AS (DELETE FROM job_failure USING gone WHERE job_failure.job_id = gone.id)
    SELECT count(*) FROM gone
""")


def requeue_stalled(
    session: Session,
    *,
    own_workers: Sequence[int] = (),
    after_seconds: float = STALLED_AFTER_SECONDS,
    only: list[int] | None = None,
) -> list[int]:
    """Give the jobs of dead workers back to the queue; one that has used up its attempts fails instead.

    Args:
        own_workers: the queue's ids of the worker that asks, whose jobs are left alone.
        after_seconds: silence after which a worker counts as dead.
        only: numbers of jobs; None: all of them.

    Returns:
        The numbers of the jobs that were taken back or failed.
    """
    stalled = session.execute(
        STALLED, {"own": list(own_workers), "seconds": after_seconds, "only": only}
    ).all()
    for job in stalled:
        _take_back(session, job)
    return [job.id for job in stalled]


def _take_back(session: Session, job: Row[tuple[int, str, int, dict[str, dict[str, str]]]]) -> None:
    known = registered().get(job.task_name)
    attempts, attempt = known.attempts if known else DEFAULT_ATTEMPTS, job.attempts + 1
    request_id = (job.args.get(IDENTITY) or {}).get("request_id", "")
    keep(session, job_id=job.id, attempt=attempt, reason=WORKER_DIED, request_id=request_id)
    session.execute(FAIL if attempt >= attempts else RETRY, {"id": job.id})


def requeue(session: Session, job_ids: list[int]) -> None:
    """Give running jobs back to the queue at once (their worker is stopping); one that has just ended stays ended."""
    session.execute(GIVE_BACK, {"ids": job_ids})


def forget_old(session: Session) -> int:
    """Delete jobs that ended long ago (failed ones are kept longer) and give how many."""
    return int(session.execute(OLD, {"done": KEEP_DONE_DAYS, "failed": KEEP_FAILED_DAYS}).scalar_one())
