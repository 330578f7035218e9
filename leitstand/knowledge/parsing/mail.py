"""E-mail: who wrote what to whom, and the names of what was attached."""

from email import policy
from email.message import EmailMessage, MIMEPart
from email.parser import BytesParser

from leitstand.knowledge.parsing.html import html_text
from leitstand.knowledge.parsing.outline import Block, Outline, Unreadable
from leitstand.knowledge.parsing.plain import decode, paragraphs
from leitstand.words import N_

NO_MESSAGE = N_("It is no e-mail message.")
SHOWN = ("From", "To", "Cc", "Date")


def read_mail(data: bytes) -> list[Block]:
    """The subject, the heads, the text (that for readers without HTML, where there is one) and the attachments' names.

    Raises:
        Unreadable: it is no message.
    """
    message = BytesParser(policy=policy.default).parsebytes(data)
    if not isinstance(message, EmailMessage) or not message.keys():
        raise Unreadable(NO_MESSAGE)
    outline = Outline()
    outline.heading(1, _head(message, "Subject"))
    outline.text("\n".join(f"{name}: {words}" for name in SHOWN if (words := _head(message, name))))
    body = message.get_body(("plain", "html"))
    if body is not None:
        words = _content(body)
        for paragraph in paragraphs(html_text(words) if body.get_content_subtype() == "html" else words):
            outline.text(paragraph)
    outline.text("\n".join(name for part in message.iter_attachments() if (name := part.get_filename())))
    return outline.finish()


def _head(message: EmailMessage, name: str) -> str:
    try:
        return str(message.get(name, ""))
    except (ValueError, IndexError, AttributeError):
        # Python's parser of heads trips over some that no standard allows.
        return ""


def _content(body: MIMEPart) -> str:
    """The text of a body, also where it names an encoding that nobody knows."""
    try:
        return str(body.get_content())
    except (LookupError, UnicodeError, ValueError, AttributeError):
        packed = body.get_payload(decode=True)
        return decode(packed) if isinstance(packed, bytes) else ""
