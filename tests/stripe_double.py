"""Stripe's documented API as far as we use it, on 127.0.0.1: keeps customers and subscriptions, signs messages."""

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from tests.services import free_base_port

KEY, SECRET = "sk_test_double", "whsec_double"


class Refusal(Exception):
    """What the double refuses: status and reason."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Double:
    """What the double was asked and keeps; `failures` are statuses that it answers first.

    `before` is called with each request before it is worked on, and `after` when it is, before it is answered; a key's
    answer is given again, and a key with other fields refused, as Stripe does. `prices`, `ended` and `sessions` are
    its subscriptions' prices, the subscriptions that ended, and what became of places to pay.
    """

    def __init__(self) -> None:
        self.before: Callable[[str, str], None] = lambda method, path: None
        self.after: Callable[[str, str], None] = lambda method, path: None
        self.sent: dict[str, tuple[str, dict[str, str]]] = {}
        self.prices: dict[str, str] = {}
        self.ended: set[str] = set()
        self.sessions: dict[str, str] = {}
        self.calls: list[tuple[str, str, dict[str, str]]] = []
        self.failures: list[int] = []
        self.answers: dict[str, dict[str, Any]] = {}
        self.invoices: list[dict[str, Any]] = []
        self.url = ""

    def answer(self, method: str, path: str, fields: dict[str, str]) -> dict[str, Any]:
        """The document of a call that is authorised and new."""
        number = len(self.answers) + 1
        if path == "/v1/customers":
            return {"id": f"cus_{number}", "object": "customer"}
        if path == "/v1/checkout/sessions":
            self.sessions[f"cs_{number}"] = "open"
            return {"id": f"cs_{number}", "url": f"https://checkout.stripe.test/cs_{number}"}
        if path.startswith("/v1/checkout/sessions/"):
            return self._session(path.split("/")[4], closing=path.endswith("/expire"))
        if path == "/v1/billing_portal/sessions":
            return {"id": f"bps_{number}", "url": "https://billing.stripe.test/p"}
        if path == "/v1/invoices":
            return self._page(fields)
        if path.startswith("/v1/subscriptions/"):
            return self._subscription(method, path.rsplit("/", 1)[1], fields)
        raise KeyError(path)

    def changes(self) -> list[str]:
        """The requests that changed something, in their order: method and path."""
        return [f"{method} {path}" for method, path, _ in self.calls if method != "GET"]

    def _session(self, name: str, *, closing: bool) -> dict[str, Any]:
        if closing and self.sessions[name] != "open":
            raise Refusal(400, 'Only Checkout Sessions with a status in ["open"] can be expired.')
        if closing:
            self.sessions[name] = "expired"
        return {"id": name, "status": self.sessions[name]}

    def _subscription(self, method: str, name: str, fields: dict[str, str]) -> dict[str, Any]:
        if method == "DELETE":
            if name in self.ended:
                raise Refusal(404, f"No such subscription: '{name}'")
            self.ended.add(name)
        if "items[0][price]" in fields:
            self.prices[name] = fields["items[0][price]"]
        item = {"id": "si_1", "price": {"id": self.prices.get(name, "price_small")}}
        status = "canceled" if name in self.ended else "active"
        return {"id": name, "status": status, "items": {"data": [item]}}

    def _page(self, fields: dict[str, str]) -> dict[str, Any]:
        ids = [each["id"] for each in self.invoices]
        start = ids.index(fields["starting_after"]) + 1 if "starting_after" in fields else 0
        return {"data": self.invoices[start : start + 2], "has_more": start + 2 < len(ids)}


def signed(event: dict[str, Any], at: float, secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    """A message and its headers, as Stripe signs it at that time."""
    body = json.dumps(event).encode()
    stamp = str(int(at))
    mac = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return body, {"stripe-signature": f"t={stamp},v0=0,v1={mac}"}


def make_app(double: Double) -> FastAPI:
    """The double as an application."""
    app = FastAPI()

    @app.api_route("/v1/{rest:path}", methods=["GET", "POST", "DELETE"])
    async def call(request: Request, rest: str) -> JSONResponse:
        fields = {k: str(v) for k, v in (request.query_params or await request.form()).items()}
        key = request.headers.get("idempotency-key", "")
        double.calls.append((request.method, f"/v1/{rest}", fields | ({"key": key} if key else {})))
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return JSONResponse({"error": {"message": "Invalid API Key"}}, 401)
        if double.failures:
            return JSONResponse({"error": {"message": "later"}}, double.failures.pop(0))
        await run_in_threadpool(double.before, request.method, f"/v1/{rest}")
        # Stripe looks at keys of POST alone.
        if key and request.method == "POST":
            if double.sent.setdefault(key, (rest, fields)) != (rest, fields):
                return JSONResponse({"error": {"message": "Keys for idempotent requests ..."}}, 400)
            if key in double.answers:
                return JSONResponse(double.answers[key])
        try:
            answer = double.answer(request.method, f"/v1/{rest}", fields)
        except KeyError:
            return JSONResponse({"error": {"message": f"Unrecognized request URL /v1/{rest}"}}, 404)
        except Refusal as refused:
            return JSONResponse({"error": {"message": refused.message}}, refused.status)
        double.answers[key or f"call {len(double.calls)}"] = answer
        await run_in_threadpool(double.after, request.method, f"/v1/{rest}")
        return JSONResponse(answer)

    return app


@contextmanager
def running() -> Iterator[Double]:
    """The double, listening on a port of its own."""
    double, port = Double(), free_base_port()
    server = uvicorn.Server(uvicorn.Config(make_app(double), host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    double.url = f"http://127.0.0.1:{port}"
    try:
        yield double
    finally:
        server.should_exit = True
        thread.join(10)
