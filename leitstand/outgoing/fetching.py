"""One request to an address that somebody gave us, within limits: where it goes, how long, how much, how far."""

import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpcore

from leitstand.errors import TooLarge, Unavailable
from leitstand.outgoing.addresses import Network, listed_networks
from leitstand.outgoing.connections import SLOW, Deadline, Guarded, Refused, Resolve
from leitstand.settings import get_settings
from leitstand.words import msg

SECONDS = 10.0
MOST_BYTES = 1_000_000
REDIRECTS = 3
MOVED = frozenset({301, 302, 303, 307, 308})
AGENT = "Leitstand"
WITH_PASSWORDS = frozenset({"authorization", "cookie", "proxy-authorization"})


@dataclass(frozen=True)
class Answer:
    """What the other side said; `url` is where, after redirects."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    @property
    def ok(self) -> bool:
        """Whether the status says success."""
        return 200 <= self.status < 300

    def document(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            Unavailable: it is none.
        """
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise Unavailable("The other side did not answer with JSON.") from error
        if not isinstance(found, dict):
            raise Unavailable("The other side did not answer with a JSON object.")
        return found


@dataclass(frozen=True)
class Stream:
    """An answer that is still coming; `pieces` give its body as it comes, and raise what `streamed` does."""

    status: int
    headers: Mapping[str, str]
    pieces: Iterator[bytes]
    url: str

    @property
    def ok(self) -> bool:
        """Whether the status says success."""
        return 200 <= self.status < 300

    def read(self) -> Answer:
        """The whole answer."""
        return Answer(self.status, self.headers, b"".join(self.pieces), self.url)


@dataclass(frozen=True)
class _Limits:
    most_bytes: int
    listed: tuple[Network, ...]
    deadline: Deadline
    resolve: Resolve


def fetch(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    seconds: float = SECONDS,
    most_bytes: int = MOST_BYTES,
    redirects: int = REDIRECTS,
    resolve: Resolve = socket.getaddrinfo,
    clock: Callable[[], float] = time.monotonic,
) -> Answer:
    """Send a request and read the whole answer. Only a GET follows redirects; passwords stay with their origin.

    Args:
        seconds: for all of it, redirects too.
        most_bytes: of the answer's body.
        redirects: that are followed at most.

    Raises:
        Refused: the address, or one that it redirects to, is not one that our requests may go to.
        TooLarge: the answer is.
        Unavailable: the other side is away, slow or breaks off.
    """
    limits = _Limits(most_bytes, _listed(), Deadline(seconds, clock), resolve)
    sent = _with_ours(headers)
    for _ in range(redirects + 1):
        with _opened(url, method, sent, body, limits) as stream:
            answer = stream.read()
        target = answer.headers.get("location")
        if answer.status not in MOVED or method != "GET" or not target:
            return answer
        following = urljoin(url, target)
        if _origin(following) != _origin(url):
            sent = {name: value for name, value in sent.items() if name.lower() not in WITH_PASSWORDS}
        url = following
    raise Unavailable("The other side redirects too often.")


@contextmanager
def streamed(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    seconds: float = SECONDS,
    most_bytes: int = MOST_BYTES,
    stopped: Callable[[], bool] | None = None,
    resolve: Resolve = socket.getaddrinfo,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Stream]:
    """Send a request and give its answer while it comes. It follows no redirects.

    Args:
        seconds: until the end of the answer.
        most_bytes: of the answer's body.
        stopped: asked about once a second, however long nothing comes, whether to give the request up.

    Raises:
        Stopped: `stopped` said so.
        Refused, TooLarge, Unavailable: as `fetch`; while the pieces are read as well.
    """
    limits = _Limits(most_bytes, _listed(), Deadline(seconds, clock, stopped), resolve)
    with _opened(url, method, _with_ours(headers), body, limits) as stream:
        yield stream


def _listed() -> tuple[Network, ...]:
    return listed_networks(get_settings().outgoing_private_addresses_allowed)


def _with_ours(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {"Accept-Encoding": "identity", "User-Agent": AGENT, **(headers or {})}


@contextmanager
def _opened(
    url: str, method: str, headers: Mapping[str, str], body: bytes, limits: _Limits
) -> Iterator[Stream]:
    scheme, host, _ = _origin(url)
    backend = Guarded(
        encrypted=scheme == "https", listed=limits.listed, deadline=limits.deadline, resolve=limits.resolve
    )
    with ExitStack() as stack:
        with _in_words(host):
            pool = stack.enter_context(
                httpcore.ConnectionPool(
                    ssl_context=ssl.create_default_context(), network_backend=backend, max_connections=1
                )
            )
            answer = stack.enter_context(
                pool.stream(
                    method, url.partition("#")[0], headers=list(headers.items()), content=body or None
                )
            )
            found = {
                name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers
            }
        yield Stream(answer.status, found, _pieces(answer, found, limits, host), url)


@contextmanager
def _in_words(host: str) -> Iterator[None]:
    """Say what goes wrong on the way as one of our errors."""
    try:
        yield
    except httpcore.TimeoutException as error:
        raise Unavailable(SLOW) from error
    except ssl.SSLError as error:
        raise Unavailable(msg("The certificate of {host} is not trusted.", host=host)) from error
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError, UnicodeError, ValueError) as error:
        if isinstance(error.__cause__, ssl.SSLCertVerificationError):
            raise Unavailable(msg("The certificate of {host} is not trusted.", host=host)) from error
        raise Unavailable(
            msg("{host} can't be reached ({reason}).", host=host, reason=type(error).__name__)
        ) from error


def _pieces(
    answer: httpcore.Response, headers: Mapping[str, str], limits: _Limits, host: str
) -> Iterator[bytes]:
    """The body, given up as soon as it is too large. It was asked for uncompressed, so nothing unpacks."""
    if headers.get("content-encoding", "identity") != "identity":
        raise Unavailable("The other side compresses its answer although it was asked not to.")
    read = 0
    with _in_words(host):
        for piece in answer.iter_stream():
            read += len(piece)
            if read > limits.most_bytes:
                raise TooLarge(
                    msg("The answer has more than {most_bytes:,} bytes.", most_bytes=limits.most_bytes)
                )
            limits.deadline.left()
            yield piece


def _origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port.

    Raises:
        Refused: it is no web address, or has a user or a password in it.
    """
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    except ValueError as error:
        raise Refused("This is not a web address.", hint="It looks like https://example.org/path.") from error
    if (
        scheme not in {"https", "http"}
        or not host
        or not url.isprintable()
        or not url.isascii()
        or " " in url
    ):
        raise Refused("This is not a web address.", hint="It looks like https://example.org/path.")
    if parts.username is not None or parts.password is not None:
        raise Refused("There is a user or a password in this address.", hint="Take it out.")
    return scheme, host, port
