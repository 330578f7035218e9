"""Items of every kind: listed by keyset, found, made, changed. What a person may not see does not exist for them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, or_, select, tuple_
from sqlalchemy.orm import Session

from leitstand.catalogue import cursors
from leitstand.catalogue.text import (
    checked_description,
    checked_tags,
    checked_title,
    contains,
    searchable,
)
from leitstand.db.models import Item
from leitstand.errors import Conflict, InvalidInput, NotFound
from leitstand.identity import audit
from leitstand.identity.access import Principal, require

PAGE = 50
LARGEST_PAGE = 200
STATUSES = ("draft", "published", "archived")
VISIBILITIES = ("workspace", "private")


@dataclass(frozen=True)
class Listing:
    """One page of a list, newest change first; `cursor` leads to the next, None at the end."""

    items: Sequence[Item]
    cursor: str | None


def visible(principal: Principal) -> ColumnElement[bool]:
    """Which items the principal may see: those of the workspace that are not in the trash and not another's private ones."""
    mine = Item.visibility != "private"
    if principal.person_id is not None:
        mine = or_(mine, Item.owner_id == principal.person_id)
    return and_(Item.workspace_id == principal.workspace_id, Item.deleted_at.is_(None), mine)


def list_items(
    session: Session,
    *,
    principal: Principal,
    kind: str,
    q: str = "",
    status: str = "",
    cursor: str | None = None,
    limit: int = PAGE,
) -> Listing:
    """The items of a kind, the last changed first.

    Args:
        q: text that the title contains, in any case; one or two characters must begin a word of it.
        status: one of `STATUSES`; empty: all.
        cursor: where the previous page ended.
        limit: 1 to 200 items.

    Raises:
        Forbidden: without `item:read`.
        InvalidInput: there is no such status, or the cursor is not ours.
    """
    require(principal, "item:read")
    query = select(Item).where(visible(principal), Item.kind == kind)
    if status:
        query = query.where(Item.status == _checked(status, STATUSES, "status"))
    if q := searchable(q):
        query = query.where(contains(Item.title, q))
    return _page(session, query, cursor=cursor, limit=max(1, min(limit, LARGEST_PAGE)))


def get_item(
    session: Session,
    *,
    principal: Principal,
    item_id: UUID,
    kind: str | None = None,
    for_update: bool = False,
) -> Item:
    """One item.

    Raises:
        Forbidden: without `item:read`.
        NotFound: there is none of that kind, or it is not the principal's to see.
    """
    require(principal, "item:read")
    query = select(Item).where(visible(principal), Item.id == item_id)
    if kind is not None:
        query = query.where(Item.kind == kind)
    if for_update:
        query = query.with_for_update(of=Item).execution_options(populate_existing=True)
    item = session.scalar(query)
    if item is None:
        raise NotFound(
            f"There is no such {kind or 'item'}.", hint="It may have been deleted: look in the trash."
        )
    return item


def create_item(
    session: Session,
    *,
    principal: Principal,
    kind: str,
    title: str,
    description: str = "",
    tags: Iterable[str] = (),
    visibility: str = "workspace",
) -> Item:
    """Make an item; it is the principal's own and a draft.

    Raises:
        Forbidden: without `item:write`.
        InvalidInput: a value is not fit.
    """
    require(principal, "item:write")
    item = Item(
        workspace_id=principal.workspace_id,
        kind=kind,
        title=checked_title(title),
        description=checked_description(description),
        tags=checked_tags(tags),
        visibility=_checked(visibility, VISIBILITIES, "visibility"),
        owner_id=principal.person_id,
        status="draft",
        updated_at=datetime.now(UTC),
    )
    session.add(item)
    session.flush()
    audit.record(
        session, principal=principal, action=f"{kind}.create", target=f"{kind}:{item.id}", after=_facts(item)
    )
    return item


def update_item(
    session: Session,
    *,
    principal: Principal,
    item_id: UUID,
    title: str | None = None,
    description: str | None = None,
    tags: Iterable[str] | None = None,
    visibility: str | None = None,
    seen: datetime | None = None,
) -> Item:
    """Change what is given and leave the rest.

    Args:
        seen: `updated_at` as the editor saw it; a change made since then is not overwritten.

    Raises:
        Forbidden: without `item:write`.
        NotFound: there is no such item.
        InvalidInput: a value is not fit.
        Conflict: somebody changed it since `seen`.
    """
    require(principal, "item:write")
    item = get_item(session, principal=principal, item_id=item_id, for_update=True)
    if seen is not None and item.updated_at != seen:
        raise Conflict(
            "Somebody changed this meanwhile.",
            hint="Load the page again, then make your change on what is there now.",
        )
    before = _facts(item)
    changes = _checked_changes(title=title, description=description, tags=tags)
    if visibility is not None and visibility != item.visibility:
        _require_own(principal, item)
        changes["visibility"] = _checked(visibility, VISIBILITIES, "visibility")
    for name, value in changes.items():
        setattr(item, name, value)
    note_change(session, principal=principal, item=item, action="update", before=before)
    return item


def note_change(
    session: Session, *, principal: Principal, item: Item, action: str, before: dict[str, Any]
) -> None:
    """Move a changed item to the head of its list and write the audit row; nothing where nothing changed."""
    old, new = audit.changed(before, _facts(item))
    if not new:
        return
    item.updated_at = datetime.now(UTC)
    session.flush()
    target = f"{item.kind}:{item.id}"
    audit.record(
        session, principal=principal, action=f"{item.kind}.{action}", target=target, before=old, after=new
    )


def set_status(session: Session, *, principal: Principal, item: Item, status: str, action: str) -> None:
    """Set an item's status.

    Raises:
        Forbidden: without `item:publish`.
    """
    require(principal, "item:publish")
    before = _facts(item)
    item.status = _checked(status, STATUSES, "status")
    note_change(session, principal=principal, item=item, action=action, before=before)


def _page(session: Session, query: Select[tuple[Item]], *, cursor: str | None, limit: int) -> Listing:
    if cursor:
        query = query.where(tuple_(Item.updated_at, Item.id) < cursors.decode(cursor))
    rows = list(session.scalars(query.order_by(Item.updated_at.desc(), Item.id.desc()).limit(limit + 1)))
    if len(rows) <= limit:
        return Listing(rows, None)
    last = rows[limit - 1]
    return Listing(rows[:limit], cursors.encode(last.updated_at, last.id))


def _facts(item: Item) -> dict[str, Any]:
    """What the audit log keeps of an item."""
    return {
        "title": item.title,
        "description": item.description,
        "tags": list(item.tags),
        "visibility": item.visibility,
        "status": item.status,
    }


def _checked_changes(
    *, title: str | None, description: str | None, tags: Iterable[str] | None
) -> dict[str, Any]:
    """Every given value checked before any is set, so that a refusal leaves the item as it was."""
    changes: dict[str, Any] = {}
    if title is not None:
        changes["title"] = checked_title(title)
    if description is not None:
        changes["description"] = checked_description(description)
    if tags is not None:
        changes["tags"] = checked_tags(tags)
    return changes


def _require_own(principal: Principal, item: Item) -> None:
    """Only its owner makes an item private or gives it free: nobody hides another's work from them."""
    if principal.person_id is None or item.owner_id != principal.person_id:
        raise InvalidInput("Only its owner can change who sees this.")


def _checked(value: str, allowed: tuple[str, ...], what: str) -> str:
    if value not in allowed:
        raise InvalidInput(f"There is no {what} {value!r}.", hint=f"It is one of: {', '.join(allowed)}.")
    return value
