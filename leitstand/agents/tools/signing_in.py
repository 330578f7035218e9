"""How a tool signs in with its server: one header that holds its sealed secret, and headers that hold none."""

import re
from collections.abc import Mapping
from typing import Any

from leitstand.errors import InvalidInput
from leitstand.words import msg

HEADER, SCHEME = "Authorization", "Bearer"
NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
LONGEST, MOST_HEADERS = 2_000, 20
# What says how a request is sent is ours, and what signs in is kept sealed.
OURS = frozenset(
    {
        "host", "connection", "content-length", "content-type", "transfer-encoding", "te", "trailer", "upgrade",
        "expect", "keep-alive", "proxy-connection", "accept-encoding", "idempotency-key", "mcp-session-id",
        "mcp-protocol-version",
    }
)  # fmt: skip
SECRET = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key"})


def checked(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a configuration that says how it signs in.

    Raises:
        InvalidInput: a header is not one that can be sent, or holds what must be sealed.
    """
    header = str(configuration.get("secret_header") or HEADER).strip()
    # Nothing in front of the secret is meant by an empty text, the usual word by none at all.
    given = configuration.get("secret_scheme")
    scheme = (SCHEME if header.lower() == HEADER.lower() else "") if given is None else str(given).strip()
    _check(header, scheme)
    return {"headers": checked_headers(configuration.get("headers") or {}), "secret_header": header, "secret_scheme": scheme}  # fmt: skip


def checked_headers(headers: object) -> dict[str, str]:
    """Headers that are sent with each request; they hold no secret.

    Raises:
        InvalidInput: one can't be sent, is ours, or is one that signs in.
    """
    if not isinstance(headers, Mapping) or len(headers) > MOST_HEADERS:
        raise InvalidInput(msg("There may be at most {most} headers.", most=MOST_HEADERS))
    found = {str(name).strip(): str(value).strip() for name, value in headers.items()}
    for name, value in found.items():
        _check(name, value)
        if name.lower() in SECRET:
            raise InvalidInput(
                msg("The header {name} signs in: it is kept sealed.", name=name),
                hint="Enter it as the secret and its header.",
            )
    return found


def checked_secret(secret: str) -> str:
    """A secret without blanks around it; empty is none.

    Raises:
        InvalidInput: it can't be sent in a header.
    """
    secret = secret.strip()
    if len(secret) > LONGEST or not secret.isprintable() or not secret.isascii():
        raise InvalidInput("The secret is too long, or has characters in it that no header has.")
    return secret


def headers_of(configuration: Mapping[str, Any], secret: str) -> dict[str, str]:
    """The headers that a tool's configuration adds to each request."""
    found = dict(configuration.get("headers") or {})
    if secret:
        value = f"{configuration.get('secret_scheme', SCHEME)} {secret}".strip()
        found[configuration.get("secret_header") or HEADER] = value
    return found


def _check(name: str, value: str) -> None:
    if not NAME.fullmatch(name) or name.lower() in OURS:
        raise InvalidInput(msg("The header {name!r} can't be set.", name=name[:100]))
    if len(value) > LONGEST or not value.isascii() or not value.isprintable():
        raise InvalidInput(msg("The value of the header {name} can't be sent.", name=name))
