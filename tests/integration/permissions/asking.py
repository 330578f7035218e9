"""Requests straight into an application, one after the other in one event loop: thousands of them within seconds."""

import asyncio
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlencode

from fastapi import FastAPI
from sqlalchemy import event
from sqlalchemy.orm import Session

from leitstand.db.engine import get_engine
from leitstand.identity.sessions import COOKIE
from serving.session import open_transaction

WRITES = ("INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True)
class Wanted:
    """A request: `form`, `document` and `content` are its body, one of them; an empty `cookie` is nobody's."""

    method: str
    address: str
    cookie: str = ""
    form: dict[str, str] | None = None
    document: Any = None
    content: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def body(self) -> bytes:
        """What is sent."""
        if self.content is not None:
            return self.content
        if self.form is not None:
            return urlencode(self.form, errors="surrogatepass").encode()
        return b"" if self.document is None else json.dumps(self.document).encode()

    def scope(self) -> dict[str, Any]:
        """The request as a server hands it to an application."""
        path, _, query = self.address.partition("?")
        kind = "application/x-www-form-urlencoded" if self.form is not None else "application/json"
        headers = {"host": "testserver", "cookie": f"{COOKIE}={self.cookie}"}
        if body := self.body:
            headers |= {"content-type": kind, "content-length": str(len(body))}
        named = (headers | dict(self.headers)).items()
        return {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": self.method,
            "path": unquote(path), "raw_path": path.encode(), "query_string": query.encode(), "root_path": "", "scheme": "http",
            "client": ("test", 1), "server": ("testserver", 80), "state": {},
            "headers": [(name.encode(), value.encode()) for name, value in named],
        }  # fmt: skip


@dataclass
class Answer:
    """What came back, and what was written in the database on the way."""

    status: int
    location: str
    wrote: list[str]
    kind: str = ""
    body: bytes = b""

    @property
    def to_sign_in(self) -> bool:
        """Whether it says: sign in first."""
        return self.status == 401 or (self.status in {302, 303} and self.location.startswith("/sign-in"))

    @property
    def refused(self) -> bool:
        """Whether it says no, or that there is nothing."""
        return self.to_sign_in or self.status in {403, 404}


def undone() -> Iterator[Session]:
    """The transaction of a request that is taken back at its end, so that every request finds the same.

    What a request commits on its way, before it waits for somebody else, is only a savepoint.
    """
    with (
        get_engine().connect() as connection,
        connection.begin() as whole,
        Session(connection, expire_on_commit=False, join_transaction_mode="create_savepoint") as session,
    ):
        yield session
        session.flush()
        whole.rollback()


def ask(app: FastAPI, wanted: Iterable[Wanted]) -> list[Answer]:
    """Ask for all of it, in order."""
    wrote: list[str] = []

    def noted(_connection: object, cursor: Any, statement: str, *_more: object) -> None:
        if cursor.rowcount and statement.lstrip().upper().startswith(WRITES):
            wrote.append(" ".join(statement.split())[:60])

    async def every() -> list[Answer]:
        return [await ask_one(app, one, wrote) for one in wanted]

    app.dependency_overrides[open_transaction] = undone
    event.listen(get_engine(), "after_cursor_execute", noted)
    try:
        return asyncio.run(every())
    finally:
        event.remove(get_engine(), "after_cursor_execute", noted)


async def ask_one(app: FastAPI, wanted: Wanted, wrote: list[str], *, whole: bool = False) -> Answer:
    """Ask for one; `whole`: its body is kept too."""
    wrote.clear()
    answer = Answer(0, "", [])
    given = [{"type": "http.request", "body": wanted.body, "more_body": False}]
    ended = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if given:
            return given.pop()
        await ended.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = dict(message["headers"])
            answer.status = message["status"]
            answer.location = headers.get(b"location", b"").decode()
            answer.kind = headers.get(b"content-type", b"").decode()
            return
        if whole:
            answer.body += message.get("body", b"")
        if not message.get("more_body", False):
            ended.set()

    await app(wanted.scope(), receive, send)
    answer.wrote = list(wrote)
    return answer
