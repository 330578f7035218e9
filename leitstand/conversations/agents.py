"""A member's conversation with an agent: each question begins a thread, whose last words are the answer."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from leitstand.agents import starting
from leitstand.catalogue import contents
from leitstand.catalogue.items import get_item
from leitstand.conversations.assistant import JOB
from leitstand.conversations.files import File, take
from leitstand.conversations.keeping import AGENT, PERSON, WRITING, Said, begin, held, put
from leitstand.conversations.remembered import Remembered, remembered
from leitstand.db.models import Conversation, ConversationMessage, Item
from leitstand.errors import Conflict
from leitstand.identity.access import Principal
from leitstand.jobs.queue import enqueue
from leitstand.language_models.endpoints import choose
from leitstand.storage.objects import ObjectStorage
from leitstand.words import msg


def begin_with(
    session: Session,
    *,
    principal: Principal,
    agent_id: UUID,
    question: str,
    files: Sequence[File] = (),
    storage: ObjectStorage | None = None,
) -> Conversation:
    """Begin a conversation with an agent by asking it.

    Raises:
        Forbidden: see `keeping.begin`.
        NotFound: there is no such agent.
        Conflict: it is in the archive.
        InvalidInput: the question is empty or too long, or a file can't be taken.
    """
    asked = starting.checked_text(question)
    agent = require_agent(session, principal, agent_id)
    conversation = begin(session, principal=principal, partner=AGENT, title=asked, agent_id=agent.id)
    item, conversation = held(session, principal=principal, item_id=conversation.item_id)
    given = take_files(session, storage, principal, conversation, files)
    said = Said(PERSON, asked, attachments=given)
    answer(session, principal, item, conversation, put(session, item, conversation, said, after=None))
    return conversation


def answer(
    session: Session,
    principal: Principal,
    item: Item,
    conversation: Conversation,
    question: ConversationMessage,
) -> ConversationMessage:
    """Have the agent answer a question; where files came with it, once the queue has read them."""
    require_agent(session, principal, conversation.agent_id)
    waiting = Said(AGENT, "", status=WRITING)
    message = put(session, item, conversation, waiting, after=question.position)
    if question.attachments:
        enqueue(session, JOB, message_id=message.id)
    else:
        begin_thread(session, principal, conversation, question, message)
    return message


def begin_thread(
    session: Session,
    principal: Principal,
    conversation: Conversation,
    question: ConversationMessage,
    message: ConversationMessage,
) -> None:
    """Begin the thread whose last words become a message."""
    agent = require_agent(session, principal, conversation.agent_id)
    known: Remembered = remembered(session, principal=principal, conversation=conversation, question=question)
    thread = starting.begin(
        session,
        principal=principal,
        agent_id=agent.id,
        text=question.text,
        earlier=[{"person": turn.person, "answer": turn.answer} for turn in known.turns],
        material=[{"name": name, "text": text} for name, text in known.files],
    )
    message.thread_id, message.rests_on = thread.id, list(known.rests_on)
    session.flush()


def require_agent(session: Session, principal: Principal, agent_id: UUID | None) -> Item:
    """The agent of a conversation, as it may be asked.

    Raises:
        NotFound: the principal may not see it any more.
        Conflict: it is gone, or in the archive.
    """
    if agent_id is None:
        raise Conflict("The agent of this conversation is gone.", hint="Begin one with another.")
    agent = get_item(session, principal=principal, item_id=agent_id, kind="agent")
    if agent.status == "archived":
        raise Conflict(
            msg("The agent {title} is in the archive.", title=agent.title),
            hint="Take it out of the archive, or choose another one.",
        )
    return agent


def take_files(
    session: Session,
    storage: ObjectStorage | None,
    principal: Principal,
    conversation: Conversation,
    files: Sequence[File],
) -> tuple[str, ...]:
    """Take the files of a question; raises as `files.take`."""
    model = False
    if files:
        model = has_model(session, principal, require_agent(session, principal, conversation.agent_id))
    return take(session, storage, principal=principal, conversation=conversation, files=files, model=model)


def has_model(session: Session, principal: Principal, agent: Item) -> bool:
    """Whether a model endpoint of the workspace offers what the agent asks."""
    model: str = contents.stored(session, agent).document()["model"]
    return choose(session, principal.workspace_id, model) is not None
