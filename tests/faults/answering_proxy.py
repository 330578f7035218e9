"""An HTTP proxy in front of the store that answers some requests itself, with a status of its own, or tells another time."""

import http.client
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
CODES = {403: "AccessDenied", 500: "InternalError", 501: "NotImplemented", 507: "InsufficientStorage"}
# Stores refuse a request whose time differs by more.
MOST_SKEW_SECONDS = 900


class AnsweringProxy:
    """Forwards to the store; `method` requests after the first `passing` are answered with `status`, as long as it is set.

    Args:
        target: port of the store.
    """

    def __init__(self, target: int, *, method: str, passing: int, status: int) -> None:
        self.target, self.method, self.status = target, method, status
        self.passing, self.refused = passing, 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.port: int = self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def refuses(self, method: str, headers: dict[str, str]) -> str:
        """The code that this request is answered with here; empty: it is passed on."""
        with self._lock:
            if method != self.method or not self.status:
                return ""
            self.passing -= 1
            self.refused += self.passing < 0
            return CODES[self.status] if self.passing < 0 else ""

    def date(self, said: str) -> str:
        """The time that answers bear: the store's own."""
        return said

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if code := proxy.refuses(
                    self.command, {name.lower(): value for name, value in self.headers.items()}
                ):
                    said = f"<Error><Code>{code}</Code></Error>".encode()
                    self.reply(proxy.status, [("Date", proxy.date(formatdate(usegmt=True)))], said)
                    return
                connection = http.client.HTTPConnection("127.0.0.1", proxy.target, timeout=60)
                connection.request(self.command, self.path, body, dict(self.headers.items()))
                answer = connection.getresponse()
                kept = [
                    (name, proxy.date(value) if name.lower() == "date" else value)
                    for name, value in answer.getheaders()
                    if name.lower() not in HOP_BY_HOP
                ]
                size = answer.getheader("Content-Length") if self.command == "HEAD" else None
                self.reply(answer.status, kept, answer.read(), size)
                connection.close()

            def reply(
                self, status: int, headers: list[tuple[str, str]], body: bytes, size: str | None = None
            ) -> None:
                self.send_response_only(status)  # the store's own Date comes through
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", size or str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        for method in ("GET", "PUT", "DELETE", "HEAD", "POST"):
            setattr(Handler, f"do_{method}", Handler.forward)
        return Handler


class SkewedProxy(AnsweringProxy):
    """A store whose clock is `ahead` seconds ahead of ours; one that is far from ours refuses every request."""

    def __init__(self, target: int, *, ahead: float) -> None:
        super().__init__(target, method="", passing=0, status=403)
        self.ahead = ahead

    def refuses(self, method: str, headers: dict[str, str]) -> str:
        return "RequestTimeTooSkewed" if abs(self.ahead) > MOST_SKEW_SECONDS else ""

    def date(self, said: str) -> str:
        return formatdate(time.time() + self.ahead, usegmt=True)


class OldStoreProxy(AnsweringProxy):
    """A store that knows nothing of the newer checksum headers and refuses what bears them."""

    def __init__(self, target: int) -> None:
        super().__init__(target, method="", passing=0, status=501)

    def refuses(self, method: str, headers: dict[str, str]) -> str:
        newer = [
            name
            for name in headers
            if name.startswith(("x-amz-checksum-", "x-amz-sdk-checksum-")) or name == "x-amz-trailer"
        ]
        chunked = "aws-chunked" in headers.get("content-encoding", "")
        self.refused += bool(newer or chunked)
        return "NotImplemented" if newer or chunked else ""
