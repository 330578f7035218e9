"""Loads from a process of their own: visitors who go through a flow, and plain requests, until a time is up.

Plain sockets, since a client that costs as much as the server would measure itself. A visitor goes on after the server
was gone: opens the page again, and answers where it stands.
"""

import re
import socket
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import quote_plus

from benchmarks.web.load import HOST, TIMEOUT

BLOCK = 1 << 18
# So long a visitor waits for a server that is gone.
PATIENCE, PAUSE = 120.0, 0.05
# No load ever gets there.
END = 1 << 40
HIDDEN = {
    name: re.compile(rb'name="%b" value="([^"]*)"' % name.encode()) for name in ("run", "token", "revision")
}
AGENT = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"


@dataclass
class Went:
    """What came of a load.

    Args:
        seconds: from the first request to the last answer.
        steps, pages: milliseconds of each request that wrote something, and of each that opened a page.
        runs: passages through the whole flow, to its end.
        acknowledged: by run the revision that the server last confirmed.
        errors: answers that were no success.
        broken: connections that ended before the answer.
        busy: the share of the time in which the client had the processor.
    """

    seconds: float = 0.0
    steps: list[float] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)
    runs: int = 0
    acknowledged: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    broken: int = 0
    busy: float = 0.0

    @property
    def rate(self) -> float:
        """Requests a second."""
        return (len(self.steps) + len(self.pages)) / self.seconds

    def take(self, other: "Went") -> None:
        """Add what another one did beside it."""
        self.steps += other.steps
        self.pages += other.pages
        self.runs += other.runs
        self.acknowledged |= other.acknowledged
        self.errors += other.errors
        self.broken += other.broken


@dataclass(frozen=True)
class Visits:
    """Visitors of a companion: which answers they give, in turn."""

    slug: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Requests:
    """The same requests again and again, in turn: each a path and a body of JSON."""

    asked: tuple[tuple[str, bytes], ...]
    cookie: str = ""


class Broken(Exception):
    """The connection ended before the answer."""


@dataclass(frozen=True)
class Answer:
    """One answer of a server."""

    status: int
    head: str
    body: bytes

    def header(self, name: str) -> str:
        """A header's value; empty where there is none."""
        found = re.search(rf"^{name}: (.*?)\r?$", self.head, re.IGNORECASE | re.MULTILINE)
        return found[1] if found else ""


