"""Hand a message to the mail server: what it refuses for good is told apart from what may go better later."""

import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from urllib.parse import urlsplit

from leitstand.errors import InvalidInput, LeitstandError, Unavailable
from leitstand.settings import Settings
from leitstand.words import msg
from leitstand.words.lines import one_line

# Of each answer, and of all together: a server that sends a byte now and then holds nobody for long.
ANSWER_SECONDS = 30.0
WHOLE_SECONDS = 120.0
FOR_GOOD = 500


class MailRefused(InvalidInput):
    """The mail server will not take this message; sending it again would not help."""


def deliver(
    settings: Settings,
    message: EmailMessage,
    *,
    answer_seconds: float = ANSWER_SECONDS,
    whole_seconds: float = WHOLE_SECONDS,
) -> None:
    """Hand a message over; returns once the server has answered for it.

    Raises:
        MailRefused: for good: the server refuses recipient, sender, password or message, or has no encryption.
        Unavailable: the server is away, slow, overloaded or went away in the middle; later may go better.
    """
    try:
        with _connected(settings, answer_seconds, whole_seconds) as client:
            client.send_message(message)
    except (smtplib.SMTPException, ssl.SSLError, OSError) as error:
        raise failure_of(error) from error


@contextmanager
def _connected(settings: Settings, answer_seconds: float, whole_seconds: float) -> Iterator[smtplib.SMTP]:
    client = _client(settings, answer_seconds)
    # Before the greeting: a server can be slow from its first byte on.
    watchdog = threading.Timer(whole_seconds, _hang_up, [client])
    watchdog.daemon = True
    watchdog.start()
    try:
        client.connect(settings.smtp_host, settings.smtp_port)
        if settings.smtp_security == "starttls":
            client.starttls(context=ssl.create_default_context())
        if settings.smtp_user:
            client.login(settings.smtp_user, settings.smtp_password.get_secret_value())
        yield client
        with suppress(smtplib.SMTPException, OSError):
            client.quit()  # the message is theirs already
    finally:
        watchdog.cancel()
        client.close()


def _client(settings: Settings, seconds: float) -> smtplib.SMTP:
    """A client that is not connected yet."""
    name = greeting_name(settings)
    if settings.smtp_security == "tls":
        client: smtplib.SMTP = smtplib.SMTP_SSL(
            local_hostname=name, timeout=seconds, context=ssl.create_default_context()
        )
    else:
        client = smtplib.SMTP(local_hostname=name, timeout=seconds)
    # Whose certificate it must be; the constructor keeps it only where it connects at once.
    client._host = settings.smtp_host  # type: ignore[attr-defined]
    return client


def greeting_name(settings: Settings) -> str:
    """Who we say we are: the host of our own address, never what a look-up of this machine's name would give."""
    host = urlsplit(settings.base_url).hostname or "localhost"
    if ":" in host:
        return f"[IPv6:{host}]"
    return f"[{host}]" if host.replace(".", "").isdigit() else host


def _hang_up(client: smtplib.SMTP) -> None:
    if client.sock is not None:
        with suppress(OSError):
            client.sock.shutdown(socket.SHUT_RDWR)


def failure_of(error: Exception) -> LeitstandError:
    """What a failure means for the message; nothing secret is in it."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        code, answer = error.smtp_code, str(error.smtp_code)
        told = msg("The mail server does not take our user and password ({answer}).", answer=answer)
    elif isinstance(error, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(error.recipients.values()))
        told = msg("The mail server does not take this recipient ({answer}).", answer=_answer(code, said))
    elif isinstance(error, smtplib.SMTPResponseException):
        code, answer = error.smtp_code, _answer(error.smtp_code, error.smtp_error)
        told = msg("The mail server does not take this message ({answer}).", answer=answer)
    else:
        return _refused_for_good(error) or _may_go_better(error)
    return MailRefused(told) if code >= FOR_GOOD else Unavailable(told)


def _refused_for_good(error: Exception) -> LeitstandError | None:
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return MailRefused(
            msg("The mail server can't do what is asked of it: {what}", what=one_line(str(error)))
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return MailRefused("The mail server's certificate is not trusted.", hint="Check LEITSTAND_SMTP_HOST.")
    return None


def _may_go_better(error: Exception) -> LeitstandError:
    if isinstance(error, TimeoutError):
        return Unavailable("The mail server did not answer in time.")
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return Unavailable("The mail server went away before it had taken the message.")
    return Unavailable(msg("The mail server can't be reached ({error}).", error=type(error).__name__))


def _answer(code: int, said: bytes | str) -> str:
    text = one_line(said.decode(errors="replace") if isinstance(said, bytes) else said)
    return f"{code}: {text}" if text else str(code)
