"""Who may change an item: the one rule that every change of an item goes through."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.catalogue.visibility import OPEN, granted
from leitstand.db.models import Item
from leitstand.errors import Forbidden
from leitstand.identity.access import Principal
from leitstand.words import msg

WRITE = "write"


def manages(principal: Principal) -> bool:
    """Whether the principal looks after everything in the workspace that they may see, as owners and admins do."""
    return not principal.external and principal.may("workspace:manage") and principal.may("item:write")


def may_edit(session: Session, principal: Principal, item: Item) -> bool:
    """Whether the principal may change an item that they may see.

    Whoever may write changes what is open to the workspace, and their own; owners and admins whatever they see; a grant
    to write holds for everybody who has it, external people too. A token does no more than it was made for.
    """
    if principal.may("item:write") and not principal.external:
        mine = principal.person_id is not None and item.owner_id == principal.person_id
        if mine or item.visibility in OPEN or manages(principal):
            return True
    return _may_by_grant(session, principal, item)


def require_edit(session: Session, principal: Principal, item: Item) -> None:
    """Refuse a change of an item that is not the principal's to change.

    Raises:
        Forbidden: see `may_edit`.
    """
    if not may_edit(session, principal, item):
        raise Forbidden(
            msg("You may open this {kind}, but not change it.", kind=item.kind),
            hint="Ask its owner to share it with you for editing.",
        )


def _may_by_grant(session: Session, principal: Principal, item: Item) -> bool:
    if principal.person_id is None or (principal.token_id and not principal.may("item:write")):
        return False
    theirs = granted(principal, principal.person_id, level=WRITE).subquery()
    return session.scalar(select(theirs.c.item_id).where(theirs.c.item_id == item.id).limit(1)) is not None
