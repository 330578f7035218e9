"""Fingerprints of secrets: they tell whether one changed, and help nobody to guess it.

A fingerprint is 32 bits of an HMAC-SHA256 whose random key lies beside the age keys and, sealed, inside each backup of
the secrets. Without that key a value can't be tried out against it, however weak the value is.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping

from leitstand.backups import keys
from leitstand.settings import Settings

FILE = "fingerprint.key"
KEY_BYTES, SHOWN = 32, 8


def fingerprint_key(settings: Settings) -> bytes:
    """This environment's key; made once."""
    path = keys.keys_dir(settings) / FILE
    with keys.locked(path.parent):
        if not path.exists() or not path.read_text().strip():
            keys.write_private(path, secrets.token_hex(KEY_BYTES))
        return path.read_text().strip().encode()


def fingerprints(key: bytes, values: Mapping[str, bytes]) -> dict[str, str]:
    """Name -> fingerprint (8 hexadecimal digits) of each value; white space around a value does not count."""
    return {
        name: hmac.new(key, name.encode() + b"\0" + value.strip(), hashlib.sha256).hexdigest()[:SHOWN]
        for name, value in sorted(values.items())
    }
