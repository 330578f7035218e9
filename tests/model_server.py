"""A server that speaks OpenAI's chat completions on 127.0.0.1 and answers as it is told. Fixture `models`.

It is as strict as OpenAI's about what it is asked: a wrong key, an unknown model, a call that has no answer or an
answer that belongs to no call are refused, so that a test sees what a real server would say.
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

import pytest

from leitstand.settings import Settings, get_settings

MODELS = ("small", "large")
EMBEDDING_MODEL, NUMBERS = "letters", 768
KEY = "sk-of-the-model-server"
PATIENCE_SECONDS = 30.0
Document = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """One answer of the server.

    Args:
        calls: names of tools, each with its arguments as the model writes them (JSON, or what it takes for JSON).
        piece: letters in each piece of a stream.
        pause: seconds before each piece.
        held: once half of the pieces are sent, nothing follows until this is set.
        breaks_off: half of the pieces are sent, and then the connection is closed.
        endless: the text is sent over and over.
        status, headers, body: what is sent instead of an answer, where there is a body or another status than 200.
        usage: tokens of the question and of the answer; None: counted in words.
        reports: whether the usage is told.
        whole: it comes in one piece, although a stream was asked for.
        finish: why it ended; empty: because the model was done, or wants tools.
    """

    text: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    piece: int = 8
    pause: float = 0.0
    held: threading.Event | None = None
    breaks_off: bool = False
    endless: bool = False
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    usage: tuple[int, int] | None = None
    reports: bool = True
    whole: bool = False
    finish: str = ""


def says(text: str, **more: Any) -> Answer:
    """A plain answer."""
    return Answer(text=text, **more)


def calls(*wanted: tuple[str, object], text: str = "", **more: Any) -> Answer:
    """An answer that uses tools; arguments that are no text are written as JSON."""
    written = tuple((name, given if isinstance(given, str) else json.dumps(given)) for name, given in wanted)
    return Answer(text=text, calls=written, **more)


def refuses(status: int, *, retry_after: str = "", message: str = "later") -> Answer:
    """A refusal in OpenAI's form."""
    body = json.dumps({"error": {"message": message, "type": "server_error"}}).encode()
    return Answer(status=status, body=body, headers={"Retry-After": retry_after} if retry_after else {})


def malformed(body: bytes = b"data: {not json\n\n") -> Answer:
    """A stream that is none."""
    return Answer(body=body, headers={"Content-Type": "text/event-stream"})


@dataclass
class ModelServer:
    """What it answers, and what it was asked; `embedded` are the texts that became vectors.

    `vectors_are`, where there is any, is sent instead of vectors.

    `answers` are given in their order, the last one again and again. `decide`, where it is set, is asked first: it gives
    the answer to a question, or None for the next of the list.
    """

    url: str = ""
    key: str = KEY
    answers: list[Answer] = field(default_factory=lambda: [says("Hello.")])
    decide: Callable[[Document], Answer | None] = lambda asked: None
    asked: list[Document] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    embedded: list[list[str]] = field(default_factory=list)
    vectors_are: bytes = b""
    _news: threading.Condition = field(default_factory=threading.Condition)

    @property
    def base_url(self) -> str:
        """What an endpoint has as its address."""
        return f"{self.url}/v1"

    def answer(self, *answers: Answer) -> None:
        """Give these from now on, the last one again and again."""
        self.answers = list(answers)

    def take(self, asked: Document, headers: dict[str, str]) -> Answer:
        """Keep a question, and give its answer."""
        with self._news:
            self.asked.append(asked)
            self.headers.append(headers)
            self._news.notify_all()
            problem = wrong_with(asked)
            if problem:
                return refuses(400, message=problem)
            found = self.decide(asked)
            if found is not None:
                return found
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def wait_for(self, questions: int, seconds: float = PATIENCE_SECONDS) -> None:
        """Return once so many questions have come."""
        with self._news:
            if not self._news.wait_for(lambda: len(self.asked) >= questions, seconds):
                raise TimeoutError(f"only {len(self.asked)} questions came")

    def told(self, question: int = -1) -> list[Document]:
        """The messages of a question."""
        found: list[Document] = self.asked[question]["messages"]
        return found


def wrong_with(asked: Document) -> str:
    """Why OpenAI's server would not take a question; empty where it would."""
    if asked.get("model") not in MODELS:
        return f"The model `{asked.get('model')}` does not exist"
    open_calls: set[str] = set()
    for message in asked.get("messages") or []:
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_calls:
                return "messages with role 'tool' must be a response to a preceding message with 'tool_calls'"
            open_calls.discard(message["tool_call_id"])
            continue
        if open_calls:
            return f"tool_call_ids did not have response messages: {', '.join(sorted(open_calls))}"
        open_calls = {one["id"] for one in message.get("tool_calls") or []}
    if open_calls:
        return f"tool_call_ids did not have response messages: {', '.join(sorted(open_calls))}"
    return "" if asked.get("messages") else "'messages' must not be empty"


