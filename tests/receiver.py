"""Somebody else's server on a port of its own: it keeps what it is sent, and answers as it is told. Fixture `receiver`."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from leitstand.settings import Settings, get_settings
from tests.live import served

HELD_SECONDS = 60.0


@dataclass
class Receiver:
    """What it answers next, and what it was sent; where `held` is set to an event, it answers once that is set."""

    url: str = ""
    status: int = 200
    body: bytes = b"thank you"
    headers: dict[str, str] = field(default_factory=dict)
    held: threading.Event | None = None
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def bodies(self) -> list[bytes]:
        """Of everything that it was sent."""
        return [body for _, _, body in self.asked]


@pytest.fixture
def receiver(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver on this machine, which the setting for private addresses lists."""
    monkeypatch.setenv("LEITSTAND_OUTGOING_PRIVATE_ADDRESSES_ALLOWED", "127.0.0.1")
    get_settings.cache_clear()
    found = Receiver()
    app = FastAPI()

    @app.api_route("/{rest:path}", methods=["GET", "POST", "PUT", "DELETE"])
    async def take(request: Request, rest: str) -> Response:
        found.asked.append((f"/{rest}", dict(request.headers), await request.body()))
        if found.held is not None:
            await run_in_threadpool(found.held.wait, HELD_SECONDS)
        return Response(found.body, status_code=found.status, headers=found.headers)

    with served(app) as address:
        found.url = address
        yield found
    get_settings.cache_clear()
