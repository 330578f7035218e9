"""A short message to one person: text and plain HTML with at most one link."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from markupsafe import Markup

from leitstand.mail.settings import parsed, sender
from leitstand.settings import Settings
from leitstand.words.lines import one_line

WRONG_RECIPIENT = "Mail can't be sent to this person's e-mail address."
SUBJECT_LENGTH = 150


@dataclass(frozen=True)
class Letter:
    """What a message says.

    Args:
        subject: one line.
        paragraphs: its text, before the link.
        link: the address that it leads to; empty: none.
        action: what the link does, in a word or two.
        after: paragraphs after the link, such as what to do where it was not asked for.
        language: of the text, as in the `lang` attribute.
    """

    subject: str
    paragraphs: tuple[str, ...]
    link: str = ""
    action: str = ""
    after: tuple[str, ...] = ()
    language: str = "en"


def build(settings: Settings, letter: Letter, *, name: str, email: str, identity: str) -> EmailMessage:
    """The message of a letter.

    Args:
        identity: the left part of its Message-ID: the same where it is sent again, so that it is known to be one.

    Raises:
        InvalidInput: the sender or the recipient's address can't be used.
    """
    from_ = sender(settings)
    message = EmailMessage(policy=SMTP)
    message["From"] = from_
    message["To"] = parsed(name, email, WRONG_RECIPIENT)
    message["Subject"] = one_line(letter.subject, SUBJECT_LENGTH)
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<{identity}@{from_.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_text(letter))
    message.add_alternative(str(_html(letter)), subtype="html")
    return message


def _text(letter: Letter) -> str:
    link = (f"{letter.action}:\n{letter.link}",) if letter.link else ()
    return "\n\n".join((*letter.paragraphs, *link, *letter.after)) + "\n"


def _html(letter: Letter) -> Markup:
    link = (
        Markup('<p><a href="{}">{}</a></p><p><small>{}</small></p>').format(
            letter.link, letter.action, letter.link
        )
        if letter.link
        else Markup("")
    )
    return Markup(
        '<!doctype html><html lang="{}"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        '<title>{}</title></head><body style="font:15px/1.5 system-ui,sans-serif;max-width:44rem;margin:0 auto;padding:1rem">'
        "{}{}{}</body></html>"
    ).format(letter.language, letter.subject, _paragraphs(letter.paragraphs), link, _paragraphs(letter.after))


def _paragraphs(texts: tuple[str, ...]) -> Markup:
    return Markup("").join(Markup("<p>{}</p>").format(text) for text in texts)
