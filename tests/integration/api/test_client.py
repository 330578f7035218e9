"""The Python client against a real server: nothing lost, nothing twice, honest counters."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from leitstand.catalogue.companions import ensure_companion
from leitstand.client import Client, Counters, client
from leitstand.db.models import Event, Workspace
from leitstand.errors import InvalidInput
from serving.observe import App, Receive, Scope, Send
from tests.integration.api.conftest import Program
from tests.live import served

pytestmark = pytest.mark.slow


class Unreliable:
    """Lets requests fail before or after they are done: `plan` has a word for each of the first ones."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.plan: list[str] = []
        self.bodies = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        word = self.plan.pop(0) if scope["type"] == "http" and self.plan else ""
        self.bodies += scope["type"] == "http"
        if word == "busy":
            await JSONResponse({}, 503, headers={"Retry-After": "0"})(scope, receive, send)
        elif word == "lost":

            async def swallow(message: Any) -> None:
                """The work is done; its answer never arrives."""

            await self.app(scope, receive, swallow)
            await JSONResponse({}, 502)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


@pytest.fixture
def server(
    app: FastAPI, session: Session, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, Unreliable]]:
    """Address and the way to make it fail; retries follow at once."""
    ensure_companion(session, workspace_id=workspace.id, key="shop")
    session.commit()
    monkeypatch.setattr(client.random, "uniform", lambda low, high: 0.01)
    unreliable = Unreliable(app)
    with served(unreliable) as address:  # type: ignore[arg-type]
        yield address, unreliable


@pytest.fixture
def secret(program: Callable[..., Program]) -> str:
    return program("events:write").secret


def stored(session: Session) -> int:
    session.rollback()
    return session.scalar(select(func.count()).select_from(Event)) or 0


def test_everything_tracked_arrives_once_though_answers_are_lost(
    server: tuple[str, Unreliable], secret: str, session: Session
) -> None:
    address, unreliable = server
    unreliable.plan = ["busy", "lost", "lost", "", "lost"]
    with Client(address, secret, batch=100, seconds=0.01) as sender:
        for number in range(500):
            assert sender.track("answered", "shop", f"r{number % 7}", step="ask", actor_key="ann", seq=number)
        assert sender.flush()
    found = sender.counters
    assert found.tracked == 500
    assert (found.waiting, found.refused, found.dropped) == (0, 0, 0)
    assert found.duplicate > 0
    assert stored(session) == 500


def test_what_is_refused_is_told(server: tuple[str, Unreliable], secret: str) -> None:
    told: list[tuple[str, str]] = []

    def note(event: dict[str, Any], reason: str) -> None:
        told.append((event["run_key"], reason))
        raise RuntimeError("the caller's own mistake")

    with Client(server[0], secret, on_refused=note) as sender:
        sender.track("answered", "nobody", "r1")
        sender.track("viewed", "shop", "r2", occurred_at=datetime(2026, 3, 1, tzinfo=UTC))
        sender.flush()
        sender.track("viewed", "shop", "r3")
    assert sender.counters == Counters(accepted=2, refused=1)
    assert told == [("r1", "the workspace has no companion 'nobody'")]


def test_a_token_that_does_not_hold_is_not_tried_for_ever(server: tuple[str, Unreliable]) -> None:
    with Client(server[0], "nonsense") as sender:
        sender.track("viewed", "shop", "r")
        assert sender.flush()
    assert sender.counters == Counters(dropped=1)
    assert server[1].bodies == 1


def test_memory_is_bounded_while_nobody_answers(session: Session) -> None:
    sender = Client("http://127.0.0.1:9", "x", most_bytes=10_000, ending=0.1)
    taken = [sender.track("viewed", "shop", "r", props={"text": "x" * 100}) for _ in range(200)]
    sender.close()
    assert 0 < sum(taken) < 60
    assert sender.counters == Counters(dropped=200)
    with pytest.raises(InvalidInput):
        sender.track("viewed", "shop", "r")


def test_many_threads_may_track(server: tuple[str, Unreliable], secret: str, session: Session) -> None:
    with Client(server[0], secret, seconds=0.01) as sender:

        def work(name: int) -> None:
            for number in range(50):
                sender.track("answered", "shop", f"r{name}", step="ask", seq=number)

        threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sender.counters == Counters(accepted=200)
    assert stored(session) == 200


def test_what_waits_is_sent_when_the_process_ends(
    server: tuple[str, Unreliable], secret: str, session: Session
) -> None:
    script = (
        "import sys; from leitstand.client import Client\n"
        "sender = Client(sys.argv[1], sys.stdin.read(), seconds=60)\n"
        "for n in range(20): sender.track('viewed', 'shop', f'r{n}')\n"
    )
    subprocess.run([sys.executable, "-c", script, server[0]], input=secret, text=True, check=True, timeout=60)
    assert stored(session) == 20


def test_what_is_no_event_is_refused_at_once(server: tuple[str, Unreliable], secret: str) -> None:
    with Client(server[0], secret) as sender:
        with pytest.raises(InvalidInput):
            sender.track("viewed", "shop", "r", props={"x": object()})
        sender.track("viewed", "shop", "r", props={"id": UUID(int=1)})
    assert sender.counters == Counters(accepted=1)
    with pytest.raises(InvalidInput):
        Client(server[0], secret, batch=1_001)
