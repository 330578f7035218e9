"""A workspace that is old enough for reports, with people of every role that matters here."""

from dataclasses import dataclass

import pytest
from sqlalchemy.orm import Session

from leitstand.db.models import Membership, Person, Workspace
from leitstand.identity.access import Principal
from leitstand.identity.standing import principal_of
from tests.reports import long_ago


@dataclass
class People:
    """Everybody of the workspace `demo`, and an analyst of another one."""

    owner: Principal
    analyst: Principal
    member: Principal
    operator: Principal
    stranger: Principal


@pytest.fixture
def workspace(session: Session) -> Workspace:
    workspace = Workspace(slug="demo", name="Demo", reporting_zone="Europe/Berlin", created_at=long_ago())
    session.add(workspace)
    session.commit()
    return workspace


@pytest.fixture
def people(session: Session, workspace: Workspace) -> People:
    other = Workspace(slug="other", name="Other", created_at=long_ago())
    session.add(other)
    session.commit()
    roles = "owner", "analyst", "member", "operator"
    mine = {role: joined(session, workspace, role) for role in roles}
    return People(**mine, stranger=joined(session, other, "analyst"))


def joined(session: Session, workspace: Workspace, role: str) -> Principal:
    """Somebody new in the workspace, who signs in nowhere and so has no password."""
    person = Person(email=f"{role}@{workspace.slug}.test", name=f"{role.title()} Person", password_hash=None)
    session.add(person)
    session.flush()
    session.add(Membership(workspace_id=workspace.id, person_id=person.id, role=role))
    session.commit()
    principal = principal_of(session, workspace_id=workspace.id, person_id=person.id)
    assert principal is not None
    return principal
