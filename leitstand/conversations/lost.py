"""Answers that nobody writes any more although they are still to come: their job failed for good, or is gone."""

from sqlalchemy import Engine, update

from leitstand.conversations.assistant import JOB
from leitstand.conversations.keeping import FAILED, WRITING
from leitstand.db.engine import transaction
from leitstand.db.models import ConversationMessage
from leitstand.jobs.lost import lost
from leitstand.jobs.queue import enqueue
from leitstand.telemetry.logs import get_logger

# An answer of a thread is looked after with the thread; one whose thread was deleted begins another.
WAITING = "SELECT id FROM conversation_message WHERE status = 'writing' AND thread_id IS NULL"
log = get_logger("conversations")


def pick_up(engine: Engine) -> int:
    """Look after the answers of all workspaces that nobody writes: written again, or failed. How many there were."""
    with transaction(engine) as session:
        found = lost(session, waiting=WAITING, job=JOB, argument="message_id")
        for one in found:
            if not one.failed:
                enqueue(session, JOB, message_id=one.id)
                continue
            here = (ConversationMessage.id == one.id) & (ConversationMessage.status == WRITING)
            session.execute(update(ConversationMessage).where(here).values(status=FAILED, error=one.said))
    if found:
        log.warning("answers without a worker", count=len(found))
    return len(found)
