"""Branches of a conversation: messages after the same one, of which the chosen branch has one each."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
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
