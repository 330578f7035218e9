"""What is in the queue: for the operations page, the command line and the metrics."""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from leitstand.errors import Conflict, InvalidInput, NotFound
from leitstand.jobs.queue import IDENTITY
from leitstand.words import from_stored, msg

STATUSES = ("todo", "doing", "succeeded", "failed", "cancelled", "aborted")
LIMIT_MOST = 1000

LIST = text("""
    SELECT job.id, job.task_name AS name, job.status::text AS status, job.attempts, job.scheduled_at,
           (SELECT max(event.at) FROM procrastinate_events AS event
             WHERE event.job_id = job.id AND event.type <> 'scheduled') AS changed_at,
           coalesce(failure.reason, '') AS reason,
           coalesce(job.args -> :identity ->> 'request_id', '') AS request_id
    FROM procrastinate_jobs AS job
    LEFT JOIN LATERAL (SELECT reason FROM job_failure WHERE job_id = job.id ORDER BY attempt DESC LIMIT 1) AS failure ON true
    WHERE CAST(:status AS text) IS NULL OR job.status::text = :status
    ORDER BY job.id DESC LIMIT :limit
""")
WITH_ARGUMENT = text("""
    SELECT id FROM procrastinate_jobs
    WHERE task_name = :name AND args ->> CAST(:argument AS text) = :value ORDER BY id DESC LIMIT 1
""")
FIGURES = text("""
    SELECT count(*) FILTER (WHERE status = 'todo') AS waiting,
           count(*) FILTER (WHERE status = 'doing') AS running,
           count(*) FILTER (WHERE status = 'failed') AS failed,
           extract(epoch FROM now() - min(coalesce(scheduled_at, (
               SELECT min(event.at) FROM procrastinate_events AS event WHERE event.job_id = job.id AND event.type = 'deferred'
           ))) FILTER (WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now()))) AS oldest
    FROM procrastinate_jobs AS job WHERE status IN ('todo', 'doing', 'failed')
""")


@dataclass(frozen=True)
class JobRow:
    """One job: `status` is one of `STATUSES`; `reason` says why its last failed attempt failed."""

    id: int
    name: str
    status: str
    attempts: int
    scheduled_at: datetime | None
    changed_at: datetime | None
    reason: str
    request_id: str

    def to_dict(self) -> dict[str, object]:
        """JSON values; times as ISO 8601 in UTC."""
        return {
            key: value.isoformat() if isinstance(value, datetime) else value
            for key, value in asdict(self).items()
        }


@dataclass(frozen=True)
class QueueFigures:
    """Jobs waiting (also for their next attempt), running and failed; seconds the oldest that could run has waited."""

    waiting: int
    running: int
    failed: int
    oldest_seconds: float


def list_jobs(session: Session, *, status: str | None = None, limit: int = 50) -> list[JobRow]:
    """The newest jobs first.

    Raises:
        InvalidInput: there is no such status, or the limit is out of range.
    """
    if status is not None and status not in STATUSES:
        raise InvalidInput(
            msg("There is no status {status!r}.", status=status),
            hint=msg("One of {statuses}.", statuses=", ".join(STATUSES)),
        )
    if not 1 <= limit <= LIMIT_MOST:
        raise InvalidInput(msg("The limit must be between 1 and {limit_most}.", limit_most=LIMIT_MOST))
    rows = session.execute(LIST, {"status": status, "limit": limit, "identity": IDENTITY})
    return [JobRow(**{**row, "reason": from_stored(row["reason"])}) for row in rows.mappings()]


def queue_figures(session: Session) -> QueueFigures:
    """How the queue stands now."""
    row = session.execute(FIGURES).one()
    return QueueFigures(row.waiting, row.running, row.failed, max(0.0, float(row.oldest or 0)))


def retry_job(session: Session, job_id: int) -> None:
    """Put a failed job back into the queue, with one more attempt.

    Raises:
        NotFound: there is no such job.
        Conflict: it has not failed.
    """
    status = session.execute(
        text("SELECT status::text FROM procrastinate_jobs WHERE id = :id FOR UPDATE"), {"id": job_id}
    ).scalar()
    if status is None:
        raise NotFound(
            msg("There is no job {job_id}.", job_id=job_id), hint="leitstand worker jobs lists them."
        )
    if status != "failed":
        raise Conflict(msg("Job {job_id} is {status}, not failed.", job_id=job_id, status=status))
    session.execute(text("SELECT procrastinate_retry_job_v2(:id, now(), NULL, NULL, NULL)"), {"id": job_id})


def newest_with(session: Session, name: str, **argument: str) -> int | None:
    """The number of the newest job of a name that was given an argument; None where the queue has forgotten it."""
    ((key, value),) = argument.items()
    found: int | None = session.scalar(WITH_ARGUMENT, {"name": name, "argument": key, "value": value})
    return found
