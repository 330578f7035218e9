"""What a model is told of a conversation beside the question: earlier turns and files, both within bounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.catalogue.visibility import visible
from leitstand.conversations.branches import chosen, messages_of
from leitstand.conversations.keeping import DONE, PERSON
from leitstand.db.models import Conversation, ConversationAttachment, ConversationMessage, Item
from leitstand.identity.access import Principal

MOST_TURNS, LONGEST_TURN = 10, 4_000
MOST_LETTERS_OF_FILES = 60_000


@dataclass(frozen=True)
class Exchange:
    """What somebody said, and what was answered."""

    person: str
    answer: str


@dataclass(frozen=True)
class Remembered:
    """What goes with a question.

    Args:
        turns: the oldest first.
        files: name and text of each.
        rests_on: ids of the spaces that the earlier answers rest on.
    """

    turns: tuple[Exchange, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    rests_on: tuple[str, ...] = ()


def remembered(
    session: Session, *, principal: Principal, conversation: Conversation, question: ConversationMessage
) -> Remembered:
    """The last turns before a question on its branch, and the files of the branch, the newest first.

    What rests on documents that the principal may not open any more is left out.
    """
    branch = chosen(messages_of(session, conversation), question.position)
    seen = readable(session, principal, branch)
    turns: list[Exchange] = []
    rests_on: dict[str, None] = {}
    for said, answer in list(pairwise(branch))[::-1]:
        rests = spaces_of(answer)
        whole = said.said_by == PERSON and answer.status == DONE and answer.text
        if len(turns) == MOST_TURNS or not whole or not rests <= seen:
            continue
        turns.append(Exchange(said.text[:LONGEST_TURN], answer.text[:LONGEST_TURN]))
        rests_on |= dict.fromkeys(sorted(rests))
    return Remembered(tuple(turns[::-1]), _files(session, conversation, branch), tuple(rests_on))


def spaces_of(message: ConversationMessage) -> set[str]:
    """The spaces that a message rests on, by their ids."""
    return {one["space_id"] for one in message.citations} | set(message.rests_on)


def readable(session: Session, principal: Principal, messages: Sequence[ConversationMessage]) -> set[str]:
    """Of the spaces that messages rest on those that the reader may see."""
    cited = {UUID(space) for message in messages for space in spaces_of(message)}
    if not cited:
        return set()
    found = session.scalars(select(Item.id).where(visible(principal), Item.id.in_(cited)))
    return {str(id_) for id_ in found}


def _files(
    session: Session, conversation: Conversation, branch: Sequence[ConversationMessage]
) -> tuple[tuple[str, str], ...]:
    wanted = dict.fromkeys(UUID(one) for message in branch[::-1] for one in message.attachments)
    if not wanted:
        return ()
    query = select(ConversationAttachment).where(
        ConversationAttachment.workspace_id == conversation.workspace_id,
        ConversationAttachment.conversation_id == conversation.item_id,
        ConversationAttachment.id.in_(wanted),
        ConversationAttachment.status == "ready",
    )
    there = {one.id: one for one in session.scalars(query)}
    found, left = [], MOST_LETTERS_OF_FILES
    for one in (there[id_] for id_ in wanted if id_ in there):
        if left > 0:
            found.append((one.name, one.text[:left]))
            left -= len(one.text)
    return tuple(found)
