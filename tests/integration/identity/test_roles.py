"""Roles of a workspace's own: what they permit, and that nobody gives more than they have."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from leitstand.db.models import Membership, Workspace
from leitstand.errors import Conflict, Forbidden, InvalidInput, NotFound
from leitstand.identity import members, roles, sessions, tokens
from leitstand.identity.access import Principal
from leitstand.identity.standing import everyone, principal_of
from leitstand.identity.tokens import InvalidToken
from tests.people import PASSWORD, acting, join

READER = {"item:read", "insights:read"}


def give(
    session: Session, workspace: Workspace, owner: Principal, name: str, permissions: set[str]
) -> Principal:
    roles.create_role(session, principal=owner, name=name, permissions=permissions)
    person = join(session, workspace, role="member", email=f"{name}@demo.test")
    members.change_member(session, principal=owner, person_id=person.id, role=name)
    session.commit()
    return acting(session, workspace, person)


def test_a_role_of_ones_own_is_resolved_everywhere(
    session: Session, workspace: Workspace, owner: Principal
) -> None:
    person = give(session, workspace, owner, "reader", READER)
    assert person.permissions == READER
    signed_in = sessions.sign_in(session, email=person.email, password=PASSWORD, address="", user_agent="")
    assert signed_in.principal.permissions == READER
    found = sessions.authenticate(session, signed_in.token)
    assert found is not None
    assert found.permissions == READER
    made = tokens.create(session, principal=found, name="x", permissions=["item:read"])
    assert tokens.authenticate(session, made.secret).permissions == {"item:read"}
    assert person.person_id is not None
    of_reports = principal_of(session, workspace_id=workspace.id, person_id=person.person_id)
    assert of_reports is not None
    assert of_reports.permissions == READER
    roles.change_role(session, principal=owner, name="reader", permissions=["insights:read"])
    assert tokens.authenticate(session, made.secret).permissions == frozenset()


@pytest.mark.parametrize(
    "end", [{"expires_at": datetime.now(UTC) - timedelta(1)}, {"suspended_at": datetime.now(UTC)}]
)
def test_a_place_that_does_not_hold_lets_nobody_in(
    session: Session, workspace: Workspace, end: dict[str, datetime]
) -> None:
    person = join(session, workspace, role="creator")
    signed_in = sessions.sign_in(session, email=person.email, password=PASSWORD, address="", user_agent="")
    made = tokens.create(session, principal=signed_in.principal, name="x", permissions=["item:read"])
    session.execute(update(Membership).values(**end))
    assert sessions.authenticate(session, signed_in.token) is None
    with pytest.raises(InvalidToken):
        tokens.authenticate(session, made.secret)
    with pytest.raises(sessions.SignInFailed):
        sessions.sign_in(session, email=person.email, password=PASSWORD, address="", user_agent="")
    with pytest.raises(NotFound):
        tokens.owner(session, workspace_id=workspace.id, email=person.email, name="x")
    assert everyone(session, workspace_id=workspace.id) == []


def test_nobody_gives_or_takes_more_than_they_have(
    session: Session, workspace: Workspace, owner: Principal
) -> None:
    manager = give(session, workspace, owner, "people", {"item:read", "member:manage"})
    roles.create_role(session, principal=owner, name="strong", permissions=["item:read", "billing:manage"])
    other = join(session, workspace, role="analyst")
    for refused in (
        lambda: roles.create_role(session, principal=manager, name="x", permissions=["backup:run"]),
        lambda: roles.change_role(session, principal=manager, name="people", permissions=["audit:read"]),
        lambda: roles.change_role(session, principal=manager, name="strong", permissions=["item:read"]),
        lambda: roles.delete_role(session, principal=manager, name="strong"),
        lambda: members.change_member(session, principal=manager, person_id=manager.person_id, role="admin"),
        lambda: members.change_member(session, principal=manager, person_id=other.id, role="external"),
        lambda: members.suspend(session, principal=manager, person_id=other.id),
    ):
        with pytest.raises(Forbidden):
            refused()
    assert [role.name for role in roles.assignable(session, principal=manager)] == ["external", "people"]


def test_a_role_that_somebody_has_stays(session: Session, workspace: Workspace, owner: Principal) -> None:
    person = give(session, workspace, owner, "reader", READER)
    with pytest.raises(Conflict):
        roles.delete_role(session, principal=owner, name="reader")
    assert person.person_id is not None
    members.change_member(session, principal=owner, person_id=person.person_id, role="member")
    roles.delete_role(session, principal=owner, name="reader")
    with pytest.raises(NotFound):
        roles.find_role(session, principal=owner, name="reader")


@pytest.mark.parametrize("name", ["Owner", "", "a/b", "x" * 41])
def test_names_that_are_not_fit_are_refused(session: Session, owner: Principal, name: str) -> None:
    with pytest.raises((InvalidInput, Conflict)):
        roles.create_role(session, principal=owner, name=name, permissions=["item:read"])


def test_roles_of_another_workspace_are_not_there(session: Session, owner: Principal) -> None:
    other = Workspace(slug="other", name="Other")
    session.add(other)
    session.commit()
    stranger = acting(session, other, join(session, other))
    roles.create_role(session, principal=stranger, name="theirs", permissions=["item:read"])
    for refused in (
        lambda: roles.change_role(session, principal=owner, name="theirs", permissions=["item:read"]),
        lambda: roles.delete_role(session, principal=owner, name="theirs"),
        lambda: roles.require_assignable(session, principal=owner, name="theirs"),
    ):
        with pytest.raises(NotFound):
            refused()
