"""Mail on a real server: what a message holds, that it is sent once, and what happens when the server does not want it."""

import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from leitstand.db.models import Membership, Person, Report, ReportMail, ReportSubscription
from leitstand.errors import InvalidInput, NotFound, Unavailable
from leitstand.mail.smtp import MailRefused, deliver, failure_of
from leitstand.reports import schedule, subscriptions
from leitstand.reports.kinds import WEEKLY
from leitstand.reports.mail.message import Attachment, build, message_id
from leitstand.reports.mail.sending import send
from leitstand.reports.unsubscribe_links import Link, token_of
from leitstand.settings import Settings, get_settings
from tests.integration.jobs.test_worker import work_until
from tests.integration.reports.conftest import People
from tests.reports import HTML, PDF, Mailbox, archived, free_port, long_ago, mail_server, mailing

MOST = 3


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def on(settings: Settings, mailbox: Mailbox) -> Iterator[Settings]:
    """Settings with a mail server that has the mailbox."""
    with mail_server(mailbox) as port:
        yield mailing(settings, port)


@pytest.fixture
def report(session: Session, settings: Settings, people: People) -> Report:
    """A report that waits to be sent to the analyst, who is subscribed."""
    subscriptions.subscribe(session, principal=people.analyst, name=WEEKLY.name, zone="UTC")
    return waiting(session, settings, people)


def waiting(session: Session, settings: Settings, people: People, **more: bytes) -> Report:
    report = archived(session, settings, people.analyst.workspace_id, **more)  # type: ignore[arg-type]
    identity = message_id(mailing(settings, 1), report, people.analyst.person_id)  # type: ignore[arg-type]
    session.add(ReportMail(report_id=report.id, person_id=people.analyst.person_id, message_id=identity))
    session.commit()
    return report


def sent(engine: Engine, settings: Settings, report: Report, people: People) -> str:
    return send(engine, settings, report_id=report.id, person_id=people.analyst.person_id, most=MOST)  # type: ignore[arg-type]


def row(session: Session, report: Report, people: People) -> ReportMail:
    return session.get_one(ReportMail, (report.id, people.analyst.person_id), populate_existing=True)


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())


# --- what it holds ---


def test_a_message_has_figures_the_report_and_a_way_out(
    engine: Engine, session: Session, on: Settings, mailbox: Mailbox, report: Report, people: People
) -> None:
    assert sent(engine, on, report, people) == "sent"
    (message,) = mailbox.messages
    assert mailbox.recipients == [[people.analyst.email]]
    assert message["From"] == "Leitstand Reports <reports@leitstand.test>"
    assert message["To"].addresses[0].addr_spec == people.analyst.email
    assert message["Subject"].startswith("Weekly insights, ") and message["Subject"].endswith(": Demo")
    assert message["Message-ID"] == message_id(on, report, people.analyst.person_id)  # type: ignore[arg-type]
    assert message["Auto-Submitted"] == "auto-generated"
    link = Link(report.workspace_id, people.analyst.person_id, report.name)  # type: ignore[arg-type]
    stop = f"{on.base_url}/reports/unsubscribe/{token_of(link)}"
    assert message["List-Unsubscribe"] == f"<{stop}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    text, html = part(message, "plain"), part(message, "html")
    for body in (text, html):
        assert "64.1 %" in body and "67.4 % (2 of 3)" in body and f"{on.base_url}/reports/{report.id}" in body
        assert stop in body
    assert "Look: Most is lost at <b>." in text
    assert "Most is lost at &lt;b&gt;." in html and "205 of 320 &lt;started&gt;" in html and "<b>" not in html
    (attached,) = message.iter_attachments()
    assert (attached.get_content_type(), attached.get_content()) == ("application/pdf", PDF)
    assert attached.get_filename() == f"weekly-insights-{report.period_start}.pdf"


