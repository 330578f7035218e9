"""Sending the mails of this area, from their jobs. One that is run again after a crash has the same Message-ID."""

from datetime import UTC, datetime
from uuid import UUID

from leitstand.db.engine import get_engine, transaction
from leitstand.db.models import PasswordReset, Person
from leitstand.identity import password_resets, security_mail
from leitstand.mail.message import Letter, build
from leitstand.mail.settings import mail_off
from leitstand.mail.smtp import deliver
from leitstand.settings import get_settings
from leitstand.telemetry.context import current
from leitstand.telemetry.logs import get_logger
from leitstand.words import DEFAULT

log = get_logger("mail")


def send_reset(reset_id: UUID) -> None:
    """Send a link, if it may still be used.

    Raises:
        MailRefused, Unavailable: as `leitstand.mail.smtp.deliver`.
    """
    with transaction(get_engine()) as session:
        reset = session.get(PasswordReset, reset_id)
        person = session.get(Person, reset.person_id) if reset and reset.person_id else None
        if reset is None or person is None or person.disabled_at or reset.used_at:
            return
        if reset.expires_at <= datetime.now(UTC):
            return
        letter = password_resets.letter(reset, person.language or DEFAULT)
        name, email = person.name, person.email
    if letter is not None:
        _send(letter, name=name, email=email, identity=f"reset-{reset_id}")


def send_security(person_id: UUID, event: str) -> None:
    """Send a person what happened.

    Raises:
        MailRefused, Unavailable: as `leitstand.mail.smtp.deliver`.
    """
    with transaction(get_engine()) as session:
        person = session.get(Person, person_id)
        if person is None:
            return
        letter = security_mail.letter(person, event, at=datetime.now(UTC))
        name, email = person.name, person.email
    _send(letter, name=name, email=email, identity=f"{event}-{person_id}-{current()['request_id']}")


def _send(letter: Letter, *, name: str, email: str, identity: str) -> None:
    settings = get_settings()
    if off := mail_off(settings):
        log.warning("mail not sent", reason=off)
        return
    deliver(settings, build(settings, letter, name=name, email=email, identity=identity))
