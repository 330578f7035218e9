"""Pure ASGI middleware: request id and trace context, access log, metrics."""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from typing import Any

from prometheus_client import Counter, Histogram

from leitstand.telemetry.context import bound
from leitstand.telemetry.logs import get_logger
from leitstand.telemetry.metrics import LATENCY, REQUESTS
from leitstand.telemetry.traces import server_span

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

QUIET = {"/livez", "/readyz", "/proxyz", "/metrics"}
SERVER_ERROR = 500
log = get_logger("http")


class Observe:
    """Bind the request's identity, answer it in `X-Request-ID` and `traceparent`, log and measure it."""

    def __init__(self, app: App, service: str) -> None:
        self.app = app
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {key.lower(): value.decode("latin-1") for key, value in scope["headers"]}
        began, status = time.perf_counter(), SERVER_ERROR
        # Only the method names the span: the route is not known yet, and a path may hold what is private.
        with (
            server_span(f"{self.service} {scope['method']}", headers.get(b"traceparent")) as traceparent,
            bound(headers.get(b"x-request-id"), traceparent) as identity,
        ):
            scope.setdefault("state", {}).update(identity)

            async def tagged(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    message["headers"] = [
                        *message.get("headers", []),
                        (b"x-request-id", identity["request_id"].encode()),
                        (b"traceparent", identity["traceparent"].encode()),
                    ]
                await send(message)

            try:
                await self.app(scope, receive, tagged)
            finally:
                self._record(scope, status, time.perf_counter() - began)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None) or "unmatched"
        count, latency = _meters(self.service, scope["method"], route, status)
        count.inc()
        latency.observe(seconds)
        if scope["path"] not in QUIET:
            log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                ms=round(seconds * 1000, 1),
            )


@lru_cache(maxsize=4_096)
def _meters(service: str, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """What counts and measures such requests; found once, since finding it costs more than counting."""
    return REQUESTS.labels(service, method, route, str(status)), LATENCY.labels(service, method, route)
