"""Requests to addresses that people give: where they go, how long, how much, how far."""

import itertools
import re
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from leitstand.errors import LeitstandError, TooLarge, Unavailable
from leitstand.outgoing import connections
from leitstand.outgoing.connections import Refused, Stopped
from leitstand.outgoing.fetching import Answer, fetch, streamed
from leitstand.settings import get_settings

ALLOWED = "LEITSTAND_OUTGOING_PRIVATE_ADDRESSES_ALLOWED"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peer:
    """A server that answers each connection with the next bytes, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.answers: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                self.asked.append(_whole(connection))
                connection.sendall(self.answers.pop(0))


def _whole(connection: socket.socket) -> bytes:
    """A request to its end: head and body may come in two pieces."""
    asked = connection.recv(65_536)
    length = re.search(rb"(?i)content-length: (\d+)", asked)
    while length and asked and len(asked.partition(b"\r\n\r\n")[2]) < int(length[1]):
        more = connection.recv(65_536)
        if not more:
            break
        asked += more
    return asked


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """127.0.0.1 is listed."""
    monkeypatch.setenv(ALLOWED, "127.0.0.1")
    get_settings.cache_clear()
    yield
    monkeypatch.undo()
    get_settings.cache_clear()


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer()
    yield made
    made.listener.close()


def resolver(*addresses: str) -> Callable[..., list[Any]]:
    """Gives the next address each time it is asked, as a name server that changes its mind."""
    left = itertools.chain(addresses, itertools.repeat(addresses[-1]))
    return lambda host, port, **_: [(0, 0, 0, "", (next(left), port))]


def redirect(target: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/", "https://2130706433/", "https://0177.0.0.1/", "https://0x7f.1/", "https://127.1/",
        "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://169.254.169.254/latest/meta-data", "https://localhost/",
        "https://0/", "http://127.0.0.1/",
    ],
)  # fmt: skip
def test_no_way_of_writing_leads_into_a_private_network(url: str) -> None:
    with pytest.raises(Refused, match="private network"):
        fetch(url)


@pytest.mark.parametrize(
    "url", ["ftp://example.org/", "file:///etc/passwd", "https://", "https://a:b@example.org/", "https://exa mple.org/",
            "https://example.org:99999/", "https://example.org/\r\nX: y", "gopher://x", "example.org"],
)  # fmt: skip
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        fetch(url)


def test_a_name_one_of_whose_addresses_is_private_is_refused() -> None:
    both = lambda host, port, **_: [(0, 0, 0, "", ("8.8.8.8", port)), (0, 0, 0, "", ("10.0.0.1", port))]  # noqa: E731
    with pytest.raises(Refused):
        fetch("https://rebinding.test/", resolve=both)


def test_only_encrypted_requests_go_to_public_addresses() -> None:
    with pytest.raises(Refused, match="not encrypted"):
        fetch("http://example.test/", resolve=resolver("8.8.8.8"))


def test_a_listed_address_is_asked_and_the_name_is_looked_up_once(allowed: None, peer: Peer) -> None:
    peer.answers.append(OK)
    port = peer.url.rpartition(":")[2]
    # Were it looked up again to connect, it would lead to an address that is not allowed.
    answer = fetch(f"http://inside.test:{port}/path?x=1#y", resolve=resolver("127.0.0.1", "10.0.0.1"))
    assert (answer.status, answer.body, answer.ok) == (200, b"ok", True)
    asked = peer.asked[0].lower()
    assert asked.startswith(b"get /path?x=1 http/1.1\r\n") and f"host: inside.test:{port}".encode() in asked


def test_a_redirect_into_a_private_network_is_refused(allowed: None, peer: Peer) -> None:
    for target in ("http://127.0.0.2/", "https://10.0.0.1/", "file:///etc/passwd", "//[::1]/x"):
        peer.answers.append(redirect(target))
        with pytest.raises(Refused):
            fetch(peer.url)


def test_redirects_are_followed_and_counted_and_passwords_stay(allowed: None, peer: Peer) -> None:
    other = Peer()
    peer.answers += [redirect("/next"), redirect(other.url)]
    other.answers.append(OK)
    answer = fetch(peer.url, headers={"Authorization": "Bearer x"})
    assert (answer.url, answer.body) == (other.url, b"ok")
    assert all(b"bearer x" in asked.lower() for asked in peer.asked)
    assert b"bearer" not in other.asked[0].lower()
    other.listener.close()
    peer.answers += [redirect("/again")] * 9
    with pytest.raises(Unavailable, match="too often"):
        fetch(peer.url)


def test_a_post_is_not_redirected(allowed: None, peer: Peer) -> None:
    peer.answers.append(redirect("http://127.0.0.2/"))
    assert fetch(peer.url, method="POST", body=b"x").status == 302
    assert peer.asked[0].endswith(b"\r\n\r\nx")


def test_a_body_that_is_too_large_is_given_up(allowed: None, peer: Peer) -> None:
    peer.answers.append(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000)
    with pytest.raises(TooLarge, match="1,000 bytes"):
        fetch(peer.url, most_bytes=1000)
    peer.answers.append(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx")
    with pytest.raises(Unavailable, match="compresses"):
        fetch(peer.url)


def test_dripping_does_not_hold_us_longer_than_the_deadline(allowed: None, peer: Peer) -> None:
    clock = itertools.count(0.0, 3.0)
    peer.answers.append(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 50)
    with pytest.raises(Unavailable, match="in time"):
        fetch(peer.url, seconds=10, clock=lambda: next(clock))


def test_who_is_silent_or_away_is_told_apart_from_us(allowed: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(Unavailable, match="in time"):
            fetch(address, seconds=0.2)
    with pytest.raises(Unavailable, match="can't be reached"):
        fetch(address)


@pytest.mark.parametrize("body", [b"", b"[1]", b"\xff", b"{", b"[" * 100_000])
def test_what_is_no_json_object_is_none(body: bytes) -> None:
    with pytest.raises(LeitstandError):
        Answer(200, {}, body, "").document()


def chunked(*pieces: bytes, whole: bool = True) -> bytes:
    sent = b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + sent + (b"0\r\n\r\n" if whole else b"")


def test_a_stream_is_given_as_it_comes(allowed: None, peer: Peer) -> None:
    peer.answers.append(chunked(b"one", b"two"))
    with streamed(peer.url, method="POST", body=b"x") as answer:
        assert (answer.ok, answer.url) == (True, peer.url) and b"".join(answer.pieces) == b"onetwo"
    peer.answers.append(chunked(b"one", whole=False))
    with streamed(peer.url) as answer, pytest.raises(Unavailable, match="can't be reached"):
        list(answer.pieces)
    peer.answers.append(chunked(b"x" * 600, b"y" * 600))
    with streamed(peer.url, most_bytes=1000) as answer, pytest.raises(TooLarge, match="1,000 bytes"):
        list(answer.pieces)
    peer.answers.append(redirect("http://127.0.0.2/"))
    with streamed(peer.url) as answer:
        assert answer.status == 302 and not answer.ok
    with pytest.raises(Refused, match="private network"), streamed("https://10.0.0.1/"):
        pass


def test_what_is_wrong_with_whoever_reads_a_stream_stays_as_it_is(allowed: None, peer: Peer) -> None:
    peer.answers.append(chunked(b"one", b"two"))
    with pytest.raises(ValueError, match="of the reader"), streamed(peer.url) as answer:
        raise ValueError(f"of the reader: {next(answer.pieces)!r}")


def test_a_stream_is_given_up_while_nothing_comes(allowed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PULSE_SECONDS", 0.01)
    looks = iter([False] * 4)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(Stopped),
        streamed(
            f"http://127.0.0.1:{listener.getsockname()[1]}", seconds=60, stopped=lambda: next(looks, True)
        ),
    ):
        pass
