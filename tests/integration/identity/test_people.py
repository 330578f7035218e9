"""People: made, changed, and every change written down."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.db.models import AuditEntry, Membership, Workspace
from leitstand.errors import Conflict, Forbidden, InvalidInput, NotFound
from leitstand.identity import audit, audit_log, people
from leitstand.identity.access import ROLES, Principal, system_principal
from leitstand.identity.sessions import authenticate, sign_in
from leitstand.telemetry.context import bound
from tests.people import PASSWORD, join


def test_an_owner_owns_the_workspace(session: Session, workspace: Workspace) -> None:
    person = people.create_owner(
        session,
        email=" Olga@Example.TEST ",
        name="Olga\tOwner ",
        password=PASSWORD,
        workspace_id=workspace.id,
    )
    assert (person.email, person.name) == ("olga@example.test", "Olga Owner")
    assert session.scalars(select(Membership.role)).all() == ["owner"]
    assert people.list_people(session, workspace_id=workspace.id) == [(person, "owner")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"email": "nobody"},
        {"email": "a@b@c"},
        {"email": "a b@c.test"},
        {"email": "\x00@c.test"},
        {"name": " \n"},
        {"name": "x" * 101},
        {"password": "short"},
        {"role": "king"},
    ],
)
def test_what_is_not_fit_is_refused(session: Session, workspace: Workspace, wrong: dict[str, str]) -> None:
    fields = {"email": "a@b.test", "name": "A B", "password": PASSWORD, "role": "member"} | wrong
    with pytest.raises(InvalidInput):
        people.create_person(session, workspace_id=workspace.id, **fields)
    assert people.list_people(session, workspace_id=workspace.id) == []


def test_an_email_is_one_person_in_any_case(session: Session, workspace: Workspace) -> None:
    join(session, workspace, email="a@b.test")
    with pytest.raises(Conflict):
        join(session, workspace, email="A@B.test")


def test_a_reset_sets_the_password_and_ends_every_session(session: Session, workspace: Workspace) -> None:
    person = join(session, workspace)
    signed_in = sign_in(session, email=person.email, password=PASSWORD, address="", user_agent="")
    people.reset_password(
        session, principal=system_principal(workspace.id), email=person.email, new="nine loud pigeons"
    )
    assert authenticate(session, signed_in.token) is None
    assert sign_in(session, email=person.email, password="nine loud pigeons", address="", user_agent="")
    with pytest.raises(NotFound):
        people.reset_password(
            session, principal=system_principal(workspace.id), email="x@y.test", new="nine loud pigeons"
        )


def test_changes_are_written_down_with_the_request_and_without_secrets(
    session: Session, workspace: Workspace
) -> None:
    person = join(session, workspace)
    principal = Principal(person.id, workspace.id, person.name, person.email, "owner", ROLES["owner"])
    with bound("request-of-this-test"):
        people.update_profile(session, principal=principal, name="Other Name", theme="system")
        people.change_password(session, principal=principal, current=PASSWORD, new="nine loud pigeons")
        people.update_profile(session, principal=principal, name="Other Name")
    session.flush()
    entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    assert [entry.action for entry in entries] == [
        "person.create",
        "person.update",
        "person.change-password",
        "session.end-others",
    ]
    assert (entries[1].before, entries[1].after) == ({"name": "Owner Person"}, {"name": "Other Name"})
    assert {entry.request_id for entry in entries[1:]} == {"request-of-this-test"}
    assert all(entry.actor == person.email for entry in entries[1:])
    assert "pigeons" not in str([(entry.before, entry.after) for entry in entries])


def test_the_log_is_read_by_keyset_and_by_permission(
    session: Session, workspace: Workspace, owner: Principal
) -> None:
    for number in range(5):
        audit.record(session, principal=owner, action="test.do", target=str(number))
        session.commit()
    first = audit_log.list_entries(session, principal=owner, limit=3)
    rest = audit_log.list_entries(session, principal=owner, limit=3, before=(first[-1].at, first[-1].id))
    assert [entry.target for entry in [*first, *rest]] == ["4", "3", "2", "1", "0"]
    member = Principal(owner.person_id, workspace.id, "", "", "member", ROLES["member"])
    with pytest.raises(Forbidden):
        audit_log.list_entries(session, principal=member)
