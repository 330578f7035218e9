"""Plans and billing: the plan, usage, other plans, invoices."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi import Request as HttpRequest

from api.models import Answer, Request
from leitstand.billing import invoices
from leitstand.billing.subscription import change_plan, get_subscription
from leitstand.billing.usage import get_usage
from leitstand.identity.access import require
from leitstand.limits.plans import Limits, load_plans
from serving.idempotency import OnceRoute
from serving.plan_changes import carried_out
from serving.session import CurrentPrincipal, Db, require_csrf

router = APIRouter(prefix="/billing", tags=["billing"], route_class=OnceRoute)


class PlanOut(Answer):
    """A plan; the price is a month's, in cents. A limit that is null is none."""

    name: str
    title: str
    description: str
    price_cents: int
    currency: str
    limits: Limits


class MeterOut(Answer):
    """One figure beside its limit; `expected` is what the month will come to."""

    what: str
    used: int
    limit: int | None
    percent: int | None
    near: bool
    expected: int | None


class AskedChangeOut(Answer):
    """A change of plan that the provider is asked for.

    `asked`: it has not answered, and is asked again by itself; `begun`: it is paid at `address`; `refused` and
    `given-up`: it came to nothing, for the reason in `problem`.
    """

    plan: str
    state: str
    problem: str
    address: str
    created_at: datetime


class BillingOut(Answer):
    """The workspace's plan and usage; `change` is the newest change that is open or came to nothing."""

    plan: PlanOut
    since: datetime | None
    status: str
    provider: str
    mode: str
    month: date
    meters: list[MeterOut]
    change: AskedChangeOut | None


class PlanChoice(Request):
    """The plan to change to."""

    plan: str


class ChangeOut(Answer):
    """Whether the change is done; else the address at which it is paid."""

    done: bool
    address: str


class InvoiceOut(Answer):
    """An invoice; amounts in cents, `period_end` is the day after the last."""

    id: UUID
    number: str
    period_start: date
    period_end: date
    lines: list[dict[str, Any]]
    total_cents: int
    currency: str
    status: str
    issued_at: datetime
    paid_at: datetime | None
    provider: str


@router.get("")
def get_billing(session: Db, principal: CurrentPrincipal) -> BillingOut:
    """The plan, and usage beside its limits."""
    found = get_subscription(session, principal=principal)
    usage = get_usage(session, principal=principal)
    return BillingOut(
        plan=PlanOut.model_validate(found.plan, from_attributes=True),
        since=found.since,
        status=found.status,
        provider=found.provider,
        mode=found.mode,
        month=usage.month,
        meters=[MeterOut.model_validate(meter, from_attributes=True) for meter in usage.meters],
        change=AskedChangeOut.model_validate(found.change, from_attributes=True) if found.change else None,
    )


@router.get("/plans")
def list_plans(principal: CurrentPrincipal) -> list[PlanOut]:
    """The plans to choose from."""
    require(principal, "billing:manage")
    return [PlanOut.model_validate(plan, from_attributes=True) for plan in load_plans().plans]


@router.put("/plan", dependencies=[Depends(require_csrf)])
def choose_plan(
    session: Db, principal: CurrentPrincipal, choice: PlanChoice, request: HttpRequest
) -> ChangeOut:
    """Change the plan; refused while more is used than it has room for.

    Where the payment provider does not answer, the answer is 503 and the change is kept: it is asked for again, and
    `change` of `GET /billing` says what came of it.
    """
    key = request.headers.get("idempotency-key", "")
    change = change_plan(session, principal=principal, plan=choice.plan, key=key)
    begun = carried_out(session, principal, change)
    return ChangeOut(done=not begun.address, address=begun.address)


@router.get("/invoices")
def list_invoices(session: Db, principal: CurrentPrincipal) -> list[InvoiceOut]:
    """The invoices, newest first."""
    found = invoices.list_invoices(session, principal=principal)
    return [InvoiceOut.model_validate(each, from_attributes=True) for each in found]


@router.get("/invoices/{invoice_id}")
def get_invoice(session: Db, principal: CurrentPrincipal, invoice_id: UUID) -> InvoiceOut:
    """One invoice."""
    found = invoices.get_invoice(session, principal=principal, invoice_id=invoice_id)
    return InvoiceOut.model_validate(found, from_attributes=True)


@router.post("/invoices/{invoice_id}/paid", dependencies=[Depends(require_csrf)])
def mark_invoice_paid(session: Db, principal: CurrentPrincipal, invoice_id: UUID) -> InvoiceOut:
    """Note that an invoice of ours was paid."""
    found = invoices.mark_paid(session, principal=principal, invoice_id=invoice_id)
    return InvoiceOut.model_validate(found, from_attributes=True)
