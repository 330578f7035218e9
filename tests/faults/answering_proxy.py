"""An HTTP proxy in front of the store that answers some requests itself, with a status of its own."""

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
CODES = {403: "AccessDenied", 500: "InternalError", 507: "InsufficientStorage"}


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

    def __enter__(self) -> "AnsweringProxy":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def refuses(self, method: str) -> bool:
        """Whether this request is answered here."""
        with self._lock:
            if method != self.method or not self.status:
                return False
            self.passing -= 1
            self.refused += self.passing < 0
            return self.passing < 0

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if proxy.refuses(self.command):
                    code = CODES[proxy.status]
                    self.reply(proxy.status, [], f"<Error><Code>{code}</Code></Error>".encode())
                    return
                connection = http.client.HTTPConnection("127.0.0.1", proxy.target, timeout=60)
                connection.request(self.command, self.path, body, dict(self.headers.items()))
                answer = connection.getresponse()
                kept = [
                    (name, value) for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP
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
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        for method in ("GET", "PUT", "DELETE", "HEAD", "POST"):
            setattr(Handler, f"do_{method}", Handler.forward)
        return Handler
