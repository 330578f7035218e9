"""Reports for tests: archived ones that no notebook had to run for, and a real mail server on this machine."""

import email
import email.policy
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any
from uuid import UUID

from aiosmtpd import smtp as protocol
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from sqlalchemy.orm import Session as Database

from leitstand.db.models import Report
from leitstand.reports.kinds import WEEKLY, Kind
from leitstand.reports.periods import Period, last_due
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage

HTML = "<!doctype html><title>Weekly insights</title><script>alert(1)</script><p>52 started runs</p>"
PDF = b"%PDF-1.4 a report"
SUMMARY = {
    "as_of": "2026-01-05T06:00:00+00:00",
    "empty": False,
    "figures": [
        {"name": "Completion rate", "value": "64.1 %", "before": "67.4 % (2 of 3)", "change": "−3.4 points", "counts": "205 of 320 <started>"}
    ],
    "notices": [{"weight": "warn", "text": "Most is lost at <b>."}],
}  # fmt: skip


def archived(
    session: Database,
    settings: Settings,
    workspace_id: UUID,
    *,
    kind: Kind = WEEKLY,
    zone: str = "UTC",
    pdf: bytes = PDF,
    period: Period | None = None,
) -> Report:
    """A complete report of the newest due period, its HTML and PDF in the object store."""
    now = datetime.now(UTC)
    period = period or last_due(kind.cadence, zone, now)
    storage, bucket = ObjectStorage(settings), settings.bucket_evidence
    storage.ensure_buckets()
    report = Report(
        workspace_id=workspace_id, name=kind.name, period_start=period.start, period_end=period.end, zone=zone,
        status="complete", as_of=now, started_at=now, finished_at=now, summary=SUMMARY,
    )  # fmt: skip
    session.add(report)
    session.flush()
    for form, data in (("html", HTML.encode()), ("pdf", pdf), ("notebook", b'{"cells": []}')):
        if data:
            stored = storage.put_bytes(bucket, f"reports/test/{report.id}.{form}", data)
            setattr(report, form, stored.address)
            setattr(report, f"{form}_sha256", stored.sha256)
    session.commit()
    return report


def long_ago() -> datetime:
    """When workspaces and subscriptions of tests were made: before any period that is due."""
    return datetime.now(UTC) - timedelta(days=400)


@dataclass
class Mailbox:
    """What a server took, and how it answers: `refusals` are given one a message before it takes any."""

    messages: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    at_recipient: list[str] = field(default_factory=list)
    users: list[tuple[bytes, bytes]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    async def handle_RCPT(self, _: Any, __: Any, envelope: Envelope, address: str, options: list[str]) -> str:
        if self.at_recipient:
            return self.at_recipient.pop(0)
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: protocol.SMTP, session: Session, envelope: Envelope) -> str:
        if self.refusals:
            answer = self.refusals.pop(0)
            if answer == "die":
                server.transport.abort()
            return answer
        content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
        self.messages.append(email.message_from_bytes(content, policy=email.policy.default))  # type: ignore[arg-type]
        self.recipients.append(list(envelope.rcpt_tos))
        self.encrypted.append(session.ssl is not None)
        return "250 OK"

    def authenticate(self, _: Any, __: Any, ___: Any, mechanism: str, given: LoginPassword) -> AuthResult:
        self.users.append((given.login, given.password))
        return AuthResult(success=given.password == b"right-password", handled=False)


def free_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def mail_server(
    mailbox: Mailbox, *, tls: ssl.SSLContext | None = None, sign_in: bool = False
) -> Iterator[int]:
    """A mail server with this mailbox; gives its port.

    Args:
        tls: offer STARTTLS with this certificate, and demand it.
        sign_in: demand a user with the password `right-password`.
    """
    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=free_port(),
        tls_context=tls,
        require_starttls=tls is not None,
        authenticator=mailbox.authenticate if sign_in else None,
        auth_required=sign_in,
        auth_require_tls=tls is not None,
    )
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def mailing(settings: Settings, port: int, **more: Any) -> Settings:
    """These settings with mail through a server on this port."""
    given = {
        "smtp_host": "127.0.0.1",
        "smtp_port": port,
        "smtp_security": "none",
        "mail_sender": "Leitstand Reports <reports@leitstand.test>",
    }
    return settings.model_copy(update=given | more)
