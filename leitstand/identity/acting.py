"""An owner acts as a member for a while: a session of its own, bound to the owner's, and named in every audit row."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from leitstand.db.models import UserSession
from leitstand.errors import Forbidden, InvalidInput
from leitstand.identity import audit, sessions
from leitstand.identity.access import Principal, require_person
from leitstand.identity.members import get_member
from leitstand.identity.roles import OWNER
from leitstand.identity.sessions import SignedIn

LONGEST = timedelta(minutes=30)


def begin(session: Session, *, principal: Principal, person_id: UUID, user_agent: str) -> SignedIn:
    """Open a session as a member; it ends after half an hour, with the owner's own session, or when the owner is none.

    Raises:
        Forbidden: the principal is no owner who is signed in, or acts as somebody already.
        NotFound: there is no such member.
        InvalidInput: it is an owner, or somebody who can't sign in.
    """
    require_person(principal)
    if principal.role != OWNER or principal.session_id is None:
        raise Forbidden("Only an owner acts as somebody else.")
    member = get_member(session, principal=principal, person_id=person_id)
    if member.place.role == OWNER:
        raise InvalidInput("Nobody acts as an owner.")
    if member.state != "active":
        raise InvalidInput("This person can't sign in now.", hint="Let them in again first.")
    signed_in = sessions.open_at(
        session,
        person=member.person,
        workspace_id=principal.workspace_id,
        user_agent=user_agent,
        acting_from=principal.session_id,
        lifetime=LONGEST,
    )
    target, after = f"person:{person_id}", {"as": member.person.email}
    audit.record(session, principal=principal, action="session.impersonate", target=target, after=after)
    return signed_in


def stop(session: Session, *, principal: Principal) -> str | None:
    """End acting as somebody; gives a fresh token of the owner's own session, None where that has ended.

    Raises:
        InvalidInput: the principal acts as nobody.
    """
    if not principal.impersonator or principal.session_id is None:
        raise InvalidInput("You act as nobody else.")
    began = session.scalar(select(UserSession.acting_from).where(UserSession.id == principal.session_id))
    session.execute(
        update(UserSession).where(UserSession.id == principal.session_id).values(ended_at=func.now())
    )
    target = f"person:{principal.person_id}"
    audit.record(session, principal=principal, action="session.impersonate-end", target=target)
    return sessions.new_token(session, session_id=began) if began else None