def test_without_a_pdf_the_page_is_attached(
    engine: Engine, session: Session, on: Settings, mailbox: Mailbox, people: People, settings: Settings
) -> None:
    subscriptions.subscribe(session, principal=people.analyst, name=WEEKLY.name, zone="UTC")
    report = waiting(session, settings, people, pdf=b"")
    sent(engine, on, report, people)
    (attached,) = mailbox.messages[0].iter_attachments()
    assert attached.get_content_type() == "text/html"
    assert attached.get_payload(decode=True) == HTML.encode()


@pytest.mark.parametrize(
    ("email", "name", "place"),
    [
        ("a@b.test\r\nBcc: evil@b.test", "Ann", "Demo"),
        ("ann@b.test", "Ann\r\nBcc: evil@b.test", "Demo"),
        ("ann@b.test", "Ann", "Demo\r\nBcc: evil@b.test\r\n\r\nbody"),
        ("evil@b.test,ann@b.test", "Ann", "Demo"),
        ("ann@b.test>\x00", "Ann", "Demo"),
        ("ann@b.test", '"Ann" <evil@b.test>', "Demo"),
    ],
)
def test_nothing_can_add_a_header_or_a_recipient(
    session: Session, settings: Settings, people: People, email: str, name: str, place: str
) -> None:
    report = archived(session, settings, people.analyst.workspace_id)
    person = replace(people.analyst, email=email, name=name, workspace_name=place)
    try:
        message = build(mailing(settings, 25), report, person, Attachment("pdf", PDF), identity="<x@y.test>")
    except InvalidInput:
        return
    assert email == "ann@b.test"
    assert "bcc" not in {header.lower() for header in message}
    assert [address.addr_spec for address in message["To"].addresses] == ["ann@b.test"]
    head = message.as_bytes().partition(b"\r\n\r\n")[0]
    assert b"\r\nBcc:" not in head and b"\nBcc:" not in head.replace(b"\r\n", b"|")


# --- once ---


def test_a_second_attempt_sends_nothing(
    engine: Engine, session: Session, on: Settings, mailbox: Mailbox, report: Report, people: People
) -> None:
    assert [sent(engine, on, report, people) for _ in range(3)] == ["sent"] * 3
    assert len(mailbox.messages) == 1
    assert (row(session, report, people).status, row(session, report, people).attempts) == ("sent", 1)


def test_two_workers_at_once_send_one(
    engine: Engine, session: Session, on: Settings, mailbox: Mailbox, report: Report, people: People
) -> None:
    outcomes: list[object] = []

    def attempt() -> None:
        try:
            outcomes.append(sent(engine, on, report, people))
        except Unavailable as error:
            outcomes.append(error.message)

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(mailbox.messages) == 1 and "sent" in outcomes and len(outcomes) == 4
    assert set(outcomes) <= {"sent", "Another process is sending this message."}
    assert row(session, report, people).status == "sent"


# --- to nobody who may not ---


def test_who_may_not_have_it_any_more_gets_nothing(
    engine: Engine, session: Session, on: Settings, mailbox: Mailbox, report: Report, people: People
) -> None:
    person = Person.id == people.analyst.person_id
    changes = [
        update(Person).where(person).values(disabled_at=func.now()),
        update(Membership).where(Membership.person_id == people.analyst.person_id).values(role="member"),
    ]
    for change in changes:
        session.execute(update(ReportMail).values(status="waiting"))
        session.execute(change)
        session.commit()
        assert sent(engine, on, report, people) == "withheld"
        session.execute(update(Person).where(person).values(disabled_at=None))
    session.execute(update(ReportMail).values(status="waiting"))
    session.execute(
        update(Membership).where(Membership.person_id == people.analyst.person_id).values(role="analyst")
    )
    subscriptions.unsubscribe(session, principal=people.analyst, name=WEEKLY.name)
    session.commit()
    assert sent(engine, on, report, people) == "withheld"
    assert mailbox.messages == []
    assert row(session, report, people).error == "The subscription has ended."


