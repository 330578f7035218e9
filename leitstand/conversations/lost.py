"""Answers that nobody writes any more although they are still to come: their job failed for good, or is gone."""

from sqlalchemy import Engine, text, update

from leitstand.conversations.assistant import JOB
from leitstand.conversations.keeping import FAILED, WRITING
from leitstand.db.engine import transaction
from leitstand.db.models import ConversationMessage
from leitstand.jobs.queue import enqueue
from leitstand.telemetry.logs import get_logger
from leitstand.words import msg

# An answer of a thread is looked after with the thread; one whose thread was deleted begins another.
LOST = text("""
    SELECT message.id, failed.id AS job, failure.reason
    FROM conversation_message AS message
    LEFT JOIN LATERAL (
        SELECT job.id FROM procrastinate_jobs AS job
        WHERE job.task_name = :job AND job.status = 'failed' AND job.args ->> 'message_id' = message.id::text
        ORDER BY job.id DESC LIMIT 1
    ) AS failed ON true
    LEFT JOIN LATERAL (
        SELECT reason FROM job_failure WHERE job_failure.job_id = failed.id ORDER BY attempt DESC LIMIT 1
    ) AS failure ON true
    WHERE message.status = 'writing' AND message.thread_id IS NULL AND NOT EXISTS (
        SELECT FROM procrastinate_jobs AS job
        WHERE job.task_name = :job AND job.status IN ('todo', 'doing') AND job.args ->> 'message_id' = message.id::text
    )
    ORDER BY message.id
    LIMIT 1000
""")
log = get_logger("conversations")


def pick_up(engine: Engine) -> int:
    """Look after the answers of all workspaces that nobody writes: written again, or failed. How many there were."""
    with transaction(engine) as session:
        found = session.execute(LOST, {"job": JOB}).all()
        for row in found:
            if row.job is None:
                enqueue(session, JOB, message_id=row.id)
                continue
            said = msg("The work on it failed again and again: {reason}", reason=_reason(row.reason))
            here = (ConversationMessage.id == row.id) & (ConversationMessage.status == WRITING)
            session.execute(update(ConversationMessage).where(here).values(status=FAILED, error=said))
    if found:
        log.warning("answers without a worker", count=len(found))
    return len(found)


def _reason(kept: str | None) -> str:
    return (kept or "").partition("\x1e")[0]
