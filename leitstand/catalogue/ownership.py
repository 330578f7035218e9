"""Handing items over: one's own, or everything that somebody who leaves has made."""

from collections.abc import Collection
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from leitstand.catalogue.editing import manages
from leitstand.catalogue.publicity import PERSONAL
from leitstand.catalogue.visibility import visible
from leitstand.db.models import Item, ItemGrant
from leitstand.errors import Forbidden, InvalidInput, NotFound
from leitstand.identity import audit
from leitstand.identity.access import Principal, require
from leitstand.identity.members import get_member, require_over
from leitstand.words import msg

MOST_AT_ONCE = 500


def owned(session: Session, *, workspace_id: UUID, person_id: UUID) -> dict[str, int]:
    """How many items of a workspace a person owns that are not in the trash: `personal` (private, shared) and `open`."""
    personal = Item.visibility.in_(PERSONAL)
    query = (
        select(personal, func.count()).where(_of(workspace_id, person_id), Item.deleted_at.is_(None))
    ).group_by(personal)
    counts = dict(session.execute(query).tuples().all())
    return {"personal": counts.get(True, 0), "open": counts.get(False, 0)}


def transfer_items(session: Session, *, principal: Principal, item_ids: Collection[UUID], to: UUID) -> int:
    """Make a member the owner of items; all of them or none.

    Raises:
        NotFound: there is no such item or member.
        Forbidden: one is neither the principal's own nor theirs to look after.
        InvalidInput: there are too many, or the member can't own items.
    """
    require(principal, "item:write")
    if len(item_ids) > MOST_AT_ONCE:
        raise InvalidInput(
            msg("At most {most_at_once} items are handed over at once.", most_at_once=MOST_AT_ONCE)
        )
    heir = _heir(session, principal, to)
    query = select(Item).where(visible(principal), Item.id.in_(item_ids)).with_for_update(of=Item)
    items = list(session.scalars(query))
    if len(items) != len(set(item_ids)):
        raise NotFound("There is no such item.", hint="It may have been deleted meanwhile.")
    for item in items:
        mine = principal.person_id is not None and item.owner_id == principal.person_id
        if not (mine or manages(principal)) or item.kind == "conversation":
            raise Forbidden(
                msg("{title} is not yours to hand over.", title=item.title), hint="Ask its owner."
            )
        _hand(session, principal, item, heir)
    session.flush()
    return len(items)


def transfer_all(session: Session, *, principal: Principal, person_id: UUID, to: UUID) -> int:
    """Make a member the owner of everything that somebody of the workspace owns, private items too.

    Raises:
        Forbidden: without `member:manage`, or the person may more than the principal.
        NotFound: there is no such member.
        InvalidInput: the heir can't own items.
    """
    require(principal, "member:manage")
    require_over(principal, get_member(session, principal=principal, person_id=person_id))
    return give_all(session, principal=principal, person_id=person_id, to=to)


def give_all(session: Session, *, principal: Principal, person_id: UUID, to: UUID) -> int:
    """As `transfer_all`, for who has been asked already: a person who leaves."""
    if to == person_id:
        raise InvalidInput("The items are theirs already.", hint="Choose somebody else.")
    heir = _heir(session, principal, to)
    # What somebody said is nobody else's to read.
    theirs = _of(principal.workspace_id, person_id) & (Item.kind != "conversation")
    query = select(Item).where(theirs).with_for_update()
    items = list(session.scalars(query))
    for item in items:
        _hand(session, principal, item, heir)
    session.flush()
    return len(items)


def abandon(session: Session, *, principal: Principal, workspace_id: UUID, person_id: UUID) -> int:
    """Private and shared items of somebody who goes, into the trash; what the workspace has stays, without an owner."""
    theirs = _of(workspace_id, person_id)
    gone = update(Item).where(theirs, Item.visibility.in_(PERSONAL), Item.deleted_at.is_(None))
    trashed = session.execute(gone.values(deleted_at=datetime.now(UTC)).returning(Item.id, Item.kind)).all()
    session.execute(update(Item).where(theirs).values(owner_id=None))
    for item_id, kind in trashed:
        audit.record_in(
            session,
            workspace_id=workspace_id,
            principal=principal,
            action=f"{kind}.trash",
            target=f"{kind}:{item_id}",
        )
    return len(trashed)


def _heir(session: Session, principal: Principal, to: UUID) -> UUID:
    member = get_member(session, principal=principal, person_id=to)
    if member.state != "active" or "item:write" not in member.permissions:
        raise InvalidInput(
            "This person can't own items.", hint="Choose a member who can sign in and may edit items."
        )
    return to


def _hand(session: Session, principal: Principal, item: Item, to: UUID) -> None:
    before = str(item.owner_id) if item.owner_id else None
    item.owner_id = to
    session.execute(delete(ItemGrant).where(ItemGrant.item_id == item.id, ItemGrant.person_id == to))
    target, action = f"{item.kind}:{item.id}", f"{item.kind}.transfer"
    audit.record(
        session,
        principal=principal,
        action=action,
        target=target,
        before={"owner": before},
        after={"owner": str(to)},
    )


def _of(workspace_id: UUID, person_id: UUID) -> ColumnElement[bool]:
    return (Item.workspace_id == workspace_id) & (Item.owner_id == person_id) & Item.purged_at.is_(None)