def test_a_message_that_was_never_put_is_none(
    engine: Engine, on: Settings, people: People, report: Report
) -> None:
    with pytest.raises(NotFound):
        send(engine, on, report_id=report.id, person_id=people.owner.person_id, most=MOST)  # type: ignore[arg-type]


# --- servers that do not want it ---


def test_what_may_go_better_later_is_tried_again_and_goes(
    engine: Engine, session: Session, on: Settings, mailbox: Mailbox, report: Report, people: People
) -> None:
    mailbox.refusals = ["451 come back later", "die"]
    for said in ("451: come back later", "went away before"):
        with pytest.raises(Unavailable, match=said):
            sent(engine, on, report, people)
        assert row(session, report, people).status == "waiting"
    assert sent(engine, on, report, people) == "sent"
    assert (row(session, report, people).attempts, row(session, report, people).error) == (3, "")
    assert len(mailbox.messages) == 1


def test_after_the_last_attempt_it_has_failed_and_says_why(
    engine: Engine, session: Session, settings: Settings, report: Report, people: People
) -> None:
    off = mailing(settings, free_port())
    for _ in range(MOST):
        with pytest.raises(Unavailable):
            sent(engine, off, report, people)
    found = row(session, report, people)
    assert (found.status, found.attempts) == ("failed", MOST)
    assert found.error == "The mail server can't be reached (ConnectionRefusedError)."
    (seen,) = subscriptions.list_subscribers(session, principal=people.owner)
    assert (seen.last, seen.error) == ("failed", found.error)


@pytest.mark.parametrize(
    ("setup", "said"),
    [
        ({"at_recipient": ["550 no such user"]}, "does not take this recipient (550: no such user)"),
        ({"refusals": ["552 too large"]}, "does not take this message (552: too large)"),
    ],
)
def test_a_refusal_for_good_is_not_tried_again(
    engine: Engine, session: Session, on: Settings, mailbox: Mailbox, report: Report, people: People,
    setup: dict[str, list[str]], said: str,
) -> None:  # fmt: skip
    for name, value in setup.items():
        setattr(mailbox, name, value)
    with pytest.raises(MailRefused):
        sent(engine, on, report, people)
    found = row(session, report, people)
    assert found.status == "failed" and said in found.error


def test_an_overloaded_recipient_is_tried_again(
    engine: Engine, on: Settings, mailbox: Mailbox, report: Report, people: People
) -> None:
    mailbox.at_recipient = ["450 mailbox busy"]
    with pytest.raises(Unavailable, match="450"):
        sent(engine, on, report, people)


