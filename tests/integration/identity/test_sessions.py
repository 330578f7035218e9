"""Signing in, staying signed in, being limited, and being signed out."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from leitstand.db.models import AuditEntry, Person, SignInAttempt, UserSession, Workspace
from leitstand.errors import Forbidden, NotFound, TooManyRequests
from leitstand.identity import people, sessions
from leitstand.identity.sessions import SignedIn, SignInFailed, authenticate, sign_in
from leitstand.settings import Settings

EMAIL = "olga@example.test"
PASSWORD = "seven quiet herons"


@pytest.fixture
def olga(session: Session, workspace: Workspace) -> Person:
    person = people.create_owner(
        session, email=EMAIL, name="Olga Owner", password=PASSWORD, workspace_id=workspace.id
    )
    session.commit()
    return person


def enter(
    session: Session,
    *,
    email: str = EMAIL,
    password: str = PASSWORD,
    address: str = "198.51.100.7",
    agent: str = "test",
) -> SignedIn:
    """Sign in as the web does: what is counted is committed, also when it fails."""
    try:
        return sign_in(session, email=email, password=password, address=address, user_agent=agent)
    finally:
        session.commit()


def test_a_sign_in_gives_a_token_that_is_not_in_the_database(
    session: Session, olga: Person, workspace: Workspace
) -> None:
    signed_in = enter(session, email=" OLGA@example.test ")
    principal = authenticate(session, signed_in.token)
    assert principal is not None
    assert (principal.person_id, principal.workspace_id, principal.role) == (olga.id, workspace.id, "owner")
    stored = session.scalars(select(UserSession)).one()
    assert signed_in.token.encode() not in stored.token_hash
    assert len(stored.token_hash) == 32
    assert session.scalars(select(AuditEntry.action)).all() == ["person.create", "session.sign-in"]


@pytest.mark.parametrize("token", [None, "", "x", "\x00", "a" * 10_000])
def test_a_token_nobody_was_given_is_nobody(session: Session, olga: Person, token: str | None) -> None:
    assert authenticate(session, token) is None


@pytest.mark.parametrize(
    ("email", "password"),
    [
        (EMAIL, "seven quiet heronS"),
        ("nobody@example.test", PASSWORD),
        ("", ""),
        (EMAIL, ""),
        ("\x00", "\x00"),
    ],
)
def test_whatever_is_wrong_the_answer_is_the_same(
    session: Session, olga: Person, email: str, password: str
) -> None:
    with pytest.raises(SignInFailed) as refusal:
        enter(session, email=email, password=password)
    assert refusal.value.message == "E-mail and password do not belong together."


def test_an_unknown_email_costs_a_password_check_too(
    session: Session, olga: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    verify = sessions.verify_password
    monkeypatch.setattr(
        sessions,
        "verify_password",
        lambda stored, password: checked.append(password) or verify(stored, password),
    )
    with pytest.raises(SignInFailed):
        enter(session, email="nobody@example.test", password="whatever it is")
    assert checked == ["whatever it is"]


def test_a_disabled_person_is_out_at_once(session: Session, olga: Person) -> None:
    signed_in = enter(session)
    olga.disabled_at = datetime.now(UTC)
    session.commit()
    assert authenticate(session, signed_in.token) is None
    with pytest.raises(SignInFailed):
        enter(session)


def test_too_many_failures_of_one_email_stop_even_the_right_password(
    session: Session, olga: Person, settings: Settings
) -> None:
    for attempt in range(settings.sign_in_attempts):
        with pytest.raises(SignInFailed):
            enter(session, password="wrong one here", address=f"198.51.100.{attempt}")
    with pytest.raises(TooManyRequests) as refusal:
        enter(session, address="203.0.113.9")
    assert 0 < int(str(refusal.value.details["retry_after"])) <= 900
    session.execute(update(SignInAttempt).values(at=datetime.now(UTC) - timedelta(minutes=16)))
    assert enter(session, address="203.0.113.9").principal.person_id == olga.id


def test_too_many_failures_from_one_address_stop_every_email(
    session: Session, olga: Person, settings: Settings
) -> None:
    for attempt in range(settings.sign_in_attempts):
        with pytest.raises(SignInFailed):
            enter(session, email=f"guess{attempt}@example.test")
    with pytest.raises(TooManyRequests):
        enter(session)
    assert enter(session, address="203.0.113.9")


def test_a_success_forgets_the_failures_of_the_email_but_not_of_the_address(
    session: Session, olga: Person
) -> None:
    for _ in range(3):
        with pytest.raises(SignInFailed):
            enter(session, password="wrong one here")
    enter(session)
    assert len(session.scalars(select(SignInAttempt)).all()) == 3


def test_attempts_do_not_tell_who_tried_from_where(session: Session, olga: Person) -> None:
    with pytest.raises(SignInFailed):
        enter(session, password="wrong one here", address="198.51.100.7")
    for attempt in session.scalars(select(SignInAttempt)):
        assert len(attempt.key_hash) == 32


def test_a_second_check_of_one_email_at_the_same_time_is_refused(session: Session, olga: Person) -> None:
    with Session(session.get_bind()) as other:
        with pytest.raises(SignInFailed):
            sign_in(other, email=EMAIL, password="wrong one here", address="198.51.100.7", user_agent="")
        with pytest.raises(TooManyRequests):
            enter(session)
        other.rollback()
    assert enter(session)


def test_signing_in_again_ends_the_session_of_the_same_browser(session: Session, olga: Person) -> None:
    first = enter(session)
    second = sign_in(
        session, email=EMAIL, password=PASSWORD, address="", user_agent="", previous_token=first.token
    )
    session.commit()
    assert first.token != second.token
    assert authenticate(session, first.token) is None
    assert authenticate(session, second.token) is not None


def test_use_puts_the_end_off_and_idleness_ends(session: Session, olga: Person, settings: Settings) -> None:
    signed_in = enter(session)
    nearly = datetime.now(UTC) + timedelta(minutes=2)
    earlier = datetime.now(UTC) - timedelta(hours=settings.session_hours) + timedelta(minutes=2)
    session.execute(update(UserSession).values(last_seen_at=earlier, expires_at=nearly))
    session.commit()
    assert authenticate(session, signed_in.token) is not None
    session.commit()
    stored = session.scalars(select(UserSession).execution_options(populate_existing=True)).one()
    assert stored.expires_at > nearly
    session.execute(update(UserSession).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    assert authenticate(session, signed_in.token) is None


def test_use_within_a_minute_writes_nothing(session: Session, olga: Person) -> None:
    signed_in = enter(session)
    before = session.scalars(select(UserSession.expires_at)).one()
    authenticate(session, signed_in.token)
    assert session.scalars(select(UserSession.expires_at)).one() == before


def test_signing_out_ends_this_session_only(session: Session, olga: Person) -> None:
    first, second = enter(session), enter(session)
    sessions.sign_out(session, principal=first.principal)
    session.commit()
    assert authenticate(session, first.token) is None
    assert authenticate(session, second.token) is not None


def test_ending_other_sessions_keeps_this_one(session: Session, olga: Person) -> None:
    first, second, third = enter(session), enter(session), enter(session)
    assert sessions.end_other_sessions(session, principal=second.principal) == 2
    assert [authenticate(session, s.token) is not None for s in (first, second, third)] == [
        False,
        True,
        False,
    ]
    assert [s.id for s in sessions.list_sessions(session, principal=second.principal)] == [
        second.principal.session_id
    ]


def test_nobody_ends_a_session_of_somebody_else(session: Session, olga: Person, workspace: Workspace) -> None:
    mine = enter(session)
    people.create_person(
        session,
        email="max@example.test",
        name="Max",
        password="nine loud pigeons",
        workspace_id=workspace.id,
        role="member",
    )
    session.commit()
    theirs = enter(session, email="max@example.test", password="nine loud pigeons")
    assert mine.principal.session_id is not None
    with pytest.raises(NotFound):
        sessions.end_session(session, principal=theirs.principal, session_id=mine.principal.session_id)
    sessions.end_session(session, principal=mine.principal, session_id=mine.principal.session_id)
    assert authenticate(session, mine.token) is None


def test_a_csrf_token_is_good_for_its_session_only(session: Session, olga: Person) -> None:
    first, second = enter(session), enter(session)
    sessions.check_csrf(first.principal, sessions.csrf_token(first.principal))
    for wrong in (None, "", "x", "ä", sessions.csrf_token(second.principal)):
        with pytest.raises(Forbidden):
            sessions.check_csrf(first.principal, wrong)


def test_a_session_is_forgotten_30_days_after_its_end_and_never_before(
    session: Session, olga: Person
) -> None:
    now, day = datetime.now(UTC), timedelta(days=1)
    ends = {
        "open": (now + day, None),
        "expired": (now - 31 * day, None),
        "ended": (now + day, now - 31 * day),
        "expired lately": (now - 29 * day, None),
        "ended lately": (now + day, now - 29 * day),
    }
    for name, (expires, ended) in ends.items():
        opened = enter(session, agent=name).principal.session_id
        session.execute(
            update(UserSession).where(UserSession.id == opened).values(expires_at=expires, ended_at=ended)
        )
    assert sessions.forget_ended(session) == 2
    left = session.scalars(select(UserSession.user_agent)).all()
    assert sorted(left) == ["ended lately", "expired lately", "open"]
