"""Stripe's HTTP API, as far as we need it: customers, checkout, subscriptions, portal, invoices, signed messages."""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

import httpx

from leitstand.billing.providers import stripe_messages
from leitstand.billing.providers.base import Begun, Bill, Customer, Message, Provider
from leitstand.errors import InvalidInput, Unavailable
from leitstand.limits.plans import Plan
from leitstand.settings import Settings
from leitstand.words import msg

VERSION = "2024-06-20"
TRIES = 4
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
TIMEOUT_SECONDS = 15.0
LATER = frozenset({409, 429, 500, 502, 503, 504})


class Stripe(Provider):
    """Speaks with Stripe for the account whose key the settings hold."""

    name: ClassVar[str] = "stripe"

    def __init__(self, settings: Settings, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._url = settings.stripe_api_url.rstrip("/")
        self._key = settings.stripe_secret_key.get_secret_value()
        self._webhook_secret = settings.stripe_webhook_secret.get_secret_value()
        self._sleep = sleep

    @property
    def mode(self) -> str:
        return "live" if "_live_" in self._key else "test"

    def create_customer(self, customer: Customer) -> str:
        if customer.customer_id:
            return customer.customer_id
        fields = {
            "name": customer.name,
            "email": customer.email,
            "metadata[workspace_id]": str(customer.workspace_id),
        }
        # One customer a workspace, however often this is asked.
        made = self._call("POST", "/v1/customers", fields, key=f"customer-{customer.workspace_id}")
        return str(made["id"])

    def begin_change(self, customer: Customer, plan: Plan, *, key: str, back: str) -> Begun:
        if not plan.stripe_price:
            raise InvalidInput(
                msg("The plan {title} can't be paid through Stripe.", title=plan.title),
                hint="Give it a stripe_price in the file of plans.",
            )
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
        return Begun(str(self._call("POST", "/v1/checkout/sessions", fields, key=key)["url"]))

    def cancel(self, customer: Customer, *, key: str) -> None:
        if customer.subscription_id:
            self._call("DELETE", f"/v1/subscriptions/{customer.subscription_id}", key=key)

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
        item = self._call("GET", path)["items"]["data"][0]["id"]
        fields = {
            "items[0][id]": item,
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
        headers = {"Authorization": f"Bearer {self._key}", "Stripe-Version": VERSION}
        if key:
            headers["Idempotency-Key"] = key
        sent = {"params": fields} if method == "GET" else {"data": fields}
        for attempt in range(TRIES):
            answer = None
            # Without a key only what changes nothing is repeated: reading, and making a link to the portal.
            with contextlib.suppress(httpx.TransportError):
                answer = httpx.request(
                    method,
                    f"{self._url}{path}",
                    headers=headers,
                    timeout=TIMEOUT_SECONDS,
                    **sent,  # type: ignore[arg-type]
                )
            if answer is not None and answer.status_code not in LATER:
                return _checked(answer)
            if attempt < TRIES - 1:
                self._sleep(_pause(answer, attempt))
        raise Unavailable("Stripe does not answer.", hint="Nothing was changed here; try again in a minute.")


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
