"""Going on with a conversation with the assistant or an agent: asked, edited, answered once more, branches chosen, stopped.

Whatever is asked and the answer that is to come are rows before anything else happens. Nothing that was said is
changed: what is edited or answered once more is a branch of its own beside what was there.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from leitstand.agents import starting
from leitstand.conversations import agents, assistant
from leitstand.conversations.branches import messages_of, newest_end
from leitstand.conversations.files import File
from leitstand.conversations.keeping import (
    AGENT,
    COMPANION,
    PERSON,
    STOPPED,
    WRITING,
    Said,
    end_of,
    held,
    put,
)
from leitstand.db.models import Conversation, ConversationMessage, Item
from leitstand.errors import Conflict, NotFound
from leitstand.identity.access import Principal, require
from leitstand.storage.objects import ObjectStorage

MOST_MESSAGES = 2_000


def go_on(
    session: Session,
    *,
    principal: Principal,
    item_id: UUID,
    question: str,
    after: int | None = None,
    files: Sequence[File] = (),
    storage: ObjectStorage | None = None,
) -> ConversationMessage:
    """Ask once more, at the end of the chosen branch; the answer, which may still be written.

    Args:
        after: the position at which the branch ended as the page showed it; None: wherever it ends.

    Raises:
        NotFound: there is no such conversation, or what it is about is not there any more.
        Forbidden: it is somebody else's.
        Conflict: it is one with a companion, an answer is still being written, or another tab went on meanwhile.
        InvalidInput: the question is empty or too long, or a file can't be taken.
    """
    item, conversation = _own(session, principal, item_id)
    end = end_of(session, conversation)
    if after is not None and after != (end or 0):
        raise Conflict("This conversation has moved on meanwhile.", hint="Read what came, and send it again.")
    said = _checked(session, principal, conversation, question)
    taking = agents.take_files if conversation.partner == AGENT else assistant.take_files
    given = taking(session, storage, principal, conversation, files)
    asked = put(session, item, conversation, Said(PERSON, said, attachments=given), after=end)
    return _answer(session, principal, item, conversation, asked)


def edit(
    session: Session, *, principal: Principal, item_id: UUID, message_id: UUID, question: str
) -> ConversationMessage:
    """Ask what one asked before in other words: a branch beside it, with the same files. Gives the answer.

    Raises:
        as `go_on`; NotFound also where the message is none of one's own words here.
    """
    item, conversation = _own(session, principal, item_id)
    before = _message(session, conversation, message_id)
    if before.said_by != PERSON:
        raise NotFound("There is no such question in this conversation.")
    said = _checked(session, principal, conversation, question)
    again = Said(PERSON, said, attachments=tuple(before.attachments))
    asked = put(session, item, conversation, again, after=before.parent)
    return _answer(session, principal, item, conversation, asked)


def regenerate(
    session: Session, *, principal: Principal, item_id: UUID, message_id: UUID
) -> ConversationMessage:
    """Have a question answered once more: a branch beside the answer that is there. Gives the new one.

    Raises:
        as `go_on`; NotFound also where the message is no answer here.
        Conflict: also where that answer is still being written.
    """
    item, conversation = _own(session, principal, item_id)
    before = _message(session, conversation, message_id)
    question = _at(session, conversation, before.parent)
    if before.said_by == PERSON or question is None:
        raise NotFound("There is no such answer in this conversation.")
    return _answer(session, principal, item, conversation, question)


def choose(session: Session, *, principal: Principal, item_id: UUID, message_id: UUID) -> None:
    """Let the newest branch through a message be the chosen one.

    Raises:
        NotFound: there is no such conversation or message in it.
        Forbidden: it is somebody else's.
    """
    _, conversation = held(session, principal=principal, item_id=item_id)
    require(principal, "item:write")
    message = _message(session, conversation, message_id)
    conversation.leaf = newest_end(messages_of(session, conversation), message.position)
    session.flush()


def stop(session: Session, *, principal: Principal, item_id: UUID, message_id: UUID) -> None:
    """Have an answer not written any further; what has come of it stays.

    Raises:
        NotFound: there is no such conversation or message in it.
        Forbidden: it is somebody else's.
        Conflict: it is not being written.
    """
    _, conversation = held(session, principal=principal, item_id=item_id, lock=False)
    require(principal, "item:write")
    message = _message(session, conversation, message_id)
    if message.thread_id is not None and message.status == WRITING:
        # The thread's row first, as the worker has it; its words come here as it ends.
        starting.cancel(session, principal=principal, thread_id=message.thread_id)
        return
    stopping = update(ConversationMessage).where(
        ConversationMessage.workspace_id == principal.workspace_id,
        ConversationMessage.id == message.id,
        ConversationMessage.status == WRITING,
        ConversationMessage.thread_id.is_(None),
    )
    if session.scalar(stopping.values(status=STOPPED).returning(ConversationMessage.id)) is None:
        raise Conflict("This answer is not being written any more.", hint="Load the page again.")
    session.refresh(message)


def _own(session: Session, principal: Principal, item_id: UUID) -> tuple[Item, Conversation]:
    require(principal, "item:write")
    item, conversation = held(session, principal=principal, item_id=item_id)
    if conversation.partner == COMPANION:
        raise Conflict("This is a conversation with a companion.", hint="Answer the companion instead.")
    count = select(func.count()).where(
        ConversationMessage.workspace_id == item.workspace_id,
        ConversationMessage.conversation_id == item.id,
    )
    if (session.scalar(count) or 0) >= MOST_MESSAGES:
        raise Conflict("This conversation is as long as one may be.", hint="Begin a new one.")
    _require_written(session, conversation)
    return item, conversation


def _checked(session: Session, principal: Principal, conversation: Conversation, question: str) -> str:
    if conversation.partner == AGENT:
        agents.require_agent(session, principal, conversation.agent_id)
        return starting.checked_text(question)
    assistant.require_question(session, principal, question, conversation.space_id)
    return assistant.checked(question)


def _answer(
    session: Session,
    principal: Principal,
    item: Item,
    conversation: Conversation,
    question: ConversationMessage,
) -> ConversationMessage:
    answering = agents.answer if conversation.partner == AGENT else assistant.answer
    return answering(session, principal, item, conversation, question)


def _require_written(session: Session, conversation: Conversation) -> None:
    """One answer at a time: two tabs, and a button that is pressed twice, ask once."""
    query = select(ConversationMessage.id).where(
        ConversationMessage.workspace_id == conversation.workspace_id,
        ConversationMessage.conversation_id == conversation.item_id,
        ConversationMessage.status == WRITING,
    )
    if session.scalar(query.limit(1)) is not None:
        raise Conflict("An answer is still being written.", hint="Wait until it is there, or stop it.")


def _at(session: Session, conversation: Conversation, position: int | None) -> ConversationMessage | None:
    query = select(ConversationMessage).where(
        ConversationMessage.workspace_id == conversation.workspace_id,
        ConversationMessage.conversation_id == conversation.item_id,
        ConversationMessage.position == position,
    )
    return session.scalar(query)


def _message(session: Session, conversation: Conversation, message_id: UUID) -> ConversationMessage:
    query = select(ConversationMessage).where(
        ConversationMessage.workspace_id == conversation.workspace_id,
        ConversationMessage.conversation_id == conversation.item_id,
        ConversationMessage.id == message_id,
    )
    message = session.scalar(query)
    if message is None:
        raise NotFound("There is no such message in this conversation.")
    return message
