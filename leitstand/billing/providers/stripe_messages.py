"""Stripe's signed messages: proven to be Stripe's, then read."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import orjson

from leitstand.billing.providers.base import Bill, Message
from leitstand.errors import InvalidInput
from leitstand.words import msg

HEADER = "stripe-signature"
TOLERANCE_SECONDS = 300
STATES = {"active": "active", "trialing": "active", "past_due": "past_due", "unpaid": "past_due"}
BILL_STATES = {"paid": "paid", "void": "void", "uncollectible": "void"}


def verify(body: bytes, header: str, secret: str, *, now: datetime) -> None:
    """Refuse a message unless it bears a signature of ours that is at most five minutes old or ahead.

    Source: Stripe's documentation of webhooks: HMAC-SHA256 over `timestamp.body`, header `t=…,v1=…[,v1=…]`.

    Raises:
        InvalidInput: it is not signed, wrongly signed, or of another time.
    """
    pairs = [part.strip().partition("=") for part in header.split(",")]
    stamps = [value for name, _, value in pairs if name == "t"]
    given = [value for name, _, value in pairs if name == "v1"]
    if not secret or len(stamps) != 1 or not stamps[0].isascii() or not stamps[0].isdigit():
        raise InvalidInput(
            "The message is not signed.", hint="Set stripe_webhook_secret to that of the endpoint."
        )
    wanted = hmac.new(secret.encode(), stamps[0].encode() + b"." + body, hashlib.sha256).hexdigest().encode()
    # compare_digest takes text of ASCII only.
    if not any(hmac.compare_digest(wanted, value.encode()) for value in given):
        raise InvalidInput("The signature of the message is wrong.")
    if abs(now.timestamp() - int(stamps[0][:15])) > TOLERANCE_SECONDS:
        raise InvalidInput("The message is signed at another time.", hint="Check the clock of this machine.")


def read(body: bytes) -> Message:
    """What a message says; one of a kind that we do not follow has nothing but its kind.

    Raises:
        InvalidInput: it has not the form of one.
    """
    try:
        event = orjson.loads(body)
        base: dict[str, Any] = {
            "event_id": str(event["id"]), "kind": str(event["type"]), "made_at": instant(event["created"]),
        }  # fmt: skip
        told = READERS.get(event["type"])
        return Message(**base, **(told(event["data"]["object"]) if told else {}))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise InvalidInput(msg("The message can't be read: {reason}.", reason=type(error).__name__)) from None


def bill_of(found: Mapping[str, Any]) -> Bill:
    """An invoice object of Stripe's."""
    status = BILL_STATES.get(found["status"], "open")
    paid = (found.get("status_transitions") or {}).get("paid_at")
    issued = instant(found["created"])
    lines = found["lines"]["data"]
    period = lines[0]["period"] if lines else {"start": found["period_start"], "end": found["period_end"]}
    return Bill(
        provider_id=str(found["id"]),
        number=str(found.get("number") or found["id"]),
        period_start=_day(period["start"]),
        period_end=_day(period["end"]),
        lines=[_line(line) for line in lines],
        total_cents=int(found["total"]),
        currency=str(found["currency"]).upper(),
        status=status,
        issued_at=issued,
        paid_at=(instant(paid) if paid else issued) if status == "paid" else None,
    )


def instant(seconds: float) -> datetime:
    """A time of Stripe's."""
    return datetime.fromtimestamp(int(seconds), UTC)


def _line(line: Mapping[str, Any]) -> dict[str, Any]:
    quantity = int(line.get("quantity") or 1)
    cents = int(line["amount"])
    return {
        "text": str(line.get("description") or ""), "quantity": quantity,
        "unit_cents": cents // (quantity or 1), "cents": cents,
    }  # fmt: skip


def _day(seconds: float) -> date:
    return instant(seconds).date()


def _checkout(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "workspace_id": _uuid(found.get("client_reference_id")),
        "customer_id": found.get("customer") or "",
        "subscription_id": found.get("subscription") or "",
        "plan": (found.get("metadata") or {}).get("plan", ""),
        "status": "active",
    }


def _subscription(found: Mapping[str, Any]) -> dict[str, Any]:
    if found["status"] == "incomplete":
        # Its first payment is still to be made: it says nothing yet.
        return {}
    metadata = found.get("metadata") or {}
    return {
        "workspace_id": _uuid(metadata.get("workspace_id")),
        "customer_id": str(found.get("customer") or ""),
        "subscription_id": str(found["id"]),
        "price": str(found["items"]["data"][0]["price"]["id"]),
        "status": STATES.get(found["status"], ""),
        "ended": found["status"] in {"canceled", "incomplete_expired"},
    }


def _invoice(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"customer_id": str(found["customer"]), "bill": bill_of(found)}


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(str(value)) if value else None
    except ValueError:
        return None


READERS = {
    "checkout.session.completed": _checkout,
    "customer.subscription.created": _subscription,
    "customer.subscription.updated": _subscription,
    "customer.subscription.deleted": lambda found: _subscription(found) | {"ended": True},
    "invoice.finalized": _invoice,
    "invoice.paid": _invoice,
    "invoice.payment_failed": _invoice,
    "invoice.voided": _invoice,
}
