"""A thin client of the Model Context Protocol over streamable HTTP: what a server's tools are, and using one.

Every message is a POST through our guard. An answer is JSON or a stream of events, of which the one that answers is
read and the rest is left. Source: modelcontextprotocol.io/specification/2025-06-18.
"""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from leitstand.agents.tools.answers import LONGEST_OF_FAILURE, ToolFailed, failure, readable, told
from leitstand.agents.tools.schemas import inlined
from leitstand.errors import InvalidInput, LeitstandError, Unavailable
from leitstand.outgoing.connections import SLOW
from leitstand.outgoing.fetching import Answer, Stream, fetch, streamed
from leitstand.words import N_, msg

VERSION = "2025-06-18"
KNOWN = frozenset({"2025-03-26", VERSION, "2025-11-25"})
ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")
EVENTS = "text/event-stream"
MOST_PAGES, MOST_TOOLS = 20, 200
LONGEST_NAME, LONGEST_DESCRIPTION, LONGEST_SESSION = 128, 4_000, 500
GOODBYE_SECONDS = 2.0
OURSELVES = {"name": "Leitstand", "version": "1"}


@dataclass(frozen=True)
class Server:
    """Where a server is, and what is sent with each message; `secret` is the part of it that nobody is told."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    secret: str = field(repr=False, default="")


@dataclass(frozen=True)
class Listed:
    """A tool as its server describes it; `problem` says why its arguments can't be taken, empty where they can."""

    name: str
    description: str
    parameters: dict[str, Any]
    problem: str = ""


def list_tools(server: Server, *, seconds: float) -> list[Listed]:
    """The tools of a server, by name.

    Raises:
        Unavailable: it does not answer, or not as the protocol has it.
        LeitstandError: as `outgoing.fetching.streamed`.
    """
    talk = _Talk(server, seconds)
    try:
        talk.begin()
        found = talk.tools()
    finally:
        talk.end()
    return sorted((_listed(one) for one in found), key=lambda one: one.name)


def call(server: Server, *, tool: str, arguments: Mapping[str, Any], key: str, seconds: float) -> str:
    """Use one tool of a server; what a model is told of its answer.

    Args:
        key: sent as Idempotency-Key.

    Raises:
        ToolFailed: the server says that the tool failed.
        Unavailable: it does not answer, or not as the protocol has it.
        LeitstandError: as `outgoing.fetching.streamed`.
    """
    talk = _Talk(server, seconds)
    try:
        talk.begin()
        params = {"name": tool, "arguments": dict(arguments)}
        result = talk.ask("tools/call", params, {"Idempotency-Key": key})
    finally:
        talk.end()
    text = _text(result)
    if result.get("isError"):
        short = told(text, secret=server.secret, most=LONGEST_OF_FAILURE)
        raise ToolFailed(msg("The tool says that it failed: {text}", text=short or "–"))
    return told(text, secret=server.secret) or "(no text)"


