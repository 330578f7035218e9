"""Members: changed, suspended, the last owner, acting as somebody, and the walls between workspaces."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from leitstand.db.models import AuditEntry, UserSession, Workspace
from leitstand.errors import Conflict, Forbidden, InvalidInput, NotFound
from leitstand.identity import acting as act
from leitstand.identity import groups, invitations, members, people, sessions, tokens
from leitstand.identity.access import Principal
from tests.people import PASSWORD, acting, join


@pytest.fixture
def boss(session: Session, workspace: Workspace) -> Principal:
    return acting(session, workspace, join(session, workspace))


def id_of(principal: Principal) -> UUID:
    assert principal.person_id is not None
    return principal.person_id


def test_the_list_is_searched_and_paged(session: Session, workspace: Workspace, boss: Principal) -> None:
    for number in range(5):
        join(session, workspace, role="member", email=f"m{number}@demo.test", name=f"Name {number}")
    join(session, workspace, role="external")
    first = members.list_members(session, principal=boss, limit=4)
    rest = members.list_members(session, principal=boss, limit=4, cursor=first.cursor)
    emails = [one.person.email for one in (*first.members, *rest.members)]
    assert emails == sorted(emails)
    assert (len(emails), rest.cursor) == (6, None)
    assert [m.person.name for m in members.list_members(session, principal=boss, q="NAME 3").members] == [
        "Name 3"
    ]
    assert len(members.list_members(session, principal=boss, q="%").members) == 0
    assert len(members.list_members(session, principal=boss, role="external").members) == 1
    with pytest.raises(InvalidInput):
        members.list_members(session, principal=boss, cursor="\x00nonsense")


def test_the_last_owner_stays_one(session: Session, workspace: Workspace, boss: Principal) -> None:
    own = id_of(boss)
    with pytest.raises(Conflict):
        members.change_member(session, principal=boss, person_id=own, role="admin")
    second = join(session, workspace, role="owner", email="second@demo.test")
    members.suspend(session, principal=boss, person_id=second.id)
    with pytest.raises(Conflict):
        members.change_member(session, principal=boss, person_id=own, role="admin")
    members.resume(session, principal=boss, person_id=second.id)
    members.change_member(session, principal=boss, person_id=own, role="admin")


def test_only_owners_make_and_change_owners(session: Session, workspace: Workspace, boss: Principal) -> None:
    admin = acting(session, workspace, join(session, workspace, role="admin"))
    member = join(session, workspace, role="member")
    for refused in (
        lambda: members.change_member(session, principal=admin, person_id=member.id, role="owner"),
        lambda: members.change_member(session, principal=admin, person_id=id_of(boss), role="member"),
        lambda: members.suspend(session, principal=admin, person_id=id_of(boss)),
        lambda: members.transfer_workspace(session, principal=admin, person_id=member.id),
        lambda: invitations.invite(session, principal=admin, emails=["x@y.test"], role="owner"),
    ):
        with pytest.raises(Forbidden):
            refused()


def test_the_workspace_is_handed_over(session: Session, workspace: Workspace, boss: Principal) -> None:
    heir = join(session, workspace, role="member")
    outside = join(session, workspace, role="external")
    with pytest.raises(InvalidInput):
        members.transfer_workspace(session, principal=boss, person_id=outside.id)
    members.transfer_workspace(session, principal=boss, person_id=heir.id)
    found = {m.person.id: m.place.role for m in members.list_members(session, principal=boss).members}
    assert found == {heir.id: "owner", id_of(boss): "admin"}


def test_an_owners_place_has_no_end(session: Session, workspace: Workspace, boss: Principal) -> None:
    later = datetime.now(UTC) + timedelta(1)
    member = join(session, workspace, role="member")
    members.change_member(session, principal=boss, person_id=member.id, expires_at=later, keep_expiry=False)
    changed = members.change_member(session, principal=boss, person_id=member.id, role="owner")
    assert changed.place.expires_at is None
    with pytest.raises(InvalidInput):
        members.change_member(
            session, principal=boss, person_id=member.id, expires_at=later, keep_expiry=False
        )
    with pytest.raises(InvalidInput, match="past"):
        members.change_member(
            session, principal=boss, person_id=member.id, expires_at=datetime.now(UTC), keep_expiry=False
        )


def test_suspending_ends_sessions_and_the_invitations_that_they_sent(
    session: Session, workspace: Workspace, boss: Principal
) -> None:
    admin = acting(session, workspace, join(session, workspace, role="admin"))
    invitations.invite(session, principal=admin, emails=["x@y.test"], role="member")
    members.suspend(session, principal=boss, person_id=id_of(admin))
    assert invitations.list_open(session, principal=boss) == []
    open_sessions = select(UserSession).where(
        UserSession.person_id == admin.person_id, UserSession.ended_at.is_(None)
    )
    assert session.scalars(open_sessions).all() == []


def test_nothing_reaches_people_of_another_workspace(session: Session, boss: Principal) -> None:
    other = Workspace(slug="other", name="Other")
    session.add(other)
    session.commit()
    stranger = acting(session, other, join(session, other))
    group = groups.create_group(session, principal=stranger, name="Theirs")
    sent = invitations.invite(session, principal=stranger, emails=["x@y.test"], role="member")[0]
    own_group = groups.create_group(session, principal=boss, name="Ours")
    for refused in (
        lambda: members.get_member(session, principal=boss, person_id=id_of(stranger)),
        lambda: members.change_member(session, principal=boss, person_id=id_of(stranger), role="member"),
        lambda: members.suspend(session, principal=boss, person_id=id_of(stranger)),
        lambda: members.transfer_workspace(session, principal=boss, person_id=id_of(stranger)),
        lambda: act.begin(session, principal=boss, person_id=id_of(stranger), user_agent=""),
        lambda: groups.get_group(session, principal=boss, group_id=group.id),
        lambda: groups.delete_group(session, principal=boss, group_id=group.id),
        lambda: groups.add_people(
            session, principal=boss, group_id=own_group.id, person_ids=[id_of(stranger)]
        ),
        lambda: groups.add_people(session, principal=boss, group_id=group.id, person_ids=[id_of(boss)]),
        lambda: invitations.revoke(session, principal=boss, invitation_id=sent.invitation.id),
        lambda: invitations.resend(session, principal=boss, invitation_id=sent.invitation.id),
        lambda: invitations.invite(
            session, principal=boss, emails=["a@b.test"], role="member", group_ids=[group.id]
        ),
    ):
        with pytest.raises(NotFound):
            refused()
    assert [one.person.id for one in members.list_members(session, principal=boss).members] == [
        boss.person_id
    ]


def test_an_owner_acts_as_a_member_for_a_while(
    session: Session, workspace: Workspace, boss: Principal
) -> None:
    member = join(session, workspace, role="member")
    opened = act.begin(session, principal=boss, person_id=member.id, user_agent="")
    as_member = sessions.authenticate(session, opened.token)
    assert as_member is not None
    assert (as_member.person_id, as_member.role) == (member.id, "member")
    assert as_member.actor == "owner@demo.test as member@demo.test"
    row = session.get_one(UserSession, as_member.session_id)
    assert row.expires_at <= datetime.now(UTC) + act.LONGEST
    for refused in (
        lambda: people.change_password(
            session, principal=as_member, current=PASSWORD, new="nine loud pigeons"
        ),
        lambda: people.update_profile(session, principal=as_member, name="X"),
        lambda: tokens.create(session, principal=as_member, name="x", permissions=["item:read"]),
        lambda: tokens.list_tokens(session, principal=as_member),
        lambda: sessions.end_other_sessions(session, principal=as_member),
        lambda: act.begin(session, principal=as_member, person_id=member.id, user_agent=""),
    ):
        with pytest.raises(Forbidden):
            refused()
    assert as_member not in sessions.list_sessions(session, principal=acting(session, workspace, member))
    token = act.stop(session, principal=as_member)
    assert sessions.authenticate(session, opened.token) is None
    back = sessions.authenticate(session, token)
    assert back is not None
    assert (back.person_id, back.impersonator) == (boss.person_id, "")
    actions = session.scalars(
        select(AuditEntry.action).where(AuditEntry.target == f"person:{member.id}")
    ).all()
    assert {"session.impersonate", "session.impersonate-end"} <= {*actions}


def test_acting_ends_with_the_owners_session_and_role_and_is_never_put_off(
    session: Session, workspace: Workspace, boss: Principal
) -> None:
    member = join(session, workspace, role="member")
    opened = act.begin(session, principal=boss, person_id=member.id, user_agent="")
    ends = session.get_one(UserSession, opened.principal.session_id).expires_at
    long_ago = datetime.now(UTC) - timedelta(minutes=10)
    session.execute(update(UserSession).values(last_seen_at=long_ago))
    session.expire_all()
    assert sessions.authenticate(session, opened.token) is not None
    session.expire_all()
    assert session.get_one(UserSession, opened.principal.session_id).expires_at == ends
    second = join(session, workspace, role="owner", email="second@demo.test")
    members.change_member(
        session, principal=acting(session, workspace, second), person_id=id_of(boss), role="admin"
    )
    assert sessions.authenticate(session, opened.token) is None
    members.change_member(
        session, principal=acting(session, workspace, second), person_id=id_of(boss), role="owner"
    )
    assert sessions.authenticate(session, opened.token) is not None
    sessions.sign_out(session, principal=boss)
    assert sessions.authenticate(session, opened.token) is None


def test_nobody_acts_as_an_owner_and_only_owners_act(
    session: Session, workspace: Workspace, boss: Principal
) -> None:
    admin = acting(session, workspace, join(session, workspace, role="admin"))
    with pytest.raises(Forbidden):
        act.begin(session, principal=admin, person_id=id_of(boss), user_agent="")
    second = join(session, workspace, role="owner", email="second@demo.test")
    with pytest.raises(InvalidInput):
        act.begin(session, principal=boss, person_id=second.id, user_agent="")
