"""Accepting an invitation: as somebody new, or with the account that one has. A token that opens nothing says no more."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.db.models import (
    Invitation,
    InvitationGrant,
    Membership,
    PeopleGroup,
    Person,
    Workspace,
    WorkspaceRole,
)
from leitstand.db.row_security import beyond
from leitstand.errors import Conflict, Forbidden, NotFound
from leitstand.identity import attempts, audit, groups, sessions
from leitstand.identity.access import EXTERNAL, ROLES, Principal, require_person
from leitstand.identity.invitations import digest, is_open
from leitstand.identity.passwords import check_choice, hash_password
from leitstand.identity.people import checked_name
from leitstand.identity.sessions import SignedIn
from leitstand.limits.room import require_room

# Called for each grant that an invitation held ready, once its person has a place.
Fulfil = Callable[[Session, Principal, InvitationGrant], None]


@dataclass(frozen=True)
class Offer:
    """What somebody who holds the link is told."""

    invitation: Invitation
    workspace: Workspace
    sender: str


class InvitationGone(NotFound):
    """The link opens nothing: it is unknown, used, revoked or expired, and which of these is not told."""

    title, kind = "This invitation does not hold", "invitation-gone"


@beyond("the invitation is of a workspace that one is not in yet")
def find_offer(session: Session, *, token: str, address: str) -> Offer:
    """What a link offers. A link that opens nothing counts as a failed sign-in of its address.

    The caller answers and commits, so that it counts.

    Raises:
        InvitationGone: it opens nothing.
        TooManyRequests: too many of that address did.
    """
    attempts.check(session, email=f"join:{address}", address=address)
    query = (
        select(Invitation, Workspace, func.coalesce(Person.name, ""))
        .join(Workspace, Workspace.id == Invitation.workspace_id)
        .outerjoin(Person, Person.id == Invitation.invited_by)
        .where(Invitation.token_hash == digest(token), is_open())
    )
    row = session.execute(query.with_for_update(of=Invitation)).one_or_none()
    if row is None:
        attempts.note_failure(session, email=f"join:{address}", address=address)
        raise InvitationGone(
            "This invitation was used or taken back, or its week is over.",
            hint="Ask whoever invited you to send it again.",
        )
    return Offer(*row)


@beyond("the invitation is of a workspace that one is not in yet")
def join_as_new(
    session: Session, *, offer: Offer, name: str, password: str, user_agent: str, fulfil: Fulfil
) -> SignedIn:
    """Make an account of the invitation's e-mail, give it its place, and sign it in.

    Raises:
        InvalidInput: the name or the password is not fit.
        Conflict: there is an account of this e-mail: only whoever holds the link learns that.
    """
    email = offer.invitation.email
    name = checked_name(name)
    check_choice(password, email=email, name=name)
    if session.scalar(select(Person.id).where(func.lower(Person.email) == email.lower())):
        raise Conflict(
            "There is an account with this e-mail address already.",
            hint="Sign in with it; then open the link again.",
        )
    person = Person(email=email, name=name, password_hash=hash_password(password))
    session.add(person)
    session.flush()
    action = "person.create"
    signed_in = _take_place(session, offer, person, user_agent)
    after = {"email": email, "name": name, "role": offer.invitation.role}
    target = f"person:{person.id}"
    audit.record(session, principal=signed_in.principal, action=action, target=target, after=after)
    _finish(session, offer, signed_in.principal, fulfil)
    return signed_in


@beyond("the invitation is of a workspace that one is not in yet")
def join_as(
    session: Session, *, offer: Offer, principal: Principal, user_agent: str, fulfil: Fulfil
) -> SignedIn:
    """Give the place to the account that is signed in; the session that comes of it is in the new workspace.

    Raises:
        Forbidden: the invitation is for another e-mail, or a token or an impersonator asks.
        Conflict: the person is in the workspace, and was suspended there.
    """
    require_person(principal)
    person = session.get(Person, principal.person_id) if principal.person_id else None
    if person is None or person.email.lower() != offer.invitation.email.lower():
        raise Forbidden(
            "This invitation is for another e-mail address than the one you are signed in with.",
            hint="Sign out, then open the link again.",
        )
    signed_in = _take_place(session, offer, person, user_agent)
    _finish(session, offer, signed_in.principal, fulfil)
    return signed_in


def _take_place(session: Session, offer: Offer, person: Person, user_agent: str) -> SignedIn:
    invitation = offer.invitation
    _require_role(session, invitation)
    place = session.get(
        Membership, (invitation.workspace_id, person.id), with_for_update=True, populate_existing=True
    )
    if invitation.role != EXTERNAL and (place is None or place.role == EXTERNAL):
        require_room(session, invitation.workspace_id, "members")
    if place is None:
        place = Membership(workspace_id=invitation.workspace_id, person_id=person.id, role=invitation.role)
        session.add(place)
    elif place.suspended_at is not None:
        raise Conflict("Your place in this workspace is suspended.", hint="Ask whoever invited you.")
    elif place.expires_at is None or place.expires_at > datetime.now(UTC):
        raise Conflict("You are in this workspace already.", hint="Open its home page.")
    place.role, place.expires_at = invitation.role, invitation.member_until
    invitation.accepted_at = datetime.now(UTC)
    session.flush()
    return sessions.open_at(
        session, person=person, workspace_id=invitation.workspace_id, user_agent=user_agent
    )


def _finish(session: Session, offer: Offer, principal: Principal, fulfil: Fulfil) -> None:
    """Put the person into the groups and grant what was held ready, as far as these are still there."""
    invitation = offer.invitation
    person_id = principal.person_id
    if person_id is None:
        raise ValueError("only people join")
    there = select(PeopleGroup.id).where(
        PeopleGroup.workspace_id == invitation.workspace_id, PeopleGroup.id.in_(invitation.group_ids)
    )
    for group_id in session.scalars(there).all():
        groups.put_in(session, principal=principal, group_id=group_id, person_id=person_id)
    held = select(InvitationGrant).where(InvitationGrant.invitation_id == invitation.id)
    for grant in session.scalars(held).all():
        fulfil(session, principal, grant)
    target, after = f"invitation:{invitation.id}", {"role": invitation.role}
    audit.record(session, principal=principal, action="invitation.accept", target=target, after=after)


def _require_role(session: Session, invitation: Invitation) -> None:
    own = (invitation.workspace_id, invitation.role)
    if invitation.role not in ROLES and session.get(WorkspaceRole, own) is None:
        raise InvitationGone("The role of this invitation is gone.", hint="Ask whoever invited you.")
