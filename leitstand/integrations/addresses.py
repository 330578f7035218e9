"""Whether an address that somebody enters can be one of ours to call; the fetcher judges it again at every request."""

from urllib.parse import urlsplit

from leitstand.errors import InvalidInput
from leitstand.outgoing.addresses import is_listed, is_public, listed_networks
from leitstand.settings import get_settings

LONGEST = 2_000
LOOPBACK = "127.0.0.1"
HINT = "It looks like https://example.org/path."


def checked_url(url: str) -> str:
    """The address without spaces around it, refused early where no request would ever be let out to it.

    Raises:
        InvalidInput: it is no web address, is not encrypted, has a password in it or lies in a private network.
    """
    url = url.strip()
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise InvalidInput("This is not a web address.", hint=HINT) from error
    fit = url.isascii() and url.isprintable() and " " not in url and len(url) <= LONGEST
    if not fit or not host or parts.scheme not in {"https", "http"} or parts.fragment:
        raise InvalidInput("This is not a web address.", hint=HINT)
    if parts.username is not None or parts.password is not None:
        raise InvalidInput("There is a user or a password in this address.", hint="Take it out.")
    _check_host(host.lower().rstrip("."), encrypted=parts.scheme == "https")
    return url


def _check_host(host: str, *, encrypted: bool) -> None:
    local = host == "localhost" or host.endswith(".localhost")
    listed = listed_networks(get_settings().outgoing_private_addresses_allowed)
    try:
        address = LOOPBACK if local else host
        allowed, public = is_listed(address, listed), is_public(address)
    except ValueError:
        # A name: where it leads is known when it is asked for, and may be to a listed network.
        allowed, public = bool(listed), True
    if not allowed and not public:
        raise InvalidInput(
            "This address lies in a private network, or on this machine.",
            hint="Choose a public one, or have the operator list it in LEITSTAND_OUTGOING_PRIVATE_ADDRESSES_ALLOWED.",
        )
    if not encrypted and not allowed:
        raise InvalidInput("This address is not encrypted.", hint="Use one that begins with https://.")
