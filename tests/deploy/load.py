"""Constant load through the proxy, over TLS, on this machine's loopback: every answer that is none of a working site's is kept."""

import http.client
import ssl
import threading
import time
from dataclasses import dataclass, field

THREADS = 4
PAUSE_SECONDS = 0.02
TIMEOUT_SECONDS = 20.0
SERVER_ERROR = 500
# A new connection after so many requests: those are what a switch loses first.
REQUESTS_A_CONNECTION = 5


@dataclass
class Load:
    """Threads that ask for pages one after the other until told to stop.

    Args:
        paths: what is asked for, with the status that a working site answers.
        cookie: of somebody who is signed in.
    """

    host: str
    port: int
    context: ssl.SSLContext
    paths: tuple[tuple[str, int], ...]
    cookie: str
    failures: list[str] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)

    def __enter__(self) -> "Load":
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(n,), daemon=True) for n in range(THREADS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(TIMEOUT_SECONDS * 2)

    def figures(self) -> dict[str, object]:
        """Requests, failures, and how long the middle one and the slowest of a hundred took."""
        ordered = sorted(self.milliseconds)
        count = len(ordered)
        return {
            "requests": count,
            "failed": len(self.failures),
            "p50_ms": round(ordered[count // 2], 1) if count else None,
            "p99_ms": round(ordered[count * 99 // 100], 1) if count else None,
            "worst_ms": round(ordered[-1], 1) if count else None,
        }

    def _ask(self, number: int) -> None:
        turn = number
        while not self._stop.is_set():
            connection = http.client.HTTPSConnection(
                self.host, self.port, timeout=TIMEOUT_SECONDS, context=self.context
            )
            for _ in range(REQUESTS_A_CONNECTION):
                path, wanted = self.paths[turn % len(self.paths)]
                turn += 1
                if not self._one(connection, path, wanted) or self._stop.wait(PAUSE_SECONDS):
                    break
            connection.close()

    def _one(self, connection: http.client.HTTPSConnection, path: str, wanted: int) -> bool:
        began, at = time.perf_counter(), time.strftime("%H:%M:%S")
        try:
            connection.request("GET", path, headers={"Cookie": self.cookie, "Accept": "text/html"})
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(f"{at} {path}: {type(error).__name__}")
            return False
        finally:
            self.milliseconds.append((time.perf_counter() - began) * 1000)
        if answer.status != wanted:
            self.failures.append(f"{at} {path}: {answer.status}")
        return True
