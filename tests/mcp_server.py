"""A server that speaks the Model Context Protocol on a port of its own, and does what it is told. Fixture `mcp_server`."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from starlette.responses import StreamingResponse

from leitstand.settings import Settings, get_settings
from tests.live import served

SESSION = "session-1"
ECHO = {
    "name": "echo.text",
    "description": "Says it again.",
    "inputSchema": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {"text": {"$ref": "#/$defs/Text"}},
        "required": ["text"],
        "$defs": {"Text": {"type": "string", "maxLength": 100}},
    },
}


@dataclass
class McpServer:
    """What it has, how it answers, and what it was sent.

    Args:
        stream: answers as events, after some of other kinds.
        open_for: seconds for which a stream stays open behind its answer.
        raw: answers this body to every request with a number, whatever was asked.
        key: what has to come as a bearer token; empty: nothing.
    """

    url: str = ""
    tools: list[dict[str, Any]] = field(default_factory=lambda: [ECHO])
    result: dict[str, Any] | None = None
    stream: bool = False
    open_for: float = 0.0
    raw: bytes | None = None
    key: str = ""
    version: str = "2025-06-18"
    page: int = 100
    session: str = SESSION
    asked: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def methods(self) -> list[str]:
        """Of everything that it was sent."""
        return [method for method, _, _ in self.asked]


@pytest.fixture
def mcp_server(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[McpServer]:
    """A server on this machine, which the setting for private addresses lists."""
    monkeypatch.setenv("LEITSTAND_OUTGOING_PRIVATE_ADDRESSES_ALLOWED", "127.0.0.1")
    get_settings.cache_clear()
    found = McpServer()
    with served(_app(found)) as address:
        found.url = f"{address}/mcp"
        yield found
    get_settings.cache_clear()


def _app(server: McpServer) -> FastAPI:
    app = FastAPI()

    @app.delete("/mcp")
    async def end(request: Request) -> Response:
        server.ended.append(request.headers.get("mcp-session-id", ""))
        return Response(status_code=204)

    @app.post("/mcp")
    async def take(request: Request) -> Response:
        message = await request.json()
        method = message["method"]
        server.asked.append((method, dict(request.headers), message.get("params", {})))
        if server.key and request.headers.get("authorization") != f"Bearer {server.key}":
            return Response(f"no: {request.headers.get('authorization')}", 401, media_type="text/plain")
        begins = method == "initialize"
        if not begins and server.session and request.headers.get("mcp-session-id") != server.session:
            return Response("no session", 404)
        if "id" not in message:
            return Response(status_code=202)
        headers = {"Mcp-Session-Id": server.session} if begins and server.session else {}
        if server.raw is not None:
            return Response(server.raw, media_type="application/json", headers=headers)
        answer = {"jsonrpc": "2.0", "id": message["id"], **_answer(server, method, message["params"])}
        if server.stream:
            return StreamingResponse(_events(server, answer), media_type="text/event-stream", headers=headers)
        return Response(json.dumps(answer), media_type="application/json", headers=headers)

    return app


async def _events(server: McpServer, answer: dict[str, Any]) -> AsyncIterator[str]:
    """A comment, somebody else's message, a question to us, then the answer over two lines of data."""
    yield ": hello\n\n"
    yield 'event: message\ndata: {"jsonrpc": "2.0", "method": "notifications/progress", "params": {}}\n\n'
    yield f'id: 7\ndata: {{"jsonrpc": "2.0", "id": {answer["id"]}, "method": "sampling/createMessage"}}\n\n'
    first, _, rest = json.dumps(answer).partition(", ")
    yield f"data: {first},\r\ndata: {rest}\r\n\r\n"
    if server.open_for:
        await asyncio.sleep(server.open_for)


def _answer(server: McpServer, method: str, params: dict[str, Any]) -> dict[str, Any]:
    if method == "initialize":
        found = {
            "protocolVersion": server.version,
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "t"},
        }
        return {"result": found}
    if method == "tools/list":
        start = int(params.get("cursor", 0))
        more = {"nextCursor": str(start + server.page)} if start + server.page < len(server.tools) else {}
        return {"result": {"tools": server.tools[start : start + server.page], **more}}
    if method == "tools/call" and params["name"] in {one["name"] for one in server.tools}:
        text = {"type": "text", "text": params["arguments"].get("text", "")}
        return {"result": server.result or {"content": [text]}}
    return {"error": {"code": -32601, "message": "There is no such tool."}}
