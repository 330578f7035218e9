"""Lists of items: filtered, in one of several orders, a page at a time by keyset."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    Text,
    cast,
    exists,
    func,
    literal,
    select,
    tuple_,
    type_coerce,
)
from sqlalchemy.orm import Session
from sqlalchemy.types import NULLTYPE

from leitstand.catalogue import cursors
from leitstand.catalogue.text import contains, searchable
from leitstand.catalogue.visibility import MOST_KEPT, VISIBILITIES, Who, seen_by, visible, who
from leitstand.db.models import Favorite, Item
from leitstand.db.models.catalogue import BUILT
from leitstand.errors import InvalidInput
from leitstand.identity.access import Principal, require
from leitstand.words import msg

PAGE = 50
LARGEST_PAGE = 200
STATUSES = ("draft", "published", "archived")
SORTS = ("changed", "title", "created")
MINE = "me"


@dataclass(frozen=True)
class Listing:
    """One page of a list; `cursor` leads to the next, None at the end."""

    items: Sequence[Item]
    cursor: str | None


class Line(NamedTuple):
    """What a list shows of an item, and whether it is a favorite of whoever asks."""

    id: UUID
    title: str
    description: str
    status: str
    visibility: str
    tags: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    starred: bool


@dataclass(frozen=True)
class Lines:
    """One page of a list as it is shown; `cursor` leads to the next, None at the end."""

    items: Sequence[Line]
    cursor: str | None


@dataclass(frozen=True)
class Filters:
    """Which items, and in which order; what is empty does not filter.

    Args:
        kind: one of the kinds.
        q: text that the title contains, in any case; one or two characters must begin a word of it.
        status: one of `STATUSES`.
        visibility: one of `VISIBILITIES`.
        owner: `me`, or the id of a person.
        tag: a tag that it has.
        favorites: only the principal's favorites.
        sort: `changed` and `created` have the newest first, `title` goes by the alphabet.
    """

    kind: str = ""
    q: str = ""
    status: str = ""
    visibility: str = ""
    owner: str = ""
    tag: str = ""
    favorites: bool = False
    sort: str = "changed"

    def of(self, kind: str) -> "Filters":
        """The same of one kind alone (empty: of all)."""
        return replace(self, kind=kind)

    @property
    def untyped(self) -> "Filters":
        """The same without what people type, of which there is no end."""
        return replace(self, q="", tag="") if self.q or self.tag else self

    @property
    def active(self) -> bool:
        """Whether anything but kind and order narrows the list."""
        return replace(self, kind="", sort="changed") != Filters()


def find(
    session: Session,
    *,
    principal: Principal,
    filters: Filters,
    cursor: str | None = None,
    limit: int = PAGE,
) -> Listing:
    """A page of the items that match and that the principal may see.

    Args:
        cursor: where the previous page ended; of a list in the same order.
        limit: 1 to 200 items.

    Raises:
        Forbidden: without `item:read`.
        InvalidInput: a filter has a value that there is not, or the cursor is not ours.
    """
    require(principal, "item:read")
    limit = max(1, min(limit, LARGEST_PAGE))
    query = behind(ordered(matching(principal, filters), filters.sort), filters.sort, cursor)
    rows = list(session.scalars(query.limit(limit + 1)))
    return Listing(*cursors.cut(rows, limit, lambda last: cursor_behind(last, filters.sort)))


def find_lines(
    session: Session,
    *,
    principal: Principal,
    filters: Filters,
    cursor: str | None = None,
    limit: int = PAGE,
) -> Lines:
    """As `find`, but no more of each item than a list shows.

    Args:
        limit: 1 to 200 lines.

    Raises:
        Forbidden: without `item:read`.
        InvalidInput: a filter has a value that there is not, or the cursor is not ours.
    """
    require(principal, "item:read")
    limit = max(1, min(limit, LARGEST_PAGE))
    query = _typed(_lines(who(principal), filters.untyped), filters)
    query = query if limit == PAGE else query.limit(limit + 1)
    # Plain rows, all at once: the session would look at each of them for objects to load.
    found = session.connection().execute(behind(query, filters.sort, cursor)).all()
    rows = [
        Line(id_, title, text, status, visibility, tuple(tags), *more)
        for id_, title, text, status, visibility, tags, *more in found
    ]
    return Lines(*cursors.cut(rows, limit, lambda last: cursor_behind(last, filters.sort)))


@lru_cache(maxsize=MOST_KEPT)
def _lines(asking: Who, filters: Filters) -> Select[Any]:
    """The query of the lines of a first page and one more, in its order."""
    starred = exists().where(Favorite.person_id == asking.person_id, Favorite.item_id == Item.id)
    # As the driver gives them; SQLAlchemy would go through each list once more.
    tags = type_coerce(Item.tags, NULLTYPE)
    shown = (
        Item.id, Item.title, Item.description, Item.status, Item.visibility, tags, Item.created_at, Item.updated_at,
    )  # fmt: skip
    query = ordered(_matching(asking, filters), filters.sort)
    return query.with_only_columns(*shown, starred.label("starred")).limit(PAGE + 1)


def matching(principal: Principal, filters: Filters) -> Select[tuple[Item]]:
    """The query of the items that match, in no order; a wrong one is refused all the same."""
    _one_of(filters.sort, SORTS, "order")
    return _typed(_matching(who(principal), filters), filters)


def _matching(asking: Who, filters: Filters) -> Select[tuple[Item]]:
    """The same but for what people typed."""
    query = select(Item).where(seen_by(asking), Item.kind != "conversation")
    for column, value, allowed in (
        (Item.kind, filters.kind, BUILT),
        (Item.status, filters.status, STATUSES),
        (Item.visibility, filters.visibility, VISIBILITIES),
    ):
        if value:
            query = query.where(column == _one_of(value, allowed, column.key))
    if filters.owner:
        query = query.where(Item.owner_id == _owner(asking.person_id, filters.owner))
    if filters.favorites:
        mine = select(Favorite.item_id).where(Favorite.person_id == asking.person_id)
        query = query.where(Item.id.in_(mine))
    return query


def _typed(query: Select[Any], filters: Filters) -> Select[Any]:
    """The query, of what has this tag and this text in its title."""
    if tag := searchable(filters.tag).lower():
        query = query.where(Item.tags.op("@>")(cast([tag], ARRAY(Text))))
    if q := searchable(filters.q):
        query = query.where(contains(Item.title, q))
    return query


def ordered(query: Select[Any], sort: str) -> Select[Any]:
    """The query in an order."""
    if _one_of(sort, SORTS, "order") == "title":
        return query.order_by(func.lower(Item.title), Item.id)
    column = Item.created_at if sort == "created" else Item.updated_at
    return query.order_by(column.desc(), Item.id.desc())


def behind(query: Select[Any], sort: str, cursor: str | None) -> Select[Any]:
    """The query in that order from behind the cursor on; from its beginning without one."""
    if not cursor:
        return query
    if sort == "title":
        title, item_id = cursors.decode_text(cursor)
        return query.where(
            tuple_(func.lower(Item.title), Item.id) > tuple_(func.lower(title), literal(item_id))
        )
    column = Item.created_at if sort == "created" else Item.updated_at
    return query.where(tuple_(column, Item.id) < cursors.decode(cursor))


def cursor_behind(item: Item | Line, sort: str) -> str:
    """The cursor that leads to what follows an item."""
    if sort == "title":
        return cursors.encode_text(item.title, item.id)
    return cursors.encode(item.created_at if sort == "created" else item.updated_at, item.id)


def titles_of(session: Session, *, principal: Principal, item_ids: set[UUID]) -> dict[UUID, Item]:
    """Of these items those that the principal may see, by id."""
    if not item_ids:
        return {}
    seen: ColumnElement[bool] = visible(principal) & Item.id.in_(item_ids)
    return {item.id: item for item in session.scalars(select(Item).where(seen))}


def _owner(person_id: UUID | None, owner: str) -> Any:
    if owner == MINE:
        return person_id
    try:
        return UUID(owner)
    except ValueError:
        raise InvalidInput(
            msg("There is no owner {owner!r}.", owner=owner[:40]), hint="It is the id of a person, or: me."
        ) from None


def _one_of(value: str, allowed: tuple[str, ...], what: str) -> str:
    if value not in allowed:
        raise InvalidInput(
            msg("There is no {what} {value!r}.", what=what, value=value[:40]),
            hint=msg("It is one of: {allowed}.", allowed=", ".join(allowed)),
        )
    return value
