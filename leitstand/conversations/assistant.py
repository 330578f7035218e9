"""The assistant: answers from the documents that the person may read, kept as a conversation."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.catalogue.items import get_item
from leitstand.conversations.keeping import ASSISTANT, PERSON, Said, add, begin, held
from leitstand.db.models import Conversation, ModelEndpoint
from leitstand.errors import Conflict
from leitstand.identity.access import Principal, require
from leitstand.knowledge.answers import Answer, Citation, ask
from leitstand.words.letters import without_controls


def begin_asking(
    session: Session, *, principal: Principal, question: str, space_id: UUID | None = None
) -> Conversation:
    """Ask the assistant, in a new conversation.

    Args:
        space_id: only from this space; None: from all that the principal may read.

    Raises:
        Forbidden: see `keeping.begin`.
        NotFound: there is no such space.
        InvalidInput: the question is empty or too long.
    """
    if space_id is not None:
        get_item(session, principal=principal, item_id=space_id, kind="space")
    answer = ask(session, principal=principal, question=question, space_id=space_id)
    conversation = begin(session, principal=principal, partner=ASSISTANT, title=question, space_id=space_id)
    item, _ = held(session, principal=principal, item_id=conversation.item_id)
    add(session, item, _said(question, answer))
    return conversation


def go_on(session: Session, *, principal: Principal, item_id: UUID, question: str) -> None:
    """Ask once more in a conversation with the assistant. Each question is answered by itself.

    Raises:
        NotFound: there is no such conversation, or its space is no longer there.
        Forbidden: it is somebody else's.
        Conflict: it is one with a companion.
        InvalidInput: the question is empty or too long.
    """
    require(principal, "item:write")
    item, conversation = held(session, principal=principal, item_id=item_id)
    if conversation.partner != ASSISTANT:
        raise Conflict("This is a conversation with a companion.", hint="Answer the companion instead.")
    answer = ask(session, principal=principal, question=question, space_id=conversation.space_id)
    add(session, item, _said(question, answer))


def has_model(session: Session, *, principal: Principal) -> bool:
    """Whether a model endpoint is connected in the workspace. Answers are quoted word for word all the same."""
    require(principal, "item:read")
    there = select(ModelEndpoint.id).where(
        ModelEndpoint.workspace_id == principal.workspace_id, ModelEndpoint.active
    )
    return session.scalar(there.limit(1)) is not None


def _said(question: str, answer: Answer) -> list[Said]:
    citations = tuple(_kept(citation) for citation in answer.citations)
    return [Said(PERSON, checked(question)), Said(ASSISTANT, answer.answer, answer.kind, citations)]


def checked(question: str) -> str:
    """A question as it is kept: without what can't be stored."""
    return without_controls(question, keep="\n\t").strip()


def _kept(citation: Citation) -> dict[str, Any]:
    return {
        "number": citation.number, "document_id": str(citation.document_id), "space_id": str(citation.space_id),
        "title": citation.title, "heading": citation.heading, "passage": citation.passage, "quote": citation.quote,
    }  # fmt: skip
