"""A person of a workspace as a principal, without a session of theirs: what they may see now."""

from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from leitstand.db.models import Membership, Person, Workspace
from leitstand.identity.access import Principal
from leitstand.identity.membership import OWN_PERMISSIONS, holds, permissions_of, with_role


def principal_of(session: Session, *, workspace_id: UUID, person_id: UUID) -> Principal | None:
    """The person with what their role permits; None where they are disabled or belong there no more."""
    row = session.execute(_people(workspace_id).where(Person.id == person_id)).one_or_none()
    return _principal(*row._tuple()) if row else None


def everyone(session: Session, *, workspace_id: UUID) -> list[Principal]:
    """Everybody of a workspace who is not disabled."""
    return [_principal(*row._tuple()) for row in session.execute(_people(workspace_id))]


def _people(workspace_id: UUID) -> Select[tuple[Person, str, Workspace, list[str]]]:
    return with_role(
        select(Person, Membership.role, Workspace, OWN_PERMISSIONS)
        .select_from(Person)
        .join(Membership, Membership.person_id == Person.id)
        .join(Workspace, Workspace.id == Membership.workspace_id)
        .where(Workspace.id == workspace_id, Person.disabled_at.is_(None), holds())
    )


def _principal(person: Person, role: str, workspace: Workspace, own: list[str] | None) -> Principal:
    return Principal(
        person.id,
        workspace.id,
        person.name,
        person.email,
        role,
        permissions_of(role, own),
        workspace_name=workspace.name,
        zone=workspace.reporting_zone,
    )