def silent_server(drip: bytes) -> tuple[int, socket.socket]:
    """A port that takes connections and then says nothing, or a byte now and then."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        try:
            connection, _ = listener.accept()
            while drip:
                connection.sendall(drip)
                time.sleep(0.05)
            connection.recv(1)
        except OSError:
            return

    threading.Thread(target=serve, daemon=True).start()
    return int(listener.getsockname()[1]), listener


@pytest.mark.parametrize("drip", [b"", b"2"])
def test_a_slow_server_holds_nobody_for_long(settings: Settings, drip: bytes) -> None:
    port, listener = silent_server(drip)
    message = EmailMessage()
    message["From"], message["To"] = "a@b.test", "c@d.test"
    with listener, pytest.raises(Unavailable):
        deliver(mailing(settings, port), message, answer_seconds=0.5, whole_seconds=1)


# --- encryption and passwords ---


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """A certificate authority that this process trusts."""
    authority, file = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return authority


def certified(authority: trustme.CA, host: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(host).configure_cert(context)
    return context


def secure(settings: Settings, port: int, password: str = "right-password") -> Settings:
    return mailing(
        settings, port, smtp_security="starttls", smtp_user="reports", smtp_password=SecretStr(password)
    )


def test_the_password_goes_over_tls_only(
    engine: Engine,
    settings: Settings,
    mailbox: Mailbox,
    report: Report,
    people: People,
    authority: trustme.CA,
) -> None:
    with mail_server(mailbox, tls=certified(authority), sign_in=True) as port, capture_logs() as logs:
        assert sent(engine, secure(settings, port), report, people) == "sent"
    assert mailbox.encrypted == [True] and mailbox.users == [(b"reports", b"right-password")]
    assert "right-password" not in str(logs) and people.analyst.email not in str(logs)


def test_a_wrong_password_is_said_without_it(
    engine: Engine, session: Session, settings: Settings, mailbox: Mailbox, report: Report, people: People,
    authority: trustme.CA,
) -> None:  # fmt: skip
    with (
        mail_server(mailbox, tls=certified(authority), sign_in=True) as port,
        pytest.raises(MailRefused) as refused,
    ):
        sent(engine, secure(settings, port, "wrong-password"), report, people)
    assert refused.value.message == "The mail server does not take our user and password (535)."
    assert "wrong-password" not in row(session, report, people).error


def test_a_server_without_encryption_or_with_a_strange_certificate_gets_no_password(
    engine: Engine,
    settings: Settings,
    mailbox: Mailbox,
    report: Report,
    people: People,
    authority: trustme.CA,
) -> None:
    with mail_server(mailbox) as port, pytest.raises(MailRefused, match="can't do what is asked"):
        sent(engine, secure(settings, port), report, people)
    with (
        mail_server(mailbox, tls=certified(trustme.CA()), sign_in=True) as port,
        pytest.raises(MailRefused, match="certificate is not trusted"),
    ):
        sent(engine, secure(settings, port), report, people)
    assert mailbox.users == [] and mailbox.messages == []


def test_tls_from_the_first_byte(settings: Settings, authority: trustme.CA) -> None:
    got: list[bytes] = []
    listener = certified(authority).wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True)

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as lines:
            connection.sendall(b"220 here\r\n")
            for line in lines:
                got.append(line)
                verb = line[:4].upper()
                if verb == b"DATA":
                    connection.sendall(b"354 go on\r\n")
                elif verb == b"QUIT":
                    connection.sendall(b"221 bye\r\n")
                    return
                elif verb in {b"EHLO", b"MAIL", b"RCPT"} or line == b".\r\n":
                    connection.sendall(b"250 OK\r\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@b.test", "c@d.test", "hello"
    with listener:
        deliver(mailing(settings, listener.getsockname()[1], smtp_security="tls"), message)
        thread.join(5)
    assert b"Subject: hello\r\n" in got


def test_a_failure_that_nobody_thought_of_is_a_failure_too() -> None:
    assert isinstance(failure_of(smtplib.SMTPException("odd")), Unavailable)


def test_the_queue_worker_sends_what_was_posted(
    engine: Engine, session: Session, settings: Settings, mailbox: Mailbox, people: People,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    subscriptions.subscribe(session, principal=people.analyst, name=WEEKLY.name, zone="UTC")
    session.execute(update(ReportSubscription).values(created_at=long_ago()))
    archived(session, settings, people.analyst.workspace_id)
    with mail_server(mailbox) as port:
        on = mailing(settings, port)
        for name in ("smtp_host", "smtp_port", "smtp_security", "mail_sender"):
            monkeypatch.setenv(f"LEITSTAND_{name.upper()}", str(getattr(on, name)))
        get_settings.cache_clear()
        assert schedule.post(session, get_settings(), name=WEEKLY.name, now=datetime.now(UTC)) == 1
        session.commit()
        work_until(engine, settings, lambda: len(mailbox.messages) == 1)
    get_settings.cache_clear()
    session.expire_all()
    assert [mail.status for mail in session.scalars(select(ReportMail))] == ["sent"]
    assert mailbox.messages[0]["To"].addresses[0].addr_spec == people.analyst.email