class _Talk:
    """One session with a server, all of it within its seconds."""

    def __init__(self, server: Server, seconds: float) -> None:
        self._server = server
        self._until = time.monotonic() + seconds
        self._headers = {"Accept": f"application/json, {EVENTS}", "Content-Type": "application/json"}
        self._headers |= server.headers
        self._session, self._number = "", 0

    def begin(self) -> None:
        params = {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": OURSELVES}
        result = self.ask("initialize", params)
        version = result.get("protocolVersion")
        if version not in KNOWN:
            raise Unavailable(
                msg("The server speaks version {version} of the protocol.", version=str(version)[:50]),
                hint=msg("Known are {versions}.", versions=", ".join(sorted(KNOWN))),
            )
        self._headers["MCP-Protocol-Version"] = str(version)
        self._post({"jsonrpc": "2.0", "method": "notifications/initialized"}, {})

    def tools(self) -> list[Any]:
        """What the server lists, page after page."""
        found: list[Any] = []
        cursor: Any = None
        for _ in range(MOST_PAGES):
            result = self.ask("tools/list", {"cursor": cursor} if cursor else {})
            page = result.get("tools")
            found += page if isinstance(page, list) else []
            cursor = result.get("nextCursor")
            if not isinstance(cursor, str) or not cursor or len(found) >= MOST_TOOLS:
                break
        return [one for one in found[:MOST_TOOLS] if isinstance(one, dict)]

    def ask(self, method: str, params: Mapping[str, Any], more: Mapping[str, str] | None = None) -> dict[str, Any]:  # fmt: skip
        """Send a request; its result."""
        self._number += 1
        message = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
        answer = self._post(message, more or {})
        found = _answering(answer.body, _media(answer), self._number)
        if found is None:
            raise Unavailable("The server does not answer as the Model Context Protocol has it.")
        if isinstance(error := found.get("error"), dict):
            text = told(str(error.get("message", "")), secret=self._server.secret, most=LONGEST_OF_FAILURE)
            raise ToolFailed(msg("The server refuses: {text}", text=text or "–"))
        result = found.get("result")
        if not isinstance(result, dict):
            raise Unavailable("The server does not answer as the Model Context Protocol has it.")
        return result

    def end(self) -> None:
        """Let the server forget the session; whether it does is its own matter."""
        if self._session:
            seconds = min(GOODBYE_SECONDS, max(self._until - time.monotonic(), 0.1))
            with suppress(LeitstandError):
                headers = {**self._headers, "Mcp-Session-Id": self._session}
                fetch(self._server.url, method="DELETE", headers=headers, seconds=seconds, redirects=0)

    def _post(self, message: Mapping[str, Any], more: Mapping[str, str]) -> Answer:
        left = self._until - time.monotonic()
        if left <= 0:
            raise Unavailable(SLOW)
        headers = {**self._headers, **more}
        if self._session:
            headers["Mcp-Session-Id"] = self._session
        with streamed(
            self._server.url, method="POST", headers=headers, seconds=left,
            body=json.dumps(message, ensure_ascii=False).encode(),
        ) as stream:  # fmt: skip
            answer = _read(stream, message.get("id"))
        if not answer.ok:
            text = readable(answer.body, answer.headers.get("content-type", ""))
            raise failure(answer.status, text, secret=self._server.secret)
        self._keep_session(answer)
        return answer

    def _keep_session(self, answer: Answer) -> None:
        session = answer.headers.get("mcp-session-id", "")
        if session and not self._session:
            if len(session) > LONGEST_SESSION or not session.isascii() or not session.isprintable():
                raise Unavailable("The server gives a session that can't be named.")
            self._session = session


def _media(answer: Answer | Stream) -> str:
    return answer.headers.get("content-type", "").partition(";")[0].strip().lower()


def _read(stream: Stream, number: object) -> Answer:
    """The answer, and of a stream of events no more than it takes: some servers leave it open."""
    if not stream.ok or _media(stream) != EVENTS:
        return stream.read()
    body = bytearray()
    for piece in stream.pieces:
        body += piece
        # Only whole events are looked at.
        if body.endswith(ENDS) and any(_fits(one, number) for one in _events(bytes(body))):
            break
    return Answer(stream.status, stream.headers, bytes(body), stream.url)


def _answering(body: bytes, media: str, number: int) -> dict[str, Any] | None:
    """The message that answers the request of that number."""
    if media == EVENTS:
        found = _events(body)
    else:
        document = _parsed(body)
        found = document if isinstance(document, list) else [document]
    return next((one for one in found if _fits(one, number)), None)


def _fits(message: Any, number: object) -> bool:
    if not isinstance(message, dict) or message.get("id") != number:
        return False
    return "result" in message or "error" in message


def _events(body: bytes) -> list[Any]:
    """The data of each whole event, read as JSON."""
    text = body.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    found = []
    for event in text.split("\n\n"):
        lines = [line.partition(":")[2] for line in event.split("\n") if line.startswith("data:")]
        if lines:
            found.append(_parsed("\n".join(line.removeprefix(" ") for line in lines)))
    return found


def _parsed(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _listed(tool: Mapping[str, Any]) -> Listed:
    name = tool.get("name")
    description = told(str(tool.get("description") or tool.get("title") or ""), most=LONGEST_DESCRIPTION)
    if not isinstance(name, str) or not name or len(name) > LONGEST_NAME or not name.isprintable():
        return Listed(told(str(name), most=LONGEST_NAME), description, {}, N_("Its name can't be taken."))
    try:
        return Listed(name, description, inlined(tool.get("inputSchema")))
    except InvalidInput as error:
        return Listed(name, description, {}, error.said)


def _text(result: Mapping[str, Any]) -> str:
    """The texts of a result; what is no text is only named. Without any, its structured form."""
    content = result.get("content")
    parts = [_part(one) for one in content if isinstance(one, dict)] if isinstance(content, list) else []
    if not any(parts) and isinstance(result.get("structuredContent"), dict):
        return json.dumps(result["structuredContent"], ensure_ascii=False)
    return "\n".join(part for part in parts if part)


def _part(one: Mapping[str, Any]) -> str:
    kind = str(one.get("type", ""))[:50]
    if kind == "text":
        return str(one.get("text", ""))
    resource = one.get("resource")
    if kind == "resource" and isinstance(resource, dict) and isinstance(resource.get("text"), str):
        return str(resource["text"])
    if kind == "resource_link":
        return f"{one.get('name', '')} {one.get('uri', '')}".strip()
    return f"({kind}, which is no text)"
