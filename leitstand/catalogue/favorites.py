"""Each person's favorites, in their own order."""

from collections.abc import Sequence
from functools import lru_cache
from uuid import UUID

from sqlalchemy import ARRAY, Select, Uuid, any_, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leitstand.catalogue.items import get_item
from leitstand.catalogue.visibility import MOST_KEPT, Who, seen_by, who
from leitstand.db.models import Favorite, Item
from leitstand.errors import InvalidInput, NotFound
from leitstand.identity.access import Principal, require
from leitstand.words import msg

MOST = 500


# One array instead of as many parameters as there are items: written, sent and planned once.
_OF_THESE = select(Favorite.item_id).where(
    Favorite.person_id == bindparam("person"),
    Favorite.item_id == any_(bindparam("ids", type_=ARRAY(Uuid))),
)


def list_favorites(session: Session, *, principal: Principal, limit: int = MOST) -> list[Item]:
    """The person's favorites that they may still see, in their order."""
    require(principal, "item:read")
    return list(session.scalars(_favorites(who(principal), limit)))


@lru_cache(maxsize=MOST_KEPT)
def _favorites(asking: Who, limit: int) -> Select[tuple[Item]]:
    return (
        select(Item)
        .join(Favorite, Favorite.item_id == Item.id)
        .where(Favorite.person_id == asking.person_id, seen_by(asking))
        .order_by(Favorite.position, Favorite.item_id)
        .limit(limit)
    )


def favorite_ids(session: Session, *, principal: Principal, item_ids: Sequence[UUID]) -> set[UUID]:
    """Which of these items are favorites of the person."""
    if not item_ids:
        return set()
    return set(session.scalars(_OF_THESE, {"person": principal.person_id, "ids": list(item_ids)}))


def add_favorite(session: Session, *, principal: Principal, item_id: UUID) -> Item:
    """Put an item at the end of the person's favorites; nothing changes where it is one already.

    Raises:
        NotFound: there is no such item.
        InvalidInput: there are too many.
    """
    item = get_item(session, principal=principal, item_id=item_id)
    person_id = _person(principal)
    highest, count = session.execute(
        select(func.coalesce(func.max(Favorite.position), 0), func.count()).where(
            Favorite.person_id == person_id
        )
    ).one()
    if count >= MOST:
        raise InvalidInput(
            msg("There may be at most {most} favorites.", most=MOST),
            hint="Remove one that you no longer need.",
        )
    row = {"person_id": person_id, "item_id": item_id, "position": highest + 1}
    session.execute(insert(Favorite).values(row).on_conflict_do_nothing())
    return item


def remove_favorite(session: Session, *, principal: Principal, item_id: UUID) -> None:
    """Take an item out of the person's favorites; nothing changes where it is none."""
    mine = (Favorite.person_id == _person(principal)) & (Favorite.item_id == item_id)
    session.execute(delete(Favorite).where(mine))


def move_favorite(session: Session, *, principal: Principal, item_id: UUID, by: int) -> None:
    """Move a favorite up (negative) or down by so many places.

    Raises:
        NotFound: it is none of the person's favorites.
    """
    ids = [item.id for item in list_favorites(session, principal=principal)]
    if item_id not in ids:
        raise NotFound("This is none of your favorites.")
    at = ids.index(item_id)
    ids.insert(max(0, min(len(ids) - 1, at + by)), ids.pop(at))
    reorder_favorites(session, principal=principal, item_ids=ids)


def reorder_favorites(session: Session, *, principal: Principal, item_ids: Sequence[UUID]) -> None:
    """Put these favorites first, in this order; those not named follow in the order they had."""
    mine = select(Favorite).where(Favorite.person_id == _person(principal)).with_for_update()
    rows = list(session.scalars(mine.order_by(Favorite.position, Favorite.item_id)))
    place = {item_id: at for at, item_id in enumerate(dict.fromkeys(item_ids))}
    rows.sort(key=lambda row: place.get(row.item_id, len(place)))
    for position, row in enumerate(rows, start=1):
        row.position = position
    session.flush()


def _person(principal: Principal) -> UUID:
    if principal.person_id is None:
        raise InvalidInput("Only a person has favorites.")
    return principal.person_id
