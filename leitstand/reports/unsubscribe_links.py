"""The link in a mail that ends its subscription: signed, so that it works without signing in (RFC 8058).

It names the subscription and never expires, because mail is kept; all it can do is end that one subscription. So a
rotation of the key leaves it valid, unless the key was leaked.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from uuid import UUID

from leitstand.errors import NotFound
from leitstand.identity.secret import accepted_keys, signing_key
from leitstand.reports.kinds import BY_NAME

PURPOSE = b"leitstand report unsubscribe\0"
PATH = "/reports/unsubscribe/"
LONGEST = 400
IDS = 32


@dataclass(frozen=True)
class Link:
    """The subscription that a link names."""

    workspace_id: UUID
    person_id: UUID
    name: str


def token_of(link: Link) -> str:
    """The signed token of a subscription."""
    body = link.workspace_id.bytes + link.person_id.bytes + link.name.encode()
    return f"{_text(body)}.{_text(_signature(signing_key(), body))}"


def read_token(token: str) -> Link:
    """What a token names.

    Raises:
        NotFound: it was not signed by us, or was changed.
    """
    wrong = NotFound("This link is not valid.", hint="Sign in and open Reports to change your subscriptions.")
    body_text, dot, signature_text = token[:LONGEST].partition(".")
    try:
        body, signature = _bytes(body_text), _bytes(signature_text)
    except (binascii.Error, ValueError) as error:
        raise wrong from error
    name = body[IDS:].decode(errors="replace")
    if not dot or not _signed(body, signature) or name not in BY_NAME:
        raise wrong
    return Link(UUID(bytes=body[:16]), UUID(bytes=body[16:IDS]), name)


def _signed(body: bytes, signature: bytes) -> bool:
    return any(hmac.compare_digest(signature, _signature(key, body)) for key in accepted_keys())


def _signature(key: bytes, body: bytes) -> bytes:
    return hmac.new(key, PURPOSE + body, hashlib.sha256).digest()


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
