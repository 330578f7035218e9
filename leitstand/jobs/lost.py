"""Work that should be going on and that no job does any more: its job failed for good, or is gone."""

from dataclasses import dataclass
from functools import cache
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from leitstand.words import msg
from leitstand.words.messages import Message
from leitstand.words.stored import from_stored

# What was just taken, or is being written, is not lost.
LOST = """
    SELECT work.id, failed.id IS NOT NULL AS failed, coalesce(failure.reason, '') AS reason
    FROM ({waiting}) AS work
    LEFT JOIN LATERAL (
        SELECT job.id FROM procrastinate_jobs AS job
        WHERE job.task_name = :job AND job.status = 'failed' AND job.args ->> :argument = work.id::text
        ORDER BY job.id DESC LIMIT 1
    ) AS failed ON true
    LEFT JOIN LATERAL (
        SELECT reason FROM job_failure WHERE job_failure.job_id = failed.id ORDER BY attempt DESC LIMIT 1
    ) AS failure ON true
    WHERE NOT EXISTS (
        SELECT FROM procrastinate_jobs AS job
        WHERE job.task_name = :job AND job.status IN ('todo', 'doing') AND job.args ->> :argument = work.id::text
    )
    ORDER BY work.id
    LIMIT 1000
"""


@dataclass(frozen=True)
class Lost:
    """A row whose work nobody does; `failed` where its job did again and again, and `said` then tells why."""

    id: UUID
    failed: bool
    reason: str

    @property
    def said(self) -> Message:
        """Why it failed, for people."""
        return msg("The work on it failed again and again: {reason}", reason=from_stored(self.reason))


def lost(session: Session, *, waiting: str, job: str, argument: str) -> list[Lost]:
    """The rows whose work nobody does, at most 1,000.

    Args:
        waiting: a query, constant in the code, that selects the `id` of every row with work to be done.
        job: the task that does it, and the name of its argument that holds the id.
    """
    rows = session.execute(_statement(waiting), {"job": job, "argument": argument})
    return [Lost(*row) for row in rows]


@cache
def _statement(waiting: str) -> TextClause:
    return text(LOST.format(waiting=waiting))
