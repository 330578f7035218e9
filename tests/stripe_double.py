"""Stripe's documented API as far as we use it, on 127.0.0.1: keeps customers and subscriptions, signs messages."""

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from tests.services import free_base_port

KEY, SECRET = "sk_test_double", "whsec_double"


class Double:
    """What the double was asked and keeps; `failures` are statuses that it answers first."""

    def __init__(self) -> None:
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
            return {"id": f"cs_{number}", "url": f"https://checkout.stripe.test/cs_{number}"}
        if path == "/v1/billing_portal/sessions":
            return {"id": f"bps_{number}", "url": "https://billing.stripe.test/p"}
        if path == "/v1/invoices":
            return self._page(fields)
        if path.startswith("/v1/subscriptions/"):
            status = "canceled" if method == "DELETE" else "active"
            price = fields.get("items[0][price]", "price_small")
            item = {"id": "si_1", "price": {"id": price}}
            return {"id": path.rsplit("/", 1)[1], "status": status, "items": {"data": [item]}}
        raise KeyError(path)

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
        if key in double.answers:
            return JSONResponse(double.answers[key])
        try:
            answer = double.answer(request.method, f"/v1/{rest}", fields)
        except KeyError:
            return JSONResponse({"error": {"message": f"Unrecognized request URL /v1/{rest}"}}, 404)
        double.answers[key or f"call {len(double.calls)}"] = answer
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
