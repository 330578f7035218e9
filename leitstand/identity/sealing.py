"""Secrets at rest: what people entrust to us is sealed before it is written to the database.

AES-256-GCM under a key that is derived from the setting `secrets_key`. A sealed value is bound to its place (table,
column and row): copied into another row it does not open. It begins with the form's number and a mark of its key.
"""

import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from leitstand.errors import IntegrityFailed, PreconditionFailed
from leitstand.settings import Settings, get_settings

FORM = b"\x01"
MARK_BYTES, NONCE_BYTES = 4, 12
START = len(FORM) + MARK_BYTES + NONCE_BYTES


def seal(secret: str, *, place: str, settings: Settings | None = None) -> bytes:
    """A secret as it may be stored.

    Args:
        place: where it is stored, as `table.column:row`; the same is needed to open it.
        settings: those that hold the key; this process's where none are given.

    Raises:
        PreconditionFailed: there is no key.
    """
    key, nonce = _keys(settings)[0], os.urandom(NONCE_BYTES)
    return FORM + _mark(key) + nonce + AESGCM(key).encrypt(nonce, secret.encode(), place.encode())


def open_sealed(sealed: bytes, *, place: str, settings: Settings | None = None) -> str:
    """The secret that was sealed for that place, with today's key or an earlier one.

    Raises:
        IntegrityFailed: it was sealed with a key that is not here, for another place, or was changed.
        PreconditionFailed: there is no key.
    """
    mark, nonce = sealed[len(FORM) : len(FORM) + MARK_BYTES], sealed[START - NONCE_BYTES : START]
    for key in _keys(settings):
        if sealed.startswith(FORM) and _mark(key) == mark:
            try:
                return AESGCM(key).decrypt(nonce, sealed[START:], place.encode()).decode()
            except InvalidTag:
                continue
    raise IntegrityFailed(
        "A stored secret can't be opened.",
        hint="Put back the secrets_key with which it was sealed (leitstand secrets restore), or enter the secret again.",
    )


def is_current(sealed: bytes, *, settings: Settings | None = None) -> bool:
    """Whether a value was sealed with today's key."""
    return sealed[len(FORM) : len(FORM) + MARK_BYTES] == _mark(_keys(settings)[0])


def _keys(settings: Settings | None) -> list[bytes]:
    """Today's key and the earlier ones."""
    settings = settings or get_settings()
    texts = [
        settings.secrets_key.get_secret_value(),
        *settings.secrets_key_previous.get_secret_value().split(),
    ]
    if not texts[0]:
        raise PreconditionFailed(
            "There is no key to seal secrets with.",
            hint="Start with `./run up`, which makes one, or set LEITSTAND_SECRETS_KEY.",
        )
    return [hashlib.sha256(b"leitstand sealing 1:" + text.encode()).digest() for text in texts]


def _mark(key: bytes) -> bytes:
    """Tells keys apart, and nothing about them."""
    return hashlib.sha256(b"mark:" + key).digest()[:MARK_BYTES]
