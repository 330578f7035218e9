"""Stripe's HTTP API, as far as we need it: customers, checkout, subscriptions, portal, invoices, signed messages."""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

import httpx

from leitstand.billing.providers import stripe_messages
from leitstand.billing.providers.base import Begun, Bill, Customer, Message, Provider
from leitstand.errors import Conflict, InvalidInput, Unavailable
from leitstand.limits.plans import Plan
from leitstand.settings import Settings
from leitstand.words import msg

VERSION = "2024-06-20"
TRIES = 4
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
# Of each step of a request. A page waits for it: what takes longer is asked again by the queue.
TIMEOUT = httpx.Timeout(10.0, connect=5.0)
# No further try begins after so much time.
PATIENCE_SECONDS = 20.0
LATER = frozenset({409, 429, 500, 502, 503, 504})


class Stripe(Provider):
    """Speaks with Stripe for the account whose key the settings hold."""

    name: ClassVar[str] = "stripe"

    def __init__(self, settings: Settings, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._url = settings.stripe_api_url.rstrip("/")
        self._key = settings.stripe_secret_key.get_secret_value()
        self._webhook_secret = settings.stripe_webhook_secret.get_secret_value()
        self._rehearsal = settings.rehearsal
        self._sleep = sleep

    @property
    def mode(self) -> str:
        return "live" if "_live_" in self._key else "test"

    def create_customer(self, customer: Customer, *, key: str) -> Customer:
        if customer.customer_id:
            return customer
        fields = {
            "name": customer.name,
            "email": customer.email,
            "metadata[workspace_id]": str(customer.workspace_id),
        }
        made = self._call("POST", "/v1/customers", fields, key=key)
        return replace(customer, customer_id=str(made["id"]))

    def begin_change(self, customer: Customer, plan: Plan, *, key: str, back: str) -> Begun:
        if customer.subscription_id:
            return self._change_subscription(customer, plan, key)
        fields = {
            "mode": "subscription",
            "customer": customer.customer_id,
            "client_reference_id": str(customer.workspace_id),
            "line_items[0][price]": plan.stripe_price,
            "line_items[0][quantity]": "1",
            "metadata[plan]": plan.name,
            "subscription_data[metadata][workspace_id]": str(customer.workspace_id),
            "success_url": f"{back}?paid=1",
            "cancel_url": back,
        }
        made = self._call("POST", "/v1/checkout/sessions", fields, key=key)
        return Begun(str(made["url"]), str(made["id"]))

    def cancel(self, customer: Customer, *, key: str) -> None:
        if not customer.subscription_id:
            return
        path = f"/v1/subscriptions/{customer.subscription_id}"
        try:
            self._call("DELETE", path, key=key)
        except InvalidInput:
            # Stripe looks at no key here: it says that there is none of the id once it has ended.
            if self._call("GET", path)["status"] != "canceled":
                raise

    def close(self, checkout_id: str, *, key: str) -> None:
        path = f"/v1/checkout/sessions/{checkout_id}"
        try:
            self._call("POST", f"{path}/expire", key=key)
        except InvalidInput:
            status = self._call("GET", path)["status"]
            if status == "complete":
                raise Conflict(
                    "The plan that was chosen before has been paid meanwhile.",
                    hint="It holds as soon as Stripe has told so. Choose again then.",
                ) from None
            if status != "expired":
                raise

    def manage(self, customer: Customer, *, back: str) -> str:
        if not customer.customer_id:
            return ""
        fields = {"customer": customer.customer_id, "return_url": back}
        return str(self._call("POST", "/v1/billing_portal/sessions", fields)["url"])

    def invoices(self, customer: Customer) -> Sequence[Bill]:
        if not customer.customer_id:
            return ()
        fields = {"customer": customer.customer_id, "limit": "100"}
        found: list[Bill] = []
        while True:
            page = self._call("GET", "/v1/invoices", fields)
            # A draft may still change and has no number.
            found += [stripe_messages.bill_of(each) for each in page["data"] if each["status"] != "draft"]
            if not page["has_more"] or not page["data"]:
                return found
            fields["starting_after"] = page["data"][-1]["id"]

    def read_message(self, body: bytes, headers: Mapping[str, str], *, now: datetime) -> Message:
        stripe_messages.verify(body, headers.get(stripe_messages.HEADER, ""), self._webhook_secret, now=now)
        return stripe_messages.read(body)

    def _change_subscription(self, customer: Customer, plan: Plan, key: str) -> Begun:
        path = f"/v1/subscriptions/{customer.subscription_id}"
        item = self._call("GET", path)["items"]["data"][0]
        if item["price"]["id"] == plan.stripe_price:
            return Begun()
        fields = {
            "items[0][id]": item["id"],
            "items[0][price]": plan.stripe_price,
            "proration_behavior": "create_prorations",
            # A change that can't be paid leaves the subscription as it was.
            "payment_behavior": "error_if_incomplete",
        }
        self._call("POST", path, fields, key=key)
        return Begun()

    def _call(
        self, method: str, path: str, fields: Mapping[str, str] | None = None, *, key: str = ""
    ) -> dict[str, Any]:
        if self._rehearsal:
            raise Unavailable(
                "Stripe is not asked: this is a restored copy that is only tried out (LEITSTAND_REHEARSAL)."
            )
        headers = {"Authorization": f"Bearer {self._key}", "Stripe-Version": VERSION}
        if key:
            headers["Idempotency-Key"] = key
        sent = {"params": fields} if method == "GET" else {"data": fields}
        until = time.monotonic() + PATIENCE_SECONDS
        for attempt in range(TRIES):
            answer = None
            # Without a key only what changes nothing is repeated: reading, and making a link to the portal.
            with contextlib.suppress(httpx.TransportError):
                answer = httpx.request(
                    method,
                    f"{self._url}{path}",
                    headers=headers,
                    timeout=TIMEOUT,
                    **sent,  # type: ignore[arg-type]
                )
            if answer is not None and answer.status_code not in LATER:
                return _checked(answer)
            pause = _pause(answer, attempt)
            if attempt == TRIES - 1 or time.monotonic() + pause > until:
                break
            self._sleep(pause)
        raise Unavailable("Stripe does not answer.", hint="Try again in a minute.")


def _pause(answer: httpx.Response | None, attempt: int) -> float:
    """Seconds until the next try: what Stripe asks for, else twice as long each time."""
    asked = answer.headers.get("retry-after", "") if answer is not None else ""
    wanted = float(asked) if asked.isascii() and asked.isdigit() else FIRST_PAUSE * 2**attempt
    return min(wanted, LONGEST_PAUSE)


def _checked(answer: httpx.Response) -> dict[str, Any]:
    """The answer's document.

    Raises:
        InvalidInput: Stripe refuses the request; its words are passed on.
        Unavailable: Stripe refuses our key, or answers with something else than a document.
    """
    try:
        document = answer.json()
        error = document.get("error") or {}
    except (ValueError, AttributeError):
        raise Unavailable(
            "Stripe's answer can't be read.", hint="Look at the setting stripe_api_url."
        ) from None
    if answer.status_code in {401, 403}:
        raise Unavailable("Stripe refuses our key.", hint="Look at the setting stripe_secret_key.")
    if answer.status_code >= 400:
        raise InvalidInput(
            msg("Stripe refuses this: {value}", value=error.get("message", answer.status_code))
        )
    found: dict[str, Any] = document
    return found
