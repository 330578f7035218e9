"""Threads that nobody works on any more although they have not ended: their job failed for good, or is gone."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Engine, text

from leitstand.agents.keeping import Keeping
from leitstand.agents.starting import JOB
from leitstand.db.engine import transaction
from leitstand.jobs.queue import enqueue
from leitstand.telemetry.logs import get_logger
from leitstand.words import N_, joined, msg

# A thread whose job was just taken, or is being written, is no lost one.
LOST = text("""
    SELECT thread.id, failed.id AS job, failure.reason
    FROM thread
    LEFT JOIN LATERAL (
        SELECT job.id FROM procrastinate_jobs AS job
        WHERE job.task_name = :job AND job.status = 'failed' AND job.args ->> 'thread_id' = thread.id::text
        ORDER BY job.id DESC LIMIT 1
    ) AS failed ON true
    LEFT JOIN LATERAL (
        SELECT reason FROM job_failure WHERE job_failure.job_id = failed.id ORDER BY attempt DESC LIMIT 1
    ) AS failure ON true
    WHERE thread.status IN ('queued', 'running') AND NOT EXISTS (
        SELECT FROM procrastinate_jobs AS job
        WHERE job.task_name = :job AND job.status IN ('todo', 'doing') AND job.args ->> 'thread_id' = thread.id::text
    )
    ORDER BY thread.id
    LIMIT 1000
""")
AGAIN = N_("Run it again.")
log = get_logger("agents")


@dataclass(frozen=True)
class PickedUp:
    """Threads that are worked on again, and threads that failed because their work did again and again."""

    again: list[UUID]
    failed: list[UUID]


def pick_up(engine: Engine) -> PickedUp:
    """Look after the threads of all workspaces that nobody works on."""
    with transaction(engine) as session:
        found = session.execute(LOST, {"job": JOB}).all()
        again = [row.id for row in found if row.job is None]
        for thread_id in again:
            enqueue(session, JOB, thread_id=thread_id)
    failed = [row.id for row in found if row.job is not None]
    for row in found:
        if row.job is not None:
            _fail(engine, row.id, row.reason or "")
    if found:
        log.warning("threads without a worker", again=len(again), failed=len(failed))
    return PickedUp(again, failed)


def _fail(engine: Engine, thread_id: UUID, reason: str) -> None:
    said = msg("The work on it failed again and again: {reason}", reason=reason.partition("\x1e")[0])
    Keeping(engine, thread_id).lost(joined(said, AGAIN))
