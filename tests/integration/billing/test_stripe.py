"""Stripe against a double of its API: checkout, messages once and in order, retries, invoices."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.orm import Session

from leitstand.billing.asking import carry_out
from leitstand.billing.messages import take_message
from leitstand.billing.providers.base import Begun, Customer
from leitstand.billing.providers.stripe import Stripe
from leitstand.billing.subscription import change_plan, get_subscription, manage_payment, paying_customer
from leitstand.db.engine import transaction
from leitstand.db.models import Invoice, WorkspacePlan
from leitstand.errors import InvalidInput, Unavailable
from leitstand.identity.access import Principal
from leitstand.limits.room import plan_of
from leitstand.settings import get_settings
from tests.stripe_double import Double, signed

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
AT = int(NOW.timestamp())


def event(number: int, kind: str, found: dict[str, Any], created: int = AT) -> dict[str, Any]:
    return {"id": f"evt_{number}", "type": kind, "created": created, "data": {"object": found}}


def told(session: Session, message: dict[str, Any]) -> str:
    body, headers = signed(message, AT)
    return take_message(session, body=body, headers=headers, now=NOW)


def subscription(owner: Principal, price: str, status: str = "active") -> dict[str, Any]:
    return {
        "id": "sub_1", "customer": "cus_1", "status": status, "metadata": {"workspace_id": str(owner.workspace_id)},
        "items": {"data": [{"id": "si_1", "price": {"id": price}}]},
    }  # fmt: skip


def changed(session: Session, owner: Principal, plan: str, key: str = "") -> Begun:
    """Change to a plan as a request does: written down, committed, asked for."""
    change = change_plan(session, principal=owner, plan=plan, key=key)
    session.commit()
    if change is None:
        return Begun()
    return carry_out(transaction, change_id=change.id, principal=owner, provider=quick())


def bill(status: str) -> dict[str, Any]:
    line = {
        "description": "Small",
        "quantity": 1,
        "amount": 1900,
        "period": {"start": AT, "end": AT + 86400 * 31},
    }
    return {
        "id": "in_1", "number": "S-1", "customer": "cus_1", "status": status, "total": 1900, "currency": "eur",
        "created": AT, "lines": {"data": [line]}, "status_transitions": {"paid_at": AT if status == "paid" else None},
    }  # fmt: skip


def test_a_plan_holds_when_its_payment_is_told(double: Double, session: Session, owner: Principal) -> None:
    double.failures = [503]
    begun = changed(session, owner, "small")
    assert begun.address.startswith("https://checkout.stripe.test/")
    assert plan_of(session, owner.workspace_id).name == "free"
    sent = double.calls[-1][2]
    assert sent["line_items[0][price]"] == "price_small"
    assert sent["key"].startswith("plan-change-")
    done = {
        "id": "cs_1", "client_reference_id": str(owner.workspace_id), "customer": "cus_1",
        "subscription": "sub_1", "metadata": {"plan": "small"},
    }  # fmt: skip
    assert told(session, event(1, "checkout.session.completed", done)) == "followed"
    assert told(session, event(1, "checkout.session.completed", done)) == "repeated"
    assert plan_of(session, owner.workspace_id).name == "small"
    assert get_subscription(session, principal=owner).mode == "test"
    assert get_subscription(session, principal=owner).change is None
    assert manage_payment(paying_customer(session, principal=owner)) == "https://billing.stripe.test/p"
    assert changed(session, owner, "large").address == ""
    assert double.calls[-1][2]["items[0][id]"] == "si_1"
    assert changed(session, owner, "free").address == ""
    assert double.calls[-1][:2] == ("DELETE", "/v1/subscriptions/sub_1")


def test_late_messages_change_nothing(double: Double, session: Session, owner: Principal) -> None:
    newer = event(2, "customer.subscription.updated", subscription(owner, "price_large"), AT)
    older = event(1, "customer.subscription.updated", subscription(owner, "price_small"), AT - 60)
    assert [told(session, newer), told(session, older)] == ["followed", "late"]
    assert plan_of(session, owner.workspace_id).name == "large"
    due = event(3, "customer.subscription.updated", subscription(owner, "price_large", "past_due"), AT + 1)
    told(session, due)
    assert session.get_one(WorkspacePlan, owner.workspace_id).status == "past_due"
    ended = event(4, "customer.subscription.deleted", subscription(owner, "price_large", "canceled"), AT + 2)
    assert told(session, ended) == "followed"
    assert plan_of(session, owner.workspace_id).name == "free"
    assert told(session, event(5, "invoice.paid", bill("paid"))) == "followed"
    assert told(session, event(6, "invoice.finalized", bill("open"))) == "followed"
    kept = session.query(Invoice).one()
    assert (kept.number, kept.status, kept.total_cents, kept.currency) == ("S-1", "paid", 1900, "EUR")
    assert told(session, event(7, "charge.refunded", {})) == "ignored"
    unpaid = subscription(owner, "price_large", "incomplete")
    assert told(session, event(9, "customer.subscription.created", unpaid, AT + 3)) == "ignored"
    stranger = subscription(owner, "price_large") | {"customer": "cus_9", "metadata": {}}
    assert told(session, event(8, "customer.subscription.updated", stranger)) == "unknown"


def test_only_what_stripe_signed_now_is_taken(double: Double, session: Session) -> None:
    message = event(1, "charge.refunded", {})
    body, headers = signed(message, AT)
    for sent, head in (
        (body + b" ", headers),
        (body, {}),
        (body, {"stripe-signature": "t=1,v1=ä"}),
        signed(message, AT, secret="other"),
        signed(message, AT - 301),
        signed(message, AT + 301),
        signed({"id": "evt"}, AT),
    ):
        with pytest.raises(InvalidInput):
            take_message(session, body=sent, headers=head, now=NOW)


def quick() -> Stripe:
    return Stripe(get_settings(), sleep=lambda seconds: None)


def test_stripe_is_asked_again_and_its_pages_are_followed(double: Double, owner: Principal) -> None:
    pauses: list[float] = []
    stripe = Stripe(get_settings(), sleep=pauses.append)
    customer = Customer(owner.workspace_id, "Demo", "o@example.test")
    double.failures = [429, 500]
    made = stripe.create_customer(customer, key="k")
    assert pauses == [0.5, 1.0]
    assert stripe.create_customer(customer, key="k") == made == stripe.create_customer(made, key="l")
    double.invoices = [bill("paid") | {"id": f"in_{number}"} for number in range(5)]
    found = stripe.invoices(made)
    assert [each.provider_id for each in found] == [f"in_{number}" for number in range(5)]
    double.failures = [503] * 4
    with pytest.raises(Unavailable):
        stripe.create_customer(customer, key="m")
