"""Plans and billing: the plan, usage beside its limits, other plans, invoices."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import StreamingResponse

from leitstand.billing.invoices import get_invoice, list_invoices, mark_paid
from leitstand.billing.subscription import change_plan, get_subscription, manage_payment, paying_customer
from leitstand.billing.usage import export_usage, get_usage
from leitstand.db.models.base import new_id
from leitstand.errors import Conflict, InvalidInput, LeitstandError, NotFound, Unavailable
from leitstand.identity.access import Principal
from leitstand.limits.plans import Plan, load_plans
from leitstand.words import N_
from leitstand.words.spreadsheet import lines
from serving.plan_changes import carried_out
from serving.session import CurrentPrincipal, Db, paused, require_csrf
from web.pages import go, render

router = APIRouter(prefix="/settings/billing", include_in_schema=False)
WHAT = {
    "members": N_("Members"),
    "items": N_("Items"),
    "published_companions": N_("Published companions"),
    "spaces": N_("Spaces"),
    "events_a_month": N_("Events this month"),
    "storage_bytes": N_("Size of documents"),
    "model_tokens_a_month": N_("Tokens of models this month"),
    "runs_a_month": N_("Runs this month"),
    "active_users": N_("Active people this month"),
}
INVOICE_COLUMNS = (
    "number", "period_start", "period_end", "total_cents", "currency", "status", "issued_at", "paid_at",
)  # fmt: skip


@router.get("")
def billing_page(request: Request, session: Db, principal: CurrentPrincipal, paid: str = "") -> Response:
    """The plan, the meters, the choice and the invoices."""
    if paid:
        return go("/settings/billing", "payment-follows")
    return _page(request, session, principal)


@router.post("/plan", dependencies=[Depends(require_csrf)])
def choose_plan(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    plan: Annotated[str, Form()] = "",
    key: Annotated[str, Form()] = "",
) -> Response:
    """Change the plan, or go to where it is paid."""
    try:
        # What a refused change began is undone; the page that says so needs the session.
        with session.begin_nested():
            change = change_plan(session, principal=principal, plan=plan, key=key[:64])
        begun = carried_out(session, principal, change)
    except (Conflict, InvalidInput, NotFound, Unavailable) as error:
        return _page(request, session, principal, error)
    if begun.address:
        return _away(request, principal, begun.address)
    return go("/settings/billing", "plan-changed")


@router.post("/payment", dependencies=[Depends(require_csrf)])
def look_after_payment(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """Go to the provider's own page."""
    try:
        customer = paying_customer(session, principal=principal)
        with paused(session, principal):
            address = manage_payment(customer)
        return _away(request, principal, address)
    except (Conflict, InvalidInput, Unavailable) as error:
        return _page(request, session, principal, error)


@router.get("/usage.{form}")
def usage_file(session: Db, principal: CurrentPrincipal, form: str) -> Response:
    """The meters as CSV or JSON."""
    text = export_usage(session, principal=principal, form=form)
    return _file(text, f"usage.{form}", "text/csv; charset=utf-8" if form == "csv" else "application/json")


@router.get("/invoices.csv")
def invoices_file(session: Db, principal: CurrentPrincipal) -> Response:
    """Every invoice as CSV."""
    found = list_invoices(session, principal=principal)
    rows = [[getattr(invoice, name) for name in INVOICE_COLUMNS] for invoice in found]
    return _file(lines(INVOICE_COLUMNS, rows), "invoices.csv", "text/csv; charset=utf-8")


@router.get("/invoices/{invoice_id}")
def invoice_page(request: Request, session: Db, principal: CurrentPrincipal, invoice_id: UUID) -> Response:
    """One invoice, to read and to print."""
    invoice = get_invoice(session, principal=principal, invoice_id=invoice_id)
    name = principal.workspace_name
    return render(request, principal, "invoice.html", area="billing", invoice=invoice, organisation=name)


@router.post("/invoices/{invoice_id}/paid", dependencies=[Depends(require_csrf)])
def invoice_paid(request: Request, session: Db, principal: CurrentPrincipal, invoice_id: UUID) -> Response:
    """Note that an invoice was paid."""
    try:
        mark_paid(session, principal=principal, invoice_id=invoice_id)
    except Conflict as error:
        return _page(request, session, principal, error)
    return go("/settings/billing", "invoice-paid")


def _away(request: Request, principal: Principal, address: str) -> Response:
    """A link to the provider: the content security policy lets no form lead to another site."""
    return render(request, principal, "billing_away.html", area="billing", address=address)


def _file(text: object, name: str, media: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(text, media_type=media, headers=headers)  # type: ignore[arg-type]


def _page(
    request: Request, session: Db, principal: Principal, error: LeitstandError | None = None
) -> Response:
    subscription = get_subscription(session, principal=principal)
    return render(
        request,
        principal,
        "billing.html",
        area="billing",
        subscription=subscription,
        changing=Plan.model_validate(subscription.change.terms) if subscription.change else None,
        usage=get_usage(session, principal=principal),
        plans=load_plans().plans,
        invoices=list_invoices(session, principal=principal),
        what=WHAT,
        key=new_id(),
        error=error,
    )
