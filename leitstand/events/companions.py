"""The companions that an imported log names: found or made many at once, with their funnel and end steps."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import Select, false, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leitstand.db.models import Companion, EventImport, Item
from leitstand.db.models.base import new_id
from leitstand.events import facts


def ensure_companions(
    session: Session,
    *,
    workspace_id: UUID,
    keys: Collection[str],
    log_id: UUID,
    end_steps: Sequence[str] = (),
    funnel: Sequence[str] = (),
) -> dict[str, UUID]:
    """The companions of these names; those that are not there yet are made (published) and belong to the log.

    Safe while others make the same ones. End steps and funnel are given to new ones only; see `configure`.
    """
    row = {"workspace_id": workspace_id, "kind": "companion", "status": "published"}
    items = [row | {"id": new_id(), "external_key": key, "title": key} for key in sorted(keys)]
    session.execute(
        insert(Item).on_conflict_do_nothing(index_elements=["workspace_id", "kind", "external_key"]), items
    )
    found = select(Item.external_key, Item.id).where(
        Item.workspace_id == workspace_id, Item.kind == "companion", Item.external_key.in_(keys)
    )
    ids = {str(key): item_id for key, item_id in session.execute(found)}
    own = {"log_id": log_id, "end_steps": list(end_steps), "funnel": list(funnel)}
    companions = [{"item_id": item_id, **own} for item_id in ids.values()]
    session.execute(insert(Companion).on_conflict_do_nothing(), companions)
    return ids


def configure(
    session: Session,
    *,
    workspace_id: UUID,
    companions: Collection[UUID],
    end_steps: Sequence[str] = (),
    funnel: Sequence[str] = (),
    import_id: UUID | None = None,
) -> None:
    """Give companions their end steps and funnel (those given), and decide anew which of their runs are completed.

    An earlier import that had set others is no longer what its companions say; it may be repeated.
    """
    before = session.execute(_changed(companions, end_steps, funnel)).all()
    if not before:
        return
    values = ({"end_steps": list(end_steps)} if end_steps else {}) | (
        {"funnel": list(funnel)} if funnel else {}
    )
    chosen = [item_id for item_id, _, _ in before]
    session.execute(update(Companion).where(Companion.item_id.in_(chosen)).values(values))
    others = (
        EventImport.workspace_id == workspace_id,
        EventImport.id != import_id,
        EventImport.status != "running",
    )
    session.execute(update(EventImport).where(*others).values(options={}))
    logs = {log_id for _, log_id, earlier in before if end_steps and earlier != list(end_steps)}
    facts.lock_logs(session, logs)
    for log_id in logs:
        facts.complete_again(session, workspace_id=workspace_id, log_id=log_id)


def _changed(
    companions: Collection[UUID], end_steps: Sequence[str], funnel: Sequence[str]
) -> Select[tuple[UUID, UUID, list[str]]]:
    differences = []
    if end_steps:
        differences.append(Companion.end_steps != list(end_steps))
    if funnel:
        differences.append(Companion.funnel != list(funnel))
    log_id = func.coalesce(Companion.log_id, Companion.item_id)
    named = select(Companion.item_id, log_id, Companion.end_steps).where(Companion.item_id.in_(companions))
    return named.where(or_(false(), *differences))
