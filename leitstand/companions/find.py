"""A companion by whatever people call it."""

from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from leitstand.catalogue.visibility import visible
from leitstand.db.models import Companion, Item
from leitstand.errors import Conflict, NotFound
from leitstand.identity.access import Principal, require
from leitstand.words import N_, msg


def find_companion(session: Session, *, principal: Principal, name: str) -> Item:
    """The companion of that id, link, key or title, as the command line takes it.

    Raises:
        Forbidden: without `item:read`.
        NotFound: there is none that the principal may see.
        Conflict: several have that title.
    """
    require(principal, "item:read")
    wanted = name.strip()
    named = or_(
        func.lower(Item.title) == wanted.lower(), Item.external_key == wanted, Companion.slug == wanted
    )
    if identity := _uuid(wanted):
        named = or_(named, Item.id == identity)
    query = select(Item).join(Companion, Companion.item_id == Item.id).where(visible(principal), named)
    found = session.scalars(query.order_by(Item.id).limit(2)).all()
    if not found:
        raise NotFound(
            msg("There is no companion {name!r}.", name=name),
            hint="`leitstand companion list` shows the companions.",
        )
    if len(found) > 1:
        hint = N_("Use the id that `leitstand companion list --json` shows.")
        raise Conflict(msg("Several companions are called {name!r}.", name=name), hint=hint)
    return found[0]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
