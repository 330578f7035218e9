"""To whom an item is open without a grant: private, shared, the workspace, official, internal."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.orm import Session

from leitstand.catalogue.editing import manages
from leitstand.catalogue.grants import shareable
from leitstand.catalogue.visibility import VISIBILITIES
from leitstand.db.models import InvitationGrant, Item, ItemGrant
from leitstand.errors import InvalidInput
from leitstand.identity import audit
from leitstand.identity.access import Principal, require
from leitstand.words import msg

PERSONAL = ("private", "shared")
# What choosing it, or taking it back, needs beside the right to share.
NEEDS = {"official": ("item:publish", "item:official"), "internal": ("item:publish", "item:internal")}


def choices(principal: Principal, item: Item) -> list[str]:
    """The visibilities that the principal may choose for an item that they may share."""
    if item.kind == "conversation":
        return list(PERSONAL) if item.visibility in PERSONAL else [item.visibility]
    needed = NEEDS.get(item.visibility, ())
    if not all(principal.may(one) for one in needed):
        return [item.visibility]
    own = principal.person_id is not None and item.owner_id == principal.person_id
    return [
        one
        for one in VISIBILITIES
        if all(principal.may(need) for need in NEEDS.get(one, ()))
        and (own or one not in PERSONAL or one == item.visibility)
    ]


def set_visibility(session: Session, *, principal: Principal, item_id: UUID, visibility: str) -> Item:
    """Choose who sees an item. A private one is shared with nobody any more.

    Raises:
        NotFound: there is no such item.
        Forbidden: it is not theirs to share, or the permission for official or internal items is missing.
        InvalidInput: there is no such visibility, or somebody else than its owner hides it.
    """
    item = shareable(session, principal=principal, item_id=item_id)
    before = item.visibility
    change_visibility(session, principal=principal, item=item, visibility=visibility)
    if item.visibility != before:
        item.updated_at = datetime.now(UTC)
        session.flush()
        target, action = f"{item.kind}:{item.id}", f"{item.kind}.set-visibility"
        audit.record(
            session,
            principal=principal,
            action=action,
            target=target,
            before={"visibility": before},
            after={"visibility": visibility},
        )
    return item


def checked_visibility(principal: Principal, visibility: str) -> str:
    """A visibility that the principal may give.

    Raises:
        InvalidInput: there is none of that name.
        Forbidden: without what an official or internal item needs.
    """
    if visibility not in VISIBILITIES:
        raise InvalidInput(
            msg("There is no visibility {visibility!r}.", visibility=visibility),
            hint=msg("It is one of: {visibilities}.", visibilities=", ".join(VISIBILITIES)),
        )
    for permission in NEEDS.get(visibility, ()):
        require(principal, permission)
    return visibility


def change_visibility(session: Session, *, principal: Principal, item: Item, visibility: str) -> None:
    """Set it, if the principal may; the caller has the item locked and writes the audit row.

    Raises:
        as `set_visibility`.
    """
    if visibility == item.visibility:
        return
    checked_visibility(principal, visibility)
    if item.kind == "conversation" and visibility not in PERSONAL:
        raise InvalidInput("A conversation is shared with people and groups, not with everybody.")
    own = principal.person_id is not None and item.owner_id == principal.person_id
    if not own and (visibility in PERSONAL or not manages(principal)):
        raise InvalidInput("Only its owner can change who sees this.")
    for permission in NEEDS.get(item.visibility, ()):
        require(principal, permission)
    item.visibility = visibility
    if visibility == "private":
        session.execute(delete(ItemGrant).where(ItemGrant.item_id == item.id))
        session.execute(delete(InvitationGrant).where(InvitationGrant.item_id == item.id))
    session.flush()
