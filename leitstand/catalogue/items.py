"""Items of every kind: listed by keyset, found, made, changed. What a person may not see does not exist for them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.catalogue import listing
from leitstand.catalogue.editing import require_edit
from leitstand.catalogue.icons import checked_icon
from leitstand.catalogue.listing import LARGEST_PAGE, PAGE, STATUSES, Listing
from leitstand.catalogue.publicity import change_visibility, checked_visibility
from leitstand.catalogue.text import checked_description, checked_tags, checked_title
from leitstand.catalogue.visibility import VISIBILITIES, visible
from leitstand.db.models import Item
from leitstand.errors import Conflict, InvalidInput, NotFound
from leitstand.identity import audit
from leitstand.identity.access import Principal, require
from leitstand.limits.room import require_room
from leitstand.words import N_, msg, said

# What one of each kind is called in a sentence; "" where the kind is not known.
ONE = {
    "": N_("item"),
    "agent": N_("agent"),
    "app": N_("app"),
    "board": N_("board"),
    "collection": N_("collection"),
    "companion": N_("companion"),
    "control": N_("control"),
    "conversation": N_("conversation"),
    "space": N_("space"),
    "thread": N_("thread"),
}

__all__ = ["LARGEST_PAGE", "PAGE", "STATUSES", "VISIBILITIES", "Listing"]


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
    """The items of a kind, the last changed first; `leitstand.catalogue.listing` knows more filters and orders.

    Raises:
        Forbidden: without `item:read`.
        InvalidInput: there is no such status, or the cursor is not ours.
    """
    wanted = listing.Filters(kind=kind, q=q, status=status)
    return listing.find(session, principal=principal, filters=wanted, cursor=cursor, limit=limit)


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
            msg("There is no such {kind}.", kind=said(ONE.get(kind or "", "item"))),
            hint="It may have been deleted: look in the trash.",
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
    icon: str = "",
    external_key: str | None = None,
) -> Item:
    """Make an item; it is the principal's own and a draft.

    Raises:
        Forbidden: without `item:read` and `item:write`, or what the visibility needs.
        InvalidInput: a value is not fit.
        LimitReached: the plan has no room for another item or space.
    """
    # Whoever makes one is shown it: without this the API would refuse only after it has written.
    require(principal, "item:read")
    require(principal, "item:write")
    require_room(session, principal.workspace_id, "items")
    if kind == "space":
        require_room(session, principal.workspace_id, "spaces")
    item = Item(
        workspace_id=principal.workspace_id,
        kind=kind,
        title=checked_title(title),
        description=checked_description(description),
        tags=checked_tags(tags),
        icon=checked_icon(icon),
        external_key=external_key,
        visibility=checked_visibility(principal, visibility),
        owner_id=principal.person_id,
        status="draft",
        updated_at=datetime.now(UTC),
    )
    session.add(item)
    session.flush()
    audit.record(
        session, principal=principal, action=f"{kind}.create", target=f"{kind}:{item.id}", after=facts(item)
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
    icon: str | None = None,
    seen: datetime | None = None,
) -> Item:
    """Change what is given and leave the rest.

    Args:
        seen: `updated_at` as the editor saw it; a change made since then is not overwritten.

    Raises:
        Forbidden: the principal may not change it.
        NotFound: there is no such item.
        InvalidInput: a value is not fit.
        Conflict: somebody changed it since `seen`.
    """
    item = editable(session, principal=principal, item_id=item_id, seen=seen)
    before = facts(item)
    given = {"title": title, "description": description, "tags": tags, "icon": icon, "visibility": visibility}
    set_checked(session, principal, item, given)
    note_change(session, principal=principal, item=item, action="update", before=before)
    return item


def editable(
    session: Session,
    *,
    principal: Principal,
    item_id: UUID,
    kind: str | None = None,
    seen: datetime | int | None = None,
) -> Item:
    """An item held for a change.

    Args:
        seen: `updated_at` or `version` as the editor saw it; a change made since then is not overwritten.

    Raises:
        Forbidden: the principal may not change it.
        NotFound: there is no such item.
        Conflict: somebody changed it since `seen`.
    """
    item = get_item(session, principal=principal, item_id=item_id, kind=kind, for_update=True)
    require_edit(session, principal, item)
    if seen is not None and seen != (item.version if isinstance(seen, int) else item.updated_at):
        raise Conflict(
            "Somebody changed this meanwhile.",
            hint="Load the page again, then make your change on what is there now.",
        )
    return item


def note_change(
    session: Session, *, principal: Principal, item: Item, action: str, before: dict[str, Any]
) -> None:
    """Move a changed item to the head of its list and write the audit row; nothing where nothing changed."""
    old, new = audit.changed(before, facts(item))
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
    before = facts(item)
    item.status = _checked(status, STATUSES, "status")
    note_change(session, principal=principal, item=item, action=action, before=before)


def facts(item: Item) -> dict[str, Any]:
    """What the audit log keeps of an item."""
    return {
        "title": item.title,
        "description": item.description,
        "tags": list(item.tags),
        "icon": item.icon,
        "visibility": item.visibility,
        "status": item.status,
    }


def set_checked(session: Session, principal: Principal, item: Item, given: dict[str, Any]) -> None:
    """Set what is given (None: stays as it is) after all of it was checked: a refusal leaves the item as it was.

    Raises:
        InvalidInput: a value is not fit.
        Forbidden: without what the visibility needs.
    """
    checks = {
        "title": checked_title, "description": checked_description, "tags": checked_tags, "icon": checked_icon,
    }  # fmt: skip
    changes = {name: checks[name](given[name]) for name in checks if given.get(name) is not None}
    if given.get("visibility") is not None:
        change_visibility(session, principal=principal, item=item, visibility=given["visibility"])
    for name, value in changes.items():
        setattr(item, name, value)


def _checked(value: str, allowed: tuple[str, ...], what: str) -> str:
    if value not in allowed:
        raise InvalidInput(
            msg("There is no {what} {value!r}.", what=what, value=value),
            hint=msg("It is one of: {allowed}.", allowed=", ".join(allowed)),
        )
    return value
