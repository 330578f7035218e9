"""Each person's favorites, in their own order."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leitstand.catalogue.items import get_item, visible
from leitstand.db.models import Favorite, Item
from leitstand.errors import InvalidInput, NotFound
from leitstand.identity.access import Principal, require

MOST = 500


def list_favorites(session: Session, *, principal: Principal, limit: int = MOST) -> list[Item]:
    """The person's favorites that they may still see, in their order."""
    require(principal, "item:read")
    query = (
        select(Item)
        .join(Favorite, Favorite.item_id == Item.id)
        .where(Favorite.person_id == principal.person_id, visible(principal))
        .order_by(Favorite.position, Favorite.item_id)
    )
    return list(session.scalars(query.limit(limit)))


def favorite_ids(session: Session, *, principal: Principal, item_ids: Sequence[UUID]) -> set[UUID]:
    """Which of these items are favorites of the person."""
    query = select(Favorite.item_id).where(
        Favorite.person_id == principal.person_id, Favorite.item_id.in_(item_ids)
    )
    return set(session.scalars(query)) if item_ids else set()


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
            f"There may be at most {MOST} favorites.", hint="Remove one that you no longer need."
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
