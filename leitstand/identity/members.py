"""Members: who belongs to a workspace, in which role, until when; suspended, let in again, made an owner."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.orm import Session

from leitstand.db.models import Invitation, Membership, Person, UserSession
from leitstand.errors import Conflict, Forbidden, InvalidInput, NotFound
from leitstand.identity import audit
from leitstand.identity.access import EXTERNAL, Principal, require, require_covered, require_person
from leitstand.identity.membership import OWN_PERMISSIONS, holds, permissions_of, with_role
from leitstand.identity.roles import MANAGE, OWNER, require_assignable
from leitstand.words.lines import one_line

PAGE = 50
LARGEST_PAGE = 200
SEARCH_LENGTH = 200


@dataclass(frozen=True)
class Member:
    """A person's place in the workspace, and what their role permits."""

    person: Person
    place: Membership
    permissions: frozenset[str]

    @property
    def state(self) -> str:
        """`active`, or why they can't come in: `disabled` (the whole account), `suspended` or `expired`."""
        if self.person.disabled_at is not None:
            return "disabled"
        if self.place.suspended_at is not None:
            return "suspended"
        ends = self.place.expires_at
        return "expired" if ends is not None and ends <= datetime.now(UTC) else "active"


@dataclass(frozen=True)
class Members:
    """One page, by e-mail; `cursor` leads to the next, None at the end."""

    members: Sequence[Member]
    cursor: str | None


def list_members(
    session: Session,
    *,
    principal: Principal,
    q: str = "",
    role: str = "",
    cursor: str | None = None,
    limit: int = PAGE,
) -> Members:
    """The people of the workspace; external people only where that role is asked for.

    Args:
        q: a piece of the name or e-mail.
        role: empty: every role but that of external people.
        cursor: where the previous page ended.
        limit: 1 to 200.

    Raises:
        Forbidden: without `member:manage`.
        InvalidInput: the cursor is not ours.
    """
    require(principal, MANAGE)
    query = _people(principal)
    query = query.where(Membership.role == one_line(role) if role else Membership.role != EXTERNAL)
    if q := one_line(q, SEARCH_LENGTH).strip():
        wanted = "%" + q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        query = query.where(or_(Person.name.ilike(wanted), Person.email.ilike(wanted)))
    if cursor:
        query = query.where(func.lower(Person.email) > _decode(cursor))
    limit = max(1, min(limit, LARGEST_PAGE))
    rows = session.execute(query.order_by(func.lower(Person.email)).limit(limit + 1)).all()
    found = [Member(person, place, permissions_of(place.role, own)) for person, place, own in rows[:limit]]
    more = len(rows) > limit
    return Members(found, _encode(found[-1].person.email.lower()) if more else None)


def get_member(
    session: Session, *, principal: Principal, person_id: UUID, for_update: bool = False
) -> Member:
    """One person of the workspace; the caller has checked that the principal may know.

    Raises:
        NotFound: nobody of that id is in it.
    """
    query = _people(principal).where(Person.id == person_id)
    if for_update:
        query = query.with_for_update(of=Membership).execution_options(populate_existing=True)
    row = session.execute(query).one_or_none()
    if row is None:
        raise NotFound("There is no such person in this workspace.")
    person, place, own = row
    return Member(person, place, permissions_of(place.role, own))


def colleagues(session: Session, *, principal: Principal, limit: int = LARGEST_PAGE) -> list[Person]:
    """People of the workspace whose place holds, by name: whom an item can be shared with or given to.

    Raises:
        Forbidden: without `item:share`.
    """
    require(principal, "item:share")
    return _belonging(session, principal, limit)


def everybody(session: Session, *, principal: Principal, limit: int = 1_000) -> list[Person]:
    """As `colleagues`, for who manages members.

    Raises:
        Forbidden: without `member:manage`.
    """
    require(principal, MANAGE)
    return _belonging(session, principal, limit)


