"""A load of requests over connections that stay open, from a process of its own.

Plain sockets, since a client that costs as much as the server would measure itself.
"""

import multiprocessing
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice

HOST, TIMEOUT = "127.0.0.1", 60
BLOCK = 1 << 18
Asked = tuple[int, str, list[str], int, int]


@dataclass(frozen=True)
class Answered:
    """What came of a load.

    Args:
        seconds: from the first request to the last answer.
        times: milliseconds of each request, from sending it to the last byte of its answer.
        size: mean bytes of an answer.
        busy: the share of the time in which the client had the processor.
    """

    seconds: float
    times: list[float]
    size: float
    busy: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.times) / self.seconds


@contextmanager
def client() -> Iterator[ProcessPoolExecutor]:
    """A process that loads servers."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def load(
    client: Executor, *, port: int, cookie: str, paths: list[str], requests: int, connections: int
) -> Answered:
    """Ask for the paths in turn.

    Raises:
        RuntimeError: an answer was another than 200.
    """
    return client.submit(_load, (port, cookie, paths, requests, connections)).result()


def _load(asked: Asked) -> Answered:
    port, cookie, paths, requests, connections = asked
    begun, processor = time.perf_counter(), time.process_time()
    shares = [requests // connections] * connections
    with ThreadPoolExecutor(connections) as pool:
        found = list(
            pool.map(lambda place: _ask(port, cookie, paths, shares[place], place), range(connections))
        )
    seconds = time.perf_counter() - begun
    times = [milliseconds for part in found for milliseconds, _ in part]
    size = sum(length for part in found for _, length in part) / len(times)
    return Answered(seconds, times, size, (time.process_time() - processor) / seconds)


def _ask(port: int, cookie: str, paths: list[str], requests: int, place: int) -> list[tuple[float, int]]:
    """Of each request its milliseconds, and the bytes of its answer."""
    heads = [
        f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nAccept: text/html\r\nCookie: {cookie}\r\n\r\n".encode()
        for path in paths
    ]
    found = []
    with socket.create_connection((HOST, port), TIMEOUT) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for head in islice(cycle(heads), place, place + requests):
            begun = time.perf_counter()
            connection.sendall(head)
            length = _answer(connection)
            found.append(((time.perf_counter() - begun) * 1000, length))
    return found


def _answer(connection: socket.socket) -> int:
    """Read one answer, which says its length; its bytes."""
    read = connection.recv(BLOCK)
    while (end := read.find(b"\r\n\r\n")) < 0:
        read += _more(connection)
    head = read[:end].lower()
    if not head.startswith(b"http/1.1 200"):
        raise RuntimeError(f"not answered as it should be: {head[:100]!r}")
    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    left = length - (len(read) - end - 4)
    while left > 0:
        left -= len(_more(connection))
    return length


def _more(connection: socket.socket) -> bytes:
    block = connection.recv(BLOCK)
    if not block:
        raise RuntimeError("the server ended the connection")
    return block
