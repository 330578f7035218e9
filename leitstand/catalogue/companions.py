"""Companions: items with a flow, a funnel and end steps."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leitstand.db.models import Companion, Item
from leitstand.db.models.base import new_id


def ensure_companion(session: Session, *, workspace_id: UUID, key: str, title: str | None = None) -> UUID:
    """The companion that imported events call `key`, made (published) if there is none; safe under concurrency.

    Args:
        key: the name by which the source of the events calls it (a flow_id).
        title: what people read; the key where none is given.
    """
    row = {"id": new_id(), "workspace_id": workspace_id, "kind": "companion", "external_key": key}
    shown = {"title": title or key, "status": "published"}
    unique = ["workspace_id", "kind", "external_key"]
    session.execute(insert(Item).values(row | shown).on_conflict_do_nothing(index_elements=unique))
    found = select(Item.id).where(
        Item.workspace_id == workspace_id, Item.kind == "companion", Item.external_key == key
    )
    item_id = session.execute(found).scalar_one()
    session.execute(insert(Companion).values(item_id=item_id).on_conflict_do_nothing())
    return item_id
