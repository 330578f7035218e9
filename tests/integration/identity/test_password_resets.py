"""A new password by mail: nobody learns who has an account, and a link works once, for an hour."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from leitstand.db.models import Passkey, PasswordReset, Person, SignInStep, UserSession, Workspace
from leitstand.errors import InvalidInput, NotFound, TooManyRequests
from leitstand.identity import mailing, password_resets, sessions, steps
from leitstand.identity.passwords import verify_password
from leitstand.settings import Settings, get_settings
from tests.people import PASSWORD, join

EMAIL, NEW = "olga@example.test", "nine loud pigeons today"
JOBS = text("SELECT task_name, args FROM procrastinate_jobs ORDER BY id")


@pytest.fixture
def person(session: Session, workspace: Workspace) -> Person:
    return join(session, workspace, email=EMAIL)


@pytest.fixture
def mails(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> list[str]:
    """The texts of what is sent."""
    sent: list[str] = []
    told = {"smtp_host": "127.0.0.1", "mail_sender": "leitstand@example.test"}
    monkeypatch.setattr(mailing, "get_settings", lambda: settings.model_copy(update=told))
    monkeypatch.setattr(
        mailing, "deliver", lambda _, message: sent.append(message.get_body(("plain",)).get_content())
    )
    return sent


def ask(
    session: Session, email: str = EMAIL, *, address: str = "192.0.2.1", now: datetime | None = None
) -> PasswordReset:
    password_resets.request(session, email=email, address=address, now=now)
    session.commit()
    return session.scalars(select(PasswordReset).order_by(PasswordReset.id.desc())).first()  # type: ignore[return-value]


def token_of(mails: list[str], reset: PasswordReset) -> str:
    mailing.send_reset(reset.id)
    return mails[-1].split(password_resets.PATH)[1].split()[0]


def test_the_link_of_the_mail_sets_a_password_once(
    session: Session, person: Person, mails: list[str]
) -> None:
    signed_in = sessions.sign_in(session, email=EMAIL, password=PASSWORD, address="", user_agent="")
    pending = steps.begin(session, steps.CODE, person_id=person.id)
    reset = ask(session, " Olga@Example.test ")
    token = token_of(mails, reset)
    with pytest.raises(InvalidInput, match="at least 12"):
        password_resets.use(session, token=token, new="short")
    password_resets.use(session, token=token, new=NEW)
    session.commit()
    assert verify_password(session.get_one(Person, person.id).password_hash, NEW)
    assert sessions.authenticate(session, signed_in.token) is None
    with pytest.raises(steps.StepExpired):
        steps.find(session, steps.CODE, pending)
    with pytest.raises(NotFound):
        password_resets.use(session, token=token, new=NEW)


def test_neither_the_queue_nor_the_database_holds_the_token(
    session: Session, person: Person, mails: list[str]
) -> None:
    reset = ask(session)
    token = token_of(mails, reset)
    kept = str([list(row) for row in session.execute(JOBS)]) + str(vars(reset))
    assert token not in kept and EMAIL not in kept


def test_both_answers_do_the_same_work(session: Session, person: Person, mails: list[str]) -> None:
    known, unknown = ask(session), ask(session, "nobody@example.test")
    assert (known.person_id, unknown.person_id) == (person.id, None)
    names = [row.task_name for row in session.execute(JOBS)]
    assert names == ["identity.reset-mail"] * 2
    mailing.send_reset(unknown.id)
    assert mails == []


@pytest.mark.parametrize("state", ["disabled", "without a password"])
def test_who_can_not_sign_in_with_a_password_is_sent_nothing(
    session: Session, person: Person, mails: list[str], state: str
) -> None:
    if state == "disabled":
        person.disabled_at = datetime.now(UTC)
    else:
        person.password_hash = None
    session.commit()
    mailing.send_reset(ask(session).id)
    assert mails == []


def test_a_link_holds_for_an_hour_and_newer_ones_do_not_void_it(
    session: Session, person: Person, mails: list[str]
) -> None:
    first = ask(session)
    token = token_of(mails, first)
    second = token_of(mails, ask(session))
    hour = first.created_at + password_resets.LIFETIME
    password_resets.find(session, token, now=hour - timedelta(seconds=1))
    with pytest.raises(NotFound):
        password_resets.find(session, token, now=hour)
    password_resets.use(session, token=token, new=NEW)
    with pytest.raises(NotFound):
        password_resets.find(session, second)
    for wrong in ("", "x", token + "x", "\ud800"):
        with pytest.raises(NotFound):
            password_resets.find(session, wrong)


def test_many_requests_bring_a_pause_and_no_pause_for_sign_ins(
    session: Session, person: Person, settings: Settings
) -> None:
    for _ in range(settings.sign_in_attempts):
        ask(session)
    with pytest.raises(TooManyRequests):
        ask(session, address="198.51.100.7")
    session.rollback()
    assert sessions.sign_in(session, email=EMAIL, password=PASSWORD, address="192.0.2.1", user_agent="")


def test_a_changed_password_is_told_where_mail_is_sent(
    session: Session, person: Person, mails: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    token = token_of(mails, ask(session))
    for name, value in (("SMTP_HOST", "127.0.0.1"), ("MAIL_SENDER", "leitstand@example.test")):
        monkeypatch.setenv(f"LEITSTAND_{name}", value)
    get_settings.cache_clear()
    password_resets.use(session, token=token, new=NEW)
    session.commit()
    *_, job = session.execute(JOBS)
    assert (job.task_name, job.args["event"]) == ("identity.security-mail", "password-changed")
    mailing.send_security(person.id, job.args["event"])
    assert "was changed" in mails[-1] and "/settings/profile" in mails[-1]
    monkeypatch.undo()
    get_settings.cache_clear()
    assert (
        session.scalars(select(UserSession)).all() == [] and session.scalars(select(SignInStep)).all() == []
    )
    assert session.scalars(select(Passkey)).all() == []
