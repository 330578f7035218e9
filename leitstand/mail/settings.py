"""Whether mail can be sent, and who it is from."""

from email.errors import MessageError
from email.headerregistry import Address
from email.utils import parseaddr

from leitstand.errors import InvalidInput
from leitstand.settings import Settings
from leitstand.words import N_, msg

LOCAL_HOSTS = {"127.0.0.1", "::1", "localhost"}


def mail_off(settings: Settings) -> str:
    """Why no mail is sent, in words people can act on; empty where it is."""
    if settings.rehearsal:
        return N_("No mail is sent: this is a restored copy that is only tried out (LEITSTAND_REHEARSAL).")
    if not settings.smtp_host:
        return N_("No mail is sent: no mail server is set (LEITSTAND_SMTP_HOST).")
    if not settings.mail_sender:
        return N_("No mail is sent: no sender is set (LEITSTAND_MAIL_SENDER).")
    try:
        sender(settings)
    except InvalidInput as error:
        return msg("No mail is sent: {why}", why=error.message)
    if settings.smtp_user and settings.smtp_security == "none" and settings.smtp_host not in LOCAL_HOSTS:
        return N_(
            "No mail is sent: a password goes to no other machine without encryption (LEITSTAND_SMTP_SECURITY)."
        )
    return ""


def sender(settings: Settings) -> Address:
    """The sender of our mail.

    Raises:
        InvalidInput: the setting is no address.
    """
    name, address = parseaddr(settings.mail_sender)
    return parsed(name or "Leitstand", address, "The sender LEITSTAND_MAIL_SENDER is no e-mail address.")


def parsed(name: str, address: str, wrong: str) -> Address:
    """A name and an address as a header takes them: nothing in them can end the header.

    Raises:
        InvalidInput: it is no address; the message is `wrong`.
    """
    plain = "".join(letter if letter.isprintable() else " " for letter in name).strip()
    try:
        found = Address(plain, addr_spec=address)
    except (ValueError, IndexError, MessageError) as error:
        raise InvalidInput(wrong) from error
    if not found.username or not found.domain or not address.isprintable():
        raise InvalidInput(wrong)
    return found
