"""What the home page shows of what a person last used, of their favorites, and of what others shared with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import DateTime, Integer, Select, cast, func, null, select, union_all
from sqlalchemy.orm import Session

from leitstand.catalogue.visibility import MOST_KEPT, Who, granted, seen_by, visible, who
from leitstand.db.models import Favorite, Item, Recent
from leitstand.identity.access import Principal, require


class Line(NamedTuple):
    """As much of an item as one line shows; `used_at` of what was used or shared, `position` of a favorite."""

    id: UUID
    kind: str
    title: str
    description: str
    status: str
    icon: str
    used_at: datetime | None
    position: int | None


@dataclass(frozen=True)
class AtHand:
    """What was used last, newest first, and favorites in the person's order."""

    recents: Sequence[Line]
    favorites: Sequence[Line]


def at_hand(session: Session, *, principal: Principal, limit: int) -> AtHand:
    """The first of `recents.list_recents` and of `favorites.list_favorites`, at most so many of each.

    Raises:
        Forbidden: without `item:read`.
    """
    require(principal, "item:read")
    lines = [Line._make(row) for row in session.execute(_at_hand(who(principal), limit))]
    recents = [line for line in lines if line.position is None]
    favorites = [line for line in lines if line.position is not None]
    recents.sort(key=attrgetter("used_at"), reverse=True)
    favorites.sort(key=attrgetter("position"))
    return AtHand(recents, favorites)


def shared_with(session: Session, *, principal: Principal, limit: int) -> list[Line]:
    """What others share with the person, themselves or through a group, what was shared last first.

    Raises:
        Forbidden: without `item:read`.
    """
    require(principal, "item:read")
    if principal.person_id is None:
        return []
    ways = granted(principal, principal.person_id).subquery()
    last = func.max(ways.c.created_at).label("at")
    grants = select(ways.c.item_id, last).group_by(ways.c.item_id).subquery()
    query = (
        _shown(grants.c.at, cast(null(), Integer))
        .join(grants, grants.c.item_id == Item.id)
        .where(visible(principal), Item.owner_id.is_distinct_from(principal.person_id))
        .order_by(grants.c.at.desc(), Item.id)
        .limit(limit)
    )
    return [Line._make(row) for row in session.execute(query)]


@lru_cache(maxsize=MOST_KEPT)
def _at_hand(asking: Who, limit: int) -> Any:
    """Either way goes by its own index, and ends at the limit."""
    never, nowhere = cast(null(), DateTime(timezone=True)), cast(null(), Integer)
    used = _shown(Recent.used_at, nowhere).join(Recent, Recent.item_id == Item.id)
    marked = _shown(never, Favorite.position).join(Favorite, Favorite.item_id == Item.id)
    seen = seen_by(asking)
    newest = used.where(Recent.person_id == asking.person_id, seen).order_by(Recent.used_at.desc(), Item.id)
    first = marked.where(Favorite.person_id == asking.person_id, seen).order_by(
        Favorite.position, Favorite.item_id
    )
    return union_all(*(select(way.limit(limit).subquery()) for way in (newest, first)))


def _shown(used_at: Any, position: Any) -> Select[Any]:
    return select(
        Item.id, Item.kind, Item.title, Item.description, Item.status, Item.icon,
        used_at.label("used_at"), position.label("position"),
    )  # fmt: skip
