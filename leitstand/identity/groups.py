"""Groups of people, members and external ones, to whom items are granted together."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leitstand.db.models import GroupMember, Membership, PeopleGroup, Person
from leitstand.errors import Conflict, InvalidInput, NotFound
from leitstand.identity import audit
from leitstand.identity.access import Principal, require
from leitstand.identity.members import checked_end, get_member
from leitstand.identity.people import checked_name
from leitstand.identity.roles import MANAGE
from leitstand.identity.texts import checked_description
from leitstand.words import msg
from leitstand.words.lines import one_line

MOST = 500
MOST_PEOPLE = 2_000


@dataclass(frozen=True)
class Group:
    """A group and how many people are in it now."""

    group: PeopleGroup
    people: int


@dataclass(frozen=True)
class Place:
    """Somebody in a group, until when, and their role in the workspace."""

    person: Person
    member: GroupMember
    role: str

    @property
    def expired(self) -> bool:
        """Whether their place in the group has ended."""
        return self.member.expires_at is not None and self.member.expires_at <= datetime.now(UTC)


def list_groups(session: Session, *, principal: Principal, q: str = "") -> list[Group]:
    """The groups of the workspace, by name.

    Raises:
        Forbidden: without `member:manage`.
    """
    require(principal, MANAGE)
    unexpired = or_(GroupMember.expires_at.is_(None), GroupMember.expires_at > func.now())
    counted = (
        select(PeopleGroup, func.count(GroupMember.person_id))
        .outerjoin(GroupMember, (GroupMember.group_id == PeopleGroup.id) & unexpired)
        .where(PeopleGroup.workspace_id == principal.workspace_id)
        .group_by(PeopleGroup.id)
        .order_by(func.lower(PeopleGroup.name), PeopleGroup.id)
    )
    if q := one_line(q):
        counted = counted.where(func.strpos(func.lower(PeopleGroup.name), q.lower()) > 0)
    return [Group(group, people) for group, people in session.execute(counted)]


def group_names(session: Session, *, principal: Principal) -> Sequence[tuple[UUID, str]]:
    """Id and name of each group, by name: with whom an item can be shared.

    Raises:
        Forbidden: without `item:share`.
    """
    require(principal, "item:share")
    query = select(PeopleGroup.id, PeopleGroup.name).where(PeopleGroup.workspace_id == principal.workspace_id)
    return session.execute(query.order_by(func.lower(PeopleGroup.name))).tuples().all()


def get_group(session: Session, *, principal: Principal, group_id: UUID) -> PeopleGroup:
    """One group.

    Raises:
        Forbidden: without `member:manage`.
        NotFound: the workspace has none of that id.
    """
    require(principal, MANAGE)
    return group_of(session, workspace_id=principal.workspace_id, group_id=group_id)


def group_of(session: Session, *, workspace_id: UUID, group_id: UUID) -> PeopleGroup:
    """One group of a workspace; the caller has checked that it may be told.

    Raises:
        NotFound: the workspace has none of that id.
    """
    found = select(PeopleGroup).where(PeopleGroup.id == group_id, PeopleGroup.workspace_id == workspace_id)
    group = session.scalar(found)
    if group is None:
        raise NotFound("There is no such group.", hint="It may have been deleted.")
    return group


def list_places(session: Session, *, principal: Principal, group_id: UUID) -> list[Place]:
    """Who is in a group, by name, those whose place has ended too.

    Raises:
        as `get_group`.
    """
    get_group(session, principal=principal, group_id=group_id)
    query = (
        select(Person, GroupMember, Membership.role)
        .join(GroupMember, GroupMember.person_id == Person.id)
        .join(
            Membership,
            (Membership.person_id == Person.id) & (Membership.workspace_id == GroupMember.workspace_id),
        )
        .where(GroupMember.group_id == group_id, GroupMember.workspace_id == principal.workspace_id)
        .order_by(func.lower(Person.name), Person.id)
        .limit(MOST_PEOPLE)
    )
    return [Place(person, member, role) for person, member, role in session.execute(query)]


def create_group(session: Session, *, principal: Principal, name: str, description: str = "") -> PeopleGroup:
    """Make an empty group.

    Raises:
        Forbidden: without `member:manage`.
        InvalidInput: the name is not fit.
        Conflict: there is one of that name, or there are too many.
    """
    require(principal, MANAGE)
    name = checked_name(name)
    _require_free(session, principal, name)
    count = select(func.count()).where(PeopleGroup.workspace_id == principal.workspace_id)
    if (session.scalar(count) or 0) >= MOST:
        raise Conflict(
            msg("There are {most} groups already.", most=MOST), hint="Delete one that nobody needs."
        )
    group = PeopleGroup(
        workspace_id=principal.workspace_id, name=name, description=checked_description(description)
    )
    session.add(group)
    session.flush()
    _note(session, principal, group.id, "create", after={"name": name})
    return group


def update_group(
    session: Session, *, principal: Principal, group_id: UUID, name: str, description: str
) -> PeopleGroup:
    """Change a group's name and description.

    Raises:
        as `create_group`, and NotFound: there is no such group.
    """
    group = get_group(session, principal=principal, group_id=group_id)
    before = {"name": group.name, "description": group.description}
    name = checked_name(name)
    if name.lower() != group.name.lower():
        _require_free(session, principal, name)
    group.name, group.description = name, checked_description(description)
    group.updated_at = datetime.now(UTC)
    session.flush()
    old, new = audit.changed(before, {"name": group.name, "description": group.description})
    if new:
        _note(session, principal, group_id, "update", old, new)
    return group


def delete_group(session: Session, *, principal: Principal, group_id: UUID) -> None:
    """Delete a group; what was granted to it is granted no more.

    Raises:
        as `get_group`.
    """
    group = get_group(session, principal=principal, group_id=group_id)
    session.delete(group)
    session.flush()
    _note(session, principal, group_id, "delete", before={"name": group.name})


def add_people(
    session: Session,
    *,
    principal: Principal,
    group_id: UUID,
    person_ids: Collection[UUID],
    expires_at: datetime | None = None,
) -> None:
    """Put people of the workspace into a group; who is in it already gets the new end.

    Args:
        expires_at: when their place in the group ends by itself; None: never.

    Raises:
        as `get_group`, and NotFound: somebody is not in the workspace. InvalidInput: the end lies in the past.
    """
    get_group(session, principal=principal, group_id=group_id)
    checked_end(expires_at)
    if not person_ids:
        raise InvalidInput("Nobody was chosen.", hint="Choose somebody to add.")
    for person_id in person_ids:
        get_member(session, principal=principal, person_id=person_id)
        put_in(session, principal=principal, group_id=group_id, person_id=person_id, expires_at=expires_at)


def put_in(
    session: Session,
    *,
    principal: Principal,
    group_id: UUID,
    person_id: UUID,
    expires_at: datetime | None = None,
) -> None:
    """Put a person of the workspace into one of its groups; both are known to be of it."""
    row = {
        "group_id": group_id, "person_id": person_id, "workspace_id": principal.workspace_id,
        "added_by": principal.person_id, "expires_at": expires_at,
    }  # fmt: skip
    again = insert(GroupMember).values(row)
    session.execute(
        again.on_conflict_do_update(
            index_elements=["group_id", "person_id"],
            set_={"expires_at": expires_at, "added_by": principal.person_id},
        )
    )
    after = {"person": str(person_id), "expires_at": expires_at.isoformat() if expires_at else None}
    _note(session, principal, group_id, "add", after=after)


def remove_person(session: Session, *, principal: Principal, group_id: UUID, person_id: UUID) -> None:
    """Take a person out of a group.

    Raises:
        as `get_group`, and NotFound: they are not in it.
    """
    get_group(session, principal=principal, group_id=group_id)
    gone = delete(GroupMember).where(
        GroupMember.group_id == group_id,
        GroupMember.person_id == person_id,
        GroupMember.workspace_id == principal.workspace_id,
    )
    if not session.execute(gone.returning(GroupMember.person_id)).all():
        raise NotFound("This person is not in the group.")
    _note(session, principal, group_id, "remove", before={"person": str(person_id)})


def _require_free(session: Session, principal: Principal, name: str) -> None:
    taken = select(PeopleGroup.id).where(
        PeopleGroup.workspace_id == principal.workspace_id, func.lower(PeopleGroup.name) == name.lower()
    )
    if session.scalar(taken):
        raise Conflict(msg("There is a group {name!r} already.", name=name), hint="Choose another name.")


def _note(
    session: Session,
    principal: Principal,
    group_id: UUID,
    verb: str,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    target = f"group:{group_id}"
    audit.record(
        session, principal=principal, action=f"group.{verb}", target=target, before=before, after=after
    )