def _belonging(session: Session, principal: Principal, limit: int) -> list[Person]:
    query = (
        select(Person)
        .join(Membership, Membership.person_id == Person.id)
        .where(Membership.workspace_id == principal.workspace_id, holds(), Person.disabled_at.is_(None))
    )
    return list(session.scalars(query.order_by(func.lower(Person.name), Person.id).limit(limit)))


def change_member(
    session: Session,
    *,
    principal: Principal,
    person_id: UUID,
    role: str | None = None,
    expires_at: datetime | None = None,
    keep_expiry: bool = True,
) -> Member:
    """Give a person another role, or another end of their place.

    Args:
        expires_at: when the place ends by itself; None: never. Taken where `keep_expiry` is false.

    Raises:
        Forbidden: without `member:manage`; more permissions than the principal has are given or taken; owners by others.
        NotFound: there is no such person or role.
        Conflict: the last owner would be none any more.
        InvalidInput: the end lies in the past, or is an owner's.
    """
    member = _mine_to_change(session, principal, person_id)
    place, before = member.place, _facts(member.place)
    if role is not None and role != place.role:
        require_assignable(session, principal=principal, name=role)
        if place.role == OWNER:
            require_another_owner(session, workspace_id=principal.workspace_id, person_id=person_id)
        place.role = role
    if not keep_expiry:
        place.expires_at = checked_end(expires_at)
    if place.role == OWNER and place.expires_at is not None:
        if not keep_expiry:
            raise InvalidInput("An owner's place has no end.", hint="Give another role first.")
        place.expires_at = None
    _note(session, principal, member, before, "member.update")
    return get_member(session, principal=principal, person_id=person_id)


def suspend(session: Session, *, principal: Principal, person_id: UUID) -> None:
    """Let a person into this workspace no more, until they are let in again; open invitations they sent are revoked.

    Raises:
        as `change_member`; InvalidInput: it is the principal.
    """
    member = _mine_to_change(session, principal, person_id)
    if person_id == principal.person_id:
        raise InvalidInput("You can't suspend yourself.")
    if member.place.role == OWNER:
        require_another_owner(session, workspace_id=principal.workspace_id, person_id=person_id)
    before = _facts(member.place)
    member.place.suspended_at = datetime.now(UTC)
    shut_out(session, workspace_id=principal.workspace_id, person_id=person_id)
    _note(session, principal, member, before, "member.suspend")


def resume(session: Session, *, principal: Principal, person_id: UUID) -> None:
    """Let a person in again who was suspended.

    Raises:
        as `change_member`.
    """
    member = _mine_to_change(session, principal, person_id)
    before = _facts(member.place)
    member.place.suspended_at = None
    _note(session, principal, member, before, "member.resume")


def transfer_workspace(session: Session, *, principal: Principal, person_id: UUID) -> None:
    """Make a member an owner in one's own place; the principal stays as an admin.

    Raises:
        Forbidden: the principal is no owner, or acts with a token or as somebody else.
        NotFound: there is no such member whose place holds.
        InvalidInput: it is the principal, or somebody external.
    """
    require_person(principal)
    if principal.role != OWNER or principal.person_id is None:
        raise Forbidden("Only an owner hands the workspace over.")
    if person_id == principal.person_id:
        raise InvalidInput("You own it already.")
    lock_owners(session, workspace_id=principal.workspace_id)
    heir = get_member(session, principal=principal, person_id=person_id, for_update=True)
    if heir.state != "active" or heir.place.role == EXTERNAL:
        raise InvalidInput("This person can't own the workspace.", hint="Choose a member who can sign in.")
    own = get_member(session, principal=principal, person_id=principal.person_id, for_update=True)
    heirs, mine = _facts(heir.place), _facts(own.place)
    heir.place.role, heir.place.expires_at, own.place.role = OWNER, None, "admin"
    _note(session, principal, heir, heirs, "workspace.transfer")
    _note(session, principal, own, mine, "workspace.transfer")


