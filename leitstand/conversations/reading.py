"""Conversations as their readers see them: the list, and one with its messages."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, exists, literal, select
from sqlalchemy.orm import Session

from leitstand.agents import threads
from leitstand.agents.conversing import words_so_far
from leitstand.catalogue import cursors
from leitstand.catalogue.items import get_item
from leitstand.catalogue.listing import LARGEST_PAGE, PAGE, behind, cursor_behind, ordered
from leitstand.catalogue.recents import note_use
from leitstand.catalogue.text import like_pattern, searchable
from leitstand.catalogue.visibility import visible
from leitstand.conversations.branches import ALONE, Place, chosen, family_of, messages_of, places
from leitstand.conversations.files import attachments_of
from leitstand.conversations.keeping import DONE, KIND, WRITING
from leitstand.conversations.remembered import readable, spaces_of
from leitstand.db.models import (
    Conversation,
    ConversationAttachment,
    ConversationMessage,
    Favorite,
    Item,
    Person,
)
from leitstand.db.models.conversations import PARTNERS
from leitstand.errors import InvalidInput, NotFound
from leitstand.identity.access import Principal, require
from leitstand.words import N_, msg

STATES = ("open", "ended", "archived")
OWNERS = ("me", "others")
CHANGED = "changed"
WITHHELD = N_("This rests on documents that you may not open.")


@dataclass(frozen=True)
class Filters:
    """Which conversations; what is empty does not filter.

    Args:
        q: text that the title or a message contains, in any case.
        partner: one of `PARTNERS`.
        companion: only with this one.
        agent: only with this one.
        owner: `me`, or `others`: what they share with the principal.
        state: one of `STATES`; empty: all that are not archived.
        since: last changed then or later.
        favorites: only those that the principal pinned.
    """

    q: str = ""
    partner: str = ""
    companion: UUID | None = None
    agent: UUID | None = None
    owner: str = ""
    state: str = ""
    since: datetime | None = None
    favorites: bool = False

    @property
    def active(self) -> bool:
        """Whether anything narrows the list."""
        return self != Filters()

    def of(self, **changes: Any) -> "Filters":
        """The same with these changed."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Row:
    """A conversation in a list, with whom it is (a title, empty where the reader may not see it) and whose."""

    item: Item
    conversation: Conversation
    companion: str
    agent: str
    owner: str

    @property
    def partner(self) -> str:
        """The title of the companion or agent; empty for the assistant."""
        return self.companion or self.agent


@dataclass(frozen=True)
class Page:
    """A page of a list; `cursor` leads to the next, None at the end."""

    rows: Sequence[Row]
    cursor: str | None


@dataclass(frozen=True)
class Shown:
    """A message as the reader sees it.

    Args:
        withheld: its text rests on documents that they may not open, or is not whole and somebody else's; it is left out.
        place: where it stands among its siblings.
        files: what came with it.
        thread: of an agent's answer that is still being written, to whom it belongs.
    """

    message: ConversationMessage
    text: str
    citations: Sequence[dict[str, Any]]
    withheld: bool
    place: Place = ALONE
    files: Sequence[ConversationAttachment] = ()
    thread: threads.Opened | None = None

    @property
    def writing(self) -> bool:
        """Whether it is an answer that is still to come."""
        return self.message.status == WRITING


@dataclass(frozen=True)
class Opened:
    """A conversation with what was said in it; `mine`: it is the reader's own.

    Args:
        messages: those of the chosen branch.
        everything: those of all branches, in the order in which they were begun.
    """

    row: Row
    messages: Sequence[Shown]
    mine: bool
    everything: Sequence[Shown]

    @property
    def end(self) -> int:
        """The position at which the chosen branch ends."""
        return self.messages[-1].message.position if self.messages else 0


def find(
    session: Session,
    *,
    principal: Principal,
    filters: Filters,
    cursor: str | None = None,
    limit: int = PAGE,
) -> Page:
    """One's own conversations and those shared with the principal, the last changed first.

    Args:
        cursor: where the previous page ended.
        limit: 1 to 200.

    Raises:
        Forbidden: without `item:read`.
        InvalidInput: a filter has a value that there is not, or the cursor is not ours.
    """
    require(principal, "item:read")
    limit = max(1, min(limit, LARGEST_PAGE))
    query = behind(ordered(_matching(principal, filters), CHANGED), CHANGED, cursor)
    rows = _rows(session, principal, query.limit(limit + 1))
    return Page(*cursors.cut(rows, limit, lambda last: cursor_behind(last.item, CHANGED)))


def open_one(session: Session, *, principal: Principal, item_id: UUID) -> Opened:
    """One conversation; an answer that rests on a space which the reader may not see is left out.

    Raises:
        Forbidden: without `item:read`.
        NotFound: there is none that the principal may see.
    """
    item = get_item(session, principal=principal, item_id=item_id, kind=KIND)
    (row,) = _rows(session, principal, _joined(principal).where(Item.id == item_id))
    note_use(session, principal=principal, item=item)
    messages = messages_of(session, row.conversation)
    mine = _is_mine(principal, item)
    shown = _all_shown(session, principal, messages, mine=mine)
    branch = chosen(messages, row.conversation.leaf)
    return Opened(row, [shown[one.id] for one in branch], mine, [shown[one.id] for one in messages])


