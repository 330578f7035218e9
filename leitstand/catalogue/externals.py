"""People outside of the organisation, and what people and groups may open."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from leitstand.catalogue.editing import manages
from leitstand.catalogue.text import contains, searchable
from leitstand.catalogue.visibility import visible
from leitstand.db.models import GroupMember, Item, ItemGrant, PeopleGroup
from leitstand.errors import NotFound
from leitstand.identity import invitations
from leitstand.identity.access import EXTERNAL, Principal, require
from leitstand.identity.groups import get_group
from leitstand.identity.invitations import EXTERNAL_STAY, Sent
from leitstand.identity.members import Member, get_member

MOST = 500


@dataclass(frozen=True)
class Opened:
    """An item that somebody may open.

    Args:
        item: None where the reader may not see it themselves: its title is not theirs to know.
        group: the name of the group through which, empty where it is granted directly.
        expires_at: when it ends: the grant or the place in the group, whichever comes first.
    """

    grant_id: UUID
    item: Item | None
    level: str
    group: str
    group_id: UUID | None
    expires_at: datetime | None

    @property
    def expired(self) -> bool:
        """Whether it opens nothing any more."""
        return self.expires_at is not None and self.expires_at <= datetime.now(UTC)


def invite_external(
    session: Session,
    *,
    principal: Principal,
    emails: Sequence[str],
    group_ids: Sequence[UUID] = (),
    message: str = "",
    member_until: datetime | None = None,
) -> list[Sent]:
    """Invite people as external users; where no end is given, their place ends after 90 days.

    Raises:
        as `invitations.invite`.
    """
    return invitations.invite(
        session,
        principal=principal,
        emails=emails,
        role=EXTERNAL,
        group_ids=group_ids,
        message=message,
        member_until=member_until or datetime.now(UTC) + EXTERNAL_STAY,
    )


def get_external(session: Session, *, principal: Principal, person_id: UUID) -> Member:
    """An external person.

    Raises:
        Forbidden: without `member:manage`.
        NotFound: nobody external of that id is in the workspace.
    """
    require(principal, "member:manage")
    member = get_member(session, principal=principal, person_id=person_id)
    if member.place.role != EXTERNAL:
        raise NotFound("There is no such external user.", hint="Members are on the page of members.")
    return member


def opened_by_person(session: Session, *, principal: Principal, person_id: UUID) -> list[Opened]:
    """What is granted to a person, directly or through a group, expired grants too.

    Raises:
        Forbidden: without `member:manage`.
        NotFound: nobody of that id is in the workspace.
    """
    require(principal, "member:manage")
    get_member(session, principal=principal, person_id=person_id)
    through = (GroupMember.group_id == ItemGrant.group_id) & (GroupMember.person_id == person_id)
    return _opened(session, principal, person_id, or_(ItemGrant.person_id == person_id, through))


def opened_by_group(session: Session, *, principal: Principal, group_id: UUID) -> list[Opened]:
    """What is granted to a group, expired grants too.

    Raises:
        as `groups.get_group`.
    """
    get_group(session, principal=principal, group_id=group_id)
    return _opened(session, principal, None, ItemGrant.group_id == group_id)


def grants_of(session: Session, *, principal: Principal, person_ids: Sequence[UUID]) -> dict[UUID, int]:
    """How many items each of several people may open now through grants of their own.

    Raises:
        Forbidden: without `member:manage`.
    """
    require(principal, "member:manage")
    query = (
        select(ItemGrant.person_id, func.count())
        .where(ItemGrant.workspace_id == principal.workspace_id, ItemGrant.person_id.in_(person_ids))
        .where(or_(ItemGrant.expires_at.is_(None), ItemGrant.expires_at > func.now()))
        .group_by(ItemGrant.person_id)
    )
    return {person_id: count for person_id, count in session.execute(query) if person_id is not None}


def items_to_share(session: Session, *, principal: Principal, q: str = "", limit: int = 100) -> list[Item]:
    """Items that the principal may share, the last changed first: their own, or all that they see.

    Raises:
        Forbidden: without `item:share`.
    """
    require(principal, "item:share")
    query = select(Item).where(visible(principal))
    if not manages(principal):
        query = query.where(Item.owner_id == principal.person_id)
    if q := searchable(q):
        query = query.where(contains(Item.title, q))
    return list(session.scalars(query.order_by(Item.updated_at.desc(), Item.id.desc()).limit(limit)))


def _opened(
    session: Session, principal: Principal, person_id: UUID | None, which: ColumnElement[bool]
) -> list[Opened]:
    query = (
        select(ItemGrant, Item, PeopleGroup.name, GroupMember.expires_at, visible(principal))
        .join(Item, Item.id == ItemGrant.item_id)
        .outerjoin(PeopleGroup, PeopleGroup.id == ItemGrant.group_id)
        .outerjoin(
            GroupMember,
            (GroupMember.group_id == ItemGrant.group_id) & (GroupMember.person_id == person_id),
        )
        .where(ItemGrant.workspace_id == principal.workspace_id, Item.deleted_at.is_(None), which)
        .order_by(func.lower(Item.title), ItemGrant.id)
        .limit(MOST)
    )
    return [
        Opened(
            grant.id,
            item if seen else None,
            grant.level,
            group or "",
            grant.group_id,
            min((one for one in (grant.expires_at, place_ends) if one is not None), default=None),
        )
        for grant, item, group, place_ends, seen in session.execute(query)
    ]
