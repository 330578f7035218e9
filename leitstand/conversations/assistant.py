"""The assistant: answers from the documents that the person may read, kept as a conversation."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.catalogue.items import get_item
from leitstand.conversations.files import File, take
from leitstand.conversations.keeping import ASSISTANT, PERSON, WRITING, Said, begin, held, put
from leitstand.db.models import Conversation, ConversationMessage, Item, ModelEndpoint
from leitstand.identity.access import Principal, require
from leitstand.jobs.queue import enqueue
from leitstand.knowledge.answers import Answer, ask
from leitstand.knowledge.citations import Citation
from leitstand.knowledge.search import checked_question
from leitstand.storage.objects import ObjectStorage
from leitstand.words.letters import without_controls

JOB = "conversations.answer"


def begin_asking(
    session: Session,
    *,
    principal: Principal,
    question: str,
    space_id: UUID | None = None,
    files: Sequence[File] = (),
    storage: ObjectStorage | None = None,
) -> Conversation:
    """Ask the assistant, in a new conversation.

    Args:
        space_id: only from this space; None: from all that the principal may read.
        files: what the question is also about; see `files.take`.

    Raises:
        Forbidden: see `keeping.begin`.
        NotFound: there is no such space.
        InvalidInput: the question is empty or too long, or a file can't be taken.
    """
    require_question(session, principal, question, space_id)
    conversation = begin(session, principal=principal, partner=ASSISTANT, title=question, space_id=space_id)
    item, conversation = held(session, principal=principal, item_id=conversation.item_id)
    given = take_files(session, storage, principal, conversation, files)
    said = Said(PERSON, checked(question), attachments=given)
    answer(session, principal, item, conversation, put(session, item, conversation, said, after=None))
    return conversation


def answer(
    session: Session,
    principal: Principal,
    item: Item,
    conversation: Conversation,
    question: ConversationMessage,
) -> ConversationMessage:
    """Answer a question: by a model in the queue where one is connected, else here, with sentences of the documents."""
    if has_model(session, principal=principal):
        waiting = Said(ASSISTANT, "", status=WRITING)
        message = put(session, item, conversation, waiting, after=question.position)
        enqueue(session, JOB, message_id=message.id)
        return message
    found = ask(session, principal=principal, question=question.text, space_id=conversation.space_id)
    return put(session, item, conversation, _said(found), after=question.position)


def take_files(
    session: Session,
    storage: ObjectStorage | None,
    principal: Principal,
    conversation: Conversation,
    files: Sequence[File],
) -> tuple[str, ...]:
    """Take the files of a question; raises as `files.take`."""
    model = bool(files) and has_model(session, principal=principal)
    return take(session, storage, principal=principal, conversation=conversation, files=files, model=model)


def require_question(session: Session, principal: Principal, question: str, space_id: UUID | None) -> None:
    """Refuse what can't be asked.

    Raises:
        NotFound: the space is not there for the principal.
        InvalidInput: the question is empty or too long.
    """
    require(principal, "item:read")
    checked_question(question)
    if space_id is not None:
        get_item(session, principal=principal, item_id=space_id, kind="space")


def has_model(session: Session, *, principal: Principal) -> bool:
    """Whether a model endpoint of the workspace can be asked; without one, answers are quoted word for word."""
    require(principal, "item:read")
    there = select(ModelEndpoint.id).where(
        ModelEndpoint.workspace_id == principal.workspace_id,
        ModelEndpoint.active,
        func.cardinality(ModelEndpoint.models) > 0,
    )
    return session.scalar(there.limit(1)) is not None


def _said(answer: Answer) -> Said:
    return Said(ASSISTANT, answer.answer, answer.kind, tuple(map(kept, answer.citations)))


def checked(question: str) -> str:
    """A question as it is kept: without what can't be stored."""
    return without_controls(question, keep="\n\t").strip()


def kept(citation: Citation) -> dict[str, Any]:
    """A citation as JSON values."""
    return {
        "number": citation.number, "document_id": str(citation.document_id), "space_id": str(citation.space_id),
        "title": citation.title, "heading": citation.heading, "passage": citation.passage, "quote": citation.quote,
    }  # fmt: skip
