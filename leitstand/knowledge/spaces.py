"""Spaces: items that hold documents."""

from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from leitstand.catalogue.contents import create
from leitstand.catalogue.visibility import visible
from leitstand.db.models import Item
from leitstand.errors import Conflict, NotFound
from leitstand.identity.access import Principal, require
from leitstand.words import msg

KIND = "space"


def create_space(session: Session, *, principal: Principal, title: str, description: str = "") -> Item:
    """Make an empty space.

    Raises:
        Forbidden: without `item:write`.
        InvalidInput: the title is not fit.
    """
    return create(session, principal=principal, kind=KIND, title=title, description=description)


def find_space(session: Session, *, principal: Principal, name: str) -> Item:
    """The space of that id or title, as the command line takes it.

    Raises:
        Forbidden: without `item:read`.
        NotFound: there is none that the principal may see.
        Conflict: several have that title.
    """
    require(principal, "item:read")
    named = func.lower(Item.title) == name.strip().lower()
    if identity := _uuid(name):
        named = or_(named, Item.id == identity)
    query = select(Item).where(visible(principal), Item.kind == KIND, named).order_by(Item.id).limit(2)
    found = session.scalars(query).all()
    if not found:
        raise NotFound(
            msg("There is no space {name!r}.", name=name), hint="`leitstand space list` shows the spaces."
        )
    if len(found) > 1:
        raise Conflict(
            msg("Several spaces are called {name!r}.", name=name),
            hint="Use the id that `leitstand space list` shows.",
        )
    return found[0]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
