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
ASSISTANT, COMPANION, AGENT, PERSON = "assistant", "companion", "agent", "person"
WRITING, DONE, FAILED, STOPPED = "writing", "done", "failed", "stopped"


@dataclass(frozen=True)
class Said:
    """A message that is to be kept.

    Args:
        by: `person`, `companion`, `agent` or `assistant`.
        citations: what it rests on, as JSON values.
        rests_on: ids of spaces that it may repeat beside these.
        attachments: ids of the files that came with it.
        status: `writing` where it is only going to be an answer.
    """

    by: str
    text: str
    note: str = ""
    citations: tuple[dict[str, Any], ...] = ()
    rests_on: tuple[str, ...] = ()
    attachments: tuple[str, ...] = ()
    status: str = DONE


def begin(
    session: Session,
    *,
    principal: Principal,
    partner: str,
    title: str,
    companion_id: UUID | None = None,
    agent_id: UUID | None = None,
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
        agent_id=agent_id, space_id=space_id, run_id=run_id,
    )  # fmt: skip
    session.add(conversation)
    session.flush()
    audit.record(session, principal=principal, action="conversation.create", target=f"conversation:{item.id}")
    note_use(session, principal=principal, item=item)
    return conversation


def held(
    session: Session, *, principal: Principal, item_id: UUID, lock: bool = True
) -> tuple[Item, Conversation]:
    """One's own conversation, to go on with it.

    Args:
        lock: hold its row until the transaction ends.

    Raises:
        NotFound: there is none that the principal may see.
        Forbidden: it is somebody else's, or an owner acts as them.
    """
    item = get_item(session, principal=principal, item_id=item_id, kind=KIND, for_update=lock)
    require_oneself(principal)
    if principal.person_id is None or item.owner_id != principal.person_id:
        raise Forbidden(
            "This is somebody else's conversation: you may read it.", hint="Begin one of your own."
        )
    return item, session.get_one(Conversation, item.id, populate_existing=True)


def add(session: Session, item: Item, conversation: Conversation, messages: Iterable[Said]) -> None:
    """Put messages behind those of the chosen branch; the conversation moves to the head of its list."""
    parent = end_of(session, conversation)
    for said in messages:
        parent = put(session, item, conversation, said, after=parent).position


def put(
    session: Session, item: Item, conversation: Conversation, said: Said, *, after: int | None
) -> ConversationMessage:
    """Keep a message; the branch that it ends is the chosen one from now on.

    Args:
        after: the position of the message before it; None: it is a first one.
    """
    message = ConversationMessage(
        workspace_id=item.workspace_id, conversation_id=item.id, position=_last(session, conversation) + 1,
        parent=after, said_by=said.by, text=said.text, note=said.note, citations=list(said.citations),
        rests_on=list(said.rests_on), attachments=list(said.attachments), status=said.status,
    )  # fmt: skip
    session.add(message)
    item.updated_at = datetime.now(UTC)
    session.flush()
    conversation.leaf = message.position
    session.flush()
    return message


def end_of(session: Session, conversation: Conversation) -> int | None:
    """The position at which the chosen branch ends; None where nothing was said yet."""
    return conversation.leaf or _last(session, conversation) or None


def _last(session: Session, conversation: Conversation) -> int:
    query = select(func.coalesce(func.max(ConversationMessage.position), 0)).where(
        ConversationMessage.conversation_id == conversation.item_id,
        ConversationMessage.workspace_id == conversation.workspace_id,
    )
    return session.scalar(query) or 0


def _title(text: str) -> str:
    """A title from what was said first, in one line."""
    line = searchable(text)
    return line if len(line) < TITLE_LENGTH else line[: TITLE_LENGTH - 1].rstrip() + "…"
