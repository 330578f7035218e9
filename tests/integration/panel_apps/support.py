"""Data and servers for tests of the dashboards: a small event log that ends today, and web, API and insights on a port."""

import asyncio
import csv
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from leitstand.db.ids import lowest_uuid7
from leitstand.db.models import Item, ModelCall, Thread, Workspace
from leitstand.events.importer import import_file
from leitstand.identity.sessions import COOKIE
from tests.services import free_base_port

DAYS = 45
START_SECONDS = 60
RUN = timedelta(minutes=10)
HOSTILE = "<img src=x onerror=alert(1)>"


@dataclass(frozen=True)
class Log:
    """The runs of an event log.

    Args:
        today: its last day.
        runs: (day, companion, actor, completed) of each run.
    """

    today: date
    runs: tuple[tuple[date, str, str, bool], ...]

    def of(self, first: date, last: date, companion: str | None = None) -> list[tuple[date, str, str, bool]]:
        """The runs of the days from `first` to `last`, both included."""
        return [run for run in self.runs if first <= run[0] <= last and companion in (None, run[1])]


def make_log(today: date, *, days: int = DAYS) -> Log:
    """Two or three runs a day on two companions; every other run is completed; people come back after a week."""
    runs = []
    for age in range(days):
        day = today - timedelta(days=age)
        for place in range(2 + age % 2):
            companion = "triage" if (age + place) % 3 else HOSTILE
            runs.append((day, companion, f"person-{age % 7}-{place}", (age + place) % 2 == 0))
    return Log(today, tuple(runs))


def import_log(engine: Engine, folder: Path, workspace: Workspace, log: Log) -> None:
    """Import a log as people do; a run takes ten minutes. An agent worked on the days of its runs."""
    path = folder / "log.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["session_id", "actor_id", "activity", "timestamp", "flow_id"])
        for number, (day, companion, actor, completed) in enumerate(log.runs):
            at, last = began(day), "done" if completed else "think"
            writer.writerow([f"run-{number}", actor, "ask", at.isoformat(), companion])
            writer.writerow([f"run-{number}", actor, last, (at + RUN).isoformat(), companion])
    import_file(engine, path, workspace_id=workspace.id, complete=["done"])
    with Session(engine) as session:
        let_an_agent_work(session, workspace.id, sorted({day for day, *_ in log.runs}))
        session.commit()


def let_an_agent_work(session: Session, workspace_id: UUID, days: Sequence[date]) -> None:
    """A thread a day and the question that it put to a model; every third one failed."""
    agent = Item(workspace_id=workspace_id, kind="agent", title=HOSTILE, visibility="workspace")
    session.add(agent)
    session.flush()
    for number, day in enumerate(days):
        failed, at = number % 3 == 2, began(day)
        thread = Thread(
            id=UUID(int=lowest_uuid7(at).int + number), workspace_id=workspace_id, agent_id=agent.id, title="Write", agent={},
            limits={}, input={}, status="failed" if failed else "succeeded", error=HOSTILE if failed else "", created_at=at,
            finished_at=at + RUN, prompt_tokens=90, completion_tokens=10, cost=250, worked_ms=4_000,
        )  # fmt: skip
        call = ModelCall(
            workspace_id=workspace_id, at=at, purpose="agent", item_id=agent.id, endpoint=HOSTILE, model=HOSTILE,
            succeeded=not failed, prompt_tokens=90, completion_tokens=10, cost=250, milliseconds=900,
        )  # fmt: skip
        session.add_all((thread, call))


def began(day: date) -> datetime:
    """When the runs of a day begin: at noon UTC, today as late as lets them end by now (an import takes no future)."""
    midnight = datetime.combine(day, time(), UTC)
    return min(midnight + timedelta(hours=12), max(midnight, datetime.now(UTC) - RUN))


class Dispatch:
    """Web, API and insights at one address, as the proxy puts them there."""

    def __init__(self, web: FastAPI, insights: FastAPI, api: FastAPI) -> None:
        self.web, self.insights, self.api = web, insights, api

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan" or scope["path"].startswith("/insights/"):
            await self.insights(scope, receive, send)
        elif scope["path"].startswith("/api/"):
            await self.api(scope, receive, send)
        else:
            await self.web(scope, receive, send)


@dataclass
class Running:
    """A running server: its address, and the insights application inside of this very process."""

    address: str
    insights: FastAPI
    loop: asyncio.AbstractEventLoop

    def documents(self, path: str) -> int:
        """How many documents of a dashboard are open."""
        return len(list(self.insights.state.dashboards[path].sessions))


@contextmanager
def running() -> Iterator[Running]:
    """Web, API and insights on a free port, with the settings of this process."""
    from api import app as api
    from panel_apps import serve
    from web import app as web

    insights, port = serve.create(), free_base_port()
    config = uvicorn.Config(
        Dispatch(web.create(), insights, api.create()), host="127.0.0.1", port=port, log_config=None
    )
    server = uvicorn.Server(config)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(server.serve(),), daemon=True)
    thread.start()
    waited = threading.Event()
    for _ in range(START_SECONDS * 20):
        if server.started or not thread.is_alive():
            break
        waited.wait(0.05)
    assert server.started, "the server did not start"
    try:
        yield Running(f"http://127.0.0.1:{port}", insights, loop)
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)
        loop.close()


class Browser:
    """What a browser does with a dashboard, without one: load the page, connect, take the document."""

    def __init__(self, server: Running, token: str) -> None:
        self.server = server
        self.headers = {"Cookie": f"{COOKIE}={token}"}

    @contextmanager
    def visit(self, path: str) -> Iterator[str]:
        """Open a page; the JSON of its document. It stays connected within the block."""
        html = httpx.get(self.server.address + path, headers=self.headers, timeout=60).text
        token = html.split('"token":"', 1)[1].split('"', 1)[0]
        address = self.server.address.replace("http", "ws", 1) + path.partition("?")[0] + "/ws"
        protocols = [Subprotocol("bokeh"), Subprotocol(token)]
        with connect(
            address, subprotocols=protocols, additional_headers=self.headers, max_size=None
        ) as socket:
            self._message(socket, "ACK")
            for frame in ('{"msgid": "1", "msgtype": "PULL-DOC-REQ"}', "{}", "{}"):
                socket.send(frame)
            yield self._message(socket, "PULL-DOC-REPLY")

    @staticmethod
    def _message(socket: ClientConnection, wanted: str) -> str:
        """The content of the next message of a type; a message is a header, metadata, a content and buffers."""
        while True:
            header = json.loads(socket.recv(timeout=60))
            _, content = socket.recv(timeout=60), str(socket.recv(timeout=60))
            for _ in range(2 * header.get("num_buffers", 0)):
                socket.recv(timeout=60)
            if header["msgtype"] == wanted:
                return content
