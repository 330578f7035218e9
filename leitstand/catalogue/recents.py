"""What a person last opened, created or edited: newest first, one row an item, at most 20 a kind."""

from functools import lru_cache

from sqlalchemy import Boolean, Select, delete, func, literal_column, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leitstand.catalogue.visibility import MOST_KEPT, Who, seen_by, who
from leitstand.db.models import Item, Recent
from leitstand.identity.access import Principal, require

KEEP = 20


def note_use(session: Session, *, principal: Principal, item: Item) -> None:
    """Remember that the person used an item just now."""
    if principal.person_id is None:
        return
    now = func.clock_timestamp()
    used = insert(Recent).values(person_id=principal.person_id, item_id=item.id, used_at=now)
    again = used.on_conflict_do_update(index_elements=["person_id", "item_id"], set_={"used_at": now})
    # A row that nobody has written over yet is a new one: only then there may be one too many.
    if session.scalar(again.returning(literal_column("xmax = 0", Boolean))):
        _forget_oldest(session, principal, item.kind)


def _forget_oldest(session: Session, principal: Principal, kind: str) -> None:
    of_kind = (
        select(Recent.item_id)
        .join(Item, Item.id == Recent.item_id)
        .where(Recent.person_id == principal.person_id, Item.kind == kind)
        .order_by(Recent.used_at.desc(), Recent.item_id)
        .offset(KEEP)
    )
    old = Recent.item_id.in_(of_kind.scalar_subquery())
    session.execute(
        delete(Recent)
        .where(Recent.person_id == principal.person_id, old)
        .execution_options(synchronize_session=False)
    )


def list_recents(session: Session, *, principal: Principal, limit: int = KEEP) -> list[tuple[Item, Recent]]:
    """The items the person last used and may still see, with when."""
    require(principal, "item:read")
    return [(item, recent) for item, recent in session.execute(_recents(who(principal), limit))]


@lru_cache(maxsize=MOST_KEPT)
def _recents(asking: Who, limit: int) -> Select[tuple[Item, Recent]]:
    return (
        select(Item, Recent)
        .join(Recent, Recent.item_id == Item.id)
        .where(Recent.person_id == asking.person_id, seen_by(asking))
        .order_by(Recent.used_at.desc(), Item.id)
        .limit(limit)
    )