def open_message(session: Session, *, principal: Principal, item_id: UUID, message_id: UUID) -> Opened:
    """One conversation with one message of it alone, for a page that follows it; that is no further use of it.

    Raises:
        Forbidden: without `item:read`.
        NotFound: there is none that the principal may see, or no such message in it.
    """
    item = get_item(session, principal=principal, item_id=item_id, kind=KIND)
    (row,) = _rows(session, principal, _joined(principal).where(Item.id == item_id))
    family = family_of(session, row.conversation, message_id)
    shown = _all_shown(session, principal, family, mine=_is_mine(principal, item)).get(message_id)
    if shown is None:
        raise NotFound("There is no such message in this conversation.")
    return Opened(row, [shown], _is_mine(principal, item), [shown])


def _is_mine(principal: Principal, item: Item) -> bool:
    return principal.person_id is not None and item.owner_id == principal.person_id


def _all_shown(
    session: Session, principal: Principal, messages: Sequence[ConversationMessage], *, mine: bool
) -> dict[UUID, Shown]:
    seen, where = readable(session, principal, messages), places(messages)
    files = attachments_of(session, principal.workspace_id, messages)
    found = {}
    for message in messages:
        given = [files[one] for one in message.attachments if one in files]
        shown = _shown(message, seen, mine=mine)
        found[message.id] = replace(shown, place=where[message.id], files=given)
        if mine and shown.writing and message.thread_id is not None:
            found[message.id] = _live(session, principal, found[message.id], message.thread_id)
    return found


def _live(session: Session, principal: Principal, shown: Shown, thread_id: UUID) -> Shown:
    """An answer with the thread that writes it, and what that has said so far."""
    opened = threads.open_one(session, principal=principal, thread_id=thread_id)
    return replace(shown, thread=opened, text=words_so_far(opened.steps))


def of_thread(session: Session, *, principal: Principal, thread_id: UUID) -> Item | None:
    """The conversation in which a thread answers; None where it does in none that the principal may see."""
    answering = select(ConversationMessage.conversation_id).where(
        ConversationMessage.workspace_id == principal.workspace_id, ConversationMessage.thread_id == thread_id
    )
    return session.scalar(select(Item).where(visible(principal), Item.id.in_(answering)))


def _joined(principal: Principal) -> Select[tuple[Item, Conversation, str]]:
    return (
        select(Item, Conversation, Person.name)
        .join(Conversation, Conversation.item_id == Item.id)
        .outerjoin(Person, Person.id == Item.owner_id)
        .where(visible(principal), Item.kind == KIND)
    )


def _matching(principal: Principal, filters: Filters) -> Select[tuple[Item, Conversation, str]]:
    query = _joined(principal)
    for value, allowed in ((filters.partner, PARTNERS), (filters.state, STATES), (filters.owner, OWNERS)):
        if value and value not in allowed:
            raise InvalidInput(
                msg("There is no {value!r}.", value=value[:40]),
                hint=msg("It is one of: {allowed}.", allowed=", ".join(allowed)),
            )
    if filters.partner:
        query = query.where(Conversation.partner == filters.partner)
    if filters.companion:
        query = query.where(Conversation.companion_id == filters.companion)
    if filters.agent:
        query = query.where(Conversation.agent_id == filters.agent)
    if filters.owner:
        own = Item.owner_id == principal.person_id
        query = query.where(own if filters.owner == "me" else ~own)
    archived = Item.status == "archived"
    query = query.where(archived if filters.state == "archived" else ~archived)
    if filters.state == "open":
        query = query.where(Conversation.ended_at.is_(None))
    if filters.state == "ended":
        query = query.where(Conversation.ended_at.is_not(None))
    if filters.since:
        query = query.where(Item.updated_at >= filters.since)
    if filters.favorites:
        pinned = select(Favorite.item_id).where(Favorite.person_id == principal.person_id)
        query = query.where(Item.id.in_(pinned))
    if q := searchable(filters.q):
        pattern = like_pattern(q)
        # What others share may rest on documents that the reader may not open: only its title is looked in.
        said = exists().where(
            ConversationMessage.conversation_id == Item.id,
            ConversationMessage.workspace_id == principal.workspace_id,
            Item.owner_id == principal.person_id,
            ConversationMessage.citations == literal([], type_=ConversationMessage.citations.type),
            ConversationMessage.rests_on == [],
            ConversationMessage.status == DONE,
            ConversationMessage.text.ilike(pattern),
        )
        query = query.where(Item.title.ilike(pattern) | said)
    return query


def _rows(session: Session, principal: Principal, query: Select[tuple[Item, Conversation, str]]) -> list[Row]:
    found = session.execute(query).all()
    partners = {
        one
        for _, conversation, _ in found
        for one in (conversation.companion_id, conversation.agent_id)
        if one
    }
    seen = select(Item.id, Item.title).where(visible(principal), Item.id.in_(partners))
    titles = dict(session.execute(seen).tuples().all()) if partners else {}
    return [
        Row(
            item,
            conversation,
            titles.get(conversation.companion_id, ""),
            titles.get(conversation.agent_id, ""),
            owner or "",
        )
        for item, conversation, owner in found
    ]


def _shown(message: ConversationMessage, seen: set[str], *, mine: bool) -> Shown:
    # On what an answer rests is known once it is whole: what is not is for whoever asked alone.
    unfinished = message.status != DONE and bool(message.text) and not mine
    if unfinished or not spaces_of(message) <= seen:
        return Shown(message, "", (), withheld=True)
    return Shown(message, message.text, message.citations, withheld=False)
