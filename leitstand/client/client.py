"""The client: a call puts an event into the buffer, a thread sends what waits.

An event gets its id when it is tracked and keeps it, so that a batch whose answer was lost is simply sent again.
"""

import atexit
import contextlib
import gzip
import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Self

import httpx
import orjson

from leitstand.client.buffer import Buffer, Counters
from leitstand.db.models.base import new_id
from leitstand.errors import InvalidInput
from leitstand.telemetry.logs import get_logger

PATH = "/api/v1/events"
MOST_A_BATCH = 1_000
MOST_BATCH_BYTES = 8_000_000
LONGEST_WAIT = 60.0
TRY_AGAIN = (408, 409, 425, 429)
SERVER_ERROR = 500
OK = 200
log = get_logger("client")


class Client:
    """Sends events of one workspace.

    Args:
        address: of Leitstand, as people type it.
        token: an API token with `events:write`.
        seconds: after which waiting events are sent, though they are few.
        batch: how many events are sent at once, at most 1,000.
        most_bytes: of memory for events that wait; what comes when it is full is dropped and counted.
        ending: seconds that `close` (and the end of the process) waits for what is still to be sent.
        on_refused: called with the event and the reason, for each that the server refused.
    """

    def __init__(
        self,
        address: str,
        token: str,
        *,
        seconds: float = 1.0,
        batch: int = 500,
        most_bytes: int = 16_000_000,
        ending: float = 5.0,
        on_refused: Callable[[dict[str, Any], str], None] | None = None,
    ) -> None:
        if not 1 <= batch <= MOST_A_BATCH:
            raise InvalidInput(f"A batch has 1 to {MOST_A_BATCH:,} events.")
        self._seconds, self._batch, self._ending = seconds, batch, ending
        self._on_refused = on_refused
        self._buffer = Buffer(most_bytes)
        self._http = httpx.Client(
            base_url=address.rstrip("/"),
            timeout=30,
            headers={
                "Authorization": f"Bearer {token}",
                "Content-Type": "application/x-ndjson",
                "Content-Encoding": "gzip",
            },
        )
        self._flushing = threading.Event()
        self._ended = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="leitstand-client", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def track(self, kind: str, companion: str, run_key: str, **members: Any) -> bool:
        """Let an event be sent; returns at once. False where it was dropped, because too much is waiting already.

        Args:
            kind: viewed, answered or completed.
            companion: id, public slug or external key.
            run_key: the run's name.
            members: any further ones that the guide names (docs/guide/events.md); `occurred_at` is now where left out.

        Raises:
            InvalidInput: a value is not JSON, or the client is closed.
        """
        if self._closed:
            raise InvalidInput("This client is closed.")
        event: dict[str, Any] = {
            "event_id": new_id(),
            "kind": kind,
            "companion": companion,
            "run_key": run_key,
            "occurred_at": datetime.now(UTC),
        }
        try:
            line = orjson.dumps(event | members)
        except TypeError as error:
            raise InvalidInput(f"An event must be JSON: {error}.") from error
        return self._buffer.put(line)

    def flush(self, seconds: float = 30.0) -> bool:
        """Send what waits, now; False where not everything was answered within that time."""
        self._flushing.set()
        self._buffer.wake()
        try:
            return self._buffer.wait_until_empty(seconds)
        finally:
            self._flushing.clear()

    def close(self) -> None:
        """Send what waits, within the time to end, and stop. What is left then is counted as dropped."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        self.flush(self._ending)
        self._ended.set()
        self._buffer.wake()
        self._thread.join(self._ending)
        self._buffer.give_up()
        self._http.close()

    @property
    def counters(self) -> Counters:
        """What became of everything that was tracked."""
        return self._buffer.counters

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        failures = 0
        while not self._ended.is_set():
            if not self._flushing.is_set() and not failures:
                self._buffer.wait(self._batch, self._seconds, self._hurried)
            lines = self._buffer.first(self._batch, MOST_BATCH_BYTES)
            if not lines:
                self._pause(0.02 if self._flushing.is_set() else 0)
                continue
            wait = self._send(lines, failures)
            failures = failures + 1 if wait else 0
            self._pause(wait)

    def _hurried(self) -> bool:
        return self._flushing.is_set() or self._ended.is_set()

    def _pause(self, seconds: float) -> None:
        if seconds:
            self._ended.wait(seconds)

    def _send(self, lines: list[bytes], failures: int) -> float:
        """Send a batch; 0 when it is settled, else the seconds after which to send the very same one again."""
        backoff = random.uniform(0.5, 1) * min(LONGEST_WAIT, 0.5 * 2.0 ** min(failures, 10))  # noqa: S311 - spreads retries
        try:
            answer = self._http.post(PATH, content=gzip.compress(b"\n".join(lines), 1))
            if answer.status_code == OK:
                self._settle(lines, orjson.loads(answer.content))
                return 0
        except (httpx.HTTPError, ValueError, KeyError, RuntimeError) as error:
            log.warning("events not sent yet", events=len(lines), error=type(error).__name__)
            return backoff
        if answer.status_code >= SERVER_ERROR or answer.status_code in TRY_AGAIN:
            log.warning("events not taken yet", events=len(lines), status=answer.status_code)
            return max(backoff, _seconds(answer.headers.get("retry-after", "")))
        log.error("events not taken", events=len(lines), status=answer.status_code)
        self._buffer.settle(lines, dropped=len(lines))
        return 0

    def _settle(self, lines: list[bytes], document: dict[str, Any]) -> None:
        counts = {name: int(document[name]) for name in ("accepted", "duplicate", "refused")}
        items = document["items"]
        self._buffer.settle(lines, **counts)
        for line, item in zip(lines, items, strict=True):
            if item["outcome"] == "refused":
                self._tell(orjson.loads(line), item.get("reason", ""))

    def _tell(self, event: dict[str, Any], reason: str) -> None:
        log.warning("event refused", reason=reason)
        if self._on_refused is not None:
            # Whatever the caller does with it must not end the thread that sends.
            with contextlib.suppress(Exception):
                self._on_refused(event, reason)


def _seconds(text: str) -> float:
    """What `Retry-After` says in seconds; 0 where it says something else."""
    return min(float(text), LONGEST_WAIT) if text.isascii() and text.isdigit() else 0.0
