"""Work that is followed while it is done: in a thread of its own, which tells of itself in server-sent events.

Whoever waits for a model holds none of the threads in which requests are answered, and a client that goes away is
noticed: the work is told to stop.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from threading import Event
from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import Request
from fastapi.responses import StreamingResponse

from leitstand.errors import LeitstandError
from leitstand.telemetry.logs import get_logger
from serving.problems import answer_of, of_unexpected

EVENT_STREAM = "text/event-stream"
# Proxies close what is silent for long.
ALIVE_SECONDS = 10.0
LOOK_SECONDS = 0.5
ALIVE = b": still at work\n\n"
log = get_logger("following")
Tell = Callable[[str, Any], None]
# Work that is still to end although nobody follows it any more; asyncio itself keeps no task alive.
_tasks: set[asyncio.Task[Any]] = set()


@dataclass(frozen=True)
class Told:
    """One event: its name, and a JSON document."""

    event: str
    data: Any


def wants_events(request: Request) -> bool:
    """Whether the client asks for a stream of events."""
    accepted = request.headers.get("accept", "").lower().split(",")
    return any(one.partition(";")[0].strip() == EVENT_STREAM for one in accepted)


class Following[T]:
    """Work that was begun, from within a request.

    Args:
        work: given `tell`, which sends an event, and `stopped`, which says whether nobody follows any more.
    """

    def __init__(self, work: Callable[[Tell, Callable[[], bool]], T]) -> None:
        self._gone = Event()
        self._told: asyncio.Queue[Told | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.ensure_future(self._at_work(work))
        _tasks.add(self._task)
        self._task.add_done_callback(_ended)

    async def result(self, request: Request) -> T:
        """What the work gives; where the client goes away, the work is told to stop.

        Raises:
            LeitstandError: the work did.
        """
        try:
            while not (await asyncio.wait({self._task}, timeout=LOOK_SECONDS))[0]:
                if await request.is_disconnected():
                    self._gone.set()
            return self._task.result()
        finally:
            self._gone.set()

    async def stream(self, request: Request, last: Callable[[T], Told]) -> StreamingResponse:
        """The events as an answer, once there is a first one.

        Args:
            last: makes the event of what the work gives. Called in a thread.

        An error that comes later is the event `error`, a problem document.

        Raises:
            LeitstandError: the work ended with it before it told anything.
        """
        try:
            first = await self._told.get()
            if first is None and self._task.exception() is not None:
                self._task.result()
        except BaseException:
            self._gone.set()
            raise
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        events = self._events(request, first, last)
        return StreamingResponse(events, media_type=EVENT_STREAM, headers=headers)

    async def _at_work(self, work: Callable[..., T]) -> T:
        def tell(event: str, data: Any) -> None:
            self._loop.call_soon_threadsafe(self._told.put_nowait, Told(event, data))

        try:
            return await to_thread.run_sync(work, tell, self._gone.is_set, limiter=CapacityLimiter(1))
        finally:
            # Behind what the thread has told, which the loop puts in before it resumes this.
            self._told.put_nowait(None)

    async def _events(
        self, request: Request, told: Told | None, last: Callable[[T], Told]
    ) -> AsyncIterator[bytes]:
        try:
            while told is not None:
                yield _written(told)
                while True:
                    try:
                        told = await asyncio.wait_for(self._told.get(), ALIVE_SECONDS)
                        break
                    except TimeoutError:
                        yield ALIVE
            yield _written(await self._last(request, last))
        finally:
            self._gone.set()

    async def _last(self, request: Request, last: Callable[[T], Told]) -> Told:
        try:
            result = await self._task
            return await to_thread.run_sync(last, result)
        except LeitstandError as error:
            return Told("error", _document(answer_of(request, error)))
        except Exception:
            log.exception("unexpected error")
            return Told("error", _document(of_unexpected(request)))


def _ended(task: asyncio.Task[Any]) -> None:
    _tasks.discard(task)
    if not task.cancelled():
        # Taken note of, also where nobody follows any more.
        task.exception()


def _document(answer: Any) -> Any:
    return json.loads(answer.body)


def _written(told: Told) -> bytes:
    return f"event: {told.event}\ndata: {json.dumps(told.data, ensure_ascii=False)}\n\n".encode()
