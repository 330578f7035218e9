"""How a conversation is kept: an item that is its owner's alone, and its messages in order."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.catalogue.items import get_item
from leitstand.catalogue.recents import note_use
from leitstand.catalogue.text import TITLE_LENGTH, searchable
from leitstand.db.models import Conversation, ConversationMessage, Item
from leitstand.errors import Forbidden
from leitstand.identity import audit
from leitstand.identity.access import Principal, require, require_member, require_oneself

KIND = "conversation"
ASSISTANT, COMPANION, PERSON = "assistant", "companion", "person"


@dataclass(frozen=True)
class Said:
    """A message that is to be kept.

    Args:
        by: `person`, `companion` or `assistant`.
        citations: what it rests on, as JSON values.
    """

    by: str
    text: str
    note: str = ""
    citations: tuple[dict[str, Any], ...] = ()


def begin(
    session: Session,
    *,
    principal: Principal,
    partner: str,
    title: str,
    companion_id: UUID | None = None,
    space_id: UUID | None = None,
    run_id: UUID | None = None,
) -> Conversation:
    """A new conversation without a message, private to the principal. The audit log keeps no word of it.

    Raises:
        Forbidden: without `item:write`, to people outside, to programs of nobody, or while acting as somebody else.
    """
    require(principal, "item:write")
    require_member(principal)
    require_oneself(principal)
    if principal.person_id is None:
        raise Forbidden("Only a person has conversations.")
    item = Item(
        workspace_id=principal.workspace_id, kind=KIND, title=_title(title), visibility="private",
        owner_id=principal.person_id, updated_at=datetime.now(UTC),
    )  # fmt: skip
    session.add(item)
    session.flush()
    conversation = Conversation(
        item_id=item.id, workspace_id=item.workspace_id, partner=partner, companion_id=companion_id,
        space_id=space_id, run_id=run_id,
    )  # fmt: skip
    session.add(conversation)
    session.flush()
    audit.record(session, principal=principal, action="conversation.create", target=f"conversation:{item.id}")
    note_use(session, principal=principal, item=item)
    return conversation


def held(session: Session, *, principal: Principal, item_id: UUID) -> tuple[Item, Conversation]:
    """One's own conversation, locked, to go on with it.

    Raises:
        NotFound: there is none that the principal may see.
        Forbidden: it is somebody else's, or an owner acts as them.
    """
    item = get_item(session, principal=principal, item_id=item_id, kind=KIND, for_update=True)
    require_oneself(principal)
    if principal.person_id is None or item.owner_id != principal.person_id:
        raise Forbidden(
            "This is somebody else's conversation: you may read it.", hint="Begin one of your own."
        )
    return item, session.get_one(Conversation, item.id)


def add(session: Session, item: Item, messages: Iterable[Said]) -> None:
    """Put messages behind those that are there; the conversation moves to the head of its list."""
    count = session.scalar(
        select(func.coalesce(func.max(ConversationMessage.position), 0)).where(
            ConversationMessage.conversation_id == item.id,
            ConversationMessage.workspace_id == item.workspace_id,
        )
    )
    for position, said in enumerate(messages, start=(count or 0) + 1):
        session.add(
            ConversationMessage(
                workspace_id=item.workspace_id, conversation_id=item.id, position=position, said_by=said.by,
                text=said.text, note=said.note, citations=list(said.citations),
            )
        )  # fmt: skip
    item.updated_at = datetime.now(UTC)
    session.flush()


def _title(text: str) -> str:
    """A title from what was said first, in one line."""
    line = searchable(text)
    return line if len(line) < TITLE_LENGTH else line[: TITLE_LENGTH - 1].rstrip() + "…"