def require_another_owner(session: Session, *, workspace_id: UUID, person_id: UUID) -> None:
    """Refuse unless somebody else owns the workspace too; two who go at once wait for each other.

    Raises:
        Conflict: the person is its last owner who can sign in.
    """
    if not lock_owners(session, workspace_id=workspace_id) - {person_id}:
        raise Conflict("This is the last owner of the workspace.", hint="Make somebody else an owner first.")


def lock_owners(session: Session, *, workspace_id: UUID) -> set[UUID]:
    """Who owns the workspace and can sign in; their rows stay as they are until the transaction ends."""
    rows = (
        select(Membership.person_id)
        .join(Person, Person.id == Membership.person_id)
        .where(Membership.workspace_id == workspace_id, Membership.role == OWNER)
        .where(holds(), Person.disabled_at.is_(None))
        .order_by(Membership.person_id)
    )
    return set(session.scalars(rows.with_for_update(of=Membership)))


def require_over(principal: Principal, member: Member) -> None:
    """Refuse to change somebody who may more than the principal.

    Raises:
        Forbidden: they may; or they own the workspace and the principal does not.
    """
    if member.place.role == OWNER and principal.role != OWNER:
        raise Forbidden("Only an owner changes owners.", hint="Ask an owner of the workspace.")
    require_covered(principal, member.permissions)


def shut_out(session: Session, *, workspace_id: UUID, person_id: UUID) -> None:
    """End a person's sessions in the workspace and revoke the open invitations that they sent."""
    theirs = (UserSession.person_id == person_id) & (UserSession.workspace_id == workspace_id)
    session.execute(
        update(UserSession).where(theirs, UserSession.ended_at.is_(None)).values(ended_at=func.now())
    )
    sent = (Invitation.invited_by == person_id) & (Invitation.workspace_id == workspace_id)
    still_open = Invitation.accepted_at.is_(None) & Invitation.revoked_at.is_(None)
    session.execute(update(Invitation).where(sent, still_open).values(revoked_at=func.now()))


def checked_end(at: datetime | None) -> datetime | None:
    """The end of a place, a grant or a membership of a group.

    Raises:
        InvalidInput: it has passed.
    """
    if at is not None and at <= datetime.now(UTC):
        raise InvalidInput("The end lies in the past.", hint="Choose a later day, or none.")
    return at


def _mine_to_change(session: Session, principal: Principal, person_id: UUID) -> Member:
    require(principal, MANAGE)
    # Before the row itself: two owners who demote each other would else wait for each other for ever.
    lock_owners(session, workspace_id=principal.workspace_id)
    member = get_member(session, principal=principal, person_id=person_id, for_update=True)
    require_over(principal, member)
    return member


def _people(principal: Principal) -> Select[tuple[Person, Membership, list[str]]]:
    query = select(Person, Membership, OWN_PERMISSIONS).select_from(Membership)
    query = query.join(Person, Person.id == Membership.person_id)
    return with_role(query).where(Membership.workspace_id == principal.workspace_id)


def _facts(place: Membership) -> dict[str, object]:
    return {
        "role": place.role,
        "expires_at": place.expires_at.isoformat() if place.expires_at else None,
        "suspended": place.suspended_at is not None,
    }


def _note(
    session: Session, principal: Principal, member: Member, before: dict[str, object], action: str
) -> None:
    session.flush()
    old, new = audit.changed(before, _facts(member.place))
    if new:
        target = f"person:{member.person.id}"
        audit.record(session, principal=principal, action=action, target=target, before=old, after=new)


def _encode(email: str) -> str:
    return base64.urlsafe_b64encode(email.encode()).decode().rstrip("=")


def _decode(cursor: str) -> str:
    try:
        email = base64.urlsafe_b64decode(cursor[:400] + "=" * (-len(cursor) % 4)).decode()
    except (ValueError, binascii.Error) as error:
        raise InvalidInput(
            "This page of the list can't be found.", hint="Begin at the first page."
        ) from error
    if not email.isprintable():
        raise InvalidInput("This page of the list can't be found.", hint="Begin at the first page.")
    return email
