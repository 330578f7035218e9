"""What a payment provider does for us."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, ClassVar
from uuid import UUID

from leitstand.limits.plans import Plan


@dataclass(frozen=True)
class Customer:
    """Who pays, as we and the provider know them.

    Args:
        customer_id, subscription_id: the provider's; empty where there is none yet.
    """

    workspace_id: UUID
    name: str
    email: str
    customer_id: str = ""
    subscription_id: str = ""


@dataclass(frozen=True)
class Begun:
    """How a change goes on: at `address`, where the person pays; empty: it is done.

    Args:
        checkout_id: the provider's id of the place to pay.
    """

    address: str = ""
    checkout_id: str = ""


@dataclass(frozen=True)
class Bill:
    """An invoice as the provider has it; amounts in cents."""

    provider_id: str
    number: str
    period_start: date
    period_end: date
    lines: list[dict[str, Any]]
    total_cents: int
    currency: str
    status: str
    issued_at: datetime
    paid_at: datetime | None


@dataclass(frozen=True)
class Message:
    """What a provider told us, read.

    Args:
        event_id, kind, made_at: the provider's id, its name of what happened, and when it said so.
        workspace_id, customer_id: of whom; what is not said is None or empty.
        plan, price: the plan's name, or the provider's id of its price.
        ended: the subscription is over.
        status: `active` or `past_due`; empty: nothing about it.
        bill: an invoice.
    """

    event_id: str
    kind: str
    made_at: datetime
    workspace_id: UUID | None = None
    customer_id: str = ""
    subscription_id: str = ""
    plan: str = ""
    price: str = ""
    ended: bool = False
    status: str = ""
    bill: Bill | None = field(default=None)


class Provider(ABC):
    """Takes the money for plans."""

    name: ClassVar[str]

    @property
    @abstractmethod
    def mode(self) -> str:
        """What state it is in: `manual`, `test` or `live`."""

    @abstractmethod
    def create_customer(self, customer: Customer, *, key: str) -> Customer:
        """The customer with the provider's id, made if there is none.

        Args:
            key: of this request; the same key makes none twice.
        """

    @abstractmethod
    def begin_change(self, customer: Customer, plan: Plan, *, key: str, back: str) -> Begun:
        """Change to a plan, or say where the person has to go for that.

        Args:
            key: of this change; the same key changes nothing twice.
            back: address of our page.
        """

    @abstractmethod
    def cancel(self, customer: Customer, *, key: str) -> None:
        """End the subscription; nothing where there is none, or where it has ended."""

    @abstractmethod
    def close(self, checkout_id: str, *, key: str) -> None:
        """Let nobody pay any more at a place that was begun; nothing where it is closed.

        Raises:
            Conflict: it has been paid there.
        """

    @abstractmethod
    def manage(self, customer: Customer, *, back: str) -> str:
        """Where the person looks after payment; empty where there is no such place."""

    @abstractmethod
    def invoices(self, customer: Customer) -> Sequence[Bill]:
        """The provider's invoices, newest first; none where invoices are ours."""

    @abstractmethod
    def read_message(self, body: bytes, headers: Mapping[str, str], *, now: datetime) -> Message:
        """What a message says that was proven to be the provider's.

        Raises:
            InvalidInput: it is not the provider's, too old, or can't be read.
        """