class Connection:
    """A connection that stays open, and is made anew after it broke."""

    def __init__(self, port: int, address: str) -> None:
        self.port, self.address = port, address
        self.socket: socket.socket | None = None

    def ask(self, method: str, path: str, *, cookie: str = "", body: bytes = b"", media: str = "") -> Answer:
        """Send a request and read its answer, which says its length.

        Raises:
            Broken: there is no connection, or it ended.
        """
        head = [
            f"{method} {path} HTTP/1.1", f"Host: {HOST}:{self.port}", "Accept: text/html", f"User-Agent: {AGENT}",
            f"X-Forwarded-For: {self.address}",
        ]  # fmt: skip
        head += [f"Cookie: {cookie}"] if cookie else []
        head += [f"Content-Type: {media}", f"Content-Length: {len(body)}"] if method == "POST" else []
        try:
            return self._ask("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        except OSError as error:
            self.close()
            raise Broken from error

    def _ask(self, request: bytes) -> Answer:
        if self.socket is None:
            self.socket = socket.create_connection((HOST, self.port), TIMEOUT)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(request)
        read = self._more()
        while (end := read.find(b"\r\n\r\n")) < 0:
            read += self._more()
        head, body = read[:end].decode("latin-1"), read[end + 4 :]
        found = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
        length = int(found[1]) if found else 0
        while len(body) < length:
            body += self._more()
        return Answer(int(head[9:12]), head, body)

    def _more(self) -> bytes:
        assert self.socket is not None
        block = self.socket.recv(BLOCK)
        if not block:
            raise ConnectionResetError("the server ended the connection")
        return block

    def close(self) -> None:
        """End it."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None


def load(
    client: Executor, what: Visits | Requests, *, port: int, connections: int, seconds: float
) -> "Future[Went]":
    """Begin a load over so many connections; what was begun is brought to its end after the time."""
    return client.submit(_load, what, port, connections, seconds)


def _load(what: Visits | Requests, port: int, connections: int, seconds: float) -> Went:
    begun, processor = time.perf_counter(), time.process_time()
    going = _visit if isinstance(what, Visits) else _repeat
    whole = Went()
    with ThreadPoolExecutor(connections) as pool:
        for part in pool.map(
            lambda place: going(what, port, range(place, END, connections), begun + seconds),
            range(connections),
        ):  # type: ignore[arg-type]
            whole.take(part)
    whole.seconds = time.perf_counter() - begun
    whole.busy = (time.process_time() - processor) / whole.seconds
    return whole


def _repeat(what: Requests, port: int, numbers: range, until: float) -> Went:
    found, connection = Went(), Connection(port, HOST)
    for number in numbers:
        begun = time.perf_counter()
        if begun > until:
            break
        path, body = what.asked[number % len(what.asked)]
        try:
            answer = connection.ask("POST", path, cookie=what.cookie, body=body, media="application/json")
        except Broken:
            found.broken += 1
            continue
        found.steps.append((time.perf_counter() - begun) * 1000)
        if answer.status != 200:
            found.errors.append(f"{answer.status} {answer.body[:200]!r}")
    connection.close()
    return found


def _visit(what: Visits, port: int, numbers: range, until: float) -> Went:
    found = Went()
    for number in numbers:
        if time.perf_counter() > until:
            break
        # Every visitor has an address of their own: 10.0.0.0/8 has room for all of them.
        address = f"10.{number // 62_500 % 250}.{number // 250 % 250}.{number % 250}"
        _Visitor(what, Connection(port, address), found).go()
    return found


class _Visitor:
    """One passage through a flow."""

    def __init__(self, what: Visits, connection: Connection, found: Went) -> None:
        self.what, self.connection, self.found = what, connection, found
        self.cookie = ""

    def go(self) -> None:
        """Answer until the flow has ended, or something went wrong."""
        path = f"/c/{self.what.slug}"
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                page = self._timed(
                    self.found.pages, lambda: self.connection.ask("GET", path, cookie=self.cookie)
                )
                if page.status != 200:
                    self.found.errors.append(f"{page.status} {page.body[:200]!r}")
                    break
                self.cookie = self.cookie or page.header("set-cookie").partition(";")[0]
                if not self._answer(page, path):
                    break
                until = time.monotonic() + PATIENCE
            except Broken:
                self.found.broken += 1
                time.sleep(PAUSE)
        else:
            self.found.errors.append("the server did not come back")
        self.connection.close()

    def _answer(self, page: Answer, path: str) -> bool:
        """Answer the step that a page shows; whether there is more to do."""
        hidden = {name: pattern.search(page.body) for name, pattern in HIDDEN.items()}
        if hidden["revision"] is None:
            self.found.runs += 1
            return False
        run, token, revision = (hidden[name][1].decode() for name in ("run", "token", "revision"))  # type: ignore[index]
        words = self.what.answers[int(revision)]
        body = f"run={run}&token={token}&revision={revision}&answer={quote_plus(words)}".encode()
        form = "application/x-www-form-urlencoded"
        answer = self._timed(
            self.found.steps,
            lambda: self.connection.ask("POST", f"{path}/answer", cookie=self.cookie, body=body, media=form),
        )
        if answer.status != 303 or "moved" in answer.header("location"):
            self.found.errors.append(f"{answer.status} {answer.header('location')} {answer.body[:200]!r}")
            return False
        self.found.acknowledged[run] = int(revision) + 1
        return True

    def _timed(self, into: list[float], asking: Callable[[], Answer]) -> Answer:
        begun = time.perf_counter()
        answer = asking()
        into.append((time.perf_counter() - begun) * 1000)
        return answer
