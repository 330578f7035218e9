"""What is wrong with the queue, and how single jobs are taken out of its way: for whoever mends it by hand."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from leitstand.errors import Conflict, NotFound
from leitstand.jobs.failures import keep
from leitstand.jobs.queue import IDENTITY
from leitstand.jobs.recovery import STALLED_AFTER_SECONDS
from leitstand.words import N_, msg

ENDED = ("succeeded", "failed", "cancelled", "aborted")
CANCELLED_BY_HAND = N_("Cancelled by the operator.")

RUNNING = text("""
    SELECT job.id, job.task_name AS name, coalesce(job.lock, '') AS lock, job.worker_id AS worker, job.attempts,
           job.abort_requested AS cancelled,
           extract(epoch FROM now() - (
               SELECT max(event.at) FROM procrastinate_events AS event WHERE event.job_id = job.id AND event.type = 'started'
           ))::float AS seconds,
           worker.id IS NULL OR worker.last_heartbeat < now() - make_interval(secs => :silent) AS orphaned,
           (SELECT count(*) FROM procrastinate_jobs AS other
             WHERE other.status = 'todo' AND other.lock = job.lock AND other.id <> job.id) AS holds_up
    FROM procrastinate_jobs AS job LEFT JOIN procrastinate_workers AS worker ON worker.id = job.worker_id
    WHERE job.status = 'doing' ORDER BY job.id
""")
WORKERS = text("""
    SELECT worker.id, extract(epoch FROM now() - worker.last_heartbeat)::float AS silent,
           (SELECT count(*) FROM procrastinate_jobs AS job WHERE job.worker_id = worker.id AND job.status = 'doing') AS running
    FROM procrastinate_workers AS worker ORDER BY worker.last_heartbeat DESC
""")
ONE = text("""
    SELECT id, task_name AS name, status::text AS status, attempts,
           coalesce(args -> :identity ->> 'request_id', '') AS request_id
    FROM procrastinate_jobs WHERE id = :id FOR UPDATE
""")
KINDS = text("""
    SELECT task_name AS name, status::text AS status, count(*) AS jobs,
           extract(epoch FROM now() - min((
               SELECT min(event.at) FROM procrastinate_events AS event WHERE event.job_id = job.id
           )))::float AS oldest_seconds
    FROM procrastinate_jobs AS job WHERE status IN ('todo', 'doing', 'failed')
    GROUP BY task_name, status ORDER BY status, jobs DESC
""")
TWICE = text("""
    SELECT job_id FROM procrastinate_events WHERE job_id = ANY(:ids) AND type = 'succeeded'
    GROUP BY job_id HAVING count(*) > 1 ORDER BY job_id
""")


@dataclass(frozen=True)
class RunningJob:
    """A job that a worker has.

    Args:
        worker: the queue's id of the worker; None where it has forgotten it.
        cancelled: it ends with its worker and is not tried again.
        seconds: since this attempt began.
        orphaned: its worker is gone or silent.
        holds_up: how many others wait for its lock.
    """

    id: int
    name: str
    lock: str
    worker: int | None
    attempts: int
    cancelled: bool
    seconds: float
    orphaned: bool
    holds_up: int


@dataclass(frozen=True)
class WorkerRow:
    """A worker that the queue knows, the seconds since it was last heard of, and how many jobs it has."""

    id: int
    silent: float
    running: int

    @property
    def alive(self) -> bool:
        """Whether it counts as alive."""
        return self.silent < STALLED_AFTER_SECONDS


@dataclass(frozen=True)
class KindRow:
    """How many jobs of one kind are in one state, and the age of the oldest in seconds."""

    name: str
    status: str
    jobs: int
    oldest_seconds: float


@dataclass(frozen=True)
class JobState:
    """Where one job stands."""

    id: int
    name: str
    status: str
    attempts: int
    request_id: str


def running_jobs(session: Session) -> list[RunningJob]:
    """The jobs that workers have, dead ones' too."""
    rows = session.execute(RUNNING, {"silent": STALLED_AFTER_SECONDS}).mappings()
    return [RunningJob(**row) for row in rows]


def workers(session: Session) -> list[WorkerRow]:
    """The workers that the queue knows, the last heard of first."""
    return [WorkerRow(**row) for row in session.execute(WORKERS).mappings()]


def kinds(session: Session) -> list[KindRow]:
    """Jobs waiting, running and failed, by kind."""
    return [KindRow(**row) for row in session.execute(KINDS).mappings()]


def find_job(session: Session, job_id: int) -> JobState:
    """One job, locked until the end of the transaction.

    Raises:
        NotFound: there is none.
    """
    row = session.execute(ONE, {"id": job_id, "identity": IDENTITY}).mappings().one_or_none()
    if row is None:
        raise NotFound(
            msg("There is no job {job_id}.", job_id=job_id), hint="leitstand worker jobs lists them."
        )
    return JobState(**row)


def cancel_job(session: Session, job_id: int, *, reason: str = CANCELLED_BY_HAND) -> str:
    """Take a job out of the queue; one that runs is marked, and ends for good when its worker ends or gives it back.

    Returns:
        `cancelled`, or `ends with its worker`.

    Raises:
        NotFound: there is no such job.
        Conflict: it has ended.
    """
    job = find_job(session, job_id)
    if job.status in ENDED:
        raise Conflict(msg("Job {job_id} is {status} already.", job_id=job_id, status=job.status))
    session.execute(text("SELECT procrastinate_cancel_job_v1(:id, true, false)"), {"id": job_id})
    keep(session, job_id=job_id, attempt=job.attempts + 1, reason=reason, request_id=job.request_id)
    return "cancelled" if job.status == "todo" else "ends with its worker"


def succeeded_twice(session: Session, job_ids: Sequence[int]) -> list[int]:
    """Those of the jobs that came to their end more than once."""
    return list(session.scalars(TWICE, {"ids": list(job_ids)}))
