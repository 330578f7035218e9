"""Threads that answer in a conversation: their last words become its message, in the transaction in which they end."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.db.models import ConversationMessage, Thread, ThreadStep

BECOMES = {"succeeded": "done", "failed": "failed", "cancelled": "stopped"}


def tell(session: Session, thread: Thread) -> None:
    """Let the message that waits for an ended thread have its words, and say on which spaces they rest.

    Of a thread that did not come to its end these are what the model had said until then.
    """
    query = select(ConversationMessage).where(
        ConversationMessage.workspace_id == thread.workspace_id,
        ConversationMessage.thread_id == thread.id,
        ConversationMessage.status == "writing",
    )
    message = session.scalar(query.with_for_update())
    if message is None:
        return
    asked = select(ThreadStep).where(
        ThreadStep.workspace_id == thread.workspace_id, ThreadStep.thread_id == thread.id
    )
    steps = session.scalars(asked.order_by(ThreadStep.position)).all()
    spaces = [space for step in steps for space in step.result.get("spaces", ())]
    message.rests_on = list(dict.fromkeys([*message.rests_on, *spaces]))
    message.text = thread.output or words_so_far(steps)
    message.status, message.error = BECOMES[thread.status], thread.error
    session.flush()


def words_so_far(steps: Sequence[ThreadStep]) -> str:
    """What the model said last.

    Args:
        steps: those of a thread in their order.
    """
    words = [str(step.result.get("text", "")) for step in steps if step.kind == "model"]
    return words[-1] if words else ""
