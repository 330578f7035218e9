"""Connections of our requests: a name is resolved once, judged, and connected to as the address that was judged."""

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import httpcore

from leitstand.errors import Conflict, InvalidInput, Unavailable
from leitstand.outgoing.addresses import Network, is_listed, is_public
from leitstand.words import N_

SLOW = "The other side did not answer in time."
Resolve = Callable[..., list[Any]]
CONNECT_SECONDS = 10.0
# How often it is asked whether a request was given up while nothing comes.
PULSE_SECONDS = 0.5


class Refused(InvalidInput):
    """The address is not one that our requests may go to."""


class Stopped(Conflict):
    """Whoever asked gave the request up."""

    def __init__(self) -> None:
        super().__init__(N_("The request was given up."))


class Deadline:
    """An instant until which a whole request must be done, however slowly the other side drips.

    Args:
        seconds: from now.
        clock: gives seconds that only go forward.
        stopped: whether the request was given up; None: nobody can.
    """

    def __init__(
        self,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        stopped: Callable[[], bool] | None = None,
    ) -> None:
        self._clock, self._stopped = clock, stopped
        self._until = clock() + seconds

    def next_look(self) -> float:
        """Seconds until it must be asked for again: all that are left where nobody can give the request up.

        Raises:
            as `left`.
        """
        left = self.left()
        return left if self._stopped is None else min(left, PULSE_SECONDS)

    def left(self) -> float:
        """Seconds that are left.

        Raises:
            Unavailable: none is.
            Stopped: the request was given up.
        """
        if self._stopped is not None and self._stopped():
            raise Stopped
        left = self._until - self._clock()
        if left <= 0:
            raise Unavailable(SLOW)
        return left


class Guarded(httpcore.NetworkBackend):
    """Connects to allowed addresses only.

    Args:
        encrypted: whether the request is; without encryption only listed addresses are connected to.
        listed: private networks that are allowed.
        deadline: of the whole request.
        resolve: as `socket.getaddrinfo`.
    """

    def __init__(
        self,
        *,
        encrypted: bool,
        listed: Sequence[Network],
        deadline: Deadline,
        resolve: Resolve = socket.getaddrinfo,
    ) -> None:
        self._encrypted, self._listed = encrypted, listed
        self._deadline, self._resolve = deadline, resolve
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        address = self._allowed(host, port)
        stream = self._network.connect_tcp(
            address, port, min(self._deadline.left(), CONNECT_SECONDS), None, socket_options
        )
        return _InTime(stream, self._deadline)

    def _allowed(self, host: str, port: int) -> str:
        """The first address of a host; refused where any of them is not allowed."""
        try:
            found = self._resolve(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise Unavailable(
                "The host of this address can't be found.", hint="Check how it is written."
            ) from error
        addresses = [str(entry[4][0]) for entry in found]
        if not addresses:
            raise Unavailable("The host of this address can't be found.", hint="Check how it is written.")
        for address in addresses:
            self._check(address)
        return addresses[0]

    def _check(self, address: str) -> None:
        if is_listed(address, self._listed):
            return
        if not is_public(address):
            raise Refused(
                "This address leads into a private network.",
                hint="An operator can allow it: LEITSTAND_OUTGOING_PRIVATE_ADDRESSES_ALLOWED.",
            )
        if not self._encrypted:
            raise Refused("This address is not encrypted.", hint="Use one that begins with https://.")


class _InTime(httpcore.NetworkStream):
    """A connection each step of which ends by the deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        while True:
            try:
                return self._stream.read(max_bytes, self._deadline.next_look())
            except httpcore.ReadTimeout:
                # Time is up, or it is only time to look whether somebody gave the request up.
                self._deadline.left()

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        inner = self._stream.start_tls(ssl_context, server_hostname, self._deadline.left())
        return _InTime(inner, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
