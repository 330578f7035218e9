"""What staging has passed: a statement about one image, signed with staging's key, that production can verify.

So neither a pipeline nor a person can bring an image to production that was never released on staging.
"""

import base64
import json
import time
from pathlib import Path
from typing import Any

from leitstand.errors import Forbidden, PreconditionFailed
from leitstand.releases import journal as journals
from leitstand.releases.files import write_durably
from leitstand.releases.site import Site
from leitstand.words import N_, msg

KEY = Path("secrets") / "leitstand_release_key"
STAGING = "staging"
DAYS = 14
DAY_SECONDS = 86_400


def issue(site: Site, wanted: str) -> str:
    """The pass of an image that a release on this staging server has brought to its end.

    Raises:
        PreconditionFailed: none has, or this is not staging.
    """
    found = [one for one in journals.journals(site.releases) if _passes(one, wanted)]
    if site.environment != STAGING or not found:
        raise PreconditionFailed(
            msg("No release of {image} was finished on staging.", image=wanted),
            hint=N_("`leitstand release start` it on the staging server, to its end."),
        )
    payload = {
        "image": wanted,
        "release": found[0].id,
        "at": int(time.time()),
        "observed": found[0].evidence("observe"),
        "smoke": found[0].evidence("smoke"),
    }
    body = json.dumps(payload, separators=(",", ":")).encode()
    return f"{_text(body)}.{_text(_private(site).sign(body))}"


def verified(token: str, key: str, wanted: str) -> dict[str, Any]:
    """What a pass says.

    Args:
        key: staging's public key, hexadecimal.

    Raises:
        Forbidden: it is not staging's, for another image, or too old.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        body, signature = map(_bytes, token.split("."))
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(signature, body)
        says: dict[str, Any] = json.loads(body)
    except (ValueError, InvalidSignature) as error:
        raise Forbidden(
            N_("This pass was not signed by staging."),
            hint=N_("`leitstand release promote-check` on the staging server gives one."),
        ) from error
    if says["image"] != wanted:
        raise Forbidden(msg("This pass is for {image}.", image=says["image"]))
    if says["at"] < time.time() - DAYS * DAY_SECONDS:
        raise Forbidden(
            msg("This pass is older than {days} days.", days=DAYS),
            hint=N_("Release the image on staging again."),
        )
    return says


def public_key(site: Site) -> str:
    """The key by which others know the passes of this server, hexadecimal; made with the first call."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    raw: bytes = _private(site).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return raw.hex()


def _passes(one: journals.Journal, wanted: str) -> bool:
    return one.outcome == journals.FINISHED and one.plan["kind"] == "release" and one.plan["image"] == wanted


def _private(site: Site) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = site.folder / KEY
    if not path.exists():
        write_durably(path, Ed25519PrivateKey.generate().private_bytes_raw().hex())
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text().strip()))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
