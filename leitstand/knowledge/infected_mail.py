"""The mail to whoever uploaded a document in which a virus was found."""

from uuid import UUID

from sqlalchemy import Engine

from leitstand.db.engine import transaction
from leitstand.db.models import Document, Person
from leitstand.mail.message import Letter, build
from leitstand.mail.settings import mail_off
from leitstand.mail.smtp import deliver
from leitstand.settings import Settings
from leitstand.telemetry.logs import get_logger
from leitstand.words import msg, translate

log = get_logger("mail")


def send(engine: Engine, settings: Settings, *, document_id: UUID) -> None:
    """Send it, unless the document or the person is gone, or mail is off.

    Raises:
        MailRefused, Unavailable: as `leitstand.mail.smtp.deliver`.
    """
    with transaction(engine) as session:
        document = session.get(Document, document_id)
        person = session.get(Person, document.added_by) if document and document.added_by else None
        if document is None or person is None or document.status != "infected":
            return
    if off := mail_off(settings):
        log.warning("mail not sent", reason=off)
        return
    made = letter(settings, document, person.language or "en")
    message = build(settings, made, name=person.name, email=person.email, identity=f"infected-{document_id}")
    deliver(settings, message)


def letter(settings: Settings, document: Document, language: str) -> Letter:
    """What the mail says, in a language."""
    subject = msg("A virus was found in “{title}”", title=document.title)
    found = msg(
        "The virus scanner found {name} in the document “{title}” that you uploaded. Nobody can open it, and nothing"
        " was read from it.",
        name=document.reason, title=document.title,
    )  # fmt: skip
    advice = msg("Check where the file came from, and the computer that it was on. Then delete the document.")
    return Letter(
        subject=translate(subject, language),
        paragraphs=(translate(found, language), translate(advice, language)),
        link=f"{settings.base_url}/spaces/{document.space_id}",
        action=translate(msg("Open the space"), language),
        language=language,
    )
