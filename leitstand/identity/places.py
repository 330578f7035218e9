"""The workspaces in which a person has a place, and going from one to another."""

from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from leitstand.db.models import Membership, Person, UserSession, Workspace
from leitstand.db.row_security import beyond
from leitstand.errors import NotFound
from leitstand.identity import audit, sessions
from leitstand.identity.access import Principal, require_person
from leitstand.identity.membership import holds
from leitstand.identity.sessions import SignedIn


@beyond("a person's places are in several workspaces")
def list_places(session: Session, *, principal: Principal) -> list[tuple[Workspace, Membership]]:
    """The workspaces where the person's place holds, in the order in which they joined.

    Raises:
        Forbidden: a token asks, or an owner who acts as them.
    """
    require_person(principal)
    query = (
        select(Workspace, Membership)
        .join(Membership, Membership.workspace_id == Workspace.id)
        .where(Membership.person_id == principal.person_id, holds())
        .order_by(Membership.created_at, Workspace.id)
    )
    return [(workspace, place) for workspace, place in session.execute(query)]


@beyond("the session goes on in another workspace")
def switch(session: Session, *, principal: Principal, workspace_id: UUID, user_agent: str) -> SignedIn:
    """End this session and open one in another workspace of the person's.

    Raises:
        NotFound: they have no place there.
        Forbidden: a token asks, or an owner who acts as them.
    """
    require_person(principal)
    person = session.get(Person, principal.person_id) if principal.person_id else None
    if person is None or principal.session_id is None:
        raise NotFound("There is no such person.")
    opened = sessions.open_at(session, person=person, workspace_id=workspace_id, user_agent=user_agent)
    ended = update(UserSession).where(UserSession.id == principal.session_id)
    session.execute(ended.values(ended_at=func.now()))
    audit.record(session, principal=opened.principal, action="session.switch", target=f"person:{person.id}")
    return opened
