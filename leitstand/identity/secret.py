"""The key that signs what browsers and mails carry, and the earlier ones whose signatures are still taken."""

from datetime import UTC, datetime, timedelta

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


def accepted_keys(*, within: timedelta | None = None) -> list[bytes]:
    """The keys whose signatures are taken: today's first, then those that rotations have replaced.

    Args:
        within: leave out what was replaced longer ago than this; None: as long as they are kept.

    Raises:
        PreconditionFailed: as `signing_key`.
    """
    now = datetime.now(UTC)
    earlier = replaced_keys(get_settings().session_secret_previous.get_secret_value())
    return [signing_key(), *(key for at, key in earlier if within is None or now - at <= within)]


def replaced_keys(text: str) -> list[tuple[datetime, bytes]]:
    """When each earlier key was replaced, and the key; newest first.

    Args:
        text: the setting `session_secret_previous`: `<unix seconds>:<key>`, separated by white space.

    Raises:
        PreconditionFailed: it is malformed.
    """
    found = []
    for entry in text.split():
        seconds, colon, key = entry.partition(":")
        if not (colon and key and seconds.isdigit()):
            raise PreconditionFailed(
                "The setting session_secret_previous is malformed.",
                hint="`leitstand secrets rotate session` writes it; delete it to refuse what earlier keys signed.",
            )
        found.append((datetime.fromtimestamp(int(seconds), UTC), key.encode()))
    return sorted(found, reverse=True)
