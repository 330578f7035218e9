"""Billing by hand: plans change at once, invoices are ours, and an owner notes what was paid."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from leitstand.billing.providers.base import Begun, Bill, Customer, Message, Provider
from leitstand.errors import NotFound
from leitstand.limits.plans import Plan


class Manual(Provider):
    """Nobody outside is asked."""

    name: ClassVar[str] = "manual"

    @property
    def mode(self) -> str:
        return "manual"

    def create_customer(self, customer: Customer, *, key: str) -> Customer:
        return customer

    def begin_change(self, customer: Customer, plan: Plan, *, key: str, back: str) -> Begun:
        return Begun()

    def cancel(self, customer: Customer, *, key: str) -> None:
        return None

    def close(self, checkout_id: str, *, key: str) -> None:
        return None

    def manage(self, customer: Customer, *, back: str) -> str:
        return ""

    def invoices(self, customer: Customer) -> Sequence[Bill]:
        return ()

    def read_message(self, body: bytes, headers: Mapping[str, str], *, now: datetime) -> Message:
        raise NotFound("No payment provider is connected.", hint="See docs/guide/billing.md.")