def letters_of(text: str) -> list[float]:
    """A vector of a text, of no length in particular: how often each pair of letters stands in it."""
    found = [0.0] * NUMBERS
    for one, other in pairwise(text.lower()):
        found[(ord(one) * 31 + ord(other)) % NUMBERS] += 3.0
    return found


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    models: ModelServer

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing on standard error."""

    def do_GET(self) -> None:
        if not self._signed_in():
            return
        found = {"object": "list", "data": [{"id": name, "object": "model"} for name in MODELS]}
        self._send(200 if self.path == "/v1/models" else 404, json.dumps(found).encode())

    def _embed(self, asked: Document) -> None:
        if asked.get("model") != EMBEDDING_MODEL:
            self._send(404, b'{"error": {"message": "no such model"}}')
            return
        texts: list[str] = asked["input"]
        self.models.embedded.append(texts)
        if self.models.vectors_are:
            self._send(200, self.models.vectors_are)
            return
        data = [{"index": place, "embedding": letters_of(text)} for place, text in enumerate(texts)]
        usage = {"prompt_tokens": sum(len(text.split()) for text in texts)}
        self._send(200, json.dumps({"object": "list", "data": data[::-1], "usage": usage}).encode())

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        if not self._signed_in():
            return
        if self.path == "/v1/embeddings":
            self._embed(asked)
            return
        if self.path != "/v1/chat/completions":
            self._send(404, b'{"error": {"message": "no such path"}}')
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.models.take(asked, headers)
        if answer.status != 200 or answer.body is not None:
            self._send(answer.status, answer.body or b"", answer.headers)
        elif asked.get("stream") and not answer.whole:
            self._stream(answer, asked)
        else:
            self._send(200, json.dumps(_whole(answer, asked)).encode())

    def _signed_in(self) -> bool:
        if not self.models.key or self.headers.get("Authorization") == f"Bearer {self.models.key}":
            return True
        self._send(401, b'{"error": {"message": "Incorrect API key provided"}}')
        return False

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, answer: Answer, asked: Document) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            self._pieces(answer, asked)
        except OSError:
            # Whoever asked has gone.
            self.close_connection = True

    def _pieces(self, answer: Answer, asked: Document) -> None:
        deltas = _deltas(answer)
        while answer.endless:
            self._event(_chunk(asked, {"content": answer.text}))
        for number, delta in enumerate(deltas):
            if number == (len(deltas) + 1) // 2:
                if answer.held is not None:
                    answer.held.wait(PATIENCE_SECONDS)
                if answer.breaks_off:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
            time.sleep(answer.pause)
            self._event(_chunk(asked, delta))
        self._event(_chunk(asked, {}, finish=_finish(answer)))
        if (asked.get("stream_options") or {}).get("include_usage") and answer.reports:
            self._event({**_chunk(asked, {}), "choices": [], "usage": _usage(answer, asked)})
        self._write(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, document: Document) -> None:
        self._write(f"data: {json.dumps(document)}\n\n".encode())

    def _write(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


def _deltas(answer: Answer) -> list[Document]:
    """The pieces of an answer: letters of its text, then letters of the arguments of its calls."""
    found: list[Document] = [{"role": "assistant", "content": ""}]
    found += [{"content": part} for part in _cut(answer.text, answer.piece)]
    for index, (name, arguments) in enumerate(answer.calls):
        function = {"name": name, "arguments": ""}
        begun = {"index": index, "id": _call_id(index), "type": "function", "function": function}
        found.append({"tool_calls": [begun]})
        found += [
            {"tool_calls": [{"index": index, "function": {"arguments": part}}]}
            for part in _cut(arguments, answer.piece)
        ]
    return found


def _cut(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def _call_id(index: int) -> str:
    return f"call_{index + 1}"


def _chunk(asked: Document, delta: Document, finish: str | None = None) -> Document:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "model": asked["model"],
        "choices": [choice],
    }


def _whole(answer: Answer, asked: Document) -> Document:
    message: Document = {"role": "assistant", "content": answer.text or None}
    if answer.calls:
        message["tool_calls"] = [
            {"id": _call_id(index), "type": "function", "function": {"name": name, "arguments": arguments}}
            for index, (name, arguments) in enumerate(answer.calls)
        ]
    found: Document = {"id": "chatcmpl-1", "object": "chat.completion", "model": asked["model"]}
    found["choices"] = [{"index": 0, "message": message, "finish_reason": _finish(answer)}]
    if answer.reports:
        found["usage"] = _usage(answer, asked)
    return found


def _finish(answer: Answer) -> str:
    return answer.finish or ("tool_calls" if answer.calls else "stop")


def _usage(answer: Answer, asked: Document) -> Document:
    counted = sum(len(str(message.get("content") or "").split()) for message in asked["messages"])
    spoken = len(answer.text.split()) + sum(len(arguments.split()) for _, arguments in answer.calls)
    prompt, completion = answer.usage or (counted, spoken)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever went away in the middle is no fault of the server's."""


@contextmanager
def running() -> Iterator[ModelServer]:
    """The server, on a port of its own."""
    models = ModelServer()
    handler = type("Handler", (_Handler,), {"models": models})
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    models.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield models
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.fixture
def models(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    """A server of models on this machine, which the setting for private addresses lists."""
    monkeypatch.setenv("LEITSTAND_OUTGOING_PRIVATE_ADDRESSES_ALLOWED", "127.0.0.1")
    get_settings.cache_clear()
    with running() as found:
        yield found
    get_settings.cache_clear()
