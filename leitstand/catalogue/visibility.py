"""Which items a principal may see: the one condition that every query on items takes."""

from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, CompoundSelect, Select, and_, func, or_, select, true, union_all

from leitstand.db.models import GroupMember, Item, ItemGrant
from leitstand.identity.access import Principal

# To whom an item of a visibility is open without a grant; `private` and `shared` are open to the owner and by grant alone.
OPEN = ("workspace", "official")
INTERNAL = "internal"
VISIBILITIES = ("private", "shared", "workspace", "official", "internal")


# Building a condition costs more than asking the database with it: as many are kept as people are busy at once.
MOST_KEPT = 1_000


class Who(NamedTuple):
    """All of a principal that decides what they see: whoever differs in it has a condition of their own."""

    workspace_id: UUID
    person_id: UUID | None
    external: bool
    internal: bool


def who(principal: Principal) -> Who:
    """What decides what a principal sees; queries that are kept have nothing else of them."""
    return Who(
        principal.workspace_id, principal.person_id, principal.external, principal.may("item:internal")
    )


def visible(principal: Principal) -> ColumnElement[bool]:
    """Items of the workspace that are not in the trash and are the principal's to see."""
    return seen_by(who(principal))


@lru_cache(maxsize=MOST_KEPT)
def seen_by(asking: Who) -> ColumnElement[bool]:
    """As `visible`."""
    return and_(Item.workspace_id == asking.workspace_id, Item.deleted_at.is_(None), _reachable(asking))


def reachable(principal: Principal) -> ColumnElement[bool]:
    """What the principal may see of their workspace, the trash included.

    An external person sees what is granted to them, and nothing else.
    """
    return _reachable(who(principal))


def _reachable(asking: Who) -> ColumnElement[bool]:
    if asking.external and asking.person_id is not None:
        return Item.id.in_(_granted(asking.workspace_id, asking.person_id))
    # Not as `IN`: SQLAlchemy would write such a list anew into the text of the statement each time.
    everybodys = or_(*(Item.visibility == one for one in ((*OPEN, INTERNAL) if asking.internal else OPEN)))
    if asking.person_id is None:
        return everybodys
    mine = Item.owner_id == asking.person_id
    return or_(everybodys, mine, Item.id.in_(_granted(asking.workspace_id, asking.person_id)))


def granted(
    principal: Principal, person_id: UUID, *, level: str = ""
) -> CompoundSelect[tuple[UUID, datetime]]:
    """The items that are granted to a person, directly or through a group, and since when; what has expired is not.

    An item that is granted in both ways comes twice.

    Args:
        level: `write` leaves out what may only be read; empty: both.
    """
    asked = ItemGrant.level == level if level else true()
    return _grants(principal.workspace_id, person_id, asked, ItemGrant.item_id, ItemGrant.created_at)


def groups_of(workspace_id: UUID, person_id: UUID) -> Select[tuple[UUID]]:
    """The groups that a person belongs to today."""
    return select(GroupMember.group_id).where(
        GroupMember.person_id == person_id,
        GroupMember.workspace_id == workspace_id,
        or_(GroupMember.expires_at.is_(None), GroupMember.expires_at > func.now()),
    )


def _granted(workspace_id: UUID, person_id: UUID) -> CompoundSelect[tuple[UUID]]:
    return _grants(workspace_id, person_id, true(), ItemGrant.item_id)


def _grants(
    workspace_id: UUID, person_id: UUID, asked: ColumnElement[bool], *shown: Any
) -> CompoundSelect[Any]:
    """Two queries, each of which its own index serves: with `OR` all grants of the workspace would be looked through."""
    fresh = or_(ItemGrant.expires_at.is_(None), ItemGrant.expires_at > func.now())
    ways = (ItemGrant.person_id == person_id, ItemGrant.group_id.in_(groups_of(workspace_id, person_id)))
    return union_all(
        *(select(*shown).where(ItemGrant.workspace_id == workspace_id, way, fresh, asked) for way in ways)
    )
