"""Invitations: what a link opens, for whom, how long; that the token is kept nowhere, and what strangers learn."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from leitstand.catalogue.grants import take_up
from leitstand.db.models import GroupMember, Invitation, Membership, Person, Workspace
from leitstand.errors import Conflict, Forbidden, InvalidInput, TooManyRequests
from leitstand.identity import groups, invitations, joining, recent
from leitstand.identity.access import Principal
from leitstand.identity.invitation_mail import letter_of, send
from leitstand.identity.invitations import Sent
from leitstand.identity.joining import InvitationGone, Offer
from leitstand.identity.sessions import SignedIn
from leitstand.settings import Settings, get_settings
from tests.people import PASSWORD, acting, join


def invite(session: Session, owner: Principal, email: str = "new@x.test", **more: object) -> Sent:
    given = {"role": "member", **more}
    return invitations.invite(session, principal=owner, emails=[email], **given)[0]  # type: ignore[arg-type]


def find(session: Session, sent: Sent) -> Offer:
    return joining.find_offer(session, token=sent.link.rpartition("/")[2], address="1.2.3.4")


def accept(session: Session, sent: Sent, password: str = PASSWORD) -> SignedIn:
    return joining.join_as_new(
        session,
        offer=find(session, sent),
        name="New Person",
        password=password,
        user_agent="",
        fulfil=take_up,
    )


def test_somebody_new_joins_with_role_groups_and_end(session: Session, owner: Principal) -> None:
    group = groups.create_group(session, principal=owner, name="Readers")
    until = datetime.now(UTC) + timedelta(10)
    sent = invite(session, owner, role="creator", group_ids=[group.id], member_until=until)
    assert "LEITSTAND_SMTP_HOST" in sent.why
    signed_in = accept(session, sent)
    assert (signed_in.principal.role, signed_in.principal.email) == ("creator", "new@x.test")
    assert session.scalar(select(Membership.expires_at)) == until
    assert session.scalar(select(GroupMember.person_id)) == signed_in.principal.person_id
    assert "new@x.test" not in recent.unaudited_powerful(session)
    with pytest.raises(InvitationGone):
        find(session, sent)


def test_the_token_is_kept_nowhere(session: Session, owner: Principal, settings: Settings) -> None:
    sent = invite(session, owner)
    token = sent.link.rpartition("/")[2]
    session.commit()
    for table in ("invitation", "audit_entry", "procrastinate_jobs"):
        rows = session.execute(text(f"SELECT CAST(t AS text) FROM {table} AS t")).scalars().all()
        assert not any(token in row for row in rows)
    assert invitations.link_of(sent.invitation) == sent.link
    assert token in letter_of(session, sent.invitation).link


def test_with_a_mail_server_the_link_is_shown_to_nobody(
    session: Session, owner: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEITSTAND_SMTP_HOST", "127.0.0.1")
    monkeypatch.setenv("LEITSTAND_MAIL_SENDER", "us@example.test")
    get_settings.cache_clear()
    sent = invite(session, owner)
    assert (sent.link, sent.why) == ("", "")
    arguments = session.execute(text("SELECT args - '_identity' FROM procrastinate_jobs")).scalar_one()
    assert arguments == {"invitation_id": str(sent.invitation.id)}
    invitations.revoke(session, principal=owner, invitation_id=sent.invitation.id)
    session.commit()
    engine = session.get_bind()
    assert send(engine, get_settings(), invitation_id=sent.invitation.id) is False  # type: ignore[arg-type]


@pytest.mark.parametrize("end", ["unknown", "expired", "revoked", "used"])
def test_every_link_that_opens_nothing_gets_one_answer(session: Session, owner: Principal, end: str) -> None:
    sent = invite(session, owner)
    token = sent.link.rpartition("/")[2]
    if end == "unknown":
        token = token[::-1]
    elif end == "expired":
        sent.invitation.expires_at = datetime.now(UTC) - timedelta(1)
        session.flush()
    elif end == "revoked":
        invitations.revoke(session, principal=owner, invitation_id=sent.invitation.id)
    else:
        accept(session, sent)
    with pytest.raises(InvitationGone) as caught:
        joining.find_offer(session, token=token, address="1.2.3.4")
    assert caught.value.message == "This invitation was used or taken back, or its week is over."
    assert "send it again" in caught.value.hint


def test_guessing_is_limited(session: Session, owner: Principal) -> None:
    for _ in range(get_settings().sign_in_attempts):
        with pytest.raises(InvitationGone):
            joining.find_offer(session, token="x", address="6.6.6.6")
    with pytest.raises(TooManyRequests):
        joining.find_offer(session, token="x", address="6.6.6.6")


def test_an_account_joins_signed_in_and_only_its_own(
    session: Session, workspace: Workspace, owner: Principal
) -> None:
    other = Workspace(slug="other", name="Other")
    session.add(other)
    session.commit()
    theirs = join(session, other, email="has@account.test")
    sent = invite(session, owner, "HAS@account.test")
    with pytest.raises(Conflict):
        accept(session, sent)
    stranger = acting(session, other, join(session, other, email="stranger@other.test"))
    with pytest.raises(Forbidden):
        joining.join_as(session, offer=find(session, sent), principal=stranger, user_agent="", fulfil=take_up)
    opened = joining.join_as(
        session,
        offer=find(session, sent),
        principal=acting(session, other, theirs),
        user_agent="",
        fulfil=take_up,
    )
    assert (opened.principal.workspace_id, opened.principal.role) == (workspace.id, "member")
    assert session.scalar(select(Person.password_hash).where(Person.id == theirs.id)) == theirs.password_hash


def test_the_inviter_learns_nothing_of_accounts_elsewhere(session: Session, owner: Principal) -> None:
    other = Workspace(slug="other", name="Other")
    session.add(other)
    session.commit()
    join(session, other, email="has@account.test")
    known, unknown = invite(session, owner, "has@account.test"), invite(session, owner, "nobody@x.test")
    assert (known.why, bool(known.link)) == (unknown.why, bool(unknown.link))


def test_an_invitation_gives_way_to_a_newer_one_and_members_get_none(
    session: Session, workspace: Workspace, owner: Principal
) -> None:
    first = invite(session, owner)
    second = invite(session, owner, role="analyst")
    with pytest.raises(InvitationGone):
        find(session, first)
    assert find(session, second).invitation.role == "analyst"
    join(session, workspace, role="member")
    with pytest.raises(Conflict):
        invite(session, owner, "member@demo.test")


def test_an_expired_member_comes_back_by_invitation_a_suspended_one_does_not(
    session: Session, workspace: Workspace, owner: Principal
) -> None:
    person = join(session, workspace, role="member")
    place = session.get_one(Membership, (workspace.id, person.id))
    place.expires_at = datetime.now(UTC) - timedelta(1)
    session.commit()
    sent = invite(session, owner, person.email, role="analyst")
    assert sent.invitation.role == "analyst"
    place.suspended_at = datetime.now(UTC)
    session.commit()
    with pytest.raises(Conflict):
        invite(session, owner, person.email)


def test_resending_is_limited_and_a_weak_password_joins_nobody(session: Session, owner: Principal) -> None:
    sent = invite(session, owner)
    with pytest.raises(TooManyRequests):
        invitations.resend(session, principal=owner, invitation_id=sent.invitation.id)
    sent.invitation.sent_at -= timedelta(minutes=2)
    again = invitations.resend(session, principal=owner, invitation_id=sent.invitation.id)
    assert again.link == sent.link
    with pytest.raises(InvalidInput):
        accept(session, sent, "password12345")
    assert session.scalar(select(Invitation.accepted_at)) is None


def test_an_hour_has_a_limit(session: Session, owner: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invitations, "MOST_AN_HOUR", 2)
    with pytest.raises(TooManyRequests):
        invitations.invite(
            session, principal=owner, emails=["a@x.test", "b@x.test", "c@x.test"], role="member"
        )
