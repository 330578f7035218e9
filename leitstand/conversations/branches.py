"""Branches of a conversation: messages after the same one, of which the chosen branch has one each."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.db.models import Conversation, ConversationMessage


@dataclass(frozen=True)
class Place:
    """Where a message stands among those after the same one: the first of three, with the ids beside it."""

    number: int = 1
    count: int = 1
    previous: UUID | None = None
    following: UUID | None = None


ALONE = Place()


def messages_of(session: Session, conversation: Conversation) -> Sequence[ConversationMessage]:
    """Every message of a conversation, of all branches, in the order in which they were begun."""
    query = select(ConversationMessage).where(
        ConversationMessage.workspace_id == conversation.workspace_id,
        ConversationMessage.conversation_id == conversation.item_id,
    )
    return session.scalars(query.order_by(ConversationMessage.position)).all()


def family_of(
    session: Session, conversation: Conversation, message_id: UUID
) -> Sequence[ConversationMessage]:
    """A message of a conversation and those after the same one, in order; empty where there is no such message."""
    here = (ConversationMessage.workspace_id == conversation.workspace_id) & (
        ConversationMessage.conversation_id == conversation.item_id
    )
    parent = select(func.coalesce(ConversationMessage.parent, 0)).where(
        here, ConversationMessage.id == message_id
    )
    query = select(ConversationMessage).where(
        here, func.coalesce(ConversationMessage.parent, 0) == parent.scalar_subquery()
    )
    return session.scalars(query.order_by(ConversationMessage.position)).all()


def is_chosen(session: Session, conversation: Conversation, position: int) -> bool:
    """Whether the message at a position stands on the chosen branch."""
    query = select(ConversationMessage.position, ConversationMessage.parent).where(
        ConversationMessage.workspace_id == conversation.workspace_id,
        ConversationMessage.conversation_id == conversation.item_id,
    )
    before = dict(session.execute(query).tuples().all())
    at: int | None = conversation.leaf or max(before, default=None)
    while at is not None and at != position:
        at = before.get(at)
    return at == position


def chosen(messages: Sequence[ConversationMessage], leaf: int) -> list[ConversationMessage]:
    """The branch that ends at a position, from its first message.

    Args:
        messages: all of a conversation in their order.
        leaf: 0: the branch of the last message.
    """
    by_position = {message.position: message for message in messages}
    at = by_position.get(leaf) or (messages[-1] if messages else None)
    found: list[ConversationMessage] = []
    while at is not None:
        found.append(at)
        at = by_position.get(at.parent) if at.parent else None
    return found[::-1]


def newest_end(messages: Iterable[ConversationMessage], position: int) -> int:
    """Where the newest branch through a position ends."""
    newest: dict[int, int] = {}
    for message in messages:
        newest[message.parent or 0] = message.position
    while position in newest:
        position = newest[position]
    return position


def places(messages: Iterable[ConversationMessage]) -> dict[UUID, Place]:
    """Where each message stands among its siblings."""
    families: dict[int, list[UUID]] = defaultdict(list)
    for message in messages:
        families[message.parent or 0].append(message.id)
    return {
        id_: Place(
            at + 1,
            len(family),
            family[at - 1] if at else None,
            family[at + 1] if at + 1 < len(family) else None,
        )
        for family in families.values()
        for at, id_ in enumerate(family)
    }
