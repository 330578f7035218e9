"""Mails that tell a person what was changed about how they sign in, so that they notice when it was not them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from leitstand.db.models import Person
from leitstand.jobs.queue import enqueue
from leitstand.mail.message import Letter
from leitstand.mail.settings import mail_off
from leitstand.settings import get_settings
from leitstand.words import DEFAULT, N_, translate

JOB = "identity.security-mail"
NOT_YOU = N_(
    "If this was not you, set a new password at once and end your other sessions on your profile page:"
)


@dataclass(frozen=True)
class Event:
    """What happened: the subject of the mail, and its first paragraph."""

    subject: str
    text: str


EVENTS = {
    "password-changed": Event(N_("Your password was changed"), N_("The password of your Leitstand account was changed.")),
    "code-on": Event(N_("Two-step sign-in is on"), N_("From now on your Leitstand account asks for a one-time code at sign-in.")),
    "code-off": Event(N_("Two-step sign-in is off"), N_("Your Leitstand account does not ask for a one-time code any more.")),
    "recovery-code-used": Event(N_("A recovery code was used"), N_("Somebody signed in to your Leitstand account with one of your recovery codes.")),
    "passkey-added": Event(N_("A passkey was added"), N_("A new passkey can sign in to your Leitstand account.")),
    "passkey-removed": Event(N_("A passkey was removed"), N_("A passkey was removed from your Leitstand account.")),
    "linked": Event(N_("Single sign-on was connected"), N_("Your Leitstand account was connected with your organisation's sign-on.")),
    "new-browser": Event(N_("A new browser signed in"), N_("A browser that we do not know signed in to your Leitstand account.")),
}  # fmt: skip


def tell(session: Session, *, person_id: UUID, event: str) -> None:
    """Have a mail sent once the caller's transaction is committed; none where mail is off.

    Args:
        event: a key of `EVENTS`.
    """
    if event not in EVENTS:
        raise ValueError(f"unknown event {event!r}")
    if not mail_off(get_settings()):
        enqueue(session, JOB, person_id=person_id, event=event)


def letter(person: Person, event: str, *, at: datetime) -> Letter:
    """What the mail says, in the person's language."""
    local = at.astimezone(ZoneInfo(person.zone or "UTC"))
    when = f"{local:%Y-%m-%d %H:%M} ({person.zone or 'UTC'})"
    said, language = EVENTS[event], person.language or DEFAULT
    return Letter(
        subject=translate(said.subject, language),
        paragraphs=(translate(said.text, language), when, translate(NOT_YOU, language)),
        link=f"{get_settings().base_url}/settings/profile",
        action=translate(N_("Open your profile"), language),
        language=language,
    )
