"""The mail of an invitation; its link is made when it is sent and kept nowhere."""

from uuid import UUID

from babel.dates import format_date
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from leitstand.db.engine import transaction
from leitstand.db.models import Invitation, Person, Workspace
from leitstand.errors import InvalidInput
from leitstand.identity.invitations import is_open, link_of
from leitstand.mail.message import Letter, build
from leitstand.mail.settings import mail_off
from leitstand.mail.smtp import deliver
from leitstand.settings import Settings
from leitstand.words import DEFAULT, N_, msg, translate
from leitstand.words.lines import one_line

# Of the day that it holds until.
LOCALES = {"en": "en_GB", "de": "de_DE"}


def send(engine: Engine, settings: Settings, *, invitation_id: UUID) -> bool:
    """Send an invitation; nothing is sent where it was revoked, accepted or has expired meanwhile.

    Raises:
        InvalidInput: no mail can be sent (any more).
        MailRefused: the server refuses it for good.
        Unavailable: later may go better.
    """
    with transaction(engine) as session:
        invitation = session.scalar(select(Invitation).where(Invitation.id == invitation_id, is_open()))
        if invitation is None:
            return False
        off = mail_off(settings)
        if off:
            raise InvalidInput(off)
        letter, email = letter_of(session, invitation), invitation.email
        # The same for the same sending: a message that came twice is known to be one.
        identity = f"invitation.{invitation.id.hex}.{int(invitation.sent_at.timestamp())}"
    deliver(settings, build(settings, letter, name="", email=email, identity=identity))
    return True


def letter_of(session: Session, invitation: Invitation) -> Letter:
    """What the mail says: in the language of whom it is for where they are known, else of who invites them."""
    workspace = session.get_one(Workspace, invitation.workspace_id)
    sender = session.get(Person, invitation.invited_by) if invitation.invited_by else None
    who, where = one_line(sender.name if sender else "Leitstand"), one_line(workspace.name)
    words = tuple(part for part in invitation.message.split("\n") if part.strip())
    known = session.scalar(select(Person).where(func.lower(Person.email) == invitation.email.lower()))
    language = (known.language if known else sender.language if sender else "") or DEFAULT
    until = msg(
        "The link holds until {day}. If you did not expect this, ignore it: nothing happens.",
        day=format_date(invitation.expires_at, "long", locale=LOCALES[language]),
    )
    return Letter(
        subject=translate(msg("{who} invites you to {where}", who=who, where=where), language),
        paragraphs=(
            translate(msg("{who} invites you to {where} on Leitstand.", who=who, where=where), language),
            *words,
        ),
        link=link_of(invitation),
        action=translate(N_("Accept the invitation"), language),
        after=(translate(until, language),),
        language=language,
    )
