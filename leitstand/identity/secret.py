"""The key that signs what browsers carry."""

from leitstand.errors import PreconditionFailed
from leitstand.settings import get_settings


def signing_key() -> bytes:
    """The session secret as bytes.

    Raises:
        PreconditionFailed: none is set; an empty key would sign for everybody.
    """
    key = get_settings().session_secret.get_secret_value()
    if not key:
        raise PreconditionFailed(
            "There is no session secret.",
            hint="Start with `./run up`, which makes one, or set LEITSTAND_SESSION_SECRET.",
        )
    return key.encode()
